"""Logs of Argoverse 2's sensor data set: annotated boxes (10 Hz) in the frame of the vehicle, its poses, its map.

A log is a folder with ``annotations.feather`` (timestamp_ns, track_uuid, category, length_m, width_m, pose as tx_m,
ty_m, tz_m and a quaternion), ``city_SE3_egovehicle.feather`` (poses) and ``map/log_map_archive_*.json``. Boxes are
put into the frame of the city. No velocities are annotated, so they are not known. The vehicle itself is the track
``ego``; its pose is that of the rear axle, the centre lies EGO_AHEAD_M before it.
"""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from trajnet.errors import InputError
from trajnet.scenes.av2_map import read_av2_map
from trajnet.scenes.feather import read_feather
from trajnet.scenes.rows import Rows, scene_from_rows
from trajnet.types import BoolArray, FloatArray, IntArray, Lane, ObjectClass, Scene

log = logging.getLogger(__name__)

LICENCE = "CC BY-NC-SA 4.0 and the Argoverse terms of use: non-commercial"
ANNOTATIONS, POSES, MAPS = "annotations.feather", "city_SE3_egovehicle.feather", "map/log_map_archive_*.json"
POSE = ("tx_m", "ty_m", "tz_m", "qw", "qx", "qy", "qz")
EGO = "ego"
#: Length and width of the car (a Ford Fusion), and an estimate of how far its centre lies before the rear axle.
EGO_SIZE_M, EGO_AHEAD_M = (4.87, 1.85), 1.35
#: AnnotationCategories of av2-api. Riderless bicycles and motorcycles are unknown, as in the motion forecasting data.
CLASSES: dict[str, ObjectClass] = {
    **dict.fromkeys(("REGULAR_VEHICLE",), ObjectClass.CAR),
    **dict.fromkeys(("BOX_TRUCK", "LARGE_VEHICLE", "TRUCK", "TRUCK_CAB"), ObjectClass.TRUCK),
    **dict.fromkeys(("ARTICULATED_BUS", "BUS", "SCHOOL_BUS"), ObjectClass.BUS),
    **dict.fromkeys(("MOTORCYCLIST",), ObjectClass.MOTORCYCLE),
    **dict.fromkeys(("BICYCLIST", "WHEELED_RIDER"), ObjectClass.BICYCLE),
    **dict.fromkeys(("OFFICIAL_SIGNALER", "PEDESTRIAN", "WHEELCHAIR"), ObjectClass.PEDESTRIAN),
}
#: Things that do not move by themselves are left out and counted. What is in neither list is of unknown class.
THINGS = frozenset(
    {
        "BOLLARD", "CONSTRUCTION_BARREL", "CONSTRUCTION_CONE", "MESSAGE_BOARD_TRAILER",
        "MOBILE_PEDESTRIAN_CROSSING_SIGN", "SIGN", "STOP_SIGN", "TRAFFIC_LIGHT_TRAILER",
    }
)  # fmt: skip


def read_av2_sensor(path: Path, _with_map: bool = False) -> Scene:
    """Return the scene of a log, given its annotations, with the lanes of its map if it has one; scene_id is the log's.

    Raises InputError that names file and row, also for annotations at a time without a pose.
    """
    boxes = _table(path, ("timestamp_ns", "track_uuid", "category", "length_m", "width_m", *POSE))
    categories = boxes["category"].to_pylist()
    kept = np.array([name not in THINGS for name in categories], np.bool_)
    if not kept.all():
        left_out = Counter(name for name in categories if name in THINGS)
        log.info("%s: left out %s", path, ", ".join(f"{n:,} boxes {name}" for name, n in sorted(left_out.items())))
    times_ns, positions_m, yaws_rad = _in_city(path, boxes)
    classes = np.array([CLASSES.get(name, ObjectClass.UNKNOWN) for name in categories], np.int64)
    size_m = np.stack([_numbers(path, boxes, name) for name in ("length_m", "width_m")], axis=1)
    ego_ns, ego_m, ego_rad = _ego(path, np.unique(times_ns))
    tracks = [name for name, keep in zip(boxes["track_uuid"].to_pylist(), kept, strict=True) if keep]
    count = int(kept.sum()) + len(ego_ns)
    all_ns = np.concatenate([ego_ns, times_ns[kept]])
    rows = Rows(
        frame_number=np.searchsorted(ego_ns, all_ns),
        timestamp_ns=all_ns,
        track_id=[EGO] * len(ego_ns) + [str(name) for name in tracks],
        object_class=np.concatenate([np.full(len(ego_ns), int(ObjectClass.CAR)), classes[kept]]),
        size_m=np.concatenate([np.tile(EGO_SIZE_M, (len(ego_ns), 1)), size_m[kept]]),
        position_m=np.concatenate([ego_m, positions_m[kept]]),
        yaw_rad=np.concatenate([ego_rad, yaws_rad[kept]]),
        yaw_valid=np.ones(count, np.bool_),
        velocity_mps=np.zeros((count, 2)),
        velocity_valid=np.zeros(count, np.bool_),
        is_target=np.zeros(count, np.bool_),
    )
    name = path.resolve().parent.name
    try:
        return scene_from_rows(name, rows, source="Argoverse 2 sensor", licence=LICENCE, lanes=_lanes(path))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def poses_and_maps(path: Path) -> list[Path]:
    """Return the files beside the annotations that a log is read from."""
    return [file for file in (path.with_name(POSES), *sorted(path.parent.glob(MAPS))) if file.is_file()]


