"""What a track store does about steps that are no motion: rows that begin anew, and tracks that move to a new place.

plausibility tells such steps. Here frame has N rows; displacement_m (N, 2) and dt_s (N,): since the last observation of
each track, 0 where it begins now. last (N, POSE_COLUMNS), known (N, KNOWN_COLUMNS): the state of the tracks, see state.
off_m (N,): see off_steady; 0 where the track begins now.
"""

from __future__ import annotations

import numpy as np

from trajnet.arrays import all_true
from trajnet.tracking.plausibility import (
    ALWAYS_JITTER_M,
    MOST_IN_A_ROW,
    QUIET_M,
    WOBBLE_KEPT,
    distance,
    nearer_deviation,
    out_of_line,
    unexplained,
)
from trajnet.tracking.state import ANCHOR, DISPLACED, POSITION, SHIFTS, STEADY, STEPS, WOBBLE
from trajnet.types import BoolArray, FloatArray, IntArray, TrackFrame

_NO_ROWS: IntArray = np.zeros(0, np.int64)


def off_steady(displacement_m: FloatArray, dt_s: FloatArray, last: FloatArray) -> FloatArray:
    """Return how far (N,) in m displacements are from those of the steady velocity."""
    return distance(displacement_m - last[:, STEADY] * dt_s[:, None])


def implausible_rows(
    frame: TrackFrame, displacement_m: FloatArray, dt_s: FloatArray, last: FloatArray, known: BoolArray,
    most_off_m: float,
) -> IntArray:  # fmt: skip
    """Return the rows whose displacement is implausible. most_off_m: the largest off_m.

    The observation after a leap, which may be the way back of a swap, is judged by the measured velocity and as if the
    object stood; but not after MOST_IN_A_ROW leaps: then its speed alone counts, as in other second observations, or
    such a track would begin anew for ever.
    """
    judged, steady_mps = known[:, DISPLACED], last[:, STEADY]
    all_judged = all_true(judged)
    if all_judged and most_off_m <= ALWAYS_JITTER_M:  # nearly always: every object moved as it did before
        return _NO_ROWS
    if not all_judged:
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
    off_m: FloatArray,
    most_off_m: float,
) -> int:
    """Move tracks that leapt out of their line to where they are now, velocity and history as they were.

    displacement_m and the last position and anchor change in place, as do wobble, steps and shifts. leapt: rows that
    began anew. most_off_m: no off_m is larger. Returns how many were moved.
    """
    wobble_m, steps, shifts = last[:, WOBBLE], last[:, STEPS], last[:, SHIFTS]
    rows = _NO_ROWS
    if not most_off_m <= QUIET_M:  # else no step is a leap: nearly always
        measured = frame.velocity_valid
        off_m = nearer_deviation(off_m, displacement_m, dt_s, measured_mps=frame.velocity_mps, measured=measured)
        shifted = out_of_line(off_m, dt_s, frame.object_class, wobble_m=wobble_m, steps=steps, measured=measured)
        rows = (shifted & (shifts < MOST_IN_A_ROW)).nonzero()[0]
    if len(rows):
        leap_m = displacement_m[rows] - last[rows, STEADY] * dt_s[rows, None]
        displacement_m[rows] -= leap_m
        last[rows, POSITION] += leap_m
        last[rows, ANCHOR] += leap_m
        off_m[rows] = 0.0
    wobble_m *= WOBBLE_KEPT
    np.maximum(wobble_m, off_m, out=wobble_m)
    steps += 1.0
    if len(rows) + len(leapt):
        again = np.concatenate([rows, leapt])
        in_a_row = shifts.take(again) + 1.0
        shifts[...] = 0.0
        shifts[again] = in_a_row
    else:
        shifts[...] = 0.0
    steady = known[:, DISPLACED]
    if not all_true(steady):
        last[~steady, WOBBLE:SHIFTS] = 0.0
    return len(rows)
