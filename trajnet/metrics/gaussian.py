"""Likelihood and coverage of predicted Gaussian mixtures; the package describes shapes and units."""

from __future__ import annotations

import numpy as np

from trajnet.errors import InputError
from trajnet.metrics._checks import checked_probability, finite
from trajnet.metrics.displacement import displacement, ranked
from trajnet.types import FloatArray

#: Added to every variance (a standard deviation of 1 cm), so that a prediction without variance has a finite density.
VARIANCE_FLOOR_M2 = 1e-4

#: Lower limit of log densities, nats; the one of Trajectron++'s KDE-NLL.
LOG_DENSITY_FLOOR = -20.0

#: Nominal coverages of confidence regions: a calibrated prediction's contain these shares of the true positions.
COVERAGE_LEVELS = (0.50, 0.68, 0.90, 0.95)

# Number of densities computed at once: they fit into the processor's cache.
_BLOCK = 200_000

# Sample points of a standard Gaussian: at the radii that contain 1 %, 2 % ... 99 % of it, successive points rotated by
# the golden angle.
_SHARE = np.arange(1, 100) / 100.0
_ANGLE = np.arange(99) * (np.pi * (3.0 - np.sqrt(5.0)))
_DISC = np.sqrt(-2.0 * np.log1p(-_SHARE))[:, None] * np.stack([np.cos(_ANGLE), np.sin(_ANGLE)], axis=-1)


def mixture_log_density(
    predicted_m: FloatArray, covariance_m2: FloatArray, probability: FloatArray, truth_m: FloatArray
) -> FloatArray:
    """Return the log density of the Gaussian mixture (density in 1/m^2) at each true position -> (N, T), nats.

    predicted_m (N, K, T, 2), covariance_m2 (N, K, T, 2, 2), probability (N, K), truth_m (N, T, 2):
    ln sum_k p_k N(truth_t; predicted_kt, covariance_kt + VARIANCE_FLOOR_M2 I), the same p_k at every step, taken as
    log-sum-exp so that nothing overflows. -inf is possible far from every mode.
    """
    offset_m, inverse, log_norm, probability = _gaussians(predicted_m, covariance_m2, probability, truth_m)
    with np.errstate(divide="ignore"):
        term = log_norm + np.log(probability)[:, :, None] - 0.5 * _quadratic(offset_m, inverse)
    top = term.max(axis=1)
    shift = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        log_density: FloatArray = shift + np.log(np.exp(term - shift[:, None]).sum(axis=1))
    return log_density


def mixture_nll(
    predicted_m: FloatArray,
    covariance_m2: FloatArray,
    probability: FloatArray,
    truth_m: FloatArray,
    *,
    floor: float = LOG_DENSITY_FLOOR,
) -> FloatArray:
    """Return the mean negative log-likelihood of the true positions under the Gaussian mixture -> (N,), nats.

    The mean over time of -max(ln density, floor): see mixture_log_density. The floor and the mean over time are
    those of Trajectron++'s KDE-NLL, whose density is a kernel estimate from samples instead.
    """
    log_density = mixture_log_density(predicted_m, covariance_m2, probability, truth_m)
    loss: FloatArray = -np.maximum(log_density, floor).mean(axis=1)
    return loss


def ellipse_share(offset_m: FloatArray, covariance_m2: FloatArray) -> FloatArray:
    """Return the share of a Gaussian inside the density contour through offset_m (..., 2) from its mean -> (...).

    covariance_m2 (..., 2, 2), VARIANCE_FLOOR_M2 added. In two dimensions 1 - exp(-d^2 / 2) for the Mahalanobis
    distance d. The confidence region of level q contains the point if the share is at most q.
    """
    inverse, _ = _inverse(finite("covariance_m2", covariance_m2, (*np.shape(offset_m)[:-1], 2, 2)))
    offset_m = finite("offset_m", offset_m, (*inverse.shape[:-1], 2))
    share: FloatArray = -np.expm1(-0.5 * _quadratic(offset_m, inverse))
    return share


def top_mode_share(
    predicted_m: FloatArray, covariance_m2: FloatArray, probability: FloatArray, truth_m: FloatArray
) -> FloatArray:
    """Return ellipse_share of the true position in the most probable mode -> (N, T).

    Shapes as in mixture_log_density. The mode's confidence region of level q covers the truth if this is at most q.
    Coverage is too low if several modes are plausible, even when the mixture is calibrated.
    """
    top = ranked(checked_probability(probability, *np.shape(predicted_m)[:2]))[:, 0]
    row = np.arange(len(top))
    return ellipse_share(np.asarray(truth_m) - np.asarray(predicted_m)[row, top], np.asarray(covariance_m2)[row, top])


def closest_mode_share(predicted_m: FloatArray, covariance_m2: FloatArray, truth_m: FloatArray) -> FloatArray:
    """Return ellipse_share of the true position in the mode whose mean is closest to it at that step -> (N, T).

    Assumes that the right mode is always chosen, so the coverage of the covariances is optimistic.
    """
    closest = displacement(predicted_m, truth_m).argmin(axis=1)[:, None]
    mean_m = np.take_along_axis(np.asarray(predicted_m), closest[..., None], axis=1)[:, 0]
    covariance = np.take_along_axis(np.asarray(covariance_m2), closest[..., None, None], axis=1)[:, 0]
    return ellipse_share(np.asarray(truth_m) - mean_m, covariance)


