"""Between Autoware's object lists (arrays, see trajnet/ros/cdr.py) and what trajnet works on. Needs no ROS.

What a planner's owner would want of imperfect objects, each counted in BridgeCounters:

- class: the most probable classification; TRAILER is a truck; ANIMAL, HAZARD, OVER_DRIVABLE, UNDER_DRIVABLE, anything
  that this table does not know and no classification at all are UNKNOWN, which is predicted like everything else;
- a position that is not finite (or beyond MAX_POSITION_M) drops the object: nothing can be said about it. Anything else
  that is not finite is replaced and the object stays. Of objects with the same id the first stays;
- yaw comes from the quaternion, whatever its length; a zero or non-finite one, and UNAVAILABLE, make the yaw unknown;
- SIGN_UNKNOWN: an object that seems to drive backward (faster than sign_speed_mps) is turned round, pose, twist and
  footprint, so that no path goes backward. Nearer to standstill the last frame's decision holds: noise flips nothing;
- the twist is in the object's own frame and is turned into the map by the quaternion. A twist of zeros with a
  covariance of zeros is one that nobody measured (unless the object is_stationary): its velocity is unknown;
- size: a polygon has that of its smallest rotated rectangle, a cylinder its diameter, and where a dimension is zero,
  not finite or beyond MAX_SIZE_M, the class's default;
- an object that is_stationary or slower than hold_speed_mps stays where it is, with a constant yaw.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajnet.config import require
from trajnet.errors import InputError
from trajnet.geometry import rotate
from trajnet.ros.cdr import PredictedObjects, TrackedObjects
from trajnet.ros.published_paths import Paths
from trajnet.types import DEFAULT_SIZE_M, BoolArray, FloatArray, IntArray, ObjectClass, TrackFrame

MAX_POSITION_M = 1e8  # any map projection stays below
MAX_SPEED_MPS = 1e3
MAX_SIZE_M = 1e3

UNAVAILABLE, SIGN_UNKNOWN, AVAILABLE = 0, 1, 2
BOUNDING_BOX, CYLINDER, POLYGON = 0, 1, 2

#: ObjectClass by Autoware's label 0..11; every other byte is UNKNOWN.
CLASS_OF_LABEL: NDArray[np.int8] = np.zeros(256, dtype=np.int8)
CLASS_OF_LABEL[1:8] = [
    ObjectClass.CAR,
    ObjectClass.TRUCK,
    ObjectClass.BUS,
    ObjectClass.TRUCK,  # TRAILER
    ObjectClass.MOTORCYCLE,
    ObjectClass.BICYCLE,
    ObjectClass.PEDESTRIAN,
]
#: Autoware's label by ObjectClass.
LABEL_OF_CLASS: NDArray[np.uint8] = np.array([0, 1, 2, 3, 5, 6, 7], dtype=np.uint8)

# A half turn about an object's own z axis negates x and y of its vectors, so covariance terms of one of each too.
_HALF_TURN = np.array([-1.0, -1.0, 1.0, -1.0, -1.0, 1.0])
_HALF_TURN_COVARIANCE = np.outer(_HALF_TURN, _HALF_TURN).ravel()


@dataclass(frozen=True)
class BridgePolicy:
    """sign_speed_mps, hold_speed_mps: see the module. A hold_speed_mps of 0 holds only what is_stationary."""

    sign_speed_mps: float = 0.1
    hold_speed_mps: float = 0.1

    def __post_init__(self) -> None:
        for name in ("sign_speed_mps", "hold_speed_mps"):
            value = getattr(self, name)
            require(0 <= value < MAX_SPEED_MPS, f"{name}: expected a speed of 0 or more, got {value}")


@dataclass
class BridgeCounters:
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
class Observed:
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
class Bridge:
    """Reads one message after the other; remembers only which objects it turned round in the last one."""

    policy: BridgePolicy = field(default_factory=BridgePolicy)
    counters: BridgeCounters = field(default_factory=BridgeCounters)

    def __post_init__(self) -> None:
        self._turned: frozenset[str] = frozenset()

    def reset(self) -> None:
        """Forget the last message; the counters stay."""
        self._turned = frozenset()

    def observe(self, objects: TrackedObjects) -> Observed:
        """The objects that something can be said about, as a TrackFrame and as cleaned arrays."""
        self.counters.objects += len(objects)
        objects, track_id = self._usable(objects)
        object_class = most_probable_class(objects)
        measured_yaw, unit = _orientation(objects.pose)
        measured_twist = _measured_twist(objects)
        objects = self._finite(objects, unit)
        objects = self._turned_round(objects, track_id, measured_yaw & measured_twist)
        yaw_rad = _yaw_rad(objects.pose[:, 3:])
        moving = objects.twist[:, :2] * measured_twist[:, None]
        still = objects.is_stationary & ~measured_twist
        velocity_valid = (measured_twist & measured_yaw) | still
        slow = measured_twist & (np.hypot(moving[:, 0], moving[:, 1]) < self.policy.hold_speed_mps)
        hold = objects.is_stationary | slow
        yaw_valid = measured_yaw & (objects.orientation_availability != UNAVAILABLE)
        size_m, by_default = _size_m(objects, object_class)
        frame = TrackFrame(
            timestamp_ns=objects.stamp_ns,
            track_id=track_id,
            object_class=object_class,
            position_m=objects.pose[:, :2],
            yaw_rad=yaw_rad,
            yaw_valid=yaw_valid,
            velocity_mps=rotate(moving, yaw_rad),
            velocity_valid=velocity_valid,
            size_m=size_m,
        )
        self.counters.unknown_yaw += int((~yaw_valid).sum())
        self.counters.unknown_velocity += int((~velocity_valid).sum())
        self.counters.default_size += int(by_default.sum())
        self.counters.held += int(hold.sum())
        return Observed(frame, objects, hold)

    def _usable(self, objects: TrackedObjects) -> tuple[TrackedObjects, tuple[str, ...]]:
        """The objects that are somewhere, each id once, and their ids."""
        somewhere = _all(np.abs(objects.pose[:, :2]) <= MAX_POSITION_M)  # False for NaN
        track_id = hex_ids(objects.object_id)
        seen: set[str] = set()
        first = somewhere.copy()
        for row in np.flatnonzero(somewhere):
            first[row] = track_id[row] not in seen
            seen.add(track_id[row])
        self.counters.dropped_position += int((~somewhere).sum())
        self.counters.dropped_duplicate += int((somewhere & ~first).sum())
        if first.all():
            return objects, track_id
        kept = np.flatnonzero(first)
        return select(objects, kept), tuple(track_id[row] for row in kept)

    def _finite(self, objects: TrackedObjects, unit: FloatArray) -> TrackedObjects:
        """Zeros for what is not finite, and the orientations unit (N, 4)."""
        values = {name: getattr(objects, name) for name in _FLOATS}
        bad = {name: value for name, value in values.items() if not np.isfinite(value).all()}
        clean: dict[str, Any] = {n: np.nan_to_num(v, nan=0.0, posinf=0.0, neginf=0.0) for n, v in bad.items()}
        self.counters.replaced_values += sum(int((~np.isfinite(value)).sum()) for value in bad.values())
        clean["pose"] = np.concatenate([clean.get("pose", objects.pose)[:, :3], unit], axis=1)
        return replace(objects, **clean)

    def _turned_round(self, objects: TrackedObjects, track_id: tuple[str, ...], measured: BoolArray) -> TrackedObjects:
        """Objects of unknown sign that drive backward face the other way: pose, twist, acceleration and footprint."""
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
        if not turn.any():
            return objects
        x, y, z, w = objects.pose[:, 3:].T
        pose = objects.pose.copy()
        pose[:, 3:] = np.where(turn[:, None], np.stack([y, -x, w, -z], axis=1), objects.pose[:, 3:])
        sign = np.where(turn[:, None], _HALF_TURN, 1.0)
        covariance_sign = np.where(turn[:, None], _HALF_TURN_COVARIANCE, 1.0)
        return replace(
            objects,
            pose=pose,
            footprint_m=objects.footprint_m
            * np.repeat(sign[:, :3].astype(np.float32), objects.footprint_count, axis=0),
            twist=objects.twist * sign,
            twist_covariance=objects.twist_covariance * covariance_sign,
            acceleration=objects.acceleration * sign,
            acceleration_covariance=objects.acceleration_covariance * covariance_sign,
        )


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
_SMALLEST_QUATERNION = 1e-6


def hex_ids(object_id: NDArray[np.uint8]) -> tuple[str, ...]:
    """UUID bytes (N, 16) as track ids of 32 hexadecimal digits."""
    data = np.ascontiguousarray(object_id).tobytes()
    return tuple(data[i : i + 16].hex() for i in range(0, len(data), 16))


def object_ids(track_ids: tuple[str, ...]) -> NDArray[np.uint8]:
    """UUID bytes (N, 16): the id's own where it is 32 hexadecimal digits, else 16 bytes of its hash."""

    def one(track_id: str) -> bytes:
        try:
            own = bytes.fromhex(track_id)
        except ValueError:
            own = b""
        return own if len(own) == 16 else hashlib.blake2b(track_id.encode(), digest_size=16).digest()

    return np.frombuffer(b"".join(map(one, track_ids)), dtype=np.uint8).reshape(len(track_ids), 16)


