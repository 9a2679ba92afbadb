"""From scores to the report that is written as JSON and shown as a table."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import trajnet
from trajnet import config
from trajnet.datasets.description import Dataset
from trajnet.datasets.registry import dataset_named
from trajnet.datasets.scenes import SCENES
from trajnet.datasets.womd import WOMD
from trajnet.engine import executor_for
from trajnet.errors import InputError
from trajnet.evaluate import robustness, steadiness, womd
from trajnet.evaluate.breakdown import breakdown
from trajnet.evaluate.calibration import calibration
from trajnet.evaluate.evaluation_set import DEFAULT_HORIZON_S, EvaluationSet, open_dataset
from trajnet.evaluate.everybody import all_agents_of
from trajnet.evaluate.kept_work import KeptWork, identity_of
from trajnet.evaluate.mined import Labelled, ObjectSink
from trajnet.evaluate.path_writer import PathWriter
from trajnet.evaluate.paths import horizon_steps
from trajnet.evaluate.runner import ModelResult, Progress, SavedPaths, model_results
from trajnet.evaluate.scoring import DEFINITIONS
from trajnet.evaluate.tally import Sums, Tally
from trajnet.evaluate.units import WindowUnit
from trajnet.inference import PHYSICS, Predictor, load_predictor
from trajnet.types import CLASS_NAMES, FloatArray

#: Raised when a report of before can no longer be read the same way.
REPORT_VERSION = 1


def evaluate(
    dataset: str,
    data: Path,
    split: str | None,
    models: Sequence[str],
    *,
    jobs: int = 1,
    ray: str | None = None,
    horizon_s: float | None = None,
    stride: int = 1,
    targets_only: bool = False,
    save: Path | None = None,
    rates_hz: Sequence[float] = (),
    drops: Sequence[float] = (),
    seed: int = 0,
    domain: bool = True,
    self_judging: bool = True,
    baselines: bool = True,
    sink: ObjectSink | None = None,
    progress: Progress | None = None,
    resume: Path | None = None,
) -> dict[str, Any]:
    """Score models (names or model files) and every physics baseline on a dataset; see open_dataset for its arguments.

    baselines: False leaves out those that are not among models, where there is a model.
    save: file for the paths of models (of all baselines where models is empty). Returns the report, ready for JSON.
    horizon_s: for streamed scenes; by default 6 s, or as far as all models predict. rates_hz, drops: if there are any,
    everything is scored again at each rate (streamed scenes only) with each share of observations lost, see robustness;
    seed decides which. domain: whether objects outside of what a model was trained on are left to physics, as on the
    road; False: models are asked about every object. self_judging:
    whether models judge themselves in streamed scenes, see docs/self-judging.md. sink: takes every scored object.
    resume: file that keeps what is finished, written every minute and when the evaluation ends or is interrupted; the
    same evaluation goes on from it. Neither save nor sink can go on, so it takes none of them.
    Raises a TrajnetError for whatever cannot be used.
    """
    if resume is not None and (save is not None or sink is not None):
        raise InputError("resume: expected no save, objects or worst with it, whose files begin anew; got some")
    asked = list(dict.fromkeys(models))
    specs = list(dict.fromkeys([*asked, *(PHYSICS if baselines or not asked else ())]))
    predictors = {spec: load_predictor(spec) for spec in specs}
    if dataset_named(dataset).windows is None and horizon_s is None:
        reach_s = [float(p.time_s[-1]) for spec, p in predictors.items() if spec not in PHYSICS]
        horizon_s = min([DEFAULT_HORIZON_S, *reach_s])
    opened = open_dataset(
        dataset, data, split,
        horizon_s=horizon_s, stride=stride, targets_only=targets_only, executor=executor_for(jobs, ray),
    )  # fmt: skip
    labels, everybody = _labels(predictors), all_agents_of(opened, predictors)
    thinned = robustness.robustness_set(opened, rates_hz, drops, seed) if rates_hz or drops else None
    units = len(specs) * (len(opened.units) + (0 if thinned is None else len(thinned.units)))

    def report_progress(done: int, _total: int, before: int = 0) -> None:
        if progress is not None:
            progress(before + done, units)

    saved = asked or specs
    settings = (stride, targets_only, tuple(rates_hz), tuple(drops), seed, domain, self_judging)
    kept = KeptWork() if resume is None else KeptWork(resume, identity_of(opened, specs, settings))
    official = _official(opened, kept)
    with ExitStack() as stack:
        writer = None if save is None else stack.enter_context(PathWriter(save, with_model=len(saved) > 1))
        counts: dict[str, Any] = {}
        entries = []
        for spec, result in model_results(
            opened,
            specs,
            jobs=jobs,
            ray=ray,
            progress=report_progress,
            save=_takers(writer, official, specs, saved, labels),
            domain=domain,
            self_judging=self_judging,
            sink=None if sink is None else Labelled(sink, labels),
            kept=kept,
        ):
            counts = counts or _counts(result.tally, opened)
            entries.append(
                {
                    **_description(labels[spec], spec, predictors[spec], result),
                    **everybody.get(spec, {}),
                    **_summary(result.tally, opened),
                    **_steadiness(result),
                    **({} if official is None else {"womd": official.summary(spec)}),
                }
            )
    report = {
        "report_version": REPORT_VERSION,
        "dataset": opened.name,
        "split": opened.split,
        "data": str(data),
        "stride": stride,
        "self_judging": self_judging,
        "time_s": opened.time_s.tolist(),
        "domain": "checked" if domain else "ignored",
        "counts": counts,
        "models": entries,
        "definitions": {**DEFINITIONS, **steadiness.DEFINITIONS},
        **({} if official is None else {"womd_definitions": womd.DEFINITIONS}),
        "versions": _versions(any(p.model_file is not None for p in predictors.values())),
    }
    if thinned is not None:
        before = len(specs) * len(opened.units)
        worn = dict(
            model_results(
                thinned,
                specs,
                jobs=jobs,
                ray=ray,
                progress=lambda done, total: report_progress(done, total, before),
                domain=domain,
                self_judging=self_judging,
                kept=kept,
                part="robustness ",
            )
        )
        report["robustness"] = {
            "seed": seed,
            "instants_s": robustness.INSTANT_S,
            "definition": robustness.DEFINITION,
            "cells": robustness.robustness_report(worn, labels, rates_hz, drops),
        }
    return report


def _official(opened: EvaluationSet, kept: KeptWork) -> womd.WomdFigures | None:
    """Return what collects the figures of the data set's own benchmark, where they differ from the general ones."""
    if opened.name != WOMD.name:
        return None
    files = sorted({file for unit in opened.units if isinstance(unit, WindowUnit) for file in unit.files})
    figures = womd.WomdFigures(files, kept.beside)
    kept.beside = figures.objects
    return figures


