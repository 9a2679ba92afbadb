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
# and of d . d_before, and of their weights, and the share of the velocity in the mean of the next step: a half where it
# was measured, else 0. No last surprise: its weight is 0.
_MEASURED, _FILTERED, _VELOCITY, _SURPRISE = slice(0, 2), slice(2, 4), slice(4, 6), slice(6, 8)
_SUMS, _WEIGHTS, _FORGETFUL, _HALF, _ROWS = slice(8, 10), slice(10, 12), slice(8, 12), 12, 13


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
        known = dt_s <= LONGEST_STEP_S
        known &= velocity_valid
        if any_true(first):
            known[first] = False
        measured_m, measured_mps = position_m.T, velocity_mps.T
        if not all_true(velocity_valid):
            measured_mps = np.where(velocity_valid, measured_mps, 0.0)
        step_m = state[_VELOCITY] - measured_mps
        step_m *= state[_HALF] * known
        step_m += measured_mps
        step_m *= dt_s
        surprise_m = measured_m - state[_MEASURED]
        surprise_m -= step_m
        if not all_true(known):
            surprise_m[:, ~known] = 0.0
        noisy, minus_noise_m2 = _noisy(state, known, dt_s, surprise_m)
        answer_m = position_m
        if any_true(noisy):
            gain = _gain(state, minus_noise_m2)
            step_m += state[_FILTERED]  # now where each object is expected
            closer_m = measured_m - step_m
            closer_m *= gain
            closer_m += step_m
            answer_m = np.ascontiguousarray(np.where(noisy, closer_m, measured_m).T)
        state[_MEASURED], state[_FILTERED], state[_SURPRISE] = measured_m, answer_m.T, surprise_m
        state[_VELOCITY] = measured_mps
        np.multiply(velocity_valid, 0.5, out=state[_HALF])
        self._state[:, slot] = state
        return answer_m


def _noisy(
    state: FloatArray, known: BoolArray, dt_s: FloatArray, surprise_m: FloatArray
) -> tuple[BoolArray, FloatArray]:
    """Take surprises (2, N) into the state (_ROWS, N), in place; return the noisy rows (N,) and -2 r (N,), in m^2.

    Surprises beyond what a track is used to are shortened in place: the next ones are compared with them.
    """
    sums_m2, weights = state[_SUMS], state[_WEIGHTS]
    limit_m2 = sums_m2[0] / np.maximum(weights[0], 1.0)
    np.maximum(limit_m2, LEAST_USUAL_M**2, out=limit_m2)
    limit_m2 *= OUTLIER**2
    size_m2 = _dot(surprise_m, surprise_m)
    usual = size_m2 <= limit_m2
    if not all_true(usual):
        surprise_m[:, size_m2 > _MOST_M**2] = 0.0
        surprise_m *= np.sqrt(limit_m2 / np.maximum(size_m2, limit_m2))
        size_m2 = _dot(surprise_m, surprise_m)
    twice = weights[0] > 0
    twice &= known
    forgetful = state[_FORGETFUL]
    forgetful *= np.exp(dt_s / -MEMORY_S)
    weights += 1.0
    sums_m2[0] += size_m2
    sums_m2[1] += _dot(surprise_m, state[_SURPRISE])
    if not all_true(twice):
        forgetful.reshape(2, 2, -1)[...] *= np.array([known, twice])
    minus_noise_m2: FloatArray = sums_m2[1] / (weights[1] + PRIOR_WEIGHT)  # -2 r
    noisy = minus_noise_m2 < -_LEAST_M2
    noisy &= usual
    noisy &= twice
    return noisy, minus_noise_m2


def _gain(state: FloatArray, minus_noise_m2: FloatArray) -> FloatArray:
    """Return the gain (N,) of tracks with the noise that _noisy found, which changes in place."""
    sums_m2, weights = state[_SUMS], state[_WEIGHTS]
    np.minimum(minus_noise_m2, -_LEAST_M2, out=minus_noise_m2)
    other_m2 = sums_m2[0] / np.maximum(weights[0], 1.0)
    other_m2 += 2.0 * minus_noise_m2  # 2 q
    np.maximum(other_m2, _LEAST_M2, out=other_m2)
    return np.maximum(steady_gain(other_m2 / -minus_noise_m2), MIN_GAIN)


def _dot(one_m: FloatArray, other_m: FloatArray) -> FloatArray:
    """Return the products (N,) of vectors (2, N)."""
    product_m2 = one_m * other_m
    dot_m2: FloatArray = product_m2[0]
    dot_m2 += product_m2[1]
    return dot_m2


def steady_gain(ratio: FloatArray) -> FloatArray:
    """Return the steady Kalman gain of a random walk whose steps have ratio times the variance of the noise."""
    gain: FloatArray = 2.0 / (1.0 + np.sqrt(1.0 + 4.0 / ratio))
    return gain
