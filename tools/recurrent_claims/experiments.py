"""One function for each claim, which measures it and returns plain numbers for docs/recurrent.json."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np

from tools.recurrent_claims.gradients import loss_gradients
from tools.recurrent_claims.histories import Order, arranging, shortened
from tools.recurrent_claims.networks import CELLS, LSTM, NETWORKS, RELU, TANH, width_for
from tools.recurrent_claims.training import Recipe, Trained, errors, fit
from trajnet.training.batches import Batches
from trajnet.training.config import AugmentConfig, OptimizerConfig
from trajnet.training.model import TrajectoryModel
from trajnet.training.model_config import ModelConfig
from trajnet.training.training_set import TrainingSet

log = logging.getLogger(__name__)

ORDERS: tuple[Order, ...] = get_args(Order)
#: A gradient below this share of its first value counts as forgotten: it no longer affects the step.
FORGOTTEN = 1e-3


@dataclass(frozen=True)
class Budget:
    """Amount of training: enough to compare the networks within minutes on one core, not to win a benchmark."""

    seeds: int = 3
    hidden: int = 64
    batch: int = 256
    nuscenes_windows: int = 12_000
    nuscenes_epochs: int = 5
    ngsim_windows: int = 8_000
    ngsim_epochs: int = 4
    explosion_windows: int = 3_000
    explosion_epochs: int = 3
    explosion_seeds: int = 1
    validation_windows: int = 3_000
    gradient_tracks: int = 24

    def recipe(self, modes: int, augment: AugmentConfig, optimizer: OptimizerConfig) -> Recipe:
        wide = self.hidden
        model = ModelConfig(hidden=wide, decoder_hidden=wide, embedding=max(1, wide // 2), modes=modes)
        return Recipe(model, augment, optimizer)

    def nuscenes(self) -> Recipe:
        return self.recipe(10, AugmentConfig(), OptimizerConfig(self.nuscenes_epochs, self.batch))

    def ngsim(self) -> Recipe:
        return self.recipe(6, AugmentConfig(drop=0.1, short=0.3), OptimizerConfig(self.ngsim_epochs, self.batch))

    def explosion(self, learning_rate: float, *, clips: bool) -> Recipe:
        """Return the recipe with whole histories, nothing dropped, and half the batch for twice the steps."""
        optimizer = OptimizerConfig(self.explosion_epochs, max(1, self.batch // 2), learning_rate)
        return replace(self.recipe(6, AugmentConfig(drop=0.0, short=0.0), optimizer), clips=clips)


def gradient_curve(model: TrajectoryModel, data: TrainingSet, recipe: Recipe) -> dict[str, Any]:
    """Return median and 10-90 % range over the histories of the gradient k steps back, and where it is forgotten."""
    found = loss_gradients(model, Batches(data, len(data))[0], recipe.loss)
    low, middle, high = np.nanquantile(found, [0.1, 0.5, 0.9], axis=1)
    below = np.flatnonzero(middle < FORGOTTEN)
    return {
        "median": [float(f"{v:.3g}") for v in middle],
        "low": [float(f"{v:.3g}") for v in low],
        "high": [float(f"{v:.3g}") for v in high],
        "forgotten_after_steps": int(below[0]) if len(below) else None,
    }


def initial_gradients(data: TrainingSet, recipe: Recipe, seed: int) -> dict[str, Any]:
    """Return the gradient curve of each network before any training."""
    return {n.name: gradient_curve(n.make(recipe.model, seed), data, recipe) for n in NETWORKS}


def trained_gradients(models: dict[str, TrajectoryModel], data: TrainingSet, recipe: Recipe) -> dict[str, Any]:
    """Return the gradient curve of each model, from copies: the measurement in float64 must not change the models."""
    curves = {}
    for name, model in models.items():
        copy = TrajectoryModel(model.config)
        copy.load_state_dict(model.state_dict())
        curves[name] = gradient_curve(copy, data, recipe)
    return curves


def explosion(data: TrainingSet, budget: Budget) -> dict[str, Any]:
    """Return loss and gradient norm of every step, clipped and not, at our learning rate and at ten times that."""
    runs = []
    usual = OptimizerConfig()
    for learning_rate in (usual.learning_rate, 10 * usual.learning_rate):
        for network in (RELU, TANH, LSTM):
            for clips in (False, True):
                recipe = budget.explosion(learning_rate, clips=clips)
                for seed in range(budget.explosion_seeds):
                    done = explosion_figures(fit(network, recipe, data, seed))
                    about = {"network": network.name, "learning_rate": learning_rate, "clips": clips, "seed": seed}
                    runs.append({**about, **done})
                    log.info("explosion: %s", {k: v for k, v in runs[-1].items() if not isinstance(v, list)})
    return {
        "gradient_clip": usual.gradient_clip,
        "learning_rate": usual.learning_rate,
        "runs": runs,
    }


def explosion_figures(done: Trained) -> dict[str, Any]:
    """Return the figures of one run, with null for values that are not finite."""

    def plain(values: Sequence[float]) -> list[float | None]:
        return [float(f"{v:.3g}") if np.isfinite(v) else None for v in values]

    tail = done.loss[-max(1, len(done.loss) // 10) :]
    return {
        "loss": plain(done.loss),
        "gradient_norm": plain(done.gradient_norm),
        "largest_norm": plain([max(done.gradient_norm)])[0],
        "last_loss": plain([float(np.mean(tail))])[0],
        "diverged": done.diverged,
        "steps": len(done.loss),
    }


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Return the mean and every value of several seeds."""
    return {"mean": round(float(np.mean(values)), 3), "seeds": [round(v, 3) for v in values]}


