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
    off_m = appeared_m[None] - (vanished_m + velocity_mps * gone_s[:, None])[:, None]
    off_m = np.hypot(off_m[..., 0], off_m[..., 1])
    gate = _GATE.take(vanished_class, axis=0)
    gate_m = gate[:, 0] + gate[:, 1] * gone_s
    if not (off_m <= gate_m[:, None]).any():  # nearly always, so whatever else there is to ask comes later
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    off_m = np.where(_COMPATIBLE[vanished_class[:, None], appeared_class], off_m, np.inf)
    old, new = np.nonzero(off_m <= gate_m[:, None])
    clear_m = CLEAR_BY * off_m[old, new]
    # Nobody but themselves is so near; then each is in one pair at most.
    alone = np.count_nonzero(off_m[old] <= clear_m[:, None], axis=1) == 1
    alone &= np.count_nonzero(off_m[:, new] <= clear_m, axis=0) == 1
    return old[alone], new[alone]