def _all(rows: BoolArray) -> BoolArray:
    """(N, ...) -> (N,): rows that are True everywhere."""
    return np.asarray(rows.all(axis=tuple(range(1, rows.ndim))), dtype=np.bool_)


def quaternion(yaw_rad: FloatArray) -> FloatArray:
    """Yaw (...) -> quaternion (..., 4): x, y, z, w."""
    zero = np.zeros_like(yaw_rad)
    return np.stack([zero, zero, np.sin(0.5 * yaw_rad), np.cos(0.5 * yaw_rad)], axis=-1)


def _orientation(pose: FloatArray) -> tuple[BoolArray, FloatArray]:
    """Whether each pose (N, 7) has a usable orientation (N,), and that as a quaternion of length 1 (N, 4).

    Where it has none, the quaternion is that of yaw 0.
    """
    largest = np.abs(pose[:, 3:]).max(axis=1)
    usable = np.isfinite(largest) & (largest > _SMALLEST_QUATERNION)
    nothing = np.array([0.0, 0.0, 0.0, 1.0])
    scaled = np.where(usable[:, None], pose[:, 3:], nothing) / np.where(usable, largest, 1.0)[:, None]
    return usable, scaled / np.linalg.norm(scaled, axis=1, keepdims=True)


def _yaw_rad(unit: FloatArray) -> FloatArray:
    """Quaternions of length 1 (N, 4) -> yaw (N,)."""
    x, y, z, w = unit.T
    yaw_rad: FloatArray = np.arctan2(2.0 * (w * z + x * y), w * w + x * x - y * y - z * z)
    return yaw_rad


