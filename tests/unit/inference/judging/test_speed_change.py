"""How the velocity of each object changes."""

from __future__ import annotations

import numpy as np
import pytest

from tests.frames import frame
from tests.unit.inference.judging.fakes import bytes_of, driving, fed
from trajnet.inference import JudgingOptions, Stream
from trajnet.inference.judging.experts import velocity_of
from trajnet.inference.judging.speed_change import FADES_S, SOFT_MPS2, SpeedChange, carried_s2
from trajnet.tracking.store import TrackStore
from trajnet.types import FloatArray, ObjectClass, TrackFrame

CAR, WALKER = ObjectClass.CAR, ObjectClass.PEDESTRIAN


def changes(frames: list[TrackFrame]) -> list[FloatArray]:
    """What is carried on in each frame, (2, N)."""
    store, speed_change, found = TrackStore(), SpeedChange(), []
    for one in frames:
        observations = store.update(one, one.timestamp_ns)[1]
        assert observations is not None
        found.append(speed_change.observed(observations, velocity_of(observations)))
    return found


def moving(velocity_mps: FloatArray, step_s: float = 0.1, kind: ObjectClass = CAR, name: str = "a") -> list[TrackFrame]:
    """An object with these velocities (F, 2), and with the yaw of each."""
    place_m = np.cumsum(velocity_mps * step_s, axis=0)
    return [
        frame(
            step_s * i, {name: (float(place_m[i, 0]), float(place_m[i, 1]))}, kind=kind, velocity=velocity_mps[i],
            yaw=float(np.arctan2(velocity_mps[i, 1], velocity_mps[i, 0])),
        )
        for i in range(len(velocity_mps))
    ]  # fmt: skip


BRAKING_MPS: FloatArray = 15.0 - 0.2 * np.arange(30, dtype=np.float64)


def along_x(speed_mps: FloatArray) -> FloatArray:
    return np.stack([speed_mps, np.zeros(len(speed_mps))], axis=1)


def test_what_carries_on_fades() -> None:
    time_s = np.array([0.1, 1.0, 6.0])
    for row, fades_s in enumerate(FADES_S):
        rate = np.exp(-np.arange(0.0, 6.0, 1e-3) / fades_s)  # of 1 m/s^2
        gone_m = np.concatenate([[0.0], (rate.cumsum() * 1e-3).cumsum() * 1e-3])
        np.testing.assert_allclose(carried_s2(time_s)[row], gone_m[np.rint(time_s * 1e3).astype(int)], rtol=0.03)


@pytest.mark.parametrize("step_s", [0.05, 0.1, 0.5])
def test_steady_braking_is_believed_after_some_changes(step_s: float) -> None:
    speed_mps: FloatArray = 15.0 - 0.3 * step_s * np.arange(round(3.0 / step_s), dtype=np.float64)
    found = [one[0, 0] for one in changes(moving(along_x(speed_mps), step_s))]
    assert found[:2] == [0.0, 0.0]
    assert (np.diff(found[2:]) <= 1e-9).all()  # ever more
    assert -0.3 <= found[-1] < (-0.2 if step_s < 0.5 else -0.1)


def test_what_is_carried_on_has_a_soft_limit() -> None:
    rates = np.array([0.1, 0.35, 0.7, 2.0, 9.0])
    found = [changes(moving(along_x(30.0 + rate * 0.1 * np.arange(60))))[-1][0, 0] for rate in rates]
    whole = SOFT_MPS2 * rates / np.hypot(rates, SOFT_MPS2)
    np.testing.assert_allclose(found[1:], whole[1:], rtol=0.12)
    assert 0.5 * whole[0] < found[0] < whole[0]
    assert max(found) < SOFT_MPS2


def test_going_on_changes_nothing() -> None:
    for velocity_mps in ((8.0, 3.0), (0.0, 0.0)):
        for one in changes(moving(np.tile(velocity_mps, (30, 1)))):
            np.testing.assert_array_equal(one, np.zeros((2, 1)))


def test_a_bend_changes_the_velocity_of_people_but_not_the_speed_of_a_car() -> None:
    angle = 0.3 * 0.1 * np.arange(40)
    velocity_mps = 8.0 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    np.testing.assert_allclose(changes(moving(velocity_mps))[-1], np.zeros((2, 1)), atol=1e-9)
    person_mps2 = changes(moving(0.2 * velocity_mps, kind=WALKER))[-1][:, 0]
    along, across = np.array([[np.cos(angle[-1]), np.sin(angle[-1])], [-np.sin(angle[-1]), np.cos(angle[-1])]])
    assert 0.3 < person_mps2 @ across <= 0.4  # v * omega = 0.48, within the limit
    assert abs(person_mps2 @ along) < 0.1


