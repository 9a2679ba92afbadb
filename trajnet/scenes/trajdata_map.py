"""Vector maps of a trajdata cache (``maps/NAME.pb``) as lanes.

The messages are those of trajdata's vectorized_map.proto: points as whole millimetres from one to the next, from the
map's shifted origin. Lanes without an edge on a side have their border at half the usual width. Crosswalks become
rectangles; road areas and walkways are left out and counted.
"""

from __future__ import annotations

import functools
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from trajnet.errors import InputError, in_words
from trajnet.scenes.lane_shapes import crossing, normals, require_places, thin_lane
from trajnet.scenes.messages import Fields, message_class
from trajnet.scenes.rows import require_file
from trajnet.types import FloatArray, Lane

FIELDS: Fields = {
    "VectorizedMap": {
        "name": (1, "string"),
        "elements": (2, "MapElement*"),
        "shifted_origin": (5, "Point"),
    },
    "MapElement": {
        "id": (1, "bytes"),
        "road_lane": (2, "RoadLane"),
        "road_area": (3, "Other"),
        "ped_crosswalk": (4, "PedCrosswalk"),
        "ped_walkway": (5, "Other"),
    },
    "Point": {"x": (1, "double"), "y": (2, "double")},
    "Polyline": {"dx_mm": (1, "sint32*"), "dy_mm": (2, "sint32*")},
    "RoadLane": {"center": (1, "Polyline"), "left_boundary": (2, "Polyline"), "right_boundary": (3, "Polyline")},
    "PedCrosswalk": {"polygon": (1, "Polyline")},
    "Other": {},
}
HALF_WIDTH_M = 1.8
LEFT_OUT = ("road_area", "ped_walkway")

#: Lanes and what is left out.
Found = tuple[tuple[Lane, ...], Counter[str]]


def read_trajdata_map(path: Path) -> Found:
    """Return lanes and crosswalks in the order of the file, and how many others of which kind are left out.

    The last two maps are kept: the scenes of a town share one. Raises InputError that names the file, DependencyError
    where protobuf is not installed.
    """
    require_file(path)
    there = path.stat()
    return _read(path, there.st_mtime_ns, there.st_size)


@functools.lru_cache(maxsize=2)
def _read(path: Path, _time_ns: int, _size: int) -> Found:
    message = message_class("trajdata", FIELDS, "VectorizedMap")
    from google.protobuf.message import DecodeError

    try:
        found = message.FromString(path.read_bytes())
        origin_m = require_places(np.array([found.shifted_origin.x, found.shifted_origin.y]))
        lanes, left_out = list[Lane](), Counter[str]()
        for element in found.elements:
            lane = _lane(element, origin_m)
            lanes += [] if lane is None else [lane]
            left_out.update(name for name in LEFT_OUT if element.HasField(name))
        return tuple(lanes), left_out
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except (InputError, DecodeError, ValueError, UnicodeError) as error:
        raise InputError(f"{path}: expected a map of trajdata, got {in_words(error)[:200]}") from error


def _lane(element: Any, origin_m: FloatArray) -> Lane | None:
    """Return an element as a lane; None for another, and for one without a shape."""
    name = element.id.decode("utf-8", errors="replace")
    if element.HasField("ped_crosswalk"):
        return crossing(name, _points(element.ped_crosswalk.polygon, origin_m))
    if not element.HasField("road_lane"):
        return None
    lane = element.road_lane
    centre_m = _points(lane.center, origin_m)
    if len(centre_m) < 2:
        return None
    across_m = HALF_WIDTH_M * normals(centre_m)
    left_m, right_m = centre_m + across_m, centre_m - across_m
    if lane.HasField("left_boundary") and len(lane.left_boundary.dx_mm) > 1:
        left_m = _points(lane.left_boundary, origin_m)
    if lane.HasField("right_boundary") and len(lane.right_boundary.dx_mm) > 1:
        right_m = _points(lane.right_boundary, origin_m)
    return thin_lane(name, left_m, right_m, centre_m)


def _points(line: Any, origin_m: FloatArray) -> FloatArray:
    """Return the points (P, 2) of a polyline. Raises InputError if it has more x than y."""
    steps_mm = [np.array(values, np.float64) for values in (line.dx_mm, line.dy_mm)]
    if len(steps_mm[0]) != len(steps_mm[1]):
        raise InputError(f"expected as many x as y in a line, got {len(steps_mm[0])} and {len(steps_mm[1])}")
    return require_places(np.cumsum(np.stack(steps_mm, axis=1), axis=0) * 1e-3 + origin_m)
