"""The options of trajnet replay."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from trajnet.errors import InputError

Scenes = Annotated[
    Path,
    typer.Argument(
        metavar="SCENE",
        help="A scene file (.parquet, CommonRoad .xml, nuScenes or ETH/UCY .txt), a bag, or a folder of them.",
    ),
]
Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        metavar="MODEL",
        help="urban (the default), another bundled model by name, a file (.onnx), or cv, ctrv, kalman. Repeat to see "
        "several beside each other.",
    ),
]
Rate = Annotated[
    str,
    typer.Option(help="Times faster than recorded; max (or 0): as fast as possible, which gives service times only."),
]
Agents = Annotated[
    int | None,
    typer.Option(help="Load: fill every frame that has objects up to exactly this many with shifted copies."),
]
BudgetMs = Annotated[float, typer.Option(help="Latency above which a frame has missed its deadline.")]
Warmup = Annotated[int | None, typer.Option(metavar="FRAMES", help="Frames left out of the figures; 5 by default.")]
FaultsFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="YAML of faults: the scene is replayed again under each, at full speed."),
]
JsonFile = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="Everything measured, and the hardware; - prints it.")
]
Report = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Write a self-contained HTML page with the animation here; for a folder of scenes, a folder of pages.",
    ),
]


def parse_rate(text: str) -> float:
    """Return a rate above 0; ``max`` and 0 are infinity. Raises InputError for anything else."""
    try:
        rate = math.inf if text == "max" else float(text)
    except ValueError:
        rate = math.nan
    if not rate >= 0:
        raise InputError(f"rate: expected a number above 0, or max (or 0) for as fast as possible, got {text!r}")
    return rate or math.inf
