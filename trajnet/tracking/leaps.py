"""What a track store does about steps that are no motion: rows that begin anew, and tracks that move to a new place.

plausibility tells such steps. Here frame has N rows; displacement_m (N, 2) and dt_s (N,): since the last observation of
each track, 0 where it begins now. last (N, POSE_COLUMNS), known (N, KNOWN_COLUMNS): the state of the tracks, see state.
"""

from __future__ import annotations

import numpy as np

from trajnet.arrays import all_true
from trajnet.tracking.plausibility import MOST_IN_A_ROW, WOBBLE_KEPT, deviation, out_of_line, unexplained
from trajnet.tracking.state import ANCHOR, DISPLACED, POSITION, SHIFTS, STEADY, STEPS, WOBBLE
from trajnet.types import BoolArray, FloatArray, IntArray, TrackFrame


def implausible_rows(
    frame: TrackFrame, displacement_m: FloatArray, dt_s: FloatArray, last: FloatArray, known: BoolArray
) -> IntArray:
    """Return the rows whose displacement is implausible.

    The observation after a leap, which may be the way back of a swap, is judged by the measured velocity and as if the
    object stood; but not after MOST_IN_A_ROW leaps: then its speed alone counts, as in other second observations, or
    such a track would begin anew for ever.
    """
    judged, steady_mps = known[:, DISPLACED], last[:, STEADY]
    if not all_true(judged):
        steady_mps = steady_mps * judged[:, None]
        shifts = last[:, SHIFTS]
        judged = judged | (shifts > 0) & (shifts < MOST_IN_A_ROW)
    leapt = unexplained(
        displacement_m,
        dt_s,
        frame.object_class,
        measured_mps=frame.velocity_mps,
        measured=frame.velocity_valid,
        steady_mps=steady_mps,
        steady=judged,
        wobble_m=last[:, WOBBLE],
    )
    rows: IntArray = leapt.nonzero()[0]
    return rows


def shift(
    frame: TrackFrame,
    displacement_m: FloatArray,
    dt_s: FloatArray,
    last: FloatArray,
    known: BoolArray,
    leapt: IntArray,
) -> int:
    """Move tracks that leapt out of their line to where they are now, velocity and history as they were.

    displacement_m and the last position and anchor change in place, as do wobble, steps and shifts. leapt: rows that
    began anew. Returns how many were moved.
    """
    off_m = deviation(
        displacement_m,
        dt_s,
        measured_mps=frame.velocity_mps,
        measured=frame.velocity_valid,
        steady_mps=last[:, STEADY],
    )
    wobble_m, steps, shifts = last[:, WOBBLE], last[:, STEPS], last[:, SHIFTS]
    shifted = out_of_line(
        off_m, dt_s, frame.object_class, wobble_m=wobble_m, steps=steps, measured=frame.velocity_valid
    )
    rows: IntArray = (shifted & (shifts < MOST_IN_A_ROW)).nonzero()[0]
    if len(rows):
        leap_m = displacement_m[rows] - last[rows, STEADY] * dt_s[rows, None]
        displacement_m[rows] -= leap_m
        last[rows, POSITION] += leap_m
        last[rows, ANCHOR] += leap_m
        off_m[rows] = 0.0
    wobble_m *= WOBBLE_KEPT
    np.maximum(wobble_m, off_m, out=wobble_m)
    steps += 1.0
    more = shifts.take(rows) + 1.0, shifts.take(leapt) + 1.0
    shifts[...] = 0.0
    shifts[rows], shifts[leapt] = more
    steady = known[:, DISPLACED]
    if not all_true(steady):
        last[~steady, WOBBLE:SHIFTS] = 0.0
    return len(rows)
