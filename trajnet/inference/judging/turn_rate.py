"""How fast each vehicle turns, as far as its own past shows the turn to be steady.

On a roundabout, a ramp or in a car park a vehicle goes on turning. Yaws from frame to frame show the rate, but also the
noise of the tracker; as in speed_change, what tells them apart is whether one rate is like the one before: the rate
counts by the autocorrelation of the track's own rates, less one standard error of it.
"""

from __future__ import annotations

import numpy as np

from trajnet.arrays import all_true, grown
from trajnet.geometry import wrap_angle
from trajnet.inference.physics import MAX_CURVATURE_PER_M, MAX_YAW_RATE_RADPS
from trajnet.tracking.store import Observations
from trajnet.types import FloatArray

#: Rates are averaged with this time constant, and their autocorrelation has this memory (s).
SMOOTH_S, MEMORY_S = 0.5, 3.0
#: Sums of squared rates below this are those of an object that goes straight on (rad^2/s^2).
LEAST = 0.01

# Rows of each slot's state: the last rate, the average, and whether there is a last one; over pairs of rates that
# follow each other the sums of their mean square and of their product, and how many pairs there were, all three fading.
# NumPy is slow along short rows.
_LAST, _MEAN, _KNOWN, _SQUARES, _PRODUCTS, _PAIRS, _ROWS = range(7)
_FADING = slice(_SQUARES, _ROWS)
_TINY = 1e-6


class TurnRate:
    """Keeps for every slot how fast it turns."""

    def __init__(self) -> None:
        """Start empty."""
        self._state: FloatArray = np.zeros((_ROWS, 0))

    def observed(self, observations: Observations, speed_mps: FloatArray) -> FloatArray:
        """Take the yaws of a frame and return the rates (N,) at which the objects can be expected to go on turning.

        In rad/s, anticlockwise; 0 for what has no wheels, in the first frames of a track, and where the rates of a
        track are noise. speed_mps (N,): curves are never narrower than physics allows.
        """
        slot, dt_s = observations.slot, observations.dt_s
        self._state = grown(self._state, observations.slots, axis=1)
        state = self._state.take(slot, axis=1)
        rate = wrap_angle(observations.yaw_rad - observations.previous_yaw_rad) / np.maximum(dt_s, _TINY)
        np.maximum(rate, -MAX_YAW_RATE_RADPS, out=rate)
        np.minimum(rate, MAX_YAW_RATE_RADPS, out=rate)
        turns = observations.wheeled & observations.heading_known & ~observations.reset
        if not all_true(turns):
            row = (~turns).nonzero()[0]
            rate[row] = 0.0
            state[:, row] = 0.0
        state[_FADING] *= np.exp(dt_s / -MEMORY_S)
        last, known = state[_LAST], state[_KNOWN]
        state[_SQUARES] += 0.5 * (rate * rate + last * last) * known
        state[_PRODUCTS] += rate * last
        state[_PAIRS] += known
        state[_LAST], state[_KNOWN] = rate, turns
        state[_MEAN] += (rate - state[_MEAN]) * -np.expm1(dt_s / -SMOOTH_S)
        self._state[:, slot] = state
        root = np.sqrt(state[_PAIRS])
        share = (state[_PRODUCTS] / (state[_SQUARES] + LEAST) * root - 1.0) / np.maximum(root - 1.0, _TINY)
        found: FloatArray = state[_MEAN] * np.minimum(np.maximum(share, 0.0), 1.0)
        limit = MAX_CURVATURE_PER_M * speed_mps
        np.maximum(found, -limit, out=found)
        return np.minimum(found, limit, out=found)
