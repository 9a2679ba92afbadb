"""From what was played to the report on sites, ready for JSON, with the headline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trajnet.evaluate import steadiness
from trajnet.inference import PHYSICS, Predictor
from trajnet.protocols.sites.breakdown import CELLS, divisions, map_effect
from trajnet.protocols.sites.conditions import Condition
from trajnet.protocols.sites.events import calibration, events
from trajnet.protocols.sites.objects import future_times_s
from trajnet.protocols.sites.play import Answer, Played
from trajnet.protocols.sites.scores import Scores
from trajnet.protocols.sites.site_list import Site, trained_on
from trajnet.protocols.sites.survey import Survey
from trajnet.protocols.sites.targets import targets


def labels_of(predictors: Mapping[str, Predictor]) -> dict[str, str]:
    """Return a name for each spec, with the spec where two models have the same name."""
    names = [p.name for p in predictors.values()]
    return {spec: p.name if names.count(p.name) == 1 else f"{p.name} ({spec})" for spec, p in predictors.items()}


def about_model(label: str, spec: str, predictor: Predictor) -> dict[str, Any]:
    contract = None if predictor.model_file is None else predictor.model_file.contract
    return {
        "model": label,
        "spec": spec,
        "model_id": None if contract is None else contract.model_id,
        "trained_on": None if contract is None else list(contract.training.datasets),
    }


def site_report(
    site: Site,
    every_s: float,
    found: Survey,
    played: Played,
    predictors: Mapping[str, Predictor],
    labels: Mapping[str, str],
    wanted: Sequence[Condition],
    seed: int,
) -> dict[str, Any]:
    """Return a site's part of the report. wanted: the conditions asked for. labels: spec -> name in the report."""
    conditions = []
    for condition in wanted:
        missing = found.missing(condition)
        pair = condition.without_map if condition.with_map and condition.without_map in wanted else None
        if pair is not None and found.missing(pair):
            pair = None
        physics = {} if missing else {name: played.answers[condition.name, name].scores for name in PHYSICS}
        conditions.append(
            {
                "condition": condition.name,
                "left_out": missing,
                "models": {
                    labels[spec]: _judged(
                        played,
                        played.answers[condition.name, spec],
                        physics,
                        found.horizon_s,
                        seed,
                        with_map=found.has_map and condition.with_map,
                        blind=None if pair is None else played.answers[pair.name, spec].scores,
                    )
                    for spec in (() if missing else predictors)
                },
            }
        )
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
        "has_heading": found.has_heading,
        "trained": {labels[spec]: _trained(site, spec, predictor) for spec, predictor in predictors.items()},
        "conditions": conditions,
    }


def _trained(site: Site, spec: str, predictor: Predictor) -> dict[str, Any]:
    sources: list[str] | None = [] if spec in PHYSICS else None
    if predictor.model_file is not None:
        sources = list(predictor.model_file.contract.training.datasets)
    answer, because = trained_on(site, sources)
    return {"trained_on_it": answer, "sources": because}


def _judged(
    played: Played, answer: Answer, physics: Mapping[str, Scores], horizon_s: float, seed: int, *, with_map: bool,
    blind: Scores | None,
) -> dict[str, Any]:  # fmt: skip
    """Return one model's figures under one condition. blind: its scores under the same without the map, if asked."""
    objects, scores = played.objects, answer.scores
    parts = divisions(objects, scores, physics, seed)
    covered = calibration(scores, future_times_s(horizon_s))
    worse = [name for name, part in parts[CELLS].items() if part["worse"]]
    return {
        "worse": worse,
        "cells_judged": sum(part["judged"] for part in parts[CELLS].values()),
        "divisions": parts,
        "map_effect": None if blind is None else map_effect(objects, scores, blind, seed),
        "events": events(objects, scores),
        "calibration": covered,
        "steadiness": steadiness.summary(answer.steps),
        "targets": targets(objects, scores, physics, covered, len(worse), with_map=with_map),
        "rows": {"model": answer.model_rows, "physics": answer.physics_rows},
    }


def headline(sites: Sequence[Mapping[str, Any]], models: Sequence[str]) -> dict[str, Any]:
    """Return for each model how many judged cells are worse than physics, in all, by condition and by site, and which.

    worse_trained: of those in all, the ones at sites whose recordings or data set the model was trained on. map_cells:
    the cells in which the top path with the map is worse than without, of map_judged that both conditions have.
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
            "map_judged": 0,
            "map_cells": [],
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
                at = {"site": site["site"], "condition": condition["condition"], "trained": trained}
                for cell, effect in (judged["map_effect"] or {}).items():
                    entry["map_judged"] += effect["judged"]
                    if effect["worse"]:
                        entry["map_cells"].append({**at, "cell": cell, **effect})
                for cell in judged["worse"]:
                    entry["cells"].append({**at, "cell": cell, **judged["divisions"][CELLS][cell]})
        found[model] = entry
    return found
