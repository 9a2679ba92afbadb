"""What a model ought to reach at a place, and whether it does.

The limits are this project's own; they say when a model is worth more than physics to a planner.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from trajnet.protocols.sites.bootstrap import mean_interval
from trajnet.protocols.sites.breakdown import MIN_TRACKS
from trajnet.protocols.sites.events import LEVELS
from trajnet.protocols.sites.objects import Objects
from trajnet.protocols.sites.scores import Scores
from trajnet.types import BoolArray, FloatArray, IntArray

#: Moving vehicles: change of the mean displacement against constant velocity, of the top path and of the best of six.
MOVING_TOP_PERCENT = -20.0
MOVING_BEST_PERCENT = -55.0
#: Walking pedestrians: change of the top path's against the best physics.
WALKING_PERCENT = 0.0
#: Coverage may be so many points off its level at every horizon.
COVERAGE_POINTS = 5.0


def targets(
    objects: Objects,
    scores: Scores,
    physics: Mapping[str, Scores],
    calibration: Sequence[Mapping[str, float]],
    worse: int,
    seed: int,
) -> list[dict[str, Any]]:
    """Return a row for each target: name, value, unit, limit (in words), tracks and met.

    met is None where fewer than MIN_TRACKS tracks could tell. worse: how many cells are worse than physics.
    """
    _, track = np.unique(objects.track, return_inverse=True)
    track = track.ravel()
    every = len(np.unique(track))
    moving, walking = objects.moving_vehicle, objects.walking
    rows = [_row("cells worse than physics", float(worse), "", "0", worse == 0, every)]
    for name, error_m, others, who, limit in (
        ("moving vehicles, top path vs cv", scores.top_ade_m, ("cv",), moving, MOVING_TOP_PERCENT),
        ("moving vehicles, best of six vs cv", scores.best_ade_m, ("cv",), moving, MOVING_BEST_PERCENT),
        ("walking pedestrians, top path vs physics", scores.top_ade_m, tuple(physics), walking, WALKING_PERCENT),
    ):
        change = _change_percent(error_m, [physics[other] for other in others], who)
        met = change is not None and change <= limit
        rows.append(_row(name, change, "%", f"<= {limit:g}", met, len(np.unique(track[who]))))
    rows.append(_standing(objects.stands, scores, physics, track, seed))
    for level in LEVELS:
        for row in calibration:
            value = 100.0 * row[f"covered_{100 * level:.0f}"]
            met = abs(value - 100.0 * level) <= COVERAGE_POINTS
            name = f"{100 * level:.0f} % region holds at {row['horizon_s']:g} s"
            rows.append(_row(name, value, "%", f"{100 * level:.0f} +- {COVERAGE_POINTS:g}", met, every))
    return rows


def _row(name: str, value: float | None, unit: str, limit: str, met: bool, tracks: int) -> dict[str, Any]:
    told = value is not None and tracks >= MIN_TRACKS
    return {
        "name": name, "value": value, "unit": unit, "limit": limit, "tracks": tracks, "met": met if told else None,
    }  # fmt: skip


def _change_percent(error_m: FloatArray, others: Sequence[Scores], rows: BoolArray) -> float | None:
    """Return the change of the mean error (N,) of rows against the best of the others; None where there is nothing."""
    if not rows.any():
        return None
    best_m = min(float(other.top_ade_m[rows].mean()) for other in others)
    return 100.0 * (float(error_m[rows].mean()) / best_m - 1.0) if best_m > 0 else None


def _standing(
    rows: BoolArray, scores: Scores, physics: Mapping[str, Scores], track: IntArray, seed: int
) -> dict[str, Any]:
    """Return the target of standing objects: the interval of top path minus best physics is not wholly above 0."""
    name, limit = "standing objects, top path minus physics", "interval not above 0"
    if not rows.any():
        return _row(name, None, "m", limit, False, 0)
    best = min(physics.values(), key=lambda other: float(other.top_ade_m[rows].mean()))
    difference_m = (scores.top_ade_m - best.top_ade_m)[rows]
    low, _ = mean_interval(difference_m[:, None], track[rows], seed=seed)
    return _row(name, float(difference_m.mean()), "m", limit, bool(low[0] <= 0), len(np.unique(track[rows])))
