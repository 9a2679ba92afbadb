"""The benchmark of sites as one report: every site at hand, every condition, every model, next to physics."""

from __future__ import annotations

import logging
import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from typing import Any

import trajnet
from trajnet.config import require
from trajnet.errors import InputError, TrajnetError
from trajnet.evaluate import steadiness
from trajnet.evaluate.paths import require_horizon
from trajnet.inference import PHYSICS, Predictor, load_predictor
from trajnet.protocols.sites.breakdown import CELLS, MIN_TRACKS, divisions
from trajnet.protocols.sites.conditions import CONDITIONS, Condition
from trajnet.protocols.sites.events import calibration, events
from trajnet.protocols.sites.objects import HORIZON_S, STEP_S, future_times_s, scored_objects
from trajnet.protocols.sites.play import Answer, Job, Played, joined, play
from trajnet.protocols.sites.scores import Scores
from trajnet.protocols.sites.site_list import Site, trained_on
from trajnet.protocols.sites.targets import targets

log = logging.getLogger(__name__)

#: Raised when a report of before can no longer be read the same way.
REPORT_VERSION = 1

#: A site is scored as far as so many of its objects are recorded.
ENOUGH_OBJECTS = 30

#: Called after every file with the site's name, and the files done and their total, over all sites.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class SiteOptions:
    """How sites are scored.

    every_s: time between scored frames; None: each site's own. files: so many of each site, the first ones; None: all.
    jobs: processes; results do not depend on it. seed: of noise and of intervals.
    """

    conditions: tuple[Condition, ...] = CONDITIONS
    every_s: float | None = None
    files: int | None = None
    jobs: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        require(len(self.conditions) > 0, "conditions: expected at least one, got none")
        require(self.every_s is None or self.every_s > 0, f"every: expected a time above 0 in s, got {self.every_s}")
        require(self.files is None or self.files > 0, f"files: expected a number above 0, got {self.files}")
        require(self.jobs > 0, f"jobs: expected a number of processes above 0, got {self.jobs}")
        require(self.seed >= 0, f"seed: expected a whole number from 0 on, got {self.seed}")


@dataclass(frozen=True)
class Survey:
    """What a site has: how far its objects are recorded (at most as far as asked), a map, measured velocities."""

    horizon_s: float
    has_map: bool
    has_velocity: bool


def survey(site: Site, every_s: float, reach_s: float) -> Survey:
    """Read a site until everything is known. Raises InputError where no object has a future of STEP_S."""
    counts = dict.fromkeys(_horizons_s(reach_s), 0)
    has_map = has_velocity = False
    for path in site.files:
        scene = site.read(path)
        has_map |= bool(scene.lanes) or scene.raster is not None
        has_velocity |= bool(scene.velocity_valid.any())
        for horizon_s in counts:
            counts[horizon_s] += len(scored_objects(scene, every_s, horizon_s))
            if counts[horizon_s] >= ENOUGH_OBJECTS:  # a shorter one will not be needed
                break
        if has_map and has_velocity and counts[reach_s] >= ENOUGH_OBJECTS:
            break
    enough = [horizon_s for horizon_s, count in counts.items() if count >= ENOUGH_OBJECTS]
    some = [horizon_s for horizon_s, count in counts.items() if count]
    if not some:
        raise InputError(f"site {site.name}: expected objects whose next {STEP_S} s are recorded, got none")
    return Survey(max(enough or some), has_map, has_velocity)


def _horizons_s(reach_s: float) -> list[float]:
    """Return the horizons that a site may have, the longest first: reach_s, the whole seconds below, one step."""
    whole = [float(second) for second in range(int(HORIZON_S), 0, -1) if second < reach_s]
    return list(dict.fromkeys([reach_s, *whole, STEP_S]))


