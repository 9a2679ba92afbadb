"""Which positions are on a map, on a square of 10 x 10 m by hand."""

from __future__ import annotations

import numpy as np

from trajnet.context.lane_paths import LanePaths
from trajnet.context.map_field import REACH_M, make_field
from trajnet.ros.map_share import among_lanes, on_map
from trajnet.types import Lane


def test_on_within_reach_and_beyond() -> None:
    drivable = np.zeros((60, 60), dtype=np.bool_)
    drivable[25:35, 25:35] = True
    field = make_field(np.array([100.0, 200.0]), 1.0, {"drivable": drivable})
    corner_m = np.array([125.0, 225.0])
    inside, near, far = corner_m + 5.0, corner_m + [2.0 - REACH_M, 5.0], corner_m + [-2.0 - REACH_M, 5.0]
    beyond, other_place = np.array([90.0, 230.0]), np.array([1e8, -1e8])
    got = on_map(field, np.array([inside, near, far, beyond, other_place]))
    assert got.tolist() == [True, True, False, False, False]
    assert on_map(field, np.zeros((0, 2))).tolist() == []


def test_among_lanes_is_within_the_rectangle_around_them() -> None:
    centre_m = np.array([[100.0, 200.0], [180.0, 200.0]])
    lanes = LanePaths([Lane("1", centre_m, centre_m, centre_m)])
    got = among_lanes(lanes, np.array([[140.0, 201.0], [99.0, 199.0], [140.0, 209.0], [-80e3, 200.0], [140.0, 1700.0]]))
    assert got.tolist() == [True, True, False, False, False]
    assert among_lanes(lanes, np.zeros((0, 2))).tolist() == []