def test_noise_is_not_carried_on() -> None:
    speed_mps = 10.0 + np.random.default_rng(0).normal(0.0, 0.3, (40, 60))
    place_m = speed_mps.cumsum(axis=1) * 0.1
    frames = [
        frame(0.1 * i, {f"{row}": (float(place_m[row, i]), 50.0 * row) for row in range(40)}, yaw=0.0,
              velocity=along_x(speed_mps[:, i]))
        for i in range(60)
    ]  # fmt: skip
    noise = np.stack([one[0] for one in changes(frames)])
    differences = np.diff(speed_mps, axis=1) / 0.1
    assert np.abs(noise).mean() < 0.01 * np.abs(differences).mean()
    assert (noise == 0.0).mean() > 0.9


def test_a_start_and_a_stop_are_told_within_half_a_second() -> None:
    braking_mps: FloatArray = np.concatenate([np.full(30, 12.0), 12.0 - 0.3 * np.arange(1, 31)])
    found = np.array([one[0, 0] for one in changes(moving(along_x(braking_mps)))])
    assert not found[:30].any()
    assert found[35] < -0.4
    steady_again = np.concatenate([braking_mps, np.full(15, braking_mps[-1])])
    assert abs(changes(moving(along_x(steady_again)))[-1][0, 0]) < 0.05


def test_velocities_that_are_not_measured_tell_nothing() -> None:
    hidden = [
        frame(0.1 * i, {"a": (10.0 * 0.1 * i - 0.01 * i * i, 0.0)}, velocity=None, yaw=0.0, kind=CAR) for i in range(30)
    ]
    assert not np.concatenate(changes(hidden)).any()
    seen = moving(along_x(BRAKING_MPS))
    gap = [*seen[:20], *hidden[20:21], *seen[21:]]
    found = changes(gap)
    assert found[19][0, 0] < -0.5
    assert not np.concatenate(found[20:23]).any()  # the two velocities around it are not compared
    assert found[29][0, 0] < -0.5


def test_each_track_has_its_own_and_a_new_one_begins_anew() -> None:
    alone = changes(moving(along_x(BRAKING_MPS)))[-1]
    braking, steady = moving(along_x(BRAKING_MPS)), moving(along_x(np.full(30, 9.0)))
    both = [
        frame(0.1 * i, {"b": (500.0, 9.0 * i), "a": tuple(one.position_m[0])},
              velocity=np.concatenate([other.velocity_mps, one.velocity_mps]), yaw=0.0)
        for i, (one, other) in enumerate(zip(braking, steady, strict=True))
    ]  # fmt: skip
    found = changes(both)[-1]
    np.testing.assert_array_equal(found[:, 0], [0.0, 0.0])
    np.testing.assert_array_equal(found[:, 1], alone[:, 0])
    later = frame(60.0, {"c": (0.0, 0.0)}, velocity=(3.0, 0.0), yaw=0.0)  # in the slot of one that is forgotten
    assert not changes([*both, frame(30.0, {}), later])[-1].any()


def test_absurd_velocities_stay_finite_and_are_not_carried_on() -> None:
    speed_mps = np.full(40, 10.0)
    speed_mps[20] = 1e200
    found = np.concatenate([one[0] for one in changes(moving(along_x(speed_mps)))])
    assert np.isfinite(found).all()
    assert np.abs(found).max() < SOFT_MPS2
    assert not found[22:].any()


def test_the_top_path_of_a_car_that_brakes_is_shorter_and_of_one_that_goes_on_the_same() -> None:
    only = JudgingOptions(weigh=False, adapt_spread=False, learn=False)
    braking = moving(along_x(np.concatenate([np.full(20, 15.0), 15.0 - 0.2 * np.arange(1, 16)])))
    steady = moving(along_x(np.full(35, 12.0)))
    ahead_m = []
    for frames in (braking, steady):
        answer = fed(Stream(driving(), judging=only), frames)[-1]
        new = fed(Stream(driving(), judging=only), frames[-1:])[-1]
        ahead_m.append((answer.position_m[0, 0, :, 0] - new.position_m[0, 0, :, 0]).tolist())
        np.testing.assert_array_equal(answer.position_m[0, 1:], new.position_m[0, 1:])
    assert max(ahead_m[0]) < 0.0
    assert ahead_m[0][-1] < -1.0
    assert not any(ahead_m[1])


def test_the_same_frames_give_the_same_bytes() -> None:
    draw = np.random.default_rng(1)
    frames = moving(8.0 + np.cumsum(draw.normal(0.0, 0.2, (40, 2)), axis=0), kind=WALKER)
    first, second = (fed(Stream(driving()), frames) for _ in range(2))
    assert [bytes_of(one) for one in first] == [bytes_of(one) for one in second]
