"""Headings that contradict the motion: reversed, placeholders, noise; and those that only seem to."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import ArrayLike

from tests.frames import frame
from trajnet.tracking.heading_doubt import REVERSE_MPS, doubted
from trajnet.tracking.state import DISPLACED, DOUBT, KNOWN_COLUMNS, POSE_COLUMNS, STEADY
from trajnet.tracking.store import Observations, TrackPolicy, TrackStore
from trajnet.types import FloatArray, ObjectClass

CAR, BICYCLE, WALKER = ObjectClass.CAR, ObjectClass.BICYCLE, ObjectClass.PEDESTRIAN
SPEED_MPS = {CAR: 8.0, BICYCLE: 5.0, WALKER: 1.4, ObjectClass.BUS: 8.0, ObjectClass.UNKNOWN: 1.4}


def driven(
    off_rad: ArrayLike, *, kind: ObjectClass = CAR, speed_mps: ArrayLike | None = None, step_s: float = 0.1,
    course_rad: float = 0.7, measures_velocity: bool = True, store: TrackStore | None = None, steps: int = 30,
) -> list[Observations]:  # fmt: skip
    """An object that goes straight on along course_rad and says that it points off_rad beside it, for each frame."""
    store = store or TrackStore()
    way, seen = np.array([np.cos(course_rad), np.sin(course_rad)]), []
    speeds_mps = np.broadcast_to(SPEED_MPS[kind] if speed_mps is None else speed_mps, (steps,))
    gone_m = np.cumsum(speeds_mps * step_s)
    for i, off in enumerate(np.broadcast_to(off_rad, (steps,))):
        x_m, y_m = gone_m[i] * way
        velocity = speeds_mps[i] * way if measures_velocity else None
        one = frame(step_s * i, {"a": (x_m, y_m)}, kind=kind, yaw=course_rad + float(off), velocity=velocity)
        observations = store.update(one, one.timestamp_ns)[1]
        assert observations is not None
        seen.append(observations)
    return seen


def valid(seen: list[Observations]) -> list[bool]:
    return [bool(one.yaw_valid[0]) for one in seen]


def off_course(seen: list[Observations], course_rad: float = 0.7) -> FloatArray:
    """How far the headings that are used point beside the course, rad."""
    return np.abs([np.angle(np.exp(1j * (one.yaw_rad[0] - course_rad))) for one in seen])


@pytest.mark.parametrize("kind", SPEED_MPS)
@pytest.mark.parametrize("step_s", [0.02, 0.1, 0.5])
def test_a_heading_along_the_motion_is_believed(kind: ObjectClass, step_s: float) -> None:
    store = TrackStore()
    assert all(valid(driven(0.1, kind=kind, step_s=step_s, store=store)))
    assert store.counters.implausible_heading == 0


@pytest.mark.parametrize("kind", SPEED_MPS)
def test_reversed_headings_are_those_of_the_motion(kind: ObjectClass) -> None:
    store = TrackStore()
    seen = driven(np.pi, kind=kind, store=store)
    assert not any(valid(seen))
    assert off_course(seen).max() < 1e-6
    assert store.counters.implausible_heading == len(seen)


def test_one_reversed_row_costs_itself_only() -> None:
    seen = driven(np.where(np.arange(30) == 12, np.pi, 0.0))
    assert [i for i, there in enumerate(valid(seen)) if not there] == [12]
    assert off_course(seen).max() < 1e-6


@pytest.mark.parametrize(("kind", "off_deg", "believed"), [
    (CAR, 12, True), (CAR, 25, False), (BICYCLE, 15, True), (BICYCLE, 30, False), (WALKER, 20, True),
    (WALKER, 40, False),
])  # fmt: skip
def test_what_is_off_for_long_is_doubted_after_a_while(kind: ObjectClass, off_deg: float, believed: bool) -> None:
    """Less than one row alone would have to be off by."""
    seen = valid(driven(np.radians(off_deg), kind=kind, steps=40))
    assert seen[0]
    assert seen[-1] == believed


def test_noise_of_five_degrees_is_believed() -> None:
    rng = np.random.default_rng(0)
    for kind in (CAR, BICYCLE, WALKER):
        assert all(valid(driven(rng.normal(0.0, np.radians(5.0), 300), kind=kind, steps=300)))


def test_a_track_keeps_its_doubt_where_it_stands_and_loses_it_when_it_is_right_again() -> None:
    speed_mps = np.r_[np.full(20, 8.0), np.zeros(20), np.full(40, 8.0)]
    off_rad = np.r_[np.full(40, np.pi), np.zeros(40)]
    seen = valid(driven(off_rad, speed_mps=speed_mps, steps=80))
    assert not any(seen[:40])
    assert seen[-1]


@pytest.mark.parametrize("kind", [CAR, ObjectClass.TRUCK, ObjectClass.BUS])
@pytest.mark.parametrize(("speed_mps", "believed"), [(REVERSE_MPS - 0.5, True), (REVERSE_MPS + 0.5, False)])
def test_cars_may_reverse_slowly(kind: ObjectClass, speed_mps: float, believed: bool) -> None:
    assert valid(driven(np.pi, kind=kind, speed_mps=speed_mps))[-1] == believed


def test_nobody_rides_backwards() -> None:
    assert not any(valid(driven(np.pi, kind=BICYCLE, speed_mps=REVERSE_MPS - 0.5)))


def test_what_hardly_moves_is_not_judged() -> None:
    for kind, speed_mps in ((CAR, 2.5), (BICYCLE, 1.5), (WALKER, 0.5)):
        assert all(valid(driven(1.5, kind=kind, speed_mps=speed_mps)))


def test_displacements_are_enough_from_the_second_frame_on() -> None:
    seen = valid(driven(np.pi, measures_velocity=False))
    assert seen[0]
    assert not any(seen[1:])


@pytest.mark.parametrize("measures_velocity", [True, False])
@pytest.mark.parametrize("step_s", [0.1, 0.5])
@pytest.mark.parametrize(("kind", "speed_mps", "radius_m"), [
    (CAR, 10.0, 25.0), (CAR, 6.0, 8.0), (BICYCLE, 4.0, 5.0), (WALKER, 1.4, 1.0),
])  # fmt: skip
def test_who_turns_is_believed(
    kind: ObjectClass, speed_mps: float, radius_m: float, step_s: float, measures_velocity: bool
) -> None:
    """A quarter of a circle: the velocity of the displacements before lags behind it."""
    store, rate = TrackStore(), speed_mps / radius_m
    for i in range(round(4.0 / step_s)):
        before_s, turned = min(step_s * i, 2.0), rate * min(max(step_s * i - 2.0, 0.0), 0.5 * np.pi / rate)
        after_s = max(step_s * i - 2.0 - 0.5 * np.pi / rate, 0.0)
        x_m = speed_mps * before_s + radius_m * np.sin(turned) + speed_mps * after_s * np.cos(turned)
        y_m = radius_m * (1.0 - np.cos(turned)) + speed_mps * after_s * np.sin(turned)
        velocity = speed_mps * np.array([np.cos(turned), np.sin(turned)]) if measures_velocity else None
        store.update(frame(step_s * i, {"a": (x_m, y_m)}, kind=kind, yaw=turned, velocity=velocity), i)
    assert store.counters.implausible_heading == 0


@pytest.mark.parametrize("measures_velocity", [True, False])
def test_a_gap_costs_nothing(measures_velocity: bool) -> None:
    """While nobody saw it, a car has turned; and another one is reversed in the row after a gap."""
    turned, reversed_once = TrackStore(), TrackStore()
    for i in range(30):
        time_s, late = 0.1 * i + 0.8 * (i >= 15), i >= 15
        x_m, y_m = (8.0 * time_s, 0.0) if not late else (16.0, 8.0 * (time_s - 2.0))
        way = np.array([0.0, 8.0] if late else [8.0, 0.0]) if measures_velocity else None
        turned.update(frame(time_s, {"a": (x_m, y_m)}, yaw=0.5 * np.pi * late, velocity=way), i)
        ahead = (8.0, 0.0) if measures_velocity else None
        reversed_once.update(frame(time_s, {"a": (8.0 * time_s, 0.0)}, yaw=np.pi * (i == 15), velocity=ahead), i)
    assert turned.counters.implausible_heading == 0
    assert reversed_once.counters.implausible_heading == measures_velocity  # else nothing tells the motion then


def test_the_doubt_about_what_is_slow_fades() -> None:
    """A car that reverses, for a second too fast to be believed."""
    speed_mps = np.r_[np.full(10, 3.5), np.full(10, 4.3), np.full(400, 2.0)]
    seen = valid(driven(np.pi, speed_mps=speed_mps, steps=len(speed_mps)))
    assert all(seen[:10])
    assert not any(seen[15:20])  # both velocities are too fast by then
    assert all(seen[-50:])


@pytest.mark.parametrize(("kind", "off_deg", "believed"), [
    (CAR, 40, True), (CAR, 50, False), (WALKER, 55, True), (WALKER, 65, False), (ObjectClass.MOTORCYCLE, 50, False),
])  # fmt: skip
def test_one_row_alone(kind: ObjectClass, off_deg: float, believed: bool) -> None:
    speed_mps = None if kind in SPEED_MPS else 5.0
    seen = valid(driven(np.where(np.arange(30) == 12, np.radians(off_deg), 0.0), kind=kind, speed_mps=speed_mps))
    assert seen[12] == believed
    assert sum(not there for there in seen) == (not believed)


def test_a_measured_velocity_confirms_what_displacements_contradict() -> None:
    """The tracker's positions drift sideways; its velocity does not, and is believed."""
    store = TrackStore(TrackPolicy(restart_leaps=False, filter_positions=False, doubt_velocities=False))
    for i in range(20):
        store.update(frame(0.1 * i, {"a": (0.4 * i, 0.6 * i)}, yaw=0.0, velocity=(8.0, 0.0)), i)
    assert store.counters.implausible_heading == 0


