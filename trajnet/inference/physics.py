"""Kinematic baselines: constant velocity, constant turn rate and velocity, and a Kalman filter.

The model is compared with them, and they replace its paths where it gives none.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from trajnet.arrays import all_true, any_true, grown
from trajnet.geometry import wrap_angle
from trajnet.inference.base import BasePredictor
from trajnet.tracking.plausibility import max_speed_mps
from trajnet.tracking.store import Observations
from trajnet.types import WHEELED, BoolArray, FloatArray, IntArray, ObjectClass, Prediction, Source

DEFAULT_TIME_S: FloatArray = np.linspace(0.5, 6.0, 12)

#: Standard deviation of the acceleration that constant motion ignores, along and across the heading (m/s^2), and of
#: the present position (m): the covariance at time t is sigma_0^2 + (a t^2 / 2)^2.
SIGMA_ALONG_MPS2 = 1.2
SIGMA_ACROSS_MPS2 = 0.5
SIGMA_POSITION_M = 0.3

#: Turn rates and curvatures beyond these are tracker noise, not motion.
MAX_YAW_RATE_RADPS = 1.0
MAX_CURVATURE_PER_M = 0.2

#: Where velocities are derived and frames at least so far apart (s), the last displacement of people is their velocity.
SPARSE_S = 0.3

#: Share of a class's highest speed up to which rounding decides nothing.
SURELY_SLOWER = 0.999

_WHEELED: BoolArray = np.array(WHEELED)
_PEDESTRIAN = int(ObjectClass.PEDESTRIAN)
#: As a plain number: NumPy looks up an enumeration each time.
_PHYSICS = int(Source.PHYSICS)


def observed_velocity(observations: Observations) -> FloatArray:
    """Return velocities (N, 2), m/s in the map frame: measured, else the last displacement over its time, else zero.

    Speeds are limited to the highest of the object's class (tracking.plausibility): jitter between two frames that are
    a millisecond apart would otherwise give absurd ones.
    """
    if all_true(observations.velocity_valid):
        speed_mps = np.hypot(observations.velocity_mps[:, 0], observations.velocity_mps[:, 1])
        if all_true(speed_mps <= SURELY_SLOWER * max_speed_mps(observations.object_class)):  # nearly always
            return observations.velocity_mps
    fresh = observations.reset | (observations.dt_s <= 0)
    dt_s = np.where(fresh, 1.0, observations.dt_s)[:, None]
    differenced = np.where(fresh[:, None], 0.0, (observations.position_m - observations.previous_position_m) / dt_s)
    velocity = np.where(observations.velocity_valid[:, None], observations.velocity_mps, differenced)
    return limited_to_class(velocity, observations.object_class)


def steadied_velocity(observations: Observations) -> FloatArray:
    """Return velocities (N, 2), m/s in the map frame: measured, else the steady one (tracking.motion).

    The displacement between two frames has the noise of both, and the more so the closer they are. That of people in
    sparse frames is taken as it is: at two frames a second they have changed their pace by the time a mean follows.
    """
    velocity = observed_velocity(observations)
    if all_true(observations.velocity_valid):
        return velocity
    steadied = ~(observations.velocity_valid | observations.reset)
    steadied &= (observations.object_class != _PEDESTRIAN) | (observations.dt_s < SPARSE_S)
    steady = limited_to_class(observations.steady_velocity_mps, observations.object_class)
    return np.where(steadied[:, None], steady, velocity)


def limited_to_class(velocity_mps: FloatArray, object_class: NDArray[np.int8]) -> FloatArray:
    """Return the velocities (N, 2), m/s, with speeds up to the highest of the class (N,)."""
    largest = np.maximum(np.abs(velocity_mps).max(axis=1, keepdims=True), 1e-9)  # squares must not overflow
    direction = velocity_mps / largest
    length = np.maximum(np.hypot(direction[:, :1], direction[:, 1:]), 1e-9)
    limit_mps = max_speed_mps(object_class)[:, None]
    return np.where(largest * length > limit_mps, direction * (limit_mps / length), velocity_mps)


def speed_and_course(observations: Observations, velocity_mps: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return signed speeds (N,) in m/s and courses (N,) in rad, map frame.

    velocity_mps (N, 2): of the objects, map frame. The course of wheeled objects with known yaw is
    their yaw, with a negative speed in reverse; that of others is the direction of their velocity.
    """
    x, y = velocity_mps.T
    speed, course = np.hypot(x, y), observations.yaw_rad
    along_yaw = observations.yaw_valid & _WHEELED.take(observations.object_class)
    if any_true(along_yaw):
        backward = x * np.cos(course) + y * np.sin(course) < 0
        np.negative(speed, out=speed, where=backward & along_yaw)
    if not all_true(along_yaw):
        course = np.where((speed > 1e-6) & ~along_yaw, np.arctan2(y, x), course)
    return speed, course


