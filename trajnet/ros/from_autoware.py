"""Autoware's tracked objects (arrays, see trajnet/ros/cdr.py) as what trajnet works on. Needs no ROS.

What becomes of imperfect objects, each counted in CleaningCounters:

- class: the most probable classification; TRAILER is a truck; ANIMAL, HAZARD, OVER_DRIVABLE, UNDER_DRIVABLE, anything
  that the table does not know and no classification at all are UNKNOWN, which is predicted like everything else;
- a position that is not finite (or beyond MAX_POSITION_M) drops the object: nothing can be said about it. Anything else
  that is not finite is replaced and the object stays. Of objects with the same id the first stays;
- yaw comes from the quaternion, whatever its length; a zero or non-finite one, and UNAVAILABLE, make the yaw unknown;
- SIGN_UNKNOWN: an object that seems to drive backward (faster than sign_speed_mps) is turned round, pose, twist and
  footprint, so that no path goes backward. Near standstill the decision of the last frame holds: noise flips nothing;
- the twist is in the object's own frame and is turned into the map by the quaternion. A twist of zeros with a
  covariance of zeros was not measured (unless the object is_stationary): its velocity is unknown;
- size: a polygon has that of its smallest rotated rectangle, a cylinder its diameter, and where a dimension is zero,
  not finite or beyond MAX_SIZE_M, the default of the class;
- an object that is_stationary or slower than hold_speed_mps stays where it is, with a constant yaw.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajnet.config import require
from trajnet.geometry import rotate
from trajnet.ros.cdr import PredictedObjects, TrackedObjects
from trajnet.ros.conventions import (
    CLASS_OF_LABEL,
    CYLINDER,
    POLYGON,
    SIGN_UNKNOWN,
    UNAVAILABLE,
    hex_ids,
    yaw_of_quaternion,
)
from trajnet.types import DEFAULT_SIZE_M, BoolArray, FloatArray, IntArray, TrackFrame

MAX_POSITION_M = 1e8  # any map projection stays below
MAX_SPEED_MPS = 1e3
MAX_SIZE_M = 1e3

_SMALLEST_QUATERNION = 1e-6
_IDENTITY = np.array([0.0, 0.0, 0.0, 1.0])
# A half turn about an object's own z axis negates x and y of its vectors, so covariance terms of one of each too.
_HALF_TURN = np.array([-1.0, -1.0, 1.0, -1.0, -1.0, 1.0])
_HALF_TURN_COVARIANCE = np.outer(_HALF_TURN, _HALF_TURN).ravel()

_FLOATS = (
    "existence_probability",
    "class_probability",
    "pose",
    "pose_covariance",
    "twist",
    "twist_covariance",
    "acceleration",
    "acceleration_covariance",
    "dimensions_m",
    "footprint_m",
)
_PER_OBJECT = (
    *("object_id", "existence_probability", "pose", "pose_covariance", "twist", "twist_covariance"),
    *("acceleration", "acceleration_covariance", "shape_type", "dimensions_m"),
    *("orientation_availability", "is_stationary"),
)


@dataclass(frozen=True)
class CleaningPolicy:
    """sign_speed_mps, hold_speed_mps: see the module. A hold_speed_mps of 0 holds only what is_stationary."""

    sign_speed_mps: float = 0.1
    hold_speed_mps: float = 0.1

    def __post_init__(self) -> None:
        for name in ("sign_speed_mps", "hold_speed_mps"):
            value = getattr(self, name)
            require(0 <= value < MAX_SPEED_MPS, f"{name}: expected a speed of 0 or more, got {value}")


@dataclass
class CleaningCounters:
    """Objects since the start, and how many of them needed each of the policies."""

    objects: int = 0
    dropped_position: int = 0
    dropped_duplicate: int = 0
    replaced_values: int = 0
    unknown_yaw: int = 0
    unknown_velocity: int = 0
    turned_round: int = 0
    default_size: int = 0
    held: int = 0


@dataclass(frozen=True, eq=False)
class CleanedMessage:
    """One usable message, N rows everywhere.

    frame: what predictors take. objects: the message's objects of the same rows, cleaned: everything finite, turned
    round where the sign was wrong, quaternions of length 1. hold (N,): objects that stay where they are.
    """

    frame: TrackFrame
    objects: TrackedObjects
    hold: BoolArray

    def __len__(self) -> int:
        return len(self.frame)


@dataclass
class MessageCleaner:
    """Cleans one message after the other; remembers only which objects it turned round in the last one."""

    policy: CleaningPolicy = field(default_factory=CleaningPolicy)
    counters: CleaningCounters = field(default_factory=CleaningCounters)

    def __post_init__(self) -> None:
        self._turned: frozenset[str] = frozenset()

    def reset(self) -> None:
        """Forget the last message; the counters stay."""
        self._turned = frozenset()

    def clean(self, objects: TrackedObjects) -> CleanedMessage:
        """Return the objects that something can be said about, as a TrackFrame and as cleaned arrays."""
        self.counters.objects += len(objects)
        objects, track_id = self._usable(objects)
        object_class = most_probable_class(objects)
        measured_yaw, unit_quaternion = _orientation(objects.pose)
        measured_twist = _measured_twist(objects)
        objects = self._finite(objects, unit_quaternion)
        objects = self._turned_round(objects, track_id, measured_yaw & measured_twist)
        yaw_rad = yaw_of_quaternion(objects.pose[:, 3:])
        twist_mps = objects.twist[:, :2] * measured_twist[:, None]
        still = objects.is_stationary & ~measured_twist
        slow = measured_twist & (np.hypot(twist_mps[:, 0], twist_mps[:, 1]) < self.policy.hold_speed_mps)
        size_m, by_default = _size_m(objects, object_class)
        frame = TrackFrame(
            timestamp_ns=objects.stamp_ns,
            track_id=track_id,
            object_class=object_class,
            position_m=objects.pose[:, :2],
            yaw_rad=yaw_rad,
            yaw_valid=measured_yaw & (objects.orientation_availability != UNAVAILABLE),
            velocity_mps=rotate(twist_mps, yaw_rad),
            velocity_valid=(measured_twist & measured_yaw) | still,
            size_m=size_m,
        )
        cleaned = CleanedMessage(frame, objects, hold=objects.is_stationary | slow)
        self._count(cleaned, by_default)
        return cleaned

    def _count(self, cleaned: CleanedMessage, by_default: BoolArray) -> None:
        counters, frame = self.counters, cleaned.frame
        counters.unknown_yaw += int((~frame.yaw_valid).sum())
        counters.unknown_velocity += int((~frame.velocity_valid).sum())
        counters.default_size += int(by_default.sum())
        counters.held += int(cleaned.hold.sum())

    def _usable(self, objects: TrackedObjects) -> tuple[TrackedObjects, tuple[str, ...]]:
        """Return the objects that have a position, each id once, and their ids."""
        located = _all(np.abs(objects.pose[:, :2]) <= MAX_POSITION_M)  # False for NaN
        track_id = hex_ids(objects.object_id)
        seen: set[str] = set()
        first = located.copy()
        for row in np.flatnonzero(located):
            first[row] = track_id[row] not in seen
            seen.add(track_id[row])
        self.counters.dropped_position += int((~located).sum())
        self.counters.dropped_duplicate += int((located & ~first).sum())
        if first.all():
            return objects, track_id
        kept = np.flatnonzero(first)
        return select(objects, kept), tuple(track_id[row] for row in kept)

    def _finite(self, objects: TrackedObjects, unit_quaternion: FloatArray) -> TrackedObjects:
        """Put zeros where values are not finite, and the orientations unit_quaternion (N, 4)."""
        values = {name: getattr(objects, name) for name in _FLOATS}
        bad = {name: value for name, value in values.items() if not np.isfinite(value).all()}
        clean: dict[str, Any] = {n: np.nan_to_num(v, nan=0.0, posinf=0.0, neginf=0.0) for n, v in bad.items()}
        self.counters.replaced_values += sum(int((~np.isfinite(value)).sum()) for value in bad.values())
        clean["pose"] = np.concatenate([clean.get("pose", objects.pose)[:, :3], unit_quaternion], axis=1)
        return replace(objects, **clean)

    def _turned_round(self, objects: TrackedObjects, track_id: tuple[str, ...], measured: BoolArray) -> TrackedObjects:
        """Turn objects of unknown sign that drive backward the other way."""
        unknown = (objects.orientation_availability == SIGN_UNKNOWN) & measured
        if not unknown.any():
            self._turned = frozenset()
            return objects
        forward_mps = objects.twist[:, 0]
        before = np.array([t in self._turned for t in track_id], dtype=np.bool_)
        undecided = np.abs(forward_mps) <= self.policy.sign_speed_mps
        turn = unknown & np.where(undecided, before, forward_mps < 0)
        self._turned = frozenset(track_id[row] for row in np.flatnonzero(turn))
        self.counters.turned_round += int(turn.sum())
        return _half_turned(objects, turn) if turn.any() else objects


def _half_turned(objects: TrackedObjects, turn: BoolArray) -> TrackedObjects:
    """Return the objects with those to turn (N,) facing the other way: pose, twist, acceleration and footprint."""
    x, y, z, w = objects.pose[:, 3:].T
    pose = objects.pose.copy()
    pose[:, 3:] = np.where(turn[:, None], np.stack([y, -x, w, -z], axis=1), objects.pose[:, 3:])
    sign = np.where(turn[:, None], _HALF_TURN, 1.0)
    covariance_sign = np.where(turn[:, None], _HALF_TURN_COVARIANCE, 1.0)
    point_sign = np.repeat(sign[:, :3].astype(np.float32), objects.footprint_count, axis=0)
    return replace(
        objects,
        pose=pose,
        footprint_m=objects.footprint_m * point_sign,
        twist=objects.twist * sign,
        twist_covariance=objects.twist_covariance * covariance_sign,
        acceleration=objects.acceleration * sign,
        acceleration_covariance=objects.acceleration_covariance * covariance_sign,
    )


def _all(rows: BoolArray) -> BoolArray:
    """(N, ...) -> (N,): rows that are True everywhere."""
    return np.asarray(rows.all(axis=tuple(range(1, rows.ndim))), dtype=np.bool_)


def _orientation(pose: FloatArray) -> tuple[BoolArray, FloatArray]:
    """Return whether each pose (N, 7) has a usable orientation (N,), and that as a quaternion of length 1 (N, 4).

    Where it has none, the quaternion is that of yaw 0.
    """
    largest = np.abs(pose[:, 3:]).max(axis=1)
    usable = np.isfinite(largest) & (largest > _SMALLEST_QUATERNION)
    scaled = np.where(usable[:, None], pose[:, 3:], _IDENTITY) / np.where(usable, largest, 1.0)[:, None]
    return usable, scaled / np.linalg.norm(scaled, axis=1, keepdims=True)


def _measured_twist(objects: TrackedObjects) -> BoolArray:
    """Return whether the planar velocity of each object was measured (N,)."""
    planar = objects.twist[:, :2]
    with np.errstate(invalid="ignore"):
        fine = (np.abs(planar) <= MAX_SPEED_MPS).all(axis=1)
    empty = (objects.twist == 0).all(axis=1) & (objects.twist_covariance == 0).all(axis=1)
    measured: BoolArray = fine & ~empty
    return measured


def most_probable_class(objects: TrackedObjects | PredictedObjects) -> NDArray[np.int8]:
    """Return the ObjectClass (N,) of each object; of equally probable classifications the first."""
    count = objects.class_count
    result = np.zeros(len(objects), dtype=np.int8)
    if not len(objects.class_label):
        return result
    probability = np.where(np.isfinite(objects.class_probability), objects.class_probability, -np.inf)
    owner = np.repeat(np.arange(len(objects)), count)
    order = np.lexsort((-probability, owner))
    some = count > 0
    best = order[(np.cumsum(count) - count)[some]]
    result[some] = CLASS_OF_LABEL[objects.class_label[best]]
    return result


def _size_m(objects: TrackedObjects, object_class: NDArray[np.int8]) -> tuple[FloatArray, BoolArray]:
    """Return length and width (N, 2) of every object, and which of them are the default of the class (N,)."""
    size_m = objects.dimensions_m[:, :2].copy()
    cylinder = objects.shape_type == CYLINDER
    size_m[cylinder] = size_m[cylinder].max(axis=1, keepdims=True)
    polygon = (objects.shape_type == POLYGON) & (objects.footprint_count >= 3)
    if polygon.any():
        rows, sizes = _rectangles(objects, np.flatnonzero(polygon))
        size_m[rows] = sizes
    bad = ~_all((size_m > 0) & (size_m <= MAX_SIZE_M))
    return np.where(bad[:, None], DEFAULT_SIZE_M[object_class], size_m), bad


def _rectangles(objects: TrackedObjects, rows: IntArray) -> tuple[IntArray, FloatArray]:
    """Return the rows (M,) whose footprint has an area, and length and width (M, 2) of its smallest rectangle."""
    import shapely

    points, count = _ragged_rows(objects.footprint_m, objects.footprint_count, rows)
    outline = shapely.multipoints(points[:, :2].astype(np.float64), indices=np.repeat(np.arange(len(rows)), count))
    rectangle = shapely.oriented_envelope(outline)
    has_area = shapely.get_type_id(rectangle) == shapely.GeometryType.POLYGON
    corners = shapely.get_coordinates(rectangle[has_area]).reshape(-1, 5, 2)
    sides = np.linalg.norm(corners[:, 1:3] - corners[:, 0:2], axis=2)
    return rows[has_area], np.sort(sides, axis=1)[:, ::-1]


def _ragged_rows(values: NDArray[Any], count: IntArray, rows: IntArray) -> tuple[NDArray[Any], IntArray]:
    """Return the elements of some of the lists that values holds one after another, and how many each has."""
    start = np.cumsum(count) - count
    taken = count[rows]
    before = np.cumsum(taken) - taken
    index = np.repeat(start[rows] - before, taken) + np.arange(int(taken.sum()))
    return values[index], taken


def select(objects: TrackedObjects, rows: IntArray) -> TrackedObjects:
    """Return only the objects of these rows (indices), in their order."""
    label, class_count = _ragged_rows(objects.class_label, objects.class_count, rows)
    probability, _ = _ragged_rows(objects.class_probability, objects.class_count, rows)
    footprint_m, footprint_count = _ragged_rows(objects.footprint_m, objects.footprint_count, rows)
    return replace(
        objects,
        **{name: getattr(objects, name)[rows] for name in _PER_OBJECT},
        class_count=class_count,
        class_label=label,
        class_probability=probability,
        footprint_count=footprint_count,
        footprint_m=footprint_m,
    )
