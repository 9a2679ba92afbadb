"""INTERACTION: vehicles, pedestrians and cyclists at roundabouts, intersections and merges, from drones, 10 Hz.

Read are ``vehicle_tracks_NNN.csv`` together with the ``pedestrian_tracks_NNN.csv`` beside it (version 1.0), and files
of many cases, ``SCENARIO_train.csv`` (version 1.2), a scene for each case. Columns: track_id, frame_id, timestamp_ms,
agent_type, x, y (m), vx, vy (m/s), and for vehicles psi_rad, length, width (m); pedestrians and cyclists have neither
headings nor sizes. Coordinates are those of the Lanelet2 map, whose latitudes and longitudes are near 0, 0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from trajnet.datasets.description import Dataset, Part
from trajnet.datasets.folders import files_in
from trajnet.errors import InputError
from trajnet.scenes.csv_table import CsvTable, header_names
from trajnet.scenes.formats import SceneFormat, only_scene
from trajnet.scenes.lanelet2 import read_lanelet2
from trajnet.scenes.rows import Rows, default_sizes, scene_from_rows
from trajnet.types import BoolArray, Lane, ObjectClass, Scene

LICENCE = "INTERACTION's terms of use: non-commercial research"
COLUMNS = ("track_id", "frame_id", "timestamp_ms", "agent_type", "x", "y", "vx", "vy")
OF_VEHICLES = ("psi_rad", "length", "width")
OF_CASES = ("case_id", "track_to_predict")
CLASSES: dict[str, ObjectClass] = {
    "car": ObjectClass.CAR,
    "truck": ObjectClass.TRUCK,
    "bus": ObjectClass.BUS,
    "motorcycle": ObjectClass.MOTORCYCLE,
    "bicycle": ObjectClass.BICYCLE,
    "pedestrian": ObjectClass.PEDESTRIAN,
    "pedestrian/bicycle": ObjectClass.PEDESTRIAN,
}
#: The last observed frame of a case: 1 s of history at 10 Hz, frames from 1.
LAST_OBSERVED = 10


def read_interaction(path: Path, with_map: bool = False) -> Scene:
    """Return the scene of a recording, or of a file with one case. Raises InputError as read_interaction_scenes."""
    return only_scene(path, read_interaction_scenes(path, with_map))


def read_interaction_scenes(path: Path, with_map: bool = False) -> Iterator[Scene]:
    """Yield the scene of a recording, or of each case, in the order of their numbers.

    with_map: also read the lanes of the map, where it is beside the file or in the data set's folder ``maps``.
    Raises InputError that names file and row.
    """
    table = CsvTable(path, COLUMNS, (*OF_VEHICLES, *OF_CASES))
    lanes = _lanes(path) if with_map else ()
    rows = _rows(table)
    place = f"{path.resolve().parent.name}/{path.stem}"
    if "case_id" in table:
        cases = table.integers("case_id")
        order = np.argsort(cases, kind="stable")
        for part in np.split(order, np.flatnonzero(np.diff(cases[order])) + 1):
            yield _scene(path, f"{place}_{cases[part[0]]}", _select(rows, part), lanes)
        return
    beside = _pedestrians(path)
    parts = [rows] if beside is None else [rows, _rows(CsvTable(beside, COLUMNS))]
    yield _scene(path, place, _joined(parts), lanes)


def _rows(table: CsvTable) -> Rows:
    classes = table.classes("agent_type", CLASSES)
    given = [name for name in OF_VEHICLES if name in table]
    if given and len(given) < len(OF_VEHICLES):
        lacking = ", ".join(name for name in OF_VEHICLES if name not in given)
        raise InputError(
            f"{table.path}: expected the columns {', '.join(OF_VEHICLES)} together, got none called {lacking}"
        )
    size_m, yaw_rad, known = default_sizes(classes), np.zeros(table.rows), np.zeros(table.rows, np.bool_)
    if given:
        yaw_rad, known = table.numbers_or_blank("psi_rad")
        sides = [table.numbers_or_blank(name) for name in ("length", "width")]
        size_m = np.stack([np.where(ok & (v > 0), v, size_m[:, i]) for i, (v, ok) in enumerate(sides)], axis=1)
    frame = table.integers("frame_id")
    return Rows(
        frame_number=frame,
        timestamp_ns=table.integers("timestamp_ms") * 1_000_000,
        track_id=table.identities("track_id"),
        object_class=classes,
        size_m=size_m,
        position_m=np.stack([table.numbers("x"), table.numbers("y")], axis=1),
        yaw_rad=yaw_rad,
        yaw_valid=known,
        velocity_mps=np.stack([table.numbers("vx"), table.numbers("vy")], axis=1),
        velocity_valid=np.ones(table.rows, np.bool_),
        is_target=_targets(table) & (frame == LAST_OBSERVED),
    )


def _targets(table: CsvTable) -> BoolArray:
    if "track_to_predict" not in table:
        return np.zeros(table.rows, np.bool_)
    values, known = table.numbers_or_blank("track_to_predict")
    asked: BoolArray = known & (values == 1)
    return asked


def _select(rows: Rows, part: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Rows:
    values = {name: getattr(rows, name)[part] for name in Rows.__dataclass_fields__ if name != "track_id"}
    return Rows(track_id=[rows.track_id[i] for i in part.tolist()], **values)


def _joined(parts: list[Rows]) -> Rows:
    names = [name for name in Rows.__dataclass_fields__ if name != "track_id"]
    values = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return Rows(track_id=[track for part in parts for track in part.track_id], **values)


def _scene(path: Path, scene_id: str, rows: Rows, lanes: tuple[Lane, ...]) -> Scene:
    try:
        return scene_from_rows(scene_id, rows, source="INTERACTION", licence=LICENCE, lanes=lanes)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _pedestrians(path: Path) -> Path | None:
    """Return the pedestrians' file of the same recording, None if there is none beside it."""
    found = path.with_name(path.name.replace("vehicle_tracks", "pedestrian_tracks"))
    return found if found != path and found.is_file() else None


