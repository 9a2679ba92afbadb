"""What a stream learns of its traffic draws the most probable paths of fast vehicles."""

from __future__ import annotations

import numpy as np
import pytest

from tests.frames import frame
from tests.unit.inference.judging.fakes import LEARN_ONLY, TIME_S, GoesOn, bytes_of, fed
from trajnet.inference import NO_JUDGING, JudgingOptions, Stream
from trajnet.inference.judging.learning import (
    FAST_MPS,
    FEATURES,
    LIMIT_MPS2,
    MEMORY_S,
    OWN_SHARE,
    RIDGE,
    TOLERANCE_MPS,
    TURNS_AT,
    TURNS_S,
    Learning,
)
from trajnet.inference.judging.regression import Regression
from trajnet.tracking.plausibility import max_speed_mps
from trajnet.types import FloatArray, ObjectClass, TrackFrame

SAID_MPS = 12.0


def traffic(
    time_s: float, drives_mps: float, said_mps: float = SAID_MPS, cars: int = 3, kind: ObjectClass = ObjectClass.CAR
) -> TrackFrame:
    """Cars side by side that report one speed and drive at another."""
    places = {f"{row}": (drives_mps * time_s, 20.0 * row) for row in range(cars)}
    return frame(time_s, places, velocity=np.tile([said_mps, 0.0], (cars, 1)), kind=kind)


def learned(drives_mps: float, seconds: float = 20.0, said_mps: float = SAID_MPS) -> Stream:
    """A stream that has seen cars drive so for a while."""
    stream = Stream(GoesOn(), judging=LEARN_ONLY)
    fed(stream, [traffic(t, drives_mps, said_mps) for t in np.arange(0.0, seconds, 0.5)])
    return stream


def reach_m(stream: Stream, said_mps: float = SAID_MPS, kind: ObjectClass = ObjectClass.CAR) -> FloatArray:
    """How far the paths of an object that the stream has never seen get, (K, T)."""
    later_s = 50.0 + (stream.store.newest_ns or 0) * 1e-9
    new = frame(later_s, {"new": (0.0, 0.0)}, velocity=np.array([[said_mps, 0.0]]), kind=kind)
    found: FloatArray = fed(stream, [new])[-1].position_m[0, :, :, 0]
    return found


@pytest.mark.parametrize("drives_mps", [10.5, 13.5])
def test_who_comes_later_is_expected_to_do_as_those_before(drives_mps: float) -> None:
    found = reach_m(learned(drives_mps))
    gap = (found[0] - SAID_MPS * TIME_S) / ((drives_mps - SAID_MPS) * TIME_S)
    assert (gap[3:] > 0.7).all(), gap  # before that nobody is drawn so far
    assert (gap > 0.0).all(), gap
    assert (gap < 1.1).all(), gap
    np.testing.assert_allclose(found[1], 0.5 * SAID_MPS * TIME_S)  # the other mode stays


def test_the_more_it_has_seen_the_more_it_moves() -> None:
    ends_m = [reach_m(learned(13.5, seconds))[0, -1] for seconds in (1.0, 3.0, 6.0, 20.0)]
    assert ends_m[0] == SAID_MPS * TIME_S[-1]  # nothing is a second old
    assert (np.diff(ends_m) > 0.0).all()


@pytest.mark.parametrize(("step_s", "judged"), [(0.5, {1.0: 1, 2.0: 2}), (0.4, {1.2: 1, 2.0: 1, 2.4: 1})])
def test_the_weights_are_those_of_its_features_and_errors(step_s: float, judged: dict[float, int]) -> None:
    """One car with two modes, no leader and no change: features and errors by hand, at any rate of frames.

    Answers are kept at 0 and 1 s, or 0 and 1.2 s, and judged when they are 1 and 2 s old, or as soon as they are older.
    """
    stream = Stream(GoesOn(), judging=LEARN_ONLY)
    fed(stream, [traffic(t, SAID_MPS + 1.0, cars=1) for t in np.arange(0.0, 2.41, step_s)])
    feature = np.zeros(FEATURES)
    feature[2], feature[4], feature[5] = OWN_SHARE * SAID_MPS, 0.8 * SAID_MPS + 0.2 * 0.5 * SAID_MPS - SAID_MPS, 1.0
    wanted = Regression(FEATURES, ridge=RIDGE, tolerance=TOLERANCE_MPS, memory_s=MEMORY_S)
    last_s = 0.0
    for time_s, count in judged.items():
        wanted.take(
            np.tile(feature, (count, 1)), np.ones(count), np.full(count, 1.2 if time_s == 2.4 else 1.0), time_s - last_s
        )
        last_s = time_s
    assert stream.judge is not None
    assert stream.judge.learning is not None
    assert stream.judge.learning.regression.taken == wanted.taken == stream.judge.counters.learned_errors
    np.testing.assert_allclose(stream.judge.learning.regression.weight, wanted.weight)


def test_the_pull_of_the_leader_can_be_learned() -> None:
    """Who follows does at once what the one ahead does: half of that is heeded, the rest is learned."""
    both = JudgingOptions(weigh=False, adapt_spread=False, combine=False)
    stream = Stream(GoesOn(), judging=both)

    def pair(time_s: float) -> TrackFrame:
        places = {"a": (10.0 * time_s, 0.0), "b": (10.0 * time_s + 14.0, 0.0)}
        return frame(time_s, places, velocity=np.array([[14.0, 0.0], [10.0, 0.0]]))

    first = fed(stream, [pair(0.0)])[0].position_m[0, 0, -1, 0]
    later = fed(stream, [pair(t) for t in np.arange(0.5, 60.0, 0.5)])[-1]
    assert later.position_m[0, 0, -1, 0] - 10.0 * 59.5 < first - 4.0
    assert stream.judge is not None
    assert stream.judge.learning is not None
    pull, turned = stream.judge.learning.regression.weight[[0, 6]]
    assert pull + turned * (TIME_S[-1] / TURNS_S - TURNS_AT) > 0.1


