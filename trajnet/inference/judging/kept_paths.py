"""Kept paths, stored plane by plane, and what they said about one time each."""

from __future__ import annotations

import numpy as np

from trajnet.types import FloatArray, IntArray


def points_at(path: FloatArray, entry: IntArray, knot_s: FloatArray, age_s: FloatArray) -> FloatArray:
    """Return the points (J, C, K) of J kept paths at one age each, linear between knots.

    path (R, M, C, K): K modes at the M knots knot_s, at least two; C: x and y, which go on at constant velocity beyond
    the last knot, then columns that stay as they are there. entry (J,): of R. age_s (J,): at least 0.
    """
    left = knot_s[1:-1].searchsorted(age_s, side="right")  # the last segment goes on
    begin_s = knot_s.take(left)
    weight = (age_s - begin_s) / (knot_s.take(left + 1) - begin_s)
    place = entry * len(knot_s) + left
    knots = path.reshape(-1, *path.shape[2:])
    points: FloatArray = knots.take(place, axis=0)
    step = knots.take(place + 1, axis=0)
    step -= points
    step[:, :2] *= weight[:, None, None]
    step[:, 2:] *= np.minimum(weight, 1.0)[:, None, None]
    points += step
    return points
