"""Put crossings among the modes of people near a crosswalk, as far as the predictor has not given them already.

P(crosses within 6 s) is a table (table.py). The predictor's own paths onto the crosswalk have the probability m; the
crossing gets p = (P - m) / (1 - m), so that p + (1 - p) m = P, and nothing where m is P already. For people who move, P
is that of those whom the predictor sees nowhere on the crosswalk: they get nothing where m is LEAST_PROBABILITY or
more. The other modes keep their proportions and sum to 1 - p. The most probable path stays the most probable one. The
number of modes stays: a crossing takes the place of the least probable ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trajnet.context.crosswalks import CrosswalkGrid, Crosswalks
from trajnet.inference.crossing.approach import Approach, approach_of
from trajnet.inference.crossing.own_paths import BELOW_FIRST, enters, weigh_by_lights
from trajnet.inference.crossing.signals import SignalMemory
from trajnet.inference.crossing.table import PROBABILITY, START_S, WALKING_MPS, across_sigma_m, along_sigma_m
from trajnet.inference.judging.experts import velocity_of
from trajnet.tracking.store import Observations
from trajnet.types import BoolArray, Expert, FloatArray, IntArray, ObjectClass, Prediction, Source

#: Less probable crossings are left out: a planner would brake for each.
LEAST_PROBABILITY = 0.05
#: What is left to all other modes, at least.
LEFT_TO_OTHERS = 0.05
#: An object gets at most so many.
MOST_CROSSINGS = 2
#: Faster ones are no walkers and no slow riders (m/s); slower moving ones cross at this speed.
FASTEST_MPS, SLOWEST_MPS = 8.0, 0.7

_CLASSES: BoolArray = np.array([kind in (ObjectClass.PEDESTRIAN, ObjectClass.BICYCLE) for kind in ObjectClass])
#: As plain numbers: NumPy looks up each comparison with an enumeration.
_CROSSING, _UNKNOWN, _MODEL = int(Expert.CROSSING), int(Expert.UNKNOWN), int(Expert.MODEL)
_FROM_MODEL = int(Source.MODEL)


@dataclass
class CrossingCounters:
    """Since the start. near_rows: people within reach of a crosswalk. crossing_rows: of those, who got a crossing.

    crossing_modes: the crossings. signal_rows: people at a crosswalk whose traffic lights were known then.
    """

    near_rows: int = 0
    crossing_rows: int = 0
    crossing_modes: int = 0
    signal_rows: int = 0


class Crossing:
    """Adds crossings to predictions; the crosswalks of one map.

    near_row (R,): rows of the last observations whose objects are people within reach of a crosswalk.
    """

    def __init__(self, crosswalks: Crosswalks, probability: FloatArray = PROBABILITY) -> None:
        """Prepare the grid of the crosswalks. probability: by distance and motion, see table.PROBABILITY."""
        self._probability = probability
        self.counters = CrossingCounters()
        self.near_row: IntArray = np.zeros(0, np.int64)
        self.signals = SignalMemory(crosswalks)
        self._grid = CrosswalkGrid(crosswalks)

    def added(self, observations: Observations, prediction: Prediction) -> Prediction:
        """Return the prediction with crossings, labelled; its own arrays change. It has two modes or more."""
        prediction = _labelled(prediction)
        row = self.near_row = np.flatnonzero(_CLASSES.take(observations.object_class))
        if not len(row):
            return prediction
        velocity_mps = velocity_of(observations.select(row))
        found = approach_of(self._grid, observations.position_m[row], velocity_mps)
        found.valid[found.speed_mps > FASTEST_MPS] = False
        near: BoolArray = np.asarray(found.valid.any(axis=1))
        row, found = row[near], _rows(found, near)
        self.near_row = row
        self.counters.near_rows += len(row)
        if not len(row):
            return prediction
        weigh_by_lights(self._grid.crosswalks, self.signals, found, prediction, row, observations.timestamp_ns)
        share = self._shares(found, prediction, row, observations.timestamp_ns)
        self._enter(found, share, observations, prediction, row)
        return prediction

    def _shares(self, found: Approach, prediction: Prediction, row: IntArray, now_ns: int) -> FloatArray:
        """Return the probabilities (N, M) that crossings add; 0: none."""
        factor, known = self.signals.factors(found.crosswalk, now_ns)
        self.counters.signal_rows += int(np.count_nonzero((known & found.valid).any(axis=1)))
        wanted = np.where(
            found.valid, np.minimum(self._probability[found.distance_bin, found.state] * factor, 1.0), 0.0
        )
        added: FloatArray = np.zeros_like(wanted)
        which, column = np.nonzero(wanted >= LEAST_PROBABILITY)
        entering = enters(self._grid.crosswalks, found.at(which, column), prediction, row[which])
        given = (entering * prediction.probability[row[which]]).sum(axis=-1)
        lacking = np.maximum(wanted[which, column] - given, 0.0) / np.maximum(1.0 - given, 1e-9)
        lacking[(found.state[which, column] > 0) & (given >= LEAST_PROBABILITY)] = 0.0
        added[which, column] = lacking
        added[added < LEAST_PROBABILITY] = 0.0
        total = added.sum(axis=1, keepdims=True)
        added *= np.minimum(1.0, (1.0 - LEFT_TO_OTHERS) / np.maximum(total, 1e-9))
        return added

    def _enter(
        self, found: Approach, share: FloatArray, observations: Observations, prediction: Prediction, row: IntArray
    ) -> None:
        """Put the most probable crossings of each row among its modes."""
        most = min(MOST_CROSSINGS, prediction.modes - 1)
        best = np.argsort(-share, axis=1, kind="stable")[:, :most]
        share = np.take_along_axis(share, best, axis=1)
        place = np.argsort(prediction.probability[row], axis=1, kind="stable")[:, :most]
        share[:, 1:][share[:, 1:] <= np.take_along_axis(prediction.probability[row], place[:, 1:], 1)] = 0.0
        first = prediction.probability[row].max(axis=1)[:, None]  # a crossing never leads: the top path stays
        np.minimum(share, BELOW_FIRST * first / (1.0 + (share > 0).sum(axis=1, keepdims=True) * first), out=share)
        which, order = np.nonzero(share > 0)
        if not len(which):
            return
        rows, mode, chosen = row[which], place[which, order], best[which, order]
        path_m, yaw_rad, covariance_m2 = self._paths(
            found, which, chosen, observations.position_m[rows], prediction.time_s, observations.object_class[rows]
        )
        probability = prediction.probability
        probability[rows, mode] = 0.0
        changed = row[share.any(axis=1)]
        left = 1.0 - share.sum(axis=1)[share.any(axis=1)]
        probability[changed] *= (left / np.maximum(probability[changed].sum(axis=1), 1e-12))[:, None]
        probability[rows, mode] = share[which, order]
        probability[changed] /= probability[changed].sum(axis=1, keepdims=True)
        prediction.position_m[rows, mode], prediction.yaw_rad[rows, mode] = path_m, yaw_rad
        prediction.covariance_m2[rows, mode] = covariance_m2
        assert prediction.expert is not None
        prediction.expert[rows, mode] = _CROSSING
        self.counters.crossing_rows += len(changed)
        self.counters.crossing_modes += len(rows)

    def _paths(
        self, found: Approach, which: IntArray, chosen: IntArray, position_m: FloatArray, time_s: FloatArray,
        object_class: NDArray[np.int8],
    ) -> tuple[FloatArray, FloatArray, FloatArray]:  # fmt: skip
        """Return positions (R, T, 2), headings (R, T) and covariances (R, T, 2, 2): to the entry, then along the axis.

        Beyond the far end they go on.
        """
        walks, pair = self._grid.crosswalks, found.at(which, chosen)
        axis, length_m = walks.axis[pair.crosswalk], walks.length_m[pair.crosswalk]
        ahead = pair.ahead[:, None] * axis
        along_m = np.where(pair.ahead > 0, pair.entry_m, length_m - pair.entry_m)[:, None]
        left = np.stack([-axis[:, 1], axis[:, 0]], axis=-1)
        start_m = walks.begin_m[pair.crosswalk] + along_m * axis + pair.lateral_m[:, None] * left
        first_m = start_m - position_m
        reach_m = np.hypot(first_m[:, 0], first_m[:, 1])
        towards = np.where(reach_m[:, None] > 1e-3, first_m / np.maximum(reach_m, 1e-3)[:, None], ahead)
        stands = pair.state == 0
        speed_mps = np.where(stands, WALKING_MPS[object_class], np.maximum(pair.speed_mps, SLOWEST_MPS))
        gone_m = speed_mps[:, None] * np.maximum(time_s - np.where(stands, START_S, 0.0)[:, None], 0.0)
        before_m = np.minimum(gone_m, reach_m[:, None])
        path_m = position_m[:, None] + before_m[..., None] * towards[:, None]
        path_m += (gone_m - before_m)[..., None] * ahead[:, None]
        on = (gone_m > reach_m[:, None])[..., None]
        way = np.where(on, ahead[:, None], towards[:, None])
        return path_m, np.arctan2(way[..., 1], way[..., 0]), _covariances(way, stands, time_s)


def _covariances(way: FloatArray, stands: BoolArray, time_s: FloatArray) -> FloatArray:
    """Return covariances (R, T, 2, 2) along and across the directions way (R, T, 2)."""
    along_m2, across_m2 = along_sigma_m(stands, time_s) ** 2, across_sigma_m(time_s)[None] ** 2
    outer = way[..., :, None] * way[..., None, :]
    covariance_m2: FloatArray = (along_m2 - across_m2)[..., None, None] * outer
    covariance_m2 += across_m2[..., None, None] * np.eye(2)
    return covariance_m2


def _labelled(prediction: Prediction) -> Prediction:
    """Return the prediction with who predicted each mode: where nothing judges itself, MODEL or UNKNOWN by row."""
    if prediction.expert is not None:
        return prediction
    row = np.where(prediction.source == _FROM_MODEL, np.int8(_MODEL), np.int8(_UNKNOWN))
    return prediction.labelled(np.repeat(row[:, None], prediction.modes, axis=1))


def _rows(found: Approach, kept: BoolArray) -> Approach:
    return Approach(**{name: value[kept] for name, value in vars(found).items()})
