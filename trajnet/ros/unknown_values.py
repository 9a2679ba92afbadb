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

#: A correlation may be off by this much, and so may the two halves of a covariance be: rounding to float32.
_ROUNDING = 1e-6

_AXES = np.arange(6)
_ROW, _COLUMN = np.triu_indices(6, 1)
_UPPER, _LOWER = 6 * _ROW + _COLUMN, 6 * _COLUMN + _ROW
#: (6, 5): the pairs of axes that each axis belongs to.
_PAIRS_OF = np.array([np.flatnonzero((axis == _ROW) | (axis == _COLUMN)) for axis in range(6)])


def known_covariance(covariance: FloatArray, unknown: BoolArray) -> tuple[FloatArray, BoolArray]:
    """Return covariances (N, 36) in which unknown axes are large and uncorrelated, and which axes (N, 6) are unknown.

    An axis is unknown where ``unknown`` (N, 6) says so, where one of its terms is not finite or beyond
    UNKNOWN_VARIANCE, where its variance is negative (-1 means unknown in ROS), and where its correlations are those of
    no covariance: asymmetric or indefinite. The other axes keep their terms.
    """
    if not len(covariance):
        return covariance, unknown
    # Nearly always: reductions of everything instead of masks. A NaN makes the comparison False.
    in_range = covariance.max() <= UNKNOWN_VARIANCE and covariance.min() >= -UNKNOWN_VARIANCE
    if in_range and covariance[:, ::7].min() >= 0:
        broken = _impossible_correlations(covariance)
        if broken is None and not unknown.any():
            return covariance, unknown
        axis = unknown if broken is None else unknown | broken
    else:
        terms = ~(np.abs(covariance) <= UNKNOWN_VARIANCE).reshape(-1, 6, 6)  # True for NaN
        axis = unknown | terms.any(axis=1) | terms.any(axis=2) | ~(covariance[:, ::7] >= 0)
        broken = _impossible_correlations(_without(covariance, axis))
        axis = axis if broken is None else axis | broken
    filled = _without(covariance, axis)
    filled[:, ::7] += np.where(axis, UNKNOWN_VARIANCE, 0.0)
    return filled, axis


def _without(covariance: FloatArray, axis: BoolArray) -> FloatArray:
    """Return the covariances (N, 36) with 0 in every term of these axes (N, 6)."""
    matrix = covariance.reshape(-1, 6, 6)
    return np.where(axis[:, :, None] | axis[:, None, :], 0.0, matrix).reshape(-1, 36)


@np.errstate(divide="ignore", over="ignore", invalid="ignore")
def _impossible_correlations(covariance: FloatArray) -> BoolArray | None:
    """Return the axes (N, 6) whose correlations make a covariance asymmetric or indefinite; None: none does.

    covariance (N, 36): finite, variances not negative. A matrix of correlations whose rows sum up to at most 1 beside
    their diagonals has no negative eigenvalue; few others are looked at closely.
    """
    upper, lower = covariance.take(_UPPER, axis=1), covariance.take(_LOWER, axis=1)
    if not (upper.any() or lower.any()):
        return None
    deviation = np.sqrt(covariance[:, ::7])
    scale = deviation.take(_ROW, axis=1) * deviation.take(_COLUMN, axis=1)
    share = np.abs(upper)
    np.divide(share, scale, out=share, where=share > 0)  # infinite where an axis is exactly known
    symmetric = np.abs(upper - lower) <= _ROUNDING * scale
    if share.sum(axis=1).max() <= 1.0 and symmetric.all():  # nearly always: one pair of axes is correlated
        return None
    bad = (share > 1.0 + _ROUNDING) | ~symmetric
    close = share[:, _PAIRS_OF].sum(axis=2).max(axis=1) > 1.0
    axis = np.asarray(bad[:, _PAIRS_OF].any(axis=2))
    rows = np.flatnonzero(close & ~bad.any(axis=1))
    if len(rows):
        correlation = np.zeros((len(rows), 6, 6))
        correlation[:, _COLUMN, _ROW] = np.where(upper[rows] == 0, 0.0, upper[rows] / scale[rows])
        correlation[:, _AXES, _AXES] = 1.0
        indefinite = np.linalg.eigvalsh(correlation)[:, 0] < -_ROUNDING
        axis[rows] |= indefinite[:, None] & (upper[rows] != 0)[:, _PAIRS_OF].any(axis=2)
    return axis if axis.any() else None


def known_existence(probability: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return existence probabilities (N,) with ASSUMED_EXISTENCE for those that are none."""
    usable = (probability >= 0) & (probability <= 1)  # False for NaN
    return np.where(usable, probability, np.float32(ASSUMED_EXISTENCE))


def known_class_probability(probability: NDArray[np.float32], chosen: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return class probabilities (C,) within 0 and 1, with 0 for those that are none, but 1 where they are the chosen.

    chosen: the classification of each object that its class was taken from.
    """
    usable = (probability >= 0) & (probability <= 1)  # False for NaN
    if usable.all():
        return probability
    stand_in = (probability > 1).astype(np.float32)
    stand_in[~np.isfinite(probability)] = 0.0
    stand_in[chosen] = 1.0
    return np.where(usable, probability, stand_in)
