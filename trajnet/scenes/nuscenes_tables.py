"""nuScenes' own tables (``v1.0-*/*.json``): all annotated objects of its scenes at 2 Hz, without nuscenes-devkit.

The file to name is ``sample_annotation.json``; the other tables lie beside it, the vector maps, if there are any, in
``maps/expansion`` beside that folder. Tables are read object by object, so only what is needed of them stays in memory.
The vehicle itself is the track ``ego``; its pose is that of the rear axle, its centre lies an estimated EGO_AHEAD_M
before it. No velocities are annotated, so they are not known. Cones, barriers, debris and racks are left out, counted.
"""

from __future__ import annotations

import json
import logging
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from trajnet.errors import InputError, in_words
from trajnet.scenes.formats import only_scene
from trajnet.scenes.nuscenes_map import read_nuscenes_map
from trajnet.scenes.rows import Rows, require_file, scene_from_rows
from trajnet.types import Lane, ObjectClass, Scene

log = logging.getLogger(__name__)

LICENCE = "CC BY-NC-SA 4.0 and the nuScenes terms of use: non-commercial"
ANNOTATIONS = "sample_annotation.json"
EGO = "ego"
#: Length and width of the Renault Zoe, and an estimate of how far its centre lies before the rear axle.
EGO_SIZE_M, EGO_AHEAD_M = (4.084, 1.73), 1.385
#: The first of these that a category begins with; other vehicles and animals are unknown.
CLASSES: dict[str, ObjectClass] = {
    "vehicle.car": ObjectClass.CAR,
    "vehicle.emergency.police": ObjectClass.CAR,
    "vehicle.emergency": ObjectClass.TRUCK,
    "vehicle.truck": ObjectClass.TRUCK,
    "vehicle.construction": ObjectClass.TRUCK,
    "vehicle.bus": ObjectClass.BUS,
    "vehicle.motorcycle": ObjectClass.MOTORCYCLE,
    "vehicle.bicycle": ObjectClass.BICYCLE,
    "human.pedestrian": ObjectClass.PEDESTRIAN,
    "vehicle": ObjectClass.UNKNOWN,
    "animal": ObjectClass.UNKNOWN,
}
#: Characters that are read at once, that an object may have at most, and that stand between two.
_CHUNK, _LONGEST = 1 << 20, 1 << 22
_BETWEEN = re.compile(r"[\s,]*")

#: An object in a sample: track, class, x, y, yaw, length, width.
_Box = tuple[str, ObjectClass, float, float, float, float, float]


def read_nuscenes_tables(path: Path, with_map: bool = False) -> Scene:
    """Return the scene of tables with one scene. Raises InputError as below, and for several."""
    return only_scene(path, read_nuscenes_scenes(path, with_map))


def read_nuscenes_scenes(path: Path, _with_map: bool = False) -> Iterator[Scene]:
    """Yield the scenes in the order of scene.json. Raises InputError that names the table."""
    scenes = {row["token"]: (str(row["name"]), row["log_token"]) for row in _rows(path, "scene", "name", "log_token")}
    samples = {
        row["token"]: (row["scene_token"], _whole(path, row["timestamp"]))
        for row in _rows(path, "sample", "scene_token", "timestamp")
    }
    places = {row["token"]: str(row["location"]) for row in _rows(path, "log", "location")}
    boxes, maps = _boxes(path), dict[str, tuple[Lane, ...]]()
    for sample, box in _ego(path, samples):
        boxes[sample].insert(0, box)
    of_scene = defaultdict[str, list[tuple[int, str]]](list)
    for sample, (scene, time_us) in samples.items():
        of_scene[scene].append((time_us, sample))
    for token, (name, log_token) in scenes.items():
        place = places.get(log_token, "")
        if place not in maps:
            file = path.parent.parent / "maps" / "expansion" / f"{place}.json"
            maps[place] = read_nuscenes_map(file) if file.is_file() else ()
        yield _scene(path, name, place, sorted(of_scene[token]), boxes, maps[place])


def other_tables(path: Path) -> list[Path]:
    """Return the other tables and the vector maps of the data set, as far as they are there."""
    maps = (path.parent.parent / "maps" / "expansion").glob("*.json")
    return [file for file in sorted([*path.parent.glob("*.json"), *maps]) if file.name != path.name]


