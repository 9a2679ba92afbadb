"""Winner takes all: the mode closest to what happened learns the path, the others keep what they stand for."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from trajnet.training.loss_config import LossConfig
from trajnet.training.tensors import PathTensors


def displacement(paths: PathTensors, future_m: Tensor) -> Tensor:
    """(K, T, N) distance of each mode's knots from future_m (T, N, 2)."""
    x, y = future_m[..., 0] - paths.x_m, future_m[..., 1] - paths.y_m
    return torch.sqrt(x * x + y * y + 1e-6)


def mean_over_knots(values: Tensor, valid: Tensor) -> Tensor:
    """(K, N) mean of values (K, T, N) over the recorded knots, valid (T, N)."""
    return (values * valid).sum(dim=1) / valid.sum(dim=0).clamp(min=1.0)


def winner_takes_all(
    paths: PathTensors, future_m: Tensor, valid: Tensor, config: LossConfig, sets: Sequence[int] = ()
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the loss and its terms. future_m (T, N, 2), valid (T, N): knots that were recorded, at least one each.

    sets: ModelConfig.set_sizes. In each set its closest mode learns the path, so a set covers the future by itself; the
    closest mode of all is what classification is about. The likelihood is that of the mixture at each knot, which is
    what a region of the prediction rests on; paths and probabilities are constants to it (detached), so it shapes the
    covariances and spoils no path.
    """
    ade = mean_over_knots(displacement(paths, future_m), valid)
    sizes = tuple(sets) or (ade.shape[0],)
    weights = config.set_weights or (1.0,) * len(sizes)
    best = [ade[:size].min(dim=0).values.mean() for size in sizes]
    regression = torch.stack([w * b for w, b in zip(weights, best, strict=True)]).sum() / sum(weights)
    winner = ade.argmin(dim=0)
    log_probability = torch.log_softmax(paths.logits, dim=1)
    if config.temperature_m > 0:
        target = torch.softmax(-ade.detach().t() / config.temperature_m, dim=1)
        classification = -(target * log_probability).sum(dim=1).mean()
    else:
        classification = -log_probability.gather(1, winner.unsqueeze(1)).mean()
    error_x, error_y = ((future_m[..., i] - p).detach() for i, p in enumerate((paths.x_m, paths.y_m)))
    nll = gaussian_nll(error_x, error_y, paths.cov_xx_m2, paths.cov_xy_m2, paths.cov_yy_m2)
    mixture = -torch.logsumexp(log_probability.detach().t().unsqueeze(1) - nll, dim=0)
    likelihood = mean_over_knots(mixture.unsqueeze(0), valid).mean()
    total = regression + config.classification * classification + config.likelihood * likelihood
    terms = {"min_ade_m": best[-1], "classification": classification, "nll": likelihood}
    if config.shown > 0:
        terms["shown_ade_m"] = ade.gather(0, paths.logits.detach().argmax(dim=1).unsqueeze(0)).mean()
        total = total + config.shown * terms["shown_ade_m"]
    if config.expected > 0:
        terms["expected_ade_m"] = (torch.exp(log_probability) * ade.detach().t()).sum(dim=1).mean()
        total = total + config.expected * terms["expected_ade_m"]
    return total, terms


def gaussian_nll(error_x: Tensor, error_y: Tensor, xx: Tensor, xy: Tensor, yy: Tensor) -> Tensor:
    """Return -log N(error; 0, C) in nats for planar errors; all arguments have one shape."""
    determinant = torch.clamp(xx * yy - xy * xy, min=1e-8)
    squared = (yy * error_x * error_x - 2.0 * xy * error_x * error_y + xx * error_y * error_y) / determinant
    return 0.5 * (squared + torch.log(determinant)) + math.log(2.0 * math.pi)
