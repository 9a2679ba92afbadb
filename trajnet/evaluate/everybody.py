"""For how many windows of a benchmark the neighbours of a model are all agents that were there."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from trajnet.datasets.files import agents_file
from trajnet.datasets.window_context import files_of_scenes
from trajnet.evaluate.evaluation_set import EvaluationSet
from trajnet.evaluate.units import WindowUnit
from trajnet.inference import Predictor

log = logging.getLogger(__name__)


def all_agents_of(opened: EvaluationSet, predictors: dict[str, Predictor]) -> dict[str, dict[str, Any]]:
    """Return by spec what a report says of the neighbours of each model that requires all agents.

    ``all_agents``: objects whose scene has a recording of all agents, and ``of`` how many. Nothing is said of streamed
    scenes, whose neighbours are what they have. Logs a warning where there is no recording at all.
    """
    asking = {spec: found.name for spec, found in predictors.items() if found.requirements.all_agents}
    units = [unit for unit in opened.units if isinstance(unit, WindowUnit)]
    if not asking or not units:
        return {}
    objects = sum(_recorded(unit) for unit in units)
    total = sum(len(unit.windows) for unit in units)
    if not objects:
        log.warning(
            "%s: %s learned with all agents as neighbours, but there is no recording of them beside the data "
            "(docs/datasets.md); the neighbours are those that its own files list",
            opened.name, ", ".join(asking.values()),
        )  # fmt: skip
    return {spec: {"all_agents": {"objects": objects, "of": total}} for spec in asking}


def _recorded(unit: WindowUnit) -> int:
    """Return how many of the unit's windows are of scenes with a recording of all agents."""
    scene_id, count = np.unique(unit.windows.scene_id, return_counts=True)
    files = files_of_scenes(scene_id.tolist(), unit.files)
    return sum(n for name, n in zip(scene_id.tolist(), count.tolist(), strict=True) if agents_file(files[name]))
