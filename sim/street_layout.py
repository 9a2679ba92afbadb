"""The layout of a network for traffic outside of SUMO: its streets, their kerbs, how they join, where cars drive.

Metres, with the middle of the scene at (0, 0): a point of the network minus the scene's centre.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np
import shapely
from town_networks import lets_in, points_of

from trajnet.errors import InputError
from trajnet.types import FloatArray

DEFAULT_WIDTH_M = 3.2
#: SUMO's classes that make a lane part of a street.
ROAD_CLASSES = ("passenger", "truck", "bus", "motorcycle", "bicycle")


@dataclass(frozen=True, eq=False)
class Street:
    """One edge of the network that cars may use, one way.

    centre_m (P, 2), width_m: middle and width of its rightmost lane for cars. lane_index: SUMO's number of that lane.
    lanes: number of lanes for cars. kerb_m (P, 2): the right border of the rightmost lane that is no pavement, in the
    direction of travel.
    """

    edge_id: str
    start: str
    end: str
    centre_m: FloatArray
    width_m: float
    kerb_m: FloatArray
    lanes: int
    lane_index: int
    limit_mps: float
    classes: frozenset[str]

    @property
    def length_m(self) -> float:
        return length_m(self.centre_m)


@dataclass(frozen=True, eq=False)
class Layout:
    """The layout of a network.

    streets: by edge id. follows: the edges that follow each edge. rings: the edges of each roundabout. drivable: the
    area in which vehicles drive, junctions too.
    """

    streets: dict[str, Street]
    follows: dict[str, tuple[str, ...]]
    rings: tuple[tuple[str, ...], ...]
    drivable: shapely.Geometry

    def near(self, radius_m: float) -> list[Street]:
        """Return the streets of which a point lies within radius_m of the middle, in order of id."""
        return [s for _, s in sorted(self.streets.items()) if np.hypot(*s.centre_m.T).min() <= radius_m]

    def is_turnaround(self, first: str, second: str) -> bool:
        """Return whether the second edge leads back along the first."""
        a, b = self.streets[first], self.streets[second]
        return a.start == b.end and a.end == b.start


def length_m(line_m: FloatArray) -> float:
    """Return the length of a line (P, 2)."""
    return float(np.hypot(*np.diff(line_m, axis=0).T).sum())


def offset_line(line_m: FloatArray, left_m: float | FloatArray) -> FloatArray:
    """Return a line (P, 2) moved to its left by left_m, a number or (P,)."""
    along = np.gradient(line_m, axis=0)
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1) / np.maximum(np.hypot(*along.T), 1e-9)[:, None]
    moved: FloatArray = line_m + np.broadcast_to(np.asarray(left_m, np.float64), len(line_m))[:, None] * normal
    return moved


def point_at(line_m: FloatArray, at_m: float | FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the points (..., 2) and headings (...) at distances at_m (...) along a line (P, 2)."""
    step_m = np.hypot(*np.diff(line_m, axis=0).T)
    along_m = np.append(0.0, np.cumsum(step_m))
    at = np.clip(np.asarray(at_m, np.float64), 0.0, along_m[-1])
    piece = np.clip(np.searchsorted(along_m, at, side="right") - 1, 0, len(step_m) - 1)
    share = (at - along_m[piece]) / np.maximum(step_m[piece], 1e-9)
    delta_m = line_m[piece + 1] - line_m[piece]
    heading: FloatArray = np.arctan2(delta_m[..., 1], delta_m[..., 0])
    return line_m[piece] + share[..., None] * delta_m, heading


def read_layout(root: ElementTree.Element, centre_m: FloatArray, radius_m: float) -> Layout:
    """Return the layout within radius_m of centre_m (2,). Raises InputError if no street lies there."""
    streets: dict[str, Street] = {}
    areas: list[shapely.Geometry] = []
    for edge in root.iter("edge"):
        lanes = [lane for lane in edge.iter("lane") if any(lets_in(lane, name) for name in ROAD_CLASSES)]
        lines = [points_of(lane) - centre_m for lane in lanes]
        if not lines or min(np.hypot(*line.T).min() for line in lines) > radius_m:
            continue
        areas += [_area(line, _width_m(lane)) for lane, line in zip(lanes, lines, strict=True) if len(line) > 1]
        street = _street(edge, lanes, lines) if edge.get("function") is None else None
        if street is not None:
            streets[street.edge_id] = street
    if not streets:
        raise InputError(
            f"network: expected a street within {radius_m:.0f} m of {centre_m.round(1).tolist()}, found none"
        )
    rings = tuple(tuple(ring.get("edges", "").split()) for ring in root.iter("roundabout"))
    whole = tuple(ring for ring in rings if ring and all(edge in streets for edge in ring))
    drivable = shapely.unary_union(areas)
    shapely.prepare(drivable)
    return Layout(streets, _follows(root, streets), whole, drivable)


def _width_m(lane: ElementTree.Element) -> float:
    return float(lane.get("width", DEFAULT_WIDTH_M))


def _area(line_m: FloatArray, width_m: float) -> shapely.Geometry:
    return shapely.buffer(shapely.LineString(line_m), width_m / 2, cap_style="flat", join_style="mitre")


