"""Autoware's object lists between CDR bytes and NumPy arrays, all objects at once. Needs numpy, not ROS.

The wire format is plain CDR (XCDR1): a header of 4 bytes (00 01 00 00 for little-endian), then the fields in order,
each aligned to its own size counted from behind that header. Written is little-endian; big-endian is read as well.
The fields are those of autoware_perception_msgs; see trajnet/ros/definitions.py.

Lists within an object (classification, footprint, paths) are flat arrays with a count per object: an object's elements
follow each other, objects in order. Bytes that are not a whole, well-formed message raise CdrError and nothing else,
and counts are bounds-checked against the bytes that are there before use.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajnet.errors import InputError
from trajnet.types import BoolArray, FloatArray, IntArray

UInt8Array = NDArray[np.uint8]
Float32Array = NDArray[np.float32]
Buffer = bytes | bytearray | memoryview

NS = 1_000_000_000
#: Every object has one run of float64: pose 7 and its covariance 36, twist 6 and 36, acceleration 6 and 36.
_RUN = (7, 36, 6, 36, 6, 36)
_SPLIT = np.cumsum(_RUN)[:-1]
_RUN_BYTES = 8 * sum(_RUN)
_POSE_BYTES = 56
_HEAD_BYTES, _CLASS_BYTES, _POINT_BYTES, _DIMENSIONS_BYTES = 24, 8, 12, 24
_PATH_BYTES = 16  # pose count, time step, confidence
_SMALLEST_OBJECT = _HEAD_BYTES + _RUN_BYTES + 8 + _DIMENSIONS_BYTES


class CdrError(InputError):
    """Bytes that are not the message they should be, or values that the message cannot carry."""


def _text(name: str, text: str) -> bytes:
    """Return the text as CDR carries it: UTF-8 with a NUL at its end."""
    try:
        encoded = text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise CdrError(f"{name}: expected text that UTF-8 can carry, got {text!r}") from error
    if b"\0" in encoded:
        raise CdrError(f"{name}: expected text without a NUL character, got {text!r}")
    return encoded + b"\0"


def _column(owner: str, name: str, value: Any, dtype: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    array = np.ascontiguousarray(value, dtype=dtype)
    if array.shape != shape:
        raise CdrError(f"{owner}.{name}: expected shape {shape}, got {array.shape}")
    return array


def _count_column(owner: str, name: str, value: Any, rows: int) -> IntArray:
    array = _column(owner, name, value, np.int64, (rows,))
    if array.size and array.min() < 0:
        raise CdrError(f"{owner}.{name}: expected counts of 0 or more, got {array.min()}")
    return array


@dataclass(frozen=True, eq=False)
class ObjectList:
    """What TrackedObjects and PredictedObjects have in common: N objects of one instant in one frame.

    stamp_ns: the header's time. frame_id: the frame that poses are in.
    object_id (N, 16): UUID bytes. existence_probability (N,).
    class_count (N,): classifications of each object; class_label and class_probability hold them, flat.
    pose (N, 7): x, y, z in m, quaternion x, y, z, w.
    twist, acceleration (N, 6): linear, angular, in the object's own frame.
    *_covariance (N, 36): row-major 6x6.
    shape_type (N,): 0 bounding box, 1 cylinder, 2 polygon. dimensions_m (N, 3): length, width, height.
    footprint_count (N,): polygon points of each object; footprint_m (sum, 3) holds them, in the object's own frame.
    """

    stamp_ns: int
    frame_id: str
    object_id: UInt8Array
    existence_probability: Float32Array
    class_count: IntArray
    class_label: UInt8Array
    class_probability: Float32Array
    pose: FloatArray
    pose_covariance: FloatArray
    twist: FloatArray
    twist_covariance: FloatArray
    acceleration: FloatArray
    acceleration_covariance: FloatArray
    shape_type: UInt8Array
    dimensions_m: FloatArray
    footprint_count: IntArray
    footprint_m: Float32Array

    def __post_init__(self) -> None:
        owner, put = type(self).__name__, object.__setattr__
        put(self, "stamp_ns", int(self.stamp_ns))
        if not -(2**31) <= self.stamp_ns // NS < 2**31:
            raise CdrError(f"{owner}.stamp_ns: expected a time whose seconds fit 32 bits, got {self.stamp_ns} ns")
        _text(f"{owner}.frame_id", self.frame_id)
        rows = len(np.asarray(self.object_id))
        put(self, "class_count", _count_column(owner, "class_count", self.class_count, rows))
        put(self, "footprint_count", _count_column(owner, "footprint_count", self.footprint_count, rows))
        classes, points = int(self.class_count.sum()), int(self.footprint_count.sum())
        for name, dtype, shape in (
            ("object_id", np.uint8, (rows, 16)),
            ("existence_probability", np.float32, (rows,)),
            ("class_label", np.uint8, (classes,)),
            ("class_probability", np.float32, (classes,)),
            ("pose", np.float64, (rows, 7)),
            ("pose_covariance", np.float64, (rows, 36)),
            ("twist", np.float64, (rows, 6)),
            ("twist_covariance", np.float64, (rows, 36)),
            ("acceleration", np.float64, (rows, 6)),
            ("acceleration_covariance", np.float64, (rows, 36)),
            ("shape_type", np.uint8, (rows,)),
            ("dimensions_m", np.float64, (rows, 3)),
            ("footprint_m", np.float32, (points, 3)),
        ):
            put(self, name, _column(owner, name, getattr(self, name), dtype, shape))

    def __len__(self) -> int:
        return len(self.object_id)


@dataclass(frozen=True, eq=False)
class TrackedObjects(ObjectList):
    """autoware_perception_msgs/msg/TrackedObjects as arrays.

    orientation_availability (N,): 0 unavailable, 1 sign unknown, 2 available. is_stationary (N,).
    """

    orientation_availability: UInt8Array
    is_stationary: BoolArray

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, dtype in (("orientation_availability", np.uint8), ("is_stationary", np.bool_)):
            object.__setattr__(self, name, _column("TrackedObjects", name, getattr(self, name), dtype, (len(self),)))


@dataclass(frozen=True, eq=False)
class PredictedObjects(ObjectList):
    """autoware_perception_msgs/msg/PredictedObjects as arrays; pose, twist and acceleration are the initial ones.

    path_count (N,): paths of each object, P in all.
    pose_count (P,): poses of each path; path_pose (sum, 7) holds them, flat.
    path_step_ns (P,): time between poses. path_confidence (P,).
    """

    path_count: IntArray
    pose_count: IntArray
    path_pose: FloatArray
    path_step_ns: IntArray
    path_confidence: Float32Array

    def __post_init__(self) -> None:
        super().__post_init__()
        owner, put = "PredictedObjects", object.__setattr__
        put(self, "path_count", _count_column(owner, "path_count", self.path_count, len(self)))
        paths = int(self.path_count.sum())
        put(self, "pose_count", _count_column(owner, "pose_count", self.pose_count, paths))
        for name, dtype, shape in (
            ("path_pose", np.float64, (int(self.pose_count.sum()), 7)),
            ("path_step_ns", np.int64, (paths,)),
            ("path_confidence", np.float32, (paths,)),
        ):
            put(self, name, _column(owner, name, getattr(self, name), dtype, shape))
        seconds = self.path_step_ns // NS
        if paths and not -(2**31) <= seconds.min() <= seconds.max() < 2**31:
            got = f"{seconds.min()} s to {seconds.max()} s"
            raise CdrError(f"{owner}.path_step_ns: expected durations whose seconds fit 32 bits, got {got}")


class _Records(NamedTuple):
    """The dtypes of one byte order. Their offsets include the padding."""

    head: np.dtype[Any]
    classification: np.dtype[Any]
    flags: np.dtype[Any]
    shape: np.dtype[Any]
    path_end: np.dtype[Any]
    f4: np.dtype[Any]
    f8: np.dtype[Any]


@lru_cache(maxsize=2)
def _records(order: str) -> _Records:
    u4, f4 = order + "u4", order + "f4"
    return _Records(
        head=np.dtype([("object_id", "u1", (16,)), ("existence_probability", f4), ("classes", u4)]),
        classification=np.dtype([("label", "u1"), ("_", "V3"), ("probability", f4)]),
        flags=np.dtype([("orientation", "u1"), ("stationary", "u1"), ("shape", "u1"), ("_", "V1"), ("points", u4)]),
        shape=np.dtype([("shape", "u1"), ("_", "V3"), ("points", u4)]),
        path_end=np.dtype([("sec", order + "i4"), ("nanosec", u4), ("confidence", f4)]),
        f4=np.dtype(f4),
        f8=np.dtype(order + "f8"),
    )


# --- reading ---------------------------------------------------------------------------------------------------------


class _Start(NamedTuple):
    payload: memoryview
    order: str
    stamp_ns: int
    frame_id: str
    object_count: int
    first_at: int


def _open(data: Buffer, what: str) -> _Start:
    """Read the header and the number of objects, checked against the bytes that are there."""
    raw = np.frombuffer(data, dtype=np.uint8)
    if len(raw) < 4:
        raise CdrError(f"{what}: expected a CDR message, got {len(raw)} byte(s)")
    orders = {(0, 1): "<", (0, 0): ">"}
    order = orders.get((int(raw[0]), int(raw[1])))
    if order is None:
        raise CdrError(f"{what}: expected plain CDR (first bytes 00 01 or 00 00), got {raw[0]:02x} {raw[1]:02x}")
    payload = raw[4:].data
    if len(payload) < 12:
        raise CdrError(f"{what}: truncated in the header, {len(raw)} bytes")
    sec, nanosec, length = struct.unpack_from(order + "iII", payload)
    if nanosec >= NS:
        raise CdrError(f"{what}: header.stamp.nanosec: expected below {NS}, got {nanosec}")
    count_at = (12 + length + 3) & ~3
    if count_at + 4 > len(payload):
        raise CdrError(f"{what}: truncated: a frame_id of {length} bytes in a message of {len(raw)} bytes")
    text = payload[12 : 12 + length].tobytes()
    text = text[:-1] if text.endswith(b"\0") else text
    try:
        frame_id = text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CdrError(f"{what}: header.frame_id: expected UTF-8, got {text[:40]!r}") from error
    (count,) = struct.unpack_from(order + "I", payload, count_at)
    if count * _SMALLEST_OBJECT > len(payload) - count_at:
        raise CdrError(f"{what}: truncated: {count} objects do not fit into {len(raw)} bytes")
    return _Start(payload, order, sec * NS + nanosec, frame_id, count, count_at + 4)


class _Where(NamedTuple):
    """Byte offsets in the payload, one per object or path, as found by walking over the counts."""

    object_at: list[int]
    run_at: list[int]
    flags_at: list[int]
    dimensions_at: list[int]
    class_count: list[int]
    point_count: list[int]
    path_count: list[int]
    path_at: list[int]
    pose_count: list[int]


def _walk(start: _Start, what: str, with_paths: bool) -> _Where:
    payload, end, at = start.payload, len(start.payload), start.first_at
    unpack = struct.Struct(start.order + "I").unpack_from
    where = _Where([], [], [], [], [], [], [], [], [])

    def need(until: int) -> None:
        if until > end:
            which = f"object {len(where.object_at)} of {start.object_count}"
            raise CdrError(
                f"{what}: truncated in {which}: {until - end} bytes are missing behind the {end + 4} there are"
            )

    for _ in range(start.object_count):
        where.object_at.append(at)
        need(at + _HEAD_BYTES)
        classes = unpack(payload, at + 20)[0]
        run_at = (at + _HEAD_BYTES + _CLASS_BYTES * classes + 7) & ~7
        flags_at = run_at + _RUN_BYTES
        need(flags_at + 8)
        if with_paths:
            paths = unpack(payload, flags_at)[0]
            flags_at += 4
            need(flags_at + _PATH_BYTES * paths + 8)
            for _ in range(paths):
                need(flags_at + 4)
                poses = unpack(payload, flags_at)[0]
                where.path_at.append(flags_at)
                where.pose_count.append(poses)
                flags_at += _PATH_BYTES + _POSE_BYTES * poses
            need(flags_at + 8)
            where.path_count.append(paths)
        points = unpack(payload, flags_at + 4)[0]
        dimensions_at = (flags_at + 8 + _POINT_BYTES * points + 7) & ~7
        at = dimensions_at + _DIMENSIONS_BYTES
        need(at)
        where.run_at.append(run_at)
        where.flags_at.append(flags_at)
        where.dimensions_at.append(dimensions_at)
        where.class_count.append(classes)
        where.point_count.append(points)
    if end - at > 3:
        raise CdrError(
            f"{what}: expected the message to end after {start.object_count} objects, got {end - at} bytes more"
        )
    return where


def _gather(payload: memoryview, at: IntArray, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Copy the records that start at each of the byte offsets, whatever their distance: (M,) -> (M,) of dtype."""
    if not len(at):
        return np.empty(0, dtype)
    window = np.ndarray((len(payload) - dtype.itemsize + 1,), f"V{dtype.itemsize}", payload, strides=(1,))
    return window[at].view(dtype)


