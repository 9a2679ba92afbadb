"""How far two predictions of the same object are apart, as distributions: half the energy distance, in metres."""

from __future__ import annotations

import numpy as np

from trajnet.errors import InputError
from trajnet.metrics._checks import checked_probability, finite
from trajnet.types import FloatArray


def half_energy_distance_m(
    a_m: FloatArray, a_probability: FloatArray, b_m: FloatArray, b_probability: FloatArray
) -> FloatArray:
    """Return E|X - Y| - E|X - X'| / 2 - E|Y - Y'| / 2 of N pairs of mixtures of points: (N,) m.

    a_m (N, A, 2), b_m (N, B, 2): the points of each; a_probability (N, A), b_probability (N, B): rows that sum to 1.
    X, X' are independent draws of the first, Y, Y' of the second. 0 only where both are the same; two single points
    give their distance. Two mixtures that share a point differ by less the more probability they share there.

    Half of the energy distance of G. J. Szekely and M. L. Rizzo, Energy statistics: a class of statistics based on
    distances, Journal of Statistical Planning and Inference 143, 2013, equation 5.

    Raises InputError for other shapes, NaN or infinity, and rows that do not sum to 1.
    """
    a_m, b_m = finite("a_m", a_m, (None, None, 2)), finite("b_m", b_m, (None, None, 2))
    if len(a_m) != len(b_m):
        raise InputError(f"b_m: expected {len(a_m)} objects as in a_m, got {len(b_m)}")
    a_weight = checked_probability(a_probability, len(a_m), a_m.shape[1])
    b_weight = checked_probability(b_probability, len(b_m), b_m.shape[1])
    between = _mean_distance_m(a_m, a_weight, b_m, b_weight)
    within = _mean_distance_m(a_m, a_weight, a_m, a_weight) + _mean_distance_m(b_m, b_weight, b_m, b_weight)
    return np.maximum(between - 0.5 * within, 0.0)  # never below 0 but for rounding


def _mean_distance_m(a_m: FloatArray, a_weight: FloatArray, b_m: FloatArray, b_weight: FloatArray) -> FloatArray:
    distance_m = np.hypot(*np.moveaxis(a_m[:, :, None] - b_m[:, None], -1, 0))  # (N, A, B)
    mean_m: FloatArray = np.einsum("nab,na,nb->n", distance_m, a_weight, b_weight)
    return mean_m
