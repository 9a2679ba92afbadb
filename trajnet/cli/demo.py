"""trajnet demo: the shipped model on a bundled scene, in real time, and a page to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trajnet.cli.predictor import Model, one_model
from trajnet.errors import InputError

#: Where the bundled scenes are in the repository that this file belongs to.
SCENE = Path("sim/scenes/intersection.parquet")
FAULTS = Path("sim/faults/demo.yaml")


def demo(
    scene: Annotated[Path | None, typer.Option(help="Another scene than the bundled intersection.")] = None,
    model: Model = None,
    rate: Annotated[str, typer.Option(help="Times faster than recorded; max: as fast as possible.")] = "1.0",
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where report.html goes.")] = Path("out/demo"),
) -> None:
    """Replay the bundled intersection in real time with the shipped model and write out/demo/report.html.

    Prints the latency by stage, the errors against the recorded future next to constant velocity, and what some faults
    do to them: the scene once more under each, as fast as it goes.
    """
    from trajnet.cli.replay import Settings, run_models, show_runs
    from trajnet.cli.replay_options import parse_rate
    from trajnet.cli.terminal import Console
    from trajnet.config import load_yaml
    from trajnet.datasets.files import load_scene
    from trajnet.inference import load_predictor
    from trajnet.replay.faults import FaultPlan
    from trajnet.replay.replay import ReplayOptions

    predictor = load_predictor(one_model(model))
    loaded = load_scene(scene if scene is not None else bundled(SCENE), with_map=True)
    settings = Settings(ReplayOptions(rate=parse_rate(rate)), faults=load_yaml(FaultPlan, bundled(FAULTS)))
    console, report = Console(), out / "report.html"
    show_runs(run_models(loaded, [predictor], settings, console, report), console, None, report)


def bundled(path: Path) -> Path:
    """Return a file of the repository, seen from the working directory or from this checkout; InputError if none."""
    for folder in (Path(), Path(__file__).parents[2]):
        if (folder / path).is_file():
            return folder / path
    raise InputError(f"demo: expected {path} below the working directory, got none; run in the repository")
