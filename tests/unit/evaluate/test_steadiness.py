"""How far paths jump and how often the best mode flips between frames, by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from tests.unit.evaluate.test_evaluate import FAR_M, Modes, scene_of, straight
from trajnet import metrics
from trajnet.errors import InputError
from trajnet.evaluate.steadiness import PathWatch, Steps, StepSums, WatchedStream, summary
from trajnet.inference import ConstantVelocity
from trajnet.tracking.store import Observations
from trajnet.types import CLASS_NAMES, Prediction

TIME_S = np.arange(1.0, 5.0) * 0.5


class Wavering(Modes):
    """Its modes change places in probability with every call, and it believes 1 m more at every third."""

    def __init__(self, far: float) -> None:
        super().__init__([1.0, far], [0.6, 0.4], TIME_S)
        self.calls = 0

    def predict(self, observations: Observations) -> Prediction:
        self.calls += 1
        one = super().predict(observations)
        return replace(one, probability=one.probability[:, ::-1]) if self.calls % 2 else one


def watched(
    predictor: ConstantVelocity, frames: range, speed_mps: float = 10.0, until_s: float = math.inf
) -> WatchedStream:
    scene = scene_of({"car": straight(frames, speed_mps), "walker": straight(frames, 1.0, 9.0)})
    stream = WatchedStream(predictor)
    stream.until_s = until_s
    for frame in scene.frames():
        stream.update(frame, frame.timestamp_ns)
    return stream


def test_a_steady_object_has_steady_paths() -> None:
    steps = watched(ConstantVelocity(TIME_S), range(10)).steps()
    # In its first frame nothing is known of its speed: the first pair jumps by the whole way.
    assert len(steps) == 2 * 9
    assert steps.jump_m[2:] == pytest.approx(np.zeros(16), abs=1e-6)
    # From 0.1 s on, the path of before stays where it was; the new one is there 10 m/s later: 0, 0.5, 1, 1.5 s.
    assert steps.jump_m[0] == pytest.approx(10 * np.mean([0.1, 0.6, 1.1, 1.6]))
    assert steps.end_jump_m[0] == pytest.approx(16.0)
    assert not steps.flip.any()


def test_paths_are_compared_up_to_the_scored_horizon_however_far_they_reach() -> None:
    further, short = (watched(ConstantVelocity(TIME_S[:known]), range(10), until_s=1.0) for known in (4, 2))
    assert TIME_S[1] == 1.0
    np.testing.assert_allclose(further.steps().jump_m, short.steps().jump_m)
    assert further.steps().end_jump_m[0] < watched(ConstantVelocity(TIME_S), range(10)).steps().end_jump_m[0]


def test_flips_are_counted_where_the_manoeuvres_differ() -> None:
    # The second mode goes twice as fast: the car's ends are 15 m apart, the walker's 1.5 m, which is one manoeuvre.
    found = summary(watched(Wavering(2.0), range(11)).steps())
    assert found["car"]["flip_share"] == pytest.approx(9 / 10)  # all but the first pair, whose modes are the same
    assert found["pedestrian"]["flip_share"] == 0.0
    assert found["car"]["flips_per_object_minute"] == pytest.approx(9 / 1.0 * 60)
    assert found["car"]["pairs"] == 10
    assert found["all"]["pairs"] == 20


def test_modes_are_matched_by_place_not_by_index() -> None:
    class Swapping(Wavering):
        def predict(self, observations: Observations) -> Prediction:
            one = super().predict(observations)
            return replace(one, position_m=one.position_m[:, ::-1]) if self.calls % 2 else one

    found = summary(watched(Swapping(2.0), range(11)).steps())
    assert found["car"]["flip_share"] == 0.0


def test_mode_flip_by_hand() -> None:
    ends = np.array([[[10.0, 0.0], [10.0, 5.0], [10.0, 6.5]]])

    def flip(previous: list[float], probability: list[float]) -> bool:
        return bool(metrics.mode_flip(np.array([previous]), ends, np.array([probability]))[0])

    assert not flip([10.0, 0.5], [0.5, 0.3, 0.2])
    assert flip([10.0, 0.5], [0.3, 0.5, 0.2])
    assert not flip([10.0, 6.0], [0.3, 0.5, 0.2])  # 1.5 m apart: the same manoeuvre
    assert flip([10.0, 6.0], [0.5, 0.3, 0.2])


def test_moved_on_keeps_a_straight_path_and_ends_with_the_horizon() -> None:
    knots = np.concatenate([[0.0], TIME_S])
    path = np.stack([3.0 * knots, -knots], axis=1)[None] + FAR_M
    moved = metrics.moved_on(path, knots, 0.2)
    assert metrics.common_steps(knots, 0.2) == 4  # 0, 0.5, 1 and 1.5 s; 2.2 s was not predicted
    ask_s = knots[:4] + 0.2
    assert moved[0] - FAR_M == pytest.approx(np.stack([3.0 * ask_s, -ask_s], axis=1))
    with pytest.raises(InputError, match="dt_s"):
        metrics.moved_on(path, knots, 0.0)


def test_observations_too_far_apart_are_not_compared() -> None:
    frames = [*range(3), *range(20, 23)]
    scene = scene_of({"car": [(f, float(f), 0.0) for f in frames]})
    watch, predictor = PathWatch(TIME_S), WatchedStream(ConstantVelocity(TIME_S))
    for index in frames:
        frame = scene.frame(index)
        answer = predictor.update(frame, frame.timestamp_ns)
        watch.add(
            frame.timestamp_ns, frame.track_id, frame.object_class, frame.position_m, answer.position_m[:1],
            answer.probability[:1],
        )  # fmt: skip
    assert len(watch.steps()) == 2 + 2
    assert summary(PathWatch(np.array([1.0])).steps()) == {}


def test_sums_of_parts_have_the_figures_of_the_whole() -> None:
    draw = np.random.default_rng(0)
    kinds, dt_s = draw.integers(0, 3, 5000).astype(np.int8), draw.choice([0.1, 0.5], 5000)
    jump_m, end_m = draw.lognormal(-2.0, 1.5, 5000), draw.lognormal(0.0, 2.0, 5000) * (draw.random(5000) < 0.7)
    every = Steps(kinds, dt_s, jump_m, end_m, draw.random(5000) < 0.1)
    parts = StepSums()
    for begin, end in ((0, 7), (7, 7), (4000, 5000), (7, 4000)):
        parts.add(every.select(np.arange(begin, end)))
    found, whole = parts.summary(), summary(every)
    assert found.keys() == whole.keys() == {"all", *CLASS_NAMES[:3]}
    for name in found:
        assert found[name] == pytest.approx(whole[name], rel=1e-12)
        rows = (kinds == CLASS_NAMES.index(name)) if name != "all" else np.ones(5000, np.bool_)
        assert found[name]["pairs"] == rows.sum()
        assert found[name]["jump_m"] == pytest.approx(jump_m[rows].mean())
        assert found[name]["end_jump_m"] == pytest.approx(end_m[rows].mean())
        assert found[name]["flips_per_object_minute"] == pytest.approx(60 * every.flip[rows].sum() / dt_s[rows].sum())
        for value_m, p95 in ((jump_m, "jump_m_p95"), (end_m, "end_jump_m_p95")):
            exact_m = np.percentile(value_m[rows], 95, method="inverted_cdf")
            assert found[name][p95] == pytest.approx(exact_m, rel=0.005)


def test_paths_that_stay_exactly_have_no_jump_at_any_percentile() -> None:
    still = Steps(np.zeros(3, np.int8), np.full(3, 0.1), np.zeros(3), np.zeros(3), np.zeros(3, np.bool_))
    assert summary(still)["all"]["jump_m_p95"] == 0.0