def _lanes(path: Path) -> tuple[Lane, ...]:
    found = sorted(path.parent.glob(MAPS))
    if len(found) > 1:
        raise InputError(f"{path.parent}: expected one map {MAPS}, got {len(found)}")
    return read_av2_map(found[0]) if found else ()


def _in_city(path: Path, boxes: Any) -> tuple[IntArray, FloatArray, FloatArray]:
    """Return times (R,) in ns, positions (R, 2) and yaws (R,) of the boxes in the frame of the city."""
    times_ns = _integers(path, boxes, "timestamp_ns")
    city_R_ego, city_t_ego = _poses_at(path, times_ns)
    ego_R_box, ego_t_box = _transforms(path, boxes)
    city_t_box = np.einsum("rij,rj->ri", city_R_ego, ego_t_box) + city_t_ego
    return times_ns, city_t_box[:, :2], _yaws(city_R_ego @ ego_R_box)


def _ego(path: Path, times_ns: IntArray) -> tuple[IntArray, FloatArray, FloatArray]:
    """Return the times, the positions of the centre (F, 2) and the yaws (F,) of the vehicle itself."""
    city_R_ego, city_t_ego = _poses_at(path, times_ns)
    return times_ns, (city_t_ego + EGO_AHEAD_M * city_R_ego[:, :, 0])[:, :2], _yaws(city_R_ego)


def _poses_at(path: Path, times_ns: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return rotations (R, 3, 3) and translations (R, 3) from the vehicle's frame to the city's at these times."""
    file = path.with_name(POSES)
    poses = _table(file, ("timestamp_ns", *POSE))
    known_ns = _integers(file, poses, "timestamp_ns")
    order = np.argsort(known_ns, kind="stable")
    place = order[np.minimum(np.searchsorted(known_ns[order], times_ns), len(order) - 1)]
    missing: BoolArray = known_ns[place] != times_ns
    if missing.any():
        raise InputError(f"{file}: expected a pose at each annotated time, got none at {times_ns[missing][0]} ns")
    rotation, translation = _transforms(file, poses)
    return rotation[place], translation[place]


def _transforms(path: Path, table: Any) -> tuple[FloatArray, FloatArray]:
    """Return the rotations (R, 3, 3) and the translations (R, 3) of the rows' poses."""
    translation = np.stack([_numbers(path, table, name) for name in POSE[:3]], axis=1)
    quaternion = np.stack([_numbers(path, table, name) for name in POSE[3:]], axis=1)
    length = np.linalg.norm(quaternion, axis=1)
    if (np.abs(length - 1.0) > 0.01).any():
        raise InputError(
            f"{path}: expected unit quaternions, got one of length {length[np.abs(length - 1).argmax()]:g}"
        )
    w, x, y, z = (quaternion / length[:, None]).T
    rotation = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    return np.moveaxis(rotation, -1, 0), translation


def _yaws(rotation: FloatArray) -> FloatArray:
    """Return the directions (R,) of the forward axes of rotations (R, 3, 3) in the plane."""
    yaws: FloatArray = np.arctan2(rotation[:, 1, 0], rotation[:, 0, 0])
    return yaws


def _table(path: Path, columns: tuple[str, ...]) -> Any:
    table = read_feather(path, "a table in Feather", "tools")
    missing = [name for name in columns if name not in table.column_names]
    if missing or not table.num_rows:
        what = f"none called {', '.join(missing)}" if missing else "no rows"
        raise InputError(f"{path}: expected rows with the columns {', '.join(columns)}, got {what}")
    return table


def _numbers(path: Path, table: Any, name: str) -> FloatArray:
    import pyarrow as pa

    try:
        values = np.asarray(table[name].cast(pa.float64()), np.float64)
    except pa.ArrowException as error:
        raise InputError(f"{path}, column {name}: expected numbers, got {table[name].type}") from error
    if not np.isfinite(values).all():
        raise InputError(f"{path}, row {int((~np.isfinite(values)).argmax())}: expected a finite {name}, got none")
    return values


def _integers(path: Path, table: Any, name: str) -> IntArray:
    import pyarrow as pa

    try:
        column = table[name].cast(pa.int64())
    except pa.ArrowException as error:
        raise InputError(f"{path}, column {name}: expected whole numbers, got {table[name].type}") from error
    if column.null_count:
        raise InputError(f"{path}, column {name}: expected a value in every row, got {column.null_count} empty")
    return np.asarray(column, np.int64)
