"""What runs a model: the options that commands share, and the predictor that they ask for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trajnet.errors import ConfigError

if TYPE_CHECKING:
    from trajnet.inference import GpuOptions, Predictor

MODEL_HELP = "urban (the default), another bundled model by name, a file (.onnx), or cv, ctrv, kalman."
#: A list, so that a second one is refused in words instead of replacing the first.
Model = Annotated[list[str] | None, typer.Option("--model", metavar="MODEL", help=MODEL_HELP)]
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

IgnoreDomain = Annotated[
    bool,
    typer.Option(
        "--ignore-domain",
        help="Ask the model about every object, also where its file says that it was never trained on the like.",
    ),
]
SelfJudging = Annotated[
    bool,
    typer.Option(
        "--self-judging/--no-self-judging",
        help="Whether a model's earlier answers for an object weigh its paths against constant velocity and standing.",
    ),
]


def one_model(models: list[str] | None) -> str:
    """Return the model of a command that runs one: the default model where none is named.

    Raises ConfigError for several.
    """
    from trajnet.models import default_model

    if len(models or []) > 1:
        raise ConfigError(
            f"model: expected one, got {', '.join(models or [])}; `trajnet evaluate` compares several on one scene"
        )
    return models[0] if models else str(default_model())


def default_models(models: list[str] | None) -> list[str]:
    """Return the models of a command that runs several, each once: the default model where none is named."""
    from trajnet.models import default_model

    return list(dict.fromkeys(models or [])) or [str(default_model())]


def model_file(model: str) -> str:
    """Return the path of a bundled model that is named; any other name or path as it is."""
    from trajnet.models import model_named

    return str(model_named(model) or model)


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
