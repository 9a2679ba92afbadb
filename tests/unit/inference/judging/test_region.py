"""The region of a mixture, next to the one that reports use."""

from __future__ import annotations

import numpy as np
import pytest

from trajnet.inference.judging.region import held_by
from trajnet.metrics.gaussian import mixture_share
from trajnet.types import FloatArray


def in_three(covariance_m2: FloatArray) -> FloatArray:
    return covariance_m2[..., [0, 0, 1], [0, 1, 1]]


@pytest.mark.parametrize(("radius", "inside"), [(1.17, True), (1.18, False)])
def test_the_half_of_one_gaussian(radius: float, inside: bool) -> None:
    """50 % lie within sqrt(2 ln 2) = 1.177 standard deviations."""
    truth_m = radius * np.array([[0.6 * 2.0, 0.8 * 3.0]])  # standard deviations 2 and 3
    covariance = np.array([[[4.0, 0.0, 9.0]]])
    assert (held_by(np.zeros((1, 1, 2)), covariance, np.ones((1, 1)), truth_m)[0] <= 0.5) == inside


@pytest.mark.parametrize(("radius", "inside"), [(2.13, True), (2.16, False)])
def test_nine_tenths_of_one_gaussian(radius: float, inside: bool) -> None:
    """90 % lie within sqrt(2 ln 10) = 2.146 standard deviations."""
    truth_m = np.array([[radius, 0.0]])
    assert (held_by(np.zeros((1, 1, 2)), np.array([[[1.0, 0.0, 1.0]]]), np.ones((1, 1)), truth_m)[0] <= 0.9) == inside


@pytest.mark.parametrize("modes", [1, 2, 6])
def test_it_agrees_with_the_reports(modes: int) -> None:
    rng = np.random.default_rng(modes)
    mean_m, root = rng.normal(0.0, 2.0, (4000, modes, 2)), rng.normal(0.0, 1.0, (4000, modes, 2, 2))
    covariance_m2 = root @ root.swapaxes(-1, -2) + 0.05 * np.eye(2)
    probability, truth_m = rng.dirichlet(np.ones(modes), 4000), rng.normal(0.0, 2.5, (4000, 2))
    share = held_by(mean_m, in_three(covariance_m2), probability, truth_m)
    exact = mixture_share(mean_m[:, :, None], covariance_m2[:, :, None], probability, truth_m[:, None])[:, 0]
    assert np.abs(share - exact).mean() < 0.03
    for level in (0.5, 0.9):
        assert abs((share <= level).mean() - (exact < level).mean()) < 0.02


@pytest.mark.parametrize("modes", [1, 2, 6, 10])
@pytest.mark.parametrize(("apart_m", "sizes"), [(0.3, 1.0), (2.0, 1.0), (6.0, 0.5)])
def test_half_and_nine_tenths_of_a_mixture_lie_in_their_regions(modes: int, apart_m: float, sizes: float) -> None:
    """Truths drawn from mixtures whose modes lie on each other or far apart, of different sizes, longer than wide."""
    rng, count = np.random.default_rng(modes), 20_000
    mean_m = rng.normal(0.0, 1.0, (count, modes, 2)) * [apart_m, apart_m / 6.0]
    sigma_m = np.exp(rng.normal(0.0, sizes, (count, modes, 1))) * [1.0, 0.3]
    probability = rng.dirichlet(np.full(modes, 0.7), count)
    row, mode = np.arange(count), (probability.cumsum(axis=1) > rng.random((count, 1))).argmax(axis=1)
    truth_m = mean_m[row, mode] + sigma_m[row, mode] * rng.normal(size=(count, 2))
    covariance = np.stack([sigma_m[..., 0] ** 2, np.zeros((count, modes)), sigma_m[..., 1] ** 2], axis=-1)
    share = held_by(mean_m, covariance, probability, truth_m)
    assert abs((share <= 0.9).mean() - 0.9) < 0.01
    assert abs((share <= 0.5).mean() - 0.5) < 0.02


def test_a_mode_without_spread_or_probability_does_no_harm() -> None:
    covariance = np.array([[[0.0, 0.0, 0.0], [1.0, 0.0, 1.0]]])
    share = held_by(np.array([[[5.0, 5.0], [0.0, 0.0]]]), covariance, np.array([[0.0, 1.0]]), np.zeros((1, 2)))
    assert 0.0 <= share[0] <= 0.1


def test_no_mixture_depends_on_others_beside_it() -> None:
    rng = np.random.default_rng(0)
    mean_m, truth_m, probability = rng.normal(0.0, 2.0, (9, 4, 2)), rng.normal(0.0, 2.0, (9, 2)), np.full((9, 4), 0.25)
    covariance = np.tile([1.0, 0.3, 0.5], (9, 4, 1)) * rng.uniform(0.2, 5.0, (9, 4, 1))
    share = held_by(mean_m, covariance, probability, truth_m)
    one = (slice(row, row + 1) for row in range(9))
    alone = [held_by(mean_m[i], covariance[i], probability[i], truth_m[i])[0] for i in one]
    np.testing.assert_allclose(share, alone)
    assert len(set(share.round(6))) > 5
    assert held_by(mean_m[:0], covariance[:0], probability[:0], truth_m[:0]).shape == (0,)
