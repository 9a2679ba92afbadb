"""Whether a track that appears is one that has just vanished under another id.

A tracker that loses an object for a moment gives it a new id, and its history would be lost with the old one. Here the
new track inherits it if it appears where the vanished one must be by now, and nobody else could be meant. A wrong
hand-over gives an object somebody else's history, so whatever is doubtful is left alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trajnet.types import BoolArray, FloatArray, IntArray, ObjectClass

#: Radius of the gate around the predicted place, for an object that walks and for one that drives: constant velocity
#: is off by the first value (m) when it vanishes, by the second for every second gone. That for walking and CLEAR_BY
#: are chosen on ETH/UCY's training files under injected id switches: docs/evaluation.md.
WALKING_GATE = (0.2, 0.75)
DRIVING_GATE = (1.5, 3.0)

#: A pair counts only if every other pair of its two tracks is more than this many times as far off.
CLEAR_BY = 2.0

#: More pairs of vanished and appeared tracks than this are not looked at: no tracker renames so many objects at once,
#: and the work of a frame stays bounded (a quarter of a million distances take a few milliseconds).
MAX_PAIRS = 512 * 512

#: Of each class: the gate at once, and what a second adds.
_GATE: FloatArray = np.array([WALKING_GATE if c == ObjectClass.PEDESTRIAN else DRIVING_GATE for c in ObjectClass])

_KNOWN_CLASS: BoolArray = np.array([c != ObjectClass.UNKNOWN for c in ObjectClass])
#: Of each pair of classes, whether they may be of one object: the same class, or one of the two unknown.
_COMPATIBLE: BoolArray = np.eye(len(ObjectClass), dtype=np.bool_) | ~(_KNOWN_CLASS[:, None] & _KNOWN_CLASS)


def matched(
    vanished_m: FloatArray,
    velocity_mps: FloatArray,
    gone_s: FloatArray,
    vanished_class: NDArray[np.int8],
    appeared_m: FloatArray,
    appeared_class: NDArray[np.int8],
) -> tuple[IntArray, IntArray]:
    """Which of A appeared tracks is which of V vanished ones -> indices (P,) into the vanished and into the appeared.

    vanished_m (V, 2), velocity_mps (V, 2), gone_s (V,): last position and velocity, map frame, and the time since.
    appeared_m (A, 2): map frame. Each track is in one pair at most.
    """
    nothing = np.zeros(0, np.int64), np.zeros(0, np.int64)
    if len(vanished_m) * len(appeared_m) > MAX_PAIRS:
        return nothing
    off_m = appeared_m[None] - (vanished_m + velocity_mps * gone_s[:, None])[:, None]
    off_m = np.hypot(off_m[..., 0], off_m[..., 1])
    gate = _GATE.take(vanished_class, axis=0)
    gate_m = gate[:, 0] + gate[:, 1] * gone_s
    if not (off_m <= gate_m[:, None]).any():  # nearly always, so the remaining questions come later
        return nothing
    off_m = np.where(_COMPATIBLE[vanished_class[:, None], appeared_class], off_m, np.inf)
    new = off_m.argmin(axis=1)
    old = np.arange(len(off_m))
    nearest_m = off_m[old, new]
    # Accept only mutually unambiguous pairs: the nearest of both tracks, with every other at least CLEAR_BY as far.
    clear_m = CLEAR_BY * nearest_m
    accepted = nearest_m <= gate_m
    accepted &= _second(off_m, axis=1) > clear_m
    accepted &= (off_m.argmin(axis=0)[new] == old) & (_second(off_m, axis=0)[new] > clear_m)
    return old[accepted], new[accepted]


def _second(off_m: FloatArray, axis: int) -> FloatArray:
    """Return the second smallest value along the axis, infinity where there is one value only."""
    if off_m.shape[axis] < 2:
        return np.full(off_m.shape[1 - axis], np.inf)
    return np.asarray(np.partition(off_m, 1, axis=axis).take(1, axis=axis))
