"""Self-judging of the shipped default model where users meet it: evaluation, replay, node."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.frames import frame
from trajnet.context.lane_paths import LanePaths
from trajnet.context.map_field import make_field
from trajnet.datasets.files import load_scene
from trajnet.evaluate import evaluate
from trajnet.inference import NO_JUDGING, JudgingOptions, Stream, load_predictor
from trajnet.models import default_model
from trajnet.replay.replay import ReplayOptions
from trajnet.replay.summary import document, run_replay
from trajnet.ros.cdr import encode_tracked
from trajnet.ros.parameters import Parameters
from trajnet.ros.pipeline import Pipeline, load, load_map_parts
from trajnet.ros.to_autoware import tracked_objects
from trajnet.ros.visual import covariance_records
from trajnet.timing.clock import VirtualClock
from trajnet.types import Expert, Lane, Source

SCENE = Path(__file__).resolve().parents[2] / "sim" / "scenes" / "crossing_small.parquet"


def test_an_evaluation_says_who_led_and_can_leave_it_off() -> None:
    model = str(default_model())
    on, off = (evaluate("scenes", SCENE, None, [model], stride=20, self_judging=asked) for asked in (True, False))
    assert (on["self_judging"], off["self_judging"]) == (True, False)
    assert on["models"][0]["self_judging"]["evident_rows"] > 100
    assert "self_judging" not in off["models"][0]
    assert on["models"][0]["metrics"] != off["models"][0]["metrics"]
    assert on["models"][1]["metrics"] == off["models"][1]["metrics"]  # physics never judges itself


def test_a_replay_says_who_led_and_can_leave_it_off() -> None:
    scene, predictor = load_scene(SCENE, with_map=True), load_predictor(default_model())
    on, off = (
        document(run_replay(scene, predictor, ReplayOptions(rate=math.inf, self_judging=asked), clock=VirtualClock()))
        for asked in (True, False)
    )
    assert on["self_judging"]["on"]
    assert on["self_judging"]["judgements"] > 100
    assert not off["self_judging"]["on"]
    assert off["self_judging"]["judgements"] == 0


def test_switched_off_a_stream_is_the_guarded_model_byte_for_byte() -> None:
    """And switched on it is for a second, but for the combination and the spread: nothing has been judged yet."""
    scene = load_scene(SCENE, with_map=True)
    ways = (NO_JUDGING, JudgingOptions(combine=False, adapt_spread=False, keep_lanes=False))
    off, on = (Stream.for_scene(scene, load_predictor(default_model()), judging=way) for way in ways)
    begin_ns = int(scene.timestamp_ns[0])
    for one in scene.frames():
        if one.timestamp_ns - begin_ns >= 0.9e9:
            break
        mine, plain = on.update(one, one.timestamp_ns), off.update(one, one.timestamp_ns)
        for name in ("position_m", "covariance_m2", "probability", "source"):
            np.testing.assert_array_equal(getattr(mine, name), getattr(plain, name))
        assert plain.expert is None


@pytest.mark.parametrize("asked", [True, False])
def test_the_node_counts_and_labels_it(asked: bool) -> None:
    """An object that said it moved and stands still: its own past errors put standing first."""
    parameters = Parameters(self_judging=asked, warm_up_objects=0, budget_ms=0.0)
    predictor, identity = load(parameters)
    line = Pipeline(predictor, identity, parameters, clock_ns=VirtualClock().now_ns)
    for step in range(40):
        one = frame(0.1 * step, {"a": (0.0, 0.0)}, velocity=(5.0, 0.0))
        answer = line.process(encode_tracked(tracked_objects(one)), one.timestamp_ns)
    assert answer.paths is not None
    values = dict(line.report(4_000_000_000)[2].values)
    records = covariance_records(answer.paths)
    if asked:
        assert answer.paths.source.tolist() == [Source.JUDGED]
        assert int(values["standing_rows_total"]) > 10
        assert int(values["judged_rows_total"]) >= int(values["standing_rows_total"])
        assert int(values["model_rows_total"]) == 40  # those that were judged, too
        assert records["expert"][0] == Expert.STANDING  # of the likeliest path
        assert float(values["fallback_share"]) == 0.0  # it is none
    else:
        assert answer.paths.source.tolist() == [Source.MODEL]
        assert "standing_rows_total" not in values
        assert not records["expert"].any()


def test_paths_in_the_node_keep_to_the_lanes_of_the_map_while_it_is_used() -> None:
    """A car on a lane that bends away at once, beside one on none; without the map both go straight on."""
    angle_rad = np.linspace(0.0, 1.0, 100)
    bend_m = 120.0 * np.stack([np.sin(angle_rad), 1.0 - np.cos(angle_rad)], axis=1)
    lanes = LanePaths([Lane("1", bend_m, bend_m, bend_m)])
    parameters = Parameters(warm_up_objects=0, budget_ms=0.0)
    predictor, identity = load(parameters)
    ends_m = []
    for each in (lanes, None):
        line = Pipeline(predictor, identity, parameters, lane_paths=each, clock_ns=VirtualClock().now_ns)
        one = frame(0.0, {"a": (0.0, 0.0), "b": (0.0, 30.0)}, velocity=(8.0, 0.0))
        answer = line.process(encode_tracked(tracked_objects(one)), one.timestamp_ns)
        assert answer.paths is not None
        ends_m.append(answer.paths.position_m[:, 0, -1])
        values = {status.name: dict(status.values) for status in line.report(0)}
        assert "lane_trust" not in values["map"]  # nothing is known yet
        assert int(values["model"]["lane_rows_total"]) == (each is not None)
    line.use_map(make_field(np.full(2, -200.0), 1.0, {"drivable": np.ones((400, 400), np.bool_)}), None, lanes)
    line.process(encode_tracked(tracked_objects(replace(one, timestamp_ns=100_000_000))), 100_000_000)
    assert {status.name: dict(status.values) for status in line.report(0)}["model"]["lane_rows_total"] == "1"
    moved_m = np.abs(ends_m[0] - ends_m[1]).max(axis=1)
    assert moved_m[0] > 5.0
    assert moved_m[1] == 0.0


def test_lanes_of_the_map_are_loaded_for_whoever_judges_itself(root: Path) -> None:
    pytest.importorskip("pyarrow")
    path = str(root / "sim" / "scenes" / "motorway.parquet")
    for asked in (True, False):
        parameters = Parameters(self_judging=asked, map_path=path, horizon_s=6.0)
        parts = load_map_parts(parameters, load(parameters)[0])
        assert (parts.lane_paths is not None) == asked
