"""Classes, speeds and rate of a scene against those that a model was trained on."""

from __future__ import annotations

import numpy as np

from trajnet.check.finding import Finding
from trajnet.check.steps import Pairs
from trajnet.inference.domain import Domain
from trajnet.types import CLASS_NAMES

#: A class is named if more than this share of its moves is too fast.
TOO_FAST_SHARE = 0.1
CAUSE = "They are answered by physics, not by the model"


def domain_findings(legs: Pairs, period_s: float, model: str, domain: Domain) -> list[Finding]:
    """Return what is outside of a model's domain: a doubt for each class, its speeds, and the rate."""
    found = []
    low_hz, high_hz = domain.served_rates_hz
    if np.isfinite(period_s) and period_s > 0 and not low_hz <= 1 / period_s <= high_hz:
        sentence = f"the rate is {1 / period_s:.3g} Hz, and {model} serves {low_hz:.3g} to {high_hz:.3g} Hz"
        found.append(Finding("doubt", "domain", sentence, "Thin it, or bin it to such a rate (convert --rate)"))
    for index, name in enumerate(CLASS_NAMES):
        moves = legs.where(legs.object_class == index)
        if not len(moves.first):
            continue
        if name not in domain.trained_classes:
            objects = len(np.unique(moves.scene.row_track[moves.first]))
            sentence = f"{objects} objects are of class {name}, which {model} was not trained on"
            found.append(Finding("doubt", "domain", sentence, CAUSE))
            continue
        top_mps = domain.served_speed_mps(name)
        faster = float((moves.speed_mps > top_mps).mean())
        if faster > TOO_FAST_SHARE:
            sentence = f"{faster:.0%} of the moves of {name} objects are faster than the {top_mps:.3g} m/s of {model}"
            found.append(Finding("doubt", "domain", sentence, CAUSE))
    return found
