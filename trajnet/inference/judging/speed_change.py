"""How the velocity of each object changes, as far as its own past shows the change to be real.

Constant velocity misses by half the acceleration times the square of the time. Differences of measured velocities
show the acceleration, but also the noise of the tracker. The two differ in what comes next: while an object brakes,
the changes of its velocity have the same sign one after the other; those of independent noise have opposite signs. So
a change counts by the autocorrelation of the track's own changes, less one standard error of it: the mean of
d . d_before over that of d . d, of which 1 / sqrt(n) is the standard error where there is none (Bartlett 1946).

Smoothed noise passes that test: its changes have the same sign for a while. But they are large, and large changes are
rare on streets; so the size of what is carried on has a soft limit. And no change goes on for ever: its rate falls to
1 / e in FADES_S.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from trajnet.arrays import all_true, grown
from trajnet.tracking.store import Observations
from trajnet.types import FloatArray

#: The rate of a change falls to 1 / e in this time (s): of vehicles and riders, and of people.
FADES_S = (2.0, 0.3)
#: Changes are averaged with this time constant, and their autocorrelation has this memory (s).
SMOOTH_S, MEMORY_S = 0.2, 3.0
#: Sums of d . d below this are those of an object that goes on as it is (m^2/s^4).
LEAST = 0.08
#: No more than this is carried on, and half of it or less nearly as it is (m/s^2).
SOFT_MPS2 = 0.7
#: Changes beyond this are no driver's (m/s^2).
_MOST_MPS2 = 10.0

# Rows of each slot's state: motion, its last change, the average of its changes; sums of d . d and d . d_before and how
# many there were, all three fading; whether a velocity was measured. NumPy is slow along short rows.
_MOTION, _LAST, _MEAN, _FADING = slice(0, 2), slice(2, 4), slice(4, 6), slice(6, 9)
_SQUARES, _PRODUCTS, _COUNT, _MEASURED, _ROWS = 6, 7, 8, 9, 10
_RATES_PER_S: FloatArray = np.array([[-1.0 / MEMORY_S], [-1.0 / SMOOTH_S]])
#: A first change has no autocorrelation; this keeps from dividing by 0.
_TINY = 1e-6


def carried_s2(time_s: FloatArray) -> FloatArray:
    """Return how far (2, T) a change of 1 m/s^2 that fades carries in time_s (T,), for each of FADES_S."""
    return _carried_s2(time_s.tobytes())


@lru_cache(maxsize=16)  # a predictor's times do not change
def _carried_s2(time_s: bytes) -> FloatArray:
    fades_s = np.array(FADES_S)[:, None]
    after_s = np.frombuffer(time_s, np.float64)
    carried: FloatArray = fades_s * (after_s + fades_s * np.expm1(-after_s / fades_s))
    return carried


class SpeedChange:
    """Keeps for every slot how its velocity changes."""

    def __init__(self) -> None:
        """Start empty."""
        self._state: FloatArray = np.zeros((_ROWS, 0))

    def observed(
        self, observations: Observations, velocity_mps: FloatArray, speed_mps: FloatArray | None = None
    ) -> FloatArray:
        """Take the velocities (N, 2) of a frame and return the changes (2, N) that can be carried on, in m/s^2.

        Of wheeled objects that of the speed, in the first row; of others those of x and y. 0 where velocities are not
        measured, in the first frames of a track, and where the changes of a track are noise. speed_mps (N,): of the
        velocities, for callers that know it.
        """
        slot, dt_s = observations.slot, observations.dt_s
        self._state = grown(self._state, observations.slots, axis=1)
        state = self._state.take(slot, axis=1)
        wheeled = observations.wheeled
        motion = velocity_mps.T.copy()
        if speed_mps is None:
            speed_mps = np.hypot(motion[0], motion[1])
        np.copyto(motion[0], speed_mps, where=wheeled)
        motion[1] *= ~wheeled
        known = state[_MEASURED] > 0.0
        known &= observations.velocity_valid
        if len(observations.begun):
            known[observations.reset] = False
        if not all_true(known):
            row = (~known).nonzero()[0]
            state[:, row] = 0.0
            state[_MOTION, row] = motion[:, row]
        change = np.subtract(motion, state[_MOTION], out=state[_MOTION])  # beside the last change: see _taken
        change /= np.maximum(dt_s, _TINY)
        np.maximum(change, -_MOST_MPS2, out=change)
        np.minimum(change, _MOST_MPS2, out=change)
        mean = _taken(state, change, dt_s)
        state[_LAST], state[_MOTION], state[_MEASURED] = change, motion, observations.velocity_valid
        self._state[:, slot] = state
        share = _share(state)
        share *= SOFT_MPS2 / np.hypot(np.hypot(mean[0], mean[1]), SOFT_MPS2)
        return mean * share


def _taken(state: FloatArray, change: FloatArray, dt_s: FloatArray) -> FloatArray:
    """Take changes (2, N) into the state (_ROWS, N), in place; return their average (2, N), part of the state.

    The changes are in the state's rows of the motion.
    """
    kept, kept_of_mean = np.exp(_RATES_PER_S * dt_s)
    fading = state[_FADING]
    fading *= kept
    fading[2] += 1.0
    products = state[: _LAST.stop].reshape(2, 2, len(dt_s)) * change  # with itself and with the last one
    sums = fading[:2]
    sums += products[:, 0]
    sums += products[:, 1]
    mean = state[_MEAN]
    mean -= change
    mean *= kept_of_mean
    mean += change
    return mean


def _share(state: FloatArray) -> FloatArray:
    """Return how much (N,) of the average change counts, 0 to 1."""
    root = np.sqrt(state[_COUNT])
    share: FloatArray = state[_PRODUCTS] / (state[_SQUARES] + LEAST)  # less 1 / root, over 1 - 1 / root
    share *= root
    share -= 1.0
    root -= 1.0 - _TINY
    share /= root
    np.maximum(share, 0.0, out=share)
    return np.minimum(share, 1.0, out=share)