def _takers(
    writer: PathWriter | None,
    official: womd.WomdFigures | None,
    specs: Sequence[str],
    saved: Sequence[str],
    labels: dict[str, str],
) -> dict[str, Callable[[SavedPaths], None]]:
    """Return what takes the paths of each predictor: the file for those that are saved, and the official figures."""

    def take(spec: str, paths: SavedPaths) -> None:
        if writer is not None and spec in saved:
            writer.write(labels[spec], paths)
        if official is not None:
            official.add(spec, paths)

    taken = specs if official is not None else saved if writer is not None else ()
    return {spec: partial(take, spec) for spec in taken}


def dataset_of_report(report: dict[str, Any]) -> Dataset:
    """Return the description of the data set that a report is of; a bag is scored as a scene. Raises InputError."""
    return SCENES if report["dataset"] == "bag" else dataset_named(report["dataset"])


def _labels(predictors: dict[str, Predictor]) -> dict[str, str]:
    """Return a name for each spec, with the spec where two models have the same name."""
    names = [p.name for p in predictors.values()]
    return {spec: p.name if names.count(p.name) == 1 else f"{p.name} ({spec})" for spec, p in predictors.items()}


def _description(label: str, spec: str, predictor: Predictor, result: ModelResult) -> dict[str, Any]:
    described: dict[str, Any] = {"model": label, "spec": spec, "modes": predictor.modes, "rows": asdict(result.guard)}
    if result.judging.judgements:
        described["self_judging"] = asdict(result.judging)
    if predictor.model_file is not None:
        contract = predictor.model_file.contract
        described["model_id"] = contract.model_id
        described["git_revision"] = contract.git_revision
        described["provider"] = predictor.model_file.provider
        described["training"] = config.to_dict(contract.training)
    return described


def _horizons(time_s: FloatArray) -> list[str]:
    return [f"{time_s[end - 1]:g}" for end in horizon_steps(time_s)]


def _classes(tally: Tally) -> list[tuple[int, str, Sums]]:
    """Return each class of which there is any object."""
    every = zip(CLASS_NAMES, tally.by_class, strict=True)
    return [(value, name, sums) for value, (name, sums) in enumerate(every) if sums.objects]


def _groups(tally: Tally) -> list[tuple[str, Sums]]:
    """Return each group in order of its first appearance."""
    return [(group, sums) for group, sums in tally.by_group.items() if group]


def _counts(tally: Tally, opened: EvaluationSet) -> dict[str, Any]:
    """Objects by horizon, class and scene; whole: those whose future is recorded to the last horizon."""
    everything, names = tally.everything, _horizons(opened.time_s)
    return {
        "objects": everything.objects,
        "whole": int(everything.count[-1]),
        "by_horizon": {name: int(everything.count[i]) for i, name in enumerate(names)},
        "by_class": {name: int(sums.count[-1]) for _, name, sums in _classes(tally)},
        "by_scene": {group: int(sums.count[-1]) for group, sums in _groups(tally)},
    }


def _summary(tally: Tally, opened: EvaluationSet) -> dict[str, Any]:
    """metrics: over all objects whose whole future is recorded; then the same divided up.

    mean_over_scenes is the unweighted mean of per_scene, as the ETH/UCY benchmark takes it.
    """

    def by_horizon(sums: Sums) -> dict[str, dict[str, float]]:
        return {name: sums.means(i) for i, name in enumerate(_horizons(opened.time_s))}

    per_scene = {group: {**sums.means(-1), **tally.joint_of(group=group)} for group, sums in _groups(tally)}
    summed = [m for m in per_scene.values() if m]
    return {
        "metrics": {**tally.everything.means(-1), **tally.joint_of()},
        "per_horizon": by_horizon(tally.everything),
        "per_class": {
            name: {
                "metrics": {**sums.means(-1), **tally.joint_of(object_class=value)},
                "per_horizon": by_horizon(sums),
            }
            for value, name, sums in _classes(tally)
        },
        "per_scene": per_scene,
        "mean_over_scenes": {k: float(np.mean([m[k] for m in summed])) for k in summed[0]} if summed else {},
        "breakdown": breakdown(tally, opened.time_s, opened.dataset.ranks),
        "calibration": calibration(tally, opened.time_s),
    }


def _steadiness(result: ModelResult) -> dict[str, Any]:
    found = result.steps.summary()
    return {"consistency": found} if found else {}


def _versions(with_onnx: bool) -> dict[str, str]:
    versions = {"trajnet": trajnet.__version__, "python": platform.python_version(), "numpy": np.__version__}
    if with_onnx:
        import onnxruntime

        versions["onnxruntime"] = onnxruntime.__version__
    return versions
