"""How fast vehicles turn, and what comes of it: who has gone round for a while is expected to go on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.frames import frame
from tests.unit.inference.judging.fakes import TIME_S, GoesOn, fed
from trajnet.arrays import concat
from trajnet.inference import JudgingOptions, Stream
from trajnet.inference.judging.turn_rate import TurnRate
from trajnet.inference.physics import MAX_CURVATURE_PER_M, arc
from trajnet.tracking.store import TrackStore
from trajnet.types import Expert, FloatArray, ObjectClass, Source, TrackFrame

RADIUS_M, SPEED_MPS = 20.0, 8.0
RATE_RADPS = SPEED_MPS / RADIUS_M


def around(
    seconds: float, step_s: float = 0.1, kind: ObjectClass = ObjectClass.CAR, way: float = 1.0, noise_rad: float = 0.0
) -> list[TrackFrame]:
    """An object that goes round. way: -1 is clockwise. noise_rad: of its yaw."""
    rng = np.random.default_rng(0)
    frames = []
    for index in range(round(seconds / step_s)):
        angle = way * RATE_RADPS * step_s * index
        place, ahead = np.array([np.cos(angle), np.sin(angle)]), way * np.array([-np.sin(angle), np.cos(angle)])
        yaw = np.arctan2(ahead[1], ahead[0]) + rng.normal(0.0, noise_rad)
        x_m, y_m = RADIUS_M * place
        frames.append(frame(step_s * index, {"a": (x_m, y_m)}, kind=kind, velocity=SPEED_MPS * ahead, yaw=float(yaw)))
    return frames


def straight(seconds: float, noise_rad: float = 0.0, step_s: float = 0.1) -> list[TrackFrame]:
    rng = np.random.default_rng(0)
    return [
        frame(step_s * i, {"a": (SPEED_MPS * step_s * i, 0.0)}, velocity=(SPEED_MPS, 0.0), yaw=rng.normal(0, noise_rad))
        for i in range(round(seconds / step_s))
    ]


def by_track(frames: list[TrackFrame], speed_mps: float = SPEED_MPS) -> list[dict[str, float]]:
    """The rate of every object in each frame, by its id, in the order of the frame."""
    store, turn_rate, found = TrackStore(), TurnRate(), []
    for one in frames:
        observations = store.update(one, one.timestamp_ns)[1]
        assert observations is not None
        rate = turn_rate.observed(observations, np.full(len(observations), speed_mps))
        found.append(dict(zip(observations.track_id, rate.tolist(), strict=True)))
    return found


def rates(frames: list[TrackFrame], speed_mps: float = SPEED_MPS) -> FloatArray:
    """The rate of the object in each frame, (F,)."""
    return np.array([rate for found in by_track(frames, speed_mps) for rate in found.values()])


@pytest.mark.parametrize("step_s", [0.05, 0.1, 0.5])
@pytest.mark.parametrize("way", [1.0, -1.0])
def test_a_steady_turn_is_believed_after_half_a_second(step_s: float, way: float) -> None:
    found = rates(around(2.0, step_s, way=way))
    before = round(0.45 / step_s)
    assert not found[:before].any()
    np.testing.assert_allclose(found[before + 1 :], way * RATE_RADPS, rtol=0.1)
    np.testing.assert_allclose(found[-1], way * RATE_RADPS, rtol=0.03)


@pytest.mark.parametrize(("noise_rad", "limit_radps"), [(0.0, 0.0), (0.0175, 0.004), (0.05, 0.01)])
def test_the_noise_of_a_tracker_is_no_turn(noise_rad: float, limit_radps: float) -> None:
    """White noise of 1 and 3 degrees makes rates of 0.25 and 0.7 rad/s from one frame to the next."""
    assert np.abs(rates(straight(60.0, noise_rad))).mean() <= limit_radps


def test_the_first_moments_of_a_track_are_not_taken_for_a_turn() -> None:
    """1 degree of noise, 100 tracks that go straight on, their first second."""
    rng = np.random.default_rng(0)
    yaws = rng.normal(0.0, 0.0175, (100, 10))
    frames = []
    for index in range(10):
        places = {f"{i}": (SPEED_MPS * 0.1 * index, 100.0 * i) for i in range(100)}
        frames.append(frame(0.1 * index, places, velocity=(SPEED_MPS, 0.0), yaw=yaws[:, index]))
    found = rates(frames)
    assert np.abs(found).mean() < 0.005
    assert np.percentile(np.abs(found), 95) < 0.02


def test_a_front_that_was_taken_for_the_rear_is_no_turn() -> None:
    frames = straight(6.0)
    for index in (30, 40, 41):
        frames[index] = replace(frames[index], yaw_rad=np.array([np.pi]))
    assert not rates(frames).any()


def test_a_yaw_that_is_measured_now_and_then_is_no_turn() -> None:
    """Every other second, and 17 degrees off the way that it goes, from which the yaw is derived else."""
    frames = [
        frame(0.1 * i, {"a": (0.3 * i, 0.0)}, velocity=(3.0, 0.0), yaw=0.3 if i // 10 % 2 else None) for i in range(60)
    ]  # fmt: skip
    assert np.abs(rates(frames, 3.0)).max() < 0.01


def test_tracks_side_by_side_have_rates_of_their_own() -> None:
    frames = []
    for left, ahead in zip(around(4.0), straight(4.0), strict=True):
        there = replace(ahead, track_id=("b",), position_m=ahead.position_m + 500.0)
        frames.append(concat([left, there] if left.timestamp_ns % 200_000_000 else [there, left]))
    last = by_track(frames)[-1]
    assert last["a"] == pytest.approx(RATE_RADPS, rel=0.05)
    assert last["b"] == 0.0


@pytest.mark.parametrize(("noise_rad", "spread_radps"), [(0.0175, 0.01), (0.035, 0.02), (0.0873, 0.05)])
def test_a_turn_shows_through_noise(noise_rad: float, spread_radps: float) -> None:
    """Of 1, 2 and 5 degrees."""
    found = rates(around(20.0, noise_rad=noise_rad))[60:]
    assert found.mean() == pytest.approx(RATE_RADPS, rel=0.05)
    assert found.std() < spread_radps


def test_a_front_that_was_taken_for_the_rear_does_not_end_a_turn() -> None:
    frames = around(4.0)
    for index in (20, 30, 31):
        frames[index] = replace(frames[index], yaw_rad=frames[index].yaw_rad + np.pi)
    np.testing.assert_allclose(rates(frames)[20:], RATE_RADPS, rtol=0.03)


def test_after_a_turn_the_rate_is_soon_gone() -> None:
    """A second after it less than half is left, 2 s after it next to nothing."""
    frames = around(4.0)
    yaw = float(frames[-1].yaw_rad[0])
    frames += [replace(frames[-1], timestamp_ns=frames[-1].timestamp_ns + k * 100_000_000) for k in range(1, 31)]
    found = rates([replace(one, yaw_rad=np.array([yaw])) if k >= 40 else one for k, one in enumerate(frames)])
    assert found[49] < 0.5 * RATE_RADPS
    assert np.abs(found[60:]).max() < 0.1 * RATE_RADPS


def test_the_way_that_a_lane_winds_does_not_go_on() -> None:
    """A degree a second, which a car that changes lanes has, too."""
    frames = [
        frame(0.1 * i, {"a": (3.0 * i, 0.0)}, velocity=(30.0, 0.0), yaw=0.02 * 0.1 * i) for i in range(60)
    ]  # fmt: skip
    assert rates(frames, 30.0)[-1] < 0.004


def test_people_do_not_go_round() -> None:
    assert not rates(around(6.0, kind=ObjectClass.PEDESTRIAN)).any()


def test_a_new_track_knows_nothing_of_the_one_before() -> None:
    frames = [*around(6.0), frame(7.0, {"b": (300.0, 0.0)}, velocity=(SPEED_MPS, 0.0))]
    assert by_track(frames)[-1]["b"] == 0.0


def test_no_curve_is_narrower_than_physics_allows() -> None:
    slow_mps = 0.5
    assert rates(around(6.0), slow_mps)[-1] == pytest.approx(MAX_CURVATURE_PER_M * slow_mps)


def test_an_arc_ends_on_the_circle() -> None:
    time_s = np.array([0.0, 0.5, 3.0, 6.0])
    x_m, y_m = arc(
        np.array([SPEED_MPS, 5.0]), np.array([0.5 * np.pi, np.arctan2(4.0, 3.0)]), np.array([RATE_RADPS, 0.0]), time_s
    )
    angle = RATE_RADPS * time_s
    np.testing.assert_allclose(x_m[0], RADIUS_M * (np.cos(angle) - 1.0), atol=1e-9)
    np.testing.assert_allclose(y_m[0], RADIUS_M * np.sin(angle), atol=1e-9)
    np.testing.assert_allclose(np.stack([x_m[1], y_m[1]]), np.outer([3.0, 4.0], time_s))


def judged(frames: list[TrackFrame]) -> tuple[FloatArray, FloatArray, int, Source]:
    """The most probable path (T, 2), its yaws (T,), its expert and source in the last frame."""
    stream = Stream(GoesOn(), judging=JudgingOptions(combine=False, adapt_spread=False))
    last = fed(stream, frames)[-1]
    best = last.best_first()
    assert best.expert is not None
    return best.position_m[0, 0], best.yaw_rad[0, 0], int(best.expert[0, 0]), Source(int(best.source[0]))


@pytest.mark.parametrize("step_s", [0.1, 0.5])
def test_who_goes_round_is_expected_to_go_on_once_the_model_has_been_wrong(step_s: float) -> None:
    path_m, yaw_rad, expert, source = judged(around(4.0, step_s))
    angle = RATE_RADPS * (4.0 - step_s + TIME_S)  # its yaw passes pi on the way
    assert (expert, source) == (Expert.CONSTANT_VELOCITY, Source.JUDGED)
    assert np.linalg.norm(path_m - RADIUS_M * np.stack([np.cos(angle), np.sin(angle)], axis=1), axis=1).max() < 1.5
    off_rad = np.angle(np.exp(1j * (yaw_rad - angle - 0.5 * np.pi)))
    assert np.abs(off_rad).max() < 0.2
    assert (np.abs(yaw_rad) <= np.pi).all()


@pytest.mark.parametrize(("noise_rad", "limit_m"), [(0.0175, 3.0), (0.035, 6.0)])
def test_a_tracker_with_noise_sees_it_too(noise_rad: float, limit_m: float) -> None:
    path_m, _, expert, _ = judged(around(6.0, noise_rad=noise_rad))
    angle = RATE_RADPS * (5.9 + TIME_S)
    assert expert == Expert.CONSTANT_VELOCITY
    assert np.linalg.norm(path_m - RADIUS_M * np.stack([np.cos(angle), np.sin(angle)], axis=1), axis=1).max() < limit_m


def test_who_clearly_turns_leads_from_the_first_judgement_on() -> None:
    """At 1.6 s one answer that knew the rate has been judged: without a prior of turns that is not enough."""
    assert [judged(around(seconds))[2] for seconds in (1.5, 1.7)] == [Expert.MODEL, Expert.CONSTANT_VELOCITY]


def test_after_the_turn_the_way_is_straight_again() -> None:
    """Three seconds straight on after six round: the rate is gone, the trust in constant velocity stays."""
    frames = around(6.0)
    ahead = frames[-1].velocity_mps[0]
    for index in range(1, 31):
        x_m, y_m = frames[59].position_m[0] + 0.1 * index * ahead
        yaw = float(np.arctan2(ahead[1], ahead[0]))
        frames.append(frame(5.9 + 0.1 * index, {"a": (x_m, y_m)}, velocity=ahead, yaw=yaw))
    path_m, _, expert, _ = judged(frames)
    assert expert == Expert.CONSTANT_VELOCITY
    straight_m = frames[-1].position_m[0] + TIME_S[:, None] * ahead
    assert np.linalg.norm(path_m - straight_m, axis=1).max() < 1.0


def test_standing_still_neither_turns_nor_moves() -> None:
    """A car that stays where it is after a turn, and says that it drives: standing enters, with its present pose."""
    frames = around(4.0)
    stops = frames[-1]
    frames += [replace(stops, timestamp_ns=stops.timestamp_ns + k * 100_000_000) for k in range(1, 15)]
    stream = Stream(GoesOn(), judging=JudgingOptions(combine=False, adapt_spread=False, prior=(0.1, 0.1, 0.8)))
    last = fed(stream, frames[:42])[-1]
    assert last.expert is not None
    row, mode = np.nonzero(last.expert == Expert.STANDING)
    assert len(row) > 0
    np.testing.assert_allclose(last.yaw_rad[row, mode], np.broadcast_to(stops.yaw_rad[0], (len(row), len(TIME_S))))
    still_m = np.broadcast_to(stops.position_m[0], (len(row), len(TIME_S), 2))
    np.testing.assert_allclose(last.position_m[row, mode], still_m)


def along(yaws: FloatArray) -> list[TrackFrame]:
    """An object that goes where it is turned, with these yaws (F,), every 0.1 s."""
    ahead = SPEED_MPS * np.stack([np.cos(yaws), np.sin(yaws)], axis=1)
    places = np.cumsum(0.1 * ahead, axis=0)
    return [
        frame(0.1 * i, {"a": tuple(place)}, velocity=velocity, yaw=float(yaw))
        for i, (place, velocity, yaw) in enumerate(zip(places, ahead, yaws, strict=True))
    ]


@pytest.mark.parametrize("period_s", [2.0, 4.0])
def test_who_sways_does_not_turn(period_s: float) -> None:
    """By 7 degrees to either side: up to 0.4 and 0.2 rad/s."""
    yaws = 0.12 * np.sin(2.0 * np.pi / period_s * 0.1 * np.arange(120))
    assert np.abs(rates(along(yaws))[40:]).max() < 0.06


def test_a_second_bend_the_other_way_is_believed_after_four_seconds() -> None:
    yaws = np.concatenate([0.04 * np.arange(40), 1.6 - 0.04 * np.arange(60)])
    found = rates(along(yaws))
    np.testing.assert_allclose(found[20:40], 0.4, rtol=0.1)
    assert (found[78:] < -0.3).all()