def benchmark_sites(
    sites: Sequence[Site],
    absent: Mapping[str, str],
    models: Sequence[str],
    options: SiteOptions = SiteOptions(),
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Return the report on models (names and model files) at the sites, ready for JSON.

    absent: sites that are not at hand -> why. Raises InputError for no site and no model, ContractError for what is no
    model.
    """
    if not sites:
        raise InputError(
            f"sites: expected at least one at hand, got none ({'; '.join(absent.values()) or 'none asked'})"
        )
    if not models:
        raise InputError("model: expected at least one, got none")
    predictors = {spec: load_predictor(spec) for spec in dict.fromkeys(models)}
    reach_s = min([HORIZON_S, *(float(p.time_s[-1]) for p in predictors.values())])
    reach_s = STEP_S * int(reach_s / STEP_S + 1e-6)
    for spec, predictor in predictors.items():
        require_horizon(spec, predictor.time_s, future_times_s(max(reach_s, STEP_S)))
    labels = _labels(predictors)
    entries = []
    total, done = sum(len(site.files[: options.files]) for site in sites), 0
    for each in sites:
        site = replace(each, files=each.files[: options.files])
        every_s = site.every_s if options.every_s is None else options.every_s
        found = survey(site, every_s, reach_s)
        parts = []
        for part in _played(site, every_s, found, predictors, options):
            parts.append(part)
            done += 1
            if progress is not None:
                progress(site.name, done, total)
        entries.append(_site(site, every_s, found, joined(parts), predictors, labels, options))
    return {
        "report_version": REPORT_VERSION,
        "trajnet": trajnet.__version__,
        "seed": options.seed,
        "min_tracks": MIN_TRACKS,
        "models": [_model(labels[spec], spec, p) for spec, p in predictors.items()],
        "headline": headline(entries, list(labels.values())),
        "sites": entries,
        "absent": dict(absent),
    }


def _played(
    site: Site, every_s: float, found: Survey, predictors: Mapping[str, Predictor], options: SiteOptions
) -> Iterator[Played]:
    specs = tuple(dict.fromkeys([*PHYSICS, *predictors]))
    fitting = tuple(
        c for c in options.conditions if not c.missing(has_map=found.has_map, has_velocity=found.has_velocity)
    )
    jobs = [Job(site, path, specs, fitting, found.horizon_s, every_s, options.seed) for path in site.files]
    if options.jobs == 1 or len(jobs) == 1:
        yield from map(play, jobs)
        return
    # A fresh interpreter for each worker: a fork would copy ONNX Runtime's threads half-way.
    with ProcessPoolExecutor(options.jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        waiting: list[Future[Played]] = [pool.submit(play, job) for job in jobs]
        try:
            while waiting:
                yield waiting.pop(0).result()
        except BrokenProcessPool as error:
            raise TrajnetError("sites: a worker process died, out of memory perhaps; try fewer with --jobs") from error
        finally:
            for future in waiting:
                future.cancel()


def _labels(predictors: Mapping[str, Predictor]) -> dict[str, str]:
    """Return a name for each spec, with the spec where two models have the same name."""
    names = [p.name for p in predictors.values()]
    return {spec: p.name if names.count(p.name) == 1 else f"{p.name} ({spec})" for spec, p in predictors.items()}


def _model(label: str, spec: str, predictor: Predictor) -> dict[str, Any]:
    contract = None if predictor.model_file is None else predictor.model_file.contract
    return {
        "model": label,
        "spec": spec,
        "model_id": None if contract is None else contract.model_id,
        "trained_on": None if contract is None else list(contract.training.datasets),
    }


def _site(
    site: Site,
    every_s: float,
    found: Survey,
    played: Played,
    predictors: Mapping[str, Predictor],
    labels: Mapping[str, str],
    options: SiteOptions,
) -> dict[str, Any]:
    """Return a site's part of the report."""
    conditions = []
    for condition in options.conditions:
        missing = condition.missing(has_map=found.has_map, has_velocity=found.has_velocity)
        physics = {} if missing else {name: played.answers[condition.name, name].scores for name in PHYSICS}
        conditions.append(
            {
                "condition": condition.name,
                "left_out": missing,
                "models": {
                    labels[spec]: _judged(
                        played, played.answers[condition.name, spec], physics, found.horizon_s, options.seed
                    )
                    for spec in (() if missing else predictors)
                },
            }
        )
    trained = {}
    for spec, predictor in predictors.items():
        sources: list[str] | None = [] if spec in PHYSICS else None
        if predictor.model_file is not None:
            sources = list(predictor.model_file.contract.training.datasets)
        answer, because = trained_on(site, sources)
        trained[labels[spec]] = {"trained_on_it": answer, "sources": because}
    return {
        "site": site.name,
        "title": site.title,
        "files": len(site.files),
        "objects": len(played.objects),
        "tracks": len(set(played.objects.track.tolist())),
        "horizon_s": found.horizon_s,
        "every_s": every_s,
        "has_map": found.has_map,
        "has_velocity": found.has_velocity,
        "trained": trained,
        "conditions": conditions,
    }


def _judged(
    played: Played, answer: Answer, physics: Mapping[str, Scores], horizon_s: float, seed: int
) -> dict[str, Any]:
    objects, scores = played.objects, answer.scores
    parts = divisions(objects, scores, physics, seed)
    covered = calibration(scores, future_times_s(horizon_s))
    worse = [name for name, part in parts[CELLS].items() if part["worse"]]
    return {
        "worse": worse,
        "cells_judged": sum(part["judged"] for part in parts[CELLS].values()),
        "divisions": parts,
        "events": events(objects, scores),
        "calibration": covered,
        "steadiness": steadiness.summary(answer.steps),
        "targets": targets(objects, scores, physics, covered, len(worse), seed),
        "rows": {"model": answer.model_rows, "physics": answer.physics_rows},
    }


def headline(sites: Sequence[Mapping[str, Any]], models: Sequence[str]) -> dict[str, Any]:
    """Return for each model how many judged cells are worse than physics, in all, by condition and by site, and which.

    worse_trained: of those in all, the ones at sites whose recordings or data set the model was trained on.
    """
    found: dict[str, Any] = {}
    for model in models:
        entry: dict[str, Any] = {
            "worse": 0,
            "worse_trained": 0,
            "judged": 0,
            "by_condition": {},
            "by_site": {},
            "cells": [],
        }
        for site in sites:
            trained = site["trained"][model]["trained_on_it"]
            for condition in site["conditions"]:
                if model not in condition["models"]:
                    continue
                judged = condition["models"][model]
                for key, name in (("by_condition", condition["condition"]), ("by_site", site["site"])):
                    counts = entry[key].setdefault(name, {"worse": 0, "judged": 0})
                    counts["worse"] += len(judged["worse"])
                    counts["judged"] += judged["cells_judged"]
                entry["worse"] += len(judged["worse"])
                entry["judged"] += judged["cells_judged"]
                entry["worse_trained"] += len(judged["worse"]) if trained.startswith("same") else 0
                for cell in judged["worse"]:
                    part = judged["divisions"][CELLS][cell]
                    entry["cells"].append(
                        {"site": site["site"], "condition": condition["condition"], "cell": cell, "trained": trained}
                        | part
                    )
        found[model] = entry
    return found
