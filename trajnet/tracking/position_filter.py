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

# Columns of each slot's state: measured and filtered position, measured velocity and whether there was one, last
# surprise, forgetful sums of d . d and of d . d_before, and of their weights. Without a last surprise the weight is 0.
_MEASURED, _FILTERED, _VELOCITY, _SURPRISE = slice(0, 2), slice(2, 4), slice(4, 6), slice(6, 8)
_SUMS, _WEIGHTS, _HAS_VELOCITY, _COLUMNS = slice(8, 10), slice(10, 12), 12, 13
_SQUARES, _PRODUCTS, _SQUARES_WEIGHT, _PRODUCTS_WEIGHT = 8, 9, 10, 11


class PositionFilter:
    """The state of the filter for each slot of a track store."""

    def __init__(self) -> None:
        self._state: FloatArray = np.zeros((0, _COLUMNS))

    def allocate(self, slots: int) -> None:
        """Make room for this many slots; states stay."""
        self._state = np.concatenate([self._state, np.zeros((slots - len(self._state), _COLUMNS))])

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
        """
        state = self._state.take(slot, axis=0)
        known = velocity_valid & ~first & (dt_s <= LONGEST_STEP_S)
        velocity_mps = np.where(velocity_valid[:, None], velocity_mps, 0.0)
        both = known & (state[:, _HAS_VELOCITY] > 0)
        mean_mps = velocity_mps + 0.5 * both[:, None] * (state[:, _VELOCITY] - velocity_mps)
        step_m = mean_mps * dt_s[:, None]
        with np.errstate(over="ignore", invalid="ignore"):
            surprise_m = position_m - state[:, _MEASURED] - step_m
            surprise_m[~known] = 0.0
            gain = self._gain(state, known, dt_s, surprise_m)
        answer_m = position_m
        noisy = np.flatnonzero(gain < 1.0)
        if len(noisy):
            answer_m = position_m.copy()
            expected_m = state[noisy, _FILTERED] + step_m[noisy]
            answer_m[noisy] = expected_m + gain[noisy, None] * (position_m[noisy] - expected_m)
        state[:, _MEASURED], state[:, _FILTERED], state[:, _SURPRISE] = position_m, answer_m, surprise_m
        state[:, _VELOCITY], state[:, _HAS_VELOCITY] = velocity_mps, velocity_valid
        self._state[slot] = state
        return answer_m

    def _gain(self, state: FloatArray, known: BoolArray, dt_s: FloatArray, surprise_m: FloatArray) -> FloatArray:
        """Take surprises (N, 2) into the rows' sums, in place; return the gain (N,) of each row, 1 where not known."""
        usual_m = np.sqrt(state[:, _SQUARES] / np.maximum(state[:, _SQUARES_WEIGHT], 1.0))
        limit_m = OUTLIER * np.maximum(usual_m, LEAST_USUAL_M)
        size_m = np.hypot(surprise_m[:, 0], surprise_m[:, 1])
        usual = size_m <= limit_m
        surprise_m[size_m > _MOST_M] = 0.0
        surprise_m *= (limit_m / np.maximum(size_m, limit_m))[:, None]  # in place: the next one is compared with it
        twice = known & (state[:, _SQUARES_WEIGHT] > 0)
        products_m2 = np.stack(
            [(surprise_m * surprise_m).sum(axis=1), (surprise_m * state[:, _SURPRISE]).sum(axis=1)], axis=1
        )
        counted, kept = np.stack([known, twice], axis=1), np.exp(dt_s / -MEMORY_S)[:, None]
        state[:, _SUMS] = np.where(counted, kept * state[:, _SUMS] + products_m2, 0.0)
        state[:, _WEIGHTS] = np.where(counted, kept * state[:, _WEIGHTS] + 1.0, 0.0)
        noise_m2 = -state[:, _PRODUCTS] / (state[:, _PRODUCTS_WEIGHT] + PRIOR_WEIGHT)  # 2 r
        noisy = usual & twice & (noise_m2 > _LEAST_M2)
        gain = np.ones(len(known))
        if noisy.any():
            mean_square_m2 = state[noisy, _SQUARES] / state[noisy, _SQUARES_WEIGHT]
            other_m2 = np.maximum(mean_square_m2 - 2.0 * noise_m2[noisy], _LEAST_M2)  # 2 q
            gain[noisy] = np.maximum(steady_gain(other_m2 / noise_m2[noisy]), MIN_GAIN)
        return gain


def steady_gain(ratio: FloatArray) -> FloatArray:
    """Return the steady Kalman gain of a random walk whose steps have ratio times the variance of the noise."""
    root = np.sqrt(ratio * ratio + 4.0 * ratio)
    gain: FloatArray = 2.0 * ratio / (ratio + root)  # (root - ratio) / 2 without cancellation
    return gain