def _elements_at(first_at: IntArray, count: IntArray, size: int) -> IntArray:
    """Byte offsets of the elements of several lists: list i has count[i] elements of size bytes from first_at[i]."""
    total = int(count.sum())
    before = np.cumsum(count) - count
    offsets: IntArray = np.repeat(first_at - before * size, count) + np.arange(total) * size
    return offsets


def _gather_rows(payload: memoryview, at: IntArray, dtype: np.dtype[Any], columns: int) -> NDArray[Any]:
    """As _gather, for rows of plain numbers: (M,) -> (M, columns)."""
    raw = _gather(payload, at, np.dtype((np.void, dtype.itemsize * columns)))
    return raw.view(dtype).reshape(len(at), columns)


def _ints(values: list[int]) -> IntArray:
    return np.array(values, dtype=np.int64)


def _common(start: _Start, where: _Where, records: _Records, flags: NDArray[Any]) -> dict[str, Any]:
    """Read the fields of ObjectList."""
    payload = start.payload
    object_at, flags_at = _ints(where.object_at), _ints(where.flags_at)
    class_count, footprint_count = _ints(where.class_count), _ints(where.point_count)
    classes_at = _elements_at(object_at + _HEAD_BYTES, class_count, _CLASS_BYTES)
    points_at = _elements_at(flags_at + 8, footprint_count, _POINT_BYTES)
    head = _gather(payload, object_at, records.head)
    classes = _gather(payload, classes_at, records.classification)
    run = _gather_rows(payload, _ints(where.run_at), records.f8, sum(_RUN))
    pose, pose_covariance, twist, twist_covariance, acceleration, acceleration_covariance = np.split(
        run, _SPLIT, axis=1
    )
    return {
        "stamp_ns": start.stamp_ns,
        "frame_id": start.frame_id,
        "object_id": head["object_id"],
        "existence_probability": head["existence_probability"],
        "class_count": class_count,
        "class_label": classes["label"],
        "class_probability": classes["probability"],
        "pose": pose,
        "pose_covariance": pose_covariance,
        "twist": twist,
        "twist_covariance": twist_covariance,
        "acceleration": acceleration,
        "acceleration_covariance": acceleration_covariance,
        "shape_type": flags["shape"],
        "dimensions_m": _gather_rows(payload, _ints(where.dimensions_at), records.f8, 3),
        "footprint_count": footprint_count,
        "footprint_m": _gather_rows(payload, points_at, records.f4, 3),
    }