def test_the_first_row_of_a_reversed_track_was_never_measured() -> None:
    """Or the second one would seem to have turned around."""
    seen = driven(np.pi, steps=2)
    assert [one.previous_yaw_valid.tolist() for one in seen] == [[False], [False]]
    np.testing.assert_allclose(seen[1].previous_yaw_rad, 0.7)


@pytest.mark.parametrize("wrong", [(0.0, 8.0), (-8.0, 0.0)])
def test_a_wrong_velocity_does_not_refute_a_heading_that_the_displacements_confirm(wrong: tuple[float, float]) -> None:
    store = TrackStore(TrackPolicy(restart_leaps=False, filter_positions=False))
    for i in range(20):
        one = frame(0.1 * i, {"a": (0.8 * i, 0.0)}, yaw=0.0, velocity=wrong)
        seen = store.update(one, one.timestamp_ns)[1]
        assert seen is not None
        if i >= 8:  # the velocity of the displacements begins with the measured one
            assert seen.yaw_valid.tolist() == [True]


def test_a_new_track_in_a_used_slot_has_no_doubt() -> None:
    store = TrackStore(TrackPolicy(timeout_s=0.2))
    driven(np.pi, store=store, steps=10)
    one = frame(9.0, {"b": (900.0, 0.0)}, yaw=0.3, velocity=(8.0, 0.0))
    seen = store.update(one, one.timestamp_ns)[1]
    assert seen is not None
    assert seen.slot.tolist() == [0]
    assert seen.yaw_valid.tolist() == [True]