def test_slow_ones_and_riders_are_neither_learned_from_nor_drawn() -> None:
    said_mps = FAST_MPS - 0.1
    slow = learned(said_mps + 1.5, said_mps=said_mps)
    assert slow.judge is not None
    assert slow.judge.learning is not None
    assert slow.judge.learning.regression.taken == 0
    fast = learned(13.5)
    np.testing.assert_array_equal(reach_m(fast, said_mps)[0], said_mps * TIME_S)
    np.testing.assert_array_equal(reach_m(fast, 9.0, ObjectClass.BICYCLE)[0], 9.0 * TIME_S)


def test_nobody_is_moved_more_than_a_driver_could_or_its_class_can() -> None:
    fast = learned(15.5, 60.0)
    found = reach_m(fast)[0]
    assert found[-1] > SAID_MPS * TIME_S[-1] + 6.0
    assert (found - SAID_MPS * TIME_S <= 0.5 * LIMIT_MPS2 * TIME_S**2 + 1e-9).all()
    most_mps = float(max_speed_mps(np.array([ObjectClass.TRUCK], np.int8))[0])
    np.testing.assert_allclose(reach_m(fast, most_mps, ObjectClass.TRUCK)[0], most_mps * TIME_S)


def test_nobody_goes_back() -> None:
    found = reach_m(learned(8.5, 60.0))[0]
    assert (np.diff(found, prepend=0.0) >= 0.0).all()


def test_a_new_scene_keeps_what_was_learned_and_a_new_stream_does_not() -> None:
    stream = learned(13.5)
    stream.reset()
    assert reach_m(stream)[0, -1] > SAID_MPS * TIME_S[-1] + 3.0
    assert reach_m(Stream(GoesOn(), judging=LEARN_ONLY))[0, -1] == SAID_MPS * TIME_S[-1]


def test_left_out_nothing_changes() -> None:
    frames = [traffic(t, 13.5) for t in np.arange(0.0, 10.0, 0.5)]
    plain = fed(Stream(GoesOn(), judging=NO_JUDGING), frames)
    without = JudgingOptions(weigh=False, adapt_spread=False, combine=False, learn=False)
    assert bytes_of(fed(Stream(GoesOn(), judging=without), frames)[-1]) == bytes_of(plain[-1])
    assert bytes_of(fed(Stream(GoesOn(), judging=LEARN_ONLY), frames)[-1]) != bytes_of(plain[-1])


def test_a_short_predictor_learns_from_the_ages_that_it_has() -> None:
    learning = Learning(np.array([0.4, 0.8, 1.2]))
    assert learning._age_s.tolist() == [1.2]


def test_it_is_told_how_the_speed_of_each_vehicle_changes() -> None:
    stream, told = Stream(GoesOn(), judging=LEARN_ONLY), list[FloatArray]()
    assert stream.judge is not None
    assert stream.judge.learning is not None
    drawn = stream.judge.learning.draw
    stream.judge.learning.draw = lambda *given: told.append(given[3]) or drawn(*given)  # type: ignore[method-assign, func-returns-value]
    places_m, speeds_mps = np.zeros(2), np.array([20.0, 12.0])
    for step in range(20):  # the first brakes by 2 m/s², northwards
        velocity = speeds_mps[:, None] * [0.0, 1.0]
        both = {"a": (0.0, places_m[0]), "b": (30.0, places_m[1])}
        fed(stream, [frame(0.1 * step, both, yaw=0.5 * np.pi, velocity=velocity)])
        places_m, speeds_mps = places_m + 0.1 * speeds_mps, speeds_mps - [0.2, 0.0]
    braking, steady = told[-1]
    assert braking < -0.2
    assert steady == pytest.approx(0.0, abs=1e-6)


def test_nobody_is_learned_to_go_back() -> None:
    """A slow path and a large lesson: it stays where it is."""
    learning, passed_m = Learning(TIME_S), 0.2 * TIME_S[:, None]
    learning.regression.weight[5] = -3.0
    feature = np.zeros((FEATURES, len(TIME_S), 1))
    feature[5, :, 0] = TIME_S
    found = learning._progress_m(passed_m, feature, np.array([ObjectClass.CAR], np.int8))
    np.testing.assert_array_equal(found, np.zeros_like(passed_m))


def test_more_vehicles_than_ever_are_learned_from() -> None:
    stream = Stream(GoesOn(), judging=LEARN_ONLY)
    for step in range(20):
        fed(stream, [traffic(0.5 * step, 13.0, cars=3 if step < 5 else 200)])
    assert stream.judge is not None
    assert stream.judge.counters.learned_errors > 200


def test_after_a_clock_went_back_what_is_new_is_learned() -> None:
    stream = Stream(GoesOn(), judging=LEARN_ONLY)
    fed(stream, [traffic(t, 13.5) for t in np.arange(7200.0, 7230.0, 0.5)])
    stream.reset()
    fed(stream, [traffic(t, 10.5) for t in np.arange(0.0, 60.0, 0.5)])
    assert reach_m(stream)[0, -1] < reach_m(learned(13.5, 30.0))[0, -1] - 2.0
