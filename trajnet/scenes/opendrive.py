"""OpenDRIVE maps (.xodr) by way of pyxodr: reference lines, offsets and widths become the borders of each lane.

Lanes right of the reference line have negative ids and, where traffic keeps right, lead along it; the others lead
against it (ASAM OpenDRIVE 1.7, 8 and 11). Places are those of the file: a header's geoReference and offset are not
applied. Height and superelevation are ignored.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from trajnet.errors import DependencyError, InputError, in_words, install_advice
from trajnet.scenes.rows import require_file
from trajnet.types import FloatArray, Lane

log = logging.getLogger(__name__)

#: Distance of a border's points, m. Borders are off by about a quarter of it times the change of direction in it.
STEP_M = 0.5
#: A longer road is a broken number: its points would not fit into memory.
LONGEST_M = 100_000.0
#: Types of lanes for vehicles and riders, of those that OpenDRIVE knows.
DRIVABLE = frozenset(
    {
        *("driving", "entry", "exit", "onRamp", "offRamp", "connectingRamp", "slipLane", "bidirectional", "HOV", "bus"),
        *("taxi", "biking", "mwyEntry", "mwyExit"),
    }
)
#: Types of lanes for people; all others (shoulders, kerbs, medians, rails) are left out.
WALKWAYS = frozenset({"sidewalk", "walking"})
#: Types whose traffic goes both ways.
BOTH_WAYS = WALKWAYS | {"bidirectional"}


def read_opendrive(path: Path) -> tuple[Lane, ...]:
    """Return the lanes and pavements of a map in the order of the file; unusable ones are left out with a warning.

    A lane's id is road.section.lane. Raises InputError for any other file, and where no lane can be used;
    DependencyError without pyxodr.
    """
    require_file(path)
    try:
        from lxml import etree
        from pyxodr_omega_prime.road_objects.road import Road
    except ImportError as error:
        raise DependencyError(
            f"maps in OpenDRIVE need pyxodr, which is not installed; run: {install_advice('opendrive')}"
        ) from error
    try:
        parser = etree.XMLParser(resolve_entities=False, no_network=True)
        roads = etree.parse(str(path), parser).getroot().findall("road")
    except (etree.XMLSyntaxError, OSError) as error:
        raise InputError(f"{path}: expected a map in OpenDRIVE's XML, got a broken file ({error})") from error
    lanes: list[Lane] = []
    broken: list[str] = []
    for road in roads:
        try:
            _require_length(road)
            lanes += _lanes(Road(road, resolution=STEP_M), broken)
        except Exception as error:  # pyxodr lets whatever a broken road leads to escape
            broken.append(f"road {road.get('id')}: {in_words(error)}")
    if not lanes:
        raise InputError(f"{path}: expected roads with lanes for vehicles or people, got {_reason(roads, broken)}")
    if broken:
        log.warning("%s: left out %d lanes or roads, the first: %s", path, len(broken), broken[0])
    return tuple(lanes)


def _require_length(road: Any) -> None:
    """Raise InputError unless the geometry of a road has a length that a road can have."""
    lengths_m = [float(part.get("length")) for part in road.findall("planView/geometry")]
    if not 0 < sum(lengths_m) <= LONGEST_M or min(lengths_m) < 0:
        raise InputError(f"expected a length above 0 and up to {LONGEST_M:g} m, got {sum(lengths_m):g}")


def _reason(roads: list[Any], broken: list[str]) -> str:
    return f"none of {len(roads)} roads" + (f": {broken[0]}" if broken else "")


def _lanes(road: Any, broken: list[str]) -> Iterator[Lane]:
    """Yield the usable lanes of a road; the others are named in broken."""
    for section in road.lane_sections:
        for lane in section.lanes:
            if lane.type not in DRIVABLE | WALKWAYS:
                continue
            name = f"{road.id}.{section.lane_section_ordinal}.{lane.id}"
            inner_m, outer_m = _plane(lane.lane_reference_line), _plane(lane.boundary_line)
            if not _usable(inner_m, outer_m):
                broken.append(f"lane {name}: its width or its border cannot be computed")
                continue
            left_m, right_m = (inner_m, outer_m) if lane.id < 0 else (outer_m, inner_m)
            if (lane.id < 0) != (road.traffic_orientation.name == "RIGHT"):
                left_m, right_m = right_m[::-1], left_m[::-1]
            drivable, one_way = lane.type in DRIVABLE, lane.type not in BOTH_WAYS
            yield Lane(name, left_m, right_m, 0.5 * (left_m + right_m), drivable=drivable, one_way=one_way)


def _plane(line: Any) -> FloatArray:
    return np.asarray(line, np.float64)[:, :2]


def _usable(inner_m: FloatArray, outer_m: FloatArray) -> bool:
    """Return whether two borders are a lane's: pyxodr gives a few points at the origin where it fails."""
    if len(inner_m) != len(outer_m) or len(inner_m) < 2:
        return False
    finite = np.isfinite(inner_m).all() and np.isfinite(outer_m).all()
    return bool(finite and outer_m.any() and (inner_m != outer_m).any())