def _street(edge: ElementTree.Element, lanes: list[ElementTree.Element], lines: list[FloatArray]) -> Street | None:
    """Return the street of an edge, its lanes from right to left; None if cars may not use it or it is a point."""
    for_cars = [i for i, lane in enumerate(lanes) if lets_in(lane, "passenger")]
    if not for_cars or min(len(lines[0]), len(lines[for_cars[0]])) < 2:
        return None
    first = for_cars[0]
    classes = frozenset(n for n in ROAD_CLASSES if any(lets_in(lane, n) for lane in lanes))
    return Street(
        edge.get("id", ""), edge.get("from", ""), edge.get("to", ""), lines[first], _width_m(lanes[first]),
        offset_line(lines[0], -_width_m(lanes[0]) / 2), len(for_cars), int(lanes[first].get("index", 0)),
        float(lanes[first].get("speed", 13.89)), classes,
    )  # fmt: skip


def _follows(root: ElementTree.Element, streets: dict[str, Street]) -> dict[str, tuple[str, ...]]:
    found: dict[str, set[str]] = {edge: set() for edge in streets}
    for connection in root.iter("connection"):
        first, second = connection.get("from", ""), connection.get("to", "")
        if first in streets and second in streets:
            found[first].add(second)
    return {edge: tuple(sorted(after)) for edge, after in found.items()}


def busy_points(root: ElementTree.Element) -> FloatArray:
    """Return the junctions (J, 2) at which three streets or more end; if there are none, all junctions."""
    ends: dict[str, int] = {}
    for edge in root.iter("edge"):
        if edge.get("function") is None and any(lets_in(lane, "passenger") for lane in edge.iter("lane")):
            ends[edge.get("to", "")] = ends.get(edge.get("to", ""), 0) + 1
    junctions = [j for j in root.iter("junction") if j.get("id") in ends]
    busy = [j for j in junctions if ends[j.get("id", "")] >= 3] or junctions
    points: FloatArray = np.array([[float(j.get("x", 0)), float(j.get("y", 0))] for j in busy]).reshape(-1, 2)
    return points


def entries_and_exits(layout: Layout) -> tuple[list[str], list[str]]:
    """Return the edges at which traffic comes in, and those at which it goes out.

    They are the edges that no other edge precedes, or follows, except by turning round.
    """
    before: dict[str, list[str]] = {edge: [] for edge in layout.streets}
    for edge, after in layout.follows.items():
        for other in after:
            before[other].append(edge)
    entries = [e for e in sorted(before) if all(layout.is_turnaround(b, e) for b in before[e])]
    exits = [e for e in sorted(layout.follows) if all(layout.is_turnaround(e, a) for a in layout.follows[e])]
    return entries, exits


def shortest_route(layout: Layout, start: str, end: str, weight: dict[str, float]) -> list[str] | None:
    """Return the edges of the shortest way from start to end by summed weight, without turning round; None: no way."""
    queue: list[tuple[float, str]] = [(0.0, start)]
    cost, parent = {start: 0.0}, {start: ""}
    while queue:
        so_far, edge = heapq.heappop(queue)
        if edge == end:
            return _back(parent, end)
        if so_far > cost[edge]:
            continue
        for after in layout.follows[edge]:
            total = so_far + weight[after]
            if total < cost.get(after, np.inf) and not layout.is_turnaround(edge, after):
                cost[after], parent[after] = total, edge
                heapq.heappush(queue, (total, after))
    return None


def _back(parent: dict[str, str], end: str) -> list[str]:
    route = [end]
    while parent[route[-1]]:
        route.append(parent[route[-1]])
    return route[::-1]


def draw_routes(rng: np.random.Generator, layout: Layout, *, count: int, within_m: float) -> list[tuple[str, ...]]:
    """Return up to count different routes that pass within within_m of the middle.

    Some have extra laps on a roundabout.
    Raises InputError if there is none.
    """
    entries, exits = entries_and_exits(layout)
    if not entries or not exits:
        entries = exits = sorted(layout.streets)
    central = {street.edge_id for street in layout.near(within_m)}
    routes: dict[tuple[str, ...], None] = {}
    for _ in range(20 * count):
        weight = {e: s.length_m * float(rng.lognormal(0.0, 0.4)) for e, s in layout.streets.items()}
        route = shortest_route(layout, str(rng.choice(entries)), str(rng.choice(exits)), weight)
        if route is not None and len(route) > 1 and central & set(route):
            routes.setdefault(with_lap(rng, route, layout))
        if len(routes) == count:
            break
    if not routes:
        raise InputError("network: expected a route past the middle of the scene, found none")
    return list(routes)


def with_lap(rng: np.random.Generator, route: Sequence[str], layout: Layout) -> tuple[str, ...]:
    """Return the route, in one of three cases with one or two extra laps on the first roundabout that it uses."""
    laps = int(rng.choice([0, 0, 0, 0, 1, 2]))
    for ring in layout.rings:
        first = next((i for i, edge in enumerate(route) if edge in ring), None)
        if laps and first is not None:
            return (*route[:first], *(laps * lap_from(route[first], ring, layout)), *route[first:])
    return tuple(route)


def lap_from(edge: str, ring: Sequence[str], layout: Layout) -> list[str]:
    """Return the edges of a ring in order of travel, from one of them on; none if the ring is not closed."""
    lap = [edge]
    while len(lap) <= len(ring):
        after = next((e for e in layout.follows[lap[-1]] if e in ring), None)
        if after == edge:
            return lap
        if after is None:
            break
        lap.append(after)
    return []
