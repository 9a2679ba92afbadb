"""Which objects are on the map: a map of another place, or in other coordinates, is a silent fault otherwise."""

from __future__ import annotations

import numpy as np

from trajnet.context.lane_paths import LanePaths
from trajnet.context.map_field import REACH_M, MapField
from trajnet.types import BoolArray, FloatArray

_OUT_OF_REACH = -np.iinfo(np.int8).max


def on_map(field: MapField, position_m: FloatArray) -> BoolArray:
    """Return which positions (N, 2), map frame, finite, are on the drivable area or within the field's reach of it."""
    pixel = np.floor((position_m - field.origin_m) * field.pixels_per_m + 1.0)
    columns, rows = field.distance.shape[:2]
    inside: BoolArray = np.all((pixel >= 0) & (pixel < [columns, rows]), axis=1)
    x, y = np.where(inside[:, None], pixel, 0).astype(np.int64).T
    near: BoolArray = inside & (field.distance[x, y, 0] > _OUT_OF_REACH)
    return near


def among_lanes(lanes: LanePaths, position_m: FloatArray) -> BoolArray:
    """Return which positions (N, 2), map frame, finite, are within the rectangle around the lanes, or near it.

    For a map of which only the lanes are at hand: cruder than on_map, but it tells a map of another place.
    """
    least_m, most_m = lanes.bounds_m()
    inside: BoolArray = np.all((position_m >= least_m - REACH_M) & (position_m <= most_m + REACH_M), axis=1)
    return inside
