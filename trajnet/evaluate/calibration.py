"""Whether stated uncertainty is what happens: coverage next to nominal, and the reliability of mode probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np

from trajnet import metrics
from trajnet.evaluate.paths import horizon_steps
from trajnet.evaluate.scoring import REGIONS
from trajnet.evaluate.tally import Sums, Tally
from trajnet.types import CLASS_NAMES, FloatArray

#: The region whose coverage is judged: of the whole mixture, as a consumer gets it.
REGION = "mixture_region"

#: A class with fewer objects than this at a horizon is listed, but not named as the worst: with 100 objects the
#: coverage of a perfect 90 % region strays by 3 points on its own.
ENOUGH_OBJECTS = 100


def calibration(tally: Tally, time_s: FloatArray) -> dict[str, Any]:
    """Coverage, its worst deviations and the reliability table of one predictor.

    coverage: a row for all objects and each class at each horizon: class, horizon_s, objects, and for each level
    (50, 68, 90, 95, in percent) the percentage of objects whose true position lies within the level's region.
    worst: of the rows of all objects; worst_of_classes: of those of classes with ENOUGH_OBJECTS; each the row's class,
    horizon_s and objects, the level, what was covered and deviation_points = covered - level (None without such rows).
    reliability: for each bin of the most probable mode's probability: from, to, objects, stated (mean probability) and
    happened (share of objects whose closest mode it is). ECE_top_mode: the error that these rows sum up to.
    """
    groups = [("all", tally.everything), *zip(CLASS_NAMES, tally.by_class, strict=True)]
    rows = [r for name, sums in groups for r in _coverage_rows(sums, name, time_s)]
    top = tally.everything.top[-1]
    return {
        "region": REGION,
        "coverage": rows,
        "worst": _worst([r for r in rows if r["class"] == "all"]),
        "worst_of_classes": _worst([r for r in rows if r["class"] != "all" and r["objects"] >= ENOUGH_OBJECTS]),
        "reliability": _reliability(top),
        "ECE_top_mode": metrics.calibration_error_of(top) if tally.everything.count[-1] else None,
    }


def _coverage_rows(sums: Sums, name: str, time_s: FloatArray) -> list[dict[str, Any]]:
    found = []
    for column, end in enumerate(horizon_steps(time_s)):
        count, inside = int(sums.count[column]), sums.covered[column, REGIONS.index(REGION)]
        if count:
            covered = {
                f"{100 * level:.0f}": 100 * float(within / count)
                for level, within in zip(metrics.COVERAGE_LEVELS, inside, strict=True)
            }
            found.append({"class": name, "horizon_s": float(time_s[end - 1]), "objects": count, **covered})
    return found


def _worst(rows: list[dict[str, Any]]) -> dict[str, Any] | None:
    levels = [100 * level for level in metrics.COVERAGE_LEVELS]
    cells = [(row, level, row[f"{level:.0f}"] - level) for row in rows for level in levels]
    if not cells:
        return None
    row, level, deviation = max(cells, key=lambda cell: abs(cell[2]))
    kept = {key: row[key] for key in ("class", "horizon_s", "objects")}
    return {**kept, "level": level, "covered": level + deviation, "deviation_points": deviation}


def _reliability(sums: FloatArray) -> list[dict[str, Any]]:
    count, stated, happened = metrics.reliability_of(sums)
    bins = len(count)
    return [
        {
            "from": i / bins, "to": (i + 1) / bins, "objects": int(count[i]),
            "stated": float(stated[i]), "happened": float(happened[i]),
        }
        for i in np.flatnonzero(count).tolist()
    ]  # fmt: skip
