"""Length and width of polygons, in NumPy: shapely's functions for this differ between versions 1 and 2."""

from __future__ import annotations

import numpy as np

from trajnet.types import FloatArray, IntArray

#: A polygon of more points is cut down to its outermost points in this many directions: bounded work, and a rectangle
#: that is at most 0.03 % of the polygon's extent too small.
MAX_POINTS = 128
_ANGLE_RAD = np.arange(MAX_POINTS) * (2.0 * np.pi / MAX_POINTS)
_DIRECTION = np.stack([np.cos(_ANGLE_RAD), np.sin(_ANGLE_RAD)])


def smallest_rectangles(points_m: FloatArray, count: IntArray) -> FloatArray:
    """Return length and width (M, 2) of the smallest rotated rectangle around each of M polygons; 0 without an area.

    points_m (sum of count, 2): finite, the polygons one after another.
    """
    ends = np.cumsum(count).tolist()
    starts = [0, *ends[:-1]]
    sizes = [_smallest_rectangle(points_m[start:end]) for start, end in zip(starts, ends, strict=True)]
    return np.array(sizes, dtype=np.float64).reshape(-1, 2)


def _smallest_rectangle(points_m: FloatArray) -> tuple[float, float]:
    """Return length and width; one side of the smallest rectangle lies on an edge of the convex hull."""
    if len(points_m) > MAX_POINTS:
        points_m = points_m[np.unique((points_m @ _DIRECTION).argmax(axis=0))]
    hull = np.array(_convex_hull(points_m.tolist()))
    if len(hull) < 3:
        return 0.0, 0.0
    edge = np.roll(hull, -1, axis=0) - hull
    along = edge / np.hypot(edge[:, 0], edge[:, 1])[:, None]
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    sides = np.stack([np.ptp(hull @ along.T, axis=0), np.ptp(hull @ across.T, axis=0)])
    best = int((sides[0] * sides[1]).argmin())
    return float(sides[:, best].max()), float(sides[:, best].min())


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
