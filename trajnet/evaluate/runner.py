"""Predictors over the units of a dataset, shared between processes.

The work is cut up the same way and put together in the same order whatever the number of processes, so results do not
depend on it.
"""

from __future__ import annotations

import functools
import itertools
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, fields
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from trajnet.arrays import concat
from trajnet.datasets.windows import Windows
from trajnet.errors import InputError, TrajnetError
from trajnet.evaluate.evaluation_set import EvaluationSet
from trajnet.evaluate.mined import Mined, ObjectSink, mine
from trajnet.evaluate.paths import ScoredPaths, horizon_steps, require_horizon
from trajnet.evaluate.scoring import Scores, score, shown_for_s
from trajnet.evaluate.steadiness import NO_STEPS, Steps, WatchedStream
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

Counters = TypeVar("Counters", GuardCounters, JudgingCounters)

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


@dataclass(frozen=True, eq=False)
class UnitResult:
    """scores is None where the unit has nothing to score. guard: what the fall-back had to do. paths: if asked for.

    judging: what came of the predictions judging themselves; zeros where they do not.
    steps: how steady the answers were from frame to frame; of scenes only, windows have no frames that follow.
    mined: what there is to say about each object, if asked for.
    """

    scores: Scores | None
    guard: GuardCounters
    judging: JudgingCounters
    paths: tuple[SavedPaths, ...]
    steps: Steps
    mined: tuple[Mined, ...] = ()


@dataclass(frozen=True, eq=False)
class ModelResult:
    """What one predictor reached on a dataset."""

    scores: Scores
    guard: GuardCounters
    judging: JudgingCounters
    steps: Steps


def run_unit(
    unit: Unit,
    predictor: Predictor,
    time_s: FloatArray,
    *,
    keep_paths: bool = False,
    domain: bool = True,
    self_judging: bool = True,
    worst: int | None = None,
) -> UnitResult:
    """Score one predictor on one unit of work. domain: see GuardOptions. worst: None mines nothing, else see mine.

    self_judging: whether models judge themselves, which windows never do: a benchmark's windows are shown without their
    surroundings up to the last frame, so earlier answers tell nothing.
    """
    whole_scene = not isinstance(unit, WindowUnit)
    # Windows in lockstep are no objects of one scene: none may take over another's state.
    policy = TrackPolicy(handover=whole_scene, restart_leaps=whole_scene)
    judging = None if self_judging and whole_scene else NO_JUDGING
    made = WatchedStream if isinstance(unit, SceneUnit) else Stream
    stream = made(predictor, policy, guard=GuardOptions(domain=domain), judging=judging)
    scores, paths, mined = [], [], []
    for windows, predicted in unit.run(stream, time_s):
        scores.append(score(windows, predicted, unit.group, whole_scene=whole_scene))
        if keep_paths:
            paths.append(_saved(windows, predicted))
        if worst is not None:
            mined.append(mine(windows, predicted, shown_for_s(windows, whole_scene=whole_scene), worst))
    steps = stream.steps() if isinstance(stream, WatchedStream) else NO_STEPS
    judged = JudgingCounters() if stream.judge is None else stream.judge.counters
    return UnitResult(
        concat(scores) if scores else None, stream.guard.counters, judged, tuple(paths), steps, tuple(mined)
    )


def _saved(windows: Windows, paths: ScoredPaths) -> SavedPaths:
    return SavedPaths(windows.scene_id, windows.frame, windows.track_id, paths.probability, paths.position_m)


def run_models(
    dataset: EvaluationSet,
    specs: Sequence[str],
    *,
    jobs: int = 1,
    progress: Progress | None = None,
    save: Callable[[str, SavedPaths], None] | None = None,
    saved_specs: Sequence[str] = (),
    domain: bool = True,
    self_judging: bool = True,
) -> dict[str, ModelResult]:
    """Score every predictor on the dataset -> spec -> result; see model_results, which keeps only one in memory."""
    results = model_results(
        dataset,
        specs,
        jobs=jobs,
        progress=progress,
        save=save,
        saved_specs=saved_specs,
        domain=domain,
        self_judging=self_judging,
    )
    return dict(results)


