"""Whether the flags of a model's input tell which data set a window is from.

A network that can tell the place from the presence of a map learns one behaviour for windows with a map and another for
those without, and carries them to places where neither holds. So what is valid must say nothing of the source: here a
logistic regression tries to find the source from the flags alone, after augmentation.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from trajnet.columns import NEIGHBOUR_COLUMNS
from trajnet.training.batches import Batch, Batches
from trajnet.training.config import AugmentConfig
from trajnet.training.model_input import unpacked
from trajnet.training.training_set import WindowSource, joined
from trajnet.types import FloatArray, IntArray

FLAGS: tuple[str, ...] = ("map", "directions", "velocity", "neighbours")
#: Newton's steps are not needed for so few columns: plain gradient steps of this length come close enough.
_STEPS, _RATE = 400, 2.0


def validity_flags(batch: Batch) -> FloatArray:
    """Return (N, len(FLAGS)) of 0 and 1: what the model is shown of each object at its last observation."""
    last = batch.length - 1, torch.arange(len(batch.length))
    seen = unpacked(batch.history[last])
    has_map = seen.map_valid > 0
    directed = (batch.surroundings.map_distance[..., 2:] != 0).flatten(1).any(dim=1)
    beside = (batch.surroundings.neighbours[..., NEIGHBOUR_COLUMNS.index("valid")] > 0).any(dim=1)
    return torch.stack([has_map, has_map & directed, seen.velocity_valid > 0, beside], 1).double().numpy()


def augmented_flags(
    sets: Sequence[WindowSource], augment: AugmentConfig, *, per_source: int = 2_000, batch: int = 256
) -> tuple[FloatArray, IntArray]:
    """Return flags (N, len(FLAGS)) and sources (N,) of up to per_source windows of each set, augmented mixed."""
    rng = np.random.default_rng(0)
    parts, source = [], list[int]()
    for number, each in enumerate(sets):
        rows = rng.permutation(len(each))[:per_source]
        parts.append(each.select(rows))
        source += [number] * len(rows)
    whole, sources = joined(parts), np.array(source, np.int64)
    order = rng.permutation(len(sources))
    # Batches shuffles when it augments: its own order is found by a column that it does not touch.
    batches = Batches(whole.select(order), batch, augment=augment, seed=1)
    flags = np.concatenate([validity_flags(batches[i]) for i in range(len(batches))])
    return flags, sources[order][batches.order]


def source_accuracy(flags: FloatArray, source: IntArray) -> float:
    """Return the balanced accuracy with which a logistic regression finds the source of windows it was not fitted on.

    flags (N, F), source (N,): numbers from 0. Each source weighs the same; guessing is right for one in as many as
    there are sources. It is fitted on even rows and judged on odd ones, with products of two flags as features.
    """
    count = int(source.max()) + 1
    pairs = [flags[:, i] * flags[:, j] for i in range(flags.shape[1]) for j in range(i)]
    features = np.column_stack([np.ones(len(flags)), flags, *pairs])
    weight = 1.0 / np.bincount(source[::2], minlength=count)[source[::2]] / count
    fitted, truth = np.zeros((features.shape[1], count)), np.eye(count)[source[::2]]
    for _ in range(_STEPS):
        score = features[::2] @ fitted
        share = np.exp(score - score.max(axis=1, keepdims=True))
        share /= share.sum(axis=1, keepdims=True)
        fitted -= _RATE * features[::2].T @ (weight[:, None] * (share - truth))
    found = (features[1::2] @ fitted).argmax(axis=1)
    right = [np.mean(found[source[1::2] == number] == number) for number in range(count)]
    return float(np.mean(right))
