"""Detection of motion that is impossible for the object's class: ids swapped or reused, a tracker that restarted.

A displacement is explained if it lies near the prediction of a known velocity: the measured one, or the steady one from
earlier displacements. The gate around the prediction allows for the tracker's jitter, an error of that velocity, and
the acceleration that the class is capable of. A track whose velocity is not known yet may have moved at any speed of
its class. The limits are generous: of 1.8 million recorded steps of nine data sets they reject 6, and of ApolloScape's,
whose tracker leaps, 0.4 %. A track's recent wobble counts as jitter, too.

Smaller leaps are told by the track itself (out_of_line): a track that has kept to its velocity within centimetres does
not leave it by a metre in a tenth of a second, while one whose tracker wobbles does. Such a step is a correction of the
tracker, not motion: the track goes on from its new place with the velocity that it had. Of those 1.8 million
steps 10 are taken for one (ApolloScape: 0.1 %); with noise of 0.5 m along each axis at 10 Hz one in a few thousand is,
which costs the news of one step.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trajnet.arrays import all_true, any_true
from trajnet.tracking.motion import STEADY_TIME_S
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
_MAX_MPS: FloatArray = _LIMITS[:, 3].copy()
#: Deviation from its velocity that is no leap in any track of the class: floor (m).
_FLOOR_M: FloatArray = np.array([0.35 if c == ObjectClass.PEDESTRIAN else 0.5 for c in ObjectClass])
_LEAST_FLOOR_M = float(_FLOOR_M.min())
#: Objects that are off by no more, below every floor, are off by that much, whatever their measured velocity says (m).
QUIET_M = 0.2
#: A track's wobble is the largest recent deviation; it shrinks to this share with each step.
WOBBLE_KEPT = 0.9
#: A deviation is a leap only beyond this many times the wobble, and in a track with this many displacements before it.
TIMES_WOBBLE, ENOUGH_STEPS = 2.0, 4
#: So many steps in a row are taken for leaps; the next one is believed: the velocity is another one now.
MOST_IN_A_ROW = 2
#: An object that is off by no more is within the jitter of every class (m).
ALWAYS_JITTER_M = float(_LIMITS[:, 0].min())


def max_speed_mps(object_class: NDArray[np.int8]) -> FloatArray:
    """Return the highest speed of each object's class, (N,) in m/s."""
    return np.asarray(_MAX_MPS.take(object_class))


def too_fast_for_class(velocity_mps: FloatArray, object_class: NDArray[np.int8]) -> BoolArray:
    """Return the mask (N,) of velocities (N, 2) that exceed the highest speed of their class."""
    with np.errstate(over="ignore", invalid="ignore"):
        return faster_than_class(velocity_mps, object_class)


def faster_than_class(velocity_mps: FloatArray, object_class: NDArray[np.int8]) -> BoolArray:
    """Do as too_fast_for_class, for a caller that silences NumPy's warnings of an overflow."""
    return np.asarray(distance(velocity_mps) > max_speed_mps(object_class))


def unexplained(
    displacement_m: FloatArray,
    dt_s: FloatArray,
    object_class: NDArray[np.int8],
    *,
    measured_mps: FloatArray,
    measured: BoolArray,
    steady_mps: FloatArray,
    steady: BoolArray,
    wobble_m: FloatArray | float = 0.0,
) -> BoolArray:
    """Return the mask (N,) of displacements that no velocity explains.

    displacement_m (N, 2) over dt_s (N,). measured_mps (N, 2), measured (N,): the velocity that the tracker reports now,
    and whether it does. steady_mps (N, 2), steady (N,): the velocity from earlier displacements, and whether there were
    any; where there were none, the speed alone is checked. wobble_m (N,): the track's largest recent deviation, which
    counts as jitter, too.
    """
    jitter_m, error_mps, acceleration_mps2, speed_mps = _LIMITS.take(object_class, axis=0).T
    off_m = distance(displacement_m - steady_mps * dt_s[:, None])
    if any_true(measured):
        off_measured_m = distance(displacement_m - measured_mps * dt_s[:, None])
        off_m = np.where(measured, np.minimum(off_m, off_measured_m), off_m)
    jitter_m = jitter_m + wobble_m
    gate_m = jitter_m + dt_s * (error_mps + 0.5 * acceleration_mps2 * dt_s)
    if not all_true(steady):
        off_m = np.where(steady, off_m, distance(displacement_m))
        gate_m = np.where(steady, gate_m, jitter_m + speed_mps * dt_s)
    return np.asarray(~(off_m <= gate_m))  # NaN counts as unexplained


def deviation(
    off_m: FloatArray, displacement_m: FloatArray, dt_s: FloatArray, *, measured_mps: FloatArray, measured: BoolArray
) -> FloatArray:
    """Return how far (N,) in m displacements are from those of the velocity that fits better; see unexplained.

    off_m (N,): how far they are from those of the steady velocity. Where that is at most QUIET_M for all, the measured
    one is not asked, and off_m itself is returned.
    """
    if off_m.max(initial=0.0) <= QUIET_M:
        return off_m
    return nearer_deviation(off_m, displacement_m, dt_s, measured_mps=measured_mps, measured=measured)


def nearer_deviation(
    off_m: FloatArray, displacement_m: FloatArray, dt_s: FloatArray, *, measured_mps: FloatArray, measured: BoolArray
) -> FloatArray:
    """Do as deviation, for a caller that knows of an object that is off by more than QUIET_M."""
    if not any_true(measured):
        return off_m
    off_measured_m = distance(displacement_m - measured_mps * dt_s[:, None])
    return np.where(measured, np.minimum(off_m, off_measured_m), off_m)


def out_of_line(
    off_m: FloatArray,
    dt_s: FloatArray,
    object_class: NDArray[np.int8],
    *,
    wobble_m: FloatArray,
    steps: FloatArray,
    measured: BoolArray,
) -> BoolArray:
    """Return the mask (N,) of steps that the track's own past and the acceleration of its class do not explain.

    off_m (N,): see deviation. wobble_m, steps (N,): the track's largest recent deviation and its displacements so far.
    measured (N,): whether its velocity is measured. The steady velocity lags behind an accelerating object by its time
    constant. The measured one does not: an object that is said to stand has hardly moved.
    """
    if off_m.max(initial=0.0) <= _LEAST_FLOOR_M:
        return np.zeros(len(dt_s), np.bool_)
    lag_s = np.where(measured, 0.0, STEADY_TIME_S)
    gate_m = _FLOOR_M.take(object_class) + _LIMITS[:, 2].take(object_class) * dt_s * (lag_s + 0.5 * dt_s)
    gate_m += TIMES_WOBBLE * wobble_m
    return np.asarray((off_m > gate_m) & (steps >= ENOUGH_STEPS))


def distance(offset_m: FloatArray) -> FloatArray:
    """Return the lengths (N,) of vectors (N, 2); infinity where they overflow."""
    length: FloatArray = np.hypot(offset_m[:, 0], offset_m[:, 1])
    return length
