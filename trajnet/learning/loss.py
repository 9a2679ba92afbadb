"""Winner takes all: the mode closest to what happened learns the path, the others keep what they stand for."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from trajnet.config import require
from trajnet.learning.model import Paths, gaussian_nll


@dataclass(frozen=True)
class LossConfig:
    """Weights of the terms beside the winner's mean displacement: mode classification and likelihood.

    temperature_m: the mode's target is softmax(-ADE / temperature); 0 gives all to the winner.
    top_modes, top_weight: a second race among the most probable top_modes alone, so that the few paths that a planner
    looks at cover the future too; its winner's displacement takes top_weight of the first one's place.
    """

    classification: float = 1.0
    likelihood: float = 0.2
    temperature_m: float = 0.0
    top_modes: int = 5
    top_weight: float = 0.0

    def __post_init__(self) -> None:
        for name in ("classification", "likelihood", "temperature_m"):
            require(getattr(self, name) >= 0, f"loss.{name}: expected at least 0, got {getattr(self, name)}")
        require(self.top_modes >= 1, f"loss.top_modes: expected at least 1, got {self.top_modes}")
        require(0 <= self.top_weight <= 1, f"loss.top_weight: expected 0..1, got {self.top_weight}")


def displacement(paths: Paths, future_m: Tensor) -> Tensor:
    """(T, N, K) distance of each mode's knots from future_m (T, N, 2)."""
    x, y = future_m[..., 0:1] - paths.x_m, future_m[..., 1:2] - paths.y_m
    return torch.sqrt(x * x + y * y + 1e-6)


def winner_takes_all(
    paths: Paths, future_m: Tensor, valid: Tensor, config: LossConfig
) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss and its terms. future_m (T, N, 2), valid (T, N): knots that were recorded, at least one each.

    The covariances learn from the winner's errors as they are (detached), so the likelihood spoils no path.
    """
    weight = valid / valid.sum(dim=0, keepdim=True).clamp(min=1.0)
    distance = displacement(paths, future_m)
    ade = (distance * weight.unsqueeze(-1)).sum(dim=0)
    winner = ade.argmin(dim=1, keepdim=True)
    pick = winner.unsqueeze(0).expand(distance.shape[0], -1, -1)
    best_ade = ade.gather(1, winner).mean()
    log_probability = torch.log_softmax(paths.logits, dim=1)
    if config.temperature_m > 0:
        target = torch.softmax(-ade.detach() / config.temperature_m, dim=1)
        classification = -(target * log_probability).sum(dim=1).mean()
    else:
        classification = -log_probability.gather(1, winner).mean()
    error_x = (future_m[..., 0:1] - paths.x_m).detach().gather(2, pick)
    error_y = (future_m[..., 1:2] - paths.y_m).detach().gather(2, pick)
    nll = gaussian_nll(
        error_x, error_y, *(c.gather(2, pick) for c in (paths.cov_xx_m2, paths.cov_xy_m2, paths.cov_yy_m2))
    )
    likelihood = (nll.squeeze(-1) * weight).sum(dim=0).mean()
    regression = best_ade
    if config.top_weight > 0:
        likely = paths.logits.topk(min(config.top_modes, ade.shape[1]), dim=1).indices
        top_ade = ade.gather(1, likely).min(dim=1).values.mean()
        regression = (1.0 - config.top_weight) * best_ade + config.top_weight * top_ade
    total = regression + config.classification * classification + config.likelihood * likelihood
    return total, {"min_ade_m": best_ade, "classification": classification, "nll": likelihood}
