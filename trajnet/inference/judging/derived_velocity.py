"""The velocity of vehicles and riders whose velocity is not measured, by a Kalman filter of each track.

The steady velocity (tracking.motion) forgets within 0.4 s, however noisy the positions are and however long the object
has kept its pace. The filter weighs each displacement by how well the velocity is known already: a state of position
and velocity with continuous white acceleration noise (Bar-Shalom, Li, Kirubarajan 2001, Estimation with Applications to
Tracking and Navigation, chapter 6.2.2). Both axes have the same noise and share their covariance.
"""

from __future__ import annotations

import numpy as np

from trajnet.arrays import all_true, grown
from trajnet.inference.physics import SPARSE_S, limited_to_class, steadied_velocity
from trajnet.tracking.store import Observations
from trajnet.types import BoolArray, FloatArray

#: The noise of trajnet.inference.physics.KalmanConstantVelocity: the power spectral density of the acceleration
#: (m^2/s^3), the variance of a position (m^2) and that of a velocity of which nothing is known (m^2/s^2).
ACCELERATION_DENSITY, POSITION_M2, FIRST_M2PS2 = 1.0, 0.15**2, 10.0**2

# Rows of each slot's state: how far the filtered position is from the observed one (m), the velocity (m/s), and the
# variance of the position, its covariance with the velocity, and the variance of that, along each axis.
_OFF, _VELOCITY, _POSITION_VARIANCE, _COVARIANCE, _VELOCITY_VARIANCE, _ROWS = slice(0, 2), slice(2, 4), 4, 5, 6, 7


def is_filtered(observations: Observations) -> BoolArray:
    """Return for which objects (N,) of a frame the filter's velocity is taken.

    Vehicles and riders without a measured velocity, from their second observation on, in frames less than SPARSE_S
    apart. At two frames a second a tracker's last displacement is its news, and no filter knows better.
    """
    filtered = observations.wheeled & ~observations.velocity_valid
    filtered &= (observations.dt_s > 0.0) & (observations.dt_s < SPARSE_S) & ~observations.reset
    return filtered


class DerivedVelocity:
    """The state of the filter for each slot."""

    def __init__(self) -> None:
        """Start empty."""
        self._state: FloatArray = np.zeros((_ROWS, 0))  # NumPy is slow along short rows
        self._known: BoolArray = np.zeros(0, np.bool_)  # slots that were filtered when they were observed last
        self._used = False

    def observed(self, observations: Observations) -> FloatArray:
        """Take the observations of a frame and return their velocities (N, 2), m/s in the map frame.

        Measured ones as they are, else the filter's where is_filtered says so, else those of physics.steadied_velocity.
        """
        if all_true(observations.velocity_valid):
            if self._used:
                self._known = grown(self._known, observations.slots)
                self._known[observations.slot] = False
            return observations.velocity_mps
        velocity_mps = steadied_velocity(observations)
        self._used = True
        self._state = grown(self._state, observations.slots, axis=1)
        self._known = grown(self._known, observations.slots)
        known = self._known.take(observations.slot)
        known &= ~observations.reset
        self._known[observations.slot] = False
        row = (observations.wheeled & ~observations.velocity_valid).nonzero()[0]
        if not len(row):
            return velocity_mps
        slot, known = observations.slot.take(row), known.take(row)
        state = self._state.take(slot, axis=1)
        _begin(state, ~known)
        dt_s = observations.dt_s.take(row) * ~observations.reset.take(row)
        displacement_m = (observations.position_m - observations.previous_position_m).take(row, axis=0).T
        _step(state, displacement_m, dt_s)
        self._state[:, slot] = state
        self._known[slot] = True
        taken = is_filtered(observations).take(row)
        row = row[taken]
        velocity_mps[row] = limited_to_class(state[_VELOCITY].T[taken], observations.object_class.take(row))
        return velocity_mps


def _begin(state: FloatArray, new: BoolArray) -> None:
    """Forget all that is known of these (N,): they are where they were observed, at any velocity."""
    if new.any():
        state[:, new] = 0.0
        state[_POSITION_VARIANCE, new], state[_VELOCITY_VARIANCE, new] = POSITION_M2, FIRST_M2PS2


def _step(state: FloatArray, displacement_m: FloatArray, dt_s: FloatArray) -> None:
    """Take displacements (2, N) over dt_s (N,) into the state, in place; where dt_s is 0 nothing is measured."""
    off_m, velocity_mps = state[_OFF], state[_VELOCITY]
    position_m2, covariance, velocity_m2ps2 = state[_POSITION_VARIANCE], state[_COVARIANCE], state[_VELOCITY_VARIANCE]
    off_m += velocity_mps * dt_s
    off_m -= displacement_m
    position_m2 += dt_s * (2.0 * covariance + dt_s * velocity_m2ps2) + ACCELERATION_DENSITY / 3.0 * dt_s**3
    covariance += dt_s * velocity_m2ps2 + 0.5 * ACCELERATION_DENSITY * np.square(dt_s)
    velocity_m2ps2 += ACCELERATION_DENSITY * dt_s
    measured = (dt_s > 0.0) / (position_m2 + POSITION_M2)
    gain, gain_of_velocity = position_m2 * measured, covariance * measured
    velocity_mps -= gain_of_velocity * off_m
    off_m *= 1.0 - gain
    velocity_m2ps2 -= gain_of_velocity * covariance
    covariance *= 1.0 - gain
    position_m2 *= 1.0 - gain
