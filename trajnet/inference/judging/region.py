"""Whether positions lie in the regions of Gaussian mixtures, at a cost that a running stream can pay.

trajnet.metrics.mixture_share measures the same with five times as many points.
"""

from __future__ import annotations

import numpy as np

from trajnet.types import FloatArray

#: Points of a standard Gaussian, each stands for 5 % of it: at the radii that hold 2.5 %, 7.5 % ... 97.5 % of it, each
#: turned by the golden angle. Two are at 50 and 90 instead of 52.5 and 92.5 %, so that these regions of one Gaussian
#: are exact.
_SHARE_WITHIN: FloatArray = np.arange(0.025, 1.0, 0.05)
_SHARE_WITHIN[[10, 18]] = 0.5, 0.9
_ANGLE_RAD = np.arange(len(_SHARE_WITHIN)) * (np.pi * (3.0 - np.sqrt(5.0)))
_RADIUS: FloatArray = np.sqrt(-2.0 * np.log1p(-_SHARE_WITHIN))
_DISC_X, _DISC_Y = _RADIUS * np.cos(_ANGLE_RAD), _RADIUS * np.sin(_ANGLE_RAD)
#: A product with it is a sum over the points, and faster.
_ONE_EACH: FloatArray = np.ones(len(_SHARE_WITHIN))
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
    dx_m, dy_m = mean_m[..., 0] - truth_m[:, :1], mean_m[..., 1] - truth_m[:, 1:]
    count, modes = probability.shape
    root, height = np.sqrt(xx), np.sqrt(determinant)
    slope, rest = (xy / root)[..., None], (height / root)[..., None]
    np.divide(probability, height, out=height)
    # Monomials of the points of every mode; the truth is the origin. Plane by plane: strided writes are slow.
    powers = np.empty((6, count, modes, len(_SHARE_WITHIN)))
    x2, x_y, y2, x_m, y_m, one = powers
    np.multiply(root[..., None], _DISC_X, out=x_m)
    x_m += dx_m[..., None]
    np.multiply(slope, _DISC_X, out=y_m)
    y_m += rest * _DISC_Y
    y_m += dy_m[..., None]
    np.multiply(x_m, x_m, out=x2)
    np.multiply(x_m, y_m, out=x_y)
    np.multiply(y_m, y_m, out=y2)
    one[...] = 1.0
    # Their factors in the exponents of the modes, a dx^2 + b dx dy + c dy^2 about the means.
    factors = np.empty((6, count, modes))
    a, b, c, along_x, along_y, at_truth = factors
    np.divide(yy, determinant, out=a)
    np.divide(xy, determinant, out=b)
    np.divide(xx, determinant, out=c)
    np.add(a * dx_m, -b * dy_m, out=along_x)
    np.add(c * dy_m, -b * dx_m, out=along_y)
    np.add(along_x * dx_m, along_y * dy_m, out=at_truth)
    at_truth *= -0.5
    a *= -0.5
    c *= -0.5
    monomials = powers.reshape(6, count, modes * len(_SHARE_WITHIN)).swapaxes(0, 1)
    exponent = factors.transpose(1, 2, 0) @ monomials  # (J, K, K * points)
    np.maximum(exponent, _LEAST_EXPONENT, out=exponent)
    density = (height[:, None] @ np.exp(exponent, out=exponent))[:, 0]
    truth = (height * np.exp(np.maximum(at_truth, _LEAST_EXPONENT))).sum(axis=1)
    denser = (density > truth[:, None]).astype(np.float64).reshape(count, modes, len(_SHARE_WITHIN)) @ _ONE_EACH
    denser *= probability
    share: FloatArray = denser.sum(axis=1) / len(_SHARE_WITHIN)  # last, so that 18 of 20 are 0.9
    return share
