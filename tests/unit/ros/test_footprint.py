"""Polygons' rectangles, by hand and beside shapely's."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trajnet.ros.footprint import MAX_POINTS, smallest_rectangles

coordinate = st.floats(-50, 50).map(lambda v: round(v, 2))


def rectangles(*polygons: list[list[float]]) -> list[list[float]]:
    points = np.array([p for polygon in polygons for p in polygon], dtype=np.float64).reshape(-1, 2)
    found: list[list[float]] = smallest_rectangles(points, np.array([len(p) for p in polygons])).tolist()
    return found


def test_by_hand() -> None:
    diamond = [[2.0, 0.0], [0.0, 2.0], [-2.0, 0.0], [0.0, -2.0]]
    flat = [[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]]
    inside = [[0.0, 0.0], [4.0, 0.0], [2.0, 1.0], [4.0, 2.0], [0.0, 2.0]]
    got = rectangles(diamond, flat, inside, [[1.0, 1.0]] * 3, [])
    np.testing.assert_allclose(got, [[np.sqrt(8), np.sqrt(8)], [0, 0], [4, 2], [0, 0], [0, 0]], atol=1e-12)


def test_many_points_are_cut_down_to_the_outermost() -> None:
    angle = np.arange(10 * MAX_POINTS) * (2 * np.pi / (10 * MAX_POINTS)) + 0.001
    ((length, width),) = rectangles(np.stack([3 * np.cos(angle), np.sin(angle)], axis=1).tolist())
    assert length == pytest.approx(6.0, rel=2e-3)
    assert width == pytest.approx(2.0, rel=2e-3)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=20))
def test_no_other_direction_gives_a_smaller_area(points: list[tuple[float, float]]) -> None:
    ((length, width),) = rectangles([list(p) for p in points])
    angle = np.arange(0, np.pi / 2, 0.01)
    along = np.array(points) @ np.stack([np.cos(angle), np.sin(angle)])
    across = np.array(points) @ np.stack([-np.sin(angle), np.cos(angle)])
    areas = np.ptp(along, axis=0) * np.ptp(across, axis=0)
    assert length * width <= areas.min() * (1 + 1e-9) + 1e-9


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=20))
def test_the_area_is_that_of_shapely(points: list[tuple[float, float]]) -> None:
    geometry = pytest.importorskip("shapely.geometry", reason="shapely is not installed")
    ((length, width),) = rectangles([list(p) for p in points])
    assert length * width == pytest.approx(geometry.MultiPoint(points).minimum_rotated_rectangle.area, abs=1e-6)


def test_the_node_needs_no_shapely() -> None:
    program = """
import sys
sys.modules["shapely"] = None  # as if it were missing: every import of it fails
import numpy as np
from tests.unit.ros.tracked_cars import objects_of
from trajnet.ros.from_autoware import MessageCleaner
square = np.array([[0, 0, 0], [3, 0, 0], [3, 3, 0], [0, 3, 0]])
cleaned = MessageCleaner().clean(objects_of(shape_type=[2], footprint_count=[4], footprint_m=square))
print(cleaned.frame.size_m.tolist())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[[3.0, 3.0]]"
