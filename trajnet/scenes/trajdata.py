"""Scenes of a trajdata cache: ``ENV/SCENE/agent_data_dt0.10.feather``, the scene's metadata beside it, ``ENV/maps``.

Caches of trajdata 1.4.0 are read without trajdata, which cannot be installed together with what trajnet needs (it asks
for protobuf 3.19.4 and works with NumPy below 2). The metadata is a pickle, read as plain data (plain_pickle): nothing
in it is run. It has the agents' classes, their sizes where the table has none, and the name of the map.

What trajdata itself made of positions is not measured and so not known here: the velocities of ETH/UCY, SDD and
nuScenes, the headings of ETH/UCY and SDD. Lanes farther than MAP_REACH_M from all objects are left out.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajnet.errors import InputError, in_words
from trajnet.scenes.feather import read_feather
from trajnet.scenes.plain_pickle import Record, read_pickle
from trajnet.scenes.rows import Rows, scene_from_rows
from trajnet.scenes.trajdata_map import read_trajdata_map
from trajnet.types import DEFAULT_SIZE_M, BoolArray, FloatArray, IntArray, Lane, ObjectClass, Scene

log = logging.getLogger(__name__)

LICENCE = "that of the data set it was made from; most are non-commercial"
TABLES = "agent_data_dt*.feather"
_TABLE = re.compile(r"agent_data_dt(\d+\.\d+)\.feather", re.IGNORECASE)
COLUMNS = ("agent_id", "scene_ts", "x", "y", "vx", "vy")
OPTIONAL = ("heading", "sin_heading", "cos_heading", "length", "width")
#: trajdata's AgentType. It has one kind of vehicle.
CLASSES = (
    ObjectClass.UNKNOWN,
    ObjectClass.CAR,
    ObjectClass.PEDESTRIAN,
    ObjectClass.BICYCLE,
    ObjectClass.MOTORCYCLE,
)
#: Beginnings of the names of environments whose velocities, and headings, trajdata makes of positions.
DERIVED_VELOCITIES, DERIVED_HEADINGS = ("eupeds", "sdd", "nusc"), ("eupeds", "sdd")
MAP_REACH_M = 150.0
MAX_STEPS = 1_000_000


class _About(NamedTuple):
    """A scene's metadata. classes, sizes_m: of each agent by name. recorded_dt_s: the step of the recording itself."""

    env: str
    name: str
    dt_s: float
    steps: int
    location: str
    classes: dict[str, ObjectClass]
    sizes_m: dict[str, tuple[float, float]]
    recorded_dt_s: float


def read_trajdata(path: Path, _with_map: bool = False) -> Scene:
    """Return the scene of a table of agents with the lanes of its map, if it has one; scene_id is ENV/SCENE.

    Raises InputError that names the file, DependencyError where pyarrow is not installed, or protobuf for a map.
    """
    about = _read_about(path)
    table = _read_table(path)
    agents = [str(name) for name in table["agent_id"]]
    step = _steps(path, table["scene_ts"])
    unknown = sorted({name for name in agents if name not in about.classes})
    if unknown:
        raise InputError(f"{path}: expected agents that {_beside(path).name} lists, got {unknown[0]!r}")
    classes = np.array([about.classes[name] for name in agents], np.int64)
    yaw_rad, yaw_valid = _headings(path, table)
    velocity_mps = np.stack([_numbers(path, table, name) for name in ("vx", "vy")], axis=1)
    moved: BoolArray = np.asarray(np.isfinite(velocity_mps).all(axis=1))
    rows = Rows(
        frame_number=step,
        timestamp_ns=np.array([_time_ns(i, about.dt_s) for i in step.tolist()], np.int64),
        track_id=agents,
        object_class=classes,
        size_m=_sizes_m(path, table, agents, classes, about),
        position_m=np.stack([_numbers(path, table, name) for name in ("x", "y")], axis=1),
        yaw_rad=yaw_rad,
        yaw_valid=yaw_valid & (not about.env.startswith(DERIVED_HEADINGS)),
        velocity_mps=velocity_mps,
        velocity_valid=moved & (not about.env.startswith(DERIVED_VELOCITIES)),
        is_target=np.zeros(len(agents), np.bool_),
    )
    source = f"trajdata, {about.env}"
    try:
        lanes = _lanes(path, about.location, rows.position_m)
        every = [(i, _time_ns(i, about.dt_s)) for i in range(about.steps)]
        name = f"{about.env}/{about.name}"
        return scene_from_rows(name, rows, source=source, licence=LICENCE, lanes=lanes, extra_frames=every)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _time_ns(step: int, dt_s: float) -> int:
    return round(step * (dt_s * 1e9))


def is_resampled(path: Path) -> bool:
    """Return whether trajdata made a table from one at the recording's own rate that is beside it."""
    if len(list(path.parent.glob(TABLES))) < 2:
        return False
    try:
        original = path.with_name(TABLES.replace("*", f"{_read_about(path).recorded_dt_s:.2f}"))
    except InputError:
        return False
    return original.name != path.name.lower() and original.is_file()


def metadata_and_map(path: Path) -> list[Path]:
    """Return the files that a scene is read from besides its table, those that are there."""
    try:
        about = _read_about(path)
    except InputError:
        return []
    found = _map_file(path, about.location)
    return [_beside(path), *([] if found is None else [found])]


