"""Transforms between frames, with poses that can be computed by hand."""

from __future__ import annotations

import math

import pytest

from trajnet.ros.cdr import CdrError
from trajnet.ros.cdr_writer import CdrWriter
from trajnet.ros.transforms import (
    EXTRAPOLATION_S,
    KEPT_S,
    MAX_FRAMES,
    MAX_KEPT,
    Transform,
    TransformBuffer,
    TransformError,
    decode_transforms,
)

S = 1_000_000_000
HALF = math.sqrt(0.5)
#: A quarter turn to the left.
LEFT = (0.0, 0.0, HALF, HALF)
AHEAD = (0.0, 0.0, 0.0, 1.0)


def tf(
    stamp_ns: int,
    parent: str,
    child: str,
    place_m: tuple[float, float, float],
    quaternion: tuple[float, float, float, float] = AHEAD,
) -> bytes:
    writer = CdrWriter()
    writer.put("I", 1)
    writer.header(stamp_ns, parent)
    writer.text(child)
    writer.put("ddddddd", *place_m, *quaternion)
    return writer.bytes()


def moved(transform: Transform, x: float, y: float, z: float = 0.0) -> list[float]:
    return [float(value) for value in transform.rotation @ [x, y, z] + transform.translation_m]


def test_a_chain_up_and_down_again() -> None:
    buffer = TransformBuffer()
    buffer.add(tf(0, "map", "odom", (100.0, 0.0, 0.0), LEFT), static=True)
    buffer.add(tf(S, "/odom", "/base_link", (10.0, 0.0, 1.0)), static=False)
    buffer.add(tf(0, "map", "camera", (0.0, 5.0, 0.0)), static=True)
    base = buffer.find("map", "base_link", S)
    assert moved(base, 0, 0) == pytest.approx([100.0, 10.0, 1.0])
    assert moved(base, 2, 0) == pytest.approx([100.0, 12.0, 1.0])  # ahead of the vehicle is along y of the map
    assert moved(buffer.find("camera", "/base_link", S), 2, 0) == pytest.approx([100.0, 7.0, 1.0])
    back = buffer.find("base_link", "map", S)
    assert moved(back, 100.0, 12.0, 1.0) == pytest.approx([2.0, 0.0, 0.0])
    assert buffer.extrapolated == 0


def test_between_two_times_it_is_interpolated_the_shorter_way_round() -> None:
    buffer = TransformBuffer()
    opposite = (0.0, 0.0, -HALF, -HALF)  # the same quarter turn, of the other sign
    buffer.add(tf(0, "map", "base_link", (0.0, 0.0, 0.0)), static=False)
    buffer.add(tf(S, "map", "base_link", (10.0, 0.0, 0.0), opposite), static=False)
    third = buffer.find("map", "base_link", S // 3)
    assert third.translation_m == pytest.approx([10 / 3, 0, 0], abs=1e-6)
    assert third.quaternion == pytest.approx([0, 0, math.sin(math.pi / 12), math.cos(math.pi / 12)], abs=1e-6)
    beyond = buffer.find("map", "base_link", S + S // 10)
    assert beyond.translation_m == pytest.approx([11, 0, 0])
    assert 2 * math.acos(beyond.quaternion[3]) == pytest.approx(1.1 * math.pi / 2)
    assert buffer.extrapolated == 1


def test_what_is_not_known_is_said_why() -> None:
    buffer = TransformBuffer()
    with pytest.raises(TransformError, match="no transform leads from 'odom' to 'map'"):
        buffer.find("map", "odom", 0)
    buffer.add(tf(10 * S, "map", "odom", (0.0, 0.0, 0.0)), static=False)
    assert moved(buffer.find("map", "odom", 10 * S), 1, 0) == [1, 0, 0]
    with pytest.raises(TransformError, match="odom to map came only once yet"):
        buffer.find("map", "odom", 10 * S + 1)
    buffer.add(tf(11 * S, "map", "odom", (0.0, 0.0, 0.0)), static=False)
    with pytest.raises(TransformError, match=r"odom to map is known only from 1.000 s after the objects on"):
        buffer.find("map", "odom", 9 * S)
    with pytest.raises(TransformError, match=r"odom to map is 0.300 s older than the objects"):
        buffer.find("map", "odom", 11 * S + 3 * S // 10)
    assert buffer.find("map", "odom", 11 * S + int(EXTRAPOLATION_S * S))


def test_what_is_kept_is_bounded_in_time_in_number_and_in_frames() -> None:
    buffer = TransformBuffer()
    for second in range(20):
        buffer.add(tf(second * S, "map", "odom", (0.0, 0.0, 0.0)), static=False)
    history = buffer._frames["odom"]
    assert history.stamps_ns[0] == 19 * S - int(KEPT_S * S)
    assert len(history.transforms) == len(history.stamps_ns) == 11
    for number in range(MAX_KEPT + 10):
        buffer.add(tf(20 * S + number, "map", "odom", (0.0, 0.0, 0.0)), static=False)
    assert len(history.transforms) == len(history.stamps_ns) == MAX_KEPT
    for number in range(MAX_FRAMES + 10):
        buffer.add(tf(0, "map", f"frame_{number}", (0.0, 0.0, 0.0)), static=True)
    assert len(buffer._frames) == MAX_FRAMES


def test_a_clock_that_begins_anew_and_a_static_frame_that_is_said_again() -> None:
    buffer = TransformBuffer()
    for second in (100, 101, 1, 2):
        buffer.add(tf(second * S, "map", "odom", (float(second), 0.0, 0.0)), static=False)
    assert buffer.find("map", "odom", 3 * S // 2).translation_m[0] == pytest.approx(1.5)
    buffer.add(tf(9 * S, "odom", "lidar", (1.0, 0.0, 0.0)), static=True)
    buffer.add(tf(8 * S, "odom", "lidar", (2.0, 0.0, 0.0)), static=True)
    assert buffer.find("odom", "lidar", 0).translation_m[0] == 2.0


def test_a_circle_of_frames_ends() -> None:
    buffer = TransformBuffer()
    buffer.add(tf(0, "a", "b", (1.0, 0.0, 0.0)), static=True)
    buffer.add(tf(0, "b", "a", (1.0, 0.0, 0.0)), static=True)
    with pytest.raises(TransformError, match="no transform leads"):
        buffer.find("map", "a", 0)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "expected a CDR header"),
        (tf(0, "map", "odom", (0.0, 0.0, 0.0))[:-1], "expected 8 bytes more, got 7"),
        (tf(0, "map", "odom", (0.0, math.nan, 0.0)), "'odom' to 'map': expected finite numbers and a rotation"),
        (tf(0, "map", "odom", (0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 0.0)), "expected finite numbers and a rotation"),
        (tf(0, "map", "odom", (0.0, 0.0, 0.0), (0.0, 0.0, 1e200, 1e200)), "expected finite numbers and a rotation"),
    ],
)
def test_broken_messages_are_refused(data: bytes, complaint: str) -> None:
    with pytest.raises(CdrError, match=complaint):
        decode_transforms(data)
