"""How the velocity of each object changes, as far as its own past shows the change to be real.

Constant velocity misses by half the acceleration times the square of the time. Differences of measured velocities
show the acceleration, but also the noise of the tracker. The two differ in what comes next: while an object brakes,
the changes of its velocity have the same sign one after the other; those of independent noise have opposite signs. So
a change counts by the autocorrelation of the track's own changes, less one standard error of it: the mean of
d . d_before over that of d . d, of which 1 / sqrt(n) is the standard error where there is none (Bartlett 1946).

A change does not go on for ever: its rate falls to 1 / e in FADES_S. It is carried on until the velocity has changed by
its own size at most: what brakes stops, and does not drive back.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from trajnet.arrays import grown
from trajnet.tracking.store import Observations
from trajnet.types import WHEELED, BoolArray, FloatArray

#: The rate of a change falls to 1 / e in this time (s): of vehicles and riders, and of people.
FADES_S = (2.0, 0.5)
#: Changes are averaged with this time constant, and their autocorrelation has this memory (s).
SMOOTH_S, MEMORY_S = 0.2, 3.0
#: Changes below this are none (m^2/s^4): of d . d, summed.
LEAST = 0.08
#: Changes beyond this are no driver's (m/s^2).
MOST_MPS2 = 10.0
#: Velocities further apart in time than this tell no change (s).
LONGEST_STEP_S = 1.0

# Rows of each slot's state: motion, its last change and the average of its changes; sums of d . d and d . d_before, how
# many there were, all three fading; whether a velocity was measured. NumPy is slow along short rows.
_MOTION, _LAST, _MEAN, _SUMS, _COUNT, _MEASURED, _ROWS = slice(0, 2), slice(2, 4), slice(4, 6), slice(6, 8), 8, 9, 10

_WHEELED: BoolArray = np.array(WHEELED)
_FADES_S: FloatArray = np.where(_WHEELED, *FADES_S)


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

    def observed(self, observations: Observations, velocity_mps: FloatArray) -> FloatArray:
        """Take the velocities (N, 2) of a frame and return the changes (N, 2) that can be carried on, in m/s^2.

        Of wheeled objects that of the speed, in the first column; of others those of x and y. 0 where velocities are
        not measured, in the first frames of a track, and where the changes of a track are noise.
        """
        slot, dt_s = observations.slot, observations.dt_s
        self._state = grown(self._state, observations.slots, axis=1)
        if len(observations.begun):
            self._state[:, observations.begun] = 0.0
        state = self._state.take(slot, axis=1)
        wheeled = _WHEELED.take(observations.object_class)
        speed_mps = np.hypot(velocity_mps[:, 0], velocity_mps[:, 1])
        known = observations.velocity_valid & (state[_MEASURED] > 0) & (dt_s <= LONGEST_STEP_S)
        motion = velocity_mps.T.copy()
        np.copyto(motion[0], speed_mps, where=wheeled)
        motion[1] *= ~wheeled
        change = motion - state[_MOTION]
        change *= known / np.maximum(dt_s, 1e-3)
        np.maximum(change, -MOST_MPS2, out=change)
        np.minimum(change, MOST_MPS2, out=change)
        mean = _averaged(state, change, known, dt_s)
        state[_MOTION], state[_LAST], state[_MEASURED] = motion, change, observations.velocity_valid
        self._state[:, slot] = state
        size_mps2 = np.hypot(mean[0], mean[1])
        share = speed_mps / np.maximum(size_mps2 * _FADES_S.take(observations.object_class), 1e-6)
        np.minimum(share, _share(state), out=share)
        mean *= share
        found: FloatArray = mean.T
        return found


def _averaged(state: FloatArray, change: FloatArray, known: BoolArray, dt_s: FloatArray) -> FloatArray:
    """Take changes (2, N) into the state (_ROWS, N), in place; return their average (2, N), which may be changed."""
    fading = state[_SUMS.start : _COUNT + 1]
    fading *= np.exp(dt_s / -MEMORY_S) * known
    fading[2] += known
    for row, other in enumerate((change, state[_LAST])):
        product = change * other
        fading[row] += product[0]
        fading[row] += product[1]
    mean = state[_MEAN]
    mean -= change
    mean *= np.exp(dt_s / -SMOOTH_S) * known
    mean += change
    return mean.copy()


def _share(state: FloatArray) -> FloatArray:
    """Return how much (N,) of the average change counts, 0 to 1."""
    error = 1.0 / np.sqrt(np.maximum(state[_COUNT], 1.0))
    alike = state[_SUMS.stop - 1] / (state[_SUMS.start] + LEAST)
    share: FloatArray = (alike - error) / np.maximum(1.0 - error, 1e-6)
    np.maximum(share, 0.0, out=share)
    return np.minimum(share, 1.0, out=share)
