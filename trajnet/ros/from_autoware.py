"""Autoware's tracked objects (arrays, see trajnet/ros/cdr.py) as what trajnet works on. Needs no ROS.

What becomes of imperfect objects, each counted in CleaningCounters:

- class: the most probable classification; TRAILER is a truck; ANIMAL, HAZARD, OVER_DRIVABLE, UNDER_DRIVABLE, anything
  that the table does not know and no classification at all (UNKNOWN is published then) are UNKNOWN, which is predicted
  like everything else;
- a position that is not finite (or beyond MAX_POSITION_M) drops the object: nothing can be said about it. Every other
  object stays. What is unknown is never published as 0, which would mean exactly known or not there: see
  unknown_values for covariances and probabilities; a size that had to be assumed is the one that is published;
- id: a UUID of zeros is no id, and one that several objects share tells them not apart: ids_by_place does. The UUID
  is published as it came;
- yaw comes from the quaternion, whatever its length; a zero or non-finite one, and UNAVAILABLE, make the yaw unknown;
- SIGN_UNKNOWN: an object that seems to drive backward (faster than sign_speed_mps) is turned round, pose, twist and
  footprint, so that no path goes backward. Near standstill the decision of the last frame holds: noise flips nothing;
- the twist is in the object's own frame and is turned into the map by the quaternion. A twist of zeros with a
  covariance of zeros was not measured (unless the object is_stationary): its velocity is unknown, as is one that is
  not finite or beyond MAX_SPEED_MPS, and it is published as 0 with an unknown covariance. A speed that the class cannot
  have (tracking.plausibility) is not used either, and is published with an unknown covariance;
- size and outline: see known_shapes;
- an object that is_stationary or slower than hold_speed_mps stays where it is, with a constant yaw, unless it is
  somebody within reach of a crosswalk (trajnet.ros.pipeline).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from trajnet.config import require
from trajnet.geometry import rotate
from trajnet.ros.cdr import PredictedObjects, TrackedObjects
from trajnet.ros.conventions import (
    CLASS_OF_LABEL,
    LABEL_OF_CLASS,
    SIGN_UNKNOWN,
    UNAVAILABLE,
    hex_ids,
    yaw_of_quaternion,
)
from trajnet.ros.ids_by_place import UNSET_ID, IdsByPlace, shared_ids
from trajnet.ros.known_shapes import known_shapes
from trajnet.ros.ragged import ragged_rows
from trajnet.ros.unknown_values import known_class_probability, known_covariance, known_existence
from trajnet.tracking.plausibility import too_fast_for_class
from trajnet.types import BoolArray, FloatArray, IntArray, ObjectClass, TrackFrame

MAX_POSITION_M = 1e8  # any map projection stays below
MAX_SPEED_MPS = 1e3
#: Of turning and of changes of velocity, in rad/s, rad/s^2 and m/s^2.
MAX_RATE = 1e3

_SMALLEST_QUATERNION = 1e-6
_IDENTITY = np.array([0.0, 0.0, 0.0, 1.0])
# A half turn about an object's own z axis negates x and y of its vectors, so covariance terms of one of each too.
_HALF_TURN = np.array([-1.0, -1.0, 1.0, -1.0, -1.0, 1.0])
_HALF_TURN_COVARIANCE = np.outer(_HALF_TURN, _HALF_TURN).ravel()

#: Numbers of an object that must be finite.
_FLOATS = (
    *("existence_probability", "class_probability", "pose", "pose_covariance", "twist", "twist_covariance"),
    *("acceleration", "acceleration_covariance", "dimensions_m", "footprint_m"),
)
_PLANE = np.array([True, True, False, False, False, False])
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
    """Objects since the start, and how many of them needed each of the policies.

    unset_id, shared_id: their UUID was of zeros, or several objects of the message had it. replaced_values: numbers
    that were not finite. unknown_covariance: objects whose pose, twist or acceleration has an unknown covariance.
    """

    objects: int = 0
    dropped_position: int = 0
    unset_id: int = 0
    shared_id: int = 0
    replaced_values: int = 0
    unknown_covariance: int = 0
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
    without_id (N,): objects whose UUID is unset or shared with others.
    """

    frame: TrackFrame
    objects: TrackedObjects
    hold: BoolArray
    without_id: BoolArray

    def __len__(self) -> int:
        return len(self.frame)


