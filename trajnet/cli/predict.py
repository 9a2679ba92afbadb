"""trajnet predict: a scene to a table of paths."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trajnet.cli.files import require_outputs
from trajnet.cli.own import MapFile, warn_of_mistakes
from trajnet.cli.predictor import Model, Provider, Threads, model_file, one_model, open_predictor
from trajnet.errors import ConfigError

if TYPE_CHECKING:
    from trajnet.types import Prediction

Out = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Table of paths, .parquet or .csv: a row for each object, mode and future time."),
]
Picture = Annotated[Path | None, typer.Option(metavar="FILE", help="An SVG of the scene with its paths at --at.")]
At = Annotated[
    list[float] | None,
    typer.Option(metavar="SECONDS", help="Only the frame at this time after the first one; repeat for several."),
]


def predict(
    scenes: Annotated[list[Path], typer.Argument(metavar="SCENE...", help="Scene files, folders of them, bags.")],
    model: Model = None,
    out: Out = None,
    at: At = None,
    picture: Picture = None,
    map_file: MapFile = None,
    provider: Provider = "cpu",
    threads: Threads = 1,
) -> None:
    """Predict the objects of recorded scenes, as the road would: each frame knows what was before it, nothing after.

    Columns: scene, timestamp_ns, track_id, mode (0 is the most probable), probability, time_s (after timestamp_ns),
    x, y, yaw, covariance_xx, covariance_xy, covariance_yy (m, rad, m^2; map frame), source (model, physics,
    stale, judged), age_s, expert, file (scenes of several files may have one name).

        trajnet predict tracks.parquet --out paths.parquet

        trajnet predict tracks.parquet --at 12.5 --out paths.csv --picture paths.svg
    """
    from trajnet.check import check_scene
    from trajnet.cli.terminal import Console
    from trajnet.datasets.files import find_scenes, with_map_of
    from trajnet.inference import GpuOptions
    from trajnet.paths import frames_at, predict_scene, write_paths
    from trajnet.picture import scene_picture
    from trajnet.ros.bag_import import open_scene
    from trajnet.ros.bags import is_bag
    from trajnet.whole_file import write_text

    if out is None and picture is None:
        raise ConfigError("out: expected a file for the paths, or --picture for a drawing, got neither")
    files = [file for path in scenes for file in ([path] if is_bag(path) else find_scenes(path))]
    chosen = one_model(model)
    require_outputs([*files, map_file, model_file(chosen)], out=out, picture=picture)
    predictor = open_predictor(chosen, provider, threads, GpuOptions())
    drawn, console, errors = "", Console(), Console(stderr=True)

    def found() -> Iterator[tuple[str, Path, Prediction]]:
        nonlocal drawn
        for file in files:
            scene = with_map_of(open_scene(file, with_map=True), map_file)
            warn_of_mistakes(check_scene(scene), errors)
            wanted = None if at is None else frames_at(scene, at)
            middle = scene.frame_count // 2 if at is None else max(wanted or {0})
            if picture is not None and out is None:
                wanted = {middle}
            for index, prediction in predict_scene(scene, predictor, wanted):
                if picture is not None and not drawn and index >= middle:
                    drawn = scene_picture(scene, prediction, index)
                yield scene.scene_id, file, prediction

    if out is not None:
        rows = write_paths(out, found())
        console.print(
            f"{out}: {rows:,} rows of {len(files)} scenes by {predictor.name}", highlight=False, soft_wrap=True
        )
    else:
        for _ in found():
            pass
    if picture is not None:
        write_text(picture, drawn)
        console.print(f"{picture}: the paths of one frame", highlight=False, soft_wrap=True)
