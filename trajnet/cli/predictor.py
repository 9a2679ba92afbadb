"""What runs a model: the options that commands share, and the predictor that they ask for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trajnet.errors import ConfigError

if TYPE_CHECKING:
    from trajnet.inference import GpuOptions, Predictor

Provider = Annotated[str, typer.Option(help="cpu, cuda or tensorrt; never falls back silently.")]
Threads = Annotated[int, typer.Option(help="Threads inside ONNX Runtime.")]
EngineCache = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="With tensorrt: a folder that keeps the engines built for this GPU; without it every start takes minutes.",
    ),
]
CudaGraph = Annotated[
    bool,
    typer.Option(
        "--cuda-graph", help="With cuda: all that a step launches is recorded once and then started as a whole."
    ),
]

SelfJudging = Annotated[
    bool,
    typer.Option(
        "--self-judging/--no-self-judging",
        help="Whether a model's earlier answers for an object weigh its paths against constant velocity and standing.",
    ),
]


def open_predictor(model: str, provider: str, threads: int, gpu: GpuOptions) -> Predictor:
    """Return the predictor of a command's options.

    Raises ConfigError for options that it has no use for, ContractError for what is no model, DependencyError for a
    provider that cannot be had.
    """
    from trajnet.inference import PHYSICS, GpuOptions, load_predictor

    if model in PHYSICS and (provider, threads) != ("cpu", 1):
        raise ConfigError(
            f"provider, threads: {model} runs in NumPy and has neither, got {provider} and {threads}; drop them"
        )
    if model in PHYSICS and gpu != GpuOptions():
        raise ConfigError(f"engine_cache, cuda_graph: {model} runs in NumPy and has neither; drop them")
    return load_predictor(model, provider=provider, threads=threads, gpu=gpu)
