"""Measured velocities that contradict how an object moves: a placeholder, another unit or frame, a tracker that starts.

Positions that wander off from where the velocities say they should be leave two explanations, and the displacements are
what everything else follows from. Two things make a velocity count as not measured: its own gap to the displacements,
if that is large, and the mean gap of its track, so that a smaller one that lasts is seen, too. A gap is the measured
velocity minus that of the displacement. Noise of the positions cancels in its mean, and as both are averaged alike,
who brakes or turns has none.
"""

from __future__ import annotations

import numpy as np

from trajnet.arrays import all_true, any_true
from trajnet.tracking.doubt import LEAST_MPS, LONGEST_STEP_S, by_class
from trajnet.tracking.motion import MAX_STEADY_MPS, STEADY_TIME_S, displacement_velocity
from trajnet.tracking.state import DISPLACED, GAP, STEADY, STEADY_KNOWN, WOBBLE
from trajnet.types import BoolArray, FloatArray, TrackFrame

#: Of cars, riders and people: the gap of one row, and the mean gap of a track, from which a velocity is doubted, for
#: what stands (m/s); ROW_SHARE and MEAN_SHARE of the speed are added.
_LIMITS = by_class((1.5, 0.8), (1.0, 0.5), (0.7, 0.4))
ROW_SHARE, MEAN_SHARE = 0.3, 0.2
#: So many times a track's recent wobble (see plausibility), too: where positions are noise, they tell less (1/s).
WOBBLE_PER_S = 3.0
#: In a second frame only what moved faster than it says is doubted, and the positions have to be off by this (m), or
#: noise at a high rate would be a contradiction. A first displacement that is too short is common: a box that enters
#: the view grows, and its centre lags.
LEAST_OFF_M = 0.4
#: As in heading_doubt: how long a row counts in the mean at most (s), and with how many times its limit.
LONGEST_S, GAP_CAP = 0.2, 2.5


def doubted(
    frame: TrackFrame, displacement_m: FloatArray, dt_s: FloatArray, last: FloatArray, known: BoolArray
) -> BoolArray:
    """Return the rows (N,) whose measured velocity does not count; the mean gaps in last change in place.

    displacement_m (N, 2) and dt_s (N,): since the last observation of each track, 0 where it begins now. last
    (N, POSE_COLUMNS), known (N, KNOWN_COLUMNS): the state of the tracks, see state.
    A velocity is held against that of the displacement and against the steady one so far: both have to contradict. In
    a track's second frame the steady one is the first measured one, which says nothing: where the velocity is doubted
    there, the steady one counts as unknown from now on, in place. What is not judged keeps its mean.
    """
    measured, second = frame.velocity_valid, ~known[:, DISPLACED]
    measured_mps = frame.velocity_mps if all_true(measured) else np.where(measured[:, None], frame.velocity_mps, 0.0)
    moved_mps = displacement_velocity(displacement_m, dt_s)
    np.maximum(moved_mps, -MAX_STEADY_MPS, out=moved_mps)
    np.minimum(moved_mps, MAX_STEADY_MPS, out=moved_mps)
    velocity_mps = np.stack([measured_mps.T, moved_mps.T, last[:, STEADY].T], axis=1)  # (2, 3, N)
    gap_mps = velocity_mps[:, :1] - velocity_mps[:, 1:]  # (2, 2, N): to the displacement, to the steady one
    (speed_mps, moved, steady), (off, off_steady) = np.hypot(*velocity_mps), np.hypot(*gap_mps)
    row_limit, mean_limit = _LIMITS.take(frame.object_class, axis=1)
    judged = measured & (dt_s > 0.0) & (dt_s <= LONGEST_STEP_S)
    row_limit += WOBBLE_PER_S * last[:, WOBBLE] + ROW_SHARE * np.maximum(speed_mps, moved)
    mean_limit += WOBBLE_PER_S * last[:, WOBBLE] + MEAN_SHARE * np.maximum(speed_mps, steady)
    refuted: BoolArray = judged & (off > row_limit)
    kept = np.exp(np.minimum(dt_s, LONGEST_S) / -STEADY_TIME_S)
    if any_true(refuted):
        lags = (speed_mps < moved) & (off * dt_s > LEAST_OFF_M)
        refuted &= np.where(second, lags, off_steady > row_limit)
        begun_wrong = refuted & second
        known[begun_wrong, STEADY_KNOWN], kept[begun_wrong] = False, 0.0
    gap_mps = gap_mps[:, 0] * np.minimum(1.0, GAP_CAP * mean_limit / np.maximum(off, LEAST_MPS))
    if not all_true(judged):
        gap_mps[:, ~judged], kept[~judged] = 0.0, 1.0
    mean_mps = last[:, GAP].T
    mean_mps -= gap_mps
    mean_mps *= kept
    mean_mps += gap_mps
    refuted |= measured & (np.hypot(*mean_mps) > mean_limit)
    return refuted
