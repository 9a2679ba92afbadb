"""Find the white noise of measured positions from the tracks themselves, and filter it out where there is any.

A track whose velocity is measured says where its next position should be. With positions z and the mean v of the step's
two velocities, the surprise of a step is d = z - (z_before + v dt). If each position has independent noise of variance
r per axis, that noise enters two surprises in a row with opposite signs, so the mean of d . d_before (both axes) is
-2 r; what else is in d, of variance q per axis, makes the mean of d . d equal to 4 r + 2 q. From r and q follows the
constant gain of the Kalman filter of a random walk seen through noise (Bar-Shalom, Li, Kirubarajan 2001, chapter 5.2.5,
with one state).

So a track is filtered as far as its own noise shows it to be needed. Errors that persist (a turn within a step, a
velocity that is biased, the error of a tracker that filters already) have surprises of the same sign one after the
other: r is then 0, the gain 1, and positions pass as they came. So do leaps and outliers, surprises far beyond those
that the track is used to.

Each track is judged by itself: what another one does changes nothing.
"""

from __future__ import annotations

import numpy as np

from trajnet.arrays import all_true, any_true
from trajnet.types import BoolArray, FloatArray, IntArray

#: Memory of a track's noise: the weight of a surprise falls to 1 / e in it (s).
MEMORY_S = 3.0
#: Surprises of a track without noise that each track begins with.
PRIOR_WEIGHT = 1.0
#: No gain is below this: a tenth of a surprise always counts.
MIN_GAIN = 0.1
#: A surprise of this many times the track's root mean square, or of the least one (m), is no such noise: the chance of
#: one is 1e-4.
OUTLIER, LEAST_USUAL_M = 3.0, 0.02
#: A step longer than this (s) tells nothing about noise: the velocity may have changed in it.
LONGEST_STEP_S = 1.0
#: A surprise beyond this is not squared, lest it overflow (m).
_MOST_M = 1e6
#: Variances below (0.1 mm)^2 are rounding.
_LEAST_M2 = 1e-8

# Rows of each slot's state: measured and filtered position, measured velocity, last surprise, forgetful sums of d . d
# and of d . d_before, and of their weights, and whether a velocity was measured. No last surprise: its weight is 0.
_MEASURED, _FILTERED, _VELOCITY, _SURPRISE = slice(0, 2), slice(2, 4), slice(4, 6), slice(6, 8)
_SUMS, _WEIGHTS, _HAS_VELOCITY, _ROWS = slice(8, 10), slice(10, 12), 12, 13


class PositionFilter:
    """The state of the filter for each slot of a track store."""

    def __init__(self) -> None:
        self._state: FloatArray = np.zeros((_ROWS, 0))  # NumPy is slow along short rows

    def allocate(self, slots: int) -> None:
        """Make room for this many slots; states stay."""
        self._state = np.concatenate([self._state, np.zeros((_ROWS, slots - self._state.shape[1]))], axis=1)

    def filtered(
        self,
        slot: IntArray,
        first: BoolArray,
        dt_s: FloatArray,
        position_m: FloatArray,
        velocity_mps: FloatArray,
        velocity_valid: BoolArray,
    ) -> FloatArray:
        """Take the observations of one frame and return their positions without the noise, (N, 2) in m.

        slot (N,), first (N,): first observations of a track. dt_s (N,): since the last one. position_m (N, 2) and
        velocity_mps (N, 2), velocity_valid (N,): as measured. The array itself is returned where nothing is filtered.
        Absurd positions may overflow: the caller silences NumPy's warnings.
        """
        state = self._state.take(slot, axis=1)
        known = velocity_valid & ~first
        known &= dt_s <= LONGEST_STEP_S
        measured_m, measured_mps = position_m.T, velocity_mps.T
        if not all_true(velocity_valid):
            measured_mps = np.where(velocity_valid, measured_mps, 0.0)
        step_m = state[_VELOCITY] - measured_mps
        step_m *= 0.5 * (known & (state[_HAS_VELOCITY] > 0))
        step_m += measured_mps
        step_m *= dt_s
        surprise_m = measured_m - state[_MEASURED]
        surprise_m -= step_m
        if not all_true(known):
            surprise_m[:, ~known] = 0.0
        noisy, gain = _noisy(state, known, dt_s, surprise_m)
        answer_m = position_m
        if len(noisy):
            answer_m = position_m.copy()
            expected_m = (state[_FILTERED] + step_m).take(noisy, axis=1)
            answer_m[noisy] = (expected_m + gain * (measured_m.take(noisy, axis=1) - expected_m)).T
        state[_MEASURED], state[_FILTERED], state[_SURPRISE] = measured_m, answer_m.T, surprise_m
        state[_VELOCITY], state[_HAS_VELOCITY] = measured_mps, velocity_valid
        self._state[:, slot] = state
        return answer_m


def _noisy(
    state: FloatArray, known: BoolArray, dt_s: FloatArray, surprise_m: FloatArray
) -> tuple[IntArray, FloatArray]:
    """Take surprises (2, N) into the state (_ROWS, N), in place; return the M noisy rows and their gain, (M,).

    Surprises beyond what a track is used to are shortened in place: the next ones are compared with them.
    """
    sums_m2, weights = state[_SUMS], state[_WEIGHTS]
    limit_m = np.sqrt(sums_m2[0] / np.maximum(weights[0], 1.0))
    np.maximum(limit_m, LEAST_USUAL_M, out=limit_m)
    limit_m *= OUTLIER
    size_m = np.hypot(surprise_m[0], surprise_m[1])
    usual = size_m <= limit_m
    if not all_true(usual):
        absurd = size_m > _MOST_M
        if any_true(absurd):
            surprise_m[:, absurd] = 0.0
        surprise_m *= limit_m / np.maximum(size_m, limit_m)
    twice = known & (weights[0] > 0)
    kept = np.exp(dt_s / -MEMORY_S)
    sums_m2 *= kept
    weights *= kept
    weights += 1.0
    products_m2 = np.empty((2, *surprise_m.shape))
    np.multiply(surprise_m, surprise_m, out=products_m2[0])
    np.multiply(surprise_m, state[_SURPRISE], out=products_m2[1])
    sums_m2 += np.add.reduce(products_m2, axis=1)
    counted = np.array([known, twice])
    sums_m2 *= counted
    weights *= counted
    noise_m2 = -sums_m2[1] / (weights[1] + PRIOR_WEIGHT)  # 2 r
    row = (usual & twice & (noise_m2 > _LEAST_M2)).nonzero()[0]
    noise_m2 = noise_m2.take(row)
    other_m2 = (sums_m2[0].take(row) / weights[0].take(row)) - 2.0 * noise_m2  # 2 q
    return row, np.maximum(steady_gain(np.maximum(other_m2, _LEAST_M2) / noise_m2), MIN_GAIN)


def steady_gain(ratio: FloatArray) -> FloatArray:
    """Return the steady Kalman gain of a random walk whose steps have ratio times the variance of the noise."""
    root = np.sqrt(ratio * ratio + 4.0 * ratio)
    gain: FloatArray = 2.0 * ratio / (ratio + root)  # (root - ratio) / 2 without cancellation
    return gain
