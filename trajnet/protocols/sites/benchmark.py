"""The benchmark of sites as one report: every site at hand, every condition, every model, next to physics."""

from __future__ import annotations

import logging
import multiprocessing
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import trajnet
from trajnet.config import require
from trajnet.errors import InputError, TrajnetError
from trajnet.evaluate.paths import require_horizon
from trajnet.inference import PHYSICS, Predictor, load_predictor
from trajnet.protocols.sites.breakdown import MIN_TRACKS
from trajnet.protocols.sites.conditions import CONDITIONS, Condition
from trajnet.protocols.sites.objects import HORIZON_S, STEP_S, future_times_s
from trajnet.protocols.sites.play import Job, LeftOut, Played, joined, play_or_leave_out
from trajnet.protocols.sites.report import about_model, headline, labels_of, site_report
from trajnet.protocols.sites.site_list import Site
from trajnet.protocols.sites.survey import Survey, survey

log = logging.getLogger(__name__)

#: Raised when a report of before can no longer be read the same way.
REPORT_VERSION = 1

#: Called after every file with the site's name, and the files done and their total, over all sites.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class SiteOptions:
    """How sites are scored.

    every_s: time between scored frames; None: each site's own. files: so many of each site, the first ones; None: all.
    horizon_s: objects are scored up to it, as far as the recordings and all models reach; in steps of STEP_S.
    jobs: processes; results do not depend on it. seed: of noise and of intervals. domain: see GuardOptions.
    self_judging: whether models judge themselves, as on the road.
    """

    conditions: tuple[Condition, ...] = CONDITIONS
    every_s: float | None = None
    files: int | None = None
    horizon_s: float = HORIZON_S
    jobs: int = 1
    seed: int = 0
    domain: bool = True
    self_judging: bool = True

    def __post_init__(self) -> None:
        require(len(self.conditions) > 0, "conditions: expected at least one, got none")
        require(self.every_s is None or self.every_s > 0, f"every: expected a time above 0 in s, got {self.every_s}")
        require(self.files is None or self.files > 0, f"files: expected a number above 0, got {self.files}")
        steps = STEP_S <= self.horizon_s <= HORIZON_S and self.horizon_s % STEP_S == 0
        expected = f"a time from {STEP_S:g} to {HORIZON_S:g} s in steps of {STEP_S:g}"
        require(steps, f"horizon: expected {expected}, got {self.horizon_s:g}")
        require(self.jobs > 0, f"jobs: expected a number of processes above 0, got {self.jobs}")
        require(self.seed >= 0, f"seed: expected a whole number from 0 on, got {self.seed}")


