"""False motion, missed starts, false stops and calibration of one predictor, as counts over scored objects."""

from __future__ import annotations

from typing import Any

import numpy as np

from trajnet.evaluate import manoeuvres
from trajnet.protocols.sites.objects import STANDS_WITHIN_M, Objects
from trajnet.protocols.sites.scores import Scores, knots_of
from trajnet.types import WHEELED, BoolArray, FloatArray, ObjectClass

#: A top path that ends further away than these from where an object stands is false motion (m).
FALSE_MOTION_M = (0.5, 2.0)
#: Regions whose coverage is stated.
LEVELS = (0.5, 0.9)


def events(objects: Objects, scores: Scores) -> dict[str, dict[str, Any]]:
    """Return for "all", "vehicles" and "pedestrians" how often the top path goes, stays and stops wrongly.

    Each event has the number of objects it could happen to and its share of them, None where there are none:
    false_motion_0.5m, false_motion_2m: of objects that stand (Objects.stands), the top path ends further away;
    missed_start: of those that start, it ends within STANDS_WITHIN_M; false_stop: of those that go on, it is slower
    than 0.5 m/s in its last second; missed_stop: of those that stop, it is not.
    """
    wheeled: BoolArray = np.array(WHEELED)[objects.object_class]
    groups = {
        "all": np.ones(len(objects), np.bool_),
        "vehicles": wheeled,
        "pedestrians": objects.object_class == ObjectClass.PEDESTRIAN,
    }
    still = scores.top_last_mps < manoeuvres.STILL_MPS
    happened = {
        **{f"false_motion_{m:g}m": (objects.stands, scores.top_end_m > m) for m in FALSE_MOTION_M},
        "missed_start": (objects.starts, scores.top_end_m < STANDS_WITHIN_M),
        "false_stop": (objects.goes_on, still),
        "missed_stop": (objects.stops, ~still),
    }
    return {
        group: {name: _share(rows & could, did) for name, (could, did) in happened.items()}
        for group, rows in groups.items()
    }


def _share(could: BoolArray, did: BoolArray) -> dict[str, Any]:
    count = int(could.sum())
    return {"objects": count, "share": float(did[could].mean()) if count else None}


def calibration(scores: Scores, time_s: FloatArray) -> list[dict[str, Any]]:
    """Return for each horizon its time, the share of truths inside each region of LEVELS, and the mean NLL in nats."""
    return [
        {
            "horizon_s": float(time_s[knot]),
            **{f"covered_{100 * level:.0f}": float((scores.share[:, i] < level).mean()) for level in LEVELS},
            "nll": float(scores.nll[:, i].mean()),
        }
        for i, knot in enumerate(knots_of(time_s))
    ]
