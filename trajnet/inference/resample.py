"""Resampling of predictions to other times, defined in this one place.

A path is a sequence of points in time: the pose observed at time 0, then the predicted poses. Two rules:

- Within the horizon (Resampler): positions follow Catmull-Rom splines through the points, headings turn the shorter way
  at a constant rate from point to point, covariances are linear. Exported graphs and
  trajnet.metrics.moved_on use the same weights (trajnet.geometry).
- For any time, beyond the end too (continued): everything is linear between points. Beyond the end positions continue
  at the velocity of the last segment; headings and covariances keep their values at the last point.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from trajnet.geometry import interpolation_matrix, linear_matrix, wrap_angle
from trajnet.types import FloatArray, IntArray, Prediction

#: Times closer than this are treated as equal, s.
SLACK_S = 1e-6

#: The columns of a point in ``continued``: x and y, the heading, and the covariance's xx, xy and yy.
POINT_COLUMNS = 6


class Resampler:
    """Interpolates predictions, with the observed pose at time 0, at other times between 0 and their horizon.

    If all times are the predictor's own (or 0), its points are returned unchanged.
    Raises ValueError for a time outside that range.
    """

    def __init__(self, predicted_s: FloatArray, time_s: FloatArray) -> None:
        """Prepare the weights. predicted_s (M,): the predictor's times; time_s (T,): the times to return."""
        knot_s = np.concatenate([[0.0], predicted_s])
        nearest = np.abs(knot_s[:, None] - time_s).argmin(axis=0)
        self._own: slice | IntArray | None = None
        if np.abs(knot_s[nearest] - time_s).max() <= SLACK_S:
            successive = bool((np.diff(nearest) == 1).all())
            self._own = slice(int(nearest[0]), int(nearest[-1]) + 1) if successive else nearest
        else:
            self._smooth = interpolation_matrix(knot_s, time_s)
            self._linear = linear_matrix(knot_s, time_s)

    def positions(self, present_m: FloatArray, path_m: FloatArray) -> FloatArray:
        """Return positions (N, K, T, 2) from the present ones (N, 2) and the predicted ones (N, K, M, 2)."""
        if self._own is not None:
            return _led(present_m, path_m)[:, :, self._own]
        origin_m = present_m[:, None, None]  # relative to the origin: large map coordinates would lose precision
        moved: FloatArray = self._smooth @ _led(np.zeros_like(present_m), path_m - origin_m)
        return origin_m + moved

    def yaws(self, present_rad: FloatArray, path_rad: FloatArray) -> FloatArray:
        """Return headings (N, K, T), without jumps, from the present ones (N,) and the predicted ones (N, K, M)."""
        turning: FloatArray = np.unwrap(_led(present_rad, path_rad), axis=2)
        return turning[:, :, self._own] if self._own is not None else turning @ self._linear.T

    def covariances(self, present_m2: FloatArray, path_m2: FloatArray) -> FloatArray:
        """Return covariances (N, K, T, 2, 2) from the present ones (N, 2, 2) and the predicted (N, K, M, 2, 2)."""
        led_m2 = _led(present_m2, path_m2)
        if self._own is not None:
            return led_m2[:, :, self._own]
        return np.asarray(np.einsum("tm,nkmij->nktij", self._linear, led_m2))


def _led(present: FloatArray, path: FloatArray) -> FloatArray:
    """Return path (N, K, M, ...) with present (N, ...) before the first point of each mode."""
    first = np.broadcast_to(present[:, None, None], (*path.shape[:2], 1, *path.shape[3:]))
    return np.concatenate([first, path], axis=2)


def continued(path: FloatArray, rows: IntArray, knot_s: FloatArray, ask_s: FloatArray) -> FloatArray:
    """Return the chosen paths at any times, (N, K, T, C): linear between points, extrapolated beyond the ends.

    path (R, M, K, C): M points at knot_s (M,), M at least 2. C: the first columns of POINT_COLUMNS, at least 2.
    Beyond the ends x and y continue at constant velocity, the others stay constant. rows (N,): indices of the paths.
    ask_s (N, T): the times to return.
    """
    left = knot_s[1:-1].searchsorted(ask_s, side="right")  # the segment; the first and the last one extrapolate
    left_s = knot_s.take(left)
    weight = (ask_s - left_s) / (knot_s.take(left + 1) - left_s)
    place = left + rows[:, None] * len(knot_s)
    knots = path.reshape(-1, *path.shape[2:])  # (R * M, K, C)
    points = knots.take(place, axis=0)  # (N, T, K, C)
    step = knots.take(place + 1, axis=0)
    step -= points
    step[..., 2:3] = wrap_angle(step[..., 2:3])  # the shorter way
    weights = np.empty((*weight.shape, 1, path.shape[-1]))  # one product for all columns is the fastest
    weights[..., :2] = weight[..., None, None]
    weights[..., 2:] = np.minimum(np.maximum(weight, 0.0), 1.0)[..., None, None]
    step *= weights
    points += step
    return points.swapaxes(1, 2)


def points_of(prediction: Prediction, rows: IntArray | slice, *, lead: int = 0) -> FloatArray:
    """Return the predicted points of these rows as ``continued`` takes them: (N, lead + M, K, POINT_COLUMNS).

    lead: how many points to leave unset before the first.
    """
    covariance_m2 = prediction.covariance_m2[rows]
    count, modes, times = covariance_m2.shape[:3]
    points: FloatArray = np.empty((count, lead + times, modes, POINT_COLUMNS))
    ahead = points[:, lead:].swapaxes(1, 2)  # (N, K, M, POINT_COLUMNS)
    ahead[..., 0:2] = prediction.position_m[rows]
    ahead[..., 2] = prediction.yaw_rad[rows]
    ahead[..., 3:5] = covariance_m2[..., 0, :]
    ahead[..., 5] = covariance_m2[..., 1, 1]
    return points


def fields_of(points: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return position_m, yaw_rad and covariance_m2, shaped as in Prediction, of points (N, K, T, POINT_COLUMNS)."""
    covariance_m2 = points[..., [3, 4, 4, 5]].reshape(*points.shape[:-1], 2, 2)
    return points[..., :2], points[..., 2], covariance_m2


def on_times(prediction: Prediction, time_s: FloatArray) -> Prediction:
    """Return the prediction at other times (T,), by the rule of ``continued`` and without a present pose.

    Paths are extrapolated backwards before the first predicted time, too. A path of one point stays there.
    """
    own_s = prediction.time_s
    if np.array_equal(own_s, time_s):
        return prediction
    points = points_of(prediction, slice(None))
    if len(own_s) == 1:
        own_s, points = np.append(own_s, own_s + 1.0), np.repeat(points, 2, axis=1)
    ask_s = np.broadcast_to(time_s, (len(prediction), len(time_s)))
    position_m, yaw_rad, covariance_m2 = fields_of(continued(points, np.arange(len(prediction)), own_s, ask_s))
    return replace(prediction, time_s=time_s, position_m=position_m, yaw_rad=yaw_rad, covariance_m2=covariance_m2)
