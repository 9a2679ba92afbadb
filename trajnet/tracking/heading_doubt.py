"""Measured headings that contradict how an object moves: reversed by a detector, or a placeholder.

Vehicles travel where they point, except cars that reverse slowly; people face where they walk. A measured yaw that
points elsewhere than the object moves is no measurement: believed, it turns the whole prediction around. Two things
make a yaw count as not measured: its own misfit, if that is large, and the mean misfit of its track, so that a small
error that lasts is seen, too, while the noise of a detector is not. What is too slow to be judged keeps its mean,
which fades.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajnet.arrays import any_true
from trajnet.types import BoolArray, FloatArray, ObjectClass

#: Of cars, riders and people: the speed from which a heading is judged (m/s), the largest misfit of one row, and the
#: largest mean misfit of a track. A misfit is 1 - cos of the angle between heading and velocity: 0.04 at 16, 0.06 at
#: 20, 0.1 at 26, 0.3 at 45, 0.5 at 60 degrees.
_CAR, _RIDER, _PERSON = (3.0, 0.3, 0.04), (2.0, 0.3, 0.06), (0.7, 0.5, 0.1)
_LIMITS: FloatArray = np.array(
    [
        _RIDER if kind in (ObjectClass.MOTORCYCLE, ObjectClass.BICYCLE)
        else _PERSON if kind in (ObjectClass.UNKNOWN, ObjectClass.PEDESTRIAN)
        else _CAR
        for kind in ObjectClass
    ]
).T  # fmt: skip
_REVERSES: BoolArray = np.array([kind in (ObjectClass.CAR, ObjectClass.TRUCK, ObjectClass.BUS) for kind in ObjectClass])
#: Cars reverse no faster than this (m/s).
REVERSE_MPS = 4.0
#: Time constants of the mean misfit: while it is judged, and while the object is too slow (s).
MEMORY_S, SLOW_MEMORY_S = 1.0, 20.0
#: A row counts in the mean for at most so long (s), and with at most so many times the limit of the mean: one row that
#: is far off must not cost those after it.
LONGEST_S, MISFIT_CAP = 0.5, 2.5
#: A displacement over longer than this tells no direction (s): the object may have turned meanwhile.
LONGEST_STEP_S = 0.6
_LEAST_MPS = 1e-3


class Doubt(NamedTuple):
    """refuted (N,): rows whose measured yaw does not count. mean_misfit (N,): of their tracks."""

    refuted: BoolArray
    mean_misfit: FloatArray


def doubted(
    yaw_rad: FloatArray, yaw_valid: BoolArray, object_class: NDArray[np.int8], dt_s: FloatArray, *,
    now_mps: FloatArray, now_known: BoolArray, steady_mps: FloatArray, steady_known: BoolArray, mean_misfit: FloatArray,
) -> Doubt:  # fmt: skip
    """Hold measured yaws (N,) in rad against the velocities of their objects.

    now_mps (N, 2), now_known (N,): the measured velocity, else that of the last displacement, and whether there is one;
    else nothing is judged. steady_mps (N, 2), steady_known (N,): that of the displacements before, which lags behind in
    a turn. Where both are known, both have to contradict a yaw. mean_misfit (N,): of each track so far, 0 at first.
    dt_s (N,): since its last observation.
    """
    least_mps, row_limit, mean_limit = _LIMITS.take(object_class, axis=1)
    velocity_mps, known = np.stack([now_mps.T, steady_mps.T], axis=1), np.stack([now_known, steady_known])
    speed_mps = np.hypot(*velocity_mps)
    judged = yaw_valid & now_known
    judged &= np.logical_and.reduce((speed_mps >= least_mps) | ~known)
    cosine = velocity_mps[0] * np.cos(yaw_rad) + velocity_mps[1] * np.sin(yaw_rad)
    cosine /= np.maximum(speed_mps, _LEAST_MPS)
    np.abs(cosine, out=cosine, where=_REVERSES.take(object_class) & (speed_mps < REVERSE_MPS))
    misfit = 1.0 - np.maximum.reduce(np.where(known, cosine, -np.inf))
    refuted = judged & (misfit > row_limit)
    if any_true(steady_known):
        counts = judged & steady_known  # one velocity alone may itself be wrong
        kept = np.exp(np.minimum(dt_s, LONGEST_S) / -MEMORY_S)
        limited = np.minimum(misfit, MISFIT_CAP * mean_limit)
        fading = mean_misfit * np.exp(dt_s / -SLOW_MEMORY_S)
        mean_misfit = np.where(counts, limited + kept * (mean_misfit - limited), fading)
    refuted |= yaw_valid & (mean_misfit > mean_limit)
    return Doubt(refuted, mean_misfit)
