"""Paths beyond the horizon that follow a lane."""

from __future__ import annotations

import numpy as np
import pytest

from trajnet.context.lane_paths import LanePaths
from trajnet.inference.extension import Extension
from trajnet.inference.lane_extension import along_lanes
from trajnet.types import Lane, ObjectClass

TIME_S = np.array([1.0, 2.0])


def test_vehicles_on_a_lane_follow_it_and_others_go_straight_on() -> None:
    centre_m = np.array([[0.0, 0], [30, 0], [30, 100]])
    lanes = LanePaths([Lane("1", centre_m, centre_m, centre_m)])
    path_m = np.array([[10.0, 0], [20, 0]])
    beside_m = path_m + [0, 5.0]
    standing_m = np.full((2, 2), [20.0, 0])
    paths = np.stack([np.stack([path_m, beside_m, standing_m])] * 2)
    classes = np.array([ObjectClass.CAR, ObjectClass.PEDESTRIAN], np.int8)
    beyond = Extension(TIME_S, np.array([2.5, 5.0]))
    later_m, later_rad = beyond.positions(np.zeros((2, 2)), paths), beyond.yaws(np.zeros((2, 3)))
    straight_m = later_m.copy()
    follows = along_lanes(lanes, beyond, paths, np.zeros((2, 3)), classes, later_m, later_rad)
    assert follows.tolist() == [[True, False, False], [False, False, False]]
    assert later_m[0, 0] == pytest.approx(np.array([[25.0, 0], [30, 20]]))
    assert later_rad[0, 0] == pytest.approx([0, np.pi / 2])
    straight_m[0, 0] = later_m[0, 0]
    assert np.array_equal(later_m, straight_m)
