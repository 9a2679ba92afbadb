"""Where the error sits: by class, speed, manoeuvre, history and second of the future, each with its share of it all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from trajnet.evaluate.paths import horizon_steps
from trajnet.evaluate.scoring import STEPWISE
from trajnet.evaluate.tally import DIVISIONS, PartSums, Tally
from trajnet.types import FloatArray

_ERRORS = ("minADE", "minFDE")


def breakdown(tally: Tally, time_s: FloatArray, ranks: tuple[int, ...]) -> dict[str, Any]:
    """Divisions of the objects whose whole future is recorded.

    division ("class", "speed", "manoeuvre", "history") -> part -> objects, share_of_objects and, for each metric
    (minADE_k and minFDE_k of the ranks), mean (m) and share_of_error: the part's sum over the sum of all objects. The
    division "second" has the stretches of the future instead ("0-1": over 0 up to 1 s): mean is the mean displacement
    of the mode that minADE_k chooses over the whole path, share_of_error its sum there over that of the whole path.
    """
    divisions: dict[str, Any] = {}
    for division, (names, _) in DIVISIONS.items():
        sums = tally.parts[division]
        for part in np.flatnonzero(sums.objects).tolist():
            divisions.setdefault(division, {})[names[part]] = _part(sums, part, ranks)
    divisions["second"] = dict(_seconds(tally, time_s, ranks))
    return divisions


def _part(sums: PartSums, part: int, ranks: tuple[int, ...]) -> dict[str, Any]:
    objects = int(sums.objects[part])
    found: dict[str, Any] = {"objects": objects, "share_of_objects": float(objects / sums.objects.sum())}
    for metric, name in enumerate(_ERRORS):
        for k in ranks:
            error_m = sums.error_m[:, metric, STEPWISE.index(k)]
            found[f"{name}_{k}"] = _figures(float(error_m[part]), objects, float(error_m.sum()))
    return found


def _seconds(tally: Tally, time_s: FloatArray, ranks: tuple[int, ...]) -> Iterator[tuple[str, dict[str, Any]]]:
    ends, objects = horizon_steps(time_s), int(tally.everything.count[-1])
    for begin, end in zip([0, *ends[:-1]], ends, strict=True):
        low_s = time_s[begin - 1] if begin else 0.0
        found: dict[str, Any] = {"steps": end - begin}
        for k in ranks:
            error_m = tally.step_error_m[STEPWISE.index(k)]
            found[f"minADE_{k}"] = _figures(
                float(error_m[begin:end].sum()), objects * (end - begin), float(error_m.sum())
            )
        yield f"{low_s:g}-{time_s[end - 1]:g}", found


def _figures(error_m: float, count: int, total_m: float) -> dict[str, float]:
    """Return the mean of a sum of errors over their count, and its share of the total."""
    return {"mean": error_m / count, "share_of_error": error_m / total_m if total_m > 0 else 0.0}
