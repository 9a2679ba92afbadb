"""Draw the most probable path towards physics, by as much as that made paths better elsewhere.

The errors of a network and of constant velocity are largely independent, so a mean of the two is better than either
where neither is much worse (Bates and Granger 1969, The combination of forecasts). How much constant velocity counts
depends on the class, the speed and the horizon: much at 1 s, where a measured velocity says nearly all; much for people
who walk and vehicles that cruise; nothing for vehicles that crawl, which stop, start and turn. How much standing still
counts depends on how long the object has stood.

The weights were chosen at sites that the default model was not trained on, see docs/self-judging.md.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trajnet.arrays import all_true, any_true
from trajnet.inference.judging.derived_velocity import is_filtered
from trajnet.inference.judging.speed_change import carried_s2
from trajnet.inference.judging.spread import CLASS_GROUP
from trajnet.inference.judging.way import SHORTEST_M, along, top_paths, way_of
from trajnet.tracking.store import Observations
from trajnet.types import BoolArray, FloatArray, IntArray, ObjectClass, Prediction

#: Horizons of CRUISE (s): between them the weights are linear in time, before and after them constant.
HORIZONS_S = (1.0, 2.0, 3.0, 4.0, 6.0)
#: Speeds of CRUISE (m/s): between them the weights are linear.
SPEEDS_MPS = (0.0, 1.0, 2.0, 3.0, 6.0, 11.0, 16.0)
#: Of constant velocity, for vehicles, riders and people, at each speed and horizon, rounded from what tools/top_path.py
#: prints. For vehicles never above 0.75: who is ahead is heeded after it (following.py), but from 11 m/s on most were
#: seen on one motorway. 0 where too few were seen: people who run. Those of riders are no fit, see the docs.
CRUISE: FloatArray = np.array(
    [
        [
            *[[0.00, 0.00, 0.00, 0.00, 0.00]] * 4,
            [0.45, 0.40, 0.35, 0.30, 0.30],
            [0.70, 0.70, 0.70, 0.70, 0.60],
            [0.75, 0.75, 0.75, 0.75, 0.75],
        ],
        [
            *[[0.00, 0.00, 0.00, 0.00, 0.00]] * 2,
            [0.30, 0.30, 0.30, 0.30, 0.30],
            *[[0.50, 0.50, 0.50, 0.50, 0.50]] * 4,
        ],
        [
            [0.20, 0.20, 0.25, 0.25, 0.35],
            [0.80, 0.65, 0.60, 0.60, 0.65],
            [0.50, 0.35, 0.35, 0.40, 0.45],
            [0.50, 0.35, 0.35, 0.40, 0.45],
            *[[0.00, 0.00, 0.00, 0.00, 0.00]] * 3,
        ],
    ]
)
#: Of the constant velocities, where the velocity was not measured but derived from positions; of people, whose velocity
#: is; of vehicles and riders, where a filter derived it, and of riders who go straight on, where it did (see
#: derived_velocity).
DERIVED_SHARE, PEOPLE_SHARE, FILTERED_SHARE, STRAIGHT_SHARE = 0.5, 0.75, 0.75, 2.0
#: Of standing still, for objects that have stood so long (s): between them linear in time, after them constant. What
#: has just stopped goes on soon, in a queue; what has stood for long is parked, waits or talks.
STOOD_S, STAND = (1.0, 2.0, 3.0, 6.0), (0.0, 0.5, 0.75, 0.95)
#: Of standing still, for objects that were seen once and without a velocity: this share of the probability of the modes
#: that end within STAYS_M, and at most so much. The model gives standing less than it deserves there.
SEEN_ONCE, SEEN_ONCE_MOST, STAYS_M = 2.5, 0.8, 2.0
#: The same of wheeled objects that appear beside known ones, for what is in view from the start drives more often; and
#: of those that were seen for up to NEW_S and not measured to move, while they are where they were first seen: what
#: noise makes of a parked car's first displacements is a velocity, too.
APPEARS, APPEARS_MOST, NEW_S = 4.0, 0.9, 2.0

#: A path that ends so far beside the line of constant velocity is drawn towards it half as much (m).
ASIDE_M = 3.0

#: Speeds are looked up in steps of this size (m/s).
_STEP_MPS = 0.1
_STOOD_S, _STAND = np.array(STOOD_S), np.array(STAND)


def group_of(object_class: NDArray[np.int8]) -> IntArray:
    """Return which of CRUISE objects of these classes take."""
    group: IntArray = CLASS_GROUP.take(object_class)
    return group


def combined(
    path_m: FloatArray, begin_m: FloatArray, velocity_mps: FloatArray, change_mps2: FloatArray, time_s: FloatArray,
    cruise: FloatArray, stand: FloatArray, wheeled: BoolArray, straight: BoolArray,
) -> FloatArray:  # fmt: skip
    """Return paths (N, T, 2) drawn towards constant velocity by cruise and towards standing still by stand (N, T).

    Vehicles and riders keep the way that the model sees, and the progress on it is combined: constant velocity knows
    the speed, but no bend. The positions of others are, and of those whose path is shorter than SHORTEST_M; there the
    weight falls with how far the path ends beside the line of constant velocity, to a half at ASIDE_M. The positions of
    straight ones are, wherever the model's path leads: it knows neither their speed nor their direction.
    begin_m (N, 2): where the objects are. velocity_mps (N, 2), change_mps2 (2, N): how it changes, see speed_change.
    time_s (T,). wheeled, straight (N,).
    """
    way = way_of(path_m, begin_m)
    cruise, velocity_mps = cruise.T, velocity_mps.T
    weight = cruise + stand.T
    follows = wheeled & ~straight & (way.passed_m[-1] >= SHORTEST_M)
    found_m, speed_mps = np.empty_like(path_m), np.hypot(velocity_mps[0], velocity_mps[1])
    if any_true(follows):
        progress_m = time_s[:, None] * speed_mps
        progress_m += carried_s2(time_s)[0, :, None] * change_mps2[0]
        np.maximum(progress_m, 0.0, out=progress_m)  # who brakes stops, and does not go back
        np.maximum.accumulate(progress_m, axis=0, out=progress_m)
        progress_m *= cruise
        progress_m += way.passed_m * (1.0 - weight)
        along_m = along(way, progress_m)
        along_m += begin_m.T[:, None]
        found_m[...] = along_m.T
    if not all_true(follows):
        row = (~follows).nonzero()[0]
        moved_m = _towards(
            way.gone_m.take(row, axis=2), velocity_mps.take(row, axis=1), speed_mps.take(row),
            change_mps2.take(row, axis=1) * ~wheeled[row], time_s, cruise.take(row, axis=1), weight.take(row, axis=1),
            straight.take(row),
        )  # fmt: skip
        found_m[row] = path_m.take(row, axis=0) + moved_m.T
    return found_m


def _towards(
    gone_m: FloatArray, velocity_mps: FloatArray, speed_mps: FloatArray, change_mps2: FloatArray, time_s: FloatArray,
    cruise: FloatArray, weight: FloatArray, straight: BoolArray,
) -> FloatArray:  # fmt: skip
    """Return how far (2, T, N) the positions of these paths are moved; see combined."""
    end_m = gone_m[:, -1]
    aside_m = velocity_mps[0] * end_m[1]
    aside_m -= velocity_mps[1] * end_m[0]
    aside_m /= np.maximum(speed_mps, 0.1)
    aside_m *= ~straight
    offset_m: FloatArray = velocity_mps[:, None] * time_s[:, None]
    offset_m += change_mps2[:, None] * carried_s2(time_s)[1, :, None]
    offset_m *= cruise
    offset_m -= weight * gone_m
    offset_m /= 1.0 + np.square(aside_m / ASIDE_M)
    return offset_m


class Combination:
    """Draws most probable paths towards constant velocity and standing still."""

    def __init__(self, time_s: FloatArray) -> None:
        """Prepare the weights for the predictor's times (T,)."""
        self._time_s = time_s
        steps = round(SPEEDS_MPS[-1] / _STEP_MPS) + 1
        speed_mps = np.arange(steps) * _STEP_MPS
        at_times = np.array([[np.interp(time_s, HORIZONS_S, row) for row in group] for group in CRUISE])
        by_speed = [[np.interp(speed_mps, SPEEDS_MPS, row) for row in group.T] for group in at_times]
        self._fastest = steps - 1
        self._first_of_class = steps * group_of(np.arange(len(ObjectClass), dtype=np.int8))
        self._cruise: FloatArray = np.concatenate(by_speed, axis=1)  # (T, groups and steps of speed)
        self._cruises: BoolArray = np.logical_or.reduce(self._cruise)

    def weights(
        self, observations: Observations, prediction: Prediction, speed_mps: FloatArray, stood_s: FloatArray,
        unmoved: BoolArray, model: BoolArray, straight: BoolArray,
    ) -> tuple[IntArray, FloatArray, FloatArray]:  # fmt: skip
        """Return the rows (M,) that are drawn, the weights of constant velocity (T, M), and of standing still (M,).

        model (N,): rows that the model answered; others are drawn towards standing still alone, by how long they have
        stood. speed_mps (N,): with which it goes on. stood_s (N,): how long it has stood. unmoved (N,): whether it is
        still where it was first seen. straight (N,): see derived_velocity.goes_by_filter.
        """
        step = speed_mps / _STEP_MPS
        np.minimum(step, self._fastest, out=step)
        place = np.rint(step).astype(np.int64)
        place += self._first_of_class.take(observations.object_class)
        stand: FloatArray = np.interp(stood_s, _STOOD_S, _STAND)
        drawn = self._cruises.take(place)
        drawn &= model
        share: FloatArray | None = None if all_true(model) else model.astype(np.float64)
        if not all_true(observations.velocity_valid):
            once = observations.reset & ~observations.velocity_valid  # one position tells no velocity
            derived = np.where(is_filtered(observations), FILTERED_SHARE, DERIVED_SHARE)
            derived[~observations.wheeled] = PEOPLE_SHARE
            derived[straight] = STRAIGHT_SHARE
            share = np.where(observations.velocity_valid, 1.0, np.where(once, 0.0, derived)) * model
            drawn &= ~once
            still_there = ~observations.velocity_valid & observations.wheeled & unmoved & (stood_s < NEW_S)
            if len(new := ((once | still_there) & model).nonzero()[0]):
                stand[new] = np.maximum(stand[new], _stand_of_new(new, observations, prediction))
        drawn |= stand > 0.0
        row = drawn.nonzero()[0]
        stand = stand.take(row)
        cruise: FloatArray = self._cruise.take(place.take(row), axis=1)
        if share is not None:
            cruise *= share.take(row)
        cruise *= 1.0 - stand
        return row, cruise, stand

    def draw(
        self, observations: Observations, prediction: Prediction, begin_m: FloatArray, velocity_mps: FloatArray,
        change_mps2: FloatArray, stood_s: FloatArray, unmoved: BoolArray, model: BoolArray, straight: BoolArray,
    ) -> None:  # fmt: skip
        """Move the most probable paths in place. model (N,): rows that the model answered, see weights.

        begin_m (N, 2), velocity_mps (N, 2): from where and with which velocity it goes on. change_mps2 (2, N): how that
        changes, see speed_change. stood_s (N,): how long it has stood. unmoved, straight (N,): see weights.
        """
        speed_mps = np.hypot(velocity_mps[:, 0], velocity_mps[:, 1])
        row, cruise, stand = self.weights(observations, prediction, speed_mps, stood_s, unmoved, model, straight)
        if not len(row):
            return
        paths_m, place = top_paths(prediction, row)
        paths_m[place] = combined(
            paths_m.take(place, axis=0), begin_m.take(row, axis=0), velocity_mps.take(row, axis=0),
            change_mps2.take(row, axis=1), self._time_s, cruise.T, stand[:, None],
            observations.wheeled.take(row), straight.take(row),
        )  # fmt: skip


def _stand_of_new(row: IntArray, observations: Observations, prediction: Prediction) -> FloatArray:
    """Return the weight of standing still of these rows (R,), new and without a measured velocity."""
    gone_m = prediction.position_m[row, :, -1] - observations.position_m[row, None]
    stays = np.hypot(gone_m[..., 0], gone_m[..., 1]) < STAYS_M
    appears = observations.wheeled[row] & (not all_true(observations.reset))
    share, most = np.where(appears, [[APPEARS], [APPEARS_MOST]], [[SEEN_ONCE], [SEEN_ONCE_MOST]])
    stand: FloatArray = np.minimum(share * (prediction.probability[row] * stays).sum(axis=1), most)
    return stand
