"""Calibration after training: spread of the paths and sharpness of the probabilities, fitted on validation data.

Two kinds of numbers, stored in the weights and so in the model file: a factor of the standard deviations for each knot
and class, so that the confidence regions have their stated coverage (a one-parameter form of conformal scaling), and a
factor of the logits (temperature scaling: Guo et al. 2017, On Calibration of Modern Neural Networks).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from trajnet import metrics
from trajnet.training.batches import Batches
from trajnet.training.loss import displacement, mean_over_knots
from trajnet.training.model import TrajectoryModel
from trajnet.training.model_input import unpacked
from trajnet.training.tensors import PathTensors
from trajnet.types import BoolArray, FloatArray, IntArray

log = logging.getLogger(__name__)

#: A class with fewer recorded futures than this gets the factor of all classes together.
ENOUGH = 300
#: A factor is fitted on this number of futures divided by the squared number of modes, with which the cost of the
#: mixture's regions grows; at least on ENOUGH. More futures make it slower, but no better.
WORK = 200_000
#: Factors are searched between the inverse of this and this.
LARGEST_FACTOR = 4.0
_STEPS = 8


#: Told after each knot how many are done, and of how many.
KnotProgress = Callable[[int, int], None]


class _Predictions(NamedTuple):
    """Paths of N objects, what came, and their classes. future_m (T, N, 2), valid (T, N), object_class (N,)."""

    paths: PathTensors
    future_m: Tensor
    valid: Tensor
    object_class: IntArray


def calibrate(model: TrajectoryModel, batches: Batches, progress: KnotProgress = lambda done, total: None) -> None:
    """Set the model's ``spread`` and ``sharpness`` from what it predicts for the batches (evaluation mode)."""
    model.eval()
    model.spread.fill_(1.0)
    model.sharpness.fill_(1.0)
    found = _predictions(model, batches)
    sharpness = fitted_sharpness(found.paths, found.future_m, found.valid)
    model.sharpness.fill_(sharpness)
    found = found._replace(paths=found.paths._replace(logits=found.paths.logits * sharpness))
    _fit_spread(model, found, range(model.config.knots), progress)
    log.info("calibrated: sharpness %.3f, spread %.2f to %.2f", sharpness, model.spread.min(), model.spread.max())


def calibrate_spread(
    model: TrajectoryModel, batches: Batches, knots: range, progress: KnotProgress = lambda done, total: None
) -> None:
    """Set the model's ``spread`` of these knots alone; the other knots and the probabilities stay as they are."""
    model.eval()
    model.spread[knots.start : knots.stop] = 1.0
    _fit_spread(model, _predictions(model, batches), knots, progress)


def _fit_spread(model: TrajectoryModel, found: _Predictions, knots: range, progress: KnotProgress) -> None:
    paths, future_m, valid, object_class = found
    probability = torch.softmax(paths.logits, dim=1).double().numpy()
    predicted_m = torch.stack([paths.x_m, paths.y_m], dim=-1).permute(2, 0, 1, 3).double().numpy()
    xx, xy, yy = paths.cov_xx_m2, paths.cov_xy_m2, paths.cov_yy_m2
    covariance = torch.stack([xx, xy, xy, yy], dim=-1).permute(2, 0, 1, 3).double().numpy()
    covariance = covariance.reshape(*covariance.shape[:3], 2, 2)
    truth_m = future_m.transpose(0, 1).double().numpy()
    known = valid.t().numpy() > 0
    at_most = max(ENOUGH, WORK // model.config.modes**2)
    for done, knot in enumerate(knots, 1):
        one = slice(knot, knot + 1)

        def factor(rows: BoolArray, one: slice = one, knot: int = knot) -> float:
            chosen = np.flatnonzero(rows & known[:, knot])
            chosen = chosen[:: max(1, len(chosen) // at_most)]
            if not len(chosen):
                return 1.0
            return fitted_spread(
                predicted_m[chosen, :, one], covariance[chosen, :, one], probability[chosen], truth_m[chosen, one]
            )

        model.spread[knot] = factor(np.ones(len(known), np.bool_))
        codes = np.unique(object_class).tolist()
        for code in codes if len(codes) > 1 else []:
            rows = object_class == code
            if np.count_nonzero(rows & known[:, knot]) >= ENOUGH:
                model.spread[knot, code] = factor(rows)
        progress(done, len(knots))


def fitted_sharpness(paths: PathTensors, future_m: Tensor, valid: Tensor) -> float:
    """Return the factor of the logits that makes the closest modes most likely.

    Golden-section search on its logarithm. future_m (T, N, 2), valid (T, N).
    """
    closest = mean_over_knots(displacement(paths, future_m), valid).argmin(dim=0)

    def loss(log_factor: float) -> float:
        return float(torch.nn.functional.cross_entropy(paths.logits * float(np.exp(log_factor)), closest))

    low, high, ratio = -np.log(LARGEST_FACTOR), np.log(LARGEST_FACTOR), (np.sqrt(5.0) - 1.0) / 2.0
    for _ in range(3 * _STEPS):
        a, b = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, b) if loss(a) < loss(b) else (a, high)
    return float(np.exp(0.5 * (low + high)))


def fitted_spread(
    predicted_m: FloatArray, covariance_m2: FloatArray, probability: FloatArray, truth_m: FloatArray
) -> float:
    """Return the factor of the standard deviations that gives the mixture's regions their nominal coverage.

    On average over metrics.COVERAGE_LEVELS, by bisection: the coverage grows with the factor.
    predicted_m (N, K, 1, 2), covariance_m2 (N, K, 1, 2, 2), probability (N, K), truth_m (N, 1, 2).
    """
    levels = np.array(metrics.COVERAGE_LEVELS)
    low, high = -np.log(LARGEST_FACTOR), np.log(LARGEST_FACTOR)
    for _ in range(_STEPS):
        middle = 0.5 * (low + high)
        share = metrics.mixture_share(predicted_m, covariance_m2 * np.exp(2.0 * middle), probability, truth_m)
        held = (share < levels).mean(axis=0)
        low, high = (middle, high) if held.mean() < levels.mean() else (low, middle)
    return float(np.exp(0.5 * (low + high)))


@torch.no_grad()
def _predictions(model: TrajectoryModel, batches: Batches) -> _Predictions:
    read = (batches[i] for i in range(len(batches)))
    found = [(model(b.history, b.length, b.surroundings), b) for b in read]
    return _Predictions(
        PathTensors(torch.cat([p.planes for p, _ in found], dim=-1), torch.cat([p.logits for p, _ in found])),
        torch.cat([b.future_m for _, b in found], dim=1),
        torch.cat([b.valid for _, b in found], dim=1),
        torch.cat([unpacked(b.history[0]).object_class for _, b in found]).numpy(),
    )
