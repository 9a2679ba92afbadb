"""Half the energy distance: by hand, and its properties."""

from __future__ import annotations

import numpy as np
import pytest

from trajnet.errors import InputError
from trajnet.metrics import half_energy_distance_m
from trajnet.types import FloatArray


def mixtures(rng: np.random.Generator, modes: int) -> tuple[FloatArray, FloatArray]:
    return rng.normal(0, 10, (4, modes, 2)), rng.dirichlet(np.ones(modes), 4)


def test_two_single_points_are_as_far_apart_as_they_are() -> None:
    a, b = np.array([[[0.0, 0.0]]]), np.array([[[3.0, 4.0]]])
    assert half_energy_distance_m(a, np.ones((1, 1)), b, np.ones((1, 1))) == pytest.approx([5.0])


def test_a_point_against_two_by_hand() -> None:
    a, b = np.array([[[0.0, 0.0]]]), np.array([[[0.0, 0.0], [8.0, 0.0]]])
    # E|X - Y| = 0.25 * 8 = 2; E|Y - Y'| = 2 * 0.75 * 0.25 * 8 = 3
    got = half_energy_distance_m(a, np.ones((1, 1)), b, np.array([[0.75, 0.25]]))
    assert got == pytest.approx([2.0 - 1.5])


def test_the_same_distribution_is_0_apart_however_it_is_written() -> None:
    rng = np.random.default_rng(0)
    points, weight = mixtures(rng, 3)
    assert half_energy_distance_m(points, weight, points, weight) == pytest.approx(np.zeros(4), abs=1e-12)
    order = [2, 0, 1]
    split = np.concatenate([points[:, order], points[:, :1]], axis=1)
    halved = np.concatenate([weight[:, order], weight[:, :1] / 2], axis=1)
    halved[:, 1] /= 2
    assert half_energy_distance_m(points, weight, split, halved) == pytest.approx(np.zeros(4), abs=1e-12)


def test_it_is_symmetric_scales_with_the_scene_and_does_not_see_where_it_is() -> None:
    rng = np.random.default_rng(1)
    (a, p), (b, q) = mixtures(rng, 3), mixtures(rng, 5)
    distance = half_energy_distance_m(a, p, b, q)
    assert (distance > 0).all()
    assert half_energy_distance_m(b, q, a, p) == pytest.approx(distance)
    assert half_energy_distance_m(2 * a, p, 2 * b, q) == pytest.approx(2 * distance)
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    assert half_energy_distance_m(a @ turn + 1e3, p, b @ turn + 1e3, q) == pytest.approx(distance)


def test_it_is_the_mean_over_draws() -> None:
    rng = np.random.default_rng(2)
    (a, p), (b, q) = mixtures(rng, 3), mixtures(rng, 2)
    x, y = (s[0, rng.choice(s.shape[1], 100_000, p=w[0])] for s, w in ((a, p), (b, q)))
    u, v = (s[0, rng.choice(s.shape[1], 100_000, p=w[0])] for s, w in ((a, p), (b, q)))
    drawn = [np.linalg.norm(first - second, axis=1).mean() for first, second in ((x, y), (x, u), (y, v))]
    expected = drawn[0] - 0.5 * drawn[1] - 0.5 * drawn[2]
    assert half_energy_distance_m(a, p, b, q)[0] == pytest.approx(expected, abs=0.1)


def test_no_objects_and_what_does_not_fit() -> None:
    none = np.zeros((0, 2, 2))
    assert half_energy_distance_m(none, np.zeros((0, 2)), none, np.zeros((0, 2))).shape == (0,)
    one = np.zeros((1, 2, 2))
    with pytest.raises(InputError, match="rows sum to 1"):
        half_energy_distance_m(one, np.zeros((1, 2)), one, np.full((1, 2), 0.5))
    with pytest.raises(InputError, match="b_m: expected 1 objects as in a_m, got 0"):
        half_energy_distance_m(one, np.full((1, 2), 0.5), none, np.zeros((0, 2)))
