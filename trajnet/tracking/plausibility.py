"""Detection of motion that is impossible for the object's class: ids swapped or reused, a tracker that restarted.

A displacement is explained if it lies near the prediction of a known velocity: the measured one, or the steady one from
earlier displacements. The gate around the prediction allows for the tracker's jitter, an error of that velocity, and
the acceleration that the class is capable of. A track whose velocity is not known yet may have moved at any speed of
its class. The limits are generous: of 340,000 recorded steps of nine data sets they reject the leaps of ApolloScape's
tracker (0.7 %) and one other step.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trajnet.types import BoolArray, FloatArray, ObjectClass

#: Per class: tracker jitter (m), error of the expected velocity (m/s), acceleration (m/s^2), highest speed (m/s).
LIMITS: dict[ObjectClass, tuple[float, float, float, float]] = {
    ObjectClass.UNKNOWN: (1.5, 8.0, 10.0, 100.0),
    ObjectClass.CAR: (1.5, 8.0, 10.0, 100.0),
    ObjectClass.TRUCK: (1.5, 8.0, 10.0, 45.0),
    ObjectClass.BUS: (1.5, 8.0, 10.0, 45.0),
    ObjectClass.MOTORCYCLE: (1.2, 8.0, 10.0, 100.0),
    ObjectClass.BICYCLE: (1.0, 5.0, 6.0, 25.0),
    ObjectClass.PEDESTRIAN: (0.8, 3.0, 4.0, 12.0),
}
_LIMITS: FloatArray = np.array([LIMITS[c] for c in ObjectClass])
#: An object that is off by no more along each axis is within the jitter of every class.
_ALWAYS_JITTER_M = float(_LIMITS[:, 0].min()) / 2**0.5


def max_speed_mps(object_class: NDArray[np.int8]) -> FloatArray:
    """Return the highest speed of each object's class, (N,) in m/s."""
    return np.asarray(_LIMITS[object_class, 3])


def too_fast_for_class(velocity_mps: FloatArray, object_class: NDArray[np.int8]) -> BoolArray:
    """Return the mask (N,) of velocities (N, 2) that exceed the highest speed of their class."""
    return np.asarray(_distance(velocity_mps) > max_speed_mps(object_class))


def unexplained(
    displacement_m: FloatArray,
    dt_s: FloatArray,
    object_class: NDArray[np.int8],
    *,
    measured_mps: FloatArray,
    measured: BoolArray,
    steady_mps: FloatArray,
    steady: BoolArray,
) -> BoolArray:
    """Return the mask (N,) of displacements that no velocity explains.

    displacement_m (N, 2) over dt_s (N,). measured_mps (N, 2), measured (N,): the velocity that the tracker reports now,
    and whether it does. steady_mps (N, 2), steady (N,): the velocity from earlier displacements, and whether there were
    any; where there were none, the speed alone is checked.
    """
    off_steady_m = displacement_m - steady_mps * dt_s[:, None]
    if np.abs(off_steady_m).max(initial=0.0) <= _ALWAYS_JITTER_M:  # nearly always: every object moved as it did before
        return np.zeros(len(dt_s), np.bool_)
    jitter_m, error_mps, acceleration_mps2, speed_mps = _LIMITS.take(object_class, axis=0).T
    off_m = _distance(off_steady_m)
    if measured.any():
        off_measured_m = _distance(displacement_m - measured_mps * dt_s[:, None])
        off_m = np.where(measured, np.minimum(off_m, off_measured_m), off_m)
    gate_m = jitter_m + dt_s * (error_mps + 0.5 * acceleration_mps2 * dt_s)
    if not steady.all():
        off_m = np.where(steady, off_m, _distance(displacement_m))
        gate_m = np.where(steady, gate_m, jitter_m + speed_mps * dt_s)
    return np.asarray(~(off_m <= gate_m))  # NaN counts as unexplained


def _distance(offset_m: FloatArray) -> FloatArray:
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(np.hypot(offset_m[:, 0], offset_m[:, 1]))
