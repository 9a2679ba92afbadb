"""Argoverse 2's vector maps (``log_map_archive_*.json``), which lie beside a scenario's Parquet file.

Lane segments have a left and a right boundary in the direction of travel and, in the motion forecasting data, a
centre line; pedestrian crossings have two edges (av2-api, av2.map.map_api and av2.map.lane_segment).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trajnet.errors import InputError
from trajnet.geometry import paired
from trajnet.scenes.rows import read_text
from trajnet.types import FloatArray, Lane

MAP_NAME = "log_map_archive_{}.json"
SCENARIO_PREFIX = "scenario_"


def map_beside(scenario: Path) -> Path | None:
    """Return the map of a scenario's file, None if it is no scenario or has none beside it."""
    if not scenario.name.startswith(SCENARIO_PREFIX):
        return None
    found = scenario.with_name(MAP_NAME.format(scenario.stem.removeprefix(SCENARIO_PREFIX)))
    return found if found.is_file() else None


def maps_beside(scenario: Path) -> list[Path]:
    """Return the map of a scenario's file in a list, which is empty without one."""
    found = map_beside(scenario)
    return [] if found is None else [found]


def read_av2_map(path: Path) -> tuple[Lane, ...]:
    """Return the lane segments and crossings in the order of the file. Raises InputError for any other file."""
    text = read_text(path)
    try:
        values = json.loads(text)
        segments, crossings = values["lane_segments"], values.get("pedestrian_crossings", {})
        lanes = [_lane(name, fields) for name, fields in segments.items()]
        lanes += [_crossing(name, fields) for name, fields in crossings.items()]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, InputError) as error:
        raise InputError(
            f"{path}: expected an Argoverse 2 map (lane_segments with boundaries), got {type(error).__name__}: {error}"
        ) from error
    if not lanes:
        raise InputError(f"{path}: expected lane segments, got a map without")
    return tuple(lanes)


def _lane(name: str, fields: Mapping[str, Any]) -> Lane:
    left_m, right_m = _points(fields["left_lane_boundary"]), _points(fields["right_lane_boundary"])
    centre_m = _points(fields["centerline"]) if fields.get("centerline") else _middle(left_m, right_m)
    return Lane(str(name), left_m, right_m, centre_m)


def _crossing(name: str, fields: Mapping[str, Any]) -> Lane:
    left_m, right_m = _points(fields["edge1"]), _points(fields["edge2"])
    if ((left_m[0] - right_m[0]) ** 2).sum() > ((left_m[0] - right_m[-1]) ** 2).sum():
        right_m = right_m[::-1]
    middle_m = _middle(left_m, right_m)
    return Lane(f"crossing {name}", left_m, right_m, middle_m, drivable=False, one_way=False, crosswalk=True)


def _points(found: Sequence[Mapping[str, float]]) -> FloatArray:
    return np.array([[point["x"], point["y"]] for point in found], dtype=np.float64).reshape(-1, 2)


def _middle(left_m: FloatArray, right_m: FloatArray) -> FloatArray:
    left, right = paired(left_m, right_m)
    middle: FloatArray = 0.5 * (left + right)
    return middle
