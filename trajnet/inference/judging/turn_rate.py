"""How fast each vehicle turns, as far as its own past shows the turn to be real.

On a roundabout, a ramp or in a car park a vehicle goes on turning. Yaws from frame to frame show the rate, but also the
noise of the tracker: 1 degree of it makes 14 degrees/s at 10 Hz. The slope of a line through the yaws of the last
moments has a twentieth of it, and counts by the share that its square has of itself, its own variance (Wiener's
shrinkage) and LEAST_RADPS^2: nearly whole on a curve, next to nothing where a lane winds or noise makes a slope. And
who turns now left, now right, sways: of the rate counts the square of the share that the turns of the last seconds,
taken together, have in the sum of their sizes, unless it has turned farther one way than anyone sways.
"""

from __future__ import annotations

import numpy as np

from trajnet.arrays import grown
from trajnet.geometry import wrap_angle
from trajnet.inference.judging.limits import clearly_beyond
from trajnet.inference.physics import MAX_CURVATURE_PER_M, MAX_YAW_RATE_RADPS
from trajnet.tracking.store import Observations
from trajnet.types import BoolArray, FloatArray

#: Yaws count 1 / e in the line after so long, and nothing is said before they cover so much (s).
MEMORY_S, LEAST_S = 0.6, 0.45
#: What is taken for the noise of a yaw (rad), for as much as PRIOR_COUNT yaws say of it; they are forgotten after (s).
PRIOR_NOISE_RAD, PRIOR_COUNT, NOISE_MEMORY_S = 0.03, 2.0, 3.0
#: A slope of this size counts half: less than that is how roads wind and lanes are changed, and does not go on.
LEAST_RADPS = 0.04
#: What an object turned on the whole, and all its turns, are forgotten after (s).
SWAY_MEMORY_S = 3.0
#: Of what has turned so far one way, the rate counts by a half at least; nobody sways so far (rad).
BEND_RAD = 0.5
#: A larger difference of two yaws is no turn, but a front that was taken for the rear (rad).
MOST_RAD = 0.5 * np.pi

# Rows of each slot's state: sums over the faded yaws, of 1, t, t^2, yaw and t yaw, with time and yaw counted from the
# present ones; over a longer memory the squared errors with which the line foretold a yaw, and their number; since when
# there are yaws; what the object turned in the last seconds, the size of all its turns, and what it turned one way last
# (rad). NumPy is slow along short rows.
_ONE, _T, _T2, _YAW, _T_YAW, _ERRORS, _COUNT, _SINCE, _TURNED, _TURNS, _BEND, _ROWS = range(12)
#: A line that ends so uncertainly, compared with a single yaw, foretells nothing.
_MOST_LEVERAGE = 30.0
_TINY = 1e-6


class TurnRate:
    """Keeps for every slot the line through its last yaws."""

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
        state[:, observations.reset] = 0.0
        turned_rad = wrap_angle(observations.yaw_rad - observations.previous_yaw_rad)
        counts = observations.yaw_valid == observations.previous_yaw_valid
        counts &= np.abs(turned_rad) < MOST_RAD
        counts &= observations.yaw_valid | (np.abs(turned_rad) <= MAX_YAW_RATE_RADPS * dt_s)
        _advance(state, dt_s, turned_rad, counts)
        state[:, ~(observations.wheeled & observations.heading_known)] = 0.0
        found = _shrunk(state)
        found *= _one_way(state, found, dt_s)
        self._state[:, slot] = state
        limit = np.minimum(MAX_CURVATURE_PER_M * speed_mps, MAX_YAW_RATE_RADPS)
        np.maximum(found, -limit, out=found)
        return np.minimum(found, limit, out=found)


def _advance(state: FloatArray, dt_s: FloatArray, turned_rad: FloatArray, counts: BoolArray) -> None:
    """Go on by dt_s (N,), in which the yaws turned by turned_rad (N,). state (_ROWS, N) changes in place.

    Where that does not count (N,), the line goes on as it was, without a new yaw.
    """
    one, t, t2, yaw, t_yaw = state[:_ERRORS]
    slope, determinant = _line(state)
    turned_rad = np.where(counts, turned_rad, slope * dt_s)
    t2 += dt_s * (dt_s * one - 2.0 * t)
    yaw -= turned_rad * one
    t_yaw -= turned_rad * t + dt_s * yaw
    t -= dt_s * one
    leverage = t2 / determinant
    error = (t2 * yaw - t * t_yaw) / determinant
    tells = counts & (leverage < _MOST_LEVERAGE) & (one > 0.0)
    state[_ERRORS : _COUNT + 1] *= np.exp(dt_s / -NOISE_MEMORY_S)
    state[_ERRORS] += tells * (error * error) / (1.0 + leverage)
    state[_COUNT] += tells
    state[:_ERRORS] *= np.exp(dt_s / -MEMORY_S)
    state[_SINCE] += dt_s * (one > 0.0)
    one += counts | (one == 0.0)


def _line(state: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the slope of each line (N,), rad/s, and the determinant of its equations (N,)."""
    one, t, t2, yaw, t_yaw = state[:_ERRORS]
    determinant: FloatArray = np.maximum(one * t2 - t * t, _TINY * _TINY)
    return (one * t_yaw - t * yaw) / determinant, determinant


def _shrunk(state: FloatArray) -> FloatArray:
    """Return the slopes (N,) of the state (_ROWS, N) as far as they count."""
    slope, determinant = _line(state)
    squared = slope * slope
    noise = (state[_ERRORS] + PRIOR_COUNT * PRIOR_NOISE_RAD**2) / (state[_COUNT] + PRIOR_COUNT)
    noise *= state[_ONE] / determinant
    slope *= squared / (squared + noise + LEAST_RADPS**2)
    slope *= state[_SINCE] >= LEAST_S
    return slope


def _one_way(state: FloatArray, rate_radps: FloatArray, dt_s: FloatArray) -> FloatArray:
    """Take the rates (N,) into the state (_ROWS, N), in place; return how much (N,) turns were one way, 0 to 1."""
    turned_rad = rate_radps * dt_s
    state[_TURNED : _TURNS + 1] *= np.exp(dt_s / -SWAY_MEMORY_S)
    state[_TURNED] += turned_rad
    state[_TURNS] += np.abs(turned_rad)
    share: FloatArray = np.square(state[_TURNED]) + _TINY
    share /= np.square(state[_TURNS]) + _TINY
    bend_rad = state[_BEND]
    bend_rad *= bend_rad * turned_rad >= 0.0
    bend_rad += turned_rad
    return np.maximum(share, clearly_beyond(bend_rad, BEND_RAD))
