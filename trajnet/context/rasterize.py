"""Rasterization of lanes: drivable area and dividers in the style of nuScenes' rasters, and directions of traffic.

Vectorized in NumPy over all polygons: every edge marks where it crosses the lines of pixels, and a running sum along
those lines counts the polygons that cover each pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajnet.errors import InputError
from trajnet.geometry import paired
from trajnet.types import UNIT_VECTOR, BoolArray, FloatArray, IntArray, Lane

#: Resolution of nuScenes' rasters. A large map gets coarser pixels to stay below MAX_PIXELS, down to MIN_PIXELS_PER_M.
PIXELS_PER_M = 3.0
MIN_PIXELS_PER_M = 1.0
#: 16 million pixels: 1.3 km x 1.3 km at 3 pixels per metre, a field of 7 MB; 4 km x 4 km at 1, a field of 64 MB.
MAX_PIXELS = 16_000_000
#: Margin around the lanes: the reach of a distance field.
MARGIN_M = 8.0
#: Half the width of a drawn divider: those of nuScenes are 3 pixels wide at 3 pixels per metre.
HALF_LINE_M = 0.5
#: A divider is drawn between neighbouring lanes whose borders have at most this gap, or at most this overlap. The two
#: differ by more than a pixel, so that no divider is drawn between lanes that slowly diverge.
GAP_M, OVERLAP_M = 0.75, 0.35
#: Shorter dividers are left out: where lanes begin to diverge, the test gives isolated specks.
SHORTEST_M = 2.0
#: Unit vectors are summed as integers, each component multiplied by this.
SUM_SCALE = 64


#: The left and the right border of a lane, or of a part of it: equally many points (P, 2) in m.
Borders = tuple[FloatArray, FloatArray]
#: The lowest and the highest coordinates (2,) of a box, in m.
Box = tuple[FloatArray, FloatArray]


def borders_of(lanes: Sequence[Lane], within_m: Box | None = None) -> list[Borders]:
    """Return the borders of the drivable lanes that have sides: a lane for both directions has them twice.

    within_m: only what touches this box, of each lane the pieces between successive points that do; None: everything.
    """
    return [each for lane in lanes for each in _borders(lane, within_m)]


def draw_borders(
    borders: Sequence[Borders],
) -> tuple[FloatArray, float, dict[str, BoolArray], NDArray[np.int8]]:
    """Draw lanes between their borders into a raster, see borders_of.

    Returns origin (2,) in m, pixels per metre, channels (X, Y) and directions (X, Y, 2). All are in the encoding of
    RasterMap; pixel [i, j] begins at i, j.
    drivable: the area that any lane covers. lane_divider, road_divider: a border with an adjacent lane of the same or
    of the opposite direction on its other side. A border inside another lane is not drawn: lanes cross, diverge or
    merge there. A lane for both directions is drawn once for each: they cancel, so the direction there is not known.
    Raises InputError without borders, and if they would need more than MAX_PIXELS pixels at MIN_PIXELS_PER_M.
    """
    if not borders:
        raise InputError(
            "lanes: expected at least one drivable lane with two points on each side or on its centre line, got none"
        )
    left_m, right_m = (np.concatenate(side) for side in zip(*borders, strict=True))
    lane = np.repeat(np.arange(len(borders)), [len(left) for left, _ in borders])
    origin_m, pixels_per_m, shape = _canvas(np.concatenate([left_m, right_m]))
    left, right = (left_m - origin_m) * pixels_per_m, (right_m - origin_m) * pixels_per_m
    flow = _Flow.of(left, right, lane, shape)
    road_divider, lane_divider = np.zeros(shape, np.bool_), np.zeros(shape, np.bool_)
    _draw_dividers(left, right, lane, pixels_per_m, flow, road_divider, lane_divider)
    drawn = {"drivable": flow.covered(), "road_divider": road_divider, "lane_divider": lane_divider}
    return origin_m, pixels_per_m, drawn, flow.direction()


def _borders(lane: Lane, within_m: Box | None) -> list[Borders]:
    if not lane.drivable or lane.sides_m is None:
        return []
    whole = paired(*lane.sides_m)
    parts = [whole] if within_m is None else _touching(*whole, *within_m)
    if lane.one_way:
        return parts
    return [each for left_m, right_m in parts for each in ((left_m, right_m), (right_m[::-1], left_m[::-1]))]


def _touching(left_m: FloatArray, right_m: FloatArray, low_m: FloatArray, high_m: FloatArray) -> list[Borders]:
    """Return the parts of a lane whose pieces, between successive points, touch the box from low_m to high_m (2,)."""
    lowest_m, highest_m = np.minimum(left_m, right_m), np.maximum(left_m, right_m)
    above = (np.maximum(highest_m[1:], highest_m[:-1]) >= low_m).all(axis=1)
    below = (np.minimum(lowest_m[1:], lowest_m[:-1]) <= high_m).all(axis=1)
    change = np.diff(np.concatenate([[0], (above & below).astype(np.int8), [0]]))
    begins, ends = np.flatnonzero(change == 1).tolist(), np.flatnonzero(change == -1).tolist()
    return [(left_m[begin : end + 1], right_m[begin : end + 1]) for begin, end in zip(begins, ends, strict=True)]


def draw_directions(
    borders: Sequence[Borders], origin_m: FloatArray, pixels_per_m: float, shape: tuple[int, int]
) -> NDArray[np.int8]:
    """Return the directions (X, Y, 2), in the encoding of RasterMap, of strips between borders.

    borders: left and right border of each strip, equally many points (P, 2) in m on both. Parts outside the shape are
    left out.
    """
    if not borders:
        return np.zeros((*shape, 2), np.int8)
    left, right = (pixels_per_m * (np.concatenate(side) - origin_m) for side in zip(*borders, strict=True))
    lane = np.repeat(np.arange(len(borders)), [len(left_m) for left_m, _ in borders])
    return _Flow.of(left, right, lane, shape).direction()


#: Bits of each of the three numbers that a pixel's sum is made of.
_BITS = 21


@dataclass(frozen=True, eq=False)
class _Flow:
    """Direction of traffic: at each pixel the number of lanes and the sum of their directions times SUM_SCALE.

    total (X, Y): all three as one integer, lanes + (x << _BITS) + (y << 2 * _BITS), which add up in one sum.
    """

    total: IntArray

    @classmethod
    def of(cls, left: FloatArray, right: FloatArray, lane: IntArray, shape: tuple[int, int]) -> _Flow:
        """Sum over the areas between borders left (P, 2) and right (P, 2) in pixels; lane (P,): of each point."""
        corners, direction = _pieces(left, right, lane)
        inside = ((corners.max(axis=1) >= 0.0) & (corners.min(axis=1) < shape)).all(axis=1)
        along_x, along_y = np.rint(direction[inside].T * SUM_SCALE).astype(np.int64)
        total = np.zeros((shape[0], shape[1] + 1), np.int64)
        _fill(corners[inside], total, 1 + (along_x << _BITS) + (along_y << 2 * _BITS))
        return cls(total[:, :-1])

    def covered(self) -> BoolArray:
        """Return where there is any lane (X, Y)."""
        covered: BoolArray = self.total != 0
        return covered

    def at(self, pixels: Any) -> tuple[IntArray, IntArray, IntArray]:
        """Return lanes, and the sums of their directions along x and along y, of the indexed pixels."""
        total = self.total[pixels]
        lanes = _lowest(total)
        rest = (total - lanes) >> _BITS
        along_x = _lowest(rest)
        return lanes, along_x, (rest - along_x) >> _BITS

    def direction(self) -> NDArray[np.int8]:
        """Return the mean directions (X, Y, 2) in the encoding of RasterMap."""
        covered = np.divmod(np.flatnonzero(self.covered()), self.total.shape[1])  # np.nonzero takes ten times as long
        lanes, *along = self.at(covered)
        scale = UNIT_VECTOR / SUM_SCALE / lanes.astype(np.float32)
        both = np.zeros((*self.total.shape, 2), np.int8)
        both[covered] = np.stack([np.rint(scale * one.astype(np.float32)) for one in along], axis=-1)
        return both


def _lowest(packed: IntArray) -> IntArray:
    """Return the lowest number of those that are packed in each integer."""
    shift = 64 - _BITS
    return packed << shift >> shift


def _canvas(points_m: FloatArray) -> tuple[FloatArray, float, tuple[int, int]]:
    """Return origin in m, pixels per metre and shape of a raster that contains the points with MARGIN_M around them."""
    low, high = points_m.min(axis=0), points_m.max(axis=0)
    spread_m = high - low + 2 * MARGIN_M
    area_m2 = float(spread_m.prod())
    if not area_m2 * MIN_PIXELS_PER_M**2 <= MAX_PIXELS:
        raise InputError(
            f"lanes: expected a map of at most {MAX_PIXELS * 1e-6 / MIN_PIXELS_PER_M**2:.0f} square kilometres, "
            f"got one of {high[0] - low[0]:.0f} m x {high[1] - low[1]:.0f} m; cut it to where the vehicle drives"
        )
    pixels_per_m = min(PIXELS_PER_M, float(np.sqrt(MAX_PIXELS / area_m2)))
    columns, rows = np.ceil(spread_m * pixels_per_m).astype(int)
    return np.floor(low - MARGIN_M), pixels_per_m, (int(columns) + 3, int(rows) + 3)


def _covered(left: FloatArray, right: FloatArray, lane: IntArray, shape: tuple[int, int]) -> BoolArray:
    """Return the mask (X, Y) of the areas between left (P, 2) and right (P, 2), in pixels."""
    count = np.zeros((shape[0], shape[1] + 1), np.int32)
    corners, _ = _pieces(left, right, lane)
    _fill(corners, count, np.ones(len(corners), np.int32))
    return count[:, :-1] > 0


def _pieces(left: FloatArray, right: FloatArray, lane: IntArray) -> tuple[FloatArray, FloatArray]:
    """Split lanes into quadrilaterals between successive points: corners (Q, 4, 2) and direction (Q, 2), unit or 0."""
    same = lane[1:] == lane[:-1]
    corners = np.stack([left[:-1], left[1:], right[1:], right[:-1]], axis=1)[same]
    along = (left[1:] + right[1:] - left[:-1] - right[:-1])[same]
    return corners, along / np.maximum(np.hypot(*along.T), 1e-9)[:, None]


def _fill(corners: FloatArray, total: NDArray[Any], value: NDArray[Any]) -> None:
    """Add the value of each polygon, value (Q,), to the pixels whose centre is inside it.

    corners (Q, S, 2), in pixels. total: a zero array (X, Y + 1) to add to. Parts outside the array are left out. A
    polygon that crosses itself is filled by the even-odd rule. Polygons that share an edge never share a pixel.
    """
    start, end = corners.reshape(-1, 2), np.roll(corners, -1, axis=1).reshape(-1, 2)
    polygon = np.repeat(np.arange(len(corners)), corners.shape[1])
    first = np.ceil(np.minimum(start[:, 0], end[:, 0]) - 0.5).astype(np.int64)
    count = np.ceil(np.maximum(start[:, 0], end[:, 0]) - 0.5).astype(np.int64) - first
    edge = np.repeat(np.arange(len(count)), count)
    x = first[edge] + _counter(count)
    slope = (end - start)[:, 1] / np.where(count > 0, end[:, 0] - start[:, 0], 1.0)
    y = np.ceil(start[edge, 1] + (x + 0.5 - start[edge, 0]) * slope[edge] - 0.5).astype(np.int64)
    columns, owner, lowest = total.shape[1], polygon[edge], x.min(initial=0)
    place = x * columns + np.clip(y, 0, columns - 1)
    order = np.argsort(owner * ((x.max(initial=0) - lowest + 1) * columns) + (place - lowest * columns))
    enter = value[owner[order]]
    enter[1::2] *= -1  # crossings alternately enter and leave the polygon
    within = ((x >= 0) & (x < len(total)))[order]
    np.add.at(total.reshape(-1), place[order[within]], enter[within])
    np.cumsum(total, axis=1, out=total)


def _counter(count: IntArray) -> IntArray:
    """Return 0, 1, ... count[0] - 1, 0, 1, ... count[1] - 1, ..."""
    begin = np.cumsum(count) - count
    counter: IntArray = np.arange(int(count.sum())) - np.repeat(begin, count)
    return counter


def _draw_dividers(
    left: FloatArray,
    right: FloatArray,
    lane: IntArray,
    pixels_per_m: float,
    flow: _Flow,
    road_divider: BoolArray,
    lane_divider: BoolArray,
) -> None:
    shape = road_divider.shape
    inside = _covered(*_narrowed(left, right, OVERLAP_M * pixels_per_m), lane, shape)
    for side, sign in ((left, 1.0), (right, -1.0)):
        point, along, line = _walk(side, lane)
        outward = sign * np.stack([-along[:, 1], along[:, 0]], axis=1)
        beyond = _pixel(point + GAP_M * pixels_per_m * outward, shape)
        there = np.stack(flow.at(beyond)[1:], axis=1) / SUM_SCALE
        speed = np.hypot(*there.T)
        cosine = (there * along).sum(axis=1) / np.maximum(speed, 1e-9)
        here = _pixel(point, shape)
        border = (speed > 0.5) & ~inside[here]
        for drawn, found in ((lane_divider, border & (cosine > 0.8)), (road_divider, border & (cosine < -0.8))):
            long = _long_runs(found, line, SHORTEST_M * pixels_per_m)
            drawn[here[0][long], here[1][long]] = True
    for drawn in (road_divider, lane_divider):
        for _ in range(round(HALF_LINE_M * pixels_per_m - 0.5)):
            _thicken(drawn)


def _narrowed(left: FloatArray, right: FloatArray, by: float) -> tuple[FloatArray, FloatArray]:
    """Narrow the lanes by this width at each border, but at most by a quarter of the lane's width."""
    across = right - left
    width = np.maximum(np.hypot(*across.T), 1e-9)
    step = across * np.minimum(by / width, 0.25)[:, None]
    return left + step, right - step


