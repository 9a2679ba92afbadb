"""Last paths of tracks that the newest frame does not report, moved on by their age."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trajnet.arrays import StructOfArrays, grown
from trajnet.inference.resample import POINT_COLUMNS, continued, fields_of, points_of
from trajnet.tracking.store import Coasting, Observations
from trajnet.types import BoolArray, FloatArray, IntArray, Prediction, Source


@dataclass(frozen=True, eq=False)
class _Slots(StructOfArrays):
    """Stored path of each slot.

    reported (S,): the newest frame reports the track (scratch). path (S, T + 1, K, POINT_COLUMNS): begins with the
    observed pose at time 0. probability (S, K). expert (S, K): who predicted each mode; unused without experts.
    """

    reported: BoolArray
    path: FloatArray
    probability: FloatArray
    expert: NDArray[np.int8]


class PathMemory:
    """Keeps the last path of every track that the newest frame does not report.

    The newest prediction is kept by reference, and must not change before the next; a path is copied only when its
    track goes missing. A copy of each prediction would cost 0.5 % of an update with 64 objects, 1.2 % with 256.
    """

    def __init__(self, modes: int, time_s: FloatArray, *, with_experts: bool = False) -> None:
        """Start empty. time_s (T,), modes, with_experts: those of all predictions that will be kept."""
        self.with_experts = with_experts
        self._time_s = time_s
        self._knot_s = np.concatenate([[0.0], time_s])
        self._newest: tuple[Observations, Prediction] | None = None
        self._slots = _Slots(
            np.zeros(0, np.bool_), np.zeros((0, len(time_s) + 1, modes, POINT_COLUMNS)), np.zeros((0, modes)),
            np.zeros((0, modes), np.int8),
        )  # fmt: skip

    def keep(self, observations: Observations, prediction: Prediction) -> None:
        """Keep the newest prediction; store the previous one's paths of tracks that are missing now."""
        slot = observations.slot
        if observations.slots > len(self._slots.reported):
            self._slots = grown(self._slots, observations.slots)
        if self._newest is not None and self._newest[0].slot is not slot:  # the store keeps those of the same tracks
            reported = self._slots.reported
            reported[slot] = True
            before, path = self._newest
            gone = (~reported.take(before.slot)).nonzero()[0]
            reported[slot] = False
            if len(gone):
                self._store(before, path, gone)
        self._newest = observations, prediction

    def _store(self, observations: Observations, prediction: Prediction, rows: IntArray) -> None:
        """Store these rows, each led by the observed pose at time 0 with the covariance of the first future time."""
        path = points_of(prediction, rows, lead=1)
        path[:, 0, :, 0:2] = observations.position_m[rows, None]
        path[:, 0, :, 2] = observations.yaw_rad[rows, None]
        path[:, 0, :, 3:] = path[:, 1, :, 3:]
        slot = observations.slot[rows]
        self._slots.path[slot] = path
        self._slots.probability[slot] = prediction.probability[rows]
        if prediction.expert is not None:
            self._slots.expert[slot] = prediction.expert[rows]

    def recall(self, coasting: Coasting, timestamp_ns: int) -> Prediction:
        """Return the stored paths at time_s after timestamp_ns: M rows in the order of coasting, Source.STALE."""
        slot = coasting.slot
        ask_s = self._time_s + coasting.age_s[:, None]
        paths = fields_of(continued(self._slots.path, slot, self._knot_s, ask_s))
        return Prediction(
            timestamp_ns, coasting.track_id, self._time_s, *paths, self._slots.probability[slot],
            np.full(len(slot), int(Source.STALE), np.int8), coasting.age_s,
            self._slots.expert[slot] if self.with_experts else None,
        )  # fmt: skip

    def clear(self) -> None:
        """Drop the newest prediction."""
        self._newest = None
