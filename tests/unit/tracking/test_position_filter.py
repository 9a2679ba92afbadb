"""The filter of positions: noise goes, motion stays, and each track is judged by itself."""

from __future__ import annotations

import numpy as np
import pytest

from tests.frames import frame
from trajnet.tracking.position_filter import MIN_GAIN, PositionFilter, steady_gain
from trajnet.tracking.store import TrackPolicy, TrackStore
from trajnet.types import FloatArray

RATE_HZ = 10


def circle(steps: int, *, speed_mps: float = 8.0, radius_m: float = 25.0) -> tuple[FloatArray, FloatArray]:
    """Positions and velocities (steps, 2) of an object that drives in a circle."""
    angle = speed_mps / radius_m * np.arange(steps) / RATE_HZ
    position_m = radius_m * np.stack([np.sin(angle), 1 - np.cos(angle)], axis=1)
    return position_m, speed_mps * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def straight(steps: int, speed_mps: float = 8.0) -> tuple[FloatArray, FloatArray]:
    velocity_mps = np.tile([speed_mps, 0.0], (steps, 1))
    return velocity_mps * np.arange(steps)[:, None] / RATE_HZ, velocity_mps


def filtered(position_m: FloatArray, velocity_mps: FloatArray, *, dt_s: float = 1 / RATE_HZ) -> FloatArray:
    """Filter tracks (steps, N, 2) in slots 0 to N - 1, whose velocity is measured."""
    one = PositionFilter()
    one.allocate(position_m.shape[1])
    slot, valid = np.arange(position_m.shape[1]), np.ones(position_m.shape[1], np.bool_)
    return np.stack(
        [
            one.filtered(slot, np.full(len(slot), i == 0), np.full(len(slot), dt_s if i else 0.0), z, v, valid)
            for i, (z, v) in enumerate(zip(position_m, velocity_mps, strict=True))
        ]
    )


def noisy(position_m: FloatArray, sigma_m: float, runs: int) -> FloatArray:
    """Return runs of one track with white noise, (steps, runs, 2)."""
    draw = np.random.default_rng(7).normal(scale=sigma_m, size=(len(position_m), runs, 2))
    return np.asarray(position_m[:, None] + draw)


def rms(error_m: FloatArray) -> float:
    return float(np.sqrt(np.mean(error_m**2)))


@pytest.mark.parametrize("sigma_m", [0.02, 0.05, 0.2])
@pytest.mark.parametrize("path", [straight, circle])
def test_white_noise_is_halved_within_two_seconds(sigma_m: float, path: object) -> None:
    position_m, velocity_mps = (straight if path is straight else circle)(60)
    measured = noisy(position_m, sigma_m, 200)
    answer = filtered(measured, np.broadcast_to(velocity_mps[:, None], measured.shape))
    assert rms(answer[20:] - position_m[20:, None]) < 0.6 * sigma_m
    assert rms(answer[20:] - position_m[20:, None]) < 0.6 * rms(measured[20:] - position_m[20:, None])


@pytest.mark.parametrize("dt_s", [0.1, 0.5])
def test_positions_without_noise_pass_as_they_are(dt_s: float) -> None:
    """At 2 Hz a turn is a surprise of 0.3 m at every step: always to the same side, so no noise."""
    position_m, velocity_mps = circle(300)
    every = round(dt_s * RATE_HZ)
    position_m, velocity_mps = position_m[::every, None], velocity_mps[::every, None]
    np.testing.assert_array_equal(filtered(position_m, velocity_mps, dt_s=dt_s), position_m)


def test_motion_that_no_velocity_tells_is_not_taken_for_noise() -> None:
    """An object that is shaken by more than its positions' noise is followed: filtering it would cost more."""
    draw = np.random.default_rng(5)
    shaken_m = np.cumsum(draw.normal(scale=0.3, size=(80, 100, 2)), axis=0)
    measured = shaken_m + draw.normal(scale=0.03, size=shaken_m.shape)
    error_m = filtered(measured, np.zeros_like(measured)) - shaken_m
    assert rms(error_m[20:]) < 2.5 * 0.03


def test_a_tenth_of_every_surprise_counts() -> None:
    """However long a track was only noise, its filtered position follows within a few steps."""
    position_m, velocity_mps = straight(400, speed_mps=0.0)
    measured = noisy(position_m, 0.1, 20)
    answer = filtered(measured, np.broadcast_to(velocity_mps[:, None], measured.shape))
    share = (answer[1:] - answer[:-1])[300:] / (measured[1:] - answer[:-1])[300:]
    assert share.min() > MIN_GAIN - 1e-9


def test_a_velocity_that_is_wrong_moves_nothing() -> None:
    position_m, velocity_mps = straight(60)
    answer = filtered(position_m[:, None], 0.7 * velocity_mps[:, None])
    np.testing.assert_array_equal(answer, position_m[:, None])


def test_a_leap_of_a_noisy_track_passes_at_once() -> None:
    position_m, velocity_mps = straight(60)
    measured = noisy(position_m, 0.05, 50)
    measured[40:] += [0.0, 3.0]
    answer = filtered(measured, np.broadcast_to(velocity_mps[:, None], measured.shape))
    assert np.abs(answer[40] - measured[40]).max() < 0.3


