"""Classes and speeds of a scene against those that a model was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from trajnet.check.finding import Finding
from trajnet.check.steps import Pairs
from trajnet.types import CLASS_NAMES


@dataclass(frozen=True)
class TrainedOn:
    """What a model has seen. top_speed_mps: class -> the speed that 99 % of its training moves stay under.

    A class that is not named was not trained on.
    """

    model: str
    top_speed_mps: Mapping[str, float]


def domain_findings(legs: Pairs, trained: TrainedOn) -> list[Finding]:
    """Return the classes that the model does not know and those that are faster here than anything it has seen."""
    found = []
    for index, name in enumerate(CLASS_NAMES):
        moves = legs.where(legs.object_class == index)
        if not len(moves.first):
            continue
        objects = len(np.unique(moves.scene.row_track[moves.first]))
        if name not in trained.top_speed_mps:
            sentence = f"{objects} objects are of class {name}, which {trained.model} was not trained on"
            found.append(Finding("doubt", "domain", sentence, "Its paths for them are a guess"))
            continue
        faster = float((moves.speed_mps > trained.top_speed_mps[name]).mean())
        if faster > 0.1:
            top = f"{trained.top_speed_mps[name]:.3g} m/s that {trained.model} was trained on"
            sentence = f"{faster:.0%} of the moves of {name} objects are faster than the {top}"
            found.append(Finding("doubt", "domain", sentence, "Its paths for them are a guess"))
    return found
