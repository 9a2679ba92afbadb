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
from trajnet.types import BoolArray, FloatArray, IntArray, ObjectClass

#: The noise of trajnet.inference.physics.KalmanConstantVelocity: the power spectral density of the acceleration
#: (m^2/s^3), the variance of a position (m^2), of a measured velocity and of one that is not known at all (m^2/s^2).
ACCELERATION_DENSITY, POSITION_M2, MEASURED_M2PS2, FIRST_M2PS2 = 1.0, 0.15**2, 0.5**2, 10.0**2

#: A rider who turns faster than this is on a bend (rad/s).
BEND_RADPS = 0.2

_RIDERS: BoolArray = np.array([kind in (ObjectClass.MOTORCYCLE, ObjectClass.BICYCLE) for kind in ObjectClass])
# Rows of each slot's state: how far the filtered position is from the observed one (m), the velocity (m/s), and the
# variance of the position, its covariance with the velocity, and the variance of that, along each axis.
_OFF, _VELOCITY, _POSITION_VARIANCE, _COVARIANCE, _VELOCITY_VARIANCE, _ROWS = slice(0, 2), slice(2, 4), 4, 5, 6, 7
#: Such states where an object is observed: without any velocity, and with a measured one.
_UNKNOWN, _MEASURED = np.array([[0.0, 0.0, 0.0, 0.0, POSITION_M2, 0.0, v] for v in (FIRST_M2PS2, MEASURED_M2PS2)])[
    ..., None
]


def is_filtered(observations: Observations) -> BoolArray:
    """Return for which objects (N,) of a frame the filter's velocity is taken.

    Vehicles and riders without a measured velocity, from their second observation on, in frames less than SPARSE_S
    apart. At two frames a second a tracker's last displacement is its news, and no filter knows better.
    """
    filtered = observations.wheeled & ~observations.velocity_valid
    filtered &= (observations.dt_s > 0.0) & (observations.dt_s < SPARSE_S)
    return filtered


def goes_by_filter(observations: Observations, rate_radps: FloatArray) -> BoolArray:
    """Return which objects (N,) are riders whose velocity is the filter's and who go straight on.

    rate_radps (N,): how fast they turn. Riders sway, and the model's steady velocity sways with them: the filter knows
    better than the model where they are going. On a bend the model does.
    """
    if all_true(observations.velocity_valid):
        return np.zeros(len(observations), np.bool_)
    riders = is_filtered(observations)
    riders &= _RIDERS.take(observations.object_class)
    riders &= np.abs(rate_radps) < BEND_RADPS
    return riders


class DerivedVelocity:
    """The state of the filter for each slot."""

    def __init__(self) -> None:
        """Start empty."""
        self._state: FloatArray = np.zeros((_ROWS, 0))  # NumPy is slow along short rows
        self._known: BoolArray = np.zeros(0, np.bool_)  # slots whose state is of their last observation

    def observed(self, observations: Observations) -> FloatArray:
        """Take the observations of a frame and return their velocities (N, 2), m/s in the map frame.

        Measured ones as they are, else the filter's where is_filtered says so, else those of physics.steadied_velocity.
        """
        self._state = grown(self._state, observations.slots, axis=1)
        self._known = grown(self._known, observations.slots)
        if all_true(observations.velocity_valid):
            self._begin_measured(observations.slot, observations.velocity_mps)
            return observations.velocity_mps
        velocity_mps = steadied_velocity(observations)
        known = self._known.take(observations.slot)
        self._known[observations.slot] = False
        row = observations.velocity_valid.nonzero()[0]
        self._begin_measured(observations.slot.take(row), observations.velocity_mps.take(row, axis=0))
        row = (observations.wheeled & ~observations.velocity_valid).nonzero()[0]
        if not len(row):
            return velocity_mps
        slot = observations.slot.take(row)
        state = self._state.take(slot, axis=1)
        new = (~known | observations.reset).take(row)
        state[:, new] = _UNKNOWN
        displacement_m = (observations.position_m - observations.previous_position_m).take(row, axis=0).T
        _step(state, displacement_m, observations.dt_s.take(row))
        self._state[:, slot] = state
        self._known[slot] = True
        taken = is_filtered(observations).take(row)
        row = row[taken]
        velocity_mps[row] = limited_to_class(state[_VELOCITY].T[taken], observations.object_class.take(row))
        return velocity_mps

    def position_m(self, observations: Observations) -> FloatArray:
        """Return the positions (N, 2) in m, map frame, of the frame that was observed last, without the filter's noise.

        Only those of objects that is_filtered names mean anything.
        """
        position_m: FloatArray = observations.position_m + self._state[_OFF].T.take(observations.slot, axis=0)
        return position_m

    def _begin_measured(self, slot: IntArray, velocity_mps: FloatArray) -> None:
        """Take measured velocities (M, 2): the filter goes on from the last one where there is none."""
        state = np.empty((_ROWS, len(slot)))
        state[...] = _MEASURED
        state[_VELOCITY] = velocity_mps.T
        self._state[:, slot] = state
        self._known[slot] = True


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
