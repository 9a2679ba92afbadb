"""People who stand at a crosswalk keep their way across through the node's pipeline; others who stand stay."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.unit.ros.test_pipeline import MS, SERVING, Fan, frame, said
from trajnet.context.crosswalks import Crosswalks, crosswalks_of
from trajnet.ros.cdr import encode_tracked
from trajnet.ros.parameters import Parameters
from trajnet.ros.pipeline import Pipeline
from trajnet.ros.to_autoware import tracked_objects
from trajnet.types import Expert, Lane, ObjectClass


def crosswalk() -> Crosswalks:
    """One along y from 0 to 8 m, 4 m wide."""
    left_m, right_m = np.array([[-2.0, 0.0], [-2.0, 8.0]]), np.array([[2.0, 0.0], [2.0, 8.0]])
    middle_m = 0.5 * (left_m + right_m)
    found = crosswalks_of([Lane("1", left_m, right_m, middle_m, drivable=False, crosswalk=True)])
    assert found is not None
    return found


def standing(is_stationary: bool) -> bytes:
    """A pedestrian and a cyclist half a metre from the crosswalk, a pedestrian far away, and a car at it."""
    place_m = np.array([[1.0, -0.5], [0.0, -0.5], [90.0, 0.0], [-1.0, -0.5]])
    kinds = [ObjectClass.PEDESTRIAN, ObjectClass.BICYCLE, ObjectClass.PEDESTRIAN, ObjectClass.CAR]
    stand = replace(
        frame(0, "a", "b", "c", "d"), position_m=place_m, velocity_mps=np.zeros((4, 2)), object_class=np.array(kinds)
    )
    objects = tracked_objects(stand)
    return encode_tracked(replace(objects, is_stationary=np.full(4, is_stationary)))


def pipeline(**changes: Any) -> Pipeline:
    parameters = Parameters.of({"budget_ms": 0.0, "model": "fan", "horizon_s": 6.0, **changes})
    return Pipeline(Fan(), SERVING, parameters, crosswalks=crosswalk(), clock_ns=lambda: 0)


@pytest.mark.parametrize("is_stationary", [False, True])
def test_who_waits_at_a_crosswalk_leaves_with_a_way_across(is_stationary: bool) -> None:
    answer = pipeline().process(standing(is_stationary), 0)
    got = said(answer.objects)
    assert got.path_count.tolist() == [3, 3, 1, 1]
    assert answer.paths is not None
    assert answer.paths.expert is not None
    for row in (0, 1):
        crossing = answer.paths.expert[row] == int(Expert.CROSSING)
        assert crossing.sum() == 1
        assert answer.paths.probability[row, crossing] == pytest.approx([0.1], abs=0.03)
        ends_m = got.path_pose.reshape(-1, 13, 7)[3 * row : 3 * row + 3, -1, 1]
        assert ends_m.max() > 5.0
    assert got.path_confidence[6:].tolist() == [1.0, 1.0]
    stays_m = got.path_pose.reshape(-1, 13, 7)[6:, :, :2]
    assert (stays_m == stays_m[:, :1]).all()


def test_without_crossings_everybody_who_stands_stays() -> None:
    assert said(pipeline(crossings=False).process(standing(False), 0).objects).path_count.tolist() == [1] * 4


def test_a_frame_in_which_nobody_is_near_holds_all_of_its_rows() -> None:
    line = pipeline()
    line.process(standing(False), 0)
    far = replace(frame(100, "e"), position_m=np.array([[500.0, 0.0]]), velocity_mps=np.zeros((1, 2)))
    assert said(line.process(encode_tracked(tracked_objects(far)), 100 * MS).objects).path_count.tolist() == [1]


@pytest.mark.parametrize("max_paths", [1, 2])
def test_a_way_across_is_not_what_is_cut_off(max_paths: int) -> None:
    """The crossing is the third of three modes: 0.56, 0.33 and 0.1."""
    answer = pipeline(max_paths=max_paths).process(standing(False), 0)
    assert answer.paths is not None
    assert answer.paths.expert is not None
    crossing = answer.paths.expert[:2] == int(Expert.CROSSING)
    assert crossing.tolist() == [[False, True][:max_paths]] * 2
    assert (np.diff(answer.paths.probability, axis=1) <= 0).all()
    assert answer.paths.probability.sum(axis=1) == pytest.approx(1.0)
