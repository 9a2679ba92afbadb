"""Learning from trained models: their modes are more futures of each window than the one that was recorded.

A model that learns from one recorded future of each window overfits to which of several futures happened. Several
trained models together say more: each of their modes is a possible future, as probable as they say. The student learns
the sets of paths that come closest to those futures in the mean: the ensemble's answer in one model (Hinton, Vinyals,
Dean 2015). A mode stands for many futures, though, and a student of the modes alone learns to repeat them, the badly
placed ones too. So futures can be drawn around each mode, as far as its covariances say (LossConfig.taught_spread).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import torch
from torch import Tensor

from trajnet.columns import INPUT_COLUMNS
from trajnet.errors import ConfigError
from trajnet.training.augment import mirrored_inputs, mirrored_map, mirrored_neighbours
from trajnet.training.batches import Batch
from trajnet.training.checkpoint import checkpoint_model
from trajnet.training.model import TrajectoryModel
from trajnet.training.model_config import ModelConfig
from trajnet.training.tensors import ContextTensors, PathTensors


@dataclass(frozen=True)
class Futures:
    """M possible futures of N objects: x_m, y_m (M, T, N), relative to the object; probability (M, N), sums to 1."""

    x_m: Tensor
    y_m: Tensor
    probability: Tensor


class Teachers:
    """Trained models that are asked, not trained. They are no part of the student and of its checkpoints."""

    def __init__(self, models: Sequence[TrajectoryModel]) -> None:
        self._models = [model.eval().requires_grad_(False) for model in models]

    @classmethod
    def load(cls, paths: Sequence[str], student: ModelConfig, *, non_commercial: bool) -> Teachers:
        """Load the checkpoints. non_commercial: what the student's configuration says.

        Raises ConfigError for a teacher that sees or predicts something else than the student, and for one whose
        licence forbids the student's use; ContractError for a file that is no checkpoint.
        """
        models = []
        for path in paths:
            model, config, _ = checkpoint_model(Path(path))
            theirs, ours = config.model, student
            if (theirs.requirements, theirs.time_s) != (ours.requirements, ours.time_s):
                raise ConfigError(
                    f"teachers: {path}: expected the student's map, neighbours and knots, got {theirs.requirements} "
                    f"and {theirs.knots} knots of {theirs.knot_step_s:g} s"
                )
            if config.non_commercial and not non_commercial:
                raise ConfigError(
                    f"teachers: {path}: it is for non-commercial use only ({config.licence}), and so is what learns "
                    "from it: set non_commercial: true and name that licence"
                )
            models.append(model)
        return cls(models)

    @torch.no_grad()
    def futures(self, batch: Batch, mirror: Tensor, blind: Tensor, spread: float = 0.0) -> Futures:
        """Return possible futures of the windows of a batch; each teacher counts the same.

        mirror (N,): windows that the teachers see with left and right swapped, and whose answers are swapped back. Such
        an answer is another one, for no network learns the symmetry wholly, and both together are better than either.
        blind (N,): windows that they see without the map: what the object would do for all they know of its motion,
        where a map of a kind that few windows have would have told them the place.
        spread: 0 gives the teachers' modes; above it two futures are drawn around each mode with so many of its
        standard deviations, on opposite sides of it.
        """
        found, batch = [], _without_map(_mirrored(batch, mirror), blind)
        for model in self._models:
            model.to(batch.future_m.device)
            paths = model(batch.history, batch.length, batch.surroundings)
            found.append(_drawn(paths, spread) if spread > 0 else _modes(paths))
        sign = torch.where(mirror, -1.0, 1.0)
        x_m, y_m, probability = (torch.cat([getattr(each, f.name) for each in found]) for f in fields(Futures))
        return Futures(x_m, sign * y_m, probability / len(found))


def _modes(paths: PathTensors) -> Futures:
    """Return K modes as futures."""
    return Futures(paths.x_m, paths.y_m, torch.softmax(paths.logits, 1).t())


def _drawn(paths: PathTensors, spread: float) -> Futures:
    """Return two futures of each of K modes, as far from it on one side as on the other.

    Along the path and across it a future is off by the same share of the standard deviations at every knot: who is
    faster than the mode stays faster.
    """
    cos, sin = torch.cos(paths.yaw_rad), torch.sin(paths.yaw_rad)
    xx, xy, yy = paths.cov_xx_m2, paths.cov_xy_m2, paths.cov_yy_m2
    along_m2 = cos * cos * xx + 2.0 * cos * sin * xy + sin * sin * yy
    across_m2 = sin * sin * xx - 2.0 * cos * sin * xy + cos * cos * yy
    between_m2 = cos * sin * (yy - xx) + (cos * cos - sin * sin) * xy
    along_m = torch.sqrt(along_m2.clamp(min=1e-8))  # a Cholesky factor of the covariance in the path's own axes
    lean_m = between_m2 / along_m
    across_m = torch.sqrt((across_m2 - lean_m * lean_m).clamp(min=1e-8))
    modes, _, objects = xx.shape
    first, second = (spread * torch.randn(2, modes, 1, objects)).to(xx.device)
    off_along, off_across = along_m * first, lean_m * first + across_m * second
    dx, dy = cos * off_along - sin * off_across, sin * off_along + cos * off_across
    mode = _modes(paths)
    x_m, y_m = torch.cat([mode.x_m + dx, mode.x_m - dx]), torch.cat([mode.y_m + dy, mode.y_m - dy])
    return Futures(x_m, y_m, torch.cat([mode.probability, mode.probability]) / 2.0)


def _mirrored(batch: Batch, chosen: Tensor) -> Batch:
    """Return the batch with what a model sees of the chosen windows (N,) mirrored."""
    distance, neighbours = batch.surroundings
    if distance.numel():
        distance = torch.where(chosen.reshape(-1, 1, 1, 1, 1), mirrored_map(distance), distance)
    if neighbours.numel():
        neighbours = torch.where(chosen.reshape(-1, 1, 1), mirrored_neighbours(neighbours), neighbours)
    history = torch.where(chosen.unsqueeze(1), mirrored_inputs(batch.history), batch.history)
    return replace(batch, history=history, surroundings=ContextTensors(distance, neighbours))


def _without_map(batch: Batch, chosen: Tensor) -> Batch:
    """Return the batch with the map of the chosen windows (N,) not valid."""
    history = batch.history.clone()
    history[:, chosen, INPUT_COLUMNS.map_valid] = 0.0
    return replace(batch, history=history)


def taught(
    paths: PathTensors, futures: Futures, sizes: Sequence[int], weights: Sequence[float] = ()
) -> tuple[Tensor, Tensor]:
    """Return the regression and the classification of K modes for possible futures, both means over the objects.

    regression: the expected mean displacement (m) of the closest mode, in the mean over the sets (sizes as in
    winner_takes_all, weights as LossConfig.set_weights). classification: cross entropy of the probabilities to the
    share of the futures that each mode is the closest to.
    """
    x = paths.x_m.unsqueeze(1) - futures.x_m  # (K, M, T, N)
    y = paths.y_m.unsqueeze(1) - futures.y_m
    ade = torch.sqrt(x * x + y * y + 1e-6).mean(dim=2)  # (K, M, N)
    best = [(futures.probability * ade[:size].min(dim=0).values).sum(dim=0).mean() for size in sizes]
    closest = torch.zeros_like(ade).scatter_(0, ade.argmin(dim=0, keepdim=True), 1.0)  # (K, M, N)
    share = (closest * futures.probability).sum(dim=1)  # (K, N)
    log_probability = torch.log_softmax(paths.logits, dim=1).t()  # (K, N)
    weights = weights or (1.0,) * len(sizes)
    regression = torch.stack([w * b for w, b in zip(weights, best, strict=True)]).sum() / sum(weights)
    return regression, -(share * log_probability).sum(dim=0).mean()
