"""Temporal consistency of a stream of predictions: jumps of the best path and flips of the best mode between frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajnet import metrics
from trajnet.arrays import StructOfArrays, concat, grown
from trajnet.context.surroundings import Surroundings
from trajnet.inference import Stream
from trajnet.inference.priority import Ego
from trajnet.types import CLASS_NAMES, BoolArray, FloatArray, IntArray, Prediction, TrackFrame

#: Successive observations further apart than this are not compared.
MAX_STEP_S = 1.0

DEFINITIONS = {
    "pairs": f"two predictions of one object from successive observations at most {MAX_STEP_S:g} s apart",
    "jump_m": "mean distance between the two most probable paths at the same absolute times, over the times of the "
    "later prediction from now on that both reach, up to the scored horizon; mean over pairs "
    "(p95: the 95th percentile, to 0.5 %)",
    "end_jump_m": "the distance at the last of those times",
    "flip_share": "share of pairs whose best mode became another: the mode that now ends closest to the previous best "
    f"path is not the most probable one, which ends {metrics.SAME_MANOEUVRE_M:g} m or more away from it",
    "flips_per_object_minute": "flips over the time between the observations of all pairs",
}


@dataclass(frozen=True, eq=False)
class Steps(StructOfArrays):
    """P pairs of successive predictions of one object each. All (P,); jump_m and end_jump_m in metres."""

    object_class: NDArray[np.int8]
    dt_s: FloatArray
    jump_m: FloatArray
    end_jump_m: FloatArray
    flip: BoolArray


#: No pairs: where a stream had no frames that follow each other.
NO_STEPS = Steps(np.zeros(0, np.int8), np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0, np.bool_))


class PathWatch:
    """Compares each prediction with the one before it of the same track."""

    def __init__(self, time_s: FloatArray) -> None:
        self._time_s = np.concatenate([[0.0], time_s])
        self._place: dict[str, int] = {}  # of each track in the arrays below
        self._when_ns = np.zeros(0, np.int64)
        self._best_m = np.zeros((0, len(self._time_s), 2))
        self._steps: list[Steps] = []

    def add(
        self,
        timestamp_ns: int,
        track_id: Sequence[str],
        object_class: NDArray[np.int8],
        position_m: FloatArray,
        path_m: FloatArray,
        probability: FloatArray,
    ) -> None:
        """Take the predictions of N observed tracks: position_m (N, 2) now, path_m (N, K, T, 2), probability (N, K)."""
        if not len(track_id):
            return
        known = len(self._place)
        place = np.array([self._place.setdefault(track, len(self._place)) for track in track_id])
        self._when_ns, self._best_m = (grown(kept, len(self._place)) for kept in (self._when_ns, self._best_m))
        step_ns = np.where(place < known, timestamp_ns - self._when_ns[place], 0)
        paths_m = np.empty((*path_m.shape[:2], len(self._time_s), 2))
        paths_m[:, :, 0], paths_m[:, :, 1:] = position_m[:, None], path_m
        best_m = paths_m[np.arange(len(track_id)), probability.argmax(axis=1)]
        for each_ns in np.unique(step_ns).tolist():
            if 0 < each_ns <= MAX_STEP_S * 1e9:
                rows = np.flatnonzero(step_ns == each_ns)
                before_m, kinds = self._best_m[place[rows]], object_class[rows]
                compared = before_m, best_m[rows], paths_m[rows], probability[rows], kinds, each_ns * 1e-9
                self._steps.append(self._compared(*compared))
        self._when_ns[place], self._best_m[place] = timestamp_ns, best_m

    def _compared(
        self,
        previous_m: FloatArray,
        best_m: FloatArray,
        paths_m: FloatArray,
        probability: FloatArray,
        kinds: NDArray[np.int8],
        dt_s: float,
    ) -> Steps:
        before_m = metrics.moved_on(previous_m, self._time_s, dt_s)
        common = before_m.shape[1]
        jump_m = metrics.path_jump(before_m, best_m[:, :common])
        flip = metrics.mode_flip(before_m[:, -1], paths_m[:, :, common - 1], probability)
        return Steps(kinds, np.full(len(kinds), dt_s), jump_m.mean(axis=1), jump_m[:, -1], flip)

    def steps(self) -> Steps:
        """Return all pairs so far."""
        return concat([NO_STEPS, *self._steps])


class WatchedStream(Stream):
    """A Stream that also watches how steady its answers are, up to until_s, so that models of any reach compare."""

    watch: PathWatch | None = None
    until_s: float = float("inf")

    def update(
        self,
        frame: TrackFrame,
        now_ns: int,
        ego: Ego | None = None,
        *,
        surroundings: Surroundings | None = None,
        begin_ns: int | None = None,
    ) -> Prediction:
        time_s = self.predictor.time_s
        known = max(int(np.searchsorted(time_s, self.until_s + 1e-6)), 1)
        if self.watch is None:
            self.watch = PathWatch(time_s[:known])
        answer = super().update(frame, now_ns, ego, surroundings=surroundings, begin_ns=begin_ns)
        if self.status not in ("out_of_order", "duplicate"):
            count = len(frame)
            self.watch.add(
                frame.timestamp_ns, frame.track_id, frame.object_class, frame.position_m,
                answer.position_m[:count, :, :known], answer.probability[:count],
            )  # fmt: skip
        return answer

    def steps(self) -> Steps:
        return NO_STEPS if self.watch is None else self.watch.steps()


#: Edges of the bins that jumps are counted in, in m: 0.1 mm to 1 km, each 1 % further than the one before.
_EDGES_M: FloatArray = np.append(0.0, np.geomspace(1e-4, 1e3, 1621))
_JUMPS = ("jump_m", "end_jump_m")


class StepSums:
    """Sums over pairs from which every figure of DEFINITIONS follows: their size does not depend on how many."""

    def __init__(self) -> None:
        kinds = len(CLASS_NAMES)
        self._pairs, self._flips = np.zeros((2, kinds), np.int64)
        self._dt_s = np.zeros(kinds)
        self._total_m = {name: np.zeros(kinds) for name in _JUMPS}
        self._counted = {name: np.zeros((kinds, len(_EDGES_M)), np.int64) for name in _JUMPS}

    def add(self, steps: Steps) -> None:
        """Add further pairs."""
        kind, kinds, bins = steps.object_class, len(CLASS_NAMES), len(_EDGES_M)
        self._pairs += np.bincount(kind, minlength=kinds)
        self._flips += np.bincount(kind[steps.flip], minlength=kinds)
        self._dt_s += np.bincount(kind, steps.dt_s, kinds)
        for name in _JUMPS:
            jump_m = getattr(steps, name)
            place = np.searchsorted(_EDGES_M, jump_m, side="right") - 1
            self._total_m[name] += np.bincount(kind, jump_m, kinds)
            self._counted[name] += np.bincount(kind * np.int64(bins) + place, minlength=kinds * bins).reshape(kinds, -1)

    def summary(self) -> dict[str, Any]:
        """Return the figures of DEFINITIONS for "all" and for each class."""
        groups = {"all": np.ones(len(CLASS_NAMES), np.bool_)}
        groups |= {name: np.arange(len(CLASS_NAMES)) == value for value, name in enumerate(CLASS_NAMES)}
        return {name: self._figures(kinds) for name, kinds in groups.items() if self._pairs[kinds].any()}

    def _figures(self, kinds: BoolArray) -> dict[str, float]:
        pairs, flips = int(self._pairs[kinds].sum()), int(self._flips[kinds].sum())
        found: dict[str, float] = {"pairs": pairs}
        for name in _JUMPS:
            found[name] = float(self._total_m[name][kinds].sum() / pairs)
            found[f"{name}_p95"] = _percentile_95(self._counted[name][kinds].sum(axis=0))
        found["flip_share"] = flips / pairs
        found["flips_per_object_minute"] = float(60.0 * flips / self._dt_s[kinds].sum())
        return found


def _percentile_95(counted: IntArray) -> float:
    """Return the 95th percentile of what was counted between _EDGES_M, in m: exact to half a bin, 0.5 %."""
    upto = np.cumsum(counted)
    place = int(np.searchsorted(upto, 0.95 * upto[-1]))
    return float(_EDGES_M[place : place + 2].mean()) if place else 0.0


def summary(steps: Steps) -> dict[str, Any]:
    """Return the figures of DEFINITIONS for "all" and for each class."""
    sums = StepSums()
    sums.add(steps)
    return sums.summary()
