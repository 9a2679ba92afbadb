"""The trainer's optimiser and loss in a plain loop, with optional clipping and rearranged histories."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from tools.recurrent_claims.histories import Arrange, arranging
from tools.recurrent_claims.networks import Network
from trajnet.training.batches import Batches
from trajnet.training.config import AugmentConfig, OptimizerConfig, SourceConfig, TrainConfig
from trajnet.training.learner import Learner, min_ade
from trajnet.training.loss import winner_takes_all
from trajnet.training.loss_config import LossConfig
from trajnet.training.model import TrajectoryModel
from trajnet.training.model_config import ModelConfig
from trajnet.training.training_set import TrainingSet

log = logging.getLogger(__name__)

IN_ORDER = arranging("in order")


@dataclass(frozen=True)
class Recipe:
    """The settings that the networks of one comparison share. clips: whether the gradient's norm is limited."""

    model: ModelConfig
    augment: AugmentConfig
    optimizer: OptimizerConfig
    loss: LossConfig = LossConfig()
    clips: bool = True

    def configuration(self, network: Network, seed: int) -> TrainConfig:
        nowhere = (SourceConfig("scenes", path="given as arrays"),)
        return TrainConfig(
            "claims", "none: never leaves the program", True, nowhere, nowhere, seed, (),
            replace(self.model, cell=network.cell), self.loss, self.augment, self.optimizer,
        )  # fmt: skip


@dataclass(frozen=True)
class Trained:
    """A network after training, with loss and gradient norm before clipping at each step."""

    model: TrajectoryModel
    loss: list[float]
    gradient_norm: list[float]
    cpu_s: float

    @property
    def diverged(self) -> bool:
        return not math.isfinite(self.loss[-1]) or not math.isfinite(self.gradient_norm[-1])


def fit(network: Network, recipe: Recipe, data: TrainingSet, seed: int, arrange: Arrange = IN_ORDER) -> Trained:
    """Train from the seed to the end of the recipe, or to the first loss or gradient that is not finite."""
    began = time.process_time()
    torch.manual_seed(seed)
    chosen, augment = recipe.optimizer, recipe.augment
    epochs = [Batches(data, chosen.batch, augment=augment, seed=seed, epoch=e) for e in range(chosen.epochs)]
    learner = Learner(recipe.configuration(network, seed), len(data), sum(map(len, epochs)))
    model = network.prepare(learner.model)
    steps = learner.configure_optimizers()
    optimizer, schedule = steps["optimizer"], steps["lr_scheduler"]["scheduler"]
    losses: list[float] = []
    norms: list[float] = []
    draw = torch.Generator().manual_seed(seed)
    for batches in epochs:
        for index in range(len(batches)):
            batch = arrange(batches[index], draw)
            loss, _ = winner_takes_all(
                model(batch.history, batch.length, batch.surroundings), batch.future_m, batch.valid, recipe.loss
            )
            optimizer.zero_grad()
            loss.backward()
            norm = torch.nn.utils.get_total_norm([p.grad for p in model.parameters() if p.grad is not None])
            losses.append(float(loss.detach()))
            norms.append(float(norm))
            if not (math.isfinite(losses[-1]) and math.isfinite(norms[-1])):
                return Trained(model.eval(), losses, norms, time.process_time() - began)
            if recipe.clips:
                torch.nn.utils.clip_grads_with_norm_(model.parameters(), chosen.gradient_clip, norm)
            optimizer.step()
            schedule.step()
    log.info(
        "%s, seed %d: %d steps, loss %.3f, %.1f s",
        network.name,
        seed,
        len(losses),
        losses[-1],
        time.process_time() - began,
    )
    return Trained(model.eval(), losses, norms, time.process_time() - began)


def errors(
    model: TrajectoryModel, data: TrainingSet, tops: Sequence[int], arrange: Arrange = IN_ORDER, seed: int = 0
) -> dict[str, float]:
    """Return minADE_k in m over all windows, for each k in tops, with rearranged histories."""
    batches = Batches(data, 512)
    total = dict.fromkeys(tops, 0.0)
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for index in range(len(batches)):
            batch = arrange(batches[index], draw)
            paths = model(batch.history, batch.length, batch.surroundings)
            for top in tops:
                total[top] += len(batch.length) * float(min_ade(paths, batch.future_m, batch.valid, top))
    return {f"minADE_{top}": value / len(data) for top, value in total.items()}
