"""Hand-over of a vanished track's state to a new id (track stitching).

A tracker that loses an object for a moment gives it a new id, and its history would be lost with the old one. The new
track inherits the history if it appears where the vanished one is predicted to be and the match is unambiguous. A wrong
hand-over gives an object the history of another, so doubtful pairs are not matched.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trajnet.types import BoolArray, FloatArray, IntArray, ObjectClass

#: Radius of the gate around the predicted position, for pedestrians and for vehicles: the error of constant velocity at
#: the moment the track vanishes (m), and its growth per second since (m/s). WALKING_GATE and CLEAR_BY were chosen on
#: ETH/UCY's training files with injected id switches: docs/evaluation.md.
WALKING_GATE = (0.2, 0.75)
DRIVING_GATE = (1.5, 3.0)

#: A pair is accepted only if every other pair with one of its two tracks is more than this many times as far apart.
CLEAR_BY = 2.0

#: Frames with more pairs of vanished and appeared tracks than this are not matched: no tracker renames so many objects
#: at once, and the work per frame stays bounded (a quarter of a million distances take a few milliseconds).
MAX_PAIRS = 512 * 512

#: Gate of each class: radius at the moment the track vanishes (m), and its growth (m/s).
_GATE: FloatArray = np.array([WALKING_GATE if c == ObjectClass.PEDESTRIAN else DRIVING_GATE for c in ObjectClass])

_KNOWN_CLASS: BoolArray = np.array([c != ObjectClass.UNKNOWN for c in ObjectClass])
#: Whether two classes may belong to the same object: they are equal, or one of them is unknown.
_COMPATIBLE: BoolArray = np.eye(len(ObjectClass), dtype=np.bool_) | ~(_KNOWN_CLASS[:, None] & _KNOWN_CLASS)


def matched(
    vanished_m: FloatArray,
    velocity_mps: FloatArray,
    gone_s: FloatArray,
    vanished_class: NDArray[np.int8],
    appeared_m: FloatArray,
    appeared_class: NDArray[np.int8],
) -> tuple[IntArray, IntArray]:
    """Match A appeared tracks with V vanished ones; return indices (P,) into the vanished and into the appeared.

    vanished_m (V, 2), velocity_mps (V, 2), gone_s (V,): last position and velocity, map frame, and the time since.
    appeared_m (A, 2): map frame. Each track is in at most one pair.
    """
    nothing = np.zeros(0, np.int64), np.zeros(0, np.int64)
    if len(vanished_m) * len(appeared_m) > MAX_PAIRS:
        return nothing
    off_m = appeared_m[None] - (vanished_m + velocity_mps * gone_s[:, None])[:, None]
    off_m = np.hypot(off_m[..., 0], off_m[..., 1])
    gate = _GATE.take(vanished_class, axis=0)
    gate_m = gate[:, 0] + gate[:, 1] * gone_s
    if not (off_m <= gate_m[:, None]).any():  # the usual case, so the costlier checks come later
        return nothing
    off_m = np.where(_COMPATIBLE[vanished_class[:, None], appeared_class], off_m, np.inf)
    new = off_m.argmin(axis=1)
    old = np.arange(len(off_m))
    nearest_m = off_m[old, new]
    # Accept only mutually unambiguous pairs: each is the other's nearest, all others are over CLEAR_BY times as far.
    clear_m = CLEAR_BY * nearest_m
    accepted = nearest_m <= gate_m
    accepted &= _second(off_m, axis=1) > clear_m
    accepted &= (off_m.argmin(axis=0)[new] == old) & (_second(off_m, axis=0)[new] > clear_m)
    return old[accepted], new[accepted]


def _second(off_m: FloatArray, axis: int) -> FloatArray:
    """Return the second smallest value along the axis, infinity where there is only one value."""
    if off_m.shape[axis] < 2:
        return np.full(off_m.shape[1 - axis], np.inf)
    return np.asarray(np.partition(off_m, 1, axis=axis).take(1, axis=axis))
