"""Where bicycles are heading on the whole: the direction of a line through their last positions.

A cyclist sways: at 5 m/s by 0.2 m every 2 s, with a course that swings by 7 degrees. Constant velocity along the course
of the moment is 4 m aside after 6 s, and which side depends on the moment. The line through the positions of the last
seconds hardly swings.
"""

from __future__ import annotations

import numpy as np

from trajnet.arrays import grown
from trajnet.inference.physics import SPARSE_S
from trajnet.tracking.store import Observations
from trajnet.types import BoolArray, FloatArray, ObjectClass

#: Positions count 1 / e in the line after so long, and it says nothing before their mean age is so much (s).
MEMORY_S, LEAST_AGE_S = 1.0, 0.3
#: Who turns faster than this is on a curve (rad/s); who is slower than this has no course (m/s).
CURVE_RADPS, LEAST_MPS = 0.05, 0.5

# Rows of each slot's state: faded sums over the positions, of 1, t, t^2, x, y, t x and t y, with time and place counted
# from the present ones. NumPy is slow along short rows.
_ONE, _T, _T2, _PLACE, _T_PLACE, _ROWS = 0, 1, 2, slice(3, 5), slice(5, 7), 7
_TINY = 1e-9
_BICYCLE = int(ObjectClass.BICYCLE)


class MeanCourse:
    """Keeps for every slot the line through its last positions."""

    def __init__(self) -> None:
        """Start empty."""
        self._state: FloatArray = np.zeros((_ROWS, 0))
        self._known: BoolArray = np.zeros(0, np.bool_)  # slots that were a bicycle's at their last observation

    def observed(
        self, observations: Observations, speed_mps: FloatArray, course_rad: FloatArray, rate_radps: FloatArray
    ) -> FloatArray:
        """Take the positions of a frame and return the courses (N,) in rad, map frame, with which objects go on.

        speed_mps, course_rad, rate_radps (N,): their present speeds, courses and rates of turn. The course is that of
        the line for bicycles that go straight on, in frames less than SPARSE_S apart: others are few positions in the
        line's memory.
        """
        self._state = grown(self._state, observations.slots, axis=1)
        self._known = grown(self._known, observations.slots)
        known = self._known.take(observations.slot)
        known &= ~observations.reset
        bicycle = observations.object_class == _BICYCLE
        self._known[observations.slot] = bicycle
        row = bicycle.nonzero()[0]
        if not len(row):
            return course_rad
        slot, dt_s = observations.slot.take(row), observations.dt_s.take(row)
        state = self._state.take(slot, axis=1)
        state[:, ~known.take(row)] = 0.0
        moved_m = (observations.position_m - observations.previous_position_m).take(row, axis=0).T
        _advance(state, dt_s, moved_m)
        self._state[:, slot] = state
        direction, known = _direction(state)
        known &= (dt_s < SPARSE_S) & (speed_mps.take(row) >= LEAST_MPS)
        known &= np.abs(rate_radps.take(row)) < CURVE_RADPS
        course_rad = course_rad.copy()
        course_rad[row[known]] = np.arctan2(direction[1], direction[0])[known]
        return course_rad


def _advance(state: FloatArray, dt_s: FloatArray, moved_m: FloatArray) -> None:
    """Go on by dt_s (N,) and moved_m (2, N) to a new position. state (_ROWS, N) changes in place."""
    one, t, t2, place, t_place = state[_ONE], state[_T], state[_T2], state[_PLACE], state[_T_PLACE]
    t_place -= moved_m * t + dt_s * place
    t_place += dt_s * moved_m * one
    place -= moved_m * one
    t2 += dt_s * (dt_s * one - 2.0 * t)
    t -= dt_s * one
    state *= np.exp(dt_s / -MEMORY_S)
    one += 1.0


def _direction(state: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Return the velocities (2, N) of the lines, m/s, and where they say something (N,)."""
    one, t, t2 = state[_ONE], state[_T], state[_T2]
    determinant = one * t2 - t * t
    known = (determinant > _TINY) & (-t > LEAST_AGE_S * one)
    slope: FloatArray = one * state[_T_PLACE] - t * state[_PLACE]
    slope /= np.where(known, determinant, 1.0)
    return slope, known