def mixture_share(
    predicted_m: FloatArray, covariance_m2: FloatArray, probability: FloatArray, truth_m: FloatArray
) -> FloatArray:
    """Return the share of the Gaussian mixture with a higher density than at the true position -> (N, T).

    Shapes as in mixture_log_density. The mixture's highest-density region of level q covers the truth if this is less
    than q; for a calibrated prediction that holds in a share q of all cases, for any number of modes. With one mode
    this is ellipse_share; with more it is computed on 99 fixed points per mode (no random numbers), accurate to about
    1 %.
    """
    offset_m, inverse, log_norm, probability = _gaussians(predicted_m, covariance_m2, probability, truth_m)
    objects, modes, steps, _ = offset_m.shape
    if modes == 1:
        return ellipse_share(offset_m[:, 0], covariance_m2[:, 0])
    share = np.zeros((objects, steps))
    block = max(1, _BLOCK // (modes * modes * len(_DISC)))
    for step in range(steps):
        for start in range(0, objects, block):
            rows = slice(start, start + block)
            share[rows, step] = _denser_share(
                -offset_m[rows, :, step], inverse[rows, :, step], log_norm[rows, :, step], probability[rows]
            )
    return share


def _denser_share(mean_m: FloatArray, inverse: FloatArray, log_norm: FloatArray, probability: FloatArray) -> FloatArray:
    """Return the share of each mixture (B, K) with a higher density than at the origin -> (B,); mean_m (B, K, 2)."""
    with np.errstate(divide="ignore"):
        log_weight = log_norm + np.log(probability)
    # The log density of each mode as a polynomial in x and y, so that one matrix product gives all points.
    a, b, c = inverse[..., 0], inverse[..., 1], inverse[..., 2]
    x, y = mean_m[..., 0], mean_m[..., 1]
    constant = log_weight - 0.5 * (a * x * x + 2 * b * x * y + c * y * y)
    polynomial = np.stack([-0.5 * a, -b, -0.5 * c, a * x + b * y, b * x + c * y], axis=-1)
    # The Cholesky factor of the covariance maps the standard points to those of the mode.
    root_xx = np.sqrt(c / (a * c - b * b))
    slope, root_rest = -b / c * root_xx, 1.0 / np.sqrt(c)
    px = x[..., None] + root_xx[..., None] * _DISC[:, 0]
    py = y[..., None] + slope[..., None] * _DISC[:, 0] + root_rest[..., None] * _DISC[:, 1]
    px, py = px.reshape(len(px), -1), py.reshape(len(py), -1)
    points = np.stack([px * px, px * py, py * py, px, py], axis=1)
    top = constant.max(axis=1)
    exponent = constant - np.where(np.isfinite(top), top, 0.0)[:, None]
    here = np.exp(exponent).sum(axis=1)
    with np.errstate(over="ignore", under="ignore"):
        # The exponents need float64, their exponentials do not.
        there = np.exp((polynomial @ points + exponent[..., None]).astype(np.float32)).sum(axis=1)
    denser = (there > here[:, None]).reshape(*mean_m.shape[:2], -1)
    share: FloatArray = (denser.sum(axis=2) * probability).sum(axis=1) / len(_DISC)
    return np.minimum(share, 1.0)  # probabilities add up to 1 but for rounding


def _gaussians(
    predicted_m: FloatArray, covariance_m2: FloatArray, probability: FloatArray, truth_m: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Check the input; return truth - mean (N, K, T, 2), inverse (N, K, T, 3), log norm (N, K, T), probability."""
    predicted_m = finite("predicted_m", predicted_m, (None, None, None, 2))
    objects, modes, steps, _ = predicted_m.shape
    covariance_m2 = finite("covariance_m2", covariance_m2, (objects, modes, steps, 2, 2))
    truth_m = finite("truth_m", truth_m, (objects, steps, 2))
    inverse, determinant = _inverse(covariance_m2)
    log_norm = -np.log(2.0 * np.pi) - 0.5 * np.log(determinant)
    return truth_m[:, None] - predicted_m, inverse, log_norm, checked_probability(probability, objects, modes)


def _inverse(covariance_m2: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the inverse (..., 3: xx, xy, yy) and the determinant (...) of the covariances with the floor."""
    xx = covariance_m2[..., 0, 0] + VARIANCE_FLOOR_M2
    yy = covariance_m2[..., 1, 1] + VARIANCE_FLOOR_M2
    xy = 0.5 * (covariance_m2[..., 0, 1] + covariance_m2[..., 1, 0])
    determinant = xx * yy - xy * xy
    if covariance_m2.size and (min(xx.min(), yy.min()) <= 0 or determinant.min() <= 0):
        raise InputError("covariance_m2: expected positive semi-definite matrices, got one with a negative eigenvalue")
    return np.stack([yy, -xy, xx], axis=-1) / determinant[..., None], determinant


def _quadratic(offset_m: FloatArray, inverse: FloatArray) -> FloatArray:
    """Return the squared Mahalanobis distance (...) of offset_m (..., 2) under inverse (..., 3)."""
    x, y = offset_m[..., 0], offset_m[..., 1]
    squared: FloatArray = inverse[..., 0] * x * x + 2.0 * inverse[..., 1] * x * y + inverse[..., 2] * y * y
    return squared