class MessageHeader(NamedTuple):
    """The std_msgs/Header of an object list."""

    stamp_ns: int
    frame_id: str


def decode_header(data: Buffer) -> MessageHeader:
    """Return the header of an object list from its CDR bytes. CdrError where even that cannot be read."""
    start = _open(data, "header")
    return MessageHeader(start.stamp_ns, start.frame_id)


def decode_tracked(data: Buffer) -> TrackedObjects:
    """TrackedObjects from CDR bytes. CdrError for anything that is not one whole message."""
    start = _open(data, "TrackedObjects")
    where = _walk(start, "TrackedObjects", with_paths=False)
    records = _records(start.order)
    flags = _gather(start.payload, _ints(where.flags_at), records.flags)
    if start.object_count and flags["stationary"].max() > 1:
        raise CdrError(f"TrackedObjects: is_stationary: expected 0 or 1, got {flags['stationary'].max()}")
    return TrackedObjects(
        **_common(start, where, records, flags),
        orientation_availability=flags["orientation"],
        is_stationary=flags["stationary"],
    )


def decode_predicted(data: Buffer) -> PredictedObjects:
    """PredictedObjects from CDR bytes. CdrError for anything that is not one whole message."""
    start = _open(data, "PredictedObjects")
    where = _walk(start, "PredictedObjects", with_paths=True)
    records = _records(start.order)
    shape = _gather(start.payload, _ints(where.flags_at), records.shape)
    path_at, pose_count = _ints(where.path_at), _ints(where.pose_count)
    poses_at = _elements_at(path_at + 4, pose_count, _POSE_BYTES)
    end = _gather(start.payload, path_at + 4 + _POSE_BYTES * pose_count, records.path_end)
    if len(end) and end["nanosec"].max() >= NS:
        raise CdrError(f"PredictedObjects: time_step.nanosec: expected below {NS}, got {end['nanosec'].max()}")
    return PredictedObjects(
        **_common(start, where, records, shape),
        path_count=_ints(where.path_count),
        pose_count=pose_count,
        path_pose=_gather_rows(start.payload, poses_at, records.f8, 7),
        path_step_ns=end["sec"].astype(np.int64) * NS + end["nanosec"],
        path_confidence=end["confidence"],
    )