def _is_companion(path: Path) -> bool:
    vehicles = path.with_name(path.name.replace("pedestrian_tracks", "vehicle_tracks"))
    return vehicles != path and vehicles.is_file()


def _lanes(path: Path) -> tuple[Lane, ...]:
    """Return the lanes of the location's map; none where it is not found. Raises InputError for several beside it."""
    beside = sorted(path.resolve().parent.glob("*.osm"))
    if len(beside) > 1:
        raise InputError(f"{path.parent}: expected one Lanelet2 map (.osm) beside the tracks, got {len(beside)}")
    found = next(iter(_maps(path)), None)
    return () if found is None else read_lanelet2(found)


def _maps(path: Path) -> list[Path]:
    """Return the maps of the location that are there, the one that is read first."""
    path = path.resolve()
    location = re.sub(r"_(train|val|obs)$", "", path.stem)
    named = [path.parents[up] / "maps" / f"{name}.osm" for up in (1, 2) if up < len(path.parents)
             for name in (location, path.parent.name)]  # fmt: skip
    return [file for file in [*sorted(path.parent.glob("*.osm")), *named] if file.is_file()]


def _companions(path: Path) -> list[Path]:
    pedestrians = _pedestrians(path)
    return [*([] if pedestrians is None else [pedestrians]), *_maps(path)]


INTERACTION = Dataset(
    name="interaction",
    title="INTERACTION",
    licence=LICENCE,
    download="https://interaction-dataset.com",
    note="version 1.0's recordings; `trajnet convert --with-map` also takes version 1.2's cases",
    folder="interaction",
    marker="recorded_trackfiles",
    parts=(Part("all"),),
    files=lambda folder, _part: files_in(folder / "recorded_trackfiles", "*/vehicle_tracks_*.csv"),
    group=lambda _part, scene_id: scene_id.split("/")[0],
    format=SceneFormat(
        "interaction",
        (".csv",),
        read_interaction,
        lambda row: set(COLUMNS) <= set(header_names(row)) and "ax" not in header_names(row),
        f"the columns {', '.join(COLUMNS)} (INTERACTION)",
        read_many=read_interaction_scenes,
        is_companion=_is_companion,
        companions=_companions,
    ),
)
