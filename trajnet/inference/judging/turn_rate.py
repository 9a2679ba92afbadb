"""How fast each vehicle turns, as far as its own past shows the turn to be real.

On a roundabout, a ramp or in a car park a vehicle goes on turning. Yaws from frame to frame show the rate, but also the
noise of the tracker: 1 degree of it makes 14 degrees/s at 10 Hz. The mean rate of the last moments has far less of it,
and counts by the share that the squared mean has of itself, its own variance (Wiener's shrinkage) and LEAST_RADPS^2:
nearly whole on a curve, next to nothing where a lane winds or noise alone makes a mean.
"""

from __future__ import annotations

import numpy as np

from trajnet.arrays import grown
from trajnet.geometry import wrap_angle
from trajnet.inference.physics import MAX_CURVATURE_PER_M, MAX_YAW_RATE_RADPS
from trajnet.tracking.store import Observations
from trajnet.types import FloatArray

#: Rates are averaged with this time constant, and nothing is said before they cover so much (s).
SMOOTH_S, LEAST_S = 1.0, 0.45
#: What is taken for the noise of a yaw (rad), for as much as PRIOR_COUNT rates say of it.
PRIOR_NOISE_RAD, PRIOR_COUNT = 0.03, 2.0
#: A mean of this size counts half: less than that is how roads wind and lanes are changed, and does not go on.
LEAST_RADPS = 0.04
#: A larger difference of two yaws is no turn, but a front that was taken for the rear (rad).
MOST_RAD = 0.5 * np.pi

# Rows of each slot's state, all of them fading: sums of the rates, of their squares, of what noise alone would make of
# those, of the weights, which comes near 1, and of the squared weights. NumPy is slow along short rows.
_RATES, _SQUARES, _NOISE, _WEIGHT, _WEIGHT2, _ROWS = range(6)
_LEAST_WEIGHT = -float(np.expm1(LEAST_S / -SMOOTH_S))
_TINY = 1e-6


class TurnRate:
    """Keeps for every slot how fast it turns."""

    def __init__(self) -> None:
        """Start empty."""
        self._state: FloatArray = np.zeros((_ROWS, 0))

    def observed(self, observations: Observations, speed_mps: FloatArray) -> FloatArray:
        """Take the yaws of a frame and return the rates (N,) at which the objects can be expected to go on turning.

        In rad/s, anticlockwise; 0 for what has no wheels or was hardly seen. A difference of two yaws counts if both
        are measured, or both derived and it is possible: a heading that is no longer measured holds for a frame, and
        then it leaps. speed_mps (N,): curves are never narrower than physics allows.
        """
        slot, dt_s = observations.slot, np.maximum(observations.dt_s, _TINY)
        self._state = grown(self._state, observations.slots, axis=1)
        state = self._state.take(slot, axis=1)
        turned_rad = wrap_angle(observations.yaw_rad - observations.previous_yaw_rad)
        counts = observations.wheeled & observations.heading_known & ~observations.reset
        counts &= observations.yaw_valid == observations.previous_yaw_valid
        counts &= np.abs(turned_rad) < MOST_RAD
        rate = turned_rad / dt_s
        counts &= observations.yaw_valid | (np.abs(rate) <= MAX_YAW_RATE_RADPS)
        np.maximum(rate, -MAX_YAW_RATE_RADPS, out=rate)
        np.minimum(rate, MAX_YAW_RATE_RADPS, out=rate)
        kept = np.exp(dt_s / -SMOOTH_S)
        new = (1.0 - kept) * counts
        state *= kept
        state[_WEIGHT2] *= kept
        state[_RATES] += new * rate
        state[_SQUARES] += new * rate * rate
        state[_NOISE] += new * np.minimum(2.0 * np.square(PRIOR_NOISE_RAD / dt_s), MAX_YAW_RATE_RADPS**2)
        state[_WEIGHT] += new
        state[_WEIGHT2] += new * new
        if len(observations.begun):
            state[:, observations.reset] = 0.0
        self._state[:, slot] = state
        found = _shrunk(state)
        limit = MAX_CURVATURE_PER_M * speed_mps
        np.maximum(found, -limit, out=found)
        return np.minimum(found, limit, out=found)


def _shrunk(state: FloatArray) -> FloatArray:
    """Return the mean rate (N,) of the state (_ROWS, N) as far as it counts."""
    weight = np.maximum(state[_WEIGHT], _TINY)
    mean: FloatArray = state[_RATES] / weight
    squared = mean * mean
    count = weight * weight / np.maximum(state[_WEIGHT2], _TINY * _TINY)  # of independent rates with the same variance
    noise = count * (state[_SQUARES] / weight - squared) + PRIOR_COUNT * state[_NOISE] / weight
    noise /= (count + PRIOR_COUNT) * np.maximum(count, 1.0)
    mean *= squared / (squared + noise + LEAST_RADPS**2)
    mean *= state[_WEIGHT] >= _LEAST_WEIGHT
    return mean
