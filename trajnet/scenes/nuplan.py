"""nuPlan's logs: one SQLite file (.db) each, tracked boxes around a vehicle at 20 Hz, in UTM.

A log is cut into scenes of some 20 s by its table ``scene``; each becomes a scene, with the tracks that lidar_box lists
(x, y in m, yaw, vx, vy in m/s, length, width) and the vehicle itself as the track ``ego``. Its pose in ego_pose is that
of the rear axle, with velocities in its own frame; the centre lies EGO_AHEAD_M before it. Cones, barriers and signs,
and the states of traffic lights, are left out and counted. The maps (GeoPackage) are separate files and not read.
"""

from __future__ import annotations

import logging
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from trajnet.errors import InputError
from trajnet.geometry import rotate
from trajnet.scenes.formats import only_scene
from trajnet.scenes.rows import Rows, default_sizes, require_file, scene_from_rows
from trajnet.types import FloatArray, IntArray, ObjectClass, Scene

log = logging.getLogger(__name__)

LICENCE = "CC BY-NC-SA 4.0 (nuPlan) and Motional's terms: non-commercial"
EGO = "ego"
#: The Chrysler Pacifica of nuplan-devkit (get_pacifica_parameters): length, width, and centre before the rear axle.
EGO_SIZE_M, EGO_AHEAD_M = (5.176, 2.297), 1.461
CLASSES: dict[str, ObjectClass] = {
    "vehicle": ObjectClass.CAR,
    "bicycle": ObjectClass.BICYCLE,
    "pedestrian": ObjectClass.PEDESTRIAN,
    "generic_object": ObjectClass.UNKNOWN,
}
THINGS = ("traffic_cone", "barrier", "czone_sign")

_SCENES = """
SELECT s.token, s.name FROM scene s JOIN lidar_pc p ON p.scene_token = s.token
GROUP BY s.token ORDER BY min(p.timestamp)
"""
_EGO = """
SELECT p.timestamp, e.x, e.y, e.qw, e.qx, e.qy, e.qz, e.vx, e.vy
FROM lidar_pc p JOIN ego_pose e ON e.token = p.ego_pose_token WHERE p.scene_token = ? ORDER BY p.timestamp
"""
_BOXES = """
SELECT p.timestamp, hex(b.track_token), c.name, b.x, b.y, b.yaw, b.vx, b.vy, b.length, b.width
FROM lidar_pc p JOIN lidar_box b ON b.lidar_pc_token = p.token JOIN track t ON t.token = b.track_token
JOIN category c ON c.token = t.category_token WHERE p.scene_token = ? ORDER BY p.timestamp
"""


def read_nuplan(path: Path, with_map: bool = False) -> Scene:
    """Return the scene of a log with one scene. Raises InputError as read_nuplan_scenes, and for several."""
    return only_scene(path, read_nuplan_scenes(path, with_map))


def read_nuplan_scenes(path: Path, _with_map: bool = False) -> Iterator[Scene]:
    """Yield the scenes of a log in order of time, one in memory at a time. Raises InputError that names the file."""
    require_file(path)
    left_out: Counter[str] = Counter()
    try:
        connection = sqlite3.connect(f"file:{quote(str(path.resolve()))}?mode=ro&immutable=1", uri=True)
        try:
            scenes = connection.execute(_SCENES).fetchall()
            if not scenes:
                raise InputError(f"{path}: expected scenes in the table scene, got none")
            where = _text(path, connection, "SELECT location FROM log")
            for token, name in scenes:
                yield _scene(path, f"{path.stem}_{name}", where, connection, token, left_out)
            left_out["states of traffic lights"] = _count(connection, "traffic_light_status")
        finally:
            connection.close()
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise InputError(f"{path}: expected a log of nuPlan (SQLite), got {type(error).__name__}: {error}") from error
    log.info(
        "%s: left out %s", path, ", ".join(f"{n:,} {what}" for what, n in sorted((+left_out).items())) or "nothing"
    )


def _scene(
    path: Path, name: str, where: str, connection: sqlite3.Connection, token: Any, left_out: Counter[str]
) -> Scene:
    ego = connection.execute(_EGO, (token,)).fetchall()
    boxes = connection.execute(_BOXES, (token,)).fetchall()
    left_out.update(row[2] for row in boxes if row[2] in THINGS)
    boxes = [row for row in boxes if row[2] not in THINGS]
    strange = next((row[2] for row in boxes if row[2] not in CLASSES), None)
    if strange is not None:
        raise InputError(f"{path}: expected a category of {', '.join((*CLASSES, *THINGS))}, got {strange!r}")
    ego_us, ego_values = _columns(path, "ego_pose", ego, 1)
    box_us, values = _columns(path, "lidar_box", boxes, 3)
    classes = np.array([CLASSES[row[2]] for row in boxes], np.int64).reshape(-1)
    ego_m, ego_rad, ego_mps = _ego(ego_values)
    times_us = np.concatenate([ego_us, box_us])
    frames_us = np.unique(times_us)
    velocity_mps = np.concatenate([ego_mps, values[:, 3:5]])
    sizes_m = np.where(values[:, 5:7] > 0, values[:, 5:7], default_sizes(classes))
    rows = Rows(
        frame_number=np.searchsorted(frames_us, times_us),
        timestamp_ns=times_us * 1000,
        track_id=[EGO] * len(ego) + [str(row[1]).lower() for row in boxes],
        object_class=np.concatenate([np.full(len(ego), int(ObjectClass.CAR)), classes]),
        size_m=np.concatenate([np.tile(EGO_SIZE_M, (len(ego), 1)), sizes_m]),
        position_m=np.concatenate([ego_m, values[:, :2]]),
        yaw_rad=np.concatenate([ego_rad, values[:, 2]]),
        yaw_valid=np.isfinite(np.concatenate([ego_rad, values[:, 2]])),
        velocity_mps=velocity_mps,
        velocity_valid=np.isfinite(velocity_mps).all(axis=1),
        is_target=np.zeros(len(times_us), np.bool_),
    )
    try:
        return scene_from_rows(name, rows, source=f"nuPlan, {where}", licence=LICENCE)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _columns(path: Path, table: str, rows: list[Any], first: int) -> tuple[IntArray, FloatArray]:
    """Return the times (R,) in us and the numbers (R, C) of rows from column first; NaN where there is none."""
    width = {"ego_pose": 8, "lidar_box": 7}[table]
    try:
        times_us = np.array([row[0] for row in rows], np.int64)
        values = np.array([row[first:] for row in rows], np.float64).reshape(-1, width)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{path}, table {table}: expected times in us and numbers, got {error}") from error
    if np.abs(times_us).max(initial=0) > 2**62 // 1000:
        raise InputError(f"{path}, table {table}: expected times in us, got {np.abs(times_us).max()}")
    return times_us, values


def _ego(values: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the vehicle's centres (F, 2), yaws (F,) and velocities (F, 2) in the map frame."""
    w, x, y, z = values[:, 2:6].T
    yaw_rad = np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))
    ahead_m = EGO_AHEAD_M * np.stack([np.cos(yaw_rad), np.sin(yaw_rad)], axis=1)
    return values[:, :2] + ahead_m, yaw_rad, rotate(values[:, 6:8], yaw_rad)


def _text(path: Path, connection: sqlite3.Connection, query: str) -> str:
    found = connection.execute(query).fetchone()
    if found is None:
        raise InputError(f"{path}: expected a row in the table log, got none")
    return str(found[0])


def _count(connection: sqlite3.Connection, table: str) -> int:
    known = connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)).fetchone()
    return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]) if known else 0
