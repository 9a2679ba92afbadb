"""The recorded histories that the claims are measured on, and how they are shortened and put into another order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from trajnet.errors import InputError
from trajnet.learning.config import SourceConfig
from trajnet.learning.data import Batch, TrainingSet, training_set
from trajnet.learning.model import Observation
from trajnet.scenes import find_scenes, load_scene
from trajnet.windows import Windows, concatenate, windows_of_scene

FUTURE_S = 0.5 * np.arange(1, 13)

Order = Literal["in order", "motions shuffled", "motions reversed", "poses shuffled"]
Arrange = Callable[[Batch, torch.Generator], Batch]


NUSCENES_TRAIN = SourceConfig("nuscenes", split="train")
NUSCENES_VALIDATION = SourceConfig("nuscenes", split="train_val")
NGSIM_TRAIN = SourceConfig("scenes", path="commonroad_ngsim/Lankershim", history_s=5.0, stride=3)
NGSIM_VALIDATION = SourceConfig("scenes", path="commonroad_ngsim/US101", history_s=10.0, stride=10, min_future_s=1.0)


def taken(data: TrainingSet, rows: NDArray[np.int64]) -> TrainingSet:
    """The windows with only these rows."""
    return TrainingSet(**{f.name: getattr(data, f.name)[rows] for f in fields(TrainingSet)})


def spread_out(data: TrainingSet, most: int) -> TrainingSet:
    """At most so many of the windows, evenly taken from all."""
    rows = np.linspace(0, len(data) - 1, min(most, len(data))).round().astype(np.int64)
    return taken(data, rows)


def complete(data: TrainingSet, most: int) -> TrainingSet:
    """At most so many of the windows that were observed at every step."""
    rows = np.flatnonzero(data.observed.all(axis=1))
    if not len(rows):
        raise InputError(f"windows: expected some that were observed at all {data.observed.shape[1]} steps, got none")
    return spread_out(taken(data, rows), most)


def recent(data: TrainingSet, steps: int) -> TrainingSet:
    """The same windows with a history grid of only the last so many steps."""
    whole = ("object_class", "size_m", "future_m", "future_valid")
    return TrainingSet(
        **{
            f.name: v if f.name in whole else v[:, -steps:]
            for f in fields(TrainingSet)
            for v in [getattr(data, f.name)]
        }
    )


def shortened(data: TrainingSet, steps: int) -> TrainingSet:
    """The same windows, of which only the last so many observations are known."""
    observed = data.observed.copy()
    observed[:, : observed.shape[1] - steps] = False
    return replace(data, observed=observed)


def reordered(batch: Batch, draw: torch.Generator, *, order: Order) -> Batch:
    """The batch with its histories in another order; the first and the last observation stay where they are.

    ``motions``: every step keeps its own displacement, turn and dt, only the order in which the network is told of them
    changes: what is lost is the order and nothing else. ``poses``: positions and headings trade their times, as if late
    messages were taken for new ones, and displacements are those between the poses in their new order.
    """
    if order == "in order":
        return batch
    history = batch.history
    steps = torch.arange(len(history.dt_s), dtype=torch.float64).unsqueeze(1).expand(-1, len(batch.length))
    inner = (steps >= 1) & (steps < batch.length - 1)
    shuffled = 1.0 + torch.rand(steps.shape, generator=draw, dtype=torch.float64)
    key = 1.0 + 1.0 / steps.clamp(min=1.0) if order == "motions reversed" else shuffled
    index = torch.where(inner, key, 2.0 * steps).argsort(dim=0, stable=True)

    def arranged(values: torch.Tensor) -> torch.Tensor:
        wide = index.reshape(*index.shape, *[1] * (values.dim() - 2)).expand_as(values)
        return values.gather(0, wide)

    if order != "poses shuffled":
        return replace(batch, history=Observation(*map(arranged, history)))
    position, yaw = arranged(history.position_m), arranged(history.yaw_rad)
    moved = history._replace(
        position_m=position,
        yaw_rad=yaw,
        previous_position_m=torch.cat([position[:1], position[:-1]]),
        previous_yaw_rad=torch.cat([yaw[:1], yaw[:-1]]),
    )
    return replace(batch, history=moved)


def arranging(order: Order) -> Arrange:
    return partial(reordered, order=order)


def pedestrians(root: Path, *, history_s: float, rate_hz: float, most: int) -> TrainingSet:
    """So many pedestrians of VRU Aschaffenburg, drawn among all, each at 1 s before its end, tracked for history_s."""
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
    return complete(training_set(concatenate(parts)), most)
