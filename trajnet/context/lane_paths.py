"""Along the lanes of a map: the lane under many poses at once, and where it leads after some distance.

Centre lines become points with a successor each. A table says where 1, 2, 4, ... points lead and how far that is, so
that following a lane over any distance is a few look-ups for all objects together. Where lanes fork there are three
tables: for those who go straight on, who keep left, and who keep right at every fork.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajnet.config import require
from trajnet.types import BoolArray, FloatArray, IntArray, Lane, Scene

#: Distance of points along a centre line (m).
STEP_M = 2.0
#: A pose is on a lane within this of its centre line (m) and of its direction (rad).
NEAR_M, ALIGNED_RAD = 1.5, np.deg2rad(30.0)
#: A lane goes on in those that begin within this of its end (m), in about the same direction (rad).
JOIN_M, JOIN_RAD = 1.0, np.deg2rad(45.0)
#: A lane may go on in itself, as a roundabout does, if it has so many pieces.
RING_POINTS = 6
#: Of several that go on, their directions are compared after this distance (m).
LOOK_M = 20.0
#: The tables reach 2 ** LEVELS points.
LEVELS = 9
#: Nobody in a scene gets farther than this from where objects are, in the time of a prediction (m).
SCENE_MARGIN_M = 500.0
#: A pose looks at no more points than this; where more lanes overlap it may find none of them.
MOST_NEAR = 32


class Turn(IntEnum):
    """Which way is taken wherever lanes fork."""

    STRAIGHT = 0
    LEFT = 1
    RIGHT = 2


class LanePaths:
    """The centre lines of the lanes that vehicles use."""

    def __init__(self, lanes: Sequence[Lane]) -> None:
        """Build the tables: work proportional to the length of the lanes."""
        lines = _lines(lanes)
        require(len(lines) > 0, f"lanes: expected one that vehicles use, got {len(lanes)} others")
        self._point_m: FloatArray = np.concatenate(lines)
        first = np.cumsum([0, *(len(line) for line in lines)])
        begin, end = first[:-1], first[1:] - 1
        self._way: FloatArray = np.empty_like(self._point_m)
        for a, b in zip(begin, end, strict=True):
            ahead = np.diff(self._point_m[a : b + 1], axis=0)
            self._way[a : b + 1] = np.concatenate([ahead, ahead[-1:]])
        self._way /= np.maximum(np.hypot(self._way[:, 0], self._way[:, 1]), 1e-9)[:, None]
        self._lane = np.repeat(np.arange(len(lines), dtype=np.int32), end - begin + 1)
        following: IntArray = np.tile(np.arange(len(self._point_m)) + 1, (len(Turn), 1))
        following[:, end] = end
        self._join(following, begin, end)
        self._lift(following)
        self._fill_grid()

    def bounds_m(self) -> tuple[FloatArray, FloatArray]:
        """Return the least and the largest coordinates (2,) of the centre lines."""
        return self._point_m.min(axis=0), self._point_m.max(axis=0)

    def tables(self) -> dict[str, NDArray[Any]]:
        """Return everything that was built, from which restored makes the same without building it."""
        return {name: np.asarray(values) for name, values in vars(self).items()}

    @classmethod
    def restored(cls, tables: Mapping[str, NDArray[Any]]) -> LanePaths:
        """Return what had these tables."""
        paths = cls.__new__(cls)
        for name, values in tables.items():
            setattr(paths, name, int(values) if values.ndim == 0 else values)
        return paths

    def _join(self, following: IntArray, begin: IntArray, end: IntArray) -> None:
        """Let the last point of each lane lead to the first of the lane that goes on; to itself where none does.

        following (turns, points).
        """
        ahead = np.minimum(begin + int(LOOK_M / STEP_M), end)
        order = np.argsort(self._point_m[begin, 0], kind="stable")
        sorted_x = self._point_m[begin[order], 0]
        for lane, last in enumerate(end.tolist()):
            x_m, y_m = self._point_m[last]
            near = order[np.searchsorted(sorted_x, x_m - JOIN_M) : np.searchsorted(sorted_x, x_m + JOIN_M, "right")]
            near = near[np.hypot(*(self._point_m[begin[near]] - (x_m, y_m)).T) <= JOIN_M]
            near = near[(near != lane) | (end[lane] - begin[lane] >= RING_POINTS)]  # a short one is no ring
            turn_rad = self._turn_rad(last, begin[near])
            near = near[np.abs(turn_rad) <= JOIN_RAD]
            if len(near):
                left_rad = self._turn_rad(last, ahead[near])
                chosen = near[[np.abs(left_rad).argmin(), left_rad.argmax(), left_rad.argmin()]]
                following[[Turn.STRAIGHT, Turn.LEFT, Turn.RIGHT], last] = begin[chosen]

    def _turn_rad(self, point: int, others: IntArray) -> FloatArray:
        cross = self._way[point, 0] * self._way[others, 1] - self._way[point, 1] * self._way[others, 0]
        turn_rad: FloatArray = np.arctan2(cross, self._way[others] @ self._way[point])
        return turn_rad

    def _lift(self, following: IntArray) -> None:
        """Build where 2 ** k points lead and how far that is (m), infinitely far where the lanes end before.

        The tables have every point once for each turn, which they never leave: point + turn * number of points.
        """
        gap_m = np.hypot(*(self._point_m[following] - self._point_m).transpose(2, 0, 1))
        gap_m[following == np.arange(len(self._point_m))] = np.inf
        following = following + len(self._point_m) * np.arange(len(Turn))[:, None]
        points, gaps_m = [following.reshape(-1)], [gap_m.reshape(-1)]
        for _ in range(LEVELS - 1):
            middle = points[-1]
            gaps_m.append(gaps_m[-1] + gaps_m[-1][middle])
            points.append(middle[middle])
        self._next = np.stack(points).astype(np.int32)
        self._gap_m = np.stack(gaps_m).astype(np.float32)
        self._least_gap_m = self._gap_m.min(axis=1)

    def _fill_grid(self) -> None:
        cell = np.floor(self._point_m / NEAR_M).astype(np.int64)
        around = np.array([(x, y) for x in (-1, 0, 1) for y in (-1, 0, 1)])
        self._low = cell.min(axis=0) - 2
        self._rows = int(cell[:, 1].max() - self._low[1] + 3)
        key = ((cell[:, None] + around - self._low) @ (self._rows, 1)).reshape(-1)
        point = np.repeat(np.arange(len(cell)), len(around))
        order = np.argsort(key, kind="stable")
        self._point: NDArray[np.int32] = np.concatenate([point[order], np.zeros(MOST_NEAR, np.int64)]).astype(np.int32)
        self._key, self._start, self._size = np.unique(key[order], return_index=True, return_counts=True)

    def under(self, position_m: FloatArray, yaw_rad: FloatArray) -> tuple[IntArray, BoolArray]:
        """Return the nearest aligned points of lanes (N,) and whether the poses (N, 2), (N,) are on a lane."""
        point, on_lane = self.all_under(position_m, yaw_rad, 1, ALIGNED_RAD)
        return point[0], on_lane[0]

    def all_under(
        self, position_m: FloatArray, yaw_rad: FloatArray, most: int, aligned_rad: float
    ) -> tuple[IntArray, BoolArray]:
        """Return the nearest aligned points of up to ``most`` lanes (most, N), nearest first, and which are, (most, N).

        Lanes overlap where they fork, join and cross. aligned_rad: how far a heading may be off that of a lane.
        """
        cell = np.floor(position_m / NEAR_M).astype(np.int64) - self._low
        key = cell @ (self._rows, 1)
        place = np.minimum(np.searchsorted(self._key, key), len(self._key) - 1)
        there = self._key[place] == key  # of a pose beyond the rows, it may be a cell far away: none of its points fits
        size = self._size[place] * there
        order = np.arange(min(MOST_NEAR, size.max(initial=1)))[:, None]
        near = self._point.take(self._start[place] + order)  # (points, N)
        way_x, way_y = self._way.take(near, axis=0).transpose(2, 0, 1)
        point_x_m, point_y_m = self._point_m.take(near, axis=0).transpose(2, 0, 1)
        x_m, y_m = position_m[:, 0] - point_x_m, position_m[:, 1] - point_y_m
        across_m, along_m = np.abs(way_x * y_m - way_y * x_m), np.abs(way_x * x_m + way_y * y_m)
        fits = np.cos(yaw_rad) * way_x + np.sin(yaw_rad) * way_y >= np.cos(aligned_rad)
        fits &= order < size
        fits &= across_m <= NEAR_M
        fits &= along_m <= STEP_M
        score = np.where(fits, across_m + 0.1 * along_m, np.inf)
        rows, lane = np.arange(len(key)), self._lane.take(near)
        point: IntArray = np.empty((most, len(key)), np.int64)
        found: BoolArray = np.empty((most, len(key)), np.bool_)
        for rank in range(most):
            best = score.argmin(axis=0)
            point[rank], found[rank] = near[best, rows], np.isfinite(score[best, rows])
            if rank + 1 < most:
                score[lane == lane[best, rows]] = np.inf
        return point, found

    def follow(self, point: IntArray, position_m: FloatArray, distance_m: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return positions (N, T, 2) and headings (N, T) distance_m (N, T) further straight on along the lanes.

        They keep the distance to the centre line that position_m (N, 2) has. Where lanes end they go straight on.
        """
        place_m, way = self.ahead(point, position_m, distance_m, Turn.STRAIGHT)
        return place_m, np.arctan2(way[..., 1], way[..., 0])

    def ahead(
        self, point: IntArray, position_m: FloatArray, distance_m: FloatArray, turn: Turn | IntArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return positions and directions (N, T, 2) as follow does. turn: one, or one for each row (N,)."""
        away_m = position_m - self._point_m[point]
        way = self._way[point]
        across_m = way[:, 0] * away_m[:, 1] - way[:, 1] * away_m[:, 0]
        left_m = distance_m + (way * away_m).sum(axis=1)[:, None]  # from the point, which may be ahead
        at = np.repeat((point + turn * len(self._point_m))[:, None], distance_m.shape[1], axis=1)
        farthest_m = left_m.max(initial=0.0)
        for level in range(LEVELS - 1, -1, -1):
            if self._least_gap_m[level] > farthest_m:
                continue
            gap_m = self._gap_m[level].take(at)
            goes = gap_m <= left_m
            np.subtract(left_m, gap_m, out=left_m, where=goes)
            at = np.where(goes, self._next[level].take(at), at)
        at %= len(self._point_m)
        way = self._way.take(at, axis=0)
        place_m = self._point_m.take(at, axis=0)
        place_m += left_m[..., None] * way
        place_m[..., 0] -= across_m[:, None] * way[..., 1]
        place_m[..., 1] += across_m[:, None] * way[..., 0]
        return place_m, way


def lane_paths_of(lanes: Sequence[Lane]) -> LanePaths | None:
    """Return the paths along a map's lanes; None if it has none that vehicles use."""
    return LanePaths(lanes) if _lines(lanes) else None


def scene_lane_paths(scene: Scene) -> LanePaths | None:
    """Return the paths along the lanes around a scene's objects; None if there are none that vehicles use.

    The map may be that of a whole town: lanes that are SCENE_MARGIN_M and more away are left out.
    """
    if not scene.lanes or not len(scene.position_m):
        return None
    least_m = scene.position_m.min(axis=0) - SCENE_MARGIN_M
    most_m = scene.position_m.max(axis=0) + SCENE_MARGIN_M
    near = [
        lane
        for lane in scene.lanes
        if len(lane.centre_m)
        and (lane.centre_m.max(axis=0) >= least_m).all()
        and (lane.centre_m.min(axis=0) <= most_m).all()
    ]
    return lane_paths_of(near)


def _lines(lanes: Sequence[Lane]) -> list[FloatArray]:
    """Return the centre lines of the lanes that vehicles use; in both directions where traffic goes in both."""
    lines = [(lane, line) for lane in lanes if lane.drivable and (line := _points(lane.centre_m)) is not None]
    return [line for _, line in lines] + [line[::-1] for lane, line in lines if not lane.one_way]


def _points(centre_m: FloatArray) -> FloatArray | None:
    """Return a line with points about STEP_M apart; None for one that is too short."""
    if len(centre_m) < 2:
        return None
    gone_m = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(centre_m, axis=0).T))])
    if gone_m[-1] < 0.5:
        return None
    asked_m = np.linspace(0.0, gone_m[-1], max(1, round(gone_m[-1] / STEP_M)) + 1)
    return np.stack([np.interp(asked_m, gone_m, centre_m[:, axis]) for axis in (0, 1)], axis=-1)
