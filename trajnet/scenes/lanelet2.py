"""Lanelet2 maps (.osm) with local coordinates, as Autoware has them: lanes from the standard library's XML reader.

A lanelet is a relation with the tag type=lanelet whose members are one way as its ``left`` and one as its ``right``
border. A way lists nodes; a node's tags local_x and local_y (m, the frame ``map``) say where it is. Which way round a
border is drawn means nothing: a lanelet leads where its left border is on the left
(Lanelet2's documentation, lanelet2_core: LaneletPrimitives and LaneletAndAreaTagging).
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np

from trajnet.errors import InputError
from trajnet.geometry import paired
from trajnet.scenes.rows import require_file
from trajnet.types import FloatArray, Lane

log = logging.getLogger(__name__)

#: Subtypes that are for pedestrians; every other one, and none, is for vehicles. The last is Autoware's.
WALKWAYS = frozenset({"walkway", "shared_walkway", "crosswalk", "stairs", "pedestrian_lane"})


def read_lanelet2(path: Path) -> tuple[Lane, ...]:
    """The lanelets of a map in the order of the file; what is broken is left out with a warning.

    InputError if the file is no such map, has no lanelets, or none that can be used.
    """
    require_file(path)
    found = _read_elements(path)
    if not found.lanelets:
        raise InputError(f"{path}: expected a Lanelet2 map, got a file without lanelets")
    if found.nodes and not any(found.nodes.values()):
        raise InputError(
            f"{path}: expected nodes with the tags local_x and local_y, got {len(found.nodes)} without; "
            f"save the map with local coordinates, as Autoware's map tools do"
        )
    lanes, broken = [], []
    for name, tags, members in found.lanelets:
        try:
            lanes.append(_lane(name, tags, members, found.ways, found.nodes))
        except InputError as error:
            broken.append(str(error))
    if not lanes:
        raise InputError(f"{path}: expected lanelets that can be used, got none of {len(broken)}: {broken[0]}")
    if broken:
        count = len(found.lanelets)
        log.warning("%s: %d of %d lanelets left out, the first: %s", path, len(broken), count, broken[0])
    return tuple(lanes)


class _Elements(NamedTuple):
    """What a map's lanelets are made of, by id. nodes: x, y in m, None without a usable place.

    lanelets: (id, tags, members as (role, id of a way)), in the order of the file.
    """

    nodes: dict[str, tuple[float, float] | None]
    ways: dict[str, list[str]]
    lanelets: list[tuple[str, dict[str, str], list[tuple[str, str]]]]


def _read_elements(path: Path) -> _Elements:
    """Read nodes, ways and lanelets, one element of the file at a time. Raises InputError for broken XML."""
    found = _Elements({}, {}, [])
    try:
        for _, element in ElementTree.iterparse(path):
            if element.tag in ("node", "way", "relation"):  # what belongs to one of them is read with it
                _add(found, element)
                element.clear()
    except (ElementTree.ParseError, OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: expected a Lanelet2 map in OSM's XML, got a broken file ({error})") from error
    return found


def _add(found: _Elements, element: ElementTree.Element) -> None:
    name = element.get("id", "")
    if element.tag == "node":
        found.nodes[name] = _local_m(_tags(element))
    elif element.tag == "way":
        found.ways[name] = [each.get("ref", "") for each in element.iter("nd")]
    elif (tags := _tags(element)).get("type") == "lanelet":
        members = [(each.get("role", ""), each.get("ref", "")) for each in element.iter("member")]
        found.lanelets.append((name, tags, members))


def _tags(element: ElementTree.Element) -> dict[str, str]:
    return {each.get("k", ""): each.get("v", "") for each in element.iter("tag")}


def _local_m(tags: Mapping[str, str]) -> tuple[float, float] | None:
    """Where a node is; None where that is not said in finite numbers."""
    try:
        place = float(tags["local_x"]), float(tags["local_y"])
    except (KeyError, ValueError):
        return None
    return place if all(map(math.isfinite, place)) else None


def _lane(
    name: str,
    tags: Mapping[str, str],
    members: list[tuple[str, str]],
    ways: Mapping[str, list[str]],
    nodes: Mapping[str, tuple[float, float] | None],
) -> Lane:
    left_m, right_m = (_border_m(name, role, members, ways, nodes) for role in ("left", "right"))
    if _apart_m(left_m, right_m[::-1]) < _apart_m(left_m, right_m):
        right_m = right_m[::-1]
    if _area_m2(np.concatenate([left_m, right_m[::-1]])) > 0:  # counter-clockwise: the left border is on the right
        left_m, right_m = left_m[::-1], right_m[::-1]
    middle_m = np.mean(paired(left_m, right_m), axis=0)
    return Lane(name, left_m, right_m, middle_m, drivable=_is_drivable(tags))


def _border_m(
    name: str,
    role: str,
    members: list[tuple[str, str]],
    ways: Mapping[str, list[str]],
    nodes: Mapping[str, tuple[float, float] | None],
) -> FloatArray:
    found = [ref for member_role, ref in members if member_role == role]
    if len(found) != 1:
        raise InputError(f"lanelet {name}: expected one way as its {role} border, got {len(found)}")
    places = [nodes.get(ref) for ref in ways.get(found[0], [])]
    known = [place for place in places if place is not None]
    if len(known) < 2 or len(known) < len(places):
        raise InputError(
            f"lanelet {name}: expected way {found[0]} with two nodes or more that have local_x and local_y, "
            f"got {len(known)} such of {len(places)}"
        )
    return np.array(known, np.float64)


def _apart_m(left_m: FloatArray, right_m: FloatArray) -> float:
    """How far the two borders' first and last points are apart, summed."""
    return float(np.hypot(*(left_m[[0, -1]] - right_m[[0, -1]]).T).sum())


def _area_m2(outline_m: FloatArray) -> float:
    """Signed by the shoelace formula: above 0 where the outline (P, 2) runs counter-clockwise."""
    x, y = (outline_m - outline_m[0]).T
    return 0.5 * float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum())


def _is_drivable(tags: Mapping[str, str]) -> bool:
    """Whether vehicles or bicycles may use a lanelet: participants say so where there are any, else the subtype."""
    named = {key.split(":")[1] for key, value in tags.items() if key.startswith("participant:") and value == "yes"}
    return bool(named & {"vehicle", "bicycle"}) if named else tags.get("subtype") not in WALKWAYS
