"""Measured headings that contradict how an object moves: reversed by a detector, or a placeholder.

What moves on wheels goes where it points, but for a car that backs up slowly, and who walks faces where he goes. A
measured yaw that points elsewhere than the measured velocity and the displacements do is no measurement: believed, it
turns the whole prediction around. One row that is far off does not count as measured, nor do those of a track whose
rows have been off by less, but for a while: noise is off to both sides of small angles, a placeholder by large ones for
long. While an object is too slow to judge, its track keeps the doubt.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajnet.arrays import any_true
from trajnet.types import BoolArray, FloatArray, ObjectClass

#: From which speed on a heading is judged (m/s), which misfit of one row is too large, and which mean of a track. A
#: misfit is 1 - cos of the angle between heading and velocity: 0.04 at 16, 0.06 at 20, 0.1 at 26, 0.3 at 45, 0.5 at 60
#: degrees.
_CAR, _RIDER, _PERSON = (3.0, 0.3, 0.04), (2.0, 0.3, 0.06), (0.7, 0.5, 0.1)
_LIMITS: FloatArray = np.array(
    [
        _RIDER if kind in (ObjectClass.MOTORCYCLE, ObjectClass.BICYCLE)
        else _PERSON if kind in (ObjectClass.UNKNOWN, ObjectClass.PEDESTRIAN)
        else _CAR
        for kind in ObjectClass
    ]
).T  # fmt: skip
_BACKS_UP: BoolArray = np.array([kind in (ObjectClass.CAR, ObjectClass.TRUCK, ObjectClass.BUS) for kind in ObjectClass])
#: Who backs up is not faster (m/s).
BACKWARD_MPS = 4.0
#: Misfits are averaged with this time constant (s), and count by at most so many times the limit of the mean: one row
#: that is far off must not cost those after it.
MEMORY_S, MOST = 1.0, 2.5
_STANDS_MPS = 1e-3


class Doubt(NamedTuple):
    """refuted (N,): rows whose measured yaw does not count. mean (N,): the mean misfit of their tracks."""

    refuted: BoolArray
    mean: FloatArray


def doubted(
    yaw_rad: FloatArray, yaw_valid: BoolArray, object_class: NDArray[np.int8], dt_s: FloatArray, *,
    measured_mps: FloatArray, measured: BoolArray, steady_mps: FloatArray, steady: BoolArray, mean: FloatArray,
) -> Doubt:  # fmt: skip
    """Hold measured yaws (N,) in rad against the velocities of their objects.

    measured_mps (N, 2), measured (N,): the velocity that the tracker reports now, and whether it does. steady_mps
    (N, 2), steady (N,): that of the displacements before, and whether there were any. Where there are both, both have
    to contradict a yaw. mean (N,): mean misfit of each track so far, 0 at first. dt_s (N,): since its last observation.
    """
    least_mps, row_limit, mean_limit = _LIMITS.take(object_class, axis=1)
    ahead = np.stack([np.cos(yaw_rad), np.sin(yaw_rad)])
    judged = yaw_valid & (measured | steady)
    misfit = np.full(len(yaw_rad), np.inf)
    for velocity_mps, there in ((measured_mps, measured), (steady_mps, steady)):
        speed_mps = np.hypot(velocity_mps[:, 0], velocity_mps[:, 1])
        judged &= ~there | (speed_mps >= least_mps)
        cosine = velocity_mps[:, 0] * ahead[0] + velocity_mps[:, 1] * ahead[1]
        cosine /= np.maximum(speed_mps, _STANDS_MPS)
        backs_up = _BACKS_UP.take(object_class) & (speed_mps < BACKWARD_MPS)
        np.abs(cosine, out=cosine, where=backs_up)
        misfit = np.where(there, np.minimum(misfit, 1.0 - cosine), misfit)
    refuted = judged & (misfit > row_limit)
    counts = judged & steady  # one velocity alone may itself be wrong
    if any_true(counts):
        kept = np.exp(dt_s / -MEMORY_S)
        limited = np.minimum(misfit, MOST * mean_limit)
        mean = np.where(counts, limited + kept * (mean - limited), mean)
    refuted |= yaw_valid & (mean > mean_limit)
    return Doubt(refuted, mean)
