"""Draw the most probable path of fast vehicles by what the stream has learned about the traffic that it sees.

Drivers on one road are predicted with errors that they share: here queues dissolve faster than the model believes,
there constant velocity is right, or the vehicle ahead counts for more. So the error along the path is explained by a
few features of the prediction, in one regression over all fast vehicles of the stream. It takes each answer once that
is old enough to be held against where the vehicle is. What it says of the present answers is added to their progress.

How features and constants were chosen: docs/self-judging.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trajnet.arrays import StructOfArrays, all_true, grown
from trajnet.inference.judging.following import VEHICLES
from trajnet.inference.judging.limits import Limits
from trajnet.inference.judging.regression import Regression
from trajnet.inference.judging.ring import Ring, flat
from trajnet.inference.judging.speed_change import carried_s2
from trajnet.inference.judging.way import SHORTEST_M, Way, along, pieces_of, top_paths, way_of
from trajnet.tracking.store import Observations
from trajnet.types import BoolArray, FloatArray, IntArray, Prediction

#: Who is slower is neither learned from nor drawn (m/s): in slow traffic, what held a moment ago does not go on.
FAST_MPS = 8.0
#: Ages at which answers are judged (s): the first of the predictor's times from each on.
HORIZONS_S = (1.0, 2.0, 3.0, 6.0)
#: An answer of each vehicle is kept so often (s).
CADENCE_S = 1.0
#: Evidence for the prediction as it is, in squares of the features per second of age, (m/s)².
RIDGE = 30.0
#: Errors count fully up to TOLERANCE_MPS times the age, and are MOST_MPS times it at most.
TOLERANCE_MPS, MOST_MPS = 0.5, 3.0
#: What was learned counts 1 / e after so long (s).
MEMORY_S = 300.0
#: Nobody is drawn farther than this would take it from now on (m/s²).
LIMIT_MPS2 = 1.2
#: Scales of features that would be learned too fast without: of the progress itself, and of the change of speed.
OWN_SHARE, CHANGE_SHARE = 0.05, 0.5
#: Two of the weights may change with the horizon: these features come once more, times t / TURNS_S - TURNS_AT.
TURNS_S, TURNS_AT = 6.0, 0.5

#: In their order: pull of the leader, constant velocity, progress, change of speed, mean of the modes, time; then the
#: first two with a weight of the horizon.
FEATURES = 8


@dataclass(frozen=True, eq=False)
class _Kept(StructOfArrays):
    """The kept answers of each slot, in a ring of L, at H horizons.

    point_m, direction (S, L, H, 2): where the vehicle was to be, and the direction of its path there. speed_mps
    (S, L, H): of the path there. feature (S, L, H, FEATURES): per second of age. count (S, L): how much it counts.
    """

    point_m: FloatArray
    direction: FloatArray
    speed_mps: FloatArray
    feature: FloatArray
    count: FloatArray


class Learning:
    """Learns how fast vehicles get on differently from what is predicted, and draws their most probable paths so."""

    def __init__(self, time_s: FloatArray) -> None:
        """Start without knowledge. time_s (T,): of all predictions; they must reach the first of HORIZONS_S."""
        self.regression = Regression(FEATURES, ridge=RIDGE, tolerance=TOLERANCE_MPS, memory_s=MEMORY_S)
        self._time_s = time_s[:, None]
        self._carried_s2 = CHANGE_SHARE * carried_s2(time_s)[0, :, None]
        self._limits = Limits(time_s, LIMIT_MPS2, LIMIT_MPS2)
        place = np.searchsorted(time_s, np.array(HORIZONS_S) - 1e-9)
        self._place: IntArray = np.unique(place[place < len(time_s)])
        self._age_s: FloatArray = time_s.take(self._place)
        self._turns = np.minimum(self._time_s, self._age_s[-1]) / TURNS_S - TURNS_AT  # nothing is known beyond that
        self._step_s: FloatArray = np.diff(time_s, prepend=0.0).take(self._place)
        self._ring = Ring(CADENCE_S, tuple(self._age_s.tolist()), float(self._age_s[-1]) + CADENCE_S)
        self._last_ns = 0
        kept = (0, self._ring.length, len(self._age_s))
        self._kept = _Kept(
            np.zeros((*kept, 2)), np.zeros((*kept, 2)), np.zeros(kept), np.zeros((*kept, FEATURES)), np.zeros(kept[:2])
        )

    def observe(self, observations: Observations) -> None:
        """Learn from the kept answers whose time has come by the positions of this frame."""
        self._ring.begin(observations.slots, observations.begun)
        if self._ring.capacity > len(self._kept.count):
            self._kept = grown(self._kept, self._ring.capacity)
        row, entry, horizon, age_s = self._ring.due(observations.slot, observations.timestamp_ns)
        if not len(row):
            return
        kept, place = self._kept, entry * len(self._age_s) + horizon
        off_m = observations.position_m.take(row, axis=0) - kept.point_m.reshape(-1, 2).take(place, axis=0)
        off_m *= kept.direction.reshape(-1, 2).take(place, axis=0)
        error_m = off_m[:, 0] + off_m[:, 1]
        error_m -= kept.speed_mps.reshape(-1).take(place) * (age_s - self._age_s.take(horizon))
        error_mps = np.minimum(np.maximum(error_m / age_s, -MOST_MPS), MOST_MPS)
        feature = kept.feature.reshape(-1, FEATURES).take(place, axis=0)
        dt_s = max(observations.timestamp_ns - self._last_ns, 0) * 1e-9
        self.regression.take(feature, error_mps, kept.count.reshape(-1).take(entry), dt_s)
        self._last_ns = observations.timestamp_ns

    def draw(
        self, observations: Observations, prediction: Prediction, speed_mps: FloatArray, change_mps2: FloatArray,
        pull_m: FloatArray | None, model: BoolArray,
    ) -> None:  # fmt: skip
        """Keep the most probable path of each fast vehicle that the model answered, model (N,); then move it, in place.

        speed_mps, change_mps2 (N,): with which each goes on, and how that changes. pull_m (T, N): of leaders, see
        following.py; None where nobody is heeded.
        """
        fast = VEHICLES.take(observations.object_class) & model
        fast &= speed_mps >= FAST_MPS
        row = fast.nonzero()[0]
        if not len(row):
            return
        paths_m, place = top_paths(prediction, row)
        begin_m = observations.position_m.take(row, axis=0)
        way = way_of(paths_m.take(place, axis=0), begin_m)
        goes = way.passed_m[-1] >= SHORTEST_M
        if not all_true(goes):
            row, place, begin_m, way = row[goes], place[goes], begin_m[goes], way.take(goes.nonzero()[0])
            if not len(row):
                return
        pieces = pieces_of(way)
        feature = self._features(way, speed_mps.take(row), change_mps2.take(row))
        feature[0] = 0.0 if pull_m is None else pull_m.take(row, axis=1)
        feature[4] = self._mean_m(prediction, row, begin_m, way, pieces)
        np.multiply(feature[:2], self._turns, out=feature[6:])
        self._keep(observations, row, way, begin_m, pieces, feature)
        if not self.regression.taken:
            return
        progress_m = self._progress_m(way.passed_m, feature, observations.object_class.take(row))
        paths_m[place] = (along(way, progress_m, pieces) + begin_m.T[:, None]).T

    def _features(self, way: Way, speed_mps: FloatArray, change_mps2: FloatArray) -> FloatArray:
        """Return the features (FEATURES, T, R) of R paths, in m of progress; only those of motion are set."""
        feature = np.empty((FEATURES, *way.length_m.shape))
        np.multiply(self._time_s, speed_mps, out=feature[1])
        feature[1] -= way.passed_m
        np.multiply(OWN_SHARE, way.passed_m, out=feature[2])
        np.multiply(self._carried_s2, change_mps2, out=feature[3])
        feature[5] = self._time_s
        return feature

    def _progress_m(self, passed_m: FloatArray, feature: FloatArray, object_class: NDArray[np.int8]) -> FloatArray:
        """Return how far R vehicles are on their paths by what was learned, (T, R)."""
        moved_m: FloatArray = (self.regression.weight @ feature.reshape(FEATURES, -1)).reshape(passed_m.shape)
        least_m, most_m = self._limits.of(passed_m, object_class)
        np.minimum(np.maximum(moved_m, least_m), most_m, out=moved_m)
        moved_m += passed_m
        np.maximum(moved_m, 0.0, out=moved_m)
        return np.maximum.accumulate(moved_m, axis=0)

    @staticmethod
    def _mean_m(prediction: Prediction, row: IntArray, begin_m: FloatArray, way: Way, pieces: FloatArray) -> FloatArray:
        """Return how far ahead of these paths the mean of all modes is, (T, R), along the paths."""
        probability = prediction.probability.take(row, axis=0)[:, None]
        modes_m = prediction.position_m.take(row, axis=0)
        modes_m -= begin_m[:, None, None]  # first: probabilities that add up to 1 but for rounding, times coordinates
        mean_m = (probability @ modes_m.reshape(len(row), prediction.modes, -1)).reshape(len(row), -1, 2)
        ahead_m = (mean_m.T - way.gone_m) * pieces[2:]
        total_m: FloatArray = ahead_m[0] + ahead_m[1]
        return total_m

    def _keep(
        self, observations: Observations, row: IntArray, way: Way, begin_m: FloatArray, pieces: FloatArray,
        feature: FloatArray,
    ) -> None:  # fmt: skip
        """Keep the answers of those of the rows (R,) whose turn it is."""
        wanted = np.zeros(len(observations), np.bool_)
        wanted[row] = True
        kept = self._ring.keep(observations.slot, observations.timestamp_ns, wanted)
        if not len(kept.row):
            return
        path, place, entry = row.searchsorted(kept.row), self._place, kept.entry  # rows rise
        point_m = way.gone_m.take(place, axis=1).take(path, axis=2) + begin_m.take(path, axis=0).T[:, None]
        speed_mps = way.length_m.take(place, axis=0).take(path, axis=1) / self._step_s[:, None]
        per_s = feature.take(place, axis=1).take(path, axis=2) / self._age_s[:, None]
        flat(self._kept.point_m)[entry] = point_m.T
        flat(self._kept.direction)[entry] = pieces[2:].take(place, axis=1).take(path, axis=2).T
        flat(self._kept.speed_mps)[entry] = speed_mps.T
        flat(self._kept.feature)[entry] = per_s.T
        flat(self._kept.count)[entry] = kept.weight
