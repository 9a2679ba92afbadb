"""Paths of vehicles keep to the lanes that they are on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.frames import frame, observed, scene
from tests.unit.inference.judging.fakes import TIME_S, GoesOn, Says, bytes_of, fed
from trajnet.context.lane_paths import LanePaths
from trajnet.inference import NO_JUDGING, JudgingOptions, Stream
from trajnet.inference.judging.lane_keeping import (
    ALIGNED_RAD,
    DOUBTED,
    HALF_S,
    MOST_SHARE,
    OTHER_WAY,
    SWAY_M2,
    WHOLE_M,
    LaneKeeping,
)
from trajnet.inference.judging.lane_trust import LEAST_M, MOST, RIDGE, LaneTrust
from trajnet.tracking.store import Observations, TrackStore
from trajnet.types import FloatArray, Lane, ObjectClass, Prediction, TrackFrame

#: Of self-judging nothing but lanes.
KEEP_ONLY = JudgingOptions(weigh=False, adapt_spread=False, combine=False, heed=False, learn=False)
SHARE: FloatArray = MOST_SHARE * TIME_S**2 / (TIME_S**2 + HALF_S**2)
RADIUS_M = 100.0


def lane(points_m: FloatArray) -> Lane:
    return Lane("1", points_m, points_m, points_m)


def straight(begin_m: tuple[float, float], end_m: tuple[float, float]) -> Lane:
    return lane(np.array([begin_m, end_m], np.float64))


def bend(side: float = 1.0, begin_x_m: float = 0.0, radius_m: float = RADIUS_M) -> Lane:
    """A quarter of a circle to the left (1) or right (-1), from straight ahead."""
    angle_rad = np.linspace(0.0, np.pi / 2, 200)
    return lane(np.stack([begin_x_m + radius_m * np.sin(angle_rad), side * radius_m * (1 - np.cos(angle_rad))], axis=1))


def on_bend(distance_m: FloatArray, right_m: float = 0.0) -> FloatArray:
    """Positions (T, 2) so far along the bend, and so far to the right of its centre."""
    angle_rad = distance_m / RADIUS_M
    radius_m = RADIUS_M + right_m
    return np.stack([radius_m * np.sin(angle_rad), RADIUS_M - radius_m * np.cos(angle_rad)], axis=1)


def car(
    x_m: float = 0.0,
    y_m: float = 0.0,
    *,
    speed_mps: float = 10.0,
    yaw: float = 0.0,
    kind: ObjectClass = ObjectClass.CAR,
) -> TrackFrame:
    velocity = (speed_mps * np.cos(yaw), speed_mps * np.sin(yaw))
    return frame(0.0, {"a": (x_m, y_m)}, velocity=velocity, yaw=yaw, kind=kind)


def kept(one: TrackFrame, *lanes: Lane, model: Says | None = None) -> Prediction:
    return fed(Stream(model or GoesOn(), judging=KEEP_ONLY, lanes=LanePaths(lanes)), [one])[-1]


@pytest.mark.parametrize("right_m", [0.0, 1.2])
def test_all_modes_are_moved_towards_the_lane_more_the_further_ahead(right_m: float) -> None:
    answer = kept(car(0.0, -right_m), bend())
    for mode, speed_mps in enumerate((10.0, 5.0)):
        straight_m = np.stack([speed_mps * TIME_S, np.full(len(TIME_S), -right_m)], axis=1)
        wanted_m = straight_m + SHARE[:, None] * (on_bend(speed_mps * TIME_S, right_m) - straight_m)
        np.testing.assert_allclose(answer.position_m[0, mode], wanted_m, atol=0.25)  # chords, and the outer way


def test_heading_and_covariance_turn_with_the_path_and_the_lane_leaves_less_variance_across_it() -> None:
    answer = kept(car(), bend(), model=_Wide())
    path_m = np.concatenate([np.zeros((1, 2)), answer.position_m[0, 0]])
    piece_rad = np.arctan2(*np.diff(path_m, axis=0).T[::-1])
    wanted_rad = np.append(0.5 * (piece_rad[:-1] + piece_rad[1:]), 1.5 * piece_rad[-1] - 0.5 * piece_rad[-2])
    np.testing.assert_allclose(answer.yaw_rad[0, 0], wanted_rad, atol=1e-9)
    assert wanted_rad[-1] > 0.4
    long_axis = np.linalg.eigh(answer.covariance_m2[0, 0]).eigenvectors[:, :, 1]
    np.testing.assert_allclose(np.arctan(long_axis[:, 1] / long_axis[:, 0]), answer.yaw_rad[0, 0], atol=1e-9)
    wanted_m2 = np.stack([np.maximum(0.09 * (1.0 - SHARE), SWAY_M2), np.full(len(TIME_S), 4.0)], axis=1)
    np.testing.assert_allclose(np.linalg.eigvalsh(answer.covariance_m2[0, 0]), wanted_m2)


class _Wide(GoesOn):
    """It knows how fast worse than where."""

    def predict(self, observations: Observations) -> Prediction:
        answer = super().predict(observations)
        answer.covariance_m2[...] = np.diag([4.0, 0.09])
        return answer


class _Stops(GoesOn):
    """It goes 30 m in 1.5 s, then creeps."""

    def predict(self, observations: Observations) -> Prediction:
        answer = super().predict(observations)
        gone_m = np.where(TIME_S <= 1.5, 20.0 * TIME_S, 30.0 + 0.01 * (TIME_S - 1.5))
        answer.position_m[..., 0] = observations.position_m[:, None, None, 0] + gone_m
        return answer


def test_who_creeps_keeps_its_heading() -> None:
    answer = kept(car(), bend(radius_m=40.0), model=_Stops())
    assert answer.yaw_rad[0, 0, 1] > 0.1
    assert np.array_equal(answer.yaw_rad[0, 0, 3:], np.zeros(len(TIME_S) - 3))


@pytest.mark.parametrize(
    "one",
    [
        car(kind=ObjectClass.BICYCLE),
        car(kind=ObjectClass.PEDESTRIAN),
        car(kind=ObjectClass.UNKNOWN),
        car(yaw=-float(ALIGNED_RAD) - 0.01),
        car(yaw=np.pi),
        car(y_m=-1.6),
        car(x_m=-30.0),
    ],
    ids=["bicycle", "pedestrian", "unknown", "turns off", "oncoming", "beside", "before it begins"],
)
def test_others_stay_as_they_are(one: TrackFrame) -> None:
    without = fed(Stream(GoesOn(), judging=NO_JUDGING), [one])[-1]
    assert bytes_of(kept(one, bend())) == bytes_of(without)


def test_without_lanes_or_when_left_out_nothing_changes() -> None:
    one, lanes = car(), LanePaths([bend()])
    left_out = JudgingOptions(**{**vars(KEEP_ONLY), "keep_lanes": False, "adapt_spread": False, "combine": True})
    streams = [
        Stream(GoesOn(), judging=KEEP_ONLY),
        Stream(GoesOn(), judging=NO_JUDGING, lanes=lanes),
        Stream(GoesOn(), judging=left_out, lanes=lanes),
    ]
    first, second, third = (fed(stream, [one])[-1] for stream in streams)
    assert bytes_of(first) == bytes_of(second)
    assert np.array_equal(third.position_m[..., 1], np.zeros_like(third.position_m[..., 1]))  # nobody turned


def test_what_stands_stays_and_what_crawls_is_hardly_moved() -> None:
    stands = kept(car(speed_mps=0.0), bend())
    assert np.array_equal(stands.position_m, np.zeros_like(stands.position_m))
    crawls = kept(car(speed_mps=1.0), bend(radius_m=10.0))
    off_m = np.hypot(*(10.0 * np.array([np.sin(0.6), 1 - np.cos(0.6)]) - [6.0, 0.0]))
    moved_m = np.hypot(*(crawls.position_m[0, 0, -1] - [6.0, 0.0]))
    assert moved_m == pytest.approx(SHARE[-1] * 6.0 / WHOLE_M * off_m, rel=0.1)


def test_at_a_fork_each_path_goes_along_the_lane_that_it_takes() -> None:
    onto = straight((-20.0, 0.0), (10.0, 0.0))
    ways = (straight((10.0, 0.0), (300.0, 0.0)), bend(1.0, 10.0, 40.0), bend(-1.0, 10.0, 40.0))
    model = Says([(9.0, 0.0), (7.0, 4.0), (7.0, -4.0)], [0.4, 0.3, 0.3])
    ahead_m, left_m, right_m = kept(car(), onto, *ways, model=model).position_m[0]
    np.testing.assert_allclose(ahead_m[:, 1], 0.0, atol=1e-12)
    np.testing.assert_allclose(left_m, right_m * [1.0, -1.0], atol=1e-9)
    way_m = np.hypot(7.0, 4.0) * TIME_S[-1] - 10.0  # on the bend
    end_m = np.array([10.0 + 40.0 * np.sin(way_m / 40.0), 40.0 * (1 - np.cos(way_m / 40.0))])
    straight_m = np.array([7.0, 4.0]) * TIME_S[-1]
    np.testing.assert_allclose(left_m[-1], straight_m + SHARE[-1] * (end_m - straight_m), atol=0.3)


def test_a_path_that_no_lane_goes_along_stays_and_one_that_hardly_does_is_moved_less() -> None:
    for aside, believed in ((0.9 * DOUBTED, 1.0), (0.5 * (DOUBTED + OTHER_WAY), 0.5), (1.1 * OTHER_WAY, 0.0)):
        angle_rad = 2.0 * np.arcsin(aside / 2.0)  # between path and lane: their ends are so many lengths apart
        end_m = 60.0 * np.array([np.cos(angle_rad), np.sin(angle_rad)])
        model = Says([tuple(end_m / TIME_S[-1])], [1.0])
        answer = kept(car(), straight((-20.0, 0.0), (300.0, 0.0)), model=model)
        moved_m = np.hypot(*(answer.position_m[0, 0, -1] - end_m))
        assert moved_m == pytest.approx(believed * SHARE[-1] * aside * 60.0, abs=1e-6)


@pytest.mark.parametrize("y_m", [-0.1, 0.1])
def test_just_after_a_fork_each_path_still_goes_along_the_lane_that_it_takes(y_m: float) -> None:
    """Two lanes overlap under the car, whichever is the nearer."""
    ways = (straight((-5.0, 0.0), (300.0, 0.0)), bend(1.0, -5.0))
    model = Says([(12.0, 0.0), (11.0, 4.0)], [0.6, 0.4])
    ahead_m, left_m = kept(car(0.0, y_m), *ways, model=model).position_m[0]
    np.testing.assert_allclose(ahead_m[:, 1], y_m, atol=1e-9)
    assert left_m[-1, 1] > 26.0 + y_m


def test_moved_rows_are_counted() -> None:
    stream = Stream(GoesOn(), judging=KEEP_ONLY, lanes=LanePaths([bend()]))
    fed(stream, [car()])
    assert stream.judge is not None
    assert stream.judge.counters.lane_rows == 1
    fed(stream, [frame(0.1, {"a": (1.0, 0.0)}, velocity=(10.0, 0.0), kind=ObjectClass.PEDESTRIAN)])
    assert stream.judge.counters.lane_rows == 1


def drive(stream: Stream, side_rad: float, seconds: float, begin_s: float = 0.0) -> Prediction:
    """Six cars drive straight on beside each other; every lane leads off by side_rad."""
    answer = None
    for i in range(round(10 * seconds)):
        now_s = begin_s + 0.1 * i
        tracks = {f"{car}": (10.0 * now_s, 10.0 * car) for car in range(6)}
        one = frame(now_s, tracks, velocity=(10.0, 0.0))
        answer = stream.update(one, one.timestamp_ns)
    assert answer is not None
    return answer


def side_lanes(side_rad: float) -> LanePaths:
    """Lanes of 40 m under each place of the six cars, so that these are always on one."""
    ahead = 40.0 * np.array([np.cos(side_rad), np.sin(side_rad)])
    begins = [np.array([10.0 * i, 10.0 * row]) for i in range(60) for row in range(6)]
    return LanePaths([lane(np.stack([begin, begin + ahead])) for begin in begins])


def test_lanes_that_vehicles_do_not_follow_are_not_trusted_for_long() -> None:
    stream = Stream(_Wide(), judging=KEEP_ONLY, lanes=side_lanes(0.15))
    assert stream.judge is not None
    assert stream.judge.lane_trust is None  # nothing is known yet
    first = drive(stream, 0.15, 0.1)
    aside_m = np.abs(first.position_m[:, 0, -1, 1] - [10.0 * car for car in range(6)])
    assert aside_m.min() > 4.0
    drive(stream, 0.15, 2.5, 0.1)
    assert stream.judge.lane_trust is None  # six answers of each car are too few
    last = drive(stream, 0.15, 9.5, 2.6)
    trust = stream.judge.lane_trust
    assert trust is not None
    assert trust < 0.1
    assert np.abs(last.position_m[:, 0, -1, 1] - [10.0 * car for car in range(6)]).max() < 1.0
    assert last.covariance_m2[:, 0, -1, 1, 1].min() > 0.08  # of 0.09


def judged_once(move_m: tuple[float, float], step_s: float) -> LaneTrust:
    """A car goes straight on at 10 m/s, as it was predicted; a lane would have moved its path by move_m."""
    trust, store = LaneTrust(TIME_S), TrackStore()
    for i in range(round(2.1 / step_s) + 1):
        one = frame(i * step_s, {"a": (10.0 * i * step_s, 0.0)}, velocity=(10.0, 0.0))
        seen = store.update(one, one.timestamp_ns)[1]
        assert seen is not None
        trust.observe(seen)
        if i == 0:
            path_m = np.stack([10.0 * TIME_S, np.zeros(len(TIME_S))], axis=1)[None]
            trust.keep(seen, np.array([0]), path_m, np.broadcast_to(move_m, path_m.shape))
    return trust


@pytest.mark.parametrize(("step_s", "age_s"), [(0.1, 2.0), (0.3, 2.1)])
@pytest.mark.parametrize("move_m", [(0.0, 1.0), (1.0, 0.0)])
def test_one_answer_counts_by_its_square_beside_the_evidence_for_lanes(
    move_m: tuple[float, float], step_s: float, age_s: float
) -> None:
    trust = judged_once(move_m, step_s)
    assert trust.judged == 1
    assert trust.share == pytest.approx(RIDGE / (RIDGE + age_s**-2))


def test_what_lanes_hardly_move_says_nothing_about_them() -> None:
    trust = judged_once((0.0, 0.9 * LEAST_M), 0.1)
    assert (trust.judged, trust.share) == (0, 1.0)


def test_rows_that_the_model_did_not_answer_stay() -> None:
    one = observed(car())
    keeping, model = LaneKeeping(TIME_S), GoesOn()
    keeping.use(LanePaths([bend()]))
    keeping.observe(one)
    answer = model.predict(one)
    before = bytes_of(answer)
    assert len(keeping.draw(one, answer, np.array([False]))) == 0
    assert bytes_of(answer) == before
    assert keeping.draw(one, answer, np.array([True])).tolist() == [0]
    assert bytes_of(answer) != before


def test_a_stream_of_a_scene_has_its_lanes_and_one_of_a_scene_without_has_none() -> None:
    empty = scene([0.0, 0.1], {"a": {0: (0.0, 0.0), 1: (1.0, 0.0)}})
    stream = Stream.for_scene(replace(empty, lanes=(bend(),)), GoesOn(), judging=KEEP_ONLY)
    assert stream.judge is not None
    for rows in (1, 1):
        fed(stream, [car()])
        assert stream.judge.counters.lane_rows == rows
        stream.reset()
        stream.use_map_of(empty)


def test_lanes_that_vehicles_follow_are_trusted_and_never_more_than_most() -> None:
    stream = Stream(Says([(10.0, 2.0)], [1.0]), judging=KEEP_ONLY, lanes=side_lanes(0.0))
    drive(stream, 0.0, 12.0)
    assert stream.judge is not None
    assert stream.judge.lane_trust == MOST  # the model alone is far off, and the usual share leaves a fifth of that


def test_other_lanes_are_trusted_anew_and_the_same_ones_as_before() -> None:
    wrong, right = side_lanes(0.15), side_lanes(0.0)
    stream = Stream(GoesOn(), judging=KEEP_ONLY, lanes=wrong)
    drive(stream, 0.15, 8.0)
    assert stream.judge is not None
    learned = stream.judge.lane_trust
    assert learned is not None
    assert learned < 0.3
    stream.use_lanes(None)
    assert stream.judge.lane_trust is None
    drive(stream, 0.15, 0.5, 8.0)
    stream.use_lanes(wrong)
    assert stream.judge.lane_trust == pytest.approx(learned, abs=0.1)
    stream.use_lanes(right)
    assert stream.judge.lane_trust is None
    last = drive(stream, 0.0, 0.1, 8.5)
    np.testing.assert_allclose(last.position_m[:, 0, -1, 1], [10.0 * car for car in range(6)], atol=1e-6)
