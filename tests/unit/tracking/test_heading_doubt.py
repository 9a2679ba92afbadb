"""Headings that contradict the motion: reversed, placeholders, noise; and those that only seem to."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import ArrayLike

from tests.frames import frame
from trajnet.tracking.heading_doubt import BACKWARD_MPS
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


@pytest.mark.parametrize(("speed_mps", "believed"), [(BACKWARD_MPS - 0.5, True), (BACKWARD_MPS + 0.5, False)])
def test_a_car_may_back_up_slowly(speed_mps: float, believed: bool) -> None:
    assert valid(driven(np.pi, speed_mps=speed_mps))[-1] == believed


def test_nobody_rides_backwards() -> None:
    assert not any(valid(driven(np.pi, kind=BICYCLE, speed_mps=BACKWARD_MPS - 0.5)))


def test_what_hardly_moves_is_not_judged() -> None:
    for kind, speed_mps in ((CAR, 2.5), (BICYCLE, 1.5), (WALKER, 0.5)):
        assert all(valid(driven(1.5, kind=kind, speed_mps=speed_mps)))


def test_displacements_are_enough_from_the_third_frame_on() -> None:
    seen = valid(driven(np.pi, measures_velocity=False))
    assert seen[:2] == [True, True]
    assert not any(seen[2:])


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
