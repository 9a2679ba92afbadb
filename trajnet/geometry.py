"""Planar geometry in SI units. Angles in radians, counter-clockwise from the x axis."""

import numpy as np
from numpy.typing import NDArray

from trajnet.arrays import any_true

FloatArray = NDArray[np.float64]


def wrap_angle(angle_rad: FloatArray) -> FloatArray:
    """Wrap angles of any shape to [-pi, pi)."""
    wrapped: FloatArray = (np.asarray(angle_rad) + np.pi) % (2.0 * np.pi) - np.pi
    return wrapped


def within_half_turn(yaw_rad: FloatArray) -> FloatArray:
    """Return yaws (N,) wrapped to [-pi, pi]: models take them as float32, where whole turns cost precision."""
    beyond = np.abs(yaw_rad) > np.pi
    return np.where(beyond, wrap_angle(yaw_rad), yaw_rad) if any_true(beyond) else yaw_rad


def rotate(points: FloatArray, angle_rad: FloatArray | float) -> FloatArray:
    """Rotate points (..., 2) by angle_rad, which broadcasts against points[..., 0]."""
    cos, sin = np.cos(angle_rad), np.sin(angle_rad)
    x, y = points[..., 0], points[..., 1]
    return np.stack([cos * x - sin * y, sin * x + cos * y], axis=-1)


def rotate_covariance(covariance: FloatArray, angle_rad: FloatArray) -> FloatArray:
    """Return R C R^T for covariances (..., 2, 2); angle_rad broadcasts against covariance[..., 0, 0]."""
    cos, sin = np.cos(angle_rad), np.sin(angle_rad)
    xx, xy, yx, yy = (covariance[..., i, j] for i in (0, 1) for j in (0, 1))
    # Written out, as stacked 2x2 matrix products take several times as long.
    turned: FloatArray = np.empty((*np.broadcast_shapes(xx.shape, np.shape(angle_rad)), 2, 2))
    turned[..., 0, 0] = cos * cos * xx - cos * sin * (xy + yx) + sin * sin * yy
    turned[..., 0, 1] = cos * cos * xy - sin * sin * yx + cos * sin * (xx - yy)
    turned[..., 1, 0] = cos * cos * yx - sin * sin * xy + cos * sin * (xx - yy)
    turned[..., 1, 1] = sin * sin * xx + cos * sin * (xy + yx) + cos * cos * yy
    return turned


def paired(left: FloatArray, right: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return two borders (P, 2), (Q, 2) with equally many points: if P != Q, at the fractions of length of both."""
    if len(left) == len(right):
        return left, right
    shares = [_share(left), _share(right)]
    both = np.unique(np.concatenate(shares))
    first, second = (
        np.stack([np.interp(both, share, line[:, axis]) for axis in (0, 1)], axis=1)
        for share, line in zip(shares, (left, right), strict=True)
    )
    return first, second


def _share(line: FloatArray) -> FloatArray:
    """Return the fraction (P,) of the line's length up to each point, 0 to 1."""
    along = np.append(0.0, np.cumsum(np.hypot(*np.diff(line, axis=0).T)))
    share: FloatArray = along / along[-1] if along[-1] > 0 else np.linspace(0.0, 1.0, len(along))
    return share


#: A corner of an offset line is at most so many times the offset away from that of the line.
MITRE = 2.0


def offset_line(line: FloatArray, by: float) -> FloatArray:
    """Return a line (P, 2) moved to its left by this distance, point by point; P >= 2, no two in succession the same.

    Its corners are mitred, so that both pieces of a bend keep the distance; at hairpins they come back to the line.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # lines at absurd positions
        ahead = np.diff(line, axis=0)
        ahead /= np.hypot(*ahead.T)[:, None]
        left = np.stack([-ahead[:, 1], ahead[:, 0]], axis=1)
        before, after = np.concatenate([left[:1], left]), np.concatenate([left, left[-1:]])
        apart = 1.0 + (before * after).sum(axis=1)  # twice the square of the cosine of half a bend
        moved: FloatArray = line + by * (before + after) / np.maximum(apart, 2.0 / MITRE**2)[:, None]
    return moved


def linear_matrix(knot_time_s: FloatArray, query_time_s: FloatArray) -> FloatArray:
    """Return weights (Q, M) that interpolate linearly between knots at times (M,); constant beyond the end knots."""
    return np.stack([np.interp(query_time_s, knot_time_s, one) for one in np.eye(len(knot_time_s))], axis=1)


def interpolation_matrix(knot_time_s: FloatArray, query_time_s: FloatArray) -> FloatArray:
    """Return the matrix (Q, M) of Catmull-Rom interpolation: ``matrix @ knots`` are the values at the query times.

    knot_time_s (M,): strictly increasing. query_time_s (Q,): within the range of the knots. Tangents are finite
    differences (one-sided at the ends), hence linear motion is reproduced exactly, a knot's own time returns the knot,
    and an outlier changes only the four spans around it. Raises ValueError if the times violate this.
    """
    knots = np.asarray(knot_time_s, dtype=np.float64)
    query = np.asarray(query_time_s, dtype=np.float64)
    if knots.ndim != 1 or len(knots) < 2 or np.any(np.diff(knots) <= 0):
        raise ValueError(f"knot_time_s: expected at least two strictly increasing times, got {knots}")
    slack = 1e-9 * max(1.0, float(np.abs(knots).max()))
    if query.size and (query.min() < knots[0] - slack or query.max() > knots[-1] + slack):
        raise ValueError(
            f"query_time_s: expected times within [{knots[0]}, {knots[-1]}] s, got {query.min()} to {query.max()}"
        )
    count = len(knots)
    tangent = np.zeros((count, count))
    for i in range(count):
        low, high = max(i - 1, 0), min(i + 1, count - 1)
        tangent[i, high] += 1.0 / (knots[high] - knots[low])
        tangent[i, low] -= 1.0 / (knots[high] - knots[low])
    span = np.clip(np.searchsorted(knots, query, side="right") - 1, 0, count - 2)
    width = knots[span + 1] - knots[span]
    u = ((query - knots[span]) / width)[:, None]
    identity = np.eye(count)
    matrix: FloatArray = (
        (2 * u**3 - 3 * u**2 + 1) * identity[span]
        + (u**3 - 2 * u**2 + u) * width[:, None] * tangent[span]
        + (-2 * u**3 + 3 * u**2) * identity[span + 1]
        + (u**3 - u**2) * width[:, None] * tangent[span + 1]
    )
    return matrix
