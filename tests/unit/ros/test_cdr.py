"""The CDR codec without ROS: against rosbags' codec, both byte orders, and every way in which bytes can be wrong."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.ros.fuzz_cdr import Fuzz
from tests.ros.object_strategies import predicted, tracked
from tests.ros.random_objects import assert_same, random_predicted, random_tracked
from trajnet.errors import InputError
from trajnet.ros.cdr import (
    CdrError,
    ObjectList,
    PredictedObjects,
    TrackedObjects,
    decode_predicted,
    decode_tracked,
    encode_predicted,
    encode_tracked,
)
from trajnet.ros.definitions import DEFINITIONS, PREDICTED_OBJECTS, TRACKED_OBJECTS

ROUNDS = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def store() -> Any:
    rosbags = pytest.importorskip("rosbags.typesys")
    types = rosbags.get_typestore(rosbags.Stores.ROS2_JAZZY)
    for name, text in DEFINITIONS.items():
        types.register(rosbags.get_types_from_msg(text, name))
    return types


def small_tracked() -> TrackedObjects:
    return random_tracked(1, [1, 0, 3], [0, 3, 1], "map", 1_500_000_000, special=False)


def small_predicted() -> PredictedObjects:
    return random_predicted(2, [1, 2], [0, 3], [[3, 0, 2], []], "map", 1_500_000_000, special=False)


# A message of one object with one classification and no footprint in frame "map": offsets behind the 4-byte header.
COUNT_AT, FIRST_AT = 16, 20
CLASSES_AT = FIRST_AT + 20
FLAGS_AT = 24 + 24 + 8 + 1016  # the run of float64 begins at a multiple of 8
ONE = random_tracked(3, [1], [0], "map", 0, special=False)
ONE_PREDICTED = random_predicted(3, [1], [0], [[2]], "map", 0, special=False)


def patched(data: bytes, at: int, layout: str, value: int) -> bytes:
    """Return the message with one value in its payload replaced."""
    raw = bytearray(data)
    struct.pack_into(layout, raw, 4 + at, value)
    return bytes(raw)


@ROUNDS
@given(objects=tracked())
def test_tracked_objects_equal_rosbags_in_both_byte_orders(store: Any, objects: TrackedObjects) -> None:
    data = encode_tracked(objects)
    message = store.deserialize_cdr(data, TRACKED_OBJECTS)
    assert message.header.frame_id == objects.frame_id
    assert bytes(store.serialize_cdr(message, TRACKED_OBJECTS)) == data
    assert_same(decode_tracked(data), objects)
    assert_same(decode_tracked(bytes(store.serialize_cdr(message, TRACKED_OBJECTS, little_endian=False))), objects)


@ROUNDS
@given(objects=predicted())
def test_predicted_objects_equal_rosbags_in_both_byte_orders(store: Any, objects: PredictedObjects) -> None:
    data = encode_predicted(objects)
    message = store.deserialize_cdr(data, PREDICTED_OBJECTS)
    assert bytes(store.serialize_cdr(message, PREDICTED_OBJECTS)) == data
    assert_same(decode_predicted(data), objects)
    assert_same(decode_predicted(bytes(store.serialize_cdr(message, PREDICTED_OBJECTS, little_endian=False))), objects)


def test_fields_arrive_where_rosbags_finds_them(store: Any) -> None:
    objects = small_tracked()
    message = store.deserialize_cdr(encode_tracked(objects), TRACKED_OBJECTS)
    assert (message.header.stamp.sec, message.header.stamp.nanosec) == (1, 500_000_000)
    third = message.objects[2]
    assert [c.label for c in third.classification] == list(objects.class_label[1:])
    assert third.kinematics.pose_with_covariance.pose.orientation.w == objects.pose[2, 6]
    assert third.kinematics.twist_with_covariance.twist.angular.z == objects.twist[2, 5]
    assert third.kinematics.is_stationary == objects.is_stationary[2]
    assert third.shape.dimensions.z == objects.dimensions_m[2, 2]
    assert [p.y for p in message.objects[1].shape.footprint.points] == list(objects.footprint_m[:3, 1])


def test_no_objects() -> None:
    empty = decode_tracked(encode_tracked(random_tracked(0, [], [], "")))
    assert len(empty) == 0
    assert empty.pose.shape == (0, 7)
    assert empty.frame_id == ""
    assert len(decode_predicted(encode_predicted(random_predicted(0, [], [], [])))) == 0


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_buffer_is_read(kind: Callable[[bytes], Any]) -> None:
    assert_same(decode_tracked(kind(encode_tracked(small_tracked()))), small_tracked())


def test_decoded_arrays_do_not_depend_on_the_buffer() -> None:
    raw = bytearray(encode_tracked(small_tracked()))
    objects = decode_tracked(raw)
    raw[:] = bytes(len(raw))
    assert_same(objects, small_tracked())


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "0 byte"),
        (b"\0\1\0", "3 byte"),
        (b"\0\1\0\0", "truncated"),
        (b"\0\3\0\0" + bytes(100), "00 03"),
        (b"\0\7\0\0" + bytes(100), "00 07"),
        (b"garbage that is no message at all", "67 61"),
    ],
)
def test_what_is_no_cdr_message_is_refused(data: bytes, says: str) -> None:
    for decode in (decode_tracked, decode_predicted):
        with pytest.raises(CdrError, match=says):
            decode(data)


@pytest.mark.parametrize(
    ("data", "decode"),
    [(encode_tracked(small_tracked()), decode_tracked), (encode_predicted(small_predicted()), decode_predicted)],
    ids=["tracked", "predicted"],
)
def test_every_truncation_and_every_extension_is_refused(data: bytes, decode: Callable[[bytes], ObjectList]) -> None:
    for length in range(len(data)):
        with pytest.raises(CdrError):
            decode(data[:length])
    for more in range(4, 40):
        with pytest.raises(CdrError, match="more"):
            decode(data + bytes(more))
    for padding in range(4):  # what some middleware appends to fill a 4-byte word
        assert len(decode(data + bytes(padding))) > 0


@pytest.mark.parametrize("count", [5, 1000, 2**31 - 1, 2**32 - 1])
@pytest.mark.parametrize(
    ("data", "at", "decode"),
    [
        (encode_tracked(ONE), 8, decode_tracked),  # length of the frame_id
        (encode_tracked(ONE), COUNT_AT, decode_tracked),
        (encode_tracked(ONE), CLASSES_AT, decode_tracked),
        (encode_tracked(ONE), FLAGS_AT + 4, decode_tracked),  # footprint
        (encode_predicted(ONE_PREDICTED), FLAGS_AT, decode_predicted),  # paths
        (encode_predicted(ONE_PREDICTED), FLAGS_AT + 4, decode_predicted),  # poses
    ],
    ids=["text", "objects", "classes", "points", "paths", "poses"],
)
def test_a_count_beyond_the_bytes_is_refused(
    data: bytes, at: int, decode: Callable[[bytes], ObjectList], count: int
) -> None:
    with pytest.raises(CdrError):
        decode(patched(data, at, "<I", count))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (patched(encode_tracked(ONE), 4, "<I", 10**9), "nanosec"),
        (patched(encode_tracked(ONE), 12, "B", 0xFF), "UTF-8"),
        (patched(encode_tracked(ONE), 13, "B", 0), "NUL"),
        (patched(encode_tracked(ONE), FLAGS_AT + 1, "B", 2), "is_stationary"),
    ],
)
def test_values_that_no_message_has_are_refused(data: bytes, says: str) -> None:
    with pytest.raises(CdrError, match=says):
        decode_tracked(data)


def test_time_step_out_of_range_is_refused() -> None:
    at = FLAGS_AT + 4 + 4 + 2 * 56
    with pytest.raises(CdrError, match="nanosec"):
        decode_predicted(patched(encode_predicted(ONE_PREDICTED), at + 4, "<I", 10**9))


def test_text_without_its_nul_and_text_of_length_0_are_read() -> None:
    data = encode_tracked(replace(ONE, frame_id=""))
    assert decode_tracked(patched(data, 12, "B", ord("x"))).frame_id == "x"
    header = struct.pack("<BBHiIII", 0, 1, 0, 0, 0, 0, 0)
    assert decode_tracked(header).frame_id == ""


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"stamp_ns": 2**31 * 10**9}, "stamp_ns"),
        ({"stamp_ns": -(2**31) * 10**9 - 1}, "stamp_ns"),
        ({"frame_id": "a\0b"}, "frame_id"),
        ({"frame_id": "\ud800"}, "frame_id"),
        ({"pose": np.zeros((1, 6))}, r"pose: expected shape \(1, 7\), got \(1, 6\)"),
        ({"class_count": np.array([-1])}, "class_count"),
        ({"class_count": np.array([2])}, "class_label"),
        ({"footprint_m": np.zeros((1, 3))}, "footprint_m"),
    ],
)
def test_arrays_that_make_no_message_are_refused(change: dict[str, Any], says: str) -> None:
    with pytest.raises(CdrError, match=says):
        replace(ONE, **change)


def test_cdr_errors_are_input_errors() -> None:
    assert issubclass(CdrError, InputError)


@ROUNDS
@given(st.binary(max_size=3000))
def test_random_bytes_raise_nothing_else(data: bytes) -> None:
    for decode in (decode_tracked, decode_predicted):
        for start in (b"", b"\0\1\0\0", b"\0\0\0\0"):
            with contextlib.suppress(CdrError):
                decode(start + data)


def test_short_fuzz() -> None:
    report = Fuzz(seed=7).run(inputs=5000)
    assert report.inputs == 5000
    assert report.refused > 1000
    assert report.decoded > 100
