"""Length and width of polygons, in NumPy: shapely's functions for this differ between versions 1 and 2."""

from __future__ import annotations

import numpy as np

from trajnet.types import FloatArray, IntArray

#: A polygon of more points is cut down to its outermost points in this many directions: bounded work, and a rectangle
#: that is at most 0.13 % of the polygon's extent too small.
MAX_POINTS = 64
_ANGLE_RAD = np.arange(MAX_POINTS) * (2.0 * np.pi / MAX_POINTS)
_DIRECTION = np.stack([np.cos(_ANGLE_RAD), np.sin(_ANGLE_RAD)])


def smallest_rectangles(points_m: FloatArray, count: IntArray) -> FloatArray:
    """Return length and width (M, 2) of the smallest rotated rectangle around each of M polygons; 0 without an area.

    points_m (sum of count, 2): finite, the polygons one after another.
    """
    ends = np.cumsum(count).tolist()
    hulls = [_hull_of(points_m[start:end]) for start, end in zip([0, *ends[:-1]], ends, strict=True)]
    corners = np.array([len(hull) for hull in hulls], dtype=np.int64)
    size_m = np.zeros((len(hulls), 2))
    for number in np.unique(corners[corners > 2]).tolist():
        alike = np.flatnonzero(corners == number)
        size_m[alike] = _rectangles_of(np.array([hulls[i] for i in alike]))
    return size_m


def _hull_of(points_m: FloatArray) -> list[list[float]]:
    if len(points_m) > MAX_POINTS:
        points_m = points_m[np.unique((points_m @ _DIRECTION).argmax(axis=0))]
    return _convex_hull(points_m.tolist())


def _rectangles_of(hulls: FloatArray) -> FloatArray:
    """Return length and width (M, 2) for hulls (M, H, 2): one side of the rectangle lies on an edge of the hull."""
    edge = np.roll(hulls, -1, axis=1) - hulls
    along = edge / np.hypot(edge[..., 0], edge[..., 1])[..., None]
    across = np.stack([-along[..., 1], along[..., 0]], axis=-1)
    sides = np.stack([np.ptp(hulls @ axis.swapaxes(1, 2), axis=1) for axis in (along, across)], axis=-1)  # (M, H, 2)
    best = sides.prod(axis=-1).argmin(axis=1)
    size_m: FloatArray = np.sort(sides[np.arange(len(hulls)), best], axis=1)[:, ::-1]
    return size_m


def _convex_hull(points: list[list[float]]) -> list[list[float]]:
    """Return the corners of the convex hull, counter-clockwise (monotone chain); fewer than 3 for points on a line."""
    ordered = sorted(points)
    return _chain(ordered)[:-1] + _chain(ordered[::-1])[:-1]


def _chain(ordered: list[list[float]]) -> list[list[float]]:
    chain: list[list[float]] = []
    for x, y in ordered:
        while len(chain) > 1:
            (ax, ay), (bx, by) = chain[-2], chain[-1]
            if (bx - ax) * (y - ay) - (by - ay) * (x - ax) > 0:
                break
            chain.pop()
        chain.append([x, y])
    return chain
