"""Windows as float32 arrays, ready to be cached, joined, thinned and cut into batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from trajnet.arrays import StructOfArrays, concat
from trajnet.context.surroundings import Surroundings
from trajnet.types import BoolArray, FloatArray, IntArray

Float32Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class TrainingSet(StructOfArrays):
    """W windows of H history steps and T knots, positions relative to the window's last observation, map axes.

    time_s (W, H), observed (W, H), position_m (W, H, 2), yaw_rad (W, H) with yaw_valid (W, H): as measured,
    velocity_mps (W, H, 2), velocity_valid (W, H), object_class (W,), size_m (W, 2), future_m (W, T, 2),
    future_valid (W, T). What was around at the last observation, as Surroundings has it: map_distance
    (W, *view.shape, 4), map_valid (W,), neighbours (W, k, columns of a neighbour).
    """

    time_s: Float32Array
    observed: BoolArray
    position_m: Float32Array
    yaw_rad: Float32Array
    yaw_valid: BoolArray
    velocity_mps: Float32Array
    velocity_valid: BoolArray
    object_class: NDArray[np.int8]
    size_m: Float32Array
    future_m: Float32Array
    future_valid: BoolArray
    map_distance: NDArray[np.int8]
    map_valid: BoolArray
    neighbours: Float32Array

    def shuffled(self, draw: np.random.Generator) -> IntArray:
        """Return all rows in a random order."""
        rows = np.arange(len(self))
        draw.shuffle(rows)
        return rows


class RecordedWindows(Protocol):
    """What a training set takes of windows: see trajnet.datasets.windows.Windows."""

    @property
    def history_time_s(self) -> FloatArray: ...
    @property
    def observed(self) -> BoolArray: ...
    @property
    def position_m(self) -> FloatArray: ...
    @property
    def yaw_rad(self) -> FloatArray: ...
    @property
    def yaw_valid(self) -> BoolArray: ...
    @property
    def velocity_mps(self) -> FloatArray: ...
    @property
    def velocity_valid(self) -> BoolArray: ...
    @property
    def object_class(self) -> NDArray[np.int8]: ...
    @property
    def size_m(self) -> FloatArray: ...
    @property
    def future_m(self) -> FloatArray: ...
    @property
    def future_valid(self) -> BoolArray: ...


class WindowSource(Protocol):
    """Windows from which batches are taken: a TrainingSet in memory, or shards on the disk."""

    def __len__(self) -> int:
        """Return the number of windows."""

    def select(self, rows: IntArray) -> TrainingSet:
        """Return copies of these windows, in their order."""

    def shuffled(self, draw: np.random.Generator) -> IntArray:
        """Return all rows in a random order in which they are read fast."""


#: Arrays of a TrainingSet that are about the history, with its steps in the second dimension.
HISTORY = ("time_s", "observed", "position_m", "yaw_rad", "yaw_valid", "velocity_mps", "velocity_valid")


def training_set(windows: RecordedWindows, surroundings: Surroundings) -> TrainingSet:
    """Return the windows and their surroundings as training arrays."""
    count, steps = windows.observed.shape
    origin = windows.position_m[:, -1:]
    return TrainingSet(
        time_s=np.broadcast_to(windows.history_time_s.astype(np.float32), (count, steps)).copy(),
        observed=windows.observed,
        position_m=np.where(windows.observed[..., None], windows.position_m - origin, 0.0).astype(np.float32),
        yaw_rad=windows.yaw_rad.astype(np.float32),
        yaw_valid=windows.yaw_valid,
        velocity_mps=windows.velocity_mps.astype(np.float32),
        velocity_valid=windows.velocity_valid,
        object_class=windows.object_class,
        size_m=windows.size_m.astype(np.float32),
        future_m=np.where(windows.future_valid[..., None], windows.future_m - origin, 0.0).astype(np.float32),
        future_valid=windows.future_valid,
        map_distance=surroundings.map_distance,
        map_valid=surroundings.map_valid,
        neighbours=surroundings.neighbours,
    )


#: A velocity that is derived of positions is that of a displacement over at least and at most this long (s).
DERIVED_S = (0.3, 1.0)


def with_derived_velocities(data: TrainingSet) -> TrainingSet:
    """Return the windows in which a velocity that was not measured is that of the last displacement.

    A source without velocities must not be told by that. What fills the gap is what a tracker could have said: from
    observations up to that time, over the shortest displacement that is at least DERIVED_S[0] long. Where there is
    none, at the start of a track and behind long gaps, the velocity stays unknown.
    """
    velocity_mps, valid = data.velocity_mps.copy(), data.velocity_valid.copy()
    shortest_s, longest_s = DERIVED_S
    for step in range(data.observed.shape[1]):
        for before in range(step - 1, -1, -1):
            passed_s = data.time_s[:, step] - data.time_s[:, before]
            filled = data.observed[:, step] & data.observed[:, before] & ~valid[:, step]
            filled &= (passed_s >= shortest_s - 1e-3) & (passed_s <= longest_s + 1e-3)
            if filled.any():
                moved_m = data.position_m[filled, step] - data.position_m[filled, before]
                velocity_mps[filled, step], valid[filled, step] = moved_m / passed_s[filled, None], True
            if passed_s.min() > longest_s:
                break
    return replace(data, velocity_mps=velocity_mps, velocity_valid=valid)


def joined(parts: Sequence[TrainingSet]) -> TrainingSet:
    """Return the windows of all parts, shorter histories padded in front as not observed."""
    steps = max((part.observed.shape[1] for part in parts), default=0)
    return concat([padded(part, steps) for part in parts], what="training windows")


def padded(part: TrainingSet, steps: int) -> TrainingSet:
    """Return the windows with this many steps of history."""
    missing = steps - part.observed.shape[1]
    if not missing:
        return part
    history = {name: getattr(part, name) for name in HISTORY}
    longer: dict[str, Any] = {
        name: np.pad(value, ((0, 0), (missing, 0), *((0, 0),) * (value.ndim - 2))) for name, value in history.items()
    }
    return replace(part, **longer)


#: An object whose recorded history and future stay this close to the present stands (m).
STANDS_WITHIN_M = 1.0


def thinned_rows(
    whole: TrainingSet, every: int, standing_every: int = 1, *, first: int = 0, first_standing: int = 0
) -> IntArray:
    """Return every ``every``-th window; of those of objects that stand, every ``standing_every``-th of these.

    Most of what a street shows is parked, and one window of it is much like the next. first, first_standing: where the
    counts begin, below ``every`` and ``standing_every``.
    """
    rows = np.arange(len(whole))[first::every]
    away_m = np.linalg.norm(np.concatenate([whole.position_m[rows], whole.future_m[rows]], axis=1), axis=-1)
    recorded = np.concatenate([whole.observed[rows], whole.future_valid[rows]], axis=1)
    stands = ~(recorded & (away_m >= STANDS_WITHIN_M)).any(axis=1)
    kept = ~stands | ((np.cumsum(stands) - 1) % standing_every == first_standing)
    chosen: IntArray = rows[kept]
    return chosen
