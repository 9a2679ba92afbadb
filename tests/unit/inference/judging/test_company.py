"""People who walk heed who walks along."""

from __future__ import annotations

import numpy as np
import pytest

from tests.frames import frame
from tests.unit.inference.judging.fakes import HEED_ONLY, TIME_S, GoesOn, Says, fed
from trajnet.inference import NO_JUDGING, Stream
from trajnet.inference.judging.company import (
    _AT_ONCE,
    ALIKE_MPS,
    HALF,
    HORIZONS_S,
    NEAR_M,
    SHARE,
    WALKS_MPS,
    companions,
)
from trajnet.tracking.store import Observations
from trajnet.types import FloatArray, ObjectClass, Prediction, TrackFrame

Walker = tuple[tuple[float, float], tuple[float, float]]


class Straight(Says):
    """1 m/s along x; all but the first 1 m/s along y as well."""

    def __init__(self) -> None:
        super().__init__([(1.0, 0.0)], [1.0])

    def predict(self, observations: Observations) -> Prediction:
        answer = super().predict(observations)
        answer.position_m[1:, 0, :, 1] += TIME_S
        return answer


def walking(*people: Walker, kind: ObjectClass = ObjectClass.PEDESTRIAN) -> TrackFrame:
    """People, each with a place and a velocity."""
    velocity = np.array([v for _, v in people])
    return frame(0.0, {str(i): place for i, (place, _) in enumerate(people)}, yaw=None, velocity=velocity, kind=kind)


def heeded(one: TrackFrame) -> Prediction:
    return fed(Stream(GoesOn(), judging=HEED_ONLY), [one])[-1]


def gone(one: TrackFrame) -> FloatArray:
    """The most probable paths, from where they begin, (N, T, 2)."""
    found: FloatArray = heeded(one).position_m[:, 0] - one.position_m[:, None]
    return found


@pytest.mark.parametrize(("apart_m", "slower_mps"), [(1.0, 0.2), (3.0, 0.2), (1.0, 0.8)])
def test_two_who_walk_together_come_closer_to_each_other_s_ways(apart_m: float, slower_mps: float) -> None:
    one = walking(((0.0, 0.0), (1.4, 0.0)), ((0.0, apart_m), (1.4 - slower_mps, 0.0)))
    counts = np.exp(-((apart_m / NEAR_M) ** 2) - (slower_mps / ALIKE_MPS) ** 2)
    weight = np.interp(TIME_S, HORIZONS_S, SHARE) * counts / (counts + 1.0)
    np.testing.assert_allclose(gone(one)[0, :, 0], (1.4 - weight * slower_mps) * TIME_S)
    np.testing.assert_allclose(gone(one)[1, :, 0], (1.4 - slower_mps + weight * slower_mps) * TIME_S)


def test_many_count_for_more_than_one() -> None:
    def of(companions_: int) -> float:
        others: list[Walker] = [((0.3 * i, 0.5), (1.1, 0.0)) for i in range(companions_)]
        return float(gone(walking(((0.0, 0.0), (1.4, 0.0)), *others))[0, -1, 0])

    reached_m = [of(count) for count in range(5)]
    assert reached_m == sorted(reached_m, reverse=True)
    assert 1.4 * 6.0 > reached_m[-1] > (1.4 - SHARE[-1] * 0.3) * 6.0


@pytest.mark.parametrize(
    "other",
    [
        ((0.0, 30.0), (1.0, 0.0)),  # far away
        ((0.0, 1.0), (-1.4, 0.0)),  # comes the other way
        ((0.0, 1.0), (0.9 * WALKS_MPS, 0.0)),  # stands
    ],
)
def test_others_count_for_next_to_nothing(other: Walker) -> None:
    found_m = gone(walking(((0.0, 0.0), (1.4, 0.0)), other))[0]
    np.testing.assert_allclose(found_m, np.array([1.4, 0.0]) * TIME_S[:, None], atol=0.02)


def test_only_people_have_company_and_only_their_most_probable_path_moves() -> None:
    people: tuple[Walker, Walker] = (((0.0, 0.0), (1.4, 0.0)), ((0.0, 1.0), (1.0, 0.0)))
    one = walking(*people)
    plain, drawn = fed(Stream(GoesOn(), judging=NO_JUDGING), [one])[-1], heeded(one)
    assert (drawn.position_m[:, 0] != plain.position_m[:, 0]).any(axis=(1, 2)).all()
    np.testing.assert_array_equal(drawn.position_m[:, 1:], plain.position_m[:, 1:])
    for name in ("yaw_rad", "covariance_m2", "probability", "source"):
        np.testing.assert_array_equal(getattr(drawn, name), getattr(plain, name))
    for kind in (ObjectClass.BICYCLE, ObjectClass.UNKNOWN):
        one = walking(*people, kind=kind)
        plain, drawn = fed(Stream(GoesOn(), judging=NO_JUDGING), [one])[-1], heeded(one)
        np.testing.assert_array_equal(drawn.position_m, plain.position_m)


def test_nobody_counts_for_itself() -> None:
    found = companions(np.zeros((3, 2)), np.zeros((3, 2)))
    np.testing.assert_array_equal(found, 1.0 - np.eye(3))


def test_the_order_of_rows_says_nothing() -> None:
    rng = np.random.default_rng(0)
    people: list[Walker] = [(tuple(rng.uniform(0, 5, 2)), tuple(rng.normal(1.0, 0.3, 2))) for _ in range(12)]
    order = rng.permutation(12)
    plain, turned = gone(walking(*people)), gone(walking(*(people[i] for i in order)))
    np.testing.assert_allclose(plain[order], turned, atol=1e-12)


def test_many_at_once_are_the_same_in_parts() -> None:
    rng = np.random.default_rng(1)
    people: list[Walker] = [(tuple(rng.uniform(0, 40, 2)), tuple(rng.normal(1.0, 0.3, 2))) for _ in range(150)]
    one = walking(*people)
    counts, plain = companions(one.position_m, one.velocity_mps), one.velocity_mps[:, None] * TIME_S[:, None]
    share = np.interp(TIME_S, HORIZONS_S, SHARE)[:, None] / (counts.sum(axis=1) + HALF)[:, None, None]
    wanted_m = plain + share * (np.einsum("ij,jtx->itx", counts, plain) - counts.sum(axis=1)[:, None, None] * plain)
    assert plain[0].size * 150 * 150 > _AT_ONCE  # more than one part
    np.testing.assert_allclose(gone(one), wanted_m, atol=1e-9)


def test_velocities_that_were_not_measured_count_as_they_are_derived() -> None:
    """Two who walk apart from each other are no company, measured or not."""

    def walked(away_mps: float) -> FloatArray:
        stream = Stream(Straight(), judging=HEED_ONLY)
        frames = [
            frame(0.5 * i, {"a": (0.7 * i, 0.0), "b": (0.5 * away_mps * i, 1.0)}, yaw=None, kind=ObjectClass.PEDESTRIAN)
            for i in range(3)
        ]
        return np.asarray(fed(stream, frames)[-1].position_m[0, 0, -1])

    np.testing.assert_allclose(walked(-1.4), [1.4 + 6.0, 0.0], atol=0.02)
    assert walked(1.0)[1] > 0.5  # towards where the other one goes
