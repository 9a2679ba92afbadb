"""What is known of the traffic lights at crosswalks, and what it changes.

Without a message that names the lights of a crosswalk, or after STALE_S, they are unknown: nothing changes.
"""

from __future__ import annotations

import numpy as np

from trajnet.context.crosswalks import Crosswalks
from trajnet.types import BoolArray, FloatArray, IntArray

#: A state is believed for this time after its stamp (s).
STALE_S = 1.0
#: States: unknown, red (or amber), green; by how much they multiply the probability of a crossing that is added, and
#: the odds of the predictor's own paths onto the crosswalk of somebody who moves towards it. Measured in one city
#: (docs/crossing.md).
UNKNOWN, RED, GREEN = 0, 1, 2
FACTORS: FloatArray = np.array([1.0, 0.75, 1.6])
ODDS: FloatArray = np.array([1.0, 0.75, 3.0])


class SignalMemory:
    """Keeps the last state of each crosswalk's lights."""

    def __init__(self, crosswalks: Crosswalks) -> None:
        """Begin with all lights unknown."""
        self._signal_id = np.where(crosswalks.has_signal, crosswalks.signal_id, np.iinfo(np.int64).min)
        self._state = np.zeros(len(crosswalks), np.int64)
        self._stamp_ns = np.zeros(len(crosswalks), np.int64)

    def hear(self, signal_id: IntArray, state: IntArray, stamp_ns: int) -> int:
        """Take the states (S,) of lights signal_id (S,) at stamp_ns; return how many crosswalks they concern."""
        order = np.argsort(signal_id, kind="stable")
        if not len(order):
            return 0
        place = np.minimum(np.searchsorted(signal_id[order], self._signal_id), len(order) - 1)
        named = signal_id[order][place] == self._signal_id
        self._state[named] = state[order][place][named]
        self._stamp_ns[named] = stamp_ns
        return int(np.count_nonzero(named))

    def factors(self, crosswalk: IntArray, now_ns: int) -> tuple[FloatArray, BoolArray]:
        """Return the factors of crosswalks (...) now, and whether the state of their lights is known."""
        state = self.states(now_ns)[crosswalk]
        return FACTORS[state], state != UNKNOWN

    def states(self, now_ns: int) -> IntArray:
        """Return the state of each crosswalk's lights now; UNKNOWN where nothing was heard for STALE_S."""
        fresh = np.abs(now_ns - self._stamp_ns) <= int(STALE_S * 1e9)
        return np.where(fresh, self._state, UNKNOWN)