def benchmark_sites(
    sites: Sequence[Site],
    absent: Mapping[str, str],
    models: Sequence[str],
    options: SiteOptions = SiteOptions(),
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Return the report on models (names and model files) at the sites, ready for JSON.

    absent: sites that are not at hand -> why; sites without anything to score are added. Raises InputError for no site
    and no model, ContractError for what is no model.
    """
    if not sites:
        raise InputError(
            f"sites: expected at least one at hand, got none ({'; '.join(absent.values()) or 'none asked'})"
        )
    if not models:
        raise InputError("model: expected at least one, got none")
    predictors = {spec: load_predictor(spec) for spec in dict.fromkeys(models)}
    labels, missing = labels_of(predictors), dict(absent)
    entries = list(_entries(sites, predictors, labels, missing, options, progress))
    if not entries:
        raise InputError(f"sites: expected one that can be scored, got none ({'; '.join(missing.values())})")
    return {
        "report_version": REPORT_VERSION,
        "trajnet": trajnet.__version__,
        "seed": options.seed,
        "domain": options.domain,
        "self_judging": options.self_judging,
        "min_tracks": MIN_TRACKS,
        "models": [about_model(labels[spec], spec, p) for spec, p in predictors.items()],
        "headline": headline(entries, list(labels.values())),
        "sites": entries,
        "absent": missing,
    }


def _entries(
    sites: Sequence[Site],
    predictors: Mapping[str, Predictor],
    labels: Mapping[str, str],
    missing: dict[str, str],
    options: SiteOptions,
    progress: Progress | None,
) -> Iterator[dict[str, Any]]:
    """Yield the report of each site; those without anything to score are put into missing instead.

    A file that cannot be read costs itself alone: it is logged, and the site's report names it.
    """
    reach_s = min(_reach_s(predictors), options.horizon_s)
    chosen = [replace(site, files=site.files[: options.files]) for site in sites]
    total, done = sum(len(site.files) for site in chosen), 0
    for site in chosen:
        every_s = site.every_s if options.every_s is None else options.every_s
        parts, left_out = dict[Path, Played](), dict[Path, str]()
        try:
            found = survey(site, every_s, reach_s)
        except InputError as error:  # the other sites are worth their time all the same
            missing[site.name] = str(error)
            done += len(site.files)
            continue
        for path, part in _played(site, every_s, found, predictors, options):
            if isinstance(part, LeftOut):
                left_out[path] = part.why
                why = part.why if str(path) in part.why else f"{path}: {part.why}"
                log.warning("site %s: a file is left out: %s", site.name, why)
            else:
                parts[path] = part
            done += 1
            if progress is not None:
                progress(site.name, done, total)
        if not any(len(part.objects) for part in parts.values()):
            first = next(iter(left_out.values()), "none has an object to score")
            missing[site.name] = f"site {site.name}: expected files that can be played, got none: {first}"
            continue
        without = _maps_left_out(site, parts)
        read, whole = replace(site, files=tuple(parts)), joined(list(parts.values()))
        yield {
            **site_report(read, every_s, found, whole, predictors, labels, options.conditions, options.seed),
            "files_left_out": {str(path): why for path, why in left_out.items()},
            "maps_left_out": {str(path): why for path, why in without.items()},
        }


def _maps_left_out(site: Site, parts: Mapping[Path, Played]) -> dict[Path, str]:
    """Return the files that are played without their map -> why; it is said once for a site."""
    without = {path: part.map_problem for path, part in parts.items() if part.map_problem}
    if without:
        path, why = next(iter(without.items()))
        log.warning(
            "site %s: %d of %d files are played without their map, first %s: %s",
            site.name, len(without), len(parts), path, why,
        )  # fmt: skip
    return without


def _reach_s(predictors: Mapping[str, Predictor]) -> float:
    """Return how far all predictors reach, in whole steps up to HORIZON_S. Raises ContractError for less than one."""
    shortest_s = min(HORIZON_S, *(float(predictor.time_s[-1]) for predictor in predictors.values()))
    reach_s = max(STEP_S * int(shortest_s / STEP_S + 1e-6), STEP_S)
    for spec, predictor in predictors.items():
        require_horizon(spec, predictor.time_s, future_times_s(reach_s))
    return reach_s


def _played(
    site: Site, every_s: float, found: Survey, predictors: Mapping[str, Predictor], options: SiteOptions
) -> Iterator[tuple[Path, Played | LeftOut]]:
    """Yield each file of the site with what came of it, in order."""
    specs = tuple(dict.fromkeys([*PHYSICS, *predictors]))
    fitting = tuple(condition for condition in options.conditions if not found.missing(condition))
    jobs = [
        Job(
            site, path, specs, fitting, found.horizon_s, every_s, options.seed, options.domain, options.self_judging
        )
        for path in site.files
        if path not in found.left_out
    ]  # fmt: skip
    yield from ((path, LeftOut(why)) for path, why in found.left_out.items())
    if options.jobs == 1 or len(jobs) == 1:
        yield from ((job.path, play_or_leave_out(job)) for job in jobs)
        return
    # A fresh interpreter for each worker: a fork would copy ONNX Runtime's threads half-way.
    fresh = multiprocessing.get_context("spawn")
    # Ctrl-C ends the workers at once and without a traceback.
    with ProcessPoolExecutor(options.jobs, fresh, signal.signal, (signal.SIGINT, signal.SIG_DFL)) as pool:
        waiting: list[Future[Played | LeftOut]] = [pool.submit(play_or_leave_out, job) for job in jobs]
        try:
            for job in jobs:
                yield job.path, waiting.pop(0).result()
        except BrokenProcessPool as error:
            raise TrajnetError("sites: a worker process died, out of memory perhaps; try fewer with --jobs") from error
        finally:
            for future in waiting:
                future.cancel()
