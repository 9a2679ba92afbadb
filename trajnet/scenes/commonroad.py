"""CommonRoad XML scenarios: static and dynamic obstacles and lanelets, read with commonroad-io."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from trajnet.errors import DependencyError, InputError
from trajnet.scenes.rows import Rows, default_sizes, require_file, scene_from_rows
from trajnet.types import FloatArray, Lane, ObjectClass, Scene

#: Class of each value of CommonRoad's ObstacleType; other values are UNKNOWN.
CLASSES: dict[str, ObjectClass] = {
    "car": ObjectClass.CAR,
    "parkedVehicle": ObjectClass.CAR,
    "priorityVehicle": ObjectClass.CAR,
    "taxi": ObjectClass.CAR,
    "truck": ObjectClass.TRUCK,
    "bus": ObjectClass.BUS,
    "motorcycle": ObjectClass.MOTORCYCLE,
    "bicycle": ObjectClass.BICYCLE,
    "pedestrian": ObjectClass.PEDESTRIAN,
}

#: Values of CommonRoad's LaneletType that are closed to vehicles.
CROSSWALK = "crosswalk"
WALKWAYS = frozenset({"sidewalk", CROSSWALK})

#: Sources that CommonRoad scenarios name, and the licence of each.
LICENCES: dict[str, str] = {"NGSIM": "NGSIM: US DOT open data", "OpenStreetMap": "OpenStreetMap: ODbL"}


def read_commonroad(path: Path) -> Scene:
    """Return the scene of one XML scenario.

    Velocity is the state's speed along its orientation. A static obstacle is in every frame with speed 0. An obstacle
    whose future is given as sets (SPOT) is in its first frame only. A trajectory that repeats the initial state gives
    one row for it. Raises InputError if the file is no scenario or has no obstacles.
    """
    scenario = _open(path)
    placed = _placed(path, scenario)
    if not placed:
        raise InputError(f"{path}: expected obstacles, got a scenario without any; nothing is there to predict")
    source = " ".join(_source(scenario).split())
    licence = "; ".join(text for word, text in LICENCES.items() if word in source) or "not stated"
    rows = _rows(placed, round(scenario.dt * 1e9))
    try:
        return scene_from_rows(path.stem, rows, source=f"CommonRoad, {source}", licence=licence, lanes=_lanes(scenario))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


class _Placed(NamedTuple):
    """One obstacle in one state at one time step."""

    obstacle: Any
    state: Any
    step: int
    static: bool


def _placed(path: Path, scenario: Any) -> list[_Placed]:
    """Return every obstacle in every state, dynamic ones first."""
    placed = []
    for obstacle in scenario.dynamic_obstacles:
        states = getattr(getattr(obstacle.prediction, "trajectory", None), "state_list", [])
        if states and states[0].time_step == obstacle.initial_state.time_step:
            states = states[1:]  # commonroad-geometric's recorder writes the initial state again
        every = (obstacle.initial_state, *states)
        placed += [_Placed(obstacle, state, _whole_step(path, state), False) for state in every]
    steps = sorted({each.step for each in placed}) or [0]
    standing = [_Placed(each, each.initial_state, step, True) for each in scenario.static_obstacles for step in steps]
    return placed + standing


def _rows(placed: Sequence[_Placed], step_ns: int) -> Rows:
    count = len(placed)
    classes = np.array([CLASSES.get(p.obstacle.obstacle_type.value, ObjectClass.UNKNOWN) for p in placed], np.int64)
    size_m, position_m = default_sizes(classes).copy(), np.zeros((count, 2))
    yaw_rad, velocity_mps, velocity_valid = np.zeros(count), np.zeros((count, 2)), np.zeros(count, np.bool_)
    for i, (obstacle, state, _, static) in enumerate(placed):
        yaw_rad[i] = _middle(state.orientation)
        direction = np.array([math.cos(yaw_rad[i]), math.sin(yaw_rad[i])])
        box = _box_m(obstacle.obstacle_shape)
        if box is not None:
            size_m[i] = box[:2]
        position_m[i] = _centre_m(state, direction, (0.0, 0.0) if box is None else box[2:])
        speed_mps = 0.0 if static else getattr(state, "velocity", None)
        if speed_mps is not None:
            velocity_mps[i] = _middle(speed_mps) * direction
            velocity_valid[i] = True
    numbers = np.array([p.step for p in placed], np.int64)
    return Rows(
        frame_number=numbers,
        timestamp_ns=numbers * step_ns,
        track_id=[str(p.obstacle.obstacle_id) for p in placed],
        object_class=classes,
        size_m=size_m,
        position_m=position_m,
        yaw_rad=yaw_rad,
        yaw_valid=np.ones(count, np.bool_),
        velocity_mps=velocity_mps,
        velocity_valid=velocity_valid,
        is_target=np.zeros(count, np.bool_),
    )


def read_lanes(path: Path) -> tuple[Lane, ...]:
    """Return the lanelets of one XML scenario, which needs no obstacles.

    Raises InputError if the file is no scenario or has no lanelets.
    """
    lanes = _lanes(_open(path))
    if not lanes:
        raise InputError(f"{path}: expected a map, got a scenario without lanelets")
    return lanes


def _lanes(scenario: Any) -> tuple[Lane, ...]:
    return tuple(
        Lane(
            str(each.lanelet_id),
            each.left_vertices,
            each.right_vertices,
            each.center_vertices,
            drivable=WALKWAYS.isdisjoint(kind.value for kind in each.lanelet_type),
            crosswalk=CROSSWALK in {kind.value for kind in each.lanelet_type},
        )
        for each in scenario.lanelet_network.lanelets
    )


def _open(path: Path) -> Any:
    require_file(path)
    try:
        from commonroad.common.file_reader import CommonRoadFileReader
    except ImportError as error:
        raise DependencyError(
            f"reading {path.name} needs commonroad-io, which is not installed; run: pip install 'trajnet-av[train]'"
        ) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return CommonRoadFileReader(str(path)).open()[0]
    except Exception as error:  # the reader passes on any error of its parsing
        detail = (str(error).splitlines() or [""])[0]
        raise InputError(
            f"{path}: expected a CommonRoad scenario in XML, got a file that cannot be "
            f"read as one ({type(error).__name__}: {detail})"
        ) from error


def _whole_step(path: Path, state: Any) -> int:
    if not isinstance(state.time_step, (int, np.integer)):
        raise InputError(f"{path}: expected states at single time steps, got {state.time_step}")
    return int(state.time_step)


def _middle(value: Any) -> float:
    """Return an exact value unchanged, or the middle of an interval."""
    return float(value) if isinstance(value, (int, float, np.number)) else 0.5 * (float(value.start) + float(value.end))


def _source(scenario: Any) -> str:
    """Return the scenario's statement of its source: commonroad-io moved it into file_information in 2026."""
    about = scenario if hasattr(scenario, "source") else scenario.file_information
    return str(about.source or "")


