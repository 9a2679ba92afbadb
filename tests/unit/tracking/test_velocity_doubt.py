"""Velocities that contradict the motion: placeholders, late, of other units or frames; and those that only seem to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike

from tests.frames import frame
from trajnet.tracking.store import Observations, TrackPolicy, TrackStore
from trajnet.types import BoolArray, FloatArray, ObjectClass

CAR, BICYCLE, WALKER = ObjectClass.CAR, ObjectClass.BICYCLE, ObjectClass.PEDESTRIAN
SPEED_MPS = {CAR: 8.0, BICYCLE: 5.0, WALKER: 1.4, ObjectClass.BUS: 8.0, ObjectClass.UNKNOWN: 1.4}
WAY = np.array([np.cos(0.7), np.sin(0.7)])


def played(
    position_m: ArrayLike, velocity_mps: ArrayLike, *, step_s: float = 0.1, store: TrackStore | None = None, **more: Any
) -> list[Observations]:
    """One object in successive frames: its positions and the velocities (T, 2) that it is said to have."""
    store, seen = store or TrackStore(), []
    for i, ((x_m, y_m), velocity) in enumerate(zip(np.array(position_m), np.array(velocity_mps), strict=True)):
        one = frame(step_s * i, {"a": (float(x_m), float(y_m))}, velocity=velocity, **{"yaw": None, **more})
        observations = store.update(one, one.timestamp_ns)[1]
        assert observations is not None
        seen.append(observations)
    return seen


def straight(speed_mps: ArrayLike, step_s: float = 0.1, steps: int = 30) -> tuple[FloatArray, FloatArray]:
    """Positions and velocities (T, 2) of what goes straight on."""
    velocity_mps = np.broadcast_to(speed_mps, steps)[:, None] * WAY
    mean_mps = 0.5 * (velocity_mps[1:] + velocity_mps[:-1])
    return np.concatenate([np.zeros((1, 2)), np.cumsum(mean_mps * step_s, axis=0)]), velocity_mps


def believed(seen: list[Observations]) -> BoolArray:
    return np.array([one.velocity_valid[0] for one in seen])


@pytest.mark.parametrize("kind", SPEED_MPS)
@pytest.mark.parametrize("step_s", [0.02, 0.1, 0.5])
def test_a_velocity_along_the_motion_is_believed(kind: ObjectClass, step_s: float) -> None:
    store = TrackStore()
    assert believed(played(*straight(SPEED_MPS[kind], step_s), step_s=step_s, kind=kind, store=store)).all()
    assert store.counters.implausible_velocity == 0


@pytest.mark.parametrize(("kind", "from_frame"), [(CAR, 1), (BICYCLE, 1), (WALKER, 4)])
def test_placeholders_of_zero_are_those_of_the_motion(kind: ObjectClass, from_frame: int) -> None:
    """The steady velocity is that of the displacements, as if the first velocity had not been measured."""
    store, (position_m, velocity_mps) = TrackStore(), straight(SPEED_MPS[kind])
    seen = played(position_m, 0.0 * velocity_mps, kind=kind, store=store)
    assert believed(seen).tolist() == [i < from_frame for i in range(30)]
    assert store.counters.implausible_velocity == 30 - from_frame
    assert not any(one.velocity_mps.any() for one in seen)
    if from_frame == 1:
        np.testing.assert_allclose([one.steady_velocity_mps[0] for one in seen[1:]], velocity_mps[1:])


def test_late_velocities_are_doubted_until_they_have_arrived() -> None:
    position_m, velocity_mps = straight(10.0)
    share = 1.0 - np.exp(np.arange(30) / -3.0)
    told = believed(played(position_m, share[:, None] * velocity_mps))
    assert told[0]
    assert not told[1:6].any()
    assert told[10:].all()


@pytest.mark.parametrize("what", ["kilometres per hour", "frame of the object", "claims to move"])
def test_other_units_and_frames(what: str) -> None:
    position_m, velocity_mps = straight(8.0)
    if what == "kilometres per hour":
        velocity_mps = 3.6 * velocity_mps
    elif what == "frame of the object":
        velocity_mps = np.broadcast_to([8.0, 0.0], velocity_mps.shape)
    else:
        position_m = 0.0 * position_m
    told = believed(played(position_m, velocity_mps))
    assert not told[6:].any()


def test_one_wrong_row_costs_itself_only() -> None:
    position_m, velocity_mps = straight(8.0)
    velocity_mps[12] = 0.0
    assert np.flatnonzero(~believed(played(position_m, velocity_mps))).tolist() == [12]


@pytest.mark.parametrize("step_s", [0.02, 0.1, 0.5])
@pytest.mark.parametrize(
    ("kind", "speed_mps", "braking_mps2"), [(CAR, 15.0, 9.0), (BICYCLE, 6.0, 5.0), (WALKER, 2.0, 3.0)]
)
def test_who_brakes_hard_or_starts_is_believed(
    kind: ObjectClass, speed_mps: float, braking_mps2: float, step_s: float
) -> None:
    time_s = step_s * np.arange(round(5.0 / step_s))
    braking = np.clip(speed_mps - braking_mps2 * np.maximum(time_s - 1.0, 0.0), 0.0, None)
    for speeds in (braking, braking[::-1]):
        assert believed(played(*straight(speeds, step_s, len(time_s)), step_s=step_s, kind=kind)).all()


@pytest.mark.parametrize("step_s", [0.02, 0.1, 0.5])
@pytest.mark.parametrize(("kind", "speed_mps", "radius_m"), [(CAR, 6.0, 8.0), (BICYCLE, 4.0, 5.0), (WALKER, 1.4, 1.0)])
def test_who_turns_is_believed(kind: ObjectClass, speed_mps: float, radius_m: float, step_s: float) -> None:
    angle = speed_mps / radius_m * step_s * np.arange(round(5.0 / step_s))
    position_m = radius_m * np.stack([np.sin(angle), -np.cos(angle)], axis=1)
    velocity_mps = speed_mps * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    assert believed(played(position_m, velocity_mps, step_s=step_s, kind=kind)).all()


@pytest.mark.parametrize("speed_of_class", [0.0, 1.0])
@pytest.mark.parametrize("step_s", [0.02, 0.1])
@pytest.mark.parametrize("kind", [CAR, BICYCLE, WALKER])
def test_noise_of_the_positions_is_no_contradiction(kind: ObjectClass, step_s: float, speed_of_class: float) -> None:
    position_m, velocity_mps = straight(speed_of_class * SPEED_MPS[kind], step_s, 500)
    noise_m = np.random.default_rng(0).normal(0.0, 0.05, position_m.shape)
    assert believed(played(position_m + noise_m, velocity_mps, step_s=step_s, kind=kind)).mean() > 0.99


def test_a_first_displacement_that_is_too_short_is_believed() -> None:
    """A box that enters the view grows: its centre lags behind the object. In MONA-East one track in ten begins so."""
    position_m, velocity_mps = straight(12.0, 0.2)
    position_m[0] += 0.8 * (position_m[1] - position_m[0])
    assert believed(played(position_m, velocity_mps, step_s=0.2)).all()


def test_what_hardly_moves_is_not_judged() -> None:
    for kind, speed_mps in ((CAR, 0.7), (BICYCLE, 0.45), (WALKER, 0.35)):
        position_m, velocity_mps = straight(speed_mps)
        assert believed(played(position_m, 0.0 * velocity_mps, kind=kind)).all()


def test_rare_frames_tell_nothing() -> None:
    position_m, velocity_mps = straight(8.0, 0.7)
    assert believed(played(position_m, 0.0 * velocity_mps, step_s=0.7)).all()


def test_headings_are_not_held_against_a_doubted_velocity() -> None:
    """Reversed velocities beside true headings: those of the displacements decide."""
    store, (position_m, velocity_mps) = TrackStore(), straight(8.0)
    seen = played(position_m, -velocity_mps, yaw=0.7, store=store)
    assert not believed(seen)[6:].any()
    assert all(one.yaw_valid[0] for one in seen[6:])
    np.testing.assert_allclose([one.yaw_rad[0] for one in seen[6:]], 0.7)


def test_it_can_be_switched_off() -> None:
    store, (position_m, velocity_mps) = TrackStore(TrackPolicy(doubt_velocities=False)), straight(8.0)
    assert believed(played(position_m, 0.0 * velocity_mps, store=store)).all()
    assert store.counters.implausible_velocity == 0


def test_objects_are_judged_apart() -> None:
    """Alone and beside others, of whom some are not measured, everybody is told the same."""
    position_m, velocity_mps = straight(8.0)
    alone = believed(played(position_m, 0.0 * velocity_mps))
    store, beside = TrackStore(), []
    for i, (x_m, y_m) in enumerate(position_m):
        one = frame(
            0.1 * i, {"wrong": (x_m, y_m), "right": (x_m, y_m + 10.0), "unknown": (x_m, y_m + 20.0)}, yaw=None,
            velocity=np.array([[0.0], [8.0], [0.0]]) * WAY,
        )  # fmt: skip
        hidden = np.array([False, False, True])
        velocity_mps = np.where(hidden[:, None], np.nan, one.velocity_mps)
        one = replace(one, velocity_mps=velocity_mps, velocity_valid=~hidden)
        seen = store.update(one, one.timestamp_ns)[1]
        assert seen is not None
        beside.append(seen.velocity_valid.tolist())
    np.testing.assert_array_equal(beside, np.stack([alone, np.ones(30, np.bool_), np.zeros(30, np.bool_)], axis=1))


def test_a_new_track_in_a_used_slot_has_no_doubt() -> None:
    store, (position_m, velocity_mps) = TrackStore(TrackPolicy(timeout_s=0.2)), straight(3.0)
    played(position_m, 0.0 * velocity_mps, store=store)
    seen = [
        store.update(one, one.timestamp_ns)[1]
        for one in (frame(9.0 + 0.1 * i, {"b": (900.0 + 0.3 * i, 0.0)}, velocity=(3.0, 0.0)) for i in range(3))
    ]
    assert [one is not None and one.slot.tolist() == [0] and one.velocity_valid.tolist() for one in seen] == [
        [True]
    ] * 3


@pytest.mark.parametrize("far_m", [1e6, 1e200, 1.7e308])
def test_absurd_positions_leave_no_lasting_doubt(far_m: float) -> None:
    position_m, velocity_mps = straight(8.0, steps=60)
    position_m[10], position_m[11] = far_m, -far_m
    with np.errstate(all="raise", under="ignore"):
        assert believed(played(position_m, velocity_mps))[20:].all()