def _beside(path: Path) -> Path:
    match = _TABLE.fullmatch(path.name)
    if match is None:
        raise InputError(f"{path}: expected a file of a trajdata cache, {TABLES}, got another name")
    return path.with_name(f"scene_metadata_dt{match[1]}.dill")


def _map_file(path: Path, location: str) -> Path | None:
    maps = path.resolve().parents[1] / "maps"
    found = maps / f"{location}.pb"
    return found if location and found.parent == maps and found.is_file() else None


def _lanes(path: Path, location: str, position_m: FloatArray) -> tuple[Lane, ...]:
    found = _map_file(path, location)
    if found is None or not len(position_m):
        return ()
    lanes, left_out = read_trajdata_map(found)
    low_m, high_m = position_m.min(axis=0) - MAP_REACH_M, position_m.max(axis=0) + MAP_REACH_M
    near = tuple(
        lane
        for lane in lanes
        if (lane.centre_m.max(axis=0) >= low_m).all() and (lane.centre_m.min(axis=0) <= high_m).all()
    )
    if left_out or len(near) < len(lanes):
        others = ", ".join(f"{n:,} {name}" for name, n in sorted(left_out.items()))
        log.info("%s: left out %d lanes far away%s", found, len(lanes) - len(near), f", {others}" if others else "")
    return near


def _read_about(path: Path) -> _About:
    """Return what the metadata beside a table says. Raises InputError."""
    beside = _beside(path)
    scene = read_pickle(beside)
    try:
        if not isinstance(scene, Record) or not scene.kind.endswith(".Scene"):
            raise InputError(f"got {scene.kind if isinstance(scene, Record) else type(scene).__name__}")
        fields = scene.fields
        agents = [agent.fields for agent in fields["agents"]]
        classes = {str(agent["name"]): CLASSES[int(agent["type"].arguments[0])] for agent in agents}
        extents = {str(agent["name"]): agent["extent"].fields for agent in agents}
        sizes_m = {
            n: (float(e["length"]), float(e["width"])) for n, e in extents.items() if "length" in e and "width" in e
        }
        dt_s = float(fields["dt"])
        if not 1e-3 <= dt_s <= 100:
            raise InputError(f"a step of {dt_s} s")
        steps = int(fields["length_timesteps"])
        if not 0 <= steps <= MAX_STEPS:
            raise InputError(f"{steps} steps")
        recorded_dt_s = float(fields["env_metadata"].fields["dt"])
        name, location = str(fields["name"]), str(fields.get("location") or "")
        return _About(str(fields["env_name"]), name, dt_s, steps, location, classes, sizes_m, recorded_dt_s)
    except (InputError, KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(f"{beside}: expected the Scene of a trajdata cache, got {in_words(error)[:160]}") from error


def _read_table(path: Path) -> dict[str, Any]:
    """Return the columns that are used. Raises InputError for a table that cannot be read, or lacks COLUMNS."""
    table = read_feather(path, "a table of trajdata (Feather)", "trajdata")
    missing = [name for name in COLUMNS if name not in table.column_names]
    if missing:
        shown = ", ".join(map(str, table.column_names))[:200]
        raise InputError(f"{path}: expected columns {', '.join(missing)}, got {shown}")
    return {name: table[name].to_pylist() for name in (*COLUMNS, *OPTIONAL) if name in table.column_names}


def _numbers(path: Path, table: dict[str, Any], name: str) -> FloatArray:
    try:
        values: FloatArray = np.array(table[name], np.float64)  # None becomes NaN
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: expected numbers in the column {name}, got {in_words(error)[:100]}") from error
    return values


def _steps(path: Path, values: list[Any]) -> IntArray:
    found = np.array(values)
    if not len(found):
        raise InputError(f"{path}: expected rows of agents, got none")
    if found.dtype.kind not in "iu" or found.min() < 0 or found.max() > MAX_STEPS:
        raise InputError(f"{path}: expected steps of 0 to {MAX_STEPS:,} in scene_ts, got {found.dtype}")
    return found.astype(np.int64)


def _headings(path: Path, table: dict[str, Any]) -> tuple[FloatArray, BoolArray]:
    """Return headings (R,), and where they are known."""
    if "heading" in table:
        yaw_rad = _numbers(path, table, "heading")
    elif "sin_heading" in table and "cos_heading" in table:
        yaw_rad = np.arctan2(_numbers(path, table, "sin_heading"), _numbers(path, table, "cos_heading"))
    else:
        raise InputError(f"{path}: expected a column heading, or sin_heading and cos_heading, got neither")
    known: BoolArray = np.isfinite(yaw_rad)
    return yaw_rad, known


def _sizes_m(
    path: Path, table: dict[str, Any], agents: list[str], classes: NDArray[np.int64], about: _About
) -> FloatArray:
    """Return length and width (R, 2): of the table, else of the metadata, else the default of the class."""
    size_m: FloatArray = DEFAULT_SIZE_M[classes].copy()
    fixed_m = np.array([about.sizes_m.get(name, (np.nan, np.nan)) for name in agents])
    for column, name in enumerate(("length", "width")):
        for values in (fixed_m[:, column], _numbers(path, table, name) if name in table else None):
            if values is not None:
                size_m[:, column] = np.where(np.isfinite(values) & (values > 0), values, size_m[:, column])
    return size_m
