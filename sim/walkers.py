"""People on foot, and on bicycles on the pavement: they stroll, wait, stand in groups, cross anywhere when it is clear.

A walker follows a way, a line along the pavements and across the street, and waits at its kerb until the vehicles leave
room. Vehicles do not wait for walkers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from kerbside import Kerb
from street_layout import Layout, length_m, offset_line, point_at
from sumo_demand import SIZES_M
from sumo_recording import STEP_S, Track, gaussian

from trajnet.geometry import rotate
from trajnet.types import BoolArray, FloatArray, ObjectClass

#: Distance (m) that a walker keeps from the boxes of vehicles, now and for the next CLEAR_S seconds.
CLEAR_M = 2.0
CLEAR_S = 1.5
#: Highest lateral acceleration in the bends of a way, and the deceleration before them.
BEND_MPS2 = 1.5
BRAKING_MPS2 = 1.0
#: Distance (m) that the middle of a walker keeps from lanes and parked vehicles.
PASSING_M = 0.4
#: A pavement continues in another one that begins within this distance.
NEXT_PAVEMENT_M = 16.0
WIDEST_STREET_M = 22.0
#: Walking speeds (m/s) and their shares: slow, usual, brisk, running.
PACES = ((0.7, 0.12, 0.15), (1.25, 0.18, 0.6), (1.6, 0.15, 0.18), (2.9, 0.3, 0.07))


@dataclass(frozen=True, eq=False)
class Traffic:
    """The boxes of all vehicles by frame: middle (V, 2), yaw (V,), half of length and width (V, 2)."""

    position_m: list[FloatArray]
    yaw_rad: list[FloatArray]
    half_m: list[FloatArray]

    @classmethod
    def of(cls, tracks: Sequence[Track], frames: int) -> Traffic:
        frame = np.concatenate([t.frame for t in tracks] or [np.zeros(0, np.int64)])
        position = np.concatenate([t.position_m for t in tracks] or [np.zeros((0, 2))])
        yaw = np.concatenate([t.yaw_rad for t in tracks] or [np.zeros(0)])
        half = np.concatenate(
            [np.tile(np.array(t.size_m) / 2, (len(t.frame), 1)) for t in tracks] or [np.zeros((0, 2))]
        )
        order = np.argsort(frame, kind="stable")
        bounds = np.searchsorted(frame[order], np.arange(frames + 1))
        rows = [order[bounds[i] : bounds[i + 1]] for i in range(frames)]
        return cls([position[r] for r in rows], [yaw[r] for r in rows], [half[r] for r in rows])

    def gap_m(self, frame: int, point_m: FloatArray) -> float:
        """Return the distance from a point (2,) to the nearest box in a frame."""
        if not 0 <= frame < len(self.position_m) or not len(self.position_m[frame]):
            return np.inf
        own_m = np.abs(rotate(point_m - self.position_m[frame], -self.yaw_rad[frame]))
        return float(np.hypot(*np.maximum(own_m - self.half_m[frame], 0.0).T).min())

    def is_clear(self, frame: int, point_m: FloatArray) -> bool:
        ahead = range(frame, frame + round(CLEAR_S / STEP_S) + 1, 5)
        return all(self.gap_m(f, point_m) > CLEAR_M for f in ahead)


def pavements(
    rng: np.random.Generator, kerbs: Sequence[Kerb], layout: Layout, parked: shapely.Geometry
) -> list[FloatArray]:
    """Return the middle lines (P, 2) of the pavements, beyond the parked row, away from lanes and parked cars."""
    lines = []
    for kerb in kerbs:
        if kerb.street.limit_mps > 20.0 or length_m(kerb.street.kerb_m) < 6.0:
            continue
        line_m = _evenly(
            offset_line(_evenly(kerb.street.kerb_m, 4.0), -(kerb.depth_m + float(rng.uniform(1.0, 2.0)))), 2.0
        )
        points = shapely.points(line_m)
        free = (_away_m(layout.drivable, points) > PASSING_M) & (_away_m(parked, points) > PASSING_M)
        for part in np.split(np.arange(len(line_m)), np.flatnonzero(~free)):
            part = part[free[part]]
            if len(part) > 4:
                lines.append(line_m[part])
    return lines


def _away_m(area: shapely.Geometry, others: Any) -> FloatArray:
    """Return the distances from an area to other shapes; infinity if the area is empty."""
    distance_m: FloatArray = np.nan_to_num(np.asarray(shapely.distance(area, others), np.float64), nan=np.inf)
    return distance_m


def _evenly(line_m: FloatArray, step_m: float) -> FloatArray:
    """Return a line with points every step_m or less along it."""
    count = max(2, int(np.ceil(length_m(line_m) / step_m)) + 1)
    points_m, _ = point_at(line_m, np.linspace(0.0, length_m(line_m), count))
    return points_m


def draw_way(
    rng: np.random.Generator,
    lines: Sequence[FloatArray],
    layout: Layout,
    parked: shapely.Geometry,
    at_least_m: float,
) -> FloatArray:
    """Return a way (P, 2) of at_least_m from a point on a pavement: along it, into the next, back, or across."""
    index = int(rng.integers(len(lines)))
    line_m = lines[index] if rng.random() < 0.5 else lines[index][::-1]
    start = int(rng.integers(max(1, len(line_m) - 2)))
    way = [line_m[start:]]
    if rng.random() < 0.3:
        crossed = _crossing(rng, way[-1], lines, layout, parked)
        way = crossed if crossed is not None else way
    while sum(map(length_m, way)) < at_least_m:
        way.append(_onwards(rng, way[-1][-1], lines))
    return _rounded(np.concatenate(way))


def _onwards(rng: np.random.Generator, end_m: FloatArray, lines: Sequence[FloatArray]) -> FloatArray:
    """Return the pavement that begins next to where another ends, or one to turn round on."""
    both = [line for line_m in lines for line in (line_m, line_m[::-1])]
    near = [line for line in both if 0.5 < np.hypot(*(line[0] - end_m)) < NEXT_PAVEMENT_M]
    if near and rng.random() < 0.9:
        return near[int(rng.integers(len(near)))]
    nearest: FloatArray = min(both, key=lambda line: float(np.hypot(*(line[0] - end_m))))
    return nearest


def _crossing(
    rng: np.random.Generator,
    line_m: FloatArray,
    lines: Sequence[FloatArray],
    layout: Layout,
    parked: shapely.Geometry,
) -> list[FloatArray] | None:
    """Return the line up to a point drawn on it, then what follows on the pavement over the street.

    None if there is no pavement opposite, or a parked object is in the way.
    """
    if len(line_m) < 3:
        return None
    at = int(rng.integers(1, len(line_m) - 1))
    own = line_m[at] - line_m[at - 1]
    options = []
    for other in lines:
        far_m = np.hypot(*(other - line_m[at]).T)
        nearest = int(far_m.argmin())
        over = other[nearest] - line_m[at]
        straight = abs(float(over @ own)) < 0.5 * float(np.hypot(*over) * np.hypot(*own))
        way = shapely.LineString([line_m[at], other[nearest]])
        crosses = layout.drivable.intersects(way) and float(_away_m(parked, way)) > PASSING_M
        if 3.0 < far_m[nearest] < WIDEST_STREET_M and straight and crosses and 2 < nearest < len(other) - 3:
            options.append((other, nearest))
    if not options:
        return None
    other, nearest = options[int(rng.integers(len(options)))]
    shift = int(np.clip(nearest + rng.integers(-2, 3), 1, len(other) - 2))
    return [line_m[:at], other[shift:] if rng.random() < 0.5 else other[: shift + 1][::-1]]


def _rounded(way_m: FloatArray) -> FloatArray:
    """Return the way with a point every 0.5 m and its corners cut within a metre."""
    even_m = _evenly(way_m, 0.5)
    return gaussian(even_m, 2 * STEP_S)  # two steps: 1 m


def walk(
    rng: np.random.Generator, way_m: FloatArray, layout: Layout, traffic: Traffic, frames: int, pace_mps: float
) -> tuple[FloatArray, FloatArray]:
    """Return positions (frames, 2) and yaws (frames,) of a walker along a way.

    It changes its speed a little, pauses now and then, and waits at the kerb until its whole crossing is clear.
    """
    on_road = shapely.contains_xy(layout.drivable, way_m[:, 0], way_m[:, 1])
    bend_mps = bend_speeds(way_m)
    step_m = length_m(way_m) / (len(way_m) - 1)
    pauses = rng.random() < 0.2
    at_m, speed_mps, pause_s = 0.0, pace_mps, 0.0
    along_m = np.empty(frames)
    for frame in range(frames):
        along_m[frame] = at_m
        if pauses and pause_s <= 0 and rng.random() < 0.004:
            pause_s = float(rng.uniform(1.0, 8.0))
        wanted_mps = pace_mps * (1.0 + 0.1 * np.sin(0.21 * frame * STEP_S + pace_mps * 50))
        here = int(at_m / step_m)
        if pause_s > 0 and not on_road[min(here, len(way_m) - 1)]:
            wanted_mps, pause_s = 0.0, pause_s - STEP_S
        elif _must_wait(way_m, on_road, here, step_m, pace_mps, traffic, frame):
            wanted_mps = 0.0
        wanted_mps = min(wanted_mps, bend_mps[min(here, len(way_m) - 1)])
        speed_mps += float(np.clip(wanted_mps - speed_mps, -2.5 * STEP_S, 1.2 * STEP_S))
        at_m = min(at_m + max(speed_mps, 0.0) * STEP_S, length_m(way_m) - 0.01)
    position_m, yaw_rad = point_at(way_m, along_m)
    return position_m, yaw_rad


def bend_speeds(way_m: FloatArray) -> list[float]:
    """Return at each point of a way (P, 2) the speed in m/s at which its bends ahead can be walked or ridden."""
    step_m = np.diff(way_m, axis=0)
    heading = np.unwrap(np.arctan2(step_m[:, 1], step_m[:, 0]))
    apart_m = np.maximum(np.hypot(*step_m.T), 1e-3)
    turn_per_m = np.abs(np.convolve(np.diff(heading, append=heading[-1:]), np.full(4, 0.25), mode="same")) / apart_m
    speeds = np.append(np.sqrt(BEND_MPS2 / np.maximum(turn_per_m, 1e-3)), np.inf).tolist()
    for i in range(len(speeds) - 2, -1, -1):
        speeds[i] = min(speeds[i], float(np.sqrt(speeds[i + 1] ** 2 + 2 * BRAKING_MPS2 * apart_m[i])))
    return speeds


def _must_wait(
    way_m: FloatArray, on_road: BoolArray, here: int, step_m: float, pace_mps: float, traffic: Traffic, frame: int
) -> bool:
    """Return whether the road begins within a braking distance and the way over it is not clear."""
    reach = int(np.ceil((0.4 + 0.25 * pace_mps**2) / step_m)) + 1
    if here >= len(on_road) - 1 or on_road[here] or not on_road[here : here + reach].any():
        return False
    first = here + int(on_road[here:].argmax())
    rest = ~on_road[first:]
    last = first + int(rest.argmax()) if rest.any() else len(on_road) - 1
    points = range(first, last + 1, 2)
    wait_s = [(i - here) * step_m / pace_mps for i in points]
    return not all(traffic.is_clear(frame + round(s / STEP_S), way_m[i]) for s, i in zip(wait_s, points, strict=True))


def draw_pace(rng: np.random.Generator) -> float:
    """Return a walking speed in m/s."""
    mean, spread, _ = PACES[int(rng.choice(len(PACES), p=[share for _, _, share in PACES]))]
    return float(np.clip(rng.normal(mean, spread), 0.4, 4.0))


def walkers(
    rng: np.random.Generator,
    lines: Sequence[FloatArray],
    layout: Layout,
    vehicles: Sequence[Track],
    parked: shapely.Geometry,
    *,
    frames: int,
    count: int,
) -> list[Track]:
    """Return about count people in a scene of these frames: alone or together, walking or standing; a few ride."""
    if not lines:
        return []
    traffic = Traffic.of(vehicles, frames)
    tracks: list[Track] = []
    while len(tracks) < count:
        kind = rng.choice(["alone", "together", "standing", "group", "rider"], p=[0.56, 0.22, 0.09, 0.07, 0.06])
        if kind in ("standing", "group"):
            tracks += _standing(rng, lines, frames, 1 if kind == "standing" else int(rng.integers(2, 6)))
        else:
            riding = kind == "rider"
            pace_mps = float(rng.uniform(2.5, 5.0)) if riding else draw_pace(rng)
            way_m = draw_way(rng, lines, layout, parked, pace_mps * frames * STEP_S)
            place_m, yaw_rad = walk(rng, way_m, layout, traffic, frames, pace_mps)
            members = int(rng.integers(2, 4)) if kind == "together" else 1
            tracks += _company(
                rng, place_m, yaw_rad, members, ObjectClass.BICYCLE if riding else ObjectClass.PEDESTRIAN
            )
    return tracks


def _company(
    rng: np.random.Generator, position_m: FloatArray, yaw_rad: FloatArray, members: int, kind: ObjectClass
) -> list[Track]:
    """Return walkers side by side along one way, for all of its frames or from and to some door."""
    frames = len(position_m)
    first = 0 if rng.random() < 0.6 else int(rng.integers(frames // 2))  # comes out of a door
    last = frames if rng.random() < 0.7 else int(rng.integers(first + 30, frames + 1))
    time_s: FloatArray = STEP_S * np.arange(frames, dtype=np.float64)
    found = []
    for member in range(members):
        aside_m = 0.8 * member + float(rng.uniform(-0.1, 0.1)) + _wander(rng, time_s, 0.06)
        back_m = float(rng.uniform(-0.3, 0.3)) + _wander(rng, time_s, 0.1)
        own_m = np.stack([back_m, aside_m - 0.4 * (members - 1)], axis=1)
        place_m = gaussian(position_m + rotate(own_m, gaussian(np.unwrap(yaw_rad)[:, None], 0.8)[:, 0]), 0.3)
        found.append(_track(rng, place_m, first, last, kind))
    return found


def _wander(rng: np.random.Generator, time_s: FloatArray, size_m: float) -> FloatArray:
    """Return a slow sway (F,) about 0 of about this size: two sines."""
    period_s, phase = rng.uniform(5, 20, 2), rng.uniform(0, 2 * np.pi, 2)
    sway: FloatArray = size_m * np.sin(2 * np.pi * time_s[:, None] / period_s + phase).sum(axis=1)
    return sway


def _track(rng: np.random.Generator, place_m: FloatArray, first: int, last: int, kind: ObjectClass) -> Track:
    """Return the part from frame first up to last of a walker's way; its yaw is where it goes, held while it stands."""
    velocity_mps = np.gradient(place_m, STEP_S, axis=0)
    moves = np.hypot(*velocity_mps.T) > 0.25
    held = np.maximum.accumulate(np.where(moves, np.arange(len(moves)), -1))
    at = np.where(held < 0, int(moves.argmax()), held)
    heading = np.arctan2(velocity_mps[:, 1], velocity_mps[:, 0])[at]
    yaw_rad = gaussian(np.unwrap(heading)[:, None], 0.4)[:, 0]
    (shortest, longest), (narrowest, widest) = SIZES_M[kind]
    size_m = (round(float(rng.uniform(shortest, longest)), 2), round(float(rng.uniform(narrowest, widest)), 2))
    return Track(kind, size_m, np.arange(first, last), place_m[first:last], yaw_rad[first:last])


