"""CommonRoad XML scenarios: static and dynamic obstacles and lanelets, read with commonroad-io."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from trajnet.errors import DependencyError, InputError
from trajnet.scenes.rows import Rows, default_sizes, require_file, scene_from_rows
from trajnet.types import FloatArray, Lane, ObjectClass, Scene

#: By the value of CommonRoad's ObstacleType; what is not listed is UNKNOWN.
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

#: Values of CommonRoad's LaneletType that are not for vehicles.
WALKWAYS = frozenset({"sidewalk", "crosswalk"})

#: Sources that CommonRoad scenarios name, and the licence of each.
LICENCES: dict[str, str] = {"NGSIM": "NGSIM: US DOT open data", "OpenStreetMap": "OpenStreetMap: ODbL"}


def read_commonroad(path: Path) -> Scene:
    """The scene of one XML scenario.

    Velocity is the state's speed along its orientation. A static obstacle stands in every frame with speed 0. An
    obstacle whose future is given as sets (SPOT) appears in its first frame only. InputError if it is no scenario.
    """
    scenario = _open(path)
    step_ns = round(scenario.dt * 1e9)
    moving = [
        (obstacle, state)
        for obstacle in scenario.dynamic_obstacles
        for state in [
            obstacle.initial_state,
            *getattr(getattr(obstacle.prediction, "trajectory", None), "state_list", []),
        ]
    ]
    steps = sorted({_whole_step(path, state) for _, state in moving}) or [0]
    placed = [(obstacle, state, _whole_step(path, state), False) for obstacle, state in moving]
    placed += [
        (obstacle, obstacle.initial_state, step, True) for obstacle in scenario.static_obstacles for step in steps
    ]
    if not placed:
        raise InputError(f"{path}: expected obstacles, got a scenario without any; nothing is there to predict")
    count = len(placed)
    classes = np.array(
        [CLASSES.get(obstacle.obstacle_type.value, ObjectClass.UNKNOWN) for obstacle, _, _, _ in placed], np.int64
    )
    size_m, position_m, yaw_rad, velocity_mps = (
        default_sizes(classes).copy(),
        np.zeros((count, 2)),
        np.zeros(count),
        np.zeros((count, 2)),
    )
    velocity_valid = np.zeros(count, np.bool_)
    for i, (obstacle, state, _, static) in enumerate(placed):
        yaw_rad[i] = _middle(state.orientation)
        size_m[i] = _size_m(obstacle.obstacle_shape)
        position_m[i] = _centre_m(obstacle.obstacle_shape, state, yaw_rad[i])
        speed_mps = 0.0 if static else getattr(state, "velocity", None)
        if speed_mps is not None:
            velocity_mps[i] = _middle(speed_mps) * np.array([math.cos(yaw_rad[i]), math.sin(yaw_rad[i])])
            velocity_valid[i] = True
    numbers = np.array([step for _, _, step, _ in placed], np.int64)
    rows = Rows(
        frame_number=numbers,
        timestamp_ns=numbers * step_ns,
        track_id=[str(obstacle.obstacle_id) for obstacle, _, _, _ in placed],
        object_class=classes,
        size_m=size_m,
        position_m=position_m,
        yaw_rad=yaw_rad,
        yaw_valid=np.ones(count, np.bool_),
        velocity_mps=velocity_mps,
        velocity_valid=velocity_valid,
        is_target=np.zeros(count, np.bool_),
    )
    source = " ".join((scenario.source or "").split())
    licence = "; ".join(text for word, text in LICENCES.items() if word in source) or "not stated"
    try:
        return scene_from_rows(path.stem, rows, source=f"CommonRoad, {source}", licence=licence, lanes=_lanes(scenario))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def read_lanes(path: Path) -> tuple[Lane, ...]:
    """The lanelets of one XML scenario, which needs no obstacles. InputError if it is none or has no lanelets."""
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
        )
        for each in scenario.lanelet_network.lanelets
    )


def _open(path: Path) -> Any:
    require_file(path)
    try:
        from commonroad.common.file_reader import CommonRoadFileReader
    except ImportError as error:
        raise DependencyError(
            f"reading {path.name} needs commonroad-io, which is not installed; run: pip install 'trajnet[train]'"
        ) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return CommonRoadFileReader(str(path)).open()[0]
    except Exception as error:  # the reader raises whatever its parsing stumbles over
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
    """An exact value as it is, the middle of an interval."""
    return float(value) if isinstance(value, (int, float, np.number)) else 0.5 * (float(value.start) + float(value.end))


def _size_m(shape: Any) -> tuple[float, float]:
    """Length and width of a rectangle, twice the radius of a circle, the box around anything else."""
    if hasattr(shape, "length"):
        return float(shape.length), float(shape.width)
    if hasattr(shape, "radius"):
        return 2.0 * float(shape.radius), 2.0 * float(shape.radius)
    x_min, y_min, x_max, y_max = shape.shapely_object.bounds
    return x_max - x_min, y_max - y_min


def _centre_m(shape: Any, state: Any, yaw_rad: float) -> FloatArray:
    """The middle of the obstacle: its shape may be off the position that the state gives."""
    position = np.asarray(getattr(state.position, "center", state.position), np.float64)
    x, y = getattr(shape, "center", (0.0, 0.0))
    cos, sin = math.cos(yaw_rad), math.sin(yaw_rad)
    centre: FloatArray = position + np.array([cos * x - sin * y, sin * x + cos * y])
    return centre