def test_it_can_be_switched_off() -> None:
    store = TrackStore(TrackPolicy(doubt_headings=False))
    seen = driven(np.pi, store=store)
    assert all(valid(seen))
    np.testing.assert_allclose(off_course(seen), np.pi)
    assert store.counters.implausible_heading == 0


def test_objects_are_judged_apart() -> None:
    store = TrackStore()
    for i in range(20):
        x_m = 0.8 * i
        one = frame(
            0.1 * i, {"right": (x_m, 0.0), "reversed": (x_m, 10.0), "stands": (0.0, 20.0)}, yaw=[0.0, np.pi, 1.0],
            velocity=[(8.0, 0.0), (8.0, 0.0), (0.0, 0.0)],
        )  # fmt: skip
        seen = store.update(one, one.timestamp_ns)[1]
        assert seen is not None
        assert seen.yaw_valid.tolist() == [True, False, True]


@pytest.mark.parametrize("moved_before", [True, False])
def test_one_velocity_alone_leaves_the_mean(moved_before: bool) -> None:
    """It may itself be wrong: a row counts in the mean once there were displacements before it, too."""
    last, known = np.zeros((1, POSE_COLUMNS)), np.zeros((1, KNOWN_COLUMNS), np.bool_)
    last[0, STEADY], last[0, DOUBT], known[0, DISPLACED] = (8.0, 0.0), 0.01, moved_before
    both = np.repeat(last, 2, axis=0), np.array([known[0], np.ones(KNOWN_COLUMNS, np.bool_)])
    one = frame(0.1, {"a": (0.8, 0.0), "b": (0.8, 9.0)}, yaw=1.5, velocity=(8.0, 0.0))
    refuted = doubted(one, np.full((2, 2), [0.8, 0.0]), np.full(2, 0.1), *both)
    assert refuted.tolist() == [True, True]
    mean_misfit = both[0][:, DOUBT]
    assert (mean_misfit > 0.015).tolist() == [moved_before, True]
