"""When a track's answers are kept and when they are judged: a ring of times for each slot.

An answer is kept every cadence_s and judged once for each horizon, in the first frame in which it is that old, with the
position that the frame reports. So the number of judgements in a time does not depend on the frame rate, and the work
in a frame has a bound: at most one judgement for each row and kept answer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from trajnet.arrays import StructOfArrays, all_true, any_true, grown
from trajnet.types import BoolArray, FloatArray, IntArray

Number = TypeVar("Number", bound=np.generic)

#: An answer is kept this share of the cadence early: a frame that comes a little too soon is not left out.
EARLY_SHARE = 0.05
#: Two stamps that should be a horizon apart may differ by this much less (ns).
SLACK_NS = 1_000_000
#: A time that does not come, and one that is over.
NEVER, ALWAYS = np.iinfo(np.int64).max, np.iinfo(np.int64).min
#: An answer stands for at most so many times the cadence: a gap in the observations is no evidence.
MAX_WEIGHT = 2.0


class Due(NamedTuple):
    """J answers to be judged now.

    row (J,): the row of the frame. entry (J,): the place of the answer, slot * length + its place in the ring.
    horizon (J,): the index of the horizon that it has reached. age_s (J,): how old it is.
    """

    row: IntArray
    entry: IntArray
    horizon: IntArray
    age_s: FloatArray


class Kept(NamedTuple):
    """M answers to be kept now. row (M,), entry (M,): see Due.

    weight (M,): time since the last one, in cadences.
    """

    row: IntArray
    entry: IntArray
    weight: FloatArray


_NO_ROWS: IntArray = np.zeros(0, np.int64)
_NOTHING_DUE = Due(_NO_ROWS, _NO_ROWS, _NO_ROWS, np.zeros(0))
_NOTHING_KEPT = Kept(_NO_ROWS, _NO_ROWS, np.zeros(0))


def flat(values: NDArray[Number]) -> NDArray[Number]:
    """Return the view (S * L, ...) of values (S, L, ...), of a payload, which entries index, or of N rows' K modes."""
    return values.reshape(-1, *values.shape[2:])


@dataclass(frozen=True, eq=False)
class _Slots(StructOfArrays):
    """made_ns (S, L): when each answer was kept. due_ns (S, L): when it is judged next, NEVER after the last time.

    newest (S,): place of the newest answer. next_ns (S,): when the next one may be kept. count (S,): answers kept since
    the track began.
    """

    made_ns: IntArray
    due_ns: IntArray
    newest: IntArray
    next_ns: IntArray
    count: IntArray


class Ring:
    """The times of the last answers of each slot. Payloads are kept by the owner, in arrays of (slots, length, ...)."""

    def __init__(self, cadence_s: float, horizons_s: tuple[float, ...], reach_s: float) -> None:
        """Start empty. horizons_s: rising. reach_s: an answer older than this is not judged any more."""
        self._cadence_ns = round(cadence_s * 1e9)
        self._keep_ns = round(cadence_s * (1.0 - EARLY_SHARE) * 1e9)
        self._horizon_ns = np.array([round(h * 1e9) for h in horizons_s], np.int64) - SLACK_NS
        self._reach_ns = round(reach_s * 1e9) + SLACK_NS
        self.length = math.ceil(horizons_s[-1] / (cadence_s * (1.0 - EARLY_SHARE))) + 2
        none, no_answers = np.zeros(0, np.int64), np.zeros((0, self.length), np.int64)
        self._slots = _Slots(no_answers, no_answers, none, none, none)

    @property
    def capacity(self) -> int:
        return len(self._slots.count)

    def begin(self, slots: int, begun: IntArray, first_ns: int | IntArray = ALWAYS) -> None:
        """Make room for this many slots, and forget the answers of those whose track begins, (B,).

        first_ns: one for all, or (B,): before it no answer of theirs is kept.
        """
        if slots > len(self._slots.count):
            self._slots = grown(self._slots, slots)
        if len(begun):
            self._slots.due_ns[begun] = NEVER
            self._slots.next_ns[begun] = first_ns
            self._slots.count[begun] = 0

    def due(self, slot: IntArray, now_ns: int) -> Due:
        """Return what the rows (N,) of a frame judge, and count it as judged."""
        due = self._slots.due_ns.take(slot, axis=0) <= now_ns
        if not any_true(due):
            return _NOTHING_DUE
        (place,) = due.reshape(-1).nonzero()  # along two axes it is slow
        row = place // self.length
        entry = place + (slot.take(row) - row) * self.length
        made_ns = self._slots.made_ns.reshape(-1).take(entry)
        age_ns = now_ns - made_ns
        reached = self._horizon_ns.searchsorted(age_ns, side="right")  # a gap may skip some
        made_ns += self._horizon_ns.take(reached, mode="clip")
        made_ns[reached == len(self._horizon_ns)] = NEVER
        self._slots.due_ns.reshape(-1)[entry] = made_ns
        fresh = age_ns <= self._reach_ns
        if not all_true(fresh):
            row, entry, reached, age_ns = row[fresh], entry[fresh], reached[fresh], age_ns[fresh]
        return Due(row, entry, reached - 1, np.multiply(age_ns, 1e-9))

    def keep(self, slot: IntArray, now_ns: int, wanted: BoolArray) -> Kept:
        """Return the places for the answers of the rows (N,) that are to be kept now. wanted (N,): that may be."""
        ready: BoolArray = self._slots.next_ns.take(slot) <= now_ns
        if not any_true(ready):
            return _NOTHING_KEPT
        row = (ready & wanted).nonzero()[0]
        if not len(row):
            return _NOTHING_KEPT
        kept = slot.take(row)
        newest, number = self._slots.newest.take(kept), self._slots.count.take(kept) + 1
        first = kept * self.length
        made_ns, due_ns = self._slots.made_ns.reshape(-1), self._slots.due_ns.reshape(-1)
        weight = np.minimum((now_ns - made_ns.take(first + newest)) / self._cadence_ns, MAX_WEIGHT)
        weight[number == 1] = 1.0
        newest = (newest + 1) % self.length
        entry = first + newest
        made_ns[entry], due_ns[entry] = now_ns, now_ns + self._horizon_ns[0]
        self._slots.newest[kept], self._slots.count[kept] = newest, number
        self._slots.next_ns[kept] = now_ns + self._keep_ns
        return Kept(row, entry, weight)
