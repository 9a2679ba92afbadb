"""What a model ought to reach at a place, and whether it does.

The limits are this project's own: what a planner that has physics needs before a model is worth its trouble.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from trajnet.protocols.sites.breakdown import MIN_TRACKS
from trajnet.protocols.sites.events import FALSE_MOTION_M, LEVELS
from trajnet.protocols.sites.objects import Objects
from trajnet.protocols.sites.scores import Scores
from trajnet.types import BoolArray, FloatArray

#: Moving vehicles: change of the mean displacement against constant velocity, of the top path without and with a map,
#: and of the best of six.
MOVING_TOP_PERCENT = -25.0
MOVING_TOP_WITH_MAP_PERCENT = -35.0
MOVING_BEST_PERCENT = -55.0
#: Walking pedestrians: change of the top path's against the best physics.
WALKING_PERCENT = -10.0
#: Standing objects: how far the top path's may lie behind the best physics (m), and the share in percent of those whose
#: top path ends more than 2 m away.
STANDING_M = 0.02
FALSE_MOTION_PERCENT = 1.0
#: Where the best physics errs by less (m), as with ids that change in every frame, a change in percent says nothing.
LEAST_PHYSICS_M = 0.01
#: Coverage may be so many points off its level at every horizon.
COVERAGE_POINTS = 5.0


def targets(
    objects: Objects,
    scores: Scores,
    physics: Mapping[str, Scores],
    calibration: Sequence[Mapping[str, float]],
    worse: int,
    *,
    with_map: bool,
) -> list[dict[str, Any]]:
    """Return a row for each target: name, value, unit, limit (in words), tracks and met.

    met is None where fewer than MIN_TRACKS tracks could tell. value and met are None without such objects, and for a
    change where physics errs by less than LEAST_PHYSICS_M. worse: how many cells are worse than physics. with_map:
    whether a map was shown.
    """
    _, track = np.unique(objects.track, return_inverse=True)
    track = track.ravel()
    every = len(np.unique(track))
    moving, walking = objects.moving_vehicle, objects.walking
    moving_limit = MOVING_TOP_WITH_MAP_PERCENT if with_map else MOVING_TOP_PERCENT
    rows = [_row("cells worse than physics", float(worse), "", "0", worse == 0, every)]
    for name, error_m, others, who, limit in (
        ("moving vehicles, top path vs cv", scores.top_ade_m, ("cv",), moving, moving_limit),
        ("moving vehicles, best of six vs cv", scores.best_ade_m, ("cv",), moving, MOVING_BEST_PERCENT),
        ("walking pedestrians, top path vs physics", scores.top_ade_m, tuple(physics), walking, WALKING_PERCENT),
    ):
        change = _change_percent(error_m, [physics[other] for other in others], who)
        met = change is not None and change <= limit
        rows.append(_row(name, change, "%", f"<= {limit:g}", met, len(np.unique(track[who]))))
    rows += _standing(objects.stands, scores, physics, len(np.unique(track[objects.stands])))
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
    """Return the change of the mean error (N,) of rows against the best of the others.

    None where there are no rows, and where the best is below LEAST_PHYSICS_M.
    """
    if not rows.any():
        return None
    best_m = min(float(other.top_ade_m[rows].mean()) for other in others)
    return 100.0 * (float(error_m[rows].mean()) / best_m - 1.0) if best_m >= LEAST_PHYSICS_M else None


def _standing(rows: BoolArray, scores: Scores, physics: Mapping[str, Scores], tracks: int) -> list[dict[str, Any]]:
    """Return the targets of standing objects: the mean top path next to the best physics, and false motion."""
    behind = "standing objects, top path minus physics"
    moves = f"standing objects that end > {FALSE_MOTION_M[-1]:g} m away"
    limits = f"<= {STANDING_M:g}", f"<= {FALSE_MOTION_PERCENT:g}"
    if not rows.any():
        return [_row(behind, None, "m", limits[0], False, 0), _row(moves, None, "%", limits[1], False, 0)]
    best_m = min(float(other.top_ade_m[rows].mean()) for other in physics.values())
    behind_m = float(scores.top_ade_m[rows].mean()) - best_m
    moving_percent = 100.0 * float((scores.top_end_m[rows] > FALSE_MOTION_M[-1]).mean())
    return [
        _row(behind, behind_m, "m", limits[0], behind_m <= STANDING_M, tracks),
        _row(moves, moving_percent, "%", limits[1], moving_percent <= FALSE_MOTION_PERCENT, tracks),
    ]
