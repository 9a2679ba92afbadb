"""Checks that a predicted row is valid for a planner and feasible for the object's class."""

from __future__ import annotations

import numpy as np

from trajnet.tracking.plausibility import max_speed_mps
from trajnet.tracking.store import Observations
from trajnet.types import BoolArray, Prediction, Source

#: Tolerance on the distance reachable at the highest speed of the class, m: size, jitter, a late timestamp.
REACH_SLACK_M = 10.0
#: Allowed difference of a covariance's off-diagonal elements relative to its trace: float32 rounding.
ASYMMETRY = 1e-6

_SOURCES = np.array([int(source) for source in Source], np.int8)


def servable_rows(prediction: Prediction, observations: Observations) -> BoolArray:
    """Return the rows that may be served, (N,).

    A row must be finite with probabilities that sum to 1 (Prediction.usable_rows), symmetric positive definite
    covariances, a known source, an age of at least 0, and every point within reach of the object at the highest speed
    of its class. prediction: one row per row of observations.
    """
    fine = prediction.usable_rows()
    if not len(fine):
        return fine
    fine &= _positive_definite(prediction)
    fine &= _within_reach(prediction, observations)
    fine &= (prediction.age_s >= 0.0) & np.isfinite(prediction.age_s)
    fine &= np.isin(prediction.source, _SOURCES)
    return fine


def _positive_definite(prediction: Prediction) -> BoolArray:
    xx, xy, yx, yy = np.moveaxis(prediction.covariance_m2.reshape(len(prediction), -1, 4), -1, 0)
    with np.errstate(over="ignore", invalid="ignore"):  # usable_rows finds rows that are not finite
        proper = (xx > 0.0) & (xx * yy - xy * yx > 0.0) & (np.abs(xy - yx) <= ASYMMETRY * (xx + yy))
    return np.asarray(proper.all(axis=1))


def _within_reach(prediction: Prediction, observations: Observations) -> BoolArray:
    reach_m = max_speed_mps(observations.object_class)[:, None] * prediction.time_s + REACH_SLACK_M
    with np.errstate(over="ignore", invalid="ignore"):
        off_m = np.abs(prediction.position_m - observations.position_m[:, None, None]).max(axis=(1, 3))
    return np.asarray((off_m <= reach_m).all(axis=1))
