"""How fast each vehicle turns, as far as its own past shows the turn to be real.

On a roundabout, a ramp or in a car park a vehicle goes on turning. Yaws from frame to frame show the rate, but also the
noise of the tracker: 1 degree of it makes 14 degrees/s at 10 Hz. The mean rate of the last moments has far less of it,
and counts by the share that the squared mean has of itself and its own variance (Wiener's shrinkage): nearly whole on a
curve, next to nothing where noise alone makes a mean.
"""

from __future__ import annotations

import numpy as np

from trajnet.arrays import all_true, grown
from trajnet.geometry import wrap_angle
from trajnet.inference.physics import MAX_CURVATURE_PER_M, MAX_YAW_RATE_RADPS
from trajnet.tracking.store import Observations
from trajnet.types import FloatArray

#: Rates are averaged with this time constant (s).
SMOOTH_S = 1.0
#: No yaw is better than this (rad), whatever the differences of a track's first ones say.
LEAST_NOISE_RAD = 0.009
#: A mean of this size counts half: less than that is how roads wind and lanes are changed, and does not go on.
LEAST_RADPS = 0.04

# Rows of each slot's state, all of them fading: the sum of the rates, that of their squares, and that of their weights,
# which comes near 1. NumPy is slow along short rows.
_RATES, _SQUARES, _WEIGHT, _ROWS = range(4)
_TINY = 1e-6


class TurnRate:
    """Keeps for every slot how fast it turns."""

    def __init__(self) -> None:
        """Start empty."""
        self._state: FloatArray = np.zeros((_ROWS, 0))

    def observed(self, observations: Observations, speed_mps: FloatArray) -> FloatArray:
        """Take the yaws of a frame and return the rates (N,) at which the objects can be expected to go on turning.

        In rad/s, anticlockwise; 0 for what has no wheels or no heading yet. speed_mps (N,): curves are never narrower
        than physics allows.
        """
        slot, dt_s = observations.slot, np.maximum(observations.dt_s, _TINY)
        self._state = grown(self._state, observations.slots, axis=1)
        state = self._state.take(slot, axis=1)
        rate = wrap_angle(observations.yaw_rad - observations.previous_yaw_rad) / dt_s
        np.maximum(rate, -MAX_YAW_RATE_RADPS, out=rate)
        np.minimum(rate, MAX_YAW_RATE_RADPS, out=rate)
        kept = np.exp(dt_s / -SMOOTH_S)
        new = 1.0 - kept
        state *= kept
        state[_RATES] += new * rate
        state[_SQUARES] += new * rate * rate
        state[_WEIGHT] += new
        turns = observations.wheeled & observations.heading_known & ~observations.reset
        if not all_true(turns):
            state[:, (~turns).nonzero()[0]] = 0.0
        self._state[:, slot] = state
        weight = np.maximum(state[_WEIGHT], _TINY)
        mean: FloatArray = state[_RATES] / weight
        squared = mean * mean
        noise = np.maximum(state[_SQUARES] / weight - squared, 2.0 * np.square(LEAST_NOISE_RAD / dt_s))
        noise *= 0.5 * new / weight  # of the mean: rates that are independent count 2 / new times
        mean *= squared / (squared + noise + LEAST_RADPS**2)
        limit = MAX_CURVATURE_PER_M * speed_mps
        np.maximum(mean, -limit, out=mean)
        return np.minimum(mean, limit, out=mean)