def _standing(rng: np.random.Generator, lines: Sequence[FloatArray], frames: int, members: int) -> list[Track]:
    """Return people who stand on a pavement, a group in a circle that faces its middle; they shift a little."""
    line_m = lines[int(rng.integers(len(lines)))]
    middle_m, heading = point_at(line_m, float(rng.uniform(0.0, length_m(line_m))))
    time_s: FloatArray = STEP_S * np.arange(frames, dtype=np.float64)
    found = []
    turn = float(rng.uniform(0, 2 * np.pi))
    for member in range(members):
        angle = turn + 2 * np.pi * member / members + float(rng.normal(0, 0.2))
        away_m = 0.0 if members == 1 else 0.25 + 0.17 * members
        sway_m = np.stack([_wander(rng, time_s, 0.02), _wander(rng, time_s, 0.02)], axis=1)
        spot_m = middle_m + away_m * np.array([np.cos(angle), np.sin(angle)]) + sway_m
        faces = float(heading) + float(rng.choice([np.pi / 2, -np.pi / 2, 0.0])) if members == 1 else angle + np.pi
        yaw_rad = faces + float(rng.normal(0, 0.2)) + 0.1 * _wander(rng, time_s, 1.0)
        walker = _track(rng, spot_m, 0, frames, ObjectClass.PEDESTRIAN)
        found.append(Track(walker.kind, walker.size_m, walker.frame, spot_m, yaw_rad))
    return found