@dataclass
class MessageCleaner:
    """Cleans one message after the other.

    Remembers which objects it turned round in the last one, and where objects were whose UUID tells them not apart.
    """

    policy: CleaningPolicy = field(default_factory=CleaningPolicy)
    counters: CleaningCounters = field(default_factory=CleaningCounters)

    def __post_init__(self) -> None:
        self._turned: frozenset[str] = frozenset()
        self._ids = IdsByPlace()

    def reset(self) -> None:
        """Forget the messages so far; the counters stay."""
        self._turned = frozenset()
        self._ids.reset()

    def clean(self, objects: TrackedObjects) -> CleanedMessage:
        """Return the objects that something can be said about, as a TrackFrame and as cleaned arrays."""
        self.counters.objects += len(objects)
        objects = self._located(objects)
        object_class, chosen = most_probable_class(objects)
        measured_yaw, unit_quaternion = _orientation(objects.pose)
        measured_twist = _measured_twist(objects)
        self._count_replaced(objects)
        known_twist = measured_twist & ~too_fast_for_class(objects.twist[:, :2], object_class)
        objects, unknown = _with_known_values(
            objects, unit_quaternion, chosen, measured_yaw, measured_twist, known_twist
        )
        size_m, objects, by_default = known_shapes(objects, object_class)
        # A half turn changes the body's axes, not the velocity in the map.
        velocity_mps = rotate(objects.twist[:, :2], yaw_of_quaternion(objects.pose[:, 3:]))
        velocity_valid = measured_twist & measured_yaw
        uuid = hex_ids(objects.object_id)
        track_id = self._ids.assign(uuid, objects.pose[:, :2], velocity_mps, velocity_valid, objects.stamp_ns)
        without_id = _without_id(uuid)
        objects = self._turned_round(objects, track_id, measured_yaw & measured_twist)
        slow = measured_twist & (np.hypot(*objects.twist[:, :2].T) < self.policy.hold_speed_mps)
        frame = TrackFrame(
            timestamp_ns=objects.stamp_ns,
            track_id=track_id,
            object_class=object_class,
            position_m=objects.pose[:, :2],
            yaw_rad=yaw_of_quaternion(objects.pose[:, 3:]),
            yaw_valid=measured_yaw & (objects.orientation_availability != UNAVAILABLE),
            velocity_mps=velocity_mps,
            velocity_valid=velocity_valid | (objects.is_stationary & ~measured_twist),
            size_m=size_m,
        )
        cleaned = CleanedMessage(frame, objects, objects.is_stationary | slow, without_id)
        self._count(cleaned, uuid, by_default, unknown)
        return cleaned

    def _located(self, objects: TrackedObjects) -> TrackedObjects:
        """Return the objects that have a position."""
        located = _all(np.abs(objects.pose[:, :2]) <= MAX_POSITION_M)  # False for NaN
        self.counters.dropped_position += int((~located).sum())
        return objects if located.all() else select(objects, np.flatnonzero(located))

    def _count_replaced(self, objects: TrackedObjects) -> None:
        finite = [np.isfinite(getattr(objects, name)) for name in _FLOATS]
        self.counters.replaced_values += sum(values.size - int(np.count_nonzero(values)) for values in finite)

    def _count(self, cleaned: CleanedMessage, uuid: tuple[str, ...], by_default: BoolArray, unknown: BoolArray) -> None:
        counters, frame = self.counters, cleaned.frame
        unset = uuid.count(UNSET_ID)
        counters.unset_id += unset
        counters.shared_id += int(cleaned.without_id.sum()) - unset
        counters.unknown_covariance += int(unknown.sum())
        counters.unknown_yaw += int((~frame.yaw_valid).sum())
        counters.unknown_velocity += int((~frame.velocity_valid).sum())
        counters.default_size += int(by_default.sum())
        counters.held += int(cleaned.hold.sum())

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


def _without_id(uuid: tuple[str, ...]) -> BoolArray:
    """Return which UUIDs (N,) are unset or shared."""
    shared = shared_ids(uuid)
    return np.array([u in shared for u in uuid], dtype=np.bool_) if shared else np.zeros(len(uuid), dtype=np.bool_)


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


