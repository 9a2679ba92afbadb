"""Lanes of maps that give centre lines and polygons instead of borders."""

from __future__ import annotations

import numpy as np
import shapely

from trajnet.errors import InputError
from trajnet.types import FloatArray, Lane

#: Points are left out where a line stays within this distance of the others.
TOLERANCE_M = 0.02
#: Coordinates are at most so far from the origin, beyond all of UTM's. GEOS does not end with some larger ones.
FARTHEST_M = 1e8


def require_places(points_m: FloatArray) -> FloatArray:
    """Return points (P, 2). Raises InputError if one is not finite or farther than FARTHEST_M."""
    if points_m.size and not np.abs(points_m).max() <= FARTHEST_M:
        raise InputError(f"expected map points within {FARTHEST_M:g} m of the origin, got {np.abs(points_m).max():g}")
    return points_m


def normals(centre_m: FloatArray) -> FloatArray:
    """Return unit vectors (P, 2) to the left of a line (P, 2), P >= 2."""
    ahead = np.empty_like(centre_m)
    ahead[0], ahead[-1] = centre_m[1] - centre_m[0], centre_m[-1] - centre_m[-2]
    ahead[1:-1] = centre_m[2:] - centre_m[:-2]
    length = np.maximum(np.hypot(ahead[:, 0], ahead[:, 1]), 1e-9)
    left = np.empty_like(ahead)
    left[:, 0], left[:, 1] = -ahead[:, 1] / length, ahead[:, 0] / length
    return left


def thin_lane(name: str, left_m: FloatArray, right_m: FloatArray, centre_m: FloatArray) -> Lane:
    """Return a lane without points that lie on a straight line, in whole millimetres.

    Raises InputError as require_places.
    """
    for points_m in (left_m, right_m, centre_m):
        require_places(points_m)
    owner = np.repeat(np.arange(3), [len(left_m), len(right_m), len(centre_m)])
    lines = shapely.linestrings(np.concatenate([left_m, right_m, centre_m]), indices=owner)
    kept_m, line = shapely.get_coordinates(shapely.simplify(lines, TOLERANCE_M), return_index=True)
    left_m, right_m, centre_m = np.split(np.round(kept_m, 3), np.searchsorted(line, [1, 2]))
    return Lane(name, left_m, right_m, centre_m)


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
    middle_m = 0.5 * (left_m + right_m)
    return Lane(f"crossing {name}", left_m, right_m, middle_m, drivable=False, one_way=False, crosswalk=True)