def model_results(
    dataset: EvaluationSet,
    specs: Sequence[str],
    *,
    jobs: int = 1,
    progress: Progress | None = None,
    save: Callable[[str, SavedPaths], None] | None = None,
    saved_specs: Sequence[str] = (),
    domain: bool = True,
    self_judging: bool = True,
    sink: ObjectSink | None = None,
) -> Iterator[tuple[str, ModelResult]]:
    """Yield each predictor (a name or a model file, see load_predictor) with its result as soon as it is complete.

    A caller that sums each result up before it asks for the next has the scores of one predictor in memory.
    jobs: processes; 1 works in this one. domain, self_judging: see run_unit. save is called with the paths of
    saved_specs, in order. sink: takes every scored object, under its predictor's spec. ContractError for a predictor
    that does not reach the dataset's last time, InputError if there is nothing to score.
    """
    if jobs < 1:
        raise InputError(f"jobs: expected at least 1, got {jobs}")
    for spec in specs:
        require_horizon(spec, load_predictor(spec, time_s=dataset.time_s).time_s, dataset.time_s)
    worst = None if sink is None else sink.worst
    work = [
        Work(
            unit, spec, save is not None and spec in saved_specs, domain, self_judging, None if sink is None else worst
        )
        for spec in specs
        for unit in dataset.units
    ]
    results = _results(work, dataset.time_s, jobs)
    done = 0
    for spec in specs:
        parts, guard, judging, steps = list[Scores](), GuardCounters(), JudgingCounters(), list[Steps]()
        for unit, result in zip(dataset.units, itertools.islice(results, len(dataset.units)), strict=True):
            parts += [] if result.scores is None else [result.scores]
            steps.append(result.steps)
            _add(guard, result.guard)
            _add(judging, result.judging)
            for paths in result.paths:
                if save is not None:
                    save(spec, paths)
            for mined in result.mined:
                if sink is not None:
                    sink.add(spec, unit, mined)
            done += 1
            if progress is not None:
                progress(done, len(work))
        _require_scored(dataset, parts)
        scores = concat(parts)
        parts.clear()  # as large as scores
        yield spec, ModelResult(scores, guard, judging, concat(steps))
        del scores


def _require_scored(dataset: EvaluationSet, parts: Sequence[Scores]) -> None:
    """Raise InputError unless the future of some object is recorded up to the last time that is scored."""
    objects = sum(part.known.sum(axis=0) for part in parts) if parts else np.zeros(1, np.int64)
    if objects[-1]:
        return
    message = (
        f"{dataset.name}: expected objects whose future is recorded for {dataset.time_s[-1]:g} s, got none; "
        f"a recording must show an object in a scored frame and for {dataset.time_s[-1]:g} s after it"
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
    domain: bool
    self_judging: bool
    worst: int | None


def _results(work: list[Work], time_s: FloatArray, jobs: int) -> Iterator[UnitResult]:
    """Yield the result of each piece of work, in order."""
    jobs = min(jobs, len(work))
    if jobs <= 1:
        load = functools.lru_cache(functools.partial(load_predictor, time_s=time_s))
        for one in work:
            yield _run(one, load(one.spec), time_s)
        return
    # A fresh interpreter for each worker: a fork would copy ONNX Runtime's threads half-way.
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        futures: list[Future[UnitResult]] = [pool.submit(_run_in_worker, one, time_s) for one in work]
        try:
            while futures:
                yield futures.pop(0).result()
        except BrokenProcessPool as error:
            raise TrajnetError(
                "evaluation: a worker process died, out of memory perhaps; try fewer with --jobs"
            ) from error
        finally:
            for future in futures:
                future.cancel()


def _run(one: Work, predictor: Predictor, time_s: FloatArray) -> UnitResult:
    return run_unit(
        one.unit,
        predictor,
        time_s,
        keep_paths=one.keep_paths,
        domain=one.domain,
        self_judging=one.self_judging,
        worst=one.worst,
    )


def _run_in_worker(one: Work, time_s: FloatArray) -> UnitResult:
    return _run(one, _predictor_of_worker(one.spec, tuple(time_s.tolist())), time_s)


@functools.lru_cache
def _predictor_of_worker(spec: str, time_s: tuple[float, ...]) -> Predictor:
    """One predictor for each process; a new Stream's tracks are new to it, so nothing carries over between units."""
    return load_predictor(spec, time_s=np.array(time_s))


def _add(total: Counters, part: Counters) -> None:
    for field in fields(total):
        value = getattr(part, field.name)
        if isinstance(value, int):
            setattr(total, field.name, getattr(total, field.name) + value)
        elif value:
            setattr(total, field.name, value)