def growing_covariance(time_s: FloatArray, course_rad: FloatArray) -> FloatArray:
    """Return covariances (N, T, 2, 2), m^2 in the map frame, for constant motion along course_rad (N,)."""
    return _spread_along(time_s, np.cos(course_rad)[:, None], np.sin(course_rad)[:, None])


def _spread_along(time_s: FloatArray, cos: FloatArray, sin: FloatArray) -> FloatArray:
    """Return growing_covariance for courses with this cosine and sine, (N, 1) each."""
    along_m2, across_m2, difference_m2 = _growing_variances(time_s.tobytes())
    cos2, sin2 = cos * cos, sin * sin
    spread = np.empty((len(cos), len(time_s), 2, 2))
    np.add(cos2 * along_m2, sin2 * across_m2, out=spread[:, :, 0, 0])
    np.add(sin2 * along_m2, cos2 * across_m2, out=spread[:, :, 1, 1])
    spread[:, :, 0, 1] = spread[:, :, 1, 0] = cos * sin * difference_m2
    return spread


@lru_cache(maxsize=16)
def _growing_variances(time_s: bytes) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the variances (T,) along and across the course, and their difference, m^2."""
    squared = np.frombuffer(time_s) ** 2
    along_m2 = SIGMA_POSITION_M**2 + (0.5 * SIGMA_ALONG_MPS2 * squared) ** 2
    across_m2 = SIGMA_POSITION_M**2 + (0.5 * SIGMA_ACROSS_MPS2 * squared) ** 2
    return along_m2, across_m2, along_m2 - across_m2


def arc(
    speed_mps: FloatArray, course_rad: FloatArray, rate_radps: FloatArray, time_s: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return how far along x and y, (N, T) each in m, objects have come that keep their speed and their turn rate.

    speed_mps, course_rad (N,): now; negative speeds are backwards. rate_radps (N,): 0 is straight on. time_s (T,). The
    chord of an arc of the angle a is sin(a / 2) / (a / 2) times as long as it, and turned by a / 2 from its beginning.
    """
    half = 0.5 * (rate_radps[:, None] * time_s)
    chord_m = speed_mps[:, None] * time_s * np.sinc(half / np.pi)
    course = course_rad[:, None] + half
    return chord_m * np.cos(course), chord_m * np.sin(course)


def single_mode(
    observations: Observations,
    time_s: FloatArray,
    position_m: FloatArray,
    yaw_rad: FloatArray,
    covariance_m2: FloatArray,
) -> Prediction:
    """Return a Prediction with one mode of probability 1 from (N, T, ...) arrays, labelled as physics."""
    count = len(observations)
    return Prediction(
        observations.timestamp_ns, observations.track_id, time_s, position_m[:, None], yaw_rad[:, None],
        covariance_m2[:, None], np.ones((count, 1)), np.full(count, _PHYSICS, np.int8), np.zeros(count),
    )  # fmt: skip


class ConstantVelocity(BasePredictor):
    """Constant speed along a straight line."""

    name = "cv"
    modes = 1

    def __init__(self, time_s: FloatArray = DEFAULT_TIME_S, *, steadied: bool = False) -> None:
        """Set the times. steadied: where velocities are not measured, whether steadied_velocity stands for them.

        As a baseline it takes the last displacement, as the literature does. Who has to act on the answer is better off
        with the other.
        """
        self.time_s = np.asarray(time_s, dtype=np.float64)
        self._steadied = steadied

    def predict(self, observations: Observations) -> Prediction:
        velocity_mps = steadied_velocity(observations) if self._steadied else observed_velocity(observations)
        speed, course = speed_and_course(observations, velocity_mps)
        travelled = speed[:, None] * self.time_s
        position = np.empty((*travelled.shape, 2))
        cos, sin = np.cos(course)[:, None], np.sin(course)[:, None]
        for axis, direction in enumerate((cos, sin)):
            along = np.multiply(travelled, direction, out=position[..., axis])
            along += observations.position_m[:, axis, None]
        yaw = observations.yaw_rad.repeat(len(self.time_s)).reshape(travelled.shape)
        return single_mode(observations, self.time_s, position, yaw, _spread_along(self.time_s, cos, sin))


class ConstantTurnRate(BasePredictor):
    """Constant speed and turn rate (CTRV): an arc. The turn rate is that of the last two measured yaws, bounded."""

    name = "ctrv"
    modes = 1

    def __init__(self, time_s: FloatArray = DEFAULT_TIME_S) -> None:
        self.time_s = np.asarray(time_s, dtype=np.float64)

    def predict(self, observations: Observations) -> Prediction:
        speed, course = speed_and_course(observations, observed_velocity(observations))
        measured = observations.yaw_valid & observations.previous_yaw_valid
        unknown = observations.reset | (observations.dt_s <= 0) | ~measured
        turned = wrap_angle(observations.yaw_rad - observations.previous_yaw_rad)
        rate = np.where(unknown, 0.0, turned / np.where(unknown, 1.0, observations.dt_s))
        limit = np.minimum(MAX_YAW_RATE_RADPS, MAX_CURVATURE_PER_M * np.abs(speed))
        rate = np.clip(rate, -limit, limit)
        position = observations.position_m[:, None] + np.stack(arc(speed, course, rate, self.time_s), axis=-1)
        yaw = observations.yaw_rad[:, None] + rate[:, None] * self.time_s
        return single_mode(observations, self.time_s, position, yaw, growing_covariance(self.time_s, course))


