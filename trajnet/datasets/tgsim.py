"""TGSIM: trajectories of roads in Chicago and Washington, from the U.S. highway administration, 10 Hz, in CSV.

Columns: id, time (s), xloc_kf, yloc_kf (m from the upper left corner of the reference image, y down), length_smoothed,
width_smoothed (m), type_most_common (see CLASSES), and in some files speed_kf_x, speed_kf_y (m/s) and run_index, whose
runs were recorded at different times: a scene for each. Here y is turned round. A file with speeds along the road only
(speed_kf) has no velocities, as their direction is not given; headings are in none. Lanes are not read: they come as
images and centre lines whose format differs from file to file.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from trajnet.datasets.description import Dataset, Part
from trajnet.datasets.folders import files_in
from trajnet.errors import InputError
from trajnet.scenes.csv_table import CsvTable, header_names
from trajnet.scenes.formats import SceneFormat, only_scene
from trajnet.scenes.rows import Rows, default_sizes, scene_from_rows
from trajnet.types import FloatArray, IntArray, ObjectClass, Scene

log = logging.getLogger(__name__)

LICENCE = "that of the file at https://data.transportation.gov"
COLUMNS = ("id", "time", "xloc_kf", "yloc_kf", "length_smoothed", "width_smoothed", "type_most_common")
OPTIONAL = ("speed_kf_x", "speed_kf_y", "run_index")
#: type_most_common, as the data dictionary of Foggy Bottom names it: 2 are scooters, 4 automated cars.
CLASSES: dict[str, ObjectClass] = {
    "0": ObjectClass.PEDESTRIAN,
    "1": ObjectClass.BICYCLE,
    "2": ObjectClass.BICYCLE,
    "3": ObjectClass.CAR,
    "4": ObjectClass.CAR,
    "5": ObjectClass.MOTORCYCLE,
    "6": ObjectClass.BUS,
    "7": ObjectClass.TRUCK,
}


def read_tgsim(path: Path, with_map: bool = False) -> Scene:
    """Return the scene of a file with one run. Raises InputError as read_tgsim_scenes, and for several."""
    return only_scene(path, read_tgsim_scenes(path, with_map))


def read_tgsim_scenes(path: Path, _with_map: bool = False) -> Iterator[Scene]:
    """Yield the scene of each run, in the order of their numbers. Raises InputError that names file and row."""
    table = CsvTable(path, COLUMNS, OPTIONAL)
    several = "run_index" in table
    runs = table.integers("run_index") if several else np.zeros(table.rows, np.int64)
    time_ns = np.rint(table.numbers("time") * 1e3).astype(np.int64) * 1_000_000
    classes = _classes(table)
    tracks, place_m = table.identities("id"), np.stack([table.numbers("xloc_kf"), -table.numbers("yloc_kf")], axis=1)
    size_m, (velocity_mps, measured) = _sizes(table, classes), _velocities(table)
    order = np.argsort(runs, kind="stable")
    for part in np.split(order, np.flatnonzero(np.diff(runs[order])) + 1):
        times, number = np.unique(time_ns[part], return_inverse=True)
        rows = Rows(
            frame_number=number.astype(np.int64),
            timestamp_ns=times[number],
            track_id=[tracks[i] for i in part.tolist()],
            object_class=classes[part],
            size_m=size_m[part],
            position_m=place_m[part],
            yaw_rad=np.zeros(len(part)),
            yaw_valid=np.zeros(len(part), np.bool_),
            velocity_mps=velocity_mps[part],
            velocity_valid=np.full(len(part), measured),
            is_target=np.zeros(len(part), np.bool_),
        )
        name = f"{path.stem}_run{runs[part[0]]}" if several else path.stem
        try:
            yield scene_from_rows(name, rows, source="TGSIM", licence=LICENCE)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error


def _classes(table: CsvTable) -> IntArray:
    """Return the class of each row (R,); types that the dictionary does not name are unknown, and counted."""
    names = table.identities("type_most_common")
    strange = sum(name not in CLASSES for name in names)
    if strange:
        log.warning("%s: type_most_common is none of %s in %d rows: unknown", table.path, ", ".join(CLASSES), strange)
    return np.array([CLASSES.get(name, ObjectClass.UNKNOWN) for name in names], np.int64)


def _sizes(table: CsvTable, classes: IntArray) -> FloatArray:
    stated = [table.numbers_or_blank(name)[0] for name in ("length_smoothed", "width_smoothed")]
    size_m = np.stack(stated, axis=1)
    return np.where(size_m > 0, size_m, default_sizes(classes))


def _velocities(table: CsvTable) -> tuple[FloatArray, bool]:
    """Return velocities (R, 2) with y turned round, and whether the file has any."""
    if not all(name in table for name in ("speed_kf_x", "speed_kf_y")):
        return np.zeros((table.rows, 2)), False
    return np.stack([table.numbers("speed_kf_x"), -table.numbers("speed_kf_y")], axis=1), True


TGSIM = Dataset(
    name="tgsim",
    title="TGSIM",
    licence=LICENCE,
    download="https://data.transportation.gov, search for TGSIM (Third Generation Simulation Data)",
    note="no map, no headings; velocities in Foggy Bottom's file only",
    folder="tgsim",
    parts=(Part("all"),),
    files=lambda folder, _part: files_in(folder, "**/*.parquet"),
    format=SceneFormat(
        "tgsim",
        (".csv",),
        read_tgsim,
        lambda row: set(COLUMNS) <= set(header_names(row)),
        f"the columns {', '.join(COLUMNS)} (TGSIM)",
        read_many=read_tgsim_scenes,
    ),
)