# --- writing ---------------------------------------------------------------------------------------------------------


def _scatter(payload: memoryview, at: IntArray, rows: NDArray[Any]) -> None:
    """Write row i of rows at byte offset at[i] of the payload."""
    if len(at):
        size = rows.nbytes // len(at)
        window = np.ndarray((len(payload) - size + 1,), f"V{size}", payload, strides=(1,))
        window[at] = np.ascontiguousarray(rows).reshape(len(at), -1).view(f"V{size}")[:, 0]


def _begin(objects: ObjectList, middle_bytes: IntArray) -> tuple[bytearray, IntArray]:
    """Make a zeroed message with the fields of ObjectList written, but those between the run and the footprint.

    middle_bytes (N,): how many bytes lie between the run and the footprint's points. Returns the buffer and
    the payload's offset of each object's first byte behind the run.
    """
    count = len(objects)
    text = _text("frame_id", objects.frame_id)
    first_at = ((12 + len(text) + 3) & ~3) + 4
    # Every object but the first starts at a multiple of 8; the run of the first is where it would be if that did too.
    before_points = _HEAD_BYTES + _CLASS_BYTES * objects.class_count + _RUN_BYTES + middle_bytes
    before_dimensions = (before_points + _POINT_BYTES * objects.footprint_count + 7) & ~7
    object_bytes = before_dimensions + _DIMENSIONS_BYTES
    nominal_at = ((first_at + 7) & ~7) + np.cumsum(object_bytes) - object_bytes
    object_at = nominal_at.copy()
    object_at[:1] = first_at
    buffer = bytearray(4 + (int(nominal_at[-1] + object_bytes[-1]) if count else first_at))
    payload = memoryview(buffer)[4:]
    sec, nanosec = divmod(objects.stamp_ns, NS)
    struct.pack_into(f"<BBHiII{len(text)}s", buffer, 0, 0, 1, 0, sec, nanosec, len(text), text)
    struct.pack_into("<I", payload, first_at - 4, count)

    records = _records("<")
    head = np.empty(count, records.head)
    head["object_id"] = objects.object_id
    head["existence_probability"] = objects.existence_probability
    head["classes"] = objects.class_count
    _scatter(payload, object_at, head)
    classes = np.zeros(len(objects.class_label), records.classification)
    classes["label"] = objects.class_label
    classes["probability"] = objects.class_probability
    _scatter(payload, _elements_at(object_at + _HEAD_BYTES, objects.class_count, _CLASS_BYTES), classes)
    run = np.concatenate(
        [
            objects.pose,
            objects.pose_covariance,
            objects.twist,
            objects.twist_covariance,
            objects.acceleration,
            objects.acceleration_covariance,
        ],
        axis=1,
    )
    run_at = nominal_at + _HEAD_BYTES + _CLASS_BYTES * objects.class_count
    _scatter(payload, run_at, run.astype(records.f8, copy=False))
    points_at = _elements_at(nominal_at + before_points, objects.footprint_count, _POINT_BYTES)
    _scatter(payload, points_at, objects.footprint_m.astype(records.f4, copy=False))
    _scatter(payload, nominal_at + before_dimensions, objects.dimensions_m.astype(records.f8, copy=False))
    return buffer, run_at + _RUN_BYTES


