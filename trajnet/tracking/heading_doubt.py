"""Measured headings that contradict how an object moves: reversed by a detector, or a placeholder.

Vehicles travel where they point, except cars that reverse slowly; people face where they walk. A measured yaw that
points elsewhere than the object moves is no measurement: believed, it turns the whole prediction around. Two things
make a yaw count as not measured: its own misfit, if that is large, and the mean misfit of its track, so that a small
error that lasts is seen, too, while the noise of a detector is not. What is too slow to be judged keeps its mean,
which fades.
"""

from __future__ import annotations

import numpy as np

from trajnet.arrays import all_true, any_true
from trajnet.tracking.doubt import CARS, LEAST_MPS, LONGEST_STEP_S, by_class
from trajnet.tracking.motion import displacement_velocity
from trajnet.tracking.state import DISPLACED, DOUBT, STEADY
from trajnet.types import BoolArray, FloatArray, TrackFrame

#: Of cars, riders and people: the speed from which a heading is judged (m/s), the largest misfit of one row, and the
#: largest mean misfit of a track. A misfit is 1 - cos of the angle between heading and velocity: 0.04 at 16, 0.06 at
#: 20, 0.1 at 26, 0.3 at 45, 0.5 at 60 degrees.
_LIMITS = by_class((3.0, 0.3, 0.04), (2.0, 0.3, 0.06), (0.7, 0.5, 0.1))
#: Cars reverse no faster than this (m/s).
REVERSE_MPS = 4.0
#: Time constants of the mean misfit: while it is judged, and while the object is too slow (s).
MEMORY_S, SLOW_MEMORY_S = 1.0, 20.0
#: A row counts in the mean for at most so long (s), and with at most so many times the limit of the mean: one row that
#: is far off must not cost those after it.
LONGEST_S, MISFIT_CAP = 0.5, 2.5


def doubted(
    frame: TrackFrame, displacement_m: FloatArray, dt_s: FloatArray, last: FloatArray, known: BoolArray
) -> BoolArray:
    """Return the rows (N,) whose measured yaw does not count; the mean misfits in last change in place.

    displacement_m (N, 2) and dt_s (N,): since the last observation of each track, 0 where it begins now. last
    (N, POSE_COLUMNS), known (N, KNOWN_COLUMNS): the state of the tracks, see state.
    A yaw is held against the measured velocity, else that of the displacement; where there is neither, nothing is
    judged. It is also held against the steady velocity so far, which lags behind in a turn: both have to contradict.
    """
    now_mps, now_known, steady_known = frame.velocity_mps, frame.velocity_valid, known[:, DISPLACED]
    if not all_true(now_known):
        now_mps = np.where(now_known[:, None], now_mps, displacement_velocity(displacement_m, dt_s))
        now_known = now_known | (dt_s > 0.0) & (dt_s <= LONGEST_STEP_S)
    least_mps, row_limit, mean_limit = _LIMITS.take(frame.object_class, axis=1)
    velocity_mps, there = np.stack([now_mps.T, last[:, STEADY].T], axis=1), np.stack([now_known, steady_known])
    speed_mps = np.hypot(*velocity_mps)
    judged = frame.yaw_valid & now_known
    judged &= np.logical_and.reduce((speed_mps >= least_mps) | ~there)
    cosine = velocity_mps[0] * np.cos(frame.yaw_rad) + velocity_mps[1] * np.sin(frame.yaw_rad)
    cosine /= np.maximum(speed_mps, LEAST_MPS)
    np.abs(cosine, out=cosine, where=CARS.take(frame.object_class) & (speed_mps < REVERSE_MPS))
    misfit = 1.0 - np.maximum.reduce(np.where(there, cosine, -np.inf))
    refuted: BoolArray = judged & (misfit > row_limit)
    if any_true(steady_known):
        counts = judged & steady_known  # one velocity alone may itself be wrong
        kept = np.exp(np.minimum(dt_s, LONGEST_S) / -MEMORY_S)
        limited = np.minimum(misfit, MISFIT_CAP * mean_limit)
        fading = last[:, DOUBT] * np.exp(dt_s / -SLOW_MEMORY_S)
        last[:, DOUBT] = np.where(counts, limited + kept * (last[:, DOUBT] - limited), fading)
    refuted |= frame.yaw_valid & (last[:, DOUBT] > mean_limit)
    return refuted
