"""A data set that trajnet does not know, in one file: what has to be written to add one."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trajnet.datasets.description import Dataset, Part, WindowRule
from trajnet.datasets.folders import files_in
from trajnet.datasets.windows import windows_of_scene
from trajnet.scenes.formats import SceneFormat, header_line
from trajnet.scenes.rows import Rows, default_sizes, read_integer, read_number, read_text, scene_from_rows
from trajnet.types import IntArray, ObjectClass, Scene

HEADER = "frame;walker;x;y"
HISTORY_S = np.arange(-3.0, 1.0) * 0.5
FUTURE_S = np.arange(1.0, 5.0) * 0.5


def read_toy(path: Path, _with_map: bool = False) -> Scene:
    """Return the scene of one file: walkers at 2 Hz."""
    rows = [text.split(";") for text in read_text(path).splitlines()[1:]]
    numbers = np.array([read_integer(path, i, "frame", fields[0]) for i, fields in enumerate(rows, start=2)])
    position_m = np.array([[read_number(path, i, "x, y", f) for f in fields[2:]] for i, fields in enumerate(rows, 2)])
    classes = np.full(len(rows), int(ObjectClass.PEDESTRIAN))
    no = np.zeros(len(rows), np.bool_)
    return scene_from_rows(
        path.stem,
        Rows(
            frame_number=numbers,
            timestamp_ns=numbers * 500_000_000,
            track_id=[fields[1] for fields in rows],
            object_class=classes,
            size_m=default_sizes(classes),
            position_m=position_m,
            yaw_rad=np.zeros(len(rows)),
            yaw_valid=no,
            velocity_mps=np.zeros((len(rows), 2)),
            velocity_valid=no,
            is_target=no,
        ),
        source="toy",
        licence="CC0",
    )


def toy_rows(scene: Scene, _part: Part) -> IntArray:
    """Return the rows with a whole history and a whole future."""
    windows = windows_of_scene(scene, np.arange(len(scene.row_frame)), HISTORY_S, FUTURE_S)
    return np.flatnonzero(windows.observed.all(axis=1) & windows.future_valid.all(axis=1))


#: Two walkers for 12 frames in each of two files of train and one of val: 12 - 3 - 4 windows of each walker.
TOY = Dataset(
    name="toy",
    title="Toy walkers",
    licence="CC0",
    use="any",
    download="made by write_toy_data",
    folder="toy_walkers",
    marker="train",
    parts=(Part("train", HISTORY_S, 20), Part("val", HISTORY_S, 10)),
    files=lambda folder, part: files_in(folder / part, "*.csv"),
    windows=WindowRule(FUTURE_S, toy_rows),
    metrics=("minADE_1", "MissRate_2_5"),
    divided=("minADE_1",),
    headline="minADE_1",
    ranks=(1,),
    group=lambda _part, scene_id: scene_id,
    shows_groups=True,
    format=SceneFormat("toy", (".csv",), read_toy, header_line(HEADER), f"the line {HEADER!r} (toy)"),
)


def write_toy_data(root: Path) -> None:
    """Write the toy data set below a data root: walker a stands, b walks along x at 2 m/s."""
    for name in ("train/one", "train/two", "val/three"):
        path = root / TOY.folder / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = [
            f"{frame};{who};{frame * speed_m};0.0" for frame in range(12) for who, speed_m in (("a", 0.0), ("b", 1.0))
        ]
        path.write_text("\n".join([HEADER, *rows]) + "\n")
