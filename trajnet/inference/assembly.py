"""One prediction from a predictor's rows and physics' rows, written once into new arrays."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajnet.tracking.store import Observations
from trajnet.types import BoolArray, IntArray, Prediction


def copied(prediction: Prediction) -> Prediction:
    """Return the prediction with arrays of its own: predictors may keep theirs."""
    own = (*Prediction.PER_MODE, "source", "age_s")
    return replace(prediction, **{name: getattr(prediction, name).copy() for name in own})


def others_than(rows: IntArray, count: int) -> IntArray:
    """Return the numbers from 0 to count - 1 that are not among rows, in order."""
    among = np.zeros(count, np.bool_)
    among[rows] = True
    return (~among).nonzero()[0]


def assembled(
    observations: Observations, served: IntArray, result: Prediction, fine: BoolArray, left: IntArray, safe: Prediction
) -> Prediction:
    """Return a prediction of all observations with the modes of result, in new arrays.

    served (S,): the rows of the fine rows (of a mask) of result, in order. left (L,): the other rows; safe has a row
    for each, with at most as many modes: its first one is repeated with probability 0.
    """
    count = len(observations)
    row = np.zeros(count, np.int64)  # of result; any one where safe is written over it
    row[served] = fine.nonzero()[0]

    def filled(name: str) -> NDArray[Any]:
        whole: NDArray[Any] = getattr(result, name).take(row, axis=0)
        whole[left] = getattr(safe, name)
        return whole

    if 1 < safe.modes < result.modes:
        safe = safe.with_modes(result.modes)
    probability = filled("probability")
    probability[left, safe.modes :] = 0.0
    return Prediction.unchecked(
        timestamp_ns=observations.timestamp_ns, track_id=observations.track_id, time_s=result.time_s,
        position_m=filled("position_m"), yaw_rad=filled("yaw_rad"), covariance_m2=filled("covariance_m2"),
        probability=probability, source=filled("source"), age_s=filled("age_s"),
    )  # fmt: skip
