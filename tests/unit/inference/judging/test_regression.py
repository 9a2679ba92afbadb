"""Least squares that go on with the stream, next to their definition."""

from __future__ import annotations

import numpy as np
import pytest

from trajnet.inference.judging.regression import Regression
from trajnet.types import FloatArray

TRUE: FloatArray = np.array([0.5, -1.0, 2.0])


def observations(seed: int, count: int) -> tuple[FloatArray, FloatArray]:
    rng = np.random.default_rng(seed)
    feature = rng.normal(0.0, 1.0, (count, 3))
    return feature, feature @ TRUE + 0.1 * rng.normal(0.0, 1.0, count)


def test_without_observations_it_says_nothing() -> None:
    assert Regression(3, ridge=1.0, tolerance=1.0, memory_s=10.0).weight.tolist() == [0.0, 0.0, 0.0]


def test_it_is_ridge_regression_whose_memory_fades() -> None:
    found = Regression(3, ridge=4.0, tolerance=1e9, memory_s=20.0)
    squares, products = 4.0 * np.eye(3), np.zeros(3)
    for step in range(5):
        feature, value = observations(step, 6)
        count = np.linspace(0.5, 1.5, 6)
        found.take(feature, value, count, 3.0)
        fade = np.exp(-(4 - step) * 3.0 / 20.0)
        squares += fade * (feature.T * count) @ feature
        products += fade * (feature.T * count) @ value
    np.testing.assert_allclose(found.weight, np.linalg.solve(squares, products))
    assert found.taken == 30


def test_much_evidence_finds_the_truth_little_stays_near_zero() -> None:
    much, little = (Regression(3, ridge=10.0, tolerance=1e9, memory_s=1e9) for _ in range(2))
    much.take(*observations(0, 5000), np.ones(5000), 1.0)
    little.take(*observations(0, 3), np.ones(3), 1.0)
    np.testing.assert_allclose(much.weight, TRUE, atol=0.02)
    assert np.linalg.norm(little.weight) < 0.5 * np.linalg.norm(TRUE)


@pytest.mark.parametrize("wild", [10.0, 1000.0])
def test_a_wild_value_counts_no_more_than_one_at_the_tolerance(wild: float) -> None:
    """With a weight of 0 so far, an error of wild counts tolerance / wild: its product is that of the tolerance."""
    found = Regression(1, ridge=1e9, tolerance=0.5, memory_s=1e9)
    found.take(np.ones((1, 1)), np.array([wild]), np.ones(1), 0.0)
    assert found.weight[0] == pytest.approx(0.5e-9)
