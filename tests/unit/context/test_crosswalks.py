"""Crosswalks of a map: which lanes they are, and which an object finds around it."""

from __future__ import annotations

import numpy as np
import pytest

from trajnet.context.crosswalks import MOST_NEAR, REACH_M, CrosswalkGrid, crosswalks_of
from trajnet.types import FloatArray, Lane


def lane(begin: tuple[float, float], end: tuple[float, float], *, half_m: float = 2.0, crosswalk: bool = True) -> Lane:
    centre_m = np.array([begin, end], np.float64)
    ahead = (centre_m[1] - centre_m[0]) / max(float(np.hypot(*(centre_m[1] - centre_m[0]))), 1e-9)
    left_m = half_m * np.array([-ahead[1], ahead[0]])
    return Lane("1", centre_m + left_m, centre_m - left_m, centre_m, drivable=False, crosswalk=crosswalk, signal_id=7)


def test_only_usable_crosswalks_are_taken() -> None:
    assert crosswalks_of([]) is None
    assert (
        crosswalks_of([lane((0, 0), (10, 0), crosswalk=False), lane((0, 0), (1, 0)), lane((0, 0), (9, 0), half_m=0.1)])
        is None
    )
    found = crosswalks_of([lane((0, 0), (0, 10)), lane((5, 5), (5, 5.5))])
    assert found is not None
    assert len(found) == 1
    assert found.length_m[0] == pytest.approx(10)
    assert found.half_width_m[0] == pytest.approx(2)
    assert found.axis[0] == pytest.approx([0, 1])
    assert (found.signal_id[0], bool(found.has_signal[0])) == (7, True)


def test_along_across_and_distance_by_hand() -> None:
    found = crosswalks_of([lane((10, 0), (10, 8))])
    assert found is not None
    place_m = np.array([[9.0, 3.0], [7.0, 3.0], [14.0, 11.0]])
    along_m, across_m = found.local(np.zeros(3, np.int64), place_m)
    assert along_m == pytest.approx([3, 3, 11])
    assert across_m == pytest.approx([1, 3, -4])
    assert found.distance_m(np.zeros(3, np.int64), place_m) == pytest.approx([0, 1, np.hypot(3, 2)])


def test_every_crosswalk_within_reach_is_found_wherever_the_map_lies() -> None:
    rng = np.random.default_rng(3)
    for offset_m in (0.0, 4e6):
        begins: FloatArray = rng.uniform(0, 400, (12, 2)) + offset_m
        lanes = [
            lane((x, y), (x + 9 * np.cos(a), y + 9 * np.sin(a))) for (x, y), a in zip(begins, range(12), strict=True)
        ]
        found = crosswalks_of(lanes)
        assert found is not None
        grid, place_m = CrosswalkGrid(found), rng.uniform(-30, 430, (300, 2)) + offset_m
        near = grid.near(place_m)
        away_m = np.stack([found.distance_m(np.full(300, i), place_m) for i in range(12)], axis=1)
        for row in range(300):
            within = set(np.flatnonzero(away_m[row] <= REACH_M).tolist())
            assert len(within) > MOST_NEAR or within <= set(near[row].tolist())


def test_of_many_the_nearest_stay() -> None:
    found = crosswalks_of([lane((5.0 * i, 0), (5.0 * i, 8), half_m=1) for i in range(20)])
    assert found is not None
    near = CrosswalkGrid(found).near(np.array([[50.0, 4.0], [1e6, 0.0]]))
    assert set(near[0].tolist()) >= {9, 10, 11}
    assert near[1].tolist() == [-1] * MOST_NEAR
    by_distance = crosswalks_of([lane((5.0 * i, 0), (5.0 * i, 8), half_m=1) for i in (10, 11, 9, 12, 8, 13, 7)])
    assert by_distance is not None
    assert CrosswalkGrid(by_distance).near(np.array([[51.5, 4.0]]))[0].tolist() == [0, 1, 2, 3]
