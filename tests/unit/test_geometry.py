"""Planar geometry against explicit matrices and hand-computed values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trajnet.geometry import MITRE, interpolation_matrix, offset_line, rotate, rotate_covariance, wrap_angle

ANGLE = st.floats(-50.0, 50.0)


def test_an_offset_line_keeps_its_distance_in_bends_and_stays_near_at_hairpins() -> None:
    corner = np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 30.0]])
    np.testing.assert_allclose(offset_line(corner, 2.0), [[0, 2], [8, 2], [8, 30]], atol=1e-12)
    np.testing.assert_allclose(offset_line(corner, -2.0), [[0, -2], [12, -2], [12, 30]], atol=1e-12)
    np.testing.assert_allclose(offset_line(corner[:2], 2.0), [[0, 2], [10, 2]], atol=1e-12)
    for turn_rad in np.linspace(-np.pi, np.pi, 41):
        bent = np.array([[-10.0, 0.0], [0.0, 0.0], [10 * np.cos(turn_rad), 10 * np.sin(turn_rad)]])
        away = np.hypot(*(offset_line(bent, 2.0) - bent).T)
        np.testing.assert_allclose(away[[0, 2]], 2.0)
        assert away[1] <= 2.0 * MITRE + 1e-9
        assert away[1] <= 4.0 + 1e-9  # twice the offset, whatever the constant says
    hairpin = offset_line(np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 0.0]]), 2.0)
    np.testing.assert_allclose(hairpin, [[0, 2], [10, 0], [0, -2]], atol=1e-12)


@pytest.mark.parametrize(
    ("angle", "expected"),
    [
        (0.0, 0.0),
        (np.pi, -np.pi),
        (-np.pi, -np.pi),
        (1.5 * np.pi, -0.5 * np.pi),
        (-1.5 * np.pi, 0.5 * np.pi),
        (7.0, 7.0 - 2 * np.pi),
    ],
)
def test_wrap_angle_by_hand(angle: float, expected: float) -> None:
    assert wrap_angle(np.array(angle)) == pytest.approx(expected, abs=1e-12)


@given(st.floats(-1e4, 1e4))
def test_a_wrapped_angle_is_the_same_direction(angle: float) -> None:
    wrapped = float(wrap_angle(np.array(angle)))
    assert -np.pi <= wrapped < np.pi
    assert np.cos(wrapped) == pytest.approx(np.cos(angle), abs=1e-9)
    assert np.sin(wrapped) == pytest.approx(np.sin(angle), abs=1e-9)


def matrix(angle: float) -> np.ndarray:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def test_rotate_by_a_quarter() -> None:
    np.testing.assert_allclose(
        rotate(np.array([[1.0, 0.0], [0.0, 2.0]]), np.array(np.pi / 2)), [[0, 1], [-2, 0]], atol=1e-15
    )


@given(st.lists(ANGLE, min_size=1, max_size=4), st.integers(0, 1000))
def test_rotations_equal_the_explicit_matrices(angles: list[float], seed: int) -> None:
    draw = np.random.default_rng(seed)
    points = draw.normal(size=(len(angles), 3, 2))
    covariance = draw.normal(size=(len(angles), 3, 2, 2))  # not symmetric: every element must be right
    angle = np.array(angles)[:, None]
    turned, spread = rotate(points, angle), rotate_covariance(covariance, angle)
    for i, a in enumerate(angles):
        for j in range(3):
            np.testing.assert_allclose(turned[i, j], matrix(a) @ points[i, j], atol=1e-12)
            np.testing.assert_allclose(spread[i, j], matrix(a) @ covariance[i, j] @ matrix(a).T, atol=1e-12)


def test_one_covariance_by_many_angles() -> None:
    got = rotate_covariance(np.diag([4.0, 1.0]), np.array([0.0, np.pi / 2]))
    np.testing.assert_allclose(got, [[[4, 0], [0, 1]], [[1, 0], [0, 4]]], atol=1e-15)


TIMES = st.lists(st.integers(1, 40), min_size=1, max_size=8).map(lambda steps: np.cumsum([0, *steps]) * 0.1)


@given(TIMES, st.lists(st.floats(0.0, 1.0), max_size=5), st.floats(-5, 5), st.floats(-5, 5))
def test_linear_motion_is_reproduced_and_knots_are_returned(
    knots: np.ndarray, shares: list[float], start: float, slope: float
) -> None:
    query = knots[0] + np.array([*shares, 1.0]) * (knots[-1] - knots[0])
    np.testing.assert_allclose(
        interpolation_matrix(knots, query) @ (start + slope * knots), start + slope * query, atol=1e-10
    )
    np.testing.assert_allclose(interpolation_matrix(knots, knots), np.eye(len(knots)), atol=1e-12)
    np.testing.assert_allclose(interpolation_matrix(knots, query).sum(axis=1), 1.0, atol=1e-12)


def test_catmull_rom_by_hand() -> None:
    # Knots 0, 0, 1, 1 at 0..3 s: tangents 0, 1/2, 1/2, 0, hence 1/2 in the middle, (1/2)(1/8) down before.
    got = interpolation_matrix(np.arange(4.0), np.array([0.5, 1.5, 2.5])) @ np.array([0.0, 0.0, 1.0, 1.0])
    np.testing.assert_allclose(got, [-1 / 16, 0.5, 17 / 16], atol=1e-15)


def test_an_outlier_moves_the_spans_around_it_only() -> None:
    knots = np.arange(10.0)
    query = np.arange(9.0) + 0.5
    column = interpolation_matrix(knots, query)[:, 4]
    assert np.flatnonzero(column).tolist() == [2, 3, 4, 5]  # knot 4 lies between the spans 3 and 4


@pytest.mark.parametrize("knots", [[0.0], [0.0, 0.0], [1.0, 0.0], [[0.0, 1.0]]])
def test_bad_knots_are_refused(knots: list[float]) -> None:
    with pytest.raises(ValueError, match="knot_time_s"):
        interpolation_matrix(np.array(knots), np.array([0.0]))


@pytest.mark.parametrize("query", [-0.1, 2.1])
def test_nothing_is_extrapolated(query: float) -> None:
    with pytest.raises(ValueError, match=r"query_time_s: expected times within \[0\.0, 2\.0\] s"):
        interpolation_matrix(np.array([0.0, 1.0, 2.0]), np.array([query]))
    assert interpolation_matrix(np.array([0.0, 1.0]), np.zeros(0)).shape == (0, 2)
