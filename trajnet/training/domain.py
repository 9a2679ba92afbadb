"""The domain of a training set: what a model was shown, as its file states it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trajnet.arrays import StructOfArrays, concat
from trajnet.columns import NEIGHBOUR_COLUMNS
from trajnet.inference.domain import DRIVING_SIDES, SPEED_EDGES_MPS, SPEED_QUANTILES, ClassDomain, Domain
from trajnet.tracking.motion import steady_velocity
from trajnet.training.config import AugmentConfig, TrainConfig
from trajnet.training.training_set import TrainingSet
from trajnet.types import CLASS_NAMES, BoolArray, FloatArray


def training_domain(parts: Iterable[TrainingSet], config: TrainConfig, source_windows: Sequence[int]) -> Domain:
    """Return the domain of a model trained on the windows of all parts with this configuration.

    source_windows: number of windows of each of config.train, in its order. Raises InputError if there are no parts.
    """
    shown = concat([_shown_of(part) for part in parts], what="training windows")
    sides = dict.fromkeys(DRIVING_SIDES, 0)
    for source, windows in zip(config.train, source_windows, strict=True):
        sides[source.driving_side] += int(windows)
    return Domain(
        classes={
            name: _of_class(shown.speed_mps[shown.object_class == value])
            for value, name in enumerate(CLASS_NAMES)
            if (shown.object_class == value).any()
        },
        rates_hz=_rates(shown.shortest_s, shown.reach_s, config.augment),
        driving_sides={side: windows for side, windows in sides.items() if windows},
        map_share=_share(shown.map_valid),
        neighbours_share=_share(shown.has_neighbours),
        velocity_share=_share(shown.velocity_measured),
        pace=1.0 + config.augment.pace,
        drop=config.augment.drop,
        position_noise_m=config.augment.position_noise_m,
    )


@dataclass(frozen=True, eq=False)
class _Shown(StructOfArrays):
    """What a domain takes of W windows, each (W,); see speeds and _intervals."""

    speed_mps: FloatArray
    shortest_s: FloatArray
    reach_s: FloatArray
    object_class: NDArray[np.int8]
    map_valid: BoolArray
    has_neighbours: BoolArray
    velocity_measured: BoolArray


def _shown_of(data: TrainingSet) -> _Shown:
    has_neighbours = np.asarray((data.neighbours[..., NEIGHBOUR_COLUMNS.valid] > 0).any(axis=(1, 2)))
    measured = data.velocity_valid[:, -1]
    return _Shown(speeds(data), *_intervals(data), data.object_class, data.map_valid, has_neighbours, measured)


def speeds(data: TrainingSet) -> FloatArray:
    """Return the speed of each window at its last observation, (W,) m/s: what the runtime compares with the domain.

    Measured where it was, else that of the steady velocity; NaN where neither is known.
    """
    count, steps = data.observed.shape
    measured_mps = np.where(data.velocity_valid[..., None], data.velocity_mps, 0.0)
    last_s, last_m, steady_mps = np.zeros(count), np.zeros((count, 2)), np.zeros((count, 2))
    seen, known = np.zeros(count, np.bool_), np.zeros(count, np.bool_)
    for step in range(steps):
        rows = np.flatnonzero(data.observed[:, step])
        time_s, position_m = data.time_s[rows, step].astype(np.float64), data.position_m[rows, step].astype(np.float64)
        before = seen[rows]
        steady_mps[rows] = steady_velocity(
            np.where(before[:, None], position_m - last_m[rows], 0.0),
            np.where(before, time_s - last_s[rows], 0.0),
            measured_mps[rows, step].astype(np.float64),
            last_mps=steady_mps[rows],
            known=known[rows],
        )
        known[rows] = before | data.velocity_valid[rows, step]
        last_s[rows], last_m[rows], seen[rows] = time_s, position_m, True
    measured = data.velocity_valid[:, -1]
    velocity_mps = np.where(measured[:, None], measured_mps[:, -1], steady_mps)
    return np.where(measured | known, np.hypot(velocity_mps[:, 0], velocity_mps[:, 1]), np.nan)


def rates(data: TrainingSet, augment: AugmentConfig) -> tuple[tuple[float, int], ...]:
    """Return the observation rates in Hz after the strides of the augmentation, each with its number of windows.

    A window's rate is that of its shortest interval between observations. Each stride gets its expected share of the
    windows whose history is long enough for it.
    """
    return _rates(*_intervals(data), augment)


def _rates(shortest_s: FloatArray, reach_s: FloatArray, augment: AugmentConfig) -> tuple[tuple[float, int], ...]:
    known = np.isfinite(shortest_s)
    intervals_s, inverse = np.unique(np.round(shortest_s[known], 3), return_inverse=True)
    found: dict[float, float] = {}
    for index, interval_s in enumerate(intervals_s.tolist()):
        of_interval_s = reach_s[known][inverse == index]
        for stride in augment.strides:
            rate_hz = round(1.0 / (interval_s * stride), 2)
            long_enough = np.count_nonzero(of_interval_s >= interval_s * stride - 1e-3)
            found[rate_hz] = found.get(rate_hz, 0.0) + long_enough / len(augment.strides)
    return tuple((rate_hz, round(found[rate_hz])) for rate_hz in sorted(found) if round(found[rate_hz]))


def _intervals(data: TrainingSet) -> tuple[FloatArray, FloatArray]:
    """Return each window's shortest interval between two observations and the time that they span, (W,) in s."""
    count, steps = data.observed.shape
    shortest_s, last_s, first_s = np.full(count, np.inf), np.full(count, np.nan), np.full(count, np.nan)
    for step in range(steps):
        seen = data.observed[:, step]
        time_s = data.time_s[:, step].astype(np.float64)
        interval_s = np.where(seen & ~np.isnan(last_s), time_s - last_s, np.inf)
        shortest_s = np.minimum(shortest_s, np.where(interval_s > 0, interval_s, np.inf))
        first_s = np.where(seen & np.isnan(first_s), time_s, first_s)
        last_s = np.where(seen, time_s, last_s)
    return shortest_s, last_s - first_s


def _of_class(speed_mps: FloatArray) -> ClassDomain:
    known = speed_mps[~np.isnan(speed_mps)]
    if not len(known):
        return ClassDomain(len(speed_mps))
    low, high = (round(float(q), 2) for q in np.quantile(known, SPEED_QUANTILES))
    counts = np.bincount(np.searchsorted(SPEED_EDGES_MPS, known, side="right") - 1, minlength=len(SPEED_EDGES_MPS))
    return ClassDomain(len(speed_mps), (low, high), tuple(counts.tolist()))


def _share(rows: BoolArray) -> float:
    return round(float(rows.mean()), 4) if len(rows) else 0.0
