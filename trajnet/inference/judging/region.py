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
#: Below this NumPy's exponential takes 20 times as long: its results underflow.
_LEAST_EXPONENT = -700.0


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
    dx_m, dy_m = mean_m[..., 0] - truth_m[:, :1], mean_m[..., 1] - truth_m[:, 1:]
    count, modes = probability.shape
    # Monomials of the points: the truth, which is the origin, then those of every mode, (J, 6, 1 + K * 19).
    powers = np.zeros((count, 6, modes * len(_DISC) + 1))
    x2, x_y, y2, x_m, y_m, one = powers.swapaxes(0, 1)
    x_m[:, 1:] = (dx_m[..., None] + root[..., None] * _DISC[:, 0]).reshape(count, -1)
    y_m[:, 1:] = (dy_m[..., None] + (slope[..., None] * _DISC[:, 0] + rest[..., None] * _DISC[:, 1])).reshape(count, -1)
    np.multiply(x_m, x_m, out=x2)
    np.multiply(x_m, y_m, out=x_y)
    np.multiply(y_m, y_m, out=y2)
    one[...] = 1.0
    # Their factors in the exponents of the modes, a dx^2 + b dx dy + c dy^2 about the means, (J, K, 6).
    a, b, c = -0.5 * yy / determinant, xy / determinant, -0.5 * xx / determinant
    along_x, along_y = -2.0 * a * dx_m - b * dy_m, -2.0 * c * dy_m - b * dx_m
    factors = np.stack([a, b, c, along_x, along_y, -0.5 * (along_x * dx_m + along_y * dy_m)], axis=-1)
    height = probability / np.sqrt(determinant)
    exponent = np.maximum(factors @ powers, _LEAST_EXPONENT)
    density = (height[:, None] @ np.exp(exponent, out=exponent))[:, 0]
    denser = (density[:, 1:] > density[:, :1]).reshape(count, modes, -1).sum(axis=2) / (len(_DISC) + 1.0)
    share: FloatArray = (denser * probability).sum(axis=1) + _HALF_STEP
    return share
