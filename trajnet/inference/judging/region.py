"""Whether positions lie in the regions of Gaussian mixtures, at a cost that a running stream can pay.

trajnet.metrics.mixture_share measures the same with five times as many points.
"""

from __future__ import annotations

import numpy as np

from trajnet.types import FloatArray

#: Points of a standard Gaussian at the radii that hold 5 %, 10 % ... 95 % of it, each turned by the golden angle.
_HELD: FloatArray = np.arange(1, 20, dtype=np.float64) / 20.0
_ANGLE_RAD = np.arange(19) * (np.pi * (3.0 - np.sqrt(5.0)))
_DISC = np.sqrt(-2.0 * np.log1p(-_HELD))[:, None] * np.stack([np.cos(_ANGLE_RAD), np.sin(_ANGLE_RAD)], axis=-1)
#: Half the distance of two radii, in shares: what the count of denser points is short of on average.
_HALF_STEP = 0.025
#: Added to every variance (m^2), so that a degenerate one has a density.
_FLOOR_M2 = 1e-4


def held_by(mean_m: FloatArray, covariance: FloatArray, probability: FloatArray, truth_m: FloatArray) -> FloatArray:
    """Return the share (J,) of each mixture that is denser than at the true position.

    mean_m (J, K, 2), covariance (J, K, 3): xx, xy, yy in m^2, probability (J, K), truth_m (J, 2). The region of highest
    density that holds the share q contains the truth if this is at most q.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # absurd positions: a share that means nothing
        return _held_by(mean_m, covariance, probability, truth_m)


def _held_by(mean_m: FloatArray, covariance: FloatArray, probability: FloatArray, truth_m: FloatArray) -> FloatArray:
    xx, xy, yy = covariance[..., 0] + _FLOOR_M2, covariance[..., 1], covariance[..., 2] + _FLOOR_M2
    determinant = np.maximum(xx * yy - xy * xy, _FLOOR_M2 * _FLOOR_M2)
    root = np.sqrt(xx)
    slope, rest = xy / root, np.sqrt(determinant) / root
    offset_m = mean_m - truth_m[:, None]
    count, modes = probability.shape
    # The points of every mode (J, K, 19), relative to the truth, which comes first.
    x_m = np.zeros((count, modes * len(_DISC) + 1))
    y_m = np.zeros_like(x_m)
    x_m[:, 1:] = (offset_m[..., 0, None] + root[..., None] * _DISC[:, 0]).reshape(count, -1)
    y_m[:, 1:] = (offset_m[..., 1, None] + slope[..., None] * _DISC[:, 0] + rest[..., None] * _DISC[:, 1]).reshape(
        count, -1
    )
    height = probability / np.sqrt(determinant)
    dx_m = x_m[:, None] - offset_m[..., 0, None]  # (J, K, points)
    dy_m = y_m[:, None] - offset_m[..., 1, None]
    squared = yy[..., None] * dx_m * dx_m - 2.0 * xy[..., None] * dx_m * dy_m + xx[..., None] * dy_m * dy_m
    density = np.einsum("jk,jkp->jp", height, np.exp(-0.5 * squared / determinant[..., None]))
    denser = (density[:, 1:] > density[:, :1]).reshape(count, modes, -1).sum(axis=2) / (len(_DISC) + 1.0)
    share: FloatArray = (denser * probability).sum(axis=1) + _HALF_STEP
    return share
