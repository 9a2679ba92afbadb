"""Lanelet2 maps (.osm), with local coordinates or with latitude and longitude, from the standard library's XML reader.

A lanelet is a relation with the tag type=lanelet whose members are one way as its ``left`` and one as its ``right``
border. A way lists nodes; a node's tags local_x and local_y (m, the frame ``map``) give its position; if no node has
them, latitude and longitude do (see map_projection). The order of a border's points has no meaning: the direction of a
lanelet is the one in which its left border is on the left (Lanelet2's documentation, lanelet2_core: LaneletPrimitives
and LaneletAndAreaTagging). Elements that an editor has marked as deleted are ignored.

A map may be a folder of such files, the tiles of one map (Autoware's ``lanelet2_map.osm`` for differential loading).
They share their elements: a border may be in another tile than its lanelet, and what several tiles have counts once.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np

from trajnet.errors import InputError
from trajnet.geometry import paired
from trajnet.scenes.map_projection import PROJECTOR_INFO, projection_of, projection_without_info, read_projector_info
from trajnet.scenes.rows import require_file
from trajnet.types import FloatArray, Lane

log = logging.getLogger(__name__)

#: Subtypes for pedestrians, the last of them Autoware's; a lanelet with another subtype or none is for vehicles.
CROSSWALK = "crosswalk"
WALKWAYS = frozenset({"walkway", "shared_walkway", CROSSWALK, "stairs", "pedestrian_lane"})


def read_lanelet2(path: Path) -> tuple[Lane, ...]:
    """Return the lanelets of a map in the order of the file; broken ones are left out with a warning.

    path: a file, or a folder of tiles, read in the order of their names. Raises InputError if it is no such map, has no
    lanelets, or none that can be used.
    """
    found = _Elements({}, {}, {}, {}, set())
    for tile in _tiles(path):
        _read_elements(tile, found)
    if not found.lanelets:
        raise InputError(f"{path}: expected a Lanelet2 map, got a file without lanelets")
    nodes = found.nodes if any(found.nodes.values()) or not found.nodes else _projected(path, found.degrees)
    lanes, broken = [], []
    for name, (tags, members) in found.lanelets.items():
        try:
            lane = _lane(name, tags, members, found.ways, nodes)
            lanes.append(replace(lane, signal_id=_signal_id(members, found.signals)) if lane.crosswalk else lane)
        except InputError as error:
            broken.append(str(error))
    if not lanes:
        raise InputError(f"{path}: expected lanelets that can be used, got none of {len(broken)}: {broken[0]}")
    if broken:
        count = len(found.lanelets)
        log.warning("%s: %d of %d lanelets left out, the first: %s", path, len(broken), count, broken[0])
    return tuple(lanes)


#: Coordinates of each node by its id; None where the file has none.
Nodes = dict[str, tuple[float, float] | None]


class _Elements(NamedTuple):
    """The elements of a map by id. nodes: local x, y in m. degrees: latitude and longitude. ways: ids of their nodes.

    lanelets: tags, and members as (role, id of a way or of a relation), in the order of the files. signals: ids of the
    regulatory elements that are traffic lights.
    """

    nodes: Nodes
    degrees: Nodes
    ways: dict[str, list[str]]
    lanelets: dict[str, tuple[dict[str, str], list[tuple[str, str]]]]
    signals: set[str]


def _tiles(path: Path) -> list[Path]:
    """Return the files of a map: path itself, or those of a folder by name. Raises InputError where there are none."""
    if not path.is_dir():
        require_file(path)
        return [path]
    tiles = sorted(tile for tile in path.iterdir() if tile.suffix.lower() == ".osm" and tile.is_file())
    if not tiles:
        raise InputError(f"{path}: expected a folder with the .osm tiles of a Lanelet2 map, found none")
    return tiles


def _read_elements(path: Path, found: _Elements) -> None:
    """Add nodes, ways and lanelets, one element of the file at a time. Raises InputError for broken XML."""
    try:
        for _, element in ElementTree.iterparse(path):
            if element.tag in ("node", "way", "relation"):  # their children are read with them
                if not _is_deleted(element):
                    _add(found, element)
                element.clear()
    except (ElementTree.ParseError, OSError, ValueError, LookupError) as error:  # LookupError: an unknown encoding
        raise InputError(f"{path}: expected a Lanelet2 map in OSM's XML, got a broken file ({error})") from error


def _add(found: _Elements, element: ElementTree.Element) -> None:
    name = element.get("id", "")
    if element.tag == "node":
        tags = _tags(element)
        found.nodes[name] = _place(tags.get("local_x"), tags.get("local_y"))
        found.degrees[name] = _place(element.get("lat"), element.get("lon"))
    elif element.tag == "way":
        found.ways[name] = [each.get("ref", "") for each in element.iter("nd")]
    elif (tags := _tags(element)).get("type") == "lanelet":
        members = [(each.get("role", ""), each.get("ref", "")) for each in element.iter("member")]
        found.lanelets[name] = (tags, members)
    elif tags.get("type") == "regulatory_element" and tags.get("subtype") == "traffic_light":
        found.signals.add(name)


def _tags(element: ElementTree.Element) -> dict[str, str]:
    return {each.get("k", ""): each.get("v", "") for each in element.iter("tag")}


def _is_deleted(element: ElementTree.Element) -> bool:
    """Return whether an editor (JOSM) has marked the element as deleted and kept it in the file."""
    return element.get("action") == "delete" or element.get("visible") == "false"


def _place(first: str | None, second: str | None) -> tuple[float, float] | None:
    """Return two coordinates; None unless both are finite numbers."""
    try:
        place = float(first or ""), float(second or "")
    except ValueError:
        return None
    return place if all(map(math.isfinite, place)) else None


def _projected(path: Path, degrees: Nodes) -> Nodes:
    """Return each node's place in the map's frame (m) from its latitude and longitude (deg).

    Raises InputError if no node has any, or if they are out of range.
    """
    known = [(name, place) for name, place in degrees.items() if place is not None]
    if not known:
        raise InputError(
            f"{path}: expected nodes with the tags local_x and local_y, or with lat and lon, got {len(degrees)} "
            "without; save the map with local coordinates, as Autoware's map tools do"
        )
    latitude, longitude = np.array([place for _, place in known]).T
    if np.abs(latitude).max() > 90 or np.abs(longitude).max() > 360:
        raise InputError(f"{path}: expected lat from -90 to 90 and lon from -360 to 360 degrees, got others")
    beside = [path / PROJECTOR_INFO] if path.is_dir() else []
    info = next((each for each in [*beside, path.parent / PROJECTOR_INFO] if each.is_file()), None)
    if info is not None:
        projection = projection_of(read_projector_info(info), info)
    else:
        projection, words = projection_without_info(latitude, longitude)
        log.warning("%s: no local coordinates and no %s beside it: taken as %s", path, PROJECTOR_INFO, words)
    places_m = projection(latitude, longitude).tolist()
    found: Nodes = dict.fromkeys(degrees)
    found.update({name: (x, y) for (name, _), (x, y) in zip(known, places_m, strict=True)})
    return found


def _lane(
    name: str,
    tags: Mapping[str, str],
    members: list[tuple[str, str]],
    ways: Mapping[str, list[str]],
    nodes: Nodes,
) -> Lane:
    return lane_between(name, tags, *(_border_m(name, role, members, ways, nodes) for role in ("left", "right")))


def lane_between(name: str, tags: Mapping[str, str], left_m: FloatArray, right_m: FloatArray) -> Lane:
    """Return the lane between the borders (P, 2) and (Q, 2) of a lanelet; each may run in either direction."""
    if _apart_m(left_m, right_m[::-1]) < _apart_m(left_m, right_m):
        right_m = right_m[::-1]
    if _area_m2(np.concatenate([left_m, right_m[::-1]])) > 0:  # counter-clockwise: the left border is on the right
        left_m, right_m = left_m[::-1], right_m[::-1]
    middle_m = np.mean(paired(left_m, right_m), axis=0)
    both_ways = tags.get("one_way", "yes").lower() in ("no", "false", "0")
    return Lane(
        name, left_m, right_m, middle_m,
        drivable=_is_drivable(tags), one_way=not both_ways, crosswalk=tags.get("subtype") == CROSSWALK,
    )  # fmt: skip


def _signal_id(members: list[tuple[str, str]], signals: set[str]) -> int | None:
    """Return the id of a lanelet's first traffic lights, as Autoware's messages name them; None without any."""
    for role, ref in members:
        if role == "regulatory_element" and ref in signals and ref.lstrip("-").isdigit():
            return int(ref)
    return None


def _border_m(
    name: str,
    role: str,
    members: list[tuple[str, str]],
    ways: Mapping[str, list[str]],
    nodes: Nodes,
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
    """Return the sum of the distances between the two borders' first points and between their last points."""
    return float(np.hypot(*(left_m[[0, -1]] - right_m[[0, -1]]).T).sum())


def _area_m2(outline_m: FloatArray) -> float:
    """Return the signed area of an outline (P, 2) by the shoelace formula: positive if it runs counter-clockwise."""
    x, y = (outline_m - outline_m[0]).T
    return 0.5 * float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum())


def _is_drivable(tags: Mapping[str, str]) -> bool:
    """Return whether vehicles or bicycles may use a lanelet: by its participants if it has any, else by its subtype."""
    named = {key.split(":")[1] for key, value in tags.items() if key.startswith("participant:") and value == "yes"}
    return bool(named & {"vehicle", "bicycle"}) if named else tags.get("subtype") not in WALKWAYS
