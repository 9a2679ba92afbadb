"""trajnet check: what is wrong or doubtful about recorded scenes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trajnet.cli.files import STDOUT, emit_json, require_outputs
from trajnet.cli.own import MapFile, show_checks
from trajnet.cli.predictor import Model, model_file, one_model

if TYPE_CHECKING:
    from trajnet.check import SceneCheck


def check(
    scenes: Annotated[list[Path], typer.Argument(metavar="SCENE...", help="Scene files, folders of them, bags.")],
    model: Model = None,
    map_file: MapFile = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Everything measured and found; - prints it.")
    ] = None,
) -> None:
    """Check scenes for wrong units and axes, gaps, noise, duplicates, classes and a map that does not fit.

    Exit code 1 if there is a mistake, which would make predictions wrong; doubts are worth a look. Classes, speeds and
    rate that the model was not trained on are doubts.

        trajnet check drive.parquet

        trajnet check tables/ --json -
    """
    from trajnet.check import check_scene
    from trajnet.cli.terminal import Console
    from trajnet.datasets.files import find_scenes, with_map_of
    from trajnet.inference import load_predictor
    from trajnet.ros.bag_import import open_scene
    from trajnet.ros.bags import is_bag

    console = Console(stderr=json_file == STDOUT)
    files = [file for path in scenes for file in ([path] if is_bag(path) else find_scenes(path))]
    chosen = one_model(model)
    require_outputs([*files, map_file, model_file(chosen)], json=json_file)
    served = load_predictor(chosen).model_file
    contract = None if served is None else served.contract
    found: list[SceneCheck] = []
    for file in files:
        checked = check_scene(with_map_of(open_scene(file, with_map=True), map_file), contract)
        found.append(checked)
        if len(files) == 1:
            console.print(_facts(checked.facts), markup=False, highlight=False, soft_wrap=True)
    if json_file is not None:
        scenes_found = [{"file": str(file), **checked.to_dict()} for file, checked in zip(files, found, strict=True)]
        emit_json(json_file, {"scenes": scenes_found})
    mistakes = show_checks(found, console)
    doubts = sum(len(checked.findings) for checked in found) - mistakes
    console.print(f"{len(files)} scenes checked: {mistakes} mistakes, {doubts} doubts", highlight=False)
    if mistakes:
        raise typer.Exit(1)


def _facts(facts: Mapping[str, Any]) -> str:
    """Return the facts of a scene in words."""
    classes = ", ".join(f"{count} {name}" for name, count in facts["classes"].items())
    lines = [
        f"{facts['frames']:,} frames, {facts['duration_s']:.1f} s, {facts['tracks']:,} tracks ({classes})",
        f"heading known in {facts['heading_share']:.0%} of the rows, velocity in {facts['velocity_share']:.0%}",
    ]
    if facts["period_s"] is not None:
        lines.append(f"a track is observed every {facts['period_s']:.3g} s")
    if facts["moving_speed_median_mps"] is not None:
        lines.append(f"what moves has a median speed of {facts['moving_speed_median_mps']:.2f} m/s")
    if facts["position_noise_m"] is not None:
        lines.append(f"positions are off their neighbours in time by {facts['position_noise_m']:.3f} m")
    if facts.get("on_road_share") is not None:
        lines.append(f"{facts['on_road_share']:.0%} of the moving vehicles are on a road of the map")
    return "\n".join(lines)
