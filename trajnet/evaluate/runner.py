"""Predictors over the units of a dataset, shared between processes.

The work is cut up the same way and put together in the same order whatever the number of processes, so results do not
depend on it.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajnet.arrays import concat
from trajnet.datasets.windows import LONGEST_GAP_S, Windows
from trajnet.engine import InProcess, executor_for
from trajnet.errors import InputError
from trajnet.evaluate.evaluation_set import EvaluationSet
from trajnet.evaluate.kept_work import KeptWork
from trajnet.evaluate.mined import Mined, ObjectSink, mine
from trajnet.evaluate.paths import ScoredPaths, horizon_steps, require_horizon
from trajnet.evaluate.scoring import SOCIAL_GAN, Scores, score, shown_for_s
from trajnet.evaluate.steadiness import NO_STEPS, Steps, StepSums, WatchedStream
from trajnet.evaluate.tally import Tally, added, tally
from trajnet.evaluate.units import SceneUnit, Unit, WindowUnit
from trajnet.inference import (
    NO_JUDGING,
    GuardCounters,
    GuardOptions,
    JudgingCounters,
    Predictor,
    Stream,
    load_predictor,
)
from trajnet.tracking.store import TrackPolicy
from trajnet.types import FloatArray

#: Called after every unit with the number of units done and their total.
Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class SavedPaths:
    """The scored paths of a unit, as they are saved: position_m (N, K, T, 2), map frame, most probable mode first."""

    scene_id: NDArray[np.str_]
    frame: NDArray[np.int64]
    track_id: NDArray[np.str_]
    probability: FloatArray
    position_m: FloatArray


#: Takes the scored paths of a unit.
SavePaths = Callable[[SavedPaths], None]


@dataclass(frozen=True, eq=False)
class UnitResult:
    """tally is None where the unit has nothing to score. scores, paths: if asked for.

    guard: what the fall-back had to do. judging: what came of the predictions judging themselves, if they do.
    steps: how steady the answers were from frame to frame; of scenes only, windows have no frames that follow.
    mined: what there is to say about each object, if asked for.
    """

    tally: Tally | None
    scores: Scores | None
    guard: GuardCounters
    judging: JudgingCounters
    paths: tuple[SavedPaths, ...]
    steps: Steps
    mined: tuple[Mined, ...] = ()


@dataclass(frozen=True, eq=False)
class ModelResult:
    """What one predictor reached on a dataset. scores: of every object, only if asked for."""

    tally: Tally
    guard: GuardCounters
    judging: JudgingCounters
    steps: StepSums
    scores: Scores | None = None


def run_unit(
    unit: Unit,
    predictor: Predictor,
    time_s: FloatArray,
    *,
    keep_paths: bool = False,
    keep_scores: bool = True,
    joint: bool = False,
    domain: bool = True,
    self_judging: bool = True,
    worst: int | None = None,
) -> UnitResult:
    """Score one predictor on one unit of work. joint: see tally. domain: see GuardOptions. worst: None: no mining.

    self_judging: whether models judge themselves, which windows never do: a benchmark's windows are shown without their
    surroundings up to the last frame, so earlier answers tell nothing.
    """
    whole_scene = not isinstance(unit, WindowUnit)
    # Windows in lockstep are no objects of one scene: none may take over another's state.
    policy = TrackPolicy(
        handover=whole_scene,
        restart_leaps=whole_scene,
        filter_positions=whole_scene,
        doubt_velocities=whole_scene,
        doubt_headings=whole_scene,
        crossings=whole_scene,
    )
    judging = None if self_judging and whole_scene else NO_JUDGING
    made = WatchedStream if isinstance(unit, SceneUnit) else Stream
    stream = made(predictor, policy, guard=GuardOptions(domain=domain), judging=judging)
    if isinstance(stream, WatchedStream):
        stream.until_s = float(time_s[-1])
    total, kept, paths, mined = None, list[Scores](), list[SavedPaths](), list[Mined]()
    for windows, predicted in unit.run(stream, time_s):
        scores = score(windows, predicted, unit.group, whole_scene=whole_scene)
        total = added(total, tally(scores, joint=joint))
        if keep_scores:
            kept.append(scores)
        if keep_paths:
            paths.append(_saved(windows, predicted))
        if worst is not None:
            mined.append(mine(windows, predicted, scores, shown_for_s(windows, whole_scene=whole_scene), worst))
    steps = stream.steps() if isinstance(stream, WatchedStream) else NO_STEPS
    judged = JudgingCounters() if stream.judge is None else stream.judge.counters
    scores_kept = concat(kept) if kept else None
    return UnitResult(total, scores_kept, stream.guard.counters, judged, tuple(paths), steps, tuple(mined))


def _saved(windows: Windows, paths: ScoredPaths) -> SavedPaths:
    return SavedPaths(windows.scene_id, windows.frame, windows.track_id, paths.probability, paths.position_m)


def run_models(
    dataset: EvaluationSet,
    specs: Sequence[str],
    *,
    jobs: int = 1,
    ray: str | None = None,
    progress: Progress | None = None,
    save: Mapping[str, SavePaths] = MappingProxyType({}),
    domain: bool = True,
    self_judging: bool = True,
) -> dict[str, ModelResult]:
    """Score every predictor on the dataset -> spec -> result with the scores of every object, 3 to 4 kB each.

    model_results needs no such memory.
    """
    results = model_results(
        dataset,
        specs,
        jobs=jobs,
        ray=ray,
        progress=progress,
        save=save,
        keep_scores=True,
        domain=domain,
        self_judging=self_judging,
    )
    return dict(results)


def model_results(
    dataset: EvaluationSet,
    specs: Sequence[str],
    *,
    jobs: int = 1,
    ray: str | None = None,
    progress: Progress | None = None,
    save: Mapping[str, SavePaths] = MappingProxyType({}),
    keep_scores: bool = False,
    domain: bool = True,
    self_judging: bool = True,
    sink: ObjectSink | None = None,
    kept: KeptWork | None = None,
    part: str = "",
) -> Iterator[tuple[str, ModelResult]]:
    """Yield each predictor (a name or a model file, see load_predictor) with its result as soon as it is complete.

    jobs: processes; 1 works in this one. ray: address of a Ray cluster that works instead, see executor_for.
    domain, self_judging: see run_unit. save: that of a predictor's spec takes its paths, in order. sink: takes every
    scored object, under its predictor's spec. kept: what has the sums of units that were done before, of predictors
    under their spec after ``part``; of those, save and sink are told nothing and no scores are kept. Memory: the sums
    of all predictors and the units that are worked on.
    ContractError for a predictor that does not reach the dataset's last time, InputError if there is nothing to score.
    """
    if jobs < 1 and ray is None:
        raise InputError(f"jobs: expected at least 1, got {jobs}")
    for spec in specs:
        require_horizon(spec, load_predictor(spec, time_s=dataset.time_s).time_s, dataset.time_s)
    joint = bool(set(dataset.dataset.metrics) & set(SOCIAL_GAN))
    worst = None if sink is None else sink.worst
    kept = KeptWork() if kept is None else kept
    running = [kept.of(f"{part}{spec}") for spec in specs]
    work = [
        Work(unit, spec, spec in save, keep_scores, joint, domain, self_judging, worst)
        for spec, before in zip(specs, running, strict=True)
        for unit in dataset.units[before.units :]
    ]
    results = _results(work, dataset.time_s, jobs, ray)
    total = len(specs) * len(dataset.units)
    done = total - len(work)
    for spec, sums in zip(specs, running, strict=True):
        scores = list[Scores]()
        left = dataset.units[sums.units :]
        try:
            for unit, result in zip(left, itertools.islice(results, len(left)), strict=True):
                with kept.adding():
                    for paths in result.paths:
                        save[spec](paths)
                    for mined in result.mined:
                        if sink is not None:
                            sink.add(spec, unit, mined)
                    scores += [] if result.scores is None else [result.scores]
                    sums.add(result)
                done += 1
                if progress is not None:
                    progress(done, total)
        finally:
            kept.write()
        whole = _require_scored(dataset, sums.tally)
        yield spec, ModelResult(whole, sums.guard, sums.judging, sums.steps, concat(scores) if scores else None)


def _require_scored(dataset: EvaluationSet, total: Tally | None) -> Tally:
    """Return the tally; InputError unless the future of some object is recorded up to the last time that is scored."""
    objects = np.zeros(1, np.int64) if total is None else total.everything.count
    if total is not None and objects[-1]:
        return total
    message = (
        f"{dataset.name}: expected objects whose future is recorded for {dataset.time_s[-1]:g} s, got none; "
        f"a recording must show an object in a scored frame and for {dataset.time_s[-1]:g} s after it, at least "
        f"every {LONGEST_GAP_S:g} s"
    )
    if dataset.dataset.windows is None:
        reached = np.flatnonzero(objects)
        steps = horizon_steps(dataset.time_s)
        message += (
            f"; --horizon {dataset.time_s[steps[reached[-1]] - 1]:g} would score {objects[reached[-1]]:,} objects here"
            if len(reached)
            else f"; no future here lasts {dataset.time_s[steps[0] - 1]:g} s, a shorter --horizon asks for less"
        )
    raise InputError(message)


class Work(NamedTuple):
    """A unit for one predictor: how it is run, see run_unit."""

    unit: Unit
    spec: str
    keep_paths: bool
    keep_scores: bool
    joint: bool
    domain: bool
    self_judging: bool
    worst: int | None


def _results(work: list[Work], time_s: FloatArray, jobs: int, ray: str | None) -> Iterator[UnitResult]:
    """Yield the result of each piece of work, in order."""
    executor = executor_for(jobs if ray is not None else min(jobs, len(work)), ray)
    if isinstance(executor, InProcess):
        load = functools.lru_cache(functools.partial(load_predictor, time_s=time_s))
        yield from executor.map(lambda one: _run(one, load(one.spec), time_s), work)
    else:
        yield from executor.map(functools.partial(_run_in_worker, time_s=time_s), work)


def _run(one: Work, predictor: Predictor, time_s: FloatArray) -> UnitResult:
    _, _, *options = one._fields
    return run_unit(one.unit, predictor, time_s, **{name: getattr(one, name) for name in options})


def _run_in_worker(one: Work, time_s: FloatArray) -> UnitResult:
    return _run(one, _predictor_of_worker(one.spec, tuple(time_s.tolist())), time_s)


@functools.lru_cache
def _predictor_of_worker(spec: str, time_s: tuple[float, ...]) -> Predictor:
    """One predictor for each process; a new Stream's tracks are new to it, so nothing carries over between units."""
    return load_predictor(spec, time_s=np.array(time_s))
