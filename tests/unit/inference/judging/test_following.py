"""Vehicles that follow heed what the one ahead will do."""

from __future__ import annotations

import numpy as np
import pytest

from tests.frames import frame
from tests.unit.inference.judging.fakes import HEED_ONLY, TIME_S, GoesOn, fed
from trajnet.inference import NO_JUDGING, Stream
from trajnet.inference.base import Predictor
from trajnet.inference.judging.following import (
    FASTER_MPS2,
    GAP_M,
    GAP_S,
    HORIZONS_S,
    SETS_OFF_M,
    SHARE,
    SLOWER_MPS2,
    Following,
)
from trajnet.inference.judging.leaders import Leaders
from trajnet.tracking.plausibility import max_speed_mps
from trajnet.types import FloatArray, ObjectClass, Prediction, Source, TrackFrame

LENGTH_M = 4.0


def queue(*cars: tuple[float, float], kind: ObjectClass = ObjectClass.CAR) -> TrackFrame:
    """Cars in one lane, each with its place along it and its speed."""
    velocity = np.array([[speed_mps, 0.0] for _, speed_mps in cars])
    return frame(0.0, {str(i): (x_m, 0.0) for i, (x_m, _) in enumerate(cars)}, velocity=velocity, kind=kind)


def heeded(one: TrackFrame, model: Predictor | None = None) -> Prediction:
    return fed(Stream(model or GoesOn(), judging=HEED_ONLY), [one])[-1]


def progress(own_mps: float, leader_mps: float, gap_m: float) -> FloatArray:
    """How far the follower gets, of two."""
    answer = heeded(queue((0.0, own_mps), (gap_m + LENGTH_M, leader_mps)))
    assert np.array_equal(answer.position_m[0, 0, :, 1], np.zeros(len(TIME_S)))
    found: FloatArray = answer.position_m[0, 0, :, 0]
    return found


@pytest.mark.parametrize(("own_mps", "leader_mps", "gap_m"), [(10.0, 8.0, 12.0), (10.0, 11.0, 5.0), (9.0, 8.5, 40.0)])
def test_who_follows_comes_closer_to_what_the_leader_does(own_mps: float, leader_mps: float, gap_m: float) -> None:
    weight = np.interp(TIME_S, HORIZONS_S, SHARE) * np.exp(-gap_m / (GAP_M + GAP_S * own_mps))
    wanted = (own_mps + weight * (leader_mps - own_mps)) * TIME_S
    np.testing.assert_allclose(progress(own_mps, leader_mps, gap_m), wanted)


def test_nobody_is_slowed_or_sped_up_more_than_a_driver_would() -> None:
    # A stopped car right ahead, and one that races away.
    np.testing.assert_allclose(progress(20.0, 0.0, 0.0)[:2], 20.0 * TIME_S[:2] - 0.5 * SLOWER_MPS2 * TIME_S[:2] ** 2)
    np.testing.assert_allclose(progress(10.0, 30.0, 0.0), 10.0 * TIME_S + 0.5 * FASTER_MPS2 * TIME_S**2)
    for own_mps, leader_mps in ((20.0, 0.0), (3.0, 30.0), (30.0, 3.0)):
        assert (np.diff(progress(own_mps, leader_mps, 0.0)) >= 0.0).all()


def test_who_hardly_sets_off_is_not_drawn_along() -> None:
    slow_mps = 0.1 * SETS_OFF_M / TIME_S[-1]
    gain_m = progress(slow_mps, 1.0, 0.0) - slow_mps * TIME_S
    assert gain_m[-1] == pytest.approx(0.1 * SHARE[-1] * (1.0 - slow_mps) * TIME_S[-1])
    np.testing.assert_array_equal(progress(0.0, 10.0, 0.0), np.zeros(len(TIME_S)))


def test_the_leader_of_the_leader_has_its_say() -> None:
    pair = heeded(queue((0.0, 10.0), (14.0, 10.0))).position_m[0, 0, -1, 0]
    braking = heeded(queue((0.0, 10.0), (14.0, 10.0), (24.0, 6.0))).position_m[:, 0, -1, 0]
    assert braking[1] < 14.0 + 60.0
    assert braking[0] < pair == 60.0
    further = heeded(queue((0.0, 10.0), (14.0, 10.0), (28.0, 10.0), (38.0, 6.0))).position_m[:, 0, -1, 0]
    assert further[1] < 14.0 + 60.0
    assert further[0] == pair  # but no more than that


def test_only_the_most_probable_path_moves() -> None:
    one = queue((0.0, 10.0), (14.0, 8.0))
    plain, drawn = fed(Stream(GoesOn(), judging=NO_JUDGING), [one])[-1], heeded(one)
    assert (drawn.position_m[0, 0] != plain.position_m[0, 0]).any()
    np.testing.assert_array_equal(drawn.position_m[0, 1:], plain.position_m[0, 1:])
    np.testing.assert_array_equal(drawn.position_m[1], plain.position_m[1])
    for name in ("yaw_rad", "covariance_m2", "probability", "source"):
        np.testing.assert_array_equal(getattr(drawn, name), getattr(plain, name))


