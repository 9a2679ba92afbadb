"""Which rows of a predictor's answer may go out: what a planner can use, and what the object's class can drive."""

from __future__ import annotations

import numpy as np

from trajnet.tracking.plausibility import max_speed_mps
from trajnet.tracking.store import Observations
from trajnet.types import BoolArray, Prediction, Source

#: A path may be this far (m) beyond what the highest speed of the object's class reaches: size, jitter, a late stamp.
REACH_SLACK_M = 10.0
#: Off-diagonal elements of a covariance may differ by this share of its trace: float32 rounds them apart.
ASYMMETRY = 1e-6

_SOURCES = np.array([int(source) for source in Source], np.int8)


def servable_rows(prediction: Prediction, observations: Observations) -> BoolArray:
    """Return the rows that may be served, (N,).

    Finite, with probabilities that sum to 1 (Prediction.usable_rows), covariances that are symmetric and positive
    definite, a known source, an age from 0 on, and no point further from the object than its class can get by then.
    prediction: a row for each of observations.
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
    with np.errstate(over="ignore", invalid="ignore"):  # rows that are not finite are found elsewhere
        proper = (xx > 0.0) & (xx * yy - xy * yx > 0.0) & (np.abs(xy - yx) <= ASYMMETRY * (xx + yy))
    return np.asarray(proper.all(axis=1))


def _within_reach(prediction: Prediction, observations: Observations) -> BoolArray:
    reach_m = max_speed_mps(observations.object_class)[:, None] * prediction.time_s + REACH_SLACK_M
    with np.errstate(over="ignore", invalid="ignore"):
        off_m = np.abs(prediction.position_m - observations.position_m[:, None, None]).max(axis=(1, 3))
    return np.asarray((off_m <= reach_m).all(axis=1))
