"""The levelX data sets inD, rounD, exiD and uniD: road users on German roads, from drones, 25 Hz.

Read is ``NN_tracks.csv`` with the ``NN_tracksMeta.csv`` (classes) and the ``NN_recordingMeta.csv`` (frame rate) beside
it. Columns: trackId, frame, xCenter, yCenter (m), heading (deg, counter-clockwise from x), width, length (m, 0 for
pedestrians and cyclists of inD), xVelocity, yVelocity (m/s). Coordinates are UTM minus the recording's origin
(xUtmOrigin, yUtmOrigin), x east and y north. The maps that come with them (Lanelet2, OpenDRIVE) are not read by
themselves: ``trajnet convert --map MAP.osm`` attaches one. highD differs, see trajnet.datasets.highd.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trajnet.datasets.description import Dataset, Part
from trajnet.datasets.folders import files_in
from trajnet.errors import InputError
from trajnet.scenes.csv_table import CsvTable, header_names
from trajnet.scenes.formats import SceneFormat
from trajnet.scenes.rows import Rows, default_sizes, scene_from_rows
from trajnet.types import ObjectClass, Scene

LICENCE = "levelX's licence: non-commercial research"
TRACKS, TRACKS_META, RECORDING_META = "_tracks.csv", "_tracksMeta.csv", "_recordingMeta.csv"
COLUMNS = ("trackid", "frame", "xcenter", "ycenter", "heading", "width", "length", "xvelocity", "yvelocity")
CLASSES: dict[str, ObjectClass] = {
    "car": ObjectClass.CAR,
    "van": ObjectClass.CAR,
    "truck": ObjectClass.TRUCK,
    "truck_bus": ObjectClass.TRUCK,
    "bus": ObjectClass.BUS,
    "trailer": ObjectClass.UNKNOWN,
    "motorcycle": ObjectClass.MOTORCYCLE,
    "bicycle": ObjectClass.BICYCLE,
    "pedestrian": ObjectClass.PEDESTRIAN,
    "animal": ObjectClass.UNKNOWN,
}


def read_levelx(path: Path, _with_map: bool = False) -> Scene:
    """Return the scene of a recording; scene_id is ``inD/00`` by the folder and the file. Raises InputError."""
    table = CsvTable(path, COLUMNS)
    rate_hz = frame_rate_hz(beside(path, RECORDING_META))
    meta = CsvTable(beside(path, TRACKS_META), ("trackid", "class"))
    classes = track_classes(path, table.identities("trackid"), meta, "trackid", CLASSES)
    frame = table.integers("frame")
    stated_m = np.stack([table.numbers("length"), table.numbers("width")], axis=1)
    everywhere = np.ones(table.rows, np.bool_)
    rows = Rows(
        frame_number=frame,
        timestamp_ns=np.rint(frame * (1e9 / rate_hz)).astype(np.int64),
        track_id=table.identities("trackid"),
        object_class=classes,
        size_m=np.where(stated_m > 0, stated_m, default_sizes(classes)),
        position_m=np.stack([table.numbers("xcenter"), table.numbers("ycenter")], axis=1),
        yaw_rad=np.deg2rad(table.numbers("heading")),
        yaw_valid=everywhere,
        velocity_mps=np.stack([table.numbers("xvelocity"), table.numbers("yvelocity")], axis=1),
        velocity_valid=everywhere,
        is_target=~everywhere,
    )
    return levelx_scene(path, rows)


def levelx_scene(path: Path, rows: Rows, **more: object) -> Scene:
    """Return the scene of a recording's rows, named by its folder (the one above ``data``) and its number."""
    folder = path.resolve().parent
    name = folder.parent.name if folder.name == "data" else folder.name
    scene_id = f"{name}/{path.name.removesuffix(TRACKS)}"
    try:
        return scene_from_rows(scene_id, rows, source=f"levelX {name}", licence=LICENCE, **more)  # type: ignore[arg-type]
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def beside(path: Path, ending: str) -> Path:
    """Return the file of the same recording with another ending. Raises InputError if it is missing."""
    found = path.with_name(path.name.removesuffix(TRACKS) + ending)
    if not path.name.endswith(TRACKS) or not found.is_file():
        raise InputError(f"{path}: expected NN{TRACKS} with {found.name} beside it, found none; is the data complete?")
    return found


def meta_files(path: Path) -> list[Path]:
    """Return the meta files of a recording that are beside its tracks."""
    named = (path.with_name(path.name.removesuffix(TRACKS) + ending) for ending in (TRACKS_META, RECORDING_META))
    return [file for file in named if file.is_file()]


def frame_rate_hz(path: Path) -> float:
    """Return the frame rate that a recording's meta file states. Raises InputError."""
    rate_hz = float(CsvTable(path, ("framerate",)).numbers("framerate")[0])
    if not 0 < rate_hz <= 1000:
        raise InputError(f"{path}: expected a frameRate above 0 Hz, got {rate_hz:g}")
    return rate_hz


def track_classes(
    path: Path, tracks: list[str], meta: CsvTable, key: str, known: dict[str, ObjectClass]
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the class of each row's track (R,). Raises InputError for a track that the meta file does not have."""
    class_of = dict(zip(meta.identities(key), meta.classes("class", known).tolist(), strict=True))
    unknown = next((track for track in tracks if track not in class_of), None)
    if unknown is not None:
        raise InputError(f"{path}: expected tracks that {meta.path.name} describes, got {unknown!r}, which it does not")
    return np.array([class_of[track] for track in tracks], np.int64)


LEVELX = Dataset(
    name="levelx",
    title="levelX (inD, rounD, exiD, uniD)",
    licence=LICENCE,
    download="https://levelxdata.com",
    note="25 Hz; recordings of one location show the same road: train and test on different locations",
    folder="levelx",
    parts=tuple(Part(name) for name in ("ind", "round", "exid", "unid")),
    files=lambda folder, part: files_in(folder / part, f"data/*{TRACKS}"),
    group=lambda part, _scene_id: part,
    format=SceneFormat(
        "levelx",
        (".csv",),
        read_levelx,
        lambda row: set(COLUMNS) <= set(header_names(row)),
        "the columns trackId, frame, xCenter, yCenter, ... (levelX)",
        companions=meta_files,
    ),
)
