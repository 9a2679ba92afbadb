"""The map features of a Waymo Open Motion scenario as lanes.

Waymo gives the centre line of a lane, and along parts of it the road lines or edges on either side (map.proto:
LaneCenter, BoundarySegment). A border runs beside the centre line, as far away as that line or edge is; where there is
none, at half the usual width.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import shapely

from trajnet.types import FloatArray, Lane

#: LaneCenter.LaneType.
BIKE_LANE = 3
#: Half the width of a lane without boundaries, and of a bicycle lane. The lanes of the sample scenario that have both
#: boundaries have a mean width of 3.6 m.
HALF_WIDTH_M, HALF_BIKE_WIDTH_M = 1.8, 0.9
#: A boundary is not taken nearer or farther from the centre line than this: some belong to the whole roadway.
NEAREST_M, FARTHEST_M = 0.5, 3.5
#: Points are left out where the line stays within this distance: Waymo's are 0.5 m apart on straight roads too.
TOLERANCE_M = 0.02
#: Features that a scene has no place for.
LEFT_OUT = ("stop_sign", "speed_bump", "driveway")


def womd_lanes(features: Any) -> tuple[tuple[Lane, ...], Counter[str]]:
    """Return lanes and crosswalks in the order of the features, and how many others of which kind are left out.

    A lane of fewer than two points is left out and counted as "lane". A crosswalk becomes the smallest rectangle around
    its polygon, along its longer side.
    """
    lines = {f.id: line for f in features for line in _lines(f)}
    shapely.prepare(list(lines.values()))
    lanes: list[Lane] = []
    left_out: Counter[str] = Counter()
    for feature in features:
        if feature.HasField("lane"):
            centre_m = _points(feature.lane.polyline)
            if len(centre_m) < 2:
                left_out["lane"] += 1
                continue
            lanes.append(_lane(str(feature.id), feature.lane, centre_m, lines))
        elif feature.HasField("crosswalk"):
            found = _crosswalk(str(feature.id), _points(feature.crosswalk.polygon))
            lanes += [] if found is None else [found]
            left_out["crosswalk"] += found is None
        else:
            left_out.update(name for name in LEFT_OUT if feature.HasField(name))
    return tuple(lanes), +left_out


def _lines(feature: Any) -> list[Any]:
    """Return the geometry of a road line or edge, in a list that is empty for another feature."""
    for name in ("road_line", "road_edge"):
        if feature.HasField(name):
            points_m = _points(getattr(feature, name).polyline)
            if len(points_m):
                return [shapely.linestrings(points_m) if len(points_m) > 1 else shapely.points(points_m[0])]
    return []


def _points(found: Any) -> FloatArray:
    return np.array([(point.x, point.y) for point in found], np.float64).reshape(-1, 2)


def _lane(name: str, lane: Any, centre_m: FloatArray, lines: Mapping[int, Any]) -> Lane:
    half_m = HALF_BIKE_WIDTH_M if lane.type == BIKE_LANE else HALF_WIDTH_M
    left_m = _border(centre_m, lane.left_boundaries, lines, half_m, 1.0)
    right_m = _border(centre_m, lane.right_boundaries, lines, half_m, -1.0)
    thinned = shapely.simplify(shapely.linestrings([left_m, right_m, centre_m]), TOLERANCE_M)
    return Lane(name, *(np.round(shapely.get_coordinates(line), 3) for line in thinned))


def _border(centre_m: FloatArray, segments: Any, lines: Mapping[int, Any], half_m: float, side: float) -> FloatArray:
    """Return the border (P, 2) beside the centre line (P, 2); side: 1 left, -1 right."""
    away_m = np.full(len(centre_m), half_m)
    points = shapely.points(centre_m)
    for segment in segments:
        line = lines.get(segment.boundary_feature_id)
        if line is None:
            continue
        part = slice(max(segment.lane_start_index, 0), max(segment.lane_end_index + 1, 0))
        away_m[part] = shapely.distance(line, points[part])
    ahead = np.empty_like(centre_m)
    ahead[0], ahead[-1] = centre_m[1] - centre_m[0], centre_m[-1] - centre_m[-2]
    ahead[1:-1] = centre_m[2:] - centre_m[:-2]
    ahead /= np.maximum(np.hypot(*ahead.T), 1e-9)[:, None]
    away_m = side * np.clip(away_m, NEAREST_M, FARTHEST_M)
    border_m: FloatArray = centre_m + away_m[:, None] * np.stack([-ahead[:, 1], ahead[:, 0]], axis=1)
    return border_m


def _crosswalk(name: str, polygon_m: FloatArray) -> Lane | None:
    if len(polygon_m) < 3:
        return None
    around = shapely.oriented_envelope(shapely.multipoints(polygon_m))
    if around.geom_type != "Polygon":
        return None
    corners_m = shapely.get_coordinates(around)[:4]
    if np.hypot(*(corners_m[1] - corners_m[0])) < np.hypot(*(corners_m[2] - corners_m[1])):
        corners_m = np.roll(corners_m, -1, axis=0)
    one_m, other_m = corners_m[:2], corners_m[[3, 2]]
    turned = np.cross(np.append(one_m[1] - one_m[0], 0.0), np.append(other_m[0] - one_m[0], 0.0))[2]
    left_m, right_m = (other_m, one_m) if turned > 0 else (one_m, other_m)
    return Lane(f"crossing {name}", left_m, right_m, 0.5 * (left_m + right_m), drivable=False, one_way=False)