def encode_tracked(objects: TrackedObjects) -> bytes:
    """CDR bytes, the same as rclpy's for the same message."""
    buffer, flags_at = _begin(objects, np.full(len(objects), 8, dtype=np.int64))
    flags = np.zeros(len(objects), _records("<").flags)
    flags["orientation"] = objects.orientation_availability
    flags["stationary"] = objects.is_stationary
    flags["shape"] = objects.shape_type
    flags["points"] = objects.footprint_count
    _scatter(memoryview(buffer)[4:], flags_at, flags)
    return bytes(buffer)


def encode_predicted(objects: PredictedObjects) -> bytes:
    """CDR bytes, the same as rclpy's for the same message."""
    records = _records("<")
    path_bytes = _PATH_BYTES + _POSE_BYTES * objects.pose_count
    before_path = np.concatenate([[0], np.cumsum(path_bytes)])
    first_path = np.concatenate([[0], np.cumsum(objects.path_count)])
    paths_begin, paths_end = before_path[first_path[:-1]], before_path[first_path[1:]]
    buffer, paths_at = _begin(objects, 4 + (paths_end - paths_begin) + 8)
    payload = memoryview(buffer)[4:]
    _scatter(payload, paths_at, objects.path_count.astype("<u4"))

    path_at = np.repeat(paths_at + 4 - paths_begin, objects.path_count) + before_path[:-1]
    poses_end = path_at + 4 + _POSE_BYTES * objects.pose_count
    _scatter(payload, path_at, objects.pose_count.astype("<u4"))
    poses_at = _elements_at(path_at + 4, objects.pose_count, _POSE_BYTES)
    _scatter(payload, poses_at, objects.path_pose.astype(records.f8, copy=False))
    end = np.empty(len(path_at), records.path_end)
    end["sec"], end["nanosec"] = objects.path_step_ns // NS, objects.path_step_ns % NS
    end["confidence"] = objects.path_confidence
    _scatter(payload, poses_end, end)

    shape = np.zeros(len(objects), records.shape)
    shape["shape"] = objects.shape_type
    shape["points"] = objects.footprint_count
    _scatter(payload, paths_at + 4 + paths_end - paths_begin, shape)
    return bytes(buffer)
