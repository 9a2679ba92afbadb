"""Map features of a ScenarioNet scenario as lanes.

A lane has a centre line, and, by the data set it came from, a polygon (nuScenes, nuPlan, generated maps), or references
to the lines along its sides (Waymo). Its borders run beside the centre line: at half the polygon's mean width, or as
far away as those lines are, else at half the usual width. Crosswalks become rectangles.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import shapely

from trajnet.errors import InputError
from trajnet.scenes.lane_shapes import crossing, normals, require_places, thin_lane
from trajnet.scenes.womd_map import HALF_BIKE_WIDTH_M, HALF_WIDTH_M, border_away_m
from trajnet.types import FloatArray, Lane

#: MetaDriveType's lanes.
LANES = (
    "LANE_SURFACE_STREET", "LANE_SURFACE_UNSTRUCTURE", "LANE_UNKNOWN", "LANE_FREEWAY", "LANE_BIKE_LANE",
)  # fmt: skip
#: Half the mean width of a lane's polygon is taken within these bounds.
NARROWEST_M, WIDEST_M = 1.0, 3.5


def scenarionet_lanes(features: Mapping[str, Any]) -> tuple[tuple[Lane, ...], Counter[str]]:
    """Return lanes and crosswalks in the order of the features, and how many others of which type are left out.

    A lane of fewer than two points is left out and counted as such. Raises InputError that names the feature.
    """
    lines = {str(name): line for name, feature in features.items() for line in _lines(name, feature)}
    shapely.prepare(list(lines.values()))
    lanes, left_out = list[Lane](), Counter[str]()
    for name, feature in features.items():
        kind = str(_feature(name, feature).get("type"))[:40]
        if kind in LANES:
            found = _lane(str(name), kind, feature, lines)
        elif kind == "CROSSWALK":
            found = crossing(str(name), _points(name, feature, "polygon"))
        else:
            left_out.update([] if _is_line(kind) else [kind.lower()])
            continue
        lanes += [] if found is None else [found]
        left_out[f"{kind.lower()} without a shape"] += found is None
    return tuple(lanes), +left_out


def _is_line(kind: str) -> bool:
    return kind.startswith(("ROAD_LINE", "ROAD_EDGE")) or kind in ("UNKNOWN", "UNKNOWN_LINE")


def _feature(name: Any, feature: Any) -> Mapping[str, Any]:
    if not isinstance(feature, Mapping):
        raise InputError(f"map feature {str(name)[:40]!r}: expected a dictionary, got {type(feature).__name__}")
    return feature


def _lines(name: Any, feature: Any) -> list[Any]:
    """Return the geometry of a road line or edge, in a list that is empty for another feature."""
    if not _is_line(str(_feature(name, feature).get("type"))) or feature.get("polyline") is None:
        return []
    points_m = _points(name, feature, "polyline")
    return [shapely.linestrings(points_m)] if len(points_m) > 1 else []


def _points(name: Any, feature: Mapping[str, Any], key: str) -> FloatArray:
    """Return the points (P, 2) of a line or polygon. Raises InputError for what is none."""
    owner = f"map feature {str(name)[:40]!r}, {key!r}"
    if feature.get(key) is None:
        raise InputError(f"{owner}: expected points, got none")
    try:
        found = np.asarray(feature[key], np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{owner}: expected points (P, 2 or 3), got {type(feature[key]).__name__}") from error
    if not found.size:
        return np.zeros((0, 2))
    if found.ndim != 2 or found.shape[1] not in (2, 3):
        raise InputError(f"{owner}: expected points of shape (P, 2 or 3), got {found.shape}")
    try:
        return require_places(np.ascontiguousarray(found[:, :2]))
    except InputError as error:
        raise InputError(f"{owner}: {error}") from error


def _lane(name: str, kind: str, feature: Mapping[str, Any], lines: Mapping[str, Any]) -> Lane | None:
    centre_m = _points(name, feature, "polyline")
    length_m = float(np.hypot(*np.diff(centre_m, axis=0).T).sum()) if len(centre_m) > 1 else 0.0
    if length_m < 0.1:
        return None
    half_m = HALF_BIKE_WIDTH_M if kind == "LANE_BIKE_LANE" else HALF_WIDTH_M
    ring_m = _points(name, feature, "polygon") if feature.get("polygon") is not None else centre_m[:0]
    if len(ring_m) > 2:
        half_m = float(np.clip(shapely.Polygon(ring_m).area / length_m / 2, NARROWEST_M, WIDEST_M))
    on_left_m, on_right_m = (
        border_away_m(centre_m, _segments(name, feature.get(f"{side}_boundaries")), lines, half_m)[:, None]
        for side in ("left", "right")
    )
    left = normals(centre_m)
    return thin_lane(name, centre_m + on_left_m * left, centre_m - on_right_m * left, centre_m)


def _segments(name: str, boundaries: Any) -> list[SimpleNamespace]:
    """Return the parts of a lane that a line or edge runs beside; references of other forms are passed over."""
    found = []
    for each in boundaries if isinstance(boundaries, (list, tuple)) else ():
        if isinstance(each, Mapping) and "boundary_feature_id" in each:
            try:
                first, last = int(each.get("lane_start_index", 0)), int(each.get("lane_end_index", 0))
            except (TypeError, ValueError) as error:
                raise InputError(
                    f"map feature {name!r}: expected boundaries with whole indices, got {error}"
                ) from error
            found.append(
                SimpleNamespace(
                    lane_start_index=first, lane_end_index=last, boundary_feature_id=str(each["boundary_feature_id"])
                )
            )
    return found