def _walk(line: FloatArray, lane: IntArray) -> tuple[FloatArray, FloatArray, IntArray]:
    """Sample the lines at most a pixel apart: points (S, 2), their unit direction (S, 2) and their lane (S,)."""
    same = lane[1:] == lane[:-1]
    start, step, owner = line[:-1][same], np.diff(line, axis=0)[same], lane[:-1][same]
    length = np.hypot(*step.T)
    count = np.ceil(length).astype(np.int64)
    piece = np.repeat(np.arange(len(count)), count)
    share = (_counter(count) + 0.5) / count[piece]
    return start[piece] + share[:, None] * step[piece], (step / np.maximum(length, 1e-9)[:, None])[piece], owner[piece]


def _pixel(point: FloatArray, shape: tuple[int, int]) -> tuple[IntArray, IntArray]:
    index = np.clip(np.floor(point), 0, np.array(shape) - 1).astype(np.int64)
    return index[:, 0], index[:, 1]


def _long_runs(found: BoolArray, line: IntArray, shortest: float) -> BoolArray:
    """Return found (S,) without the runs on one line that have fewer points than shortest."""
    begin = np.append(True, (found[1:] != found[:-1]) | (line[1:] != line[:-1]))
    run = np.cumsum(begin) - 1
    kept: BoolArray = found & (np.bincount(run)[run] >= shortest)
    return kept


def _thicken(drawn: BoolArray) -> None:
    """Dilate in place by one pixel along x and along y (4-neighbourhood)."""
    before = drawn.copy()
    drawn[1:] |= before[:-1]
    drawn[:-1] |= before[1:]
    drawn[:, 1:] |= before[:, :-1]
    drawn[:, :-1] |= before[:, 1:]
