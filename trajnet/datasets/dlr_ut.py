"""DLR UT: a day at a signalised intersection in Braunschweig from sensors on masts, 20 Hz, a CSV file for 15 minutes.

Columns of ``trajectories_*.csv``: timestamp (ISO 8601), id, center_easting, center_northing (m, UTM zone 32N),
velocity_easting, velocity_northing (m/s), yaw (deg, counter-clockwise from east), dimension_length, dimension_width (m)
and classifications_CLASS, probabilities whose mean over a track decides its class. Positions stay in UTM. Traffic
lights, weather and traffic volumes are in other files, which are not read.
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
from trajnet.types import FloatArray, IntArray, ObjectClass, Scene

LICENCE = "CC BY-NC-SA 4.0: non-commercial"
COLUMNS = (
    "timestamp", "id", "center_easting", "center_northing", "velocity_easting", "velocity_northing", "yaw",
    "dimension_length", "dimension_width",
)  # fmt: skip
CLASSES: dict[str, ObjectClass] = {
    "pedestrian": ObjectClass.PEDESTRIAN,
    "bicycle": ObjectClass.BICYCLE,
    "motorbike": ObjectClass.MOTORCYCLE,
    "car": ObjectClass.CAR,
    "van": ObjectClass.CAR,
    "truck": ObjectClass.TRUCK,
}
OF_CLASS = tuple(f"classifications_{name}" for name in CLASSES)


def read_dlr_ut(path: Path, _with_map: bool = False) -> Scene:
    """Return the scene of one file. Raises InputError that names file and row."""
    table = CsvTable(path, (*COLUMNS, *OF_CLASS))
    times_ns, number = np.unique(_times_ns(table), return_inverse=True)
    tracks = table.identities("id")
    classes = _classes(table, tracks)
    (yaw_deg, has_yaw), east, north = (
        table.numbers_or_blank(name) for name in ("yaw", "velocity_easting", "velocity_northing")
    )
    stated_m = np.stack([table.numbers_or_blank(f"dimension_{side}")[0] for side in ("length", "width")], axis=1)
    rows = Rows(
        frame_number=number.astype(np.int64),
        timestamp_ns=times_ns[number],
        track_id=tracks,
        object_class=classes,
        size_m=np.where(stated_m > 0, stated_m, default_sizes(classes)),
        position_m=np.stack([table.numbers("center_easting"), table.numbers("center_northing")], axis=1),
        yaw_rad=np.deg2rad(yaw_deg),
        yaw_valid=has_yaw,
        velocity_mps=np.stack([east[0], north[0]], axis=1),
        velocity_valid=east[1] & north[1],
        is_target=np.zeros(table.rows, np.bool_),
    )
    try:
        return scene_from_rows(path.stem, rows, source="DLR UT", licence=LICENCE)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _times_ns(table: CsvTable) -> IntArray:
    """Return the times of the rows (R,) in ns since 1970, UTC; a stamp without a zone counts as UTC."""
    texts = table.texts("timestamp")
    try:
        stamps = np.array([text.strip().replace(" ", "T").removesuffix("Z").split("+")[0] for text in texts])
        found = stamps.astype("datetime64[ns]")
        if np.isnat(found).any() or len({text.strip()[-6:] for text in texts if "+" in text}) > 1:
            raise ValueError("an empty one, or several time zones")
    except ValueError as error:
        raise InputError(f"{table.path}: expected timestamps in ISO 8601 (UTC), got {error}") from error
    times_ns: IntArray = found.astype(np.int64)
    return times_ns


def _classes(table: CsvTable, tracks: list[str]) -> IntArray:
    """Return the class of each row's track (R,): the one with the largest mean probability over its rows."""
    names, track = np.unique(np.array(tracks), return_inverse=True)
    totals: FloatArray = np.stack(
        [np.bincount(track, table.numbers_or_blank(column)[0], len(names)) for column in OF_CLASS], axis=1
    )
    best = np.array([int(value) for value in CLASSES.values()])[totals.argmax(axis=1)]
    of_row: IntArray = np.where(totals.max(axis=1) > 0, best, int(ObjectClass.UNKNOWN))[track]
    return of_row


DLR_UT = Dataset(
    name="dlr_ut",
    title="DLR Urban Traffic",
    licence=LICENCE,
    download="https://doi.org/10.5281/zenodo.11396371",
    note="20 Hz in UTM zone 32N, one intersection, no map, no signal states",
    folder="dlr_ut",
    parts=(Part("all"),),
    files=lambda folder, _part: files_in(folder, "**/trajectories_*.csv"),
    format=SceneFormat(
        "dlr_ut",
        (".csv",),
        read_dlr_ut,
        lambda row: set(COLUMNS) <= set(header_names(row)),
        f"the columns {', '.join(COLUMNS[:4])}, ... (DLR UT)",
    ),
)