def _scene(
    path: Path,
    name: str,
    place: str,
    samples: list[tuple[int, str]],
    boxes: dict[str, list[_Box]],
    lanes: tuple[Lane, ...],
) -> Scene:
    found = [(frame, time_us, *box) for frame, (time_us, sample) in enumerate(samples) for box in boxes[sample]]
    values = np.array([row[4:] for row in found], np.float64).reshape(-1, 5)
    no = np.zeros(len(found), np.bool_)
    rows = Rows(
        frame_number=np.array([row[0] for row in found], np.int64),
        timestamp_ns=np.array([row[1] * 1000 for row in found], np.int64),
        track_id=[row[2] for row in found],
        object_class=np.array([row[3] for row in found], np.int64),
        size_m=values[:, 3:5],
        position_m=values[:, :2],
        yaw_rad=values[:, 2],
        yaw_valid=~no,
        velocity_mps=np.zeros((len(found), 2)),
        velocity_valid=no,
        is_target=no,
    )
    frames = [(i, time_us * 1000) for i, (time_us, _) in enumerate(samples)]
    try:
        return scene_from_rows(
            name, rows, source=f"nuScenes, {place}", licence=LICENCE, lanes=lanes, extra_frames=frames
        )
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _boxes(path: Path) -> dict[str, list[_Box]]:
    """Return the objects of each sample."""
    categories = {row["token"]: str(row["name"]) for row in _rows(path, "category", "name")}
    kinds = {
        row["token"]: categories.get(row["category_token"], "") for row in _rows(path, "instance", "category_token")
    }
    found, left_out = defaultdict[str, list[_Box]](list), Counter[str]()
    for row in _rows(path, "sample_annotation", "sample_token", "instance_token", "translation", "size", "rotation"):
        kind = kinds.get(row["instance_token"], "")
        known = next((value for start, value in CLASSES.items() if kind.startswith(start)), None)
        if known is None:
            left_out[kind or "of no category"] += 1
            continue
        x, y, _ = _numbers(path, row["translation"], 3)
        width, length, _ = _numbers(path, row["size"], 3)
        yaw_rad = _yaw_rad(_numbers(path, row["rotation"], 4))
        found[row["sample_token"]].append((str(row["instance_token"]), known, x, y, yaw_rad, length, width))
    if left_out:
        log.info("%s: left out %s", path, ", ".join(f"{n:,} boxes {kind}" for kind, n in sorted(left_out.items())))
    return found


def _ego(path: Path, samples: dict[str, tuple[str, int]]) -> Iterator[tuple[str, _Box]]:
    """Yield each sample with the vehicle itself, at the time of its lidar sweep."""
    poses = {
        row["ego_pose_token"]: row["sample_token"]
        for row in _rows(path, "sample_data", "sample_token", "ego_pose_token", "filename", "is_key_frame")
        if row["is_key_frame"] and "LIDAR_TOP" in str(row["filename"]) and row["sample_token"] in samples
    }
    for row in _rows(path, "ego_pose", "translation", "rotation"):
        if row["token"] in poses:
            x, y, _ = _numbers(path, row["translation"], 3)
            yaw_rad = _yaw_rad(_numbers(path, row["rotation"], 4))
            x, y = x + EGO_AHEAD_M * math.cos(yaw_rad), y + EGO_AHEAD_M * math.sin(yaw_rad)
            yield poses[row["token"]], (EGO, ObjectClass.CAR, x, y, yaw_rad, *EGO_SIZE_M)


def _yaw_rad(quaternion: list[float]) -> float:
    w, x, y, z = quaternion
    return math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))


def _numbers(path: Path, values: Any, count: int) -> list[float]:
    try:
        found = [float(value) for value in values]
    except (TypeError, ValueError) as error:
        raise InputError(f"{path.parent}: expected {count} numbers, got {in_words(error)}") from error
    if len(found) != count or not all(map(math.isfinite, found)):
        raise InputError(f"{path.parent}: expected {count} finite numbers, got {found}")
    return found


def _whole(path: Path, value: Any) -> int:
    if not isinstance(value, int) or not 0 <= value < 2**63 // 1000:
        raise InputError(f"{path.parent}: expected a timestamp in us, got {value!r}")
    return value


def _rows(path: Path, table: str, *fields: str) -> Iterator[dict[str, Any]]:
    """Yield the objects of a table beside path, one by one. Raises InputError for one without token or these fields."""
    file = path.with_name(f"{table}.json")
    require_file(file)
    try:
        with file.open(encoding="utf-8") as opened:
            for number, row in enumerate(_objects(opened)):
                missing = [name for name in ("token", *fields) if name not in row]
                if missing or not isinstance(row["token"], str):
                    raise InputError(
                        f"{file}, object {number}: expected {', '.join(('token', *fields))}, got {row!r:.99}"
                    )
                yield row
    except (OSError, ValueError, RecursionError, TypeError) as error:
        raise InputError(f"{file}: expected a table of nuScenes (a list of objects), got {in_words(error)}") from error


def _objects(opened: Any) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSON list while it is read. Raises ValueError for anything else."""
    decoder, text, place = json.JSONDecoder(), opened.read(_CHUNK).lstrip(), 1
    if not text.startswith("["):
        raise ValueError(f"text that begins with {text[:20]!r}")
    while True:
        place = _BETWEEN.match(text, place).end()  # type: ignore[union-attr]
        try:
            if text[place : place + 1] == "]":
                return
            if text[place : place + 1] not in ("{", ""):
                break
            row, place = decoder.raw_decode(text, place)
        except ValueError:
            more = opened.read(_CHUNK)
            if not more or len(text) - place > _LONGEST:
                raise
            text, place = text[place:] + more, 0
            continue
        yield row
    raise ValueError(f"{text[place : place + 20]!r} where an object was expected")
