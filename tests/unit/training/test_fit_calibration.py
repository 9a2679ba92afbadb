"""Calibration finds the factors that were hidden in made-up predictions, and leaves a model that says what it holds."""

import numpy as np
import pytest
import torch

from trajnet import metrics
from trajnet.training.fit_calibration import fitted_sharpness, fitted_spread
from trajnet.training.tensors import PathTensors


def modes_apart(logits: torch.Tensor) -> PathTensors:
    """N objects whose K modes stand still at x = 0, 10, 20 ... m, one knot each."""
    count, modes = logits.shape
    x = (10.0 * torch.arange(modes)).reshape(modes, 1, 1).expand(modes, 1, count)
    one = torch.ones(modes, 1, count)
    return PathTensors(torch.stack([x, 0 * one, 0 * one, one, 0 * one, one]), logits)


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.5])
def test_the_sharpness_that_was_lost_is_found(factor: float) -> None:
    draw = torch.Generator().manual_seed(0)
    honest = 1.5 * torch.randn(20_000, 4, generator=draw)
    came = torch.multinomial(torch.softmax(honest, dim=1), 1, generator=draw).squeeze(1)
    future_m = torch.stack([10.0 * came, torch.zeros(len(came))], dim=-1).unsqueeze(0)
    found = fitted_sharpness(modes_apart(honest / factor), future_m, torch.ones(1, len(came)))
    assert found == pytest.approx(factor, rel=0.05)


@pytest.mark.parametrize("factor", [0.6, 1.0, 2.0])
def test_the_spread_that_was_lost_is_found(factor: float) -> None:
    """Two modes of different spread, each right as often as it says, stated too narrow or too wide by the factor."""
    draw = np.random.default_rng(1)
    count, sigma_m = 4_000, np.array([1.0, 3.0])
    probability = np.tile([0.3, 0.7], (count, 1))
    place_m = np.array([[0.0, 0.0], [8.0, 0.0]])
    mode = (draw.random(count) > 0.3).astype(int)
    truth_m = (place_m[mode] + sigma_m[mode, None] * draw.normal(size=(count, 2)))[:, None]
    predicted_m = np.tile(place_m[None, :, None], (count, 1, 1, 1))
    covariance = np.tile((np.eye(2) * (sigma_m**2)[:, None, None])[None, :, None], (count, 1, 1, 1, 1)) / factor**2
    found = fitted_spread(predicted_m, covariance, probability, truth_m)
    assert found == pytest.approx(factor, rel=0.05)
    share = metrics.mixture_share(predicted_m, covariance * found**2, probability, truth_m)
    for level in metrics.COVERAGE_LEVELS:
        assert (share < level).mean() == pytest.approx(level, abs=0.03)
