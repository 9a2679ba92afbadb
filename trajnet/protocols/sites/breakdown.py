"""Errors next to those of the best physics, in cells of class and speed and by one property at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from trajnet.evaluate import manoeuvres
from trajnet.inference import PHYSICS
from trajnet.protocols.sites.bootstrap import mean_interval
from trajnet.protocols.sites.objects import BANDS, Objects
from trajnet.protocols.sites.scores import Scores
from trajnet.types import CLASS_NAMES, BoolArray, FloatArray, IntArray

#: A part with fewer tracks is listed, but not judged: its interval would say more about the tracks than the model.
MIN_TRACKS = 30

#: The division whose parts are counted in the headline.
CELLS = "class x speed"


def parts_of(objects: Objects) -> Iterator[tuple[str, str, BoolArray]]:
    """Yield each division, its part and the part's objects (N,), parts without objects left out."""
    speeds = tuple(name for name, _ in BANDS)
    yield "whole", "all", np.ones(len(objects), np.bool_)
    for value, name in enumerate(CLASS_NAMES):
        for band, speed in enumerate(speeds):
            rows = (objects.object_class == value) & (objects.band == band)
            if rows.any():
                yield CELLS, f"{name}, {speed}", rows
    for division, index, names in (
        ("class", objects.object_class, CLASS_NAMES),
        ("speed", objects.band, speeds),
        ("manoeuvre", objects.manoeuvre, manoeuvres.MANOEUVRES),
        ("time seen", objects.history, manoeuvres.HISTORY_BANDS),
    ):
        for value, name in enumerate(names):
            rows = index == value
            if rows.any():
                yield division, name, rows


def part_figures(
    rows: BoolArray, scores: Scores, physics: Mapping[str, Scores], track: IntArray, seed: int
) -> dict[str, Any]:
    """Return the errors of one predictor for the objects of rows (N,), next to those of physics; metres.

    track (N,): which track each object is of. The best physics is the one with the smallest mean displacement here.
    difference: top path minus best physics, see difference_figures.
    """
    chosen = np.flatnonzero(rows)
    ade_m = {name: float(other.top_ade_m[chosen].mean()) for name, other in physics.items()}
    best = min(ade_m, key=lambda name: ade_m[name])
    difference_m = scores.top_ade_m[chosen] - physics[best].top_ade_m[chosen]
    return {
        "objects": len(chosen),
        "tracks": len(np.unique(track[chosen])),
        "physics": best,
        "physics_ade_m": ade_m[best],
        "physics_fde_m": float(physics[best].top_fde_m[chosen].mean()),
        "cv_ade_m": ade_m["cv"],
        "top_ade_m": float(scores.top_ade_m[chosen].mean()),
        "top_fde_m": float(scores.top_fde_m[chosen].mean()),
        "best_ade_m": float(scores.best_ade_m[chosen].mean()),
        "best_fde_m": float(scores.best_fde_m[chosen].mean()),
        **difference_figures(difference_m, track[chosen], seed),
    }


def difference_figures(difference_m: FloatArray, track: IntArray, seed: int) -> dict[str, Any]:
    """Return the mean of differences (N,) of two errors of the same objects, with its interval and a verdict.

    track (N,): which track each object is of. worse, better: in a part of at least MIN_TRACKS tracks (judged) the
    interval lies wholly above or below 0.
    """
    low, high = mean_interval(difference_m[:, None], track, seed=seed)
    judged = len(np.unique(track)) >= MIN_TRACKS
    return {
        "judged": judged,
        "difference_m": float(difference_m.mean()),
        "difference_low_m": float(low[0]),
        "difference_high_m": float(high[0]),
        "worse": bool(judged and low[0] > 0),
        "better": bool(judged and high[0] < 0),
    }


def map_effect(objects: Objects, scores: Scores, blind: Scores, seed: int) -> dict[str, dict[str, Any]]:
    """Return cell -> figures of the top path with the map next to that of the same predictor without it (blind)."""
    _, track = np.unique(objects.track, return_inverse=True)
    found: dict[str, dict[str, Any]] = {}
    for division, part, rows in parts_of(objects):
        if division != CELLS:
            continue
        chosen, of = np.flatnonzero(rows), track.ravel()
        found[part] = {
            "objects": len(chosen),
            "tracks": len(np.unique(of[chosen])),
            "top_ade_m": float(scores.top_ade_m[chosen].mean()),
            "without_map_ade_m": float(blind.top_ade_m[chosen].mean()),
            **difference_figures(scores.top_ade_m[chosen] - blind.top_ade_m[chosen], of[chosen], seed),
        }
    return found


def divisions(objects: Objects, scores: Scores, physics: Mapping[str, Scores], seed: int) -> dict[str, dict[str, Any]]:
    """Return division -> part -> part_figures. physics: the scores of every physics predictor, by its name."""
    assert set(physics) == set(PHYSICS)
    _, track = np.unique(objects.track, return_inverse=True)
    found: dict[str, dict[str, Any]] = {}
    for division, part, rows in parts_of(objects):
        found.setdefault(division, {})[part] = part_figures(rows, scores, physics, track.ravel(), seed)
    return found
