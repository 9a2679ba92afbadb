"""How long each object has stood where it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trajnet.arrays import StructOfArrays, grown
from trajnet.tracking.store import Observations
from trajnet.types import BoolArray, FloatArray, IntArray

#: An object that is this far from where its standing was counted from has moved, m.
NEAR_M = 0.5
#: An object has left a place where it stood for so long (s) once it is so far from it (m), and until so long after it
#: left the circle of NEAR_M (s), as long as evidence lasts. To what stands, noise of 15 and 20 cm does that in 1 and 4
#: of 100 frames at 10 Hz.
STOOD_THERE_S, LEFT_M, LEAVES_S = 1.0, 0.6, 5.0


@dataclass(frozen=True, eq=False)
class _Slots(StructOfArrays):
    """position_m (S, 2): where the standing of each slot is counted from. since_ns (S,): and from when.

    moved (S,): whether the object has left its first place. left_m (S, 2), left_ns (S,): where it stood for
    STOOD_THERE_S or more, last, and when it left.
    """

    position_m: FloatArray
    since_ns: IntArray
    moved: BoolArray
    left_m: FloatArray
    left_ns: IntArray


class StandingTime:
    """Counts for every slot how long its object has been within NEAR_M of one place."""

    def __init__(self) -> None:
        """Start empty."""
        self._slots = _Slots(
            np.zeros((0, 2)), np.zeros(0, np.int64), np.zeros(0, np.bool_), np.zeros((0, 2)), np.zeros(0, np.int64)
        )

    def observe(self, observations: Observations) -> None:
        """Take the positions of a frame."""
        if observations.slots > len(self._slots.since_ns):
            self._slots = grown(self._slots, observations.slots)
        position_m, since_ns = self._slots.position_m, self._slots.since_ns
        if len(observations.begun):
            position_m[observations.begun] = np.inf
        slot, here_m = observations.slot, observations.position_m
        gone_m = here_m - position_m.take(slot, axis=0)
        row = (np.hypot(gone_m[:, 0], gone_m[:, 1]) > NEAR_M).nonzero()[0]
        if len(row):
            moved = slot.take(row)
            stood = moved[observations.timestamp_ns - since_ns.take(moved) >= round(STOOD_THERE_S * 1e9)]
            self._slots.left_m[stood] = position_m.take(stood, axis=0)
            self._slots.left_ns[stood] = observations.timestamp_ns
            position_m[moved] = here_m.take(row, axis=0)
            since_ns[moved] = observations.timestamp_ns
            self._slots.moved[moved] = True
        if len(observations.begun):
            self._slots.moved[observations.begun] = False
            self._slots.left_m[observations.begun] = np.nan  # nowhere

    def stood_s(self, observations: Observations) -> FloatArray:
        """Return how long (N,) the objects of the frame that was observed last have stood, s."""
        stood_ns: IntArray = observations.timestamp_ns - self._slots.since_ns.take(observations.slot)
        stood_s: FloatArray = np.multiply(stood_ns, 1e-9)
        return stood_s

    def unmoved(self, observations: Observations) -> BoolArray:
        """Return which objects (N,) of the frame that was observed last are still where they were first seen."""
        unmoved: BoolArray = ~self._slots.moved.take(observations.slot)
        return unmoved

    def leaving(self, observations: Observations) -> BoolArray:
        """Return which objects (N,) of the frame that was observed last have just left a place where they stood."""
        slot = observations.slot
        gone_m = observations.position_m - self._slots.left_m.take(slot, axis=0)
        leaving: BoolArray = np.hypot(gone_m[:, 0], gone_m[:, 1]) >= LEFT_M  # never from NaN
        leaving &= observations.timestamp_ns - self._slots.left_ns.take(slot) <= round(LEAVES_S * 1e9)
        return leaving
