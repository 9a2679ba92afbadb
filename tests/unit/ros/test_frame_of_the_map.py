"""The map is that of the expected frame: objects whose coordinates are of another one do not see it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.unit.ros.test_other_horizons import CROSSWALK, ROAD
from tests.unit.ros.test_pipeline import MS, SERVING, Seeing, frame, statuses
from trajnet.context.crosswalks import crosswalks_of
from trajnet.context.lane_paths import LanePaths
from trajnet.context.map_field import make_field
from trajnet.ros.cdr import encode_tracked
from trajnet.ros.parameters import Parameters
from trajnet.ros.pipeline import Pipeline, warmed_up
from trajnet.ros.to_autoware import tracked_objects
from trajnet.types import Expert, ObjectClass

EVERYWHERE = make_field(np.full(2, -100.0), 1.0, {"drivable": np.ones((300, 300), np.bool_)})


def line_with(frame_id: str, fan: Seeing) -> Pipeline:
    """A pipeline with a map that has everything, warmed up."""
    parameters = Parameters.of({"budget_ms": 0.0, "model": "fan", "horizon_s": 10.0, "frame_id": frame_id})
    return warmed_up(fan, SERVING, parameters, EVERYWHERE, crosswalks_of([CROSSWALK]), LanePaths([ROAD]))


def traffic(time_ms: int, frame_id: str) -> bytes:
    """A car on the road and somebody who waits at the crosswalk."""
    both = frame(time_ms, "car", "waits", speed=5.0)
    position_m, velocity_mps = both.position_m.copy(), both.velocity_mps.copy()
    position_m[1], velocity_mps[1] = (20.0, -5.5), 0.0
    classes = np.array([ObjectClass.CAR, ObjectClass.PEDESTRIAN])
    both = replace(both, object_class=classes, position_m=position_m, velocity_mps=velocity_mps)
    return encode_tracked(tracked_objects(both, frame_id))


def test_objects_of_another_frame_do_not_see_the_map_and_those_of_its_own_do_again() -> None:
    line = line_with("map", fan := Seeing())
    for time_ms, frame_id in enumerate(("map", "map", "odom", "odom", "map", "map")):
        answer = line.process(traffic(500 * time_ms, frame_id), 500 * time_ms * MS)
        assert answer.paths is not None
        seen = fan.seen[-1]
        assert seen is not None
        sees = frame_id == "map"
        assert bool(seen.map_valid.any()) is sees
        assert (answer.paths.on_lane is not None and bool(answer.paths.on_lane[0].any())) is sees
        experts = answer.paths.expert
        assert (experts is not None and bool((experts[1] == Expert.CROSSING).any())) is sees
        status = dict(statuses(line)["map"].values)
        assert status["on_map_share"] == "1.0000"  # of those that were looked up
        assert int(status["near_rows_total"]) > 0


def test_a_map_that_comes_meanwhile_is_seen_from_its_own_frame_on() -> None:
    parameters = Parameters.of({"budget_ms": 0.0, "model": "fan", "horizon_s": 10.0})
    line = Pipeline(fan := Seeing(), SERVING, parameters, clock_ns=lambda: 0)
    line.process(traffic(0, "odom"), 0)
    line.use_map(EVERYWHERE, None, LanePaths([ROAD]))
    line.process(traffic(500, "odom"), 500 * MS)
    assert (seen := fan.seen[-1]) is not None
    assert not seen.map_valid.any()
    line.process(traffic(1000, "map"), 1000 * MS)
    assert (seen := fan.seen[-1]) is not None
    assert seen.map_valid.all()


@pytest.mark.parametrize("expected", ["odom", ""])
def test_the_expected_frame_is_the_maps_whatever_its_name(expected: str) -> None:
    line = line_with(expected, fan := Seeing())
    assert (seen := fan.seen[-1]) is not None  # of warming up
    assert seen.map_valid.any()
    line.process(traffic(0, "odom"), 0)
    assert (seen := fan.seen[-1]) is not None
    assert seen.map_valid.any()


def test_the_map_keeps_its_frame_where_another_one_is_expected_later() -> None:
    line = line_with("map", fan := Seeing())
    line.diagnostics.expected_frame = "odom"  # what a change of the parameter at run time does
    line.process(traffic(0, "odom"), 0)
    assert (seen := fan.seen[-1]) is not None
    assert not seen.map_valid.any()
