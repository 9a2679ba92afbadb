"""Lanes of maps that give centre lines and polygons instead of borders."""

from __future__ import annotations

import numpy as np
import shapely

from trajnet.types import FloatArray, Lane

#: Points are left out where a line stays within this distance of the others.
TOLERANCE_M = 0.02


def border_beside(centre_m: FloatArray, away_m: FloatArray | float) -> FloatArray:
    """Return the line (P, 2) beside a centre line (P, 2), P >= 2; away_m (P,) or one: positive on its left."""
    ahead = np.empty_like(centre_m)
    ahead[0], ahead[-1] = centre_m[1] - centre_m[0], centre_m[-1] - centre_m[-2]
    ahead[1:-1] = centre_m[2:] - centre_m[:-2]
    ahead /= np.maximum(np.hypot(*ahead.T), 1e-9)[:, None]
    border_m: FloatArray = centre_m + np.reshape(away_m, (-1, 1)) * np.stack([-ahead[:, 1], ahead[:, 0]], axis=1)
    return border_m


def thin_lane(name: str, left_m: FloatArray, right_m: FloatArray, centre_m: FloatArray) -> Lane:
    """Return a lane without points that lie on a straight line, in whole millimetres."""
    thinned = shapely.simplify([shapely.linestrings(line) for line in (left_m, right_m, centre_m)], TOLERANCE_M)
    return Lane(name, *(np.round(shapely.get_coordinates(line), 3) for line in thinned))


def crossing(name: str, polygon_m: FloatArray) -> Lane | None:
    """Return a crosswalk as the smallest rectangle around its polygon (P, 2), along its longer side; None if flat."""
    if len(polygon_m) < 3:
        return None
    around = shapely.oriented_envelope(shapely.multipoints(polygon_m))
    if around.geom_type != "Polygon":
        return None
    corners_m = shapely.get_coordinates(around)[:4]
    if np.hypot(*(corners_m[1] - corners_m[0])) < np.hypot(*(corners_m[2] - corners_m[1])):
        corners_m = np.roll(corners_m, -1, axis=0)
    one_m, other_m = corners_m[:2], corners_m[[3, 2]]
    (along_x, along_y), (across_x, across_y) = one_m[1] - one_m[0], other_m[0] - one_m[0]
    left_m, right_m = (other_m, one_m) if along_x * across_y > along_y * across_x else (one_m, other_m)
    return Lane(f"crossing {name}", left_m, right_m, 0.5 * (left_m + right_m), drivable=False, one_way=False)
