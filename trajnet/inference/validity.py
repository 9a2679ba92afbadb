"""Checks that a predicted row is valid for a planner and feasible for the object's class."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from trajnet.arrays import all_true
from trajnet.tracking.plausibility import max_speed_mps
from trajnet.tracking.store import Observations
from trajnet.types import PROBABILITY_SLACK, BoolArray, FloatArray, ObjectClass, Prediction, Source

#: Tolerance on the distance from the measured position that the highest speed of the class allows, m: size, jitter, a
#: late timestamp.
REACH_SLACK_M = 10.0
#: Tolerance on the step from one point of a path to the next, m: the noise that a predictor leaves in its points, and
#: a mode of little probability that is a little too fast, for which the others are not given up.
STEP_SLACK_M = 1.0
#: Allowed difference of a covariance's off-diagonal elements relative to its trace: float32 rounding.
ASYMMETRY = 1e-6
#: Largest covariance of a point, and least determinant: float32, in which they are published, holds both (m^2, m^4).
MAX_COVARIANCE_M2, LEAST_DETERMINANT_M4 = 1e12, 1e-24

#: The last source that a predictor may give: all before JUDGED; the first one is 0.
_LAST_SOURCE = int(Source.STALE)


def servable_rows(prediction: Prediction, observations: Observations) -> BoolArray:
    """Return the rows that may be served, (N,).

    Finite, with probabilities that sum to 1 (Prediction.usable_rows), covariances that are symmetric, positive
    definite and neither huge nor next to nothing, a source that predictors may give (not JUDGED, which is the stream's
    word), an age from 0 on, no point further from the object than its class can get by then and REACH_SLACK_M, and no
    step from point to point longer than its class can make and STEP_SLACK_M.
    prediction: a row for each of observations.
    """
    if not len(prediction):
        return np.ones(0, np.bool_)
    age_s, source = prediction.age_s, prediction.source
    fine: BoolArray = age_s == 0.0
    if not all_true(fine) or np.count_nonzero(source):  # a model's own answers are of now and of Source.MODEL
        fine = (age_s >= 0.0) & (age_s < np.inf)
        fine &= source.view(np.uint8) <= _LAST_SOURCE  # negative ones are large
    with np.errstate(over="ignore", invalid="ignore"):  # rows that are not finite are found below
        if not (_all_within_reach(prediction, observations) and _all_usable(prediction)):  # nearly never
            fine &= prediction.usable_rows()
            fine &= _positive_definite(prediction)
            fine &= _within_reach(prediction, observations)
            fine &= _steps_within_reach(prediction, observations)
    return fine


def _positive_definite(prediction: Prediction) -> BoolArray:
    xx, xy, yx, yy = np.moveaxis(prediction.covariance_m2.reshape(len(prediction), -1, 4), -1, 0)
    proper = (xx > 0.0) & (xx * yy - xy * yx > LEAST_DETERMINANT_M4) & (np.abs(xy - yx) <= ASYMMETRY * (xx + yy))
    proper &= np.maximum(xx, yy) <= MAX_COVARIANCE_M2
    return np.asarray(proper.all(axis=1))


def _all_usable(prediction: Prediction) -> bool:
    """Whether all rows are surely usable and their covariances proper, but for positions, which are not looked at."""
    covariance_m2, probability = prediction.covariance_m2, prediction.probability
    xx, xy, yx, yy = covariance_m2.reshape(-1, 4).T
    determinant = xx * yy
    determinant -= xy * yx
    off = np.add.reduce(probability, axis=1)
    off -= 1.0
    least, most = np.minimum.reduce, np.maximum.reduce  # the methods would be slower
    return bool(
        least(determinant) > LEAST_DETERMINANT_M4
        and most(covariance_m2, axis=None) <= MAX_COVARIANCE_M2  # so all are finite, and yy is above 0
        and least(xx) > 0.0
        and all_true(xy == yx)
        and math.isfinite(np.add.reduce(prediction.yaw_rad, axis=None))
        and least(probability, axis=None) >= 0.0
        and most(np.abs(off, out=off)) < PROBABILITY_SLACK
    )


def _all_within_reach(prediction: Prediction, observations: Observations) -> bool:
    """Whether all points are surely finite and within reach, and all steps.

    So they are where the class can make every step without slack, the first one from the object included, were it as
    long along the other axis.
    """
    position_m = np.ascontiguousarray(prediction.position_m)
    flat_m, step_m = position_m.reshape(-1), np.empty(position_m.size)
    np.subtract(flat_m[2:], flat_m[:-2], out=step_m[2:])  # of all paths at once: long rows are fast
    first_m = step_m.reshape(position_m.shape)[:, :, 0]
    np.subtract(position_m[:, :, 0], observations.position_m[:, None], out=first_m)
    np.abs(step_m, out=step_m)
    longest_m = np.maximum.reduce(step_m.reshape(len(position_m), -1), axis=1)
    reach_m = _reach_without_slack(prediction.time_s.tobytes()).take(observations.object_class)
    return all_true(longest_m <= reach_m)


def _within_reach(prediction: Prediction, observations: Observations) -> BoolArray:
    reach_m = _reach_by_class(prediction.time_s.tobytes()).take(observations.object_class, axis=0)
    reach_m += REACH_SLACK_M
    return _all_within(prediction.position_m - observations.position_m[:, None, None], reach_m)


def _steps_within_reach(prediction: Prediction, observations: Observations) -> BoolArray:
    """Return the rows none of whose paths moves further from a point to the next than its class can."""
    reach_m = _reach_by_class(prediction.time_s.tobytes()).take(observations.object_class, axis=0)
    return _all_within(np.diff(prediction.position_m, axis=2), np.diff(reach_m) + STEP_SLACK_M)


def _all_within(offset_m: FloatArray, reach_m: FloatArray) -> BoolArray:
    """Return the rows all of whose offsets (N, K, T, 2), which change, are within reach (N, T), (N,)."""
    offset_m *= offset_m
    within: BoolArray = offset_m[..., 0] + offset_m[..., 1] <= (reach_m * reach_m)[:, None]  # False where it is NaN
    return np.asarray(within.all(axis=(1, 2)))


@lru_cache(maxsize=16)
def _reach_without_slack(time_s: bytes) -> FloatArray:
    """Return how far along each axis an object of each class gets in the shortest step at least, (classes,) m."""
    every = np.arange(len(ObjectClass), dtype=np.int8)
    return max_speed_mps(every) * (math.sqrt(0.5) * float(np.diff(np.frombuffer(time_s), prepend=0.0).min()))


@lru_cache(maxsize=16)
def _reach_by_class(time_s: bytes) -> FloatArray:
    """Return how far an object of each class gets by each time, (classes, times) m."""
    every = np.arange(len(ObjectClass), dtype=np.int8)
    return max_speed_mps(every)[:, None] * np.frombuffer(time_s)
