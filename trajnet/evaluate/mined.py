"""What is kept of single scored objects, for the table of objects and the page of the worst ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trajnet.arrays import StructOfArrays, concat
from trajnet.datasets.windows import Windows
from trajnet.evaluate import manoeuvres
from trajnet.evaluate.paths import ScoredPaths
from trajnet.evaluate.scoring import NLL, Scores
from trajnet.evaluate.units import Unit
from trajnet.types import BoolArray, FloatArray, IntArray

#: By what the worst objects are chosen -> what it measures.
CRITERIA = {
    "error": "mean displacement of the most probable path over the whole horizon, m",
    "false_motion": "of objects that stand (never 1 m or more away from where they are), how far away the most "
    "probable path ends, m",
    "surprise": "negative log-likelihood of the recorded future, mean over the steps, nats",
}


@dataclass(frozen=True, eq=False)
class ObjectRows(StructOfArrays):
    """N scored objects of one predictor: N instants of tracks.

    scene_id, track_id, frame (the source's number), timestamp_ns, object_class, position_m (N, 2; map frame).
    speed_mps: recorded, over the first scored step. seen_for_s: how long predictors had been shown the object.
    whole: whether its future is recorded up to the last horizon; without it manoeuvre (an index into
    manoeuvres.MANOEUVRES) means nothing, and errors, true_end_m and nll are NaN.
    top_ade_m, top_fde_m: of the most probable path. best_ade_m, best_fde_m: the smallest of all modes, for each figure.
    top_end_m, true_end_m: how far from here the most probable path and the recorded future end.
    nll: as the metric mixture_NLL. confidence: the probability of the most probable path.
    source, expert: who answered, and who predicted the most probable path (types.Source, types.Expert), None where
    predictions do not judge themselves.
    """

    scene_id: NDArray[np.str_]
    track_id: NDArray[np.str_]
    frame: IntArray
    timestamp_ns: IntArray
    object_class: NDArray[np.int8]
    position_m: FloatArray
    speed_mps: FloatArray
    seen_for_s: FloatArray
    whole: BoolArray
    manoeuvre: NDArray[np.int8]
    top_ade_m: FloatArray
    top_fde_m: FloatArray
    best_ade_m: FloatArray
    best_fde_m: FloatArray
    top_end_m: FloatArray
    true_end_m: FloatArray
    nll: FloatArray
    confidence: FloatArray
    source: NDArray[np.int8]
    expert: NDArray[np.int8] | None

    def measured(self, criterion: str) -> FloatArray:
        """Return what the criterion measures of each object (N,); NaN where it says nothing."""
        if criterion == "false_motion":
            standing = self.whole & (self.manoeuvre == manoeuvres.MANOEUVRES.index("standing"))
            return np.where(standing, self.top_end_m, np.nan)
        return self.top_ade_m if criterion == "error" else self.nll


@dataclass(frozen=True, eq=False)
class WorstObjects(StructOfArrays):
    """Objects with their paths and futures. future_m (N, T, 2), with future_valid (N, T), at time_s (T,)."""

    SHARED = ("time_s",)

    time_s: FloatArray
    rows: ObjectRows
    paths: ScoredPaths
    future_m: FloatArray
    future_valid: BoolArray


@dataclass(frozen=True, eq=False)
class Mined:
    """One batch of scored objects. worst: the worst of them by each criterion, None where none were asked for."""

    rows: ObjectRows
    worst: WorstObjects | None


class ObjectSink(Protocol):
    """Takes every batch of scored objects: all of a model before those of the next, in the same order for each."""

    @property
    def worst(self) -> int:
        """How many of the worst objects by each criterion the sink wants of a batch."""

    def add(self, model: str, unit: Unit, mined: Mined) -> None:
        """Take one batch of a unit."""


@dataclass(frozen=True)
class Labelled:
    """Hands everything on to a sink under other names of the models. labels: name -> the name that the sink is told."""

    sink: ObjectSink
    labels: Mapping[str, str]

    @property
    def worst(self) -> int:
        return self.sink.worst

    def add(self, model: str, unit: Unit, mined: Mined) -> None:
        """Hand one batch on."""
        self.sink.add(self.labels[model], unit, mined)


@dataclass(frozen=True)
class Sinks:
    """Hands everything on to several sinks."""

    sinks: Sequence[ObjectSink]

    @property
    def worst(self) -> int:
        return max((sink.worst for sink in self.sinks), default=0)

    def add(self, model: str, unit: Unit, mined: Mined) -> None:
        """Hand one batch on."""
        for sink in self.sinks:
            sink.add(model, unit, mined)


def mine(windows: Windows, paths: ScoredPaths, scores: Scores, shown_for_s: FloatArray, worst: int) -> Mined:
    """Return the rows of one batch, and its worst objects with their paths. shown_for_s (N,): see scoring."""
    rows = object_rows(windows, paths, scores, shown_for_s)
    if not worst:
        return Mined(rows, None)
    chosen = np.unique(np.concatenate([worst_rows(rows, criterion, worst) for criterion in CRITERIA]))
    everything = WorstObjects(windows.future_time_s, rows, paths, windows.future_m, windows.future_valid)
    return Mined(rows, everything.select(chosen))


def object_rows(windows: Windows, paths: ScoredPaths, scores: Scores, shown_for_s: FloatArray) -> ObjectRows:
    """Return what there is to say about each object. scores: of the same paths."""
    here_m, future_m = windows.position_m[:, -1], windows.future_m
    whole = scores.known[:, -1]
    first_step_m = np.where(windows.future_valid[:, :1], future_m[:, 0] - here_m, np.nan)
    true_end_m = np.where(whole, _length(future_m[:, -1] - here_m), np.nan)
    top_ade_m, top_fde_m, nll = (scores.values[name][:, -1] for name in ("minADE_1", "minFDE_1", NLL))
    return ObjectRows(
        windows.scene_id, windows.track_id, windows.frame, windows.timestamp_ns, windows.object_class, here_m,
        _length(first_step_m) / windows.future_time_s[0], shown_for_s, whole, scores.manoeuvre, top_ade_m, top_fde_m,
        scores.mean_m.min(axis=1), scores.final_m.min(axis=1), _length(paths.position_m[:, 0, -1] - here_m),
        true_end_m, nll, paths.probability[:, 0], paths.source, paths.expert,
    )  # fmt: skip


def worst_rows(rows: ObjectRows, criterion: str, count: int) -> IntArray:
    """Return the rows of the count worst objects by a criterion, the worst first, one for each track.

    Successive instants of a track are alike: only the worst of each is taken.
    """
    value = rows.measured(criterion)
    order = np.argsort(-value, kind="stable")  # NaN comes last
    order = order[: int(np.isfinite(value).sum())]
    tracks = list(zip(rows.scene_id[order].tolist(), rows.track_id[order].tolist(), strict=True))
    first = {track: place for place, track in reversed(list(enumerate(tracks)))}
    return order[sorted(first.values())[:count]]


class WorstKeeper:
    """Keeps the worst objects of the first model, with the unit of each, in memory that does not grow with the data."""

    def __init__(self, worst: int) -> None:
        self.model: str | None = None
        self.worst = worst
        self.kept: WorstObjects | None = None
        self.units: list[Unit] = []

    def add(self, model: str, unit: Unit, mined: Mined) -> None:
        """Take the worst objects of a batch; those of other models are ignored."""
        self.model = self.model or model
        if model != self.model or mined.worst is None:
            return
        joined = mined.worst if self.kept is None else concat([self.kept, mined.worst])
        units = [*self.units, *[unit] * len(mined.worst)]
        chosen = np.unique(np.concatenate([worst_rows(joined.rows, each, self.worst) for each in CRITERIA]))
        self.kept, self.units = joined.select(chosen), [units[i] for i in chosen]


def _length(vector: FloatArray) -> FloatArray:
    length: FloatArray = np.hypot(vector[..., 0], vector[..., 1])
    return length