def cells(train: TrainingSet, validation: TrainingSet, recipe: Recipe, seeds: int) -> dict[str, Any]:
    """Train each cell with the LSTM's number of parameters and of steps; return the errors."""
    parameters = TrajectoryModel(recipe.model).parameter_count
    tops = (1, 5, recipe.model.modes)
    rows: dict[str, Any] = {}
    for network in CELLS:
        model = recipe.model if network is LSTM else width_for(network, recipe.model, parameters)
        runs = [fit(network, replace(recipe, model=model), train, seed) for seed in range(seeds)]
        found = [errors(run.model, validation, tops) for run in runs]
        rows[network.name] = {
            "cell": network.cell,
            "hidden": model.hidden,
            "decoder_hidden": model.decoder_hidden,
            "parameters": runs[0].model.parameter_count,
            "steps": len(runs[0].loss),
            "cpu_s": round(float(np.median([run.cpu_s for run in runs])), 1),
            **{name: spread([f[name] for f in found]) for name in found[0]},
        }
        log.info("cells: %s", rows[network.name])
    return rows


def trained_in(order: Order, train: TrainingSet, recipe: Recipe, seeds: int) -> list[TrajectoryModel]:
    """Train an LSTM from each seed on histories in this order."""
    return [fit(LSTM, recipe, train, seed, arranging(order)).model for seed in range(seeds)]


def order_matters(
    ordered: Sequence[TrajectoryModel], shuffled: Sequence[TrajectoryModel], validation: TrainingSet
) -> dict[str, Any]:
    """Return the errors of models trained in order for every order, and of those trained on shuffled ones for two."""
    top = ordered[0].config.modes
    name = f"minADE_{top}"

    def measured(models: Sequence[TrajectoryModel], order: Order) -> dict[str, Any]:
        return spread([errors(m, validation, [top], arranging(order), seed)[name] for seed, m in enumerate(models)])

    rows: dict[str, Any] = {"metric": name, "trained in order": {o: measured(ordered, o) for o in ORDERS}}
    if shuffled:
        both: tuple[Order, ...] = ("in order", "all motions shuffled")
        rows["trained on shuffled motions"] = {o: measured(shuffled, o) for o in both}
    log.info("order: %s", rows)
    return rows


def context_matters(
    models: Sequence[TrajectoryModel], validation: TrainingSet, observations: Sequence[int], step_s: float
) -> dict[str, Any]:
    """Return the error against the number of last observations that the model is given."""
    top = models[0].config.modes
    rows = []
    for count in observations:
        data = shortened(validation, count)
        found = [errors(m, data, [1, top]) for m in models]
        row = {"observations": count, "history_s": round((count - 1) * step_s, 3)}
        rows.append({**row, **{name: spread([f[name] for f in found]) for name in found[0]}})
    log.info("context: %s", rows)
    return {"metrics": [f"minADE_{top}", "minADE_1"], "rows": rows}
