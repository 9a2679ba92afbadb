"""The traffic of a street scene: flows along drawn routes, and vehicles that stop on their way.

Deliveries stop beside the lane for a while and go on. Pull-outs stand at the kerb, then join the traffic. Double-parked
vans and buses at stops stand in the lane, and others queue behind them or change lanes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from kerbside import JUNCTION_M, Kerb
from street_layout import Layout, Street, point_at
from sumo_demand import MOTORWAY_MIX, STREET_MIX, VARIANTS, type_distribution

from trajnet.types import ObjectClass

#: Average speed of a vehicle along a street, to estimate its time of arrival.
CRUISE_MPS = 7.0
#: A stop counts as reached this far before its end: with the IDM, vehicles approach it ever more slowly.
REACHED_M = 4.0


@dataclass(frozen=True)
class Stop:
    """A vehicle that stops at at_m along a street, beside the lane or in it, and when it should come and go."""

    name: str
    kind: ObjectClass
    route: tuple[str, ...]
    street: Street
    at_m: float
    depart_s: float
    duration_s: float
    beside_lane: bool
    begins_there: bool


def street_demand(
    rng: np.random.Generator,
    layout: Layout,
    routes: Sequence[Sequence[str]],
    stops: Sequence[Stop],
    *,
    end_s: float,
    vehicles_per_s: float,
    motorway: bool,
) -> str:
    """Return SUMO's route file: vehicles_per_s come in on all routes together, a fifth as many on bicycles in towns."""
    text = type_distribution(rng, "traffic", MOTORWAY_MIX if motorway else STREET_MIX, filtering=True)
    text += type_distribution(rng, "bikes", {ObjectClass.BICYCLE: 1.0}, filtering=True)
    shares = rng.dirichlet(np.full(len(routes), 1.5))
    for i, (route, share) in enumerate(zip(routes, shares, strict=True)):
        text += f'<route id="route_{i}" edges="{" ".join(route)}"/>\n'
        rates = {"traffic": vehicles_per_s * share}
        if not motorway and all("bicycle" in layout.streets[edge].classes for edge in route):
            rates["bikes"] = 0.2 * vehicles_per_s * share
        for name, rate in rates.items():
            text += (
                f'<flow id="{name}_{i}" type="{name}" route="route_{i}" begin="0" end="{end_s}" '
                f'probability="{min(1.0, rate):.5f}" departLane="best" departSpeed="avg" departPos="base"/>\n'
            )
    for stop in sorted(stops, key=lambda stop: stop.depart_s):
        text += _stopping_vehicle(rng, stop)
    return f"<routes>\n{text}</routes>\n"


def _stopping_vehicle(rng: np.random.Generator, stop: Stop) -> str:
    where = 'departPos="stop" departSpeed="0"' if stop.begins_there else 'departPos="base" departSpeed="avg"'
    return (
        f'<vehicle id="{stop.name}" type="{stop.kind.name.lower()}_{rng.integers(VARIANTS[stop.kind])}" '
        f'depart="{stop.depart_s:.1f}" departLane="best" {where}><route edges="{" ".join(stop.route)}"/>'
        f'<stop lane="{stop.street.edge_id}_{stop.street.lane_index}" '
        f'startPos="{stop.at_m - REACHED_M:.1f}" endPos="{stop.at_m:.1f}" '
        f'duration="{stop.duration_s:.1f}" parking="{str(stop.beside_lane).lower()}"/></vehicle>\n'
    )


def draw_stops(
    rng: np.random.Generator,
    layout: Layout,
    routes: Sequence[tuple[str, ...]],
    kerbs: Sequence[Kerb],
    *,
    begin_s: float,
    within_m: float,
) -> list[Stop]:
    """Return the vehicles that stop within within_m of the middle of the scene, which begins at begin_s."""
    kerb_of = {kerb.street.edge_id: kerb for kerb in kerbs}
    places = [
        (route, i)
        for route in routes
        for i, edge in enumerate(route)
        if edge in kerb_of and layout.streets[edge].length_m > 2 * JUNCTION_M + 14
    ]
    beside = [(route, i) for route, i in places if kerb_of[route[i]].style == "parallel"]
    wide = [(route, i) for route, i in places if layout.streets[route[i]].lanes > 1]
    wanted = (
        ("pullout", beside, int(rng.integers(0, 4))),
        ("delivery", beside, int(rng.integers(0, 3))),
        ("doubleparked", wide or places, int(rng.choice([0, 1], p=[0.6, 0.4]))),
        ("busstop", places, int(rng.choice([0, 1, 2], p=[0.6, 0.3, 0.1]))),
    )
    stops: list[Stop] = []
    for name, possible, count in wanted:
        for _ in range(2 * count if possible else 0):
            if sum(stop.name.startswith(name) for stop in stops) == count:
                break
            route, i = possible[int(rng.integers(len(possible)))]
            stop = _draw_stop(rng, f"{name}_{len(stops)}", layout, route, i, begin_s)
            place_m, _ = point_at(stop.street.centre_m, stop.at_m)
            apart = all(stop.street is not s.street or abs(stop.at_m - s.at_m) > 16 for s in stops)
            if apart and np.hypot(*place_m) < within_m:
                stops.append(stop)
    return stops


def _draw_stop(
    rng: np.random.Generator, name: str, layout: Layout, route: tuple[str, ...], index: int, begin_s: float
) -> Stop:
    street = layout.streets[route[index]]
    at_m = float(rng.uniform(JUNCTION_M + 6, street.length_m - JUNCTION_M))
    on_the_way_m = sum(layout.streets[edge].length_m for edge in route[:index]) + at_m
    depart_s = max(0.0, begin_s + float(rng.uniform(-10, 25)) - on_the_way_m / CRUISE_MPS)
    kind, duration_s, beside = {
        "pullout": (ObjectClass.CAR, float(rng.uniform(18, 65)), True),
        "delivery": (ObjectClass.TRUCK if rng.random() < 0.5 else ObjectClass.CAR, float(rng.uniform(8, 40)), True),
        "doubleparked": (ObjectClass.TRUCK, float(rng.uniform(15, 45)), False),
        "busstop": (ObjectClass.BUS, float(rng.uniform(8, 22)), False),
    }[name.split("_")[0]]
    if name.startswith("pullout"):
        return Stop(name, kind, route[index:], street, at_m, begin_s - 15.0, duration_s, beside, True)
    return Stop(name, kind, route, street, at_m, depart_s, duration_s, beside, False)
