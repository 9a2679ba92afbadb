"""trajnet view: a scene with its paths in rerun or Foxglove."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trajnet.cli.files import require_outputs, require_suffix
from trajnet.cli.own import MapFile
from trajnet.cli.predictor import Model, Provider, Threads, model_file, one_model, open_predictor

Save = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write a recording for rerun (.rrd) instead of opening its viewer.")
]
Mcap = Annotated[Path | None, typer.Option(metavar="FILE", help="Write an .mcap that Foxglove shows at once.")]


def view(
    scene: Annotated[Path, typer.Argument(help="A scene file or a bag.")],
    model: Model = None,
    save: Save = None,
    mcap: Mcap = None,
    map_file: MapFile = None,
    provider: Provider = "cpu",
    threads: Threads = 1,
) -> None:
    """Look at a scene with a model's paths in rerun's viewer or in Foxglove: map, boxes, histories, paths, ego.

    Needs the extra view. Without a screen, or for another machine, write files:

        trajnet view sim/scenes/intersection.parquet

        trajnet view sim/scenes/intersection.parquet --model urban --save scene.rrd --mcap scene.mcap

    Open scene.rrd with `rerun scene.rrd`. Open scene.mcap in Foxglove and add a 3D panel: every topic is drawn.
    """
    from trajnet.cli.terminal import Console
    from trajnet.datasets.files import with_map_of
    from trajnet.inference import GpuOptions
    from trajnet.ros.bag_import import open_scene
    from trajnet.view import open_viewer, write_foxglove, write_rerun

    chosen, console = one_model(model), Console()
    require_outputs([scene, map_file, model_file(chosen)], save=save, mcap=mcap)
    if save is not None:
        require_suffix("save", save, ".rrd")
    predictor = open_predictor(chosen, provider, threads, GpuOptions())
    loaded = with_map_of(open_scene(scene, with_map=True), map_file)
    if save is None and mcap is None:
        open_viewer(loaded, predictor)
    if save is not None:
        frames = write_rerun(save, loaded, predictor)
        console.print(f"{save}: {frames:,} frames; open it with: rerun {save}", highlight=False, soft_wrap=True)
    if mcap is not None:
        count = write_foxglove(mcap, loaded, predictor)
        console.print(f"{mcap}: {count:,} messages; open it in Foxglove", highlight=False, soft_wrap=True)