@pytest.mark.parametrize("kind", [ObjectClass.PEDESTRIAN, ObjectClass.BICYCLE, ObjectClass.MOTORCYCLE])
def test_only_vehicles_follow(kind: ObjectClass) -> None:
    answer = heeded(queue((0.0, 10.0), (14.0, 6.0), kind=kind))
    np.testing.assert_allclose(answer.position_m[0, 0, :, 0], 10.0 * TIME_S)


def test_vehicles_follow_riders_but_no_one_on_foot() -> None:
    velocity = np.array([[10.0, 0.0], [4.0, 0.0]])
    for kind, moves in ((ObjectClass.BICYCLE, True), (ObjectClass.PEDESTRIAN, False)):
        one = frame(0.0, {"a": (0.0, 0.0), "b": (14.0, 0.0)}, velocity=velocity, kind=[ObjectClass.CAR, kind])
        assert (heeded(one).position_m[0, 0, -1, 0] < 60.0) == moves


class Physics(GoesOn):
    """Its first row is not the model's."""

    def predict(self, observations):  # type: ignore[no-untyped-def]
        answer = super().predict(observations)
        answer.source[0] = Source.PHYSICS
        return answer


def test_rows_that_the_model_did_not_answer_stay() -> None:
    answer = heeded(queue((0.0, 10.0), (14.0, 6.0), (20.0, 2.0)), Physics())
    np.testing.assert_array_equal(answer.position_m[0, 0, :, 0], 10.0 * TIME_S)
    assert (answer.position_m[1, 0, :, 0] < 14.0 + 6.0 * TIME_S).all()


def test_short_predictions_have_leaders_too() -> None:
    time_s = np.array([0.4, 0.8])
    leaders = Leaders(np.array([0]), np.array([1]), np.array([0.0]))
    cars = np.full(2, ObjectClass.CAR, np.int8)
    found, _ = Following(time_s).progress(time_s[:, None] * [10.0, 9.5], leaders, np.array([10.0, 9.5]), cars)
    assert ((found[:, 0] < 10.0 * time_s) & (found[:, 0] > 9.5 * time_s)).all()


def test_the_pull_is_what_leaders_would_draw_once_more() -> None:
    """Of every row, 0 where nobody leads; from progress to progress as both are drawn, without limits."""
    stream = Stream(GoesOn(), judging=HEED_ONLY)
    assert stream.judge is not None
    assert stream.judge._heeding is not None
    following, found = stream.judge._heeding[0], list[FloatArray]()
    drawn = following.draw
    following.draw = lambda *given: found.append(drawn(*given)) or found[-1]  # type: ignore[method-assign, func-returns-value]
    answer = fed(stream, [queue((40.0, 9.0), (0.0, 10.0), (24.0, 6.0))])[-1]
    progress_m = answer.position_m[:, 0, :, 0] - np.array([[40.0], [0.0], [24.0]])
    gap_m = np.array([np.nan, 24.0 - LENGTH_M, 16.0 - LENGTH_M])
    weight = np.interp(TIME_S, HORIZONS_S, SHARE)[:, None] * np.exp(
        -gap_m / (GAP_M + GAP_S * np.array([9.0, 10.0, 6.0]))
    )
    ahead_m = progress_m[[0, 2, 0]] - progress_m
    wanted_m = np.where(np.isnan(gap_m), 0.0, weight * ahead_m.T)
    np.testing.assert_allclose(found[0], wanted_m, atol=1e-9)
    assert (np.abs(found[0][:, 1:]) > 0.01).any(axis=0).all()


def test_what_has_no_direction_yet_leads_nobody() -> None:
    """Its predicted path has no length for want of a direction: that is no reason to brake."""
    model = GoesOn()
    stream = Stream(model, judging=HEED_ONLY)
    behind = {"a": (0.0, 0.0)}
    velocity = [[10.0, 0.0]]
    fed(stream, [frame(0.0, behind, velocity=velocity)])
    both = TrackFrame(
        100_000_000, ("a", "b"), np.full(2, ObjectClass.CAR), np.array([[1.0, 0.0], [14.0, 0.0]]),
        np.array([0.0, np.nan]), np.array([True, False]),
        np.array([[10.0, 0.0], [np.nan, np.nan]]), np.array([True, False]), np.tile([4.0, 2.0], (2, 1)),
    )  # fmt: skip
    (answer,) = fed(stream, [both])
    np.testing.assert_allclose(answer.position_m[0, 0, :, 0], 1.0 + 10.0 * TIME_S)


def test_nobody_is_drawn_along_faster_than_its_class() -> None:
    truck, car = max_speed_mps(np.array([ObjectClass.TRUCK, ObjectClass.CAR], np.int8)).tolist()
    velocity = np.array([[0.99 * truck, 0.0], [0.99 * car, 0.0]])
    one = frame(0.0, {"a": (0.0, 0.0), "b": (9.0, 0.0)}, velocity=velocity, kind=[ObjectClass.TRUCK, ObjectClass.CAR])
    np.testing.assert_allclose(heeded(one).position_m[0, 0, 2:, 0], truck * TIME_S[2:])
