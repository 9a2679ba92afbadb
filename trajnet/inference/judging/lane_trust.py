"""How far lanes are trusted: by how drawing paths towards them made the stream's earlier answers better or worse.

A map may be of another place, turned or out of date. So of some answers it is kept where the path was to be and how far
the lane moves it; once they are old enough, one number explains where vehicles are instead, by least squares: 1 if they
are where the lane moved the path, 0 if they are where the model had it without. Who keeps exactly to the lane is beyond
the former.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trajnet.arrays import StructOfArrays, grown
from trajnet.inference.judging.regression import Regression
from trajnet.inference.judging.ring import Ring, flat
from trajnet.tracking.store import Observations
from trajnet.types import FloatArray, IntArray

#: Ages at which answers are judged (s): the first of the predictor's times from each on.
HORIZONS_S = (2.0, 4.0)
#: An answer of each vehicle is kept so often (s).
CADENCE_S = 1.0
#: Evidence for lanes as they are, as a sum of squares of moves per second of age, (m/s)².
RIDGE = 0.3
#: Errors count fully up to this for each second of age (m/s).
TOLERANCE_MPS = 0.5
#: What was seen counts 1 / e after so long (s).
MEMORY_S = 300.0
#: Lanes are never trusted more than this.
MOST = 1.2
#: Paths that lanes move by less say nothing about them (m).
LEAST_M = 0.05


@dataclass(frozen=True, eq=False)
class _Kept(StructOfArrays):
    """The kept answers of each slot, in a ring of L, at H horizons: point_m, velocity_mps, move_m (S, L, H, 2)."""

    point_m: FloatArray
    velocity_mps: FloatArray
    move_m: FloatArray


class LaneTrust:
    """Learns how far vehicles go where the lanes of the map lead."""

    def __init__(self, time_s: FloatArray) -> None:
        """Start with trust. time_s (T,): of all predictions."""
        self._regression = Regression(1, ridge=RIDGE, tolerance=TOLERANCE_MPS, memory_s=MEMORY_S)
        place = np.searchsorted(time_s, np.array(HORIZONS_S) - 1e-9)
        self._place: IntArray = np.unique(np.minimum(place, len(time_s) - 1))
        self._age_s: FloatArray = time_s[self._place]
        self._step_s: FloatArray = np.diff(time_s, prepend=0.0)[self._place]
        self._ring = Ring(CADENCE_S, tuple(self._age_s.tolist()), float(self._age_s[-1]) + CADENCE_S)
        #: How many answers that lanes had moved were judged.
        self.judged = 0
        self._last_ns = 0
        kept = (0, self._ring.length, len(self._age_s), 2)
        self._kept = _Kept(np.zeros(kept), np.zeros(kept), np.zeros(kept))

    @property
    def share(self) -> float:
        """How far lanes are trusted: 1 before anything is known, and where vehicles follow them as expected."""
        return float(min(max(1.0 + self._regression.weight[0], 0.0), MOST))

    def observe(self, observations: Observations) -> None:
        """Learn from the kept answers whose time has come by the positions of this frame."""
        self._ring.begin(observations.slots, observations.begun)
        if self._ring.capacity > len(self._kept.point_m):
            self._kept = grown(self._kept, self._ring.capacity)
        row, entry, horizon, age_s = self._ring.due(observations.slot, observations.timestamp_ns)
        if not len(row):
            return
        point_m, velocity_mps, move_m = (
            values.reshape(-1, 2).take(entry * len(self._age_s) + horizon, axis=0)
            for values in (self._kept.point_m, self._kept.velocity_mps, self._kept.move_m)
        )
        late_s = age_s - self._age_s.take(horizon)
        off_m = observations.position_m.take(row, axis=0) - point_m - velocity_mps * late_s[:, None]
        moved_m = np.hypot(move_m[:, 0], move_m[:, 1])
        towards_m = (off_m * move_m).sum(axis=1) / np.maximum(moved_m, LEAST_M)
        counts = moved_m >= LEAST_M
        self.judged += int(np.count_nonzero(counts))
        dt_s = max(observations.timestamp_ns - self._last_ns, 0) * 1e-9
        self._regression.take((moved_m / age_s)[:, None], (towards_m - moved_m) / age_s, counts.astype(float), dt_s)
        self._last_ns = observations.timestamp_ns

    def keep(self, observations: Observations, row: IntArray, path_m: FloatArray, move_m: FloatArray) -> None:
        """Keep the paths of rows (R,), rising, whose turn it is.

        path_m (R, T, 2): without lanes. move_m (R, T, 2): by how much lanes move them.
        """
        wanted = np.zeros(len(observations), np.bool_)
        wanted[row] = True
        kept = self._ring.keep(observations.slot, observations.timestamp_ns, wanted)
        if not len(kept.row):
            return
        path = row.searchsorted(kept.row)
        begin_m = observations.position_m[kept.row, None]
        whole_m = np.concatenate([begin_m, path_m[path]], axis=1)
        point_m = whole_m[:, self._place + 1]
        flat(self._kept.point_m)[kept.entry] = point_m
        flat(self._kept.velocity_mps)[kept.entry] = (point_m - whole_m[:, self._place]) / self._step_s[:, None]
        flat(self._kept.move_m)[kept.entry] = move_m[path][:, self._place]
