"""trajnet bag: rosbag2 recordings to scenes and back, without a ROS installation."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from trajnet.cli.files import require_unread
from trajnet.cli.own import MapFile, show_checks
from trajnet.cli.predictor import one_model
from trajnet.errors import InputError

app = typer.Typer(no_args_is_help=True, help="rosbag2 recordings (mcap, sqlite3) to scenes and back; no ROS needed.")


class StorageName(str, Enum):
    """What rosbag2 calls its file formats."""

    MCAP = "mcap"
    SQLITE3 = "sqlite3"


Bag = Annotated[Path, typer.Argument(metavar="BAG", help="A bag's folder, or one of its .mcap or .db3 files.")]
Topic = Annotated[str | None, typer.Option(help="Of TrackedObjects; by default the only one, or Autoware's.")]


@app.command(name="import")
def import_(
    bag: Bag,
    out: Annotated[Path, typer.Option(metavar="SCENE.parquet", help="Where the scene goes.")],
    topic: Topic = None,
    frame_id: Annotated[
        str, typer.Option(help="Coordinate frame of the objects; messages in another one are left out.")
    ] = "map",
    map_file: MapFile = None,
) -> None:
    """Make a scene of a bag's tracked objects, for evaluate, replay, training and play.

    What was left out and mended is listed with its counts. The scene is checked as `trajnet check` does, with exit code
    1 for a mistake. For example a recording of Autoware's perception:

        trajnet bag import drive.mcap --out drive.parquet
    """
    from trajnet.check import check_scene
    from trajnet.cli.terminal import Console
    from trajnet.datasets.files import with_map_of
    from trajnet.ros.bag_import import import_bag
    from trajnet.scenes import write_scene

    if out.suffix != ".parquet":
        raise InputError(f"out: expected a .parquet file, got {out}")
    require_unread([("out", out)], [bag, map_file])
    scene, report = import_bag(bag, topic, frame_id=frame_id)
    scene = with_map_of(scene, map_file)
    write_scene(scene, out)
    size = f"{scene.frame_count} frames, {scene.duration_s:.1f} s, {len(scene.track_id)} tracks"
    for line in (f"{out}: {size} of {report.messages} messages", *report.lines()):
        Console().print(line, highlight=False, soft_wrap=True)
    if show_checks([check_scene(scene)], Console(stderr=True)):
        raise typer.Exit(1)


@app.command()
def export(
    scene: Annotated[Path, typer.Argument(metavar="SCENE", help="Any scene file that trajnet reads, or a bag.")],
    out: Annotated[Path, typer.Option(metavar="BAG", help="A new folder, or a single .mcap or .db3 file.")],
    model: Annotated[
        list[str] | None, typer.Option(help="Also write what this model predicts: urban, a file (.onnx), cv, ...")
    ] = None,
    storage: Annotated[StorageName | None, typer.Option(help="By default mcap, or what OUT's suffix says.")] = None,
    frame_id: Annotated[str, typer.Option(help="Coordinate frame of the objects.")] = "map",
) -> None:
    """Write a scene as a bag for ros2 bag play, RViz and Foxglove.

    With --model it also holds predictions, markers and covariances, just as the node would publish them:

        trajnet bag export sim/scenes/intersection.parquet --model model.onnx --out intersection.mcap
    """
    from trajnet.cli.terminal import Console
    from trajnet.inference import load_predictor
    from trajnet.ros.bag_export import export_bag
    from trajnet.ros.bag_import import open_scene

    chosen = storage or (StorageName.SQLITE3 if out.suffix == ".db3" else StorageName.MCAP)
    predictor = None if not model else load_predictor(one_model(model))
    count = export_bag(open_scene(scene), out, predictor, storage=chosen.value, frame_id=frame_id)
    Console().print(f"{out}: {count} messages", highlight=False, soft_wrap=True)


@app.command()
def info(bag: Bag) -> None:
    """List a bag's topics with their types and numbers of messages."""
    from rich import box
    from rich.table import Table

    from trajnet.cli.terminal import Console
    from trajnet.ros.bags import bag_topics

    table = Table(box=box.SIMPLE_HEAD)
    for name in ("topic", "type"):
        table.add_column(name, overflow="fold")
    table.add_column("messages", justify="right", no_wrap=True)
    for topic in bag_topics(bag):
        table.add_row(topic.name, topic.message_type, f"{topic.count:,}")
    Console().print(table)


@contextmanager
def for_evaluation(bag: Path, topic: str | None, predictions: str | None) -> Iterator[tuple[Path, Path | None]]:
    """Yield a bag as files that trajnet.evaluate reads: the scene, and the recorded predictions where the bag has any.

    Where there are recorded predictions, the scene's targets are the objects that have one: everything is scored on
    them alone. predictions: the topic of PredictedObjects; one that is named has to be there.
    """
    import numpy as np

    from trajnet.inference import save_recorded
    from trajnet.ros.bag_import import scene_from_bag
    from trajnet.ros.bags import bag_topics, predictions_from_bag
    from trajnet.ros.definitions import PREDICTED_OBJECTS
    from trajnet.scenes import write_scene

    scene = scene_from_bag(bag, topic)
    with tempfile.TemporaryDirectory(prefix="trajnet-bag-") as folder:
        table, recorded = Path(folder) / f"{bag.stem}.parquet", None
        if predictions is not None or any(t.message_type == PREDICTED_OBJECTS for t in bag_topics(bag)):
            found = predictions_from_bag(bag, predictions)
            recorded = Path(folder) / "recorded.npz"
            save_recorded(found, recorded)
            answered = {(p.timestamp_ns, t) for p in found for t in p.track_id}
            stamps, ids = scene.timestamp_ns[scene.row_frame].tolist(), [scene.track_id[t] for t in scene.row_track]
            targets = np.array([key in answered for key in zip(stamps, ids, strict=True)], dtype=np.bool_)
            if not targets.any():
                raise InputError(
                    f"{bag}: expected predictions of the tracked objects, got none with the stamp and id of one"
                )
            scene = replace(scene, is_target=targets)
        write_scene(scene, table)
        yield table, recorded
