"""Where the error sits: by class, speed, manoeuvre, history and second of the future, each with its share of it all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from trajnet.evaluate import manoeuvres
from trajnet.evaluate.paths import horizon_steps
from trajnet.evaluate.scoring import Scores
from trajnet.types import CLASS_NAMES, BoolArray, FloatArray

#: The ranks k whose minADE_k and minFDE_k are broken down for each dataset: the most probable path, the headline.
RANKS = {"nuscenes": (1, 5, 10), "eth_ucy": (1, 20), "apolloscape": (1, 6), "vru": (1, 6), "scenes": (1, 6)}


def breakdown(scores: Scores, time_s: FloatArray, ranks: tuple[int, ...]) -> dict[str, Any]:
    """Divisions of the objects whose whole future is recorded.

    division ("class", "speed", "manoeuvre", "history") -> part -> objects, share_of_objects and, for each metric
    (minADE_k and minFDE_k of the ranks), mean (m) and share_of_error: the part's sum over the sum of all objects. The
    division "second" has the stretches of the future instead ("0-1": over 0 up to 1 s): mean is the mean displacement
    of the mode that minADE_k chooses over the whole path, share_of_error its sum there over that of the whole path.
    """
    whole = scores.known[:, -1]
    divisions: dict[str, Any] = {}
    for division, part, rows in _parts(scores):
        rows = rows & whole
        if rows.any():
            divisions.setdefault(division, {})[part] = _part(scores, rows, whole, ranks)
    divisions["second"] = dict(_seconds(scores, whole, time_s, ranks))
    return divisions


def _parts(scores: Scores) -> Iterator[tuple[str, str, BoolArray]]:
    for name, index, names in (
        ("class", scores.object_class, CLASS_NAMES),
        ("speed", scores.speed_band, manoeuvres.SPEED_BANDS),
        ("manoeuvre", scores.manoeuvre, manoeuvres.MANOEUVRES),
        ("history", scores.history_band, manoeuvres.HISTORY_BANDS),
    ):
        for value, part in enumerate(names):
            yield name, part, index == value


def _part(scores: Scores, rows: BoolArray, whole: BoolArray, ranks: tuple[int, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {"objects": int(rows.sum()), "share_of_objects": float(rows.sum() / whole.sum())}
    for metric in (f"{name}_{k}" for name in ("minADE", "minFDE") for k in ranks):
        error_m = scores.values[metric][:, -1]
        found[metric] = _figures(error_m[rows], float(error_m[whole].sum()))
    return found


def _seconds(
    scores: Scores, whole: BoolArray, time_s: FloatArray, ranks: tuple[int, ...]
) -> Iterator[tuple[str, dict[str, Any]]]:
    ends = horizon_steps(time_s)
    for begin, end in zip([0, *ends[:-1]], ends, strict=True):
        low_s = time_s[begin - 1] if begin else 0.0
        found: dict[str, Any] = {"steps": end - begin}
        for k in ranks:
            error_m = scores.step_error_m[f"minADE_{k}"][whole]
            found[f"minADE_{k}"] = _figures(error_m[:, begin:end], float(error_m.sum()))
        yield f"{low_s:g}-{time_s[end - 1]:g}", found


def _figures(error_m: FloatArray, total_m: float) -> dict[str, float]:
    return {"mean": float(error_m.mean()), "share_of_error": float(error_m.sum()) / total_m if total_m > 0 else 0.0}
