"""nuScenes' vector maps (map expansion, ``maps/expansion/LOCATION.json``) as lanes.

A lane has a polygon and, by the same token, a centre line in ``arcline_path_3``: Dubins paths of three arcs, each with
a radius, and the lengths and the letters (L left, R right, S straight) of its parts. Its borders run beside the centre
line at half the mean width: the polygon's area over the line's length. Connectors through intersections have no
polygon, and HALF_WIDTH_M. Pedestrian crossings become rectangles.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from trajnet.errors import InputError, in_words
from trajnet.scenes.lane_shapes import crossing, normals, thin_lane
from trajnet.scenes.rows import read_text
from trajnet.types import FloatArray, Lane

HALF_WIDTH_M = 1.8
#: Half the mean width of a lane is taken within these bounds.
NARROWEST_M, WIDEST_M = 1.0, 3.5
#: A centre line has a point at least this often, and at most so many.
STEP_M, MAX_POINTS = 1.0, 100_000
_SIGN = {"L": 1.0, "S": 0.0, "R": -1.0}


def read_nuscenes_map(path: Path) -> tuple[Lane, ...]:
    """Return lanes, connectors and crossings. Raises InputError for any other file."""
    text = read_text(path)
    try:
        found = json.loads(text)
        nodes = {node["token"]: (float(node["x"]), float(node["y"])) for node in found["node"]}
        rings = {
            polygon["token"]: np.array([nodes[token] for token in polygon["exterior_node_tokens"]], np.float64)
            for polygon in found["polygon"]
        }
        paths: Mapping[str, Any] = found["arcline_path_3"]
        lanes: list[Lane | None] = [
            _lane(lane["token"], paths[lane["token"]], rings.get(lane.get("polygon_token")))
            for layer in ("lane", "lane_connector")
            for lane in found[layer]
            if paths.get(lane["token"])
        ]
        lanes += [crossing(each["token"], rings[each["polygon_token"]]) for each in found["ped_crossing"]]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, InputError) as error:
        raise InputError(f"{path}: expected a map of nuScenes (map expansion), got {in_words(error)}") from error
    return tuple(lane for lane in lanes if lane is not None)


def _lane(name: str, path: Sequence[Mapping[str, Any]], ring_m: FloatArray | None) -> Lane | None:
    centre_m = np.concatenate([centre_line(part) for part in path])
    length_m = float(np.hypot(*np.diff(centre_m, axis=0).T).sum())
    if length_m < 0.1:
        return None
    half_m = HALF_WIDTH_M
    if ring_m is not None and len(ring_m) > 2:
        half_m = float(np.clip(shapely.Polygon(ring_m).area / length_m / 2, NARROWEST_M, WIDEST_M))
    across_m = half_m * normals(centre_m)
    return thin_lane(name, centre_m + across_m, centre_m - across_m, centre_m)


def centre_line(path: Mapping[str, Any]) -> FloatArray:
    """Return the points (P, 2) of one Dubins path, at most STEP_M apart. Raises ValueError for what is none."""
    x, y, yaw_rad = (float(value) for value in path["start_pose"])
    radius_m, points = float(path["radius"]), [(x, y)]
    lengths_m = [float(value) for value in path["segment_length"]]
    if not all(map(math.isfinite, (x, y, yaw_rad, radius_m, *lengths_m))) or radius_m <= 0 or min(lengths_m) < 0:
        raise ValueError(f"an arc of radius {radius_m} and lengths {lengths_m}")
    if sum(lengths_m) / STEP_M > MAX_POINTS:
        raise ValueError(f"a path of {sum(lengths_m):.0f} m")
    for letter, length_m in zip(path["shape"], lengths_m, strict=True):
        steps = math.ceil(length_m / STEP_M)
        for _ in range(steps):
            step_m, turn_rad = length_m / steps, _SIGN[letter] * length_m / steps / radius_m
            chord_m = step_m * (1.0 if turn_rad == 0 else math.sin(turn_rad / 2) / (turn_rad / 2))
            x += chord_m * math.cos(yaw_rad + turn_rad / 2)
            y += chord_m * math.sin(yaw_rad + turn_rad / 2)
            yaw_rad += turn_rad
            points.append((x, y))
    return np.array(points, np.float64)
