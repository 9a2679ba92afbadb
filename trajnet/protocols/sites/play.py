"""A recorded scene, streamed frame by frame to every predictor under every condition, as the node would run it."""

from __future__ import annotations

import functools
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np

from trajnet.arrays import StructOfArrays, concat
from trajnet.errors import InputError
from trajnet.evaluate.steadiness import Steps, WatchedStream
from trajnet.evaluate.units import played
from trajnet.inference import PHYSICS, GuardOptions, Predictor, load_predictor
from trajnet.inference.judging.posterior import NO_JUDGING
from trajnet.protocols.sites.conditions import Condition
from trajnet.protocols.sites.objects import Objects, future_times_s, scored_objects
from trajnet.protocols.sites.scores import Scores, scores_of
from trajnet.protocols.sites.site_list import Site
from trajnet.types import FloatArray, Scene

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """What one process does at once: one file of a site, under every condition, for every predictor.

    specs: names and model files, see load_predictor. conditions: those that fit the site. domain: see GuardOptions.
    self_judging: whether models judge themselves, as on the road.
    """

    site: Site
    path: Path
    specs: tuple[str, ...]
    conditions: tuple[Condition, ...]
    horizon_s: float
    every_s: float
    seed: int
    domain: bool = True
    self_judging: bool = True


@dataclass(frozen=True, eq=False)
class Answer:
    """What one predictor gave under one condition.

    scores: of the scene's objects, in their order. steps: its steadiness from frame to frame. model_rows,
    physics_rows: rows that the predictor served itself, and rows that constant velocity stood in for. map_problem: why
    the scene's map is not used; "" where it is, where there is none, and where the predictor uses none.
    """

    scores: Scores
    steps: Steps
    model_rows: int = 0
    physics_rows: int = 0
    map_problem: str = ""


@dataclass(frozen=True, eq=False)
class Played:
    """One file of a site. answers: (condition's name, spec) -> answer; empty where there is nothing to score."""

    objects: Objects
    answers: dict[tuple[str, str], Answer] = field(default_factory=dict)

    @property
    def map_problem(self) -> str:
        """Why predictors that use a map are not shown the file's; "" where they are, and where there is none."""
        return next((answer.map_problem for answer in self.answers.values() if answer.map_problem), "")


@dataclass(frozen=True)
class LeftOut:
    """A file that cannot be played, and why."""

    why: str


def play_or_leave_out(job: Job) -> Played | LeftOut:
    """Return what play returns; a file that cannot be read, or not be played, costs itself alone."""
    try:
        return play(job)
    except InputError as error:
        return LeftOut(str(error))


def play(job: Job) -> Played:
    """Stream one file under every condition to every predictor and score its objects."""
    scene = job.site.read(job.path)
    objects = scored_objects(scene, job.every_s, job.horizon_s)
    played_one = Played(_named(objects, job, scene))
    if not len(objects):
        return played_one
    of_physics: dict[tuple[Condition, str], Answer] = {}
    for condition in job.conditions:
        shown = condition.shown(scene, job.seed)
        for spec in job.specs:
            key = (condition.without_map, spec)
            if spec in PHYSICS and key in of_physics:
                answer = of_physics[key]
            else:
                answer = _answer(job, spec, shown, objects)
            if spec in PHYSICS:
                of_physics[key] = answer
            played_one.answers[condition.name, spec] = answer
    return played_one


def joined(parts: Sequence[Played]) -> Played:
    """Return all files of a site as one; the recorded positions are left out of the objects."""
    whole = [part for part in parts if len(part.objects)]
    objects = concat([part.objects for part in whole])
    answers = {}
    for key in whole[0].answers:
        every = [part.answers[key] for part in whole]
        answers[key] = Answer(
            concat([a.scores for a in every]),
            concat([a.steps for a in every]),
            sum(a.model_rows for a in every),
            sum(a.physics_rows for a in every),
        )
    return Played(objects, answers)


@functools.lru_cache
def _predictor(spec: str, time_s: tuple[float, ...]) -> Predictor:
    """Return one predictor for each process; a new Stream's tracks are new to it, so nothing carries over."""
    return load_predictor(spec, time_s=np.array(time_s))


@dataclass(frozen=True, eq=False)
class _Futures(StructOfArrays):
    """What `played` divides into batches beside the paths; each (N, ...)."""

    here_m: FloatArray
    future_m: FloatArray


def _answer(job: Job, spec: str, shown: Scene, objects: Objects) -> Answer:
    time_s = future_times_s(job.horizon_s)
    predictor = _predictor(spec, tuple(time_s.tolist()))
    everything = np.ones(shown.frame_count, np.bool_), np.ones(len(shown.row_frame), np.bool_)
    guard, judging = GuardOptions(domain=job.domain), None if job.self_judging else NO_JUDGING
    stream = WatchedStream(predictor, guard=guard, judging=judging, warn_without_map=False)
    stream.until_s = job.horizon_s
    stream.use_map_of(shown)
    futures = _Futures(objects.here_m, objects.future_m)
    parts = [
        scores_of(paths, part.here_m, part.future_m, time_s)
        for part, paths in played(stream, shown, objects.row, futures, time_s, *everything)
    ]
    counters = stream.guard.counters
    if counters.failures:
        log.warning("%s failed %d times: %s", predictor.name, counters.failures, counters.last_failure)
    return Answer(concat(parts), stream.steps(), counters.model_rows, counters.physics_rows, stream.map_problem)


def _named(objects: Objects, job: Job, scene: Scene) -> Objects:
    """Return the objects without what is not needed after scoring; track ids tell tracks of all files apart."""
    values = {f.name: getattr(objects, f.name) for f in fields(Objects)}
    if not job.site.shared_ids:
        values["track"] = np.array([f"{scene.scene_id}/{job.path.name}/{t}" for t in objects.track.tolist()], np.str_)
    values["future_m"] = objects.future_m[:, :0]
    return Objects(**values)
