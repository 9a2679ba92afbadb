"""Parked vehicles beside the street: rows of cars at the kerb, bays, car parks.

SUMO has only lanes; a parked car stands outside of them. Lateral distances are measured from the kerb line, the right
border of the rightmost lane, to its right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from street_layout import Layout, Street, length_m, point_at
from sumo_demand import SIZES_M

from trajnet.geometry import rotate
from trajnet.types import FloatArray, ObjectClass

#: Styles of parking beside a street and their shares. none: no parking. straddling: partly in the lane.
STYLES: dict[str, float] = {
    "none": 0.28,
    "parallel": 0.4,
    "straddling": 0.1,
    "perpendicular": 0.11,
    "angled": 0.11,
}
#: Length at either end of a street, where it meets others, without parked cars.
JUNCTION_M = 8.0
SHORTEST_ROW_M = 10.0
FASTEST_WITH_PARKING_MPS = 17.0
#: From the kerb line to the side of a parked vehicle.
KERB_GAP_M = (0.1, 0.45)
#: From the kerb line to the other side of one that stands partly in the lane.
IN_LANE_M = (0.2, 0.6)
FASTEST_STRADDLED_MPS = 14.0
YAW_SCATTER_RAD = np.deg2rad(2.0)
AGAINST_TRAFFIC = 0.12
PARKED_MIX: dict[ObjectClass, float] = {
    ObjectClass.CAR: 0.91,
    ObjectClass.TRUCK: 0.04,
    ObjectClass.MOTORCYCLE: 0.05,
}
#: Depth of the parked row, beyond which the pavement begins.
DEPTH_M = {"none": 0.0, "parallel": 2.4, "straddling": 1.9, "perpendicular": 5.4, "angled": 5.6}


@dataclass(frozen=True, eq=False)
class Kerb:
    """The right side of a street: its style of parking (STYLES), the angle of the cars to it, and how full it is."""

    street: Street
    style: str
    angle_rad: float
    occupancy: float

    @property
    def depth_m(self) -> float:
        return DEPTH_M[self.style]


@dataclass(frozen=True, eq=False)
class Parked:
    """One object that stands still during the whole scene: kind, length and width, middle (2,), yaw.

    straddles: whether it stands partly in a lane.
    """

    kind: ObjectClass
    size_m: tuple[float, float]
    position_m: FloatArray
    yaw_rad: float
    straddles: bool = False

    def box(self) -> shapely.Geometry:
        return boxes(self.position_m[None], np.array([self.yaw_rad]), np.array([self.size_m]))[0]


def boxes(position_m: FloatArray, yaw_rad: FloatArray, size_m: FloatArray) -> shapely.Geometry:
    """Return the outlines (N,) of objects: position_m (N, 2), yaw_rad (N,), size_m (N, 2) length and width."""
    corners = np.array([[1, 1], [1, -1], [-1, -1], [-1, 1]]) * 0.5 * size_m[:, None]
    return shapely.polygons(position_m[:, None] + rotate(corners, yaw_rad[:, None]))


def draw_kerbs(rng: np.random.Generator, layout: Layout, radius_m: float) -> list[Kerb]:
    """Return the kerbs of the streets within radius_m; there is no parking on fast streets and on roundabouts."""
    on_ring = {edge for ring in layout.rings for edge in ring}
    kerbs = []
    for street in layout.near(radius_m):
        style = str(rng.choice(list(STYLES), p=list(STYLES.values())))
        angle_rad = {"perpendicular": np.pi / 2, "angled": np.deg2rad(rng.uniform(40, 65))}.get(style, 0.0)
        occupancy = float(rng.uniform(0.3, 0.95))
        long_enough = length_m(street.kerb_m) > 2 * JUNCTION_M + SHORTEST_ROW_M
        if not long_enough or street.limit_mps > FASTEST_WITH_PARKING_MPS or street.edge_id in on_ring:
            style = "none"
        if style == "straddling" and (street.lanes > 1 or street.limit_mps > FASTEST_STRADDLED_MPS):
            style = "parallel"
        kerbs.append(Kerb(street, style, angle_rad, occupancy))
    return kerbs


def draw_size(rng: np.random.Generator, kind: ObjectClass) -> tuple[float, float]:
    """Return a length and width of the class in m."""
    (shortest, longest), (narrowest, widest) = SIZES_M[kind]
    if kind == ObjectClass.TRUCK:
        longest = 7.5  # what parks at a kerb is a van
    return round(float(rng.uniform(shortest, longest)), 2), round(float(rng.uniform(narrowest, widest)), 2)


def row_of(rng: np.random.Generator, kerb: Kerb, kept_free_m: list[tuple[float, float]]) -> list[Parked]:
    """Return the parked objects at a kerb from its beginning to its end, except on the stretches kept free."""
    if kerb.style == "none":
        return []
    row: list[Parked] = []
    at_m = JUNCTION_M
    end_m = length_m(kerb.street.kerb_m) - JUNCTION_M
    while True:
        kind = ObjectClass(int(rng.choice([int(k) for k in PARKED_MIX], p=list(PARKED_MIX.values()))))
        size_m = draw_size(rng, kind)
        along_m = size_m[0] * np.cos(kerb.angle_rad) + size_m[1] * np.sin(kerb.angle_rad)
        if at_m + along_m > end_m:
            return row
        middle_m = at_m + along_m / 2
        in_the_way = any(low < at_m + along_m and at_m < high for low, high in kept_free_m)
        if rng.random() < kerb.occupancy and not in_the_way:
            row.append(parked_at(rng, kerb, middle_m, kind, size_m))
        at_m += along_m + float(rng.uniform(0.5, 1.5))


def parked_at(
    rng: np.random.Generator, kerb: Kerb, at_m: float, kind: ObjectClass, size_m: tuple[float, float]
) -> Parked:
    """Return an object at a kerb, its nearest corner KERB_GAP_M off the lane, with a few degrees of scatter.

    If it straddles the kerb line, that corner is IN_LANE_M within the lane.
    """
    straddles = kerb.style == "straddling"
    gap_m = -float(rng.uniform(*IN_LANE_M)) if straddles else float(rng.uniform(*KERB_GAP_M))
    angle_rad = kerb.angle_rad + float(rng.normal(0.0, YAW_SCATTER_RAD))
    across_m = size_m[0] * abs(np.sin(angle_rad)) + size_m[1] * abs(np.cos(angle_rad))
    point_m, heading = point_at(kerb.street.kerb_m, at_m)
    right = np.array([np.sin(heading), -np.cos(heading)])
    turned = rng.random() < (AGAINST_TRAFFIC if kerb.angle_rad == 0.0 else 0.3)
    yaw_rad = float(heading) - angle_rad + (np.pi if turned else 0.0)
    return Parked(kind, size_m, point_m + (gap_m + across_m / 2) * right, yaw_rad, straddles)


def car_park(rng: np.random.Generator, layout: Layout, radius_m: float) -> list[Parked]:
    """Return the cars of a car park off the street: two rows that face each other over an aisle. May be empty."""
    streets = [street for street in layout.near(radius_m) if street.length_m > 20]
    if not streets:
        return []
    street = streets[int(rng.integers(len(streets)))]
    point_m, heading = point_at(street.kerb_m, float(rng.uniform(0.3, 0.7)) * street.length_m)
    aside_m, columns, aisle_m = float(rng.uniform(14, 24)), int(rng.integers(3, 9)), float(rng.uniform(5.5, 7.0))
    turn = float(heading) + float(rng.normal(0, 0.15))
    cars = []
    for column in range(columns):
        for side in (-1, 1):
            if rng.random() < 0.35:
                continue
            size_m = draw_size(rng, ObjectClass.CAR)
            own_m = np.array([2.6 * column, -aside_m + side * (aisle_m + size_m[0]) / 2]) + rng.normal(0, 0.1, 2)
            yaw_rad = turn + float(rng.choice([-1, 1])) * np.pi / 2 + float(rng.normal(0, YAW_SCATTER_RAD))
            cars.append(Parked(ObjectClass.CAR, size_m, point_m + rotate(own_m, np.asarray(turn)), yaw_rad))
    return cars


def clear_of_traffic(parked: list[Parked], layout: Layout, moving: list[shapely.Geometry]) -> list[Parked]:
    """Return the parked objects that overlap no lane, no other parked object and no moving vehicle at any time.

    Those that straddle the border of a lane may overlap it.
    """
    tree = shapely.STRtree(moving)
    kept: list[Parked] = []
    kept_boxes: list[shapely.Geometry] = []
    for candidate in parked:
        box = candidate.box()
        in_lane = not candidate.straddles and layout.drivable.intersects(shapely.buffer(box, -0.05))
        if in_lane or len(tree.query(box, predicate="intersects")) or any(box.intersects(b) for b in kept_boxes):
            continue
        kept.append(candidate)
        kept_boxes.append(box)
    return kept


def thinned(rng: np.random.Generator, parked: list[Parked], most: int) -> list[Parked]:
    """Return at most ``most``: the nearest ones to a point drawn near the middle, so that rows stay complete."""
    if len(parked) <= most:
        return parked
    middle_m = rng.normal(0.0, 25.0, 2)
    far_m = [float(np.hypot(*(p.position_m - middle_m))) for p in parked]
    order = sorted(np.argsort(far_m, kind="stable")[:most].tolist())
    return [parked[i] for i in order]