def _measured_twist(objects: TrackedObjects) -> BoolArray:
    """Whether each object's planar velocity is one that somebody measured."""
    planar = objects.twist[:, :2]
    with np.errstate(invalid="ignore"):
        fine = (np.abs(planar) <= MAX_SPEED_MPS).all(axis=1)
    empty = (objects.twist == 0).all(axis=1) & (objects.twist_covariance == 0).all(axis=1)
    measured: BoolArray = fine & ~empty
    return measured


def most_probable_class(objects: TrackedObjects | PredictedObjects) -> NDArray[np.int8]:
    """(N,) ObjectClass; of equally probable classifications the first."""
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
    """Length and width (N, 2) of every object, and which of them the class's default had to stand in for (N,)."""
    size_m = objects.dimensions_m[:, :2].copy()
    round_ = objects.shape_type == CYLINDER
    size_m[round_] = size_m[round_].max(axis=1, keepdims=True)
    polygon = (objects.shape_type == POLYGON) & (objects.footprint_count >= 3)
    if polygon.any():
        rows, sizes = _rectangles(objects, np.flatnonzero(polygon))
        size_m[rows] = sizes
    bad = ~_all((size_m > 0) & (size_m <= MAX_SIZE_M))
    return np.where(bad[:, None], DEFAULT_SIZE_M[object_class], size_m), bad


