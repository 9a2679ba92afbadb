"""Unknown is not zero: what stands in for numbers that are missing or cannot be, in arrays of objects.

A 0 in a covariance means exactly known, an existence probability of 0 means not there. So a planner must not receive 0
where the sender had nothing to say. Needs no ROS.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trajnet.types import BoolArray, FloatArray

#: Variance of a coordinate that is unknown, in m^2, rad^2 and their derivatives: a standard deviation of 1,000.
UNKNOWN_VARIANCE = 1e6
#: Existence probability of an object whose message has none: it was reported, so it is predicted.
ASSUMED_EXISTENCE = 1.0

_AXES = np.arange(6)


def known_covariance(covariance: FloatArray, unknown: BoolArray) -> tuple[FloatArray, BoolArray]:
    """Return covariances (N, 36) in which unknown axes are large and uncorrelated, and which axes (N, 6) are unknown.

    An axis is unknown where ``unknown`` (N, 6) says so, where one of its terms is not finite or beyond
    UNKNOWN_VARIANCE, and where its variance is negative (-1 means unknown in ROS). The other axes keep their terms.
    """
    matrix = covariance.reshape(-1, 6, 6)
    variance = matrix[:, _AXES, _AXES]
    # Nearly always: two reductions instead of six. A NaN makes the comparison False.
    in_range = not covariance.size or (covariance.max() <= UNKNOWN_VARIANCE and covariance.min() >= -UNKNOWN_VARIANCE)
    if in_range and not unknown.any() and (variance >= 0).all():
        return covariance, unknown
    broken = ~(np.abs(matrix) <= UNKNOWN_VARIANCE)  # True for NaN
    axis: BoolArray = unknown | broken.any(axis=1) | broken.any(axis=2) | (variance < 0)
    filled = np.where(axis[:, :, None] | axis[:, None, :], 0.0, matrix)
    filled[:, _AXES, _AXES] += np.where(axis, UNKNOWN_VARIANCE, 0.0)
    return filled.reshape(-1, 36), axis


def known_existence(probability: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return existence probabilities (N,) with ASSUMED_EXISTENCE for those that are none."""
    usable = (probability >= 0) & (probability <= 1)  # False for NaN
    return np.where(usable, probability, np.float32(ASSUMED_EXISTENCE))


def known_class_probability(probability: NDArray[np.float32], chosen: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return class probabilities (C,) with 0 for those that are not finite, but 1 where they are the chosen ones."""
    if np.isfinite(probability).all():
        return probability
    stand_in = np.zeros(len(probability), dtype=np.float32)
    stand_in[chosen] = 1.0
    return np.where(np.isfinite(probability), probability, stand_in)