def test_a_single_outlier_of_a_clean_track_costs_no_more_than_itself() -> None:
    position_m, velocity_mps = straight(60)
    measured = position_m[:, None].copy()
    measured[30] += [0.0, 1.0]
    error_m = np.abs(filtered(measured, velocity_mps[:, None]) - position_m[:, None]).max(axis=(1, 2))
    assert error_m[:30].max() == 0.0
    assert error_m[30:].max() <= 1.0
    assert error_m[35:].max() < 0.2


def test_a_track_alone_and_among_others_is_filtered_alike() -> None:
    position_m, velocity_mps = straight(40)
    measured = noisy(position_m, 0.1, 5)
    together = filtered(measured, np.broadcast_to(velocity_mps[:, None], measured.shape))
    alone = filtered(measured[:, 3:4], velocity_mps[:, None])
    np.testing.assert_array_equal(together[:, 3:4], alone)


def test_without_a_velocity_or_over_a_long_step_the_position_is_taken_as_measured() -> None:
    one = PositionFilter()
    one.allocate(1)
    slot, draw, moved = np.zeros(1, np.int64), np.random.default_rng(1), 0
    for i in range(40):
        z = draw.normal(scale=0.1, size=(1, 2))
        usable = i % 4 != 3
        dt_s = np.array([0.1 if usable or i % 8 == 3 else 1.5])
        answer = one.filtered(slot, np.array([i == 0]), dt_s, z, np.zeros((1, 2)), np.array([usable or dt_s[0] > 1]))
        moved += not np.array_equal(answer, z)
        if not usable:
            np.testing.assert_array_equal(answer, z)
    assert moved > 10


@np.errstate(over="ignore", invalid="ignore")  # as in TrackStore.update
def test_extreme_numbers_end_in_finite_positions() -> None:
    position_m = np.array([0.0, 1e200, -1e200, 1e150, 0.0, 0.1, 0.0])[:, None, None] * np.ones(2)
    assert np.isfinite(filtered(position_m, np.zeros_like(position_m))).all()


@np.errstate(over="ignore", invalid="ignore")  # as in TrackStore.update
def test_a_track_is_filtered_again_after_extreme_numbers() -> None:
    extreme = np.array([0.0, 1.7e308, -1.7e308, 0.0])[:, None, None] * np.ones((1, 20, 2))
    noise = noisy(straight(60, speed_mps=0.0)[0], 0.1, 20)
    answer = filtered(np.concatenate([extreme, noise]), np.zeros((64, 20, 2)))
    assert rms(answer[-20:]) < 0.7 * rms(noise[-20:])


def test_the_steady_gain_is_the_limit_of_the_kalman_filter() -> None:
    for ratio in (1e-4, 0.03, 1.0, 50.0, 1e12):
        variance = 1.0
        for _ in range(2000):
            predicted = variance + ratio
            gain = predicted / (predicted + 1.0)
            variance = (1.0 - gain) * predicted
        assert steady_gain(np.array([ratio]))[0] == pytest.approx(gain, rel=1e-6)
    assert MIN_GAIN > 0


def test_a_slot_that_is_used_again_knows_nothing_of_the_track_before() -> None:
    position_m, velocity_mps = straight(30)
    noise = noisy(position_m, 0.1, 1)[:, 0]
    store = TrackStore(TrackPolicy(timeout_s=0.5))
    for i, place in enumerate(noise):
        store.update(frame(i / RATE_HZ, {"a": tuple(place)}, velocity=tuple(velocity_mps[i])), round(1e8 * i))
    used, last = store.update(frame(9.0, {"b": (500.0, 0.0)}, velocity=(0.0, 0.0)), round(9e9))
    assert used == "used"
    assert last is not None
    for step in range(1, 4):  # a clean track, in the slot of the noisy one
        _, last = store.update(frame(9.0 + step / 10, {"b": (500.0, 0.1 * step**2)}, velocity=(0.0, 0.0)), round(1e10))
        assert last is not None
        assert last.slot.tolist() == [0]
        np.testing.assert_array_equal(last.position_m, [[500.0, 0.1 * step**2]])


def test_velocities_and_headings_come_from_the_filtered_positions() -> None:
    position_m, velocity_mps = straight(60)
    noise = noisy(position_m, 0.1, 1)[:, 0]
    error_mps = {}
    for on in (True, False):
        store, derived = TrackStore(TrackPolicy(filter_positions=on)), []
        for i, place in enumerate(noise):
            _, seen = store.update(frame(i / RATE_HZ, {"a": tuple(place)}, velocity=tuple(velocity_mps[i])), i)
            assert seen is not None
            derived.append(seen.steady_velocity_mps[0] - velocity_mps[i])
        error_mps[on] = rms(np.array(derived[20:]))
    assert error_mps[True] < 0.6 * error_mps[False]


def test_the_policy_switches_it_off() -> None:
    position_m, velocity_mps = straight(30)
    moved, counted = {}, {}
    for on in (True, False):
        store = TrackStore(TrackPolicy(filter_positions=on))
        moved[on] = 0.0
        for i, place in enumerate(noisy(position_m, 0.1, 1)[:, 0]):
            _, seen = store.update(frame(i / RATE_HZ, {"a": tuple(place)}, velocity=tuple(velocity_mps[i])), i)
            assert seen is not None
            moved[on] += float(np.abs(seen.position_m - place).max())
        counted[on] = store.counters.filtered
    assert moved[True] > 0.5
    assert moved[False] == 0.0
    assert counted[True] > 15
    assert counted[False] == 0