def _rectangles(objects: TrackedObjects, rows: IntArray) -> tuple[IntArray, FloatArray]:
    """The rows (M,) whose footprint has an area, and length and width (M, 2) of its smallest rotated rectangle."""
    import shapely

    points, count = _ragged_rows(objects.footprint_m, objects.footprint_count, rows)
    outline = shapely.multipoints(points[:, :2].astype(np.float64), indices=np.repeat(np.arange(len(rows)), count))
    rectangle = shapely.oriented_envelope(outline)
    has_area = shapely.get_type_id(rectangle) == shapely.GeometryType.POLYGON
    corners = shapely.get_coordinates(rectangle[has_area]).reshape(-1, 5, 2)
    sides = np.linalg.norm(corners[:, 1:3] - corners[:, 0:2], axis=2)
    return rows[has_area], np.sort(sides, axis=1)[:, ::-1]


def _ragged_rows(values: NDArray[Any], count: IntArray, rows: IntArray) -> tuple[NDArray[Any], IntArray]:
    """The elements of some of the lists that values holds one behind the other, and how many each has."""
    start = np.cumsum(count) - count
    taken = count[rows]
    before = np.cumsum(taken) - taken
    index = np.repeat(start[rows] - before, taken) + np.arange(int(taken.sum()))
    return values[index], taken


def select(objects: TrackedObjects, rows: IntArray) -> TrackedObjects:
    """Only the objects of these rows (indices), in their order."""
    label, class_count = _ragged_rows(objects.class_label, objects.class_count, rows)
    probability, _ = _ragged_rows(objects.class_probability, objects.class_count, rows)
    footprint_m, footprint_count = _ragged_rows(objects.footprint_m, objects.footprint_count, rows)
    per_object = (
        *("object_id", "existence_probability", "pose", "pose_covariance", "twist", "twist_covariance"),
        *("acceleration", "acceleration_covariance", "shape_type", "dimensions_m"),
        *("orientation_availability", "is_stationary"),
    )
    return replace(
        objects,
        **{name: getattr(objects, name)[rows] for name in per_object},
        class_count=class_count,
        class_label=label,
        class_probability=probability,
        footprint_count=footprint_count,
        footprint_m=footprint_m,
    )


def held(paths: Paths, hold: BoolArray) -> Paths:
    """The paths, with those of the objects to hold (N,) staying at their first point: one path, constant yaw."""
    if not hold.any():
        return paths
    only_first = np.zeros(paths.probability.shape[1])
    only_first[0] = 1.0
    return replace(
        paths,
        position_m=np.where(hold[:, None, None, None], paths.position_m[:, :1, :1], paths.position_m),
        yaw_rad=np.where(hold[:, None, None], paths.yaw_rad[:, :1, :1], paths.yaw_rad),
        probability=np.where(hold[:, None], only_first, paths.probability),
    )