class KalmanConstantVelocity(BasePredictor):
    """A Kalman filter over (x, y, vx, vy) with white acceleration noise, one per slot; the path is its propagation.

    Process noise: continuous white acceleration (Bar-Shalom, Estimation with Applications to Tracking, 6.2.2).
    """

    name = "kalman"
    modes = 1

    def __init__(
        self,
        time_s: FloatArray = DEFAULT_TIME_S,
        *,
        acceleration_density: float = 1.0,
        position_sigma_m: float = 0.15,
        velocity_sigma_mps: float = 0.5,
        first_speed_sigma_mps: float = 10.0,
    ) -> None:
        """Set the filter's noise. acceleration_density: power spectral density of the acceleration, m^2/s^3."""
        self.time_s = np.asarray(time_s, dtype=np.float64)
        self._density = acceleration_density
        self._position_variance = position_sigma_m**2
        self._velocity_variance = velocity_sigma_mps**2
        self._first_variance = first_speed_sigma_mps**2
        self.state_owner = object()
        self._forgotten: set[int] = set()
        self._mean = np.zeros((0, 4))
        self._covariance = np.zeros((0, 4, 4))

    def predict(self, observations: Observations) -> Prediction:
        slot = observations.slot
        slots = int(slot.max()) + 1 if len(slot) else 0
        self._mean, self._covariance = grown(self._mean, slots), grown(self._covariance, slots)
        fresh = observations.reset | np.isin(slot, list(self._forgotten))
        self._forgotten.difference_update(slot.tolist())
        mean, covariance = self._mean[slot], self._covariance[slot]
        mean[fresh] = 0.0
        mean[fresh, :2] = observations.position_m[fresh]
        covariance[fresh] = np.diag([self._position_variance] * 2 + [self._first_variance] * 2)
        ahead_s = np.where(fresh, 0.0, observations.dt_s)
        mean, covariance = self._ahead(mean, covariance, ahead_s)
        measured = ~fresh
        mean, covariance = _correct(mean, covariance, observations.position_m, 0, self._position_variance, measured)
        mean, covariance = _correct(
            mean, covariance, observations.velocity_mps, 2, self._velocity_variance, observations.velocity_valid
        )
        self._mean[slot], self._covariance[slot] = mean, covariance
        times, every = len(self.time_s), np.repeat(np.arange(len(slot)), len(self.time_s))
        paths, spreads = self._ahead(mean[every], covariance[every], np.tile(self.time_s, len(slot)))  # all at once
        position = paths[:, :2].reshape(-1, times, 2)
        spread = spreads[:, :2, :2].reshape(-1, times, 2, 2)
        speed = np.hypot(mean[:, 2], mean[:, 3])
        still = observations.yaw_valid | (speed < 0.5)
        yaw = np.where(still, observations.yaw_rad, np.arctan2(mean[:, 3], mean[:, 2]))
        return single_mode(observations, self.time_s, position, np.repeat(yaw[:, None], len(self.time_s), 1), spread)

    def forget(self, slots: IntArray) -> None:
        self._forgotten.update(int(s) for s in slots)

    def _ahead(self, mean: FloatArray, covariance: FloatArray, dt_s: FloatArray) -> tuple[FloatArray, FloatArray]:
        count = len(mean)
        step = np.tile(np.eye(4), (count, 1, 1))
        step[:, 0, 2] = step[:, 1, 3] = dt_s
        noise = np.zeros((count, 4, 4))
        for axis in (0, 1):
            noise[:, axis, axis] = dt_s**3 / 3
            noise[:, axis, axis + 2] = noise[:, axis + 2, axis] = dt_s**2 / 2
            noise[:, axis + 2, axis + 2] = dt_s
        moved = np.einsum("nij,nj->ni", step, mean)
        return moved, step @ covariance @ np.swapaxes(step, 1, 2) + self._density * noise


def _correct(
    mean: FloatArray, covariance: FloatArray, measured: FloatArray, first: int, variance: float, rows: BoolArray
) -> tuple[FloatArray, FloatArray]:
    """Apply the Kalman update to rows with a measurement (N, 2) of the state's elements first and first + 1."""
    part = slice(first, first + 2)
    innovation = measured - mean[:, part]
    gain = covariance[:, :, part] @ np.linalg.inv(covariance[:, part, part] + variance * np.eye(2))
    corrected = mean + np.einsum("nij,nj->ni", gain, innovation)
    shrunk = covariance - gain @ covariance[:, part, :]
    shrunk = 0.5 * (shrunk + np.swapaxes(shrunk, 1, 2))
    return np.where(rows[:, None], corrected, mean), np.where(rows[:, None, None], shrunk, covariance)
