"""highD: cars and trucks on German motorways, from a drone, 25 Hz.

Read is ``NN_tracks.csv`` with the ``NN_tracksMeta.csv`` (class, drivingDirection) and the ``NN_recordingMeta.csv``
(frameRate, lane markings) beside it. Its coordinates are those of the image in metres: x to the right, y down, and
x, y name the upper left corner of a box whose width lies along x, so a vehicle's length is ``width`` and its width is
``height``. Here positions are centres, and y is turned round, so that angles are counter-clockwise. Vehicles of
drivingDirection 1 (the upper lanes) drive towards negative x. Lanes lie between neighbouring markings of a direction.
"""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np

from trajnet.datasets.description import Dataset, Part
from trajnet.datasets.folders import files_in
from trajnet.datasets.levelx import (
    LICENCE,
    RECORDING_META,
    TRACKS,
    TRACKS_META,
    beside,
    frame_rate_hz,
    levelx_scene,
    meta_files,
    track_classes,
)
from trajnet.errors import InputError
from trajnet.scenes.csv_table import CsvTable, header_names
from trajnet.scenes.formats import SceneFormat
from trajnet.scenes.rows import Rows
from trajnet.types import FloatArray, Lane, ObjectClass, Scene

COLUMNS = ("frame", "id", "x", "y", "width", "height", "xvelocity", "yvelocity")
CLASSES: dict[str, ObjectClass] = {"car": ObjectClass.CAR, "truck": ObjectClass.TRUCK}
MARKINGS = ("upperlanemarkings", "lowerlanemarkings")
TO_THE_LEFT = 1


def read_highd(path: Path, _with_map: bool = False) -> Scene:
    """Return the scene of a recording with its lanes. Raises InputError that names file and row."""
    table = CsvTable(path, COLUMNS)
    rate_hz = frame_rate_hz(beside(path, RECORDING_META))
    meta = CsvTable(beside(path, TRACKS_META), ("id", "class", "drivingdirection"))
    tracks = table.identities("id")
    classes = track_classes(path, tracks, meta, "id", CLASSES)
    left = dict(zip(meta.identities("id"), (meta.integers("drivingdirection") == TO_THE_LEFT).tolist(), strict=True))
    size_m = np.stack([table.numbers("width"), table.numbers("height")], axis=1)
    corner_m = np.stack([table.numbers("x"), table.numbers("y")], axis=1)
    frame, everywhere = table.integers("frame"), np.ones(table.rows, np.bool_)
    rows = Rows(
        frame_number=frame,
        timestamp_ns=np.rint(frame * (1e9 / rate_hz)).astype(np.int64),
        track_id=tracks,
        object_class=classes,
        size_m=size_m,
        position_m=(corner_m + 0.5 * size_m) * [1.0, -1.0],
        yaw_rad=np.where([left[track] for track in tracks], np.pi, 0.0),
        yaw_valid=everywhere,
        velocity_mps=np.stack([table.numbers("xvelocity"), -table.numbers("yvelocity")], axis=1),
        velocity_valid=everywhere,
        is_target=~everywhere,
    )
    ends_m = np.array([rows.position_m[:, 0].min(), rows.position_m[:, 0].max()])
    return levelx_scene(path, rows, lanes=highd_lanes(beside(path, RECORDING_META), ends_m))


def highd_lanes(path: Path, ends_m: FloatArray) -> tuple[Lane, ...]:
    """Return the lanes between the markings of a recording's meta file, straight from ends_m[0] to ends_m[1] (m)."""
    meta = CsvTable(path, MARKINGS)
    lanes = []
    for name, ahead_m in zip(MARKINGS, (ends_m[::-1], ends_m), strict=True):
        fields = [text for text in re.split(r"[;\s]+", meta.texts(name)[0]) if text]
        try:
            across_m = -np.sort(np.array([float(text) for text in fields]))  # the uppermost first
        except ValueError:
            raise InputError(f"{path}: expected numbers as {name}, got {meta.texts(name)[0]!r}") from None
        for number, (upper_m, lower_m) in enumerate(itertools.pairwise(across_m)):
            lines = [np.stack([ahead_m, np.full(2, y)], axis=1) for y in (upper_m, lower_m)]
            left_m, right_m = lines[::-1] if name == MARKINGS[0] else lines
            lanes.append(Lane(f"{name[:5]} {number}", left_m, right_m, 0.5 * (left_m + right_m)))
    return tuple(lanes)


HIGHD = Dataset(
    name="highd",
    title="highD",
    licence=LICENCE,
    download="https://levelxdata.com/highd-dataset",
    note="25 Hz, y turned round; recordings of one location show the same road",
    folder="highd",
    parts=(Part("all"),),
    files=lambda folder, _part: files_in(folder, f"data/*{TRACKS}"),
    format=SceneFormat(
        "highd",
        (".csv",),
        read_highd,
        lambda row: set(COLUMNS) <= set(header_names(row)) and "laneid" in header_names(row),
        "the columns frame, id, x, y, width, height, ... (highD)",
        companions=meta_files,
    ),
)