def _box_m(shape: Any) -> tuple[float, float, float, float] | None:
    """Return length, width and middle (x, y) of a shape in m in the obstacle's own frame; None for unknown shapes.

    A polygon is replaced by its bounding box. commonroad-io up to 2024 gives a shape a centre, from 2026 on an offset
    of the rectangle's origin.
    """
    if hasattr(shape, "length") and hasattr(shape, "width"):
        length, width = shape.length, shape.width
        x, y = getattr(shape, "center", (-getattr(shape, "origin_x_shift", 0.0), 0.0))
    elif hasattr(shape, "radius"):
        length = width = 2.0 * shape.radius
        x, y = getattr(shape, "center", (0.0, 0.0))
    elif hasattr(shape, "vertices"):
        corners = np.asarray(shape.vertices, np.float64)
        low, high = corners.min(axis=0), corners.max(axis=0)
        (length, width), (x, y) = high - low, 0.5 * (high + low)
    else:
        return None
    return float(length), float(width), float(x), float(y)


def _centre_m(state: Any, direction: FloatArray, middle_m: tuple[float, float]) -> FloatArray:
    """Return the middle of the obstacle (2,) in m, map frame: its shape may be off the position of the state."""
    position = np.asarray(getattr(state.position, "center", state.position), np.float64)
    (cos, sin), (x, y) = direction, middle_m
    centre: FloatArray = position + np.array([cos * x - sin * y, sin * x + cos * y])
    return centre