def predicted_objects(observed: Observed, paths: Paths) -> PredictedObjects:
    """PredictedObjects of the observed rows: their objects as they are, with the paths of the same rows.

    paths: evenly spaced from time 0, likeliest first, N rows (see published_paths). A path whose probability is 0 as
    float32 is left out, the first of an object never. Raises InputError for paths of other rows and for NaN in them.
    """
    objects = observed.objects
    count, modes, points = paths.yaw_rad.shape
    if count != len(observed):
        raise InputError(f"predicted_objects: expected paths of {len(observed)} objects, got {count}")
    step_ns = round(float(paths.time_s[1]) * 1e9) if points > 1 else 0
    pose = np.empty((count, modes, points, 7))
    pose[..., :2] = paths.position_m
    pose[..., 2] = objects.pose[:, 2, None, None]
    pose[..., 3:5] = 0.0
    np.sin(0.5 * paths.yaw_rad, out=pose[..., 5])
    np.cos(0.5 * paths.yaw_rad, out=pose[..., 6])
    if not np.isfinite(pose).all():
        bad = ~_all(np.isfinite(pose))
        raise InputError(
            f"predicted_objects: expected finite paths, got NaN or infinity for {int(bad.sum())} object(s)"
        )
    # The present is the object's own pose, roll and pitch included; a guess of its orientation stays a guess.
    known = observed.frame.yaw_valid
    pose[known, :, 0, 3:] = objects.pose[known, None, 3:]
    confidence = float32_shares(paths.probability)
    kept = confidence > 0
    kept[:, :1] = True
    path_count = kept.sum(axis=1)
    total = int(path_count.sum())
    return PredictedObjects(
        stamp_ns=objects.stamp_ns,
        frame_id=objects.frame_id,
        object_id=objects.object_id,
        existence_probability=objects.existence_probability,
        class_count=objects.class_count,
        class_label=objects.class_label,
        class_probability=objects.class_probability,
        pose=objects.pose,
        pose_covariance=objects.pose_covariance,
        twist=objects.twist,
        twist_covariance=objects.twist_covariance,
        acceleration=objects.acceleration,
        acceleration_covariance=objects.acceleration_covariance,
        shape_type=objects.shape_type,
        dimensions_m=objects.dimensions_m,
        footprint_count=objects.footprint_count,
        footprint_m=objects.footprint_m,
        path_count=path_count,
        pose_count=np.full(total, points),
        path_pose=(pose if kept.all() else pose[kept]).reshape(-1, 7),
        path_step_ns=np.full(total, step_ns),
        path_confidence=confidence[kept],
    )


def float32_shares(probability: FloatArray) -> NDArray[np.float32]:
    """Probabilities (N, K) as float32 that still sum to 1 (to a float32's last place): the first takes the rounding."""
    share = probability.astype(np.float32)
    share[:, 0] += (1.0 - share.sum(axis=1, dtype=np.float64)).astype(np.float32)
    return share


def tracked_objects(frame: TrackFrame, frame_id: str = "map") -> TrackedObjects:
    """TrackedObjects as a tracker would report the frame's objects: what a scene player publishes and a bag holds.

    Sizes become bounding boxes 1.5 m high; z is 0. What observe() reads back is the same frame, ids apart where
    they are not UUIDs (object_ids): an unknown velocity is a twist of zeros with a covariance of zeros.
    """
    count = len(frame)
    yaw_rad = np.where(frame.yaw_valid, frame.yaw_rad, 0.0)
    pose, twist = np.zeros((count, 7)), np.zeros((count, 6))
    pose[:, :2] = frame.position_m
    pose[:, 3:] = quaternion(yaw_rad)
    velocity_mps = np.where(frame.velocity_valid[:, None], frame.velocity_mps, 0.0)
    twist[:, :2] = rotate(velocity_mps, -yaw_rad)
    covariance = np.diag([0.1, 0.1, 0.0, 0.0, 0.0, 0.1]).ravel()
    return TrackedObjects(
        stamp_ns=frame.timestamp_ns,
        frame_id=frame_id,
        object_id=object_ids(frame.track_id),
        existence_probability=np.ones(count, dtype=np.float32),
        class_count=np.ones(count, dtype=np.int64),
        class_label=LABEL_OF_CLASS[frame.object_class],
        class_probability=np.ones(count, dtype=np.float32),
        pose=pose,
        pose_covariance=np.tile(covariance, (count, 1)),
        twist=twist,
        twist_covariance=np.where(frame.velocity_valid[:, None], covariance, 0.0),
        acceleration=np.zeros((count, 6)),
        acceleration_covariance=np.zeros((count, 36)),
        shape_type=np.full(count, BOUNDING_BOX, dtype=np.uint8),
        dimensions_m=np.concatenate([frame.size_m, np.full((count, 1), 1.5)], axis=1),
        footprint_count=np.zeros(count, dtype=np.int64),
        footprint_m=np.zeros((0, 3), dtype=np.float32),
        orientation_availability=np.where(frame.yaw_valid, AVAILABLE, UNAVAILABLE).astype(np.uint8),
        is_stationary=np.zeros(count, dtype=np.bool_),
    )
