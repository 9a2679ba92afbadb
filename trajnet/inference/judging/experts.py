"""The experts beside the model: constant velocity and standing still, with their spread where they lead."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajnet.inference.physics import steadied_velocity
from trajnet.tracking.store import Observations
from trajnet.types import Expert, FloatArray, IntArray, ObjectClass

#: As plain numbers: NumPy looks up each comparison with an enumeration.
CONSTANT_VELOCITY, STANDING, UNKNOWN = int(Expert.CONSTANT_VELOCITY), int(Expert.STANDING), int(Expert.UNKNOWN)

#: Standard deviation of constant velocity along each axis, where past errors have put it first: a * t ** b in m.
#: Fitted to the median error of such objects; ConstantVelocity's own covariance is that of any object, five times this.
VEHICLE_SIGMA, PEOPLE_SIGMA = (0.30, 1.4), (0.10, 1.25)
#: The same of standing: a + b * t.
STANDING_SIGMA_M, STANDING_SIGMA_MPS = 0.08, 0.025
#: The measured position is no better than this (m).
LEAST_SIGMA_M = 0.05

#: Yaws of the axes: cosines of the differences from them are the heading vector, (cos yaw, sin yaw).
_X_AND_Y_RAD = np.array([[0.0], [0.5 * np.pi]])
_PEOPLE = [kind in (ObjectClass.UNKNOWN, ObjectClass.PEDESTRIAN) for kind in ObjectClass]
#: For an expert and a class: which covariances of Spreads.
_KIND: IntArray = np.array([[0 if expert == STANDING else 1 + people for people in _PEOPLE] for expert in Expert])


def velocity_of(observations: Observations, velocity_mps: FloatArray | None = None) -> FloatArray:
    """Return the velocities (N, 2), m/s, with which constant velocity goes on: along the yaw for wheeled objects.

    velocity_mps (N, 2): the velocities, map frame. None: those of physics.steadied_velocity.
    """
    if velocity_mps is None:
        velocity_mps = steadied_velocity(observations)
    x_mps, y_mps = velocity_mps.T
    heading = np.cos(observations.yaw_rad - _X_AND_Y_RAD)  # (2, N): axes first, NumPy is slow along short ones
    speed_mps = np.copysign(np.hypot(x_mps, y_mps), x_mps * heading[0] + y_mps * heading[1])
    along_yaw = observations.wheeled & observations.yaw_valid
    heading *= speed_mps
    return np.where(along_yaw, heading, velocity_mps.T).T


class Motion(NamedTuple):
    """How N objects go on at constant velocity: what trajnet.inference.physics.arc takes, (N,) each."""

    speed_mps: FloatArray
    course_rad: FloatArray
    rate_radps: FloatArray

    def take(self, row: IntArray) -> Motion:
        """Return those of these rows, as copies."""
        return Motion(*(values.take(row) for values in self))


class Spreads:
    """Covariances of the experts at the predictor's times."""

    def __init__(self, time_s: FloatArray) -> None:
        """Prepare them for time_s (T,)."""
        sigma_m = [STANDING_SIGMA_M + STANDING_SIGMA_MPS * time_s]
        sigma_m += [np.maximum(a * time_s**b, LEAST_SIGMA_M) for a, b in (VEHICLE_SIGMA, PEOPLE_SIGMA)]
        self._covariance_m2 = np.square(np.stack(sigma_m))[..., None, None] * np.eye(2)

    def of(self, expert: IntArray, object_class: NDArray[np.int8]) -> FloatArray:
        """Return covariances (R, T, 2, 2) of one expert (R,) each, for objects of these classes (R,)."""
        return self._covariance_m2.take(_KIND[expert, object_class], axis=0)
