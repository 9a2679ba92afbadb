"""Whether stated uncertainty is what happens: coverage next to nominal, and the reliability of mode probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np

from trajnet import metrics
from trajnet.evaluate.paths import horizon_steps
from trajnet.evaluate.scoring import Scores
from trajnet.types import CLASS_NAMES, BoolArray, FloatArray

#: The region whose coverage is judged: of the whole mixture, as a consumer gets it.
REGION = "mixture_region"

#: A class with fewer objects than this at a horizon is listed, but not named as the worst: with 100 objects the
#: coverage of a perfect 90 % region strays by 3 points on its own.
ENOUGH_OBJECTS = 100


def calibration(scores: Scores, time_s: FloatArray) -> dict[str, Any]:
    """Coverage, its worst deviations and the reliability table of one predictor.

    coverage: a row for all objects and each class at each horizon: class, horizon_s, objects, and for each level
    (50, 68, 90, 95, in percent) the percentage of objects whose true position lies within the level's region.
    worst: of the rows of all objects; worst_of_classes: of those of classes with ENOUGH_OBJECTS; each the row's class,
    horizon_s and objects, the level, what was covered and deviation_points = covered - level (None without such rows).
    reliability: for each bin of the most probable mode's probability: from, to, objects, stated (mean probability) and
    happened (share of objects whose closest mode it is). ECE_top_mode: the error that these rows sum up to.
    """
    rows = [r for name, chosen in _classes(scores) for r in _coverage_rows(scores, chosen, name, time_s)]
    whole = scores.known[:, -1]
    return {
        "region": REGION,
        "coverage": rows,
        "worst": _worst([r for r in rows if r["class"] == "all"]),
        "worst_of_classes": _worst([r for r in rows if r["class"] != "all" and r["objects"] >= ENOUGH_OBJECTS]),
        "reliability": _reliability(scores, whole),
        "ECE_top_mode": metrics.expected_calibration_error(scores.probability[whole, 0], scores.closest[whole, -1] == 0)
        if whole.any()
        else None,
    }


def _classes(scores: Scores) -> list[tuple[str, BoolArray]]:
    everything = np.ones(len(scores), dtype=np.bool_)
    return [("all", everything), *((name, scores.object_class == value) for value, name in enumerate(CLASS_NAMES))]


def _coverage_rows(scores: Scores, chosen: BoolArray, name: str, time_s: FloatArray) -> list[dict[str, Any]]:
    found = []
    for column, end in enumerate(horizon_steps(time_s)):
        share = scores.share[REGION][chosen & scores.known[:, column], column]
        if len(share):
            covered = {f"{100 * level:.0f}": 100 * float((share < level).mean()) for level in metrics.COVERAGE_LEVELS}
            found.append({"class": name, "horizon_s": float(time_s[end - 1]), "objects": len(share), **covered})
    return found


def _worst(rows: list[dict[str, Any]]) -> dict[str, Any] | None:
    levels = [100 * level for level in metrics.COVERAGE_LEVELS]
    cells = [(row, level, row[f"{level:.0f}"] - level) for row in rows for level in levels]
    if not cells:
        return None
    row, level, deviation = max(cells, key=lambda cell: abs(cell[2]))
    kept = {key: row[key] for key in ("class", "horizon_s", "objects")}
    return {**kept, "level": level, "covered": level + deviation, "deviation_points": deviation}


def _reliability(scores: Scores, whole: BoolArray) -> list[dict[str, Any]]:
    if not whole.any():
        return []
    count, stated, happened = metrics.reliability(scores.probability[whole, 0], scores.closest[whole, -1] == 0)
    bins = len(count)
    return [
        {
            "from": i / bins, "to": (i + 1) / bins, "objects": int(count[i]),
            "stated": float(stated[i]), "happened": float(happened[i]),
        }
        for i in np.flatnonzero(count).tolist()
    ]  # fmt: skip