def most_probable_class(objects: TrackedObjects | PredictedObjects) -> tuple[NDArray[np.int8], IntArray]:
    """Return the ObjectClass (N,) of each object, and which classifications (up to N indices) that comes from.

    Of equally probable classifications the first counts; one that is not finite is the least probable.
    """
    count = objects.class_count
    result = np.zeros(len(objects), dtype=np.int8)
    probability = np.where(np.isfinite(objects.class_probability), objects.class_probability, -np.inf)
    owner = np.repeat(np.arange(len(objects)), count)
    order = np.lexsort((-probability, owner))
    some = count > 0
    best: IntArray = order[(np.cumsum(count) - count)[some]]
    result[some] = CLASS_OF_LABEL[objects.class_label[best]]
    return result, best


def _with_known_values(
    objects: TrackedObjects,
    unit_quaternion: FloatArray,
    chosen: IntArray,
    measured_yaw: BoolArray,
    measured_twist: BoolArray,
    known_twist: BoolArray,
) -> tuple[TrackedObjects, BoolArray]:
    """Return the objects with every number finite but those of shapes, and which have an unknown covariance (N,).

    unit_quaternion (N, 4): their orientations. chosen: the classifications that their classes come from.
    known_twist (N,): whether the measured planar velocity is one that the class can have.
    """
    located = np.abs(objects.pose[:, :3]) <= MAX_POSITION_M  # False for NaN, here and below
    pose = np.concatenate([np.where(located, objects.pose[:, :3], 0.0), unit_quaternion], axis=1)
    unknown_pose = np.concatenate([~located, np.repeat(~measured_yaw[:, None], 3, axis=1)], axis=1)
    # Where the tracker says that an object stands, its velocity is known without a measured twist.
    possible = np.abs(objects.twist) <= MAX_RATE
    unknown_twist = ~possible | (~(known_twist | objects.is_stationary)[:, None] & _PLANE)
    twist = np.where(possible, objects.twist, 0.0)
    twist[:, :2] *= measured_twist[:, None]
    accelerates = np.abs(objects.acceleration) <= MAX_RATE
    covariance, axes = known_covariance(
        np.concatenate([objects.pose_covariance, objects.twist_covariance, objects.acceleration_covariance]),
        np.concatenate([unknown_pose, unknown_twist, ~accelerates]),
    )
    pose_covariance, twist_covariance, acceleration_covariance = covariance.reshape(3, -1, 36)
    known = replace(
        objects,
        existence_probability=known_existence(objects.existence_probability),
        class_probability=known_class_probability(objects.class_probability, chosen),
        pose=pose,
        pose_covariance=pose_covariance,
        twist=twist,
        twist_covariance=twist_covariance,
        acceleration=np.where(accelerates, objects.acceleration, 0.0),
        acceleration_covariance=acceleration_covariance,
    )
    return _with_classes(known), np.asarray(axes.reshape(3, -1, 6).any(axis=(0, 2)))


def _with_classes(objects: TrackedObjects) -> TrackedObjects:
    """Return the objects with UNKNOWN, as which it is predicted, as the class of each that has none."""
    count = objects.class_count
    if (count > 0).all():
        return objects
    place = np.cumsum(count)[count == 0]
    return replace(
        objects,
        class_count=np.maximum(count, 1),
        class_label=np.insert(objects.class_label, place, LABEL_OF_CLASS[ObjectClass.UNKNOWN]),
        class_probability=np.insert(objects.class_probability, place, 1.0),
    )


def select(objects: TrackedObjects, rows: IntArray) -> TrackedObjects:
    """Return only the objects of these rows (indices), in their order."""
    label, class_count = ragged_rows(objects.class_label, objects.class_count, rows)
    probability, _ = ragged_rows(objects.class_probability, objects.class_count, rows)
    footprint_m, footprint_count = ragged_rows(objects.footprint_m, objects.footprint_count, rows)
    return replace(
        objects,
        **{name: getattr(objects, name)[rows] for name in _PER_OBJECT},
        class_count=class_count,
        class_label=label,
        class_probability=probability,
        footprint_count=footprint_count,
        footprint_m=footprint_m,
    )
