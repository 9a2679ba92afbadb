"""The recorded histories for the measurements, shortened or put into another order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from trajnet.arrays import concat
from trajnet.context.surroundings import InputRequirements
from trajnet.datasets.files import find_scenes, load_scene
from trajnet.datasets.window_context import nothing_around
from trajnet.datasets.windows import Windows, windows_of_scene
from trajnet.errors import InputError
from trajnet.training.batches import Batch, steady_velocities
from trajnet.training.config import SourceConfig
from trajnet.training.model_input import ModelInput, unpacked
from trajnet.training.training_set import HISTORY, TrainingSet, training_set

FUTURE_S = 0.5 * np.arange(1.0, 13.0)

Order = Literal["in order", "earlier motions shuffled", "earlier motions reversed", "all motions shuffled"]
Arrange = Callable[[Batch, torch.Generator], Batch]


NUSCENES_TRAIN = SourceConfig("nuscenes", split="train")
NUSCENES_VALIDATION = SourceConfig("nuscenes", split="train_val")
NGSIM_TRAIN = SourceConfig("scenes", path="commonroad_ngsim/Lankershim", history_s=5.0, stride=3)
NGSIM_VALIDATION = SourceConfig("scenes", path="commonroad_ngsim/US101", history_s=10.0, stride=10, min_future_s=1.0)


def taken(data: TrainingSet, rows: NDArray[np.int64]) -> TrainingSet:
    """Return the windows with these indices."""
    return TrainingSet(**{f.name: getattr(data, f.name)[rows] for f in fields(TrainingSet)})


def spread_out(data: TrainingSet, most: int) -> TrainingSet:
    """Return at most ``most`` windows, evenly spread over all."""
    rows = np.linspace(0, len(data) - 1, min(most, len(data))).round().astype(np.int64)
    return taken(data, rows)


def complete(data: TrainingSet, most: int) -> TrainingSet:
    """Return at most ``most`` of the windows that were observed at every step. Raises InputError if there are none."""
    rows = np.flatnonzero(data.observed.all(axis=1))
    if not len(rows):
        raise InputError(f"windows: expected some that were observed at all {data.observed.shape[1]} steps, got none")
    return spread_out(taken(data, rows), most)


def recent(data: TrainingSet, steps: int) -> TrainingSet:
    """Return the windows with a history grid of only the last ``steps`` steps."""
    return replace(data, **{name: getattr(data, name)[:, -steps:] for name in HISTORY})


def shortened(data: TrainingSet, steps: int) -> TrainingSet:
    """Return the windows with only the last ``steps`` observations known."""
    observed = data.observed.copy()
    observed[:, : observed.shape[1] - steps] = False
    return replace(data, observed=observed)


def reordered(batch: Batch, draw: torch.Generator, *, order: Order) -> Batch:
    """Return the batch with the motions of its histories in another order: only the order is lost.

    A motion is a displacement with its turn and its dt, whole; the steady velocity is that of the new order.
    ``earlier``: the last motion, which tells the present speed, stays the last. ``all``: any may come last, and is then
    moved so that it still ends at the true last pose, where the prediction starts. The first observation, which has no
    motion, stays the first.
    """
    if order == "in order":
        return batch
    history, last = unpacked(batch.history), batch.length - 1
    steps = torch.arange(len(history.dt_s), dtype=torch.float64).unsqueeze(1).expand(-1, len(last))
    inner = (steps >= 1) & (steps < last + float(order == "all motions shuffled"))
    backward = 1.0 + 1.0 / steps.clamp(min=1.0)
    shuffled = 1.0 + torch.rand(steps.shape, generator=draw, dtype=torch.float64)
    key = torch.where(inner, backward if order == "earlier motions reversed" else shuffled, 2.0 + steps * (steps > 0))
    key[0] = 0.0
    index = key.argsort(dim=0, stable=True)

    def arranged(values: torch.Tensor) -> torch.Tensor:
        return values.gather(0, index.reshape(*index.shape, *[1] * (values.dim() - 2)).expand_as(values))

    mixed = ModelInput(*map(arranged, history))
    if order == "all motions shuffled":
        mixed = ending_at(mixed, history, last)
    steady = steady_velocities(mixed.displacement_m, mixed.dt_s, mixed.velocity_mps, mixed.velocity_valid > 0)
    return replace(batch, history=mixed._replace(steady_velocity_mps=steady).packed())


def ending_at(mixed: ModelInput, history: ModelInput, last: torch.Tensor) -> ModelInput:
    """Return mixed with its last motions turned as a whole, so that they end at the last heading of history."""
    row = torch.arange(len(last))
    end_rad = history.yaw_rad[last, row]
    turn = end_rad - mixed.yaw_rad[last, row]
    (x, y), cos, sin = mixed.displacement_m[last, row].unbind(-1), torch.cos(turn), torch.sin(turn)
    pose = {
        "displacement_m": torch.stack([cos * x - sin * y, sin * x + cos * y], -1),
        "yaw_rad": end_rad,
        "previous_yaw_rad": mixed.previous_yaw_rad[last, row] + turn,
    }
    return mixed._replace(**{n: getattr(mixed, n).index_put((last, row), value) for n, value in pose.items()})


def arranging(order: Order) -> Arrange:
    """Return the function that puts batches into this order."""
    return partial(reordered, order=order)


def pedestrians(root: Path, *, history_s: float, rate_hz: float, most: int) -> TrainingSet:
    """Return ``most`` random pedestrians of VRU Aschaffenburg, each at 1 s before its end, tracked for history_s."""
    files = find_scenes(root / "vru_aschaffenburg" / "pedestrians")
    steps, ahead = round(history_s * rate_hz), round(rate_hz)
    history: NDArray[np.float64] = np.linspace(-history_s, 0.0, steps + 1)
    parts: list[Windows] = []
    for index in np.random.default_rng(0).permutation(len(files)):
        if len(parts) == most:
            break
        scene = load_scene(files[index])
        last = scene.frame_count - 1 - ahead
        if last >= steps:
            parts.append(windows_of_scene(scene, scene.row_frame == last, history, FUTURE_S))
    windows = concat(parts, what="windows")
    return complete(training_set(windows, nothing_around(len(windows), InputRequirements())), most)
