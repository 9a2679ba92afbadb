"""Draw the most probable path towards constant velocity, by as much as that made paths better elsewhere.

The errors of a network and of constant velocity are largely independent, so a mean of the two is better than either
where neither is much worse (Bates and Granger 1969, The combination of forecasts). How much constant velocity counts
depends on the class, the speed and the horizon: much at 1 s, where a measured velocity says nearly all; much for people
who walk and vehicles that cruise; nothing for vehicles that crawl, which stop, start and turn.

The weights were chosen at sites that the default model was not trained on, see docs/self-judging.md.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trajnet.tracking.store import Observations
from trajnet.types import WHEELED, BoolArray, FloatArray, IntArray, ObjectClass, Prediction

#: Horizons of WEIGHTS (s): between them the weights are linear in time, before and after them constant.
HORIZONS_S = (1.0, 2.0, 3.0, 4.0, 6.0)
#: Speeds of WEIGHTS (m/s): between them the weights are linear.
SPEEDS_MPS = (0.0, 1.0, 2.0, 3.0, 6.0, 11.0, 16.0)
#: Of constant velocity, for vehicles, riders and people, at each speed and horizon, rounded from what tools/top_path.py
#: prints. For vehicles and riders never above 0.6: what a bend asks for, constant velocity does not know. 0 where too
#: few were seen: riders that move, people who run.
WEIGHTS: FloatArray = np.array(
    [
        [
            [0.25, 0.15, 0.15, 0.15, 0.15],
            [0.00, 0.00, 0.00, 0.00, 0.00],
            [0.00, 0.00, 0.00, 0.00, 0.00],
            [0.00, 0.00, 0.00, 0.00, 0.00],
            [0.25, 0.25, 0.20, 0.20, 0.20],
            [0.60, 0.60, 0.50, 0.50, 0.45],
            [0.60, 0.60, 0.60, 0.60, 0.60],
        ],
        [
            [0.60, 0.60, 0.60, 0.60, 0.60],
            *[[0.00, 0.00, 0.00, 0.00, 0.00]] * 6,
        ],
        [
            [0.10, 0.10, 0.10, 0.10, 0.10],
            [0.75, 0.60, 0.60, 0.60, 0.60],
            [0.45, 0.35, 0.35, 0.40, 0.40],
            [0.45, 0.35, 0.35, 0.40, 0.40],
            *[[0.00, 0.00, 0.00, 0.00, 0.00]] * 3,
        ],
    ]
)
#: Of that, where the velocity was not measured but derived from positions.
DERIVED_SHARE = 0.5

#: Speeds are looked up in steps of this size (m/s).
_STEP_MPS = 0.1
_RIDERS = (ObjectClass.MOTORCYCLE, ObjectClass.BICYCLE)
_GROUP: IntArray = np.array([1 if kind in _RIDERS else 0 if WHEELED[kind] else 2 for kind in ObjectClass])


def group_of(object_class: NDArray[np.int8]) -> IntArray:
    """Return which of WEIGHTS objects of these classes take."""
    group: IntArray = _GROUP.take(object_class)
    return group


class Combination:
    """Draws most probable paths towards constant velocity."""

    def __init__(self, time_s: FloatArray) -> None:
        """Prepare the weights for the predictor's times (T,)."""
        self._time_s = time_s
        steps = round(SPEEDS_MPS[-1] / _STEP_MPS) + 1
        speed_mps = np.arange(steps) * _STEP_MPS
        at_times = np.array([[np.interp(time_s, HORIZONS_S, row) for row in group] for group in WEIGHTS])
        by_speed = [[np.interp(speed_mps, SPEEDS_MPS, row) for row in group.T] for group in at_times]
        self._fastest = steps - 1
        self._weight: FloatArray = np.array(by_speed).swapaxes(1, 2).reshape(-1, len(time_s))

    def weights(self, observations: Observations, velocity_mps: FloatArray) -> FloatArray:
        """Return the weights (N, T) of constant velocity. velocity_mps (N, 2): with which it goes on."""
        step = np.hypot(velocity_mps[:, 0], velocity_mps[:, 1])
        step /= _STEP_MPS
        np.minimum(step, self._fastest, out=step)
        group = group_of(observations.object_class)
        weight: FloatArray = self._weight.take(group * (self._fastest + 1) + np.rint(step).astype(np.int64), axis=0)
        if not observations.velocity_valid.all():
            known = np.where(observations.reset, 0.0, DERIVED_SHARE)  # one position tells no velocity
            weight *= np.where(observations.velocity_valid, 1.0, known)[:, None]
        return weight

    def draw(
        self, observations: Observations, prediction: Prediction, velocity_mps: FloatArray, model: BoolArray
    ) -> None:
        """Move the most probable path of each row that the model answered, model (N,), in place."""
        weight = self.weights(observations, velocity_mps)
        weight *= model[:, None]
        row = np.arange(len(weight))
        mode = prediction.probability.argmax(axis=1)
        path_m = prediction.position_m[row, mode]
        offset_m = self._time_s[:, None] * velocity_mps[:, None]
        offset_m += observations.position_m[:, None]
        offset_m -= path_m
        offset_m *= weight[:, :, None]
        offset_m += path_m
        prediction.position_m[row, mode] = offset_m
