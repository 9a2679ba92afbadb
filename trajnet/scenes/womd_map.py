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

from trajnet.scenes.lane_shapes import crossing, normals, require_places, thin_lane
from trajnet.types import FloatArray, Lane

#: LaneCenter.LaneType.
BIKE_LANE = 3
#: Half the width of a lane without boundaries, and of a bicycle lane. The lanes of the sample scenario that have both
#: boundaries have a mean width of 3.6 m.
HALF_WIDTH_M, HALF_BIKE_WIDTH_M = 1.8, 0.9
#: A boundary is not taken nearer or farther from the centre line than this: some belong to the whole roadway.
NEAREST_M, FARTHEST_M = 0.5, 3.5
#: Distances are measured at every so many points, and interpolated: Waymo's points are 0.5 m apart.
EVERY = 4
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
            found = crossing(str(feature.id), _points(feature.crosswalk.polygon))
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
    return require_places(np.array([(point.x, point.y) for point in found], np.float64).reshape(-1, 2))


def _lane(name: str, lane: Any, centre_m: FloatArray, lines: Mapping[int, Any]) -> Lane:
    half_m = HALF_BIKE_WIDTH_M if lane.type == BIKE_LANE else HALF_WIDTH_M
    left = normals(centre_m)
    on_left_m, on_right_m = (
        border_away_m(centre_m, segments, lines, half_m)[:, None]
        for segments in (lane.left_boundaries, lane.right_boundaries)
    )
    return thin_lane(name, centre_m + on_left_m * left, centre_m - on_right_m * left, centre_m)


def border_away_m(centre_m: FloatArray, segments: Any, lines: Mapping[Any, Any], half_m: float) -> FloatArray:
    """Return how far the border on one side is away from the centre line (P, 2) at each of its points, (P,)."""
    away_m = np.full(len(centre_m), half_m)
    for segment in segments:
        line = lines.get(segment.boundary_feature_id)
        part = np.arange(max(segment.lane_start_index, 0), min(segment.lane_end_index + 1, len(centre_m)))
        if line is not None and len(part):
            asked = np.append(part[:-1:EVERY], part[-1])
            away_m[part] = np.interp(part, asked, shapely.distance(line, shapely.points(centre_m[asked])))
    within_m: FloatArray = np.clip(away_m, NEAREST_M, FARTHEST_M)
    return within_m
