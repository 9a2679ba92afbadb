"""ApolloScape's trajectory data set (the files of TrafficPredict): mixed traffic at 2 Hz, one text file, one scene.

Ten columns: frame, object, class (1 small vehicle, 2 big vehicle, 3 pedestrian, 4 bicyclist or motorcyclist, 5 other),
x m, y m, z m, length m, width m, height m, heading rad (http://apolloscape.auto/trajectory.html).

The benchmark has 3 s of history and 3 s of future. Its test files have no futures, so the training files are split here
by recording (trajnet.datasets.own_split).

The heading column is not read: positions are in a world frame, but headings are not. Along tracks faster than 2 m/s
they differ from the course by an angle that changes from file to file (167 degrees in result_9050_4, -102 in
result_9051_5) and jumps by 180 degrees from frame to frame. The heading is derived from motion instead.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trajnet.datasets.description import Dataset, Part, WindowRule
from trajnet.datasets.own_split import own_split, require_files
from trajnet.datasets.windows import windows_of_scene
from trajnet.errors import InputError
from trajnet.scenes.formats import TEXT_SUFFIXES, SceneFormat, numbers_in_columns
from trajnet.scenes.rows import Rows, read_fields, read_identity, read_integer, read_number, scene_from_rows
from trajnet.types import FloatArray, IntArray, ObjectClass, Scene

FRAME_NS = 500_000_000
COLUMNS = 10
LICENCE = "research only (ApolloScape; no licence stated with the files)"

#: Files of the whole data set; the split would differ with another number.
FILES = 53
HISTORY_S: FloatArray = np.arange(-5, 1, dtype=np.float64) * 0.5
FUTURE_S: FloatArray = np.arange(1, 7, dtype=np.float64) * 0.5

CLASSES: dict[int, ObjectClass] = {
    1: ObjectClass.CAR,
    2: ObjectClass.TRUCK,
    3: ObjectClass.PEDESTRIAN,
    4: ObjectClass.BICYCLE,
    5: ObjectClass.UNKNOWN,
}


def read_apolloscape(path: Path) -> Scene:
    """Return the scene of one file, without heading (see above), velocity and map.

    Sizes are those of the part that the lidar saw; a track keeps the size of its first row.
    Raises InputError that names the file and the line that does not fit.
    """
    table = read_fields(path, COLUMNS)
    count = len(table)
    numbers = np.zeros(count, np.int64)
    classes = np.zeros(count, np.int64)
    values = np.zeros((count, 4))
    ids: list[str] = []
    columns = ((3, "x"), (4, "y"), (6, "length"), (7, "width"))
    for i, (line, fields) in enumerate(table):
        numbers[i] = read_integer(path, line, "frame (column 0)", fields[0])
        ids.append(read_identity(fields[1]))
        kind = read_integer(path, line, "class (column 2)", fields[2])
        if kind not in CLASSES:
            raise InputError(f"{path}, line {line}: expected a class of 1 to 5 (column 2), got {kind}")
        classes[i] = CLASSES[kind]
        values[i] = [read_number(path, line, f"{name} (column {column})", fields[column]) for column, name in columns]
        if values[i, 2:].min() <= 0:
            raise InputError(
                f"{path}, line {line}: expected a length and width above 0 m, got {values[i, 2]} x {values[i, 3]}"
            )
    nowhere = np.zeros(count, np.bool_)
    rows = Rows(
        frame_number=numbers,
        timestamp_ns=numbers * FRAME_NS,
        track_id=ids,
        object_class=classes,
        size_m=values[:, 2:],
        position_m=values[:, :2],
        yaw_rad=np.zeros(count),
        yaw_valid=nowhere,
        velocity_mps=np.zeros((count, 2)),
        velocity_valid=nowhere,
        is_target=nowhere,
    )
    return scene_from_rows(path.stem, rows, source="ApolloScape trajectory data set", licence=LICENCE)


def apolloscape_files(folder: Path, split: str) -> list[Path]:
    """Return the files of ``train``, ``val`` or ``test`` of our own split. Raises InputError.

    Pieces of one recording (``result_9051_5``, ``result_9051_7``) stay together: they show the same traffic.
    """
    files = sorted((folder / "prediction_train").glob("*.txt"))
    require_files("ApolloScape", files, FILES)
    return own_split(files, split, [file.stem.rpartition("_frame")[0].rpartition("_")[0] for file in files])


def apolloscape_rows(scene: Scene, _part: Part) -> IntArray:
    """Return the rows of objects that were also seen in the frame before and whose next 3 s are recorded."""
    windows = windows_of_scene(scene, np.arange(len(scene.row_frame)), HISTORY_S, FUTURE_S)
    return np.flatnonzero(windows.observed[:, -2] & windows.future_valid.all(axis=1))


APOLLOSCAPE = Dataset(
    name="apolloscape",
    title="ApolloScape",
    licence=LICENCE,
    download="http://apolloscape.auto/trajectory.html, https://github.com/huang-xx/TrafficPredict (data)",
    note="our own split by recording; the benchmark's test files have no futures",
    folder="apolloscape",
    marker="prediction_train",
    parts=(
        Part("train", HISTORY_S, 29_639),
        Part("val", HISTORY_S, 4_279),
        Part("test", HISTORY_S, 4_085),
    ),
    files=apolloscape_files,
    windows=WindowRule(FUTURE_S, apolloscape_rows, other_futures=True),
    metrics=(*(f"{m}_{k}" for m in ("minADE", "minFDE") for k in (1, 6)), "MissRate_2_1", "MissRate_2_5"),
    divided=("minADE_1", "minADE_6", "minFDE_6"),
    headline="minADE_6",
    ranks=(1, 6),
    format=SceneFormat(
        "apolloscape",
        TEXT_SUFFIXES,
        lambda path, _with_map: read_apolloscape(path),
        numbers_in_columns(COLUMNS),
        "a number first in a row of 10 columns (ApolloScape)",
    ),
)
