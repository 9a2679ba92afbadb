"""The columns of the state that a track store holds in each slot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trajnet.arrays import StructOfArrays
from trajnet.types import BoolArray, FloatArray, IntArray

#: Columns of the state that each slot holds: numbers (pose), and masks of what is known.
POSITION, YAW, ANCHOR, STEADY, WOBBLE, STEPS, SHIFTS, DOUBT, GAP, POSE_COLUMNS = (
    *(slice(0, 2), 2, slice(3, 5), slice(5, 7)),
    *(7, 8, 9, 10, slice(11, 13), 13),
)
YAW_VALID, HEADING_KNOWN, STEADY_KNOWN, DISPLACED, KNOWN_COLUMNS = 0, 1, 2, 3, 4


@dataclass(frozen=True, eq=False)
class Slots(StructOfArrays):
    """The state of the track in each slot.

    seen_ns (S,): time of its last observation. pose (S, POSE_COLUMNS): its numbers; of them wobble, steps (see
    plausibility.out_of_line), shifts: how many of its last steps in a row were leaps, doubt (see heading_doubt) and
    gap (see velocity_doubt).
    known (S, KNOWN_COLUMNS): masks of what is known of it. object_class (S,).
    """

    seen_ns: IntArray
    pose: FloatArray
    known: BoolArray
    object_class: NDArray[np.int8]
