"""What a map says around an object: distance fields made once per map, sampled on a grid in the object's own frame.

One interface for every source: a raster (nuScenes) or lanes (CommonRoad, bundled scenes), drawn into the same channels.
A distance field holds more than a drawing: a line that lies between two sample points is still felt, so the grid may be
coarse and the sampling is one gather for all objects at once.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajnet.config import require
from trajnet.context.rasterize import draw_lanes
from trajnet.geometry import rotate
from trajnet.types import BoolArray, FloatArray, Lane, RasterMap

#: What is drawn of a map. Of drivable: the signed distance to the edge of the drivable area, positive inside. Of the
#: others: the distance to the next line.
CHANNELS = ("drivable", "road_divider", "lane_divider")
#: Distances beyond this are all the same (m).
REACH_M = 8.0
#: A field keeps every n-th pixel of a finer drawing, down to this many for each metre: the distances in it are those of
#: the fine drawing, and a field that stays within a core's cache is sampled several times as fast.
FIELD_PIXELS_PER_M = 1.0
#: The largest int8 value stands for REACH_M.
INT8_MAX = 127
#: Value outside the map.
OUTSIDE_MAP = (-INT8_MAX, INT8_MAX, INT8_MAX, 0)
#: Yaws that objects may have when they look at a map, a power of two: a turn of a third of a degree to the next.
HEADINGS = 1024
#: A view of more sample points than this, or of points further away, is a mistake: of each point there is a table.
MAX_POINTS = 4_000
MAX_VIEW_M = 500.0
#: Pixels that are turned into distances at once, so that a large map needs little more memory than its field.
PART_PIXELS = 2_000_000
#: Objects that are sampled at once: their buffers stay within a core's cache.
BLOCK = 64


@dataclass(frozen=True)
class MapView:
    """The sample points around an object: a grid in its own frame, x forward, y to its left.

    ahead_m, behind_m, side_m: how far it reaches from the object's centre. step_m: spacing.
    patch: the points come in squares of patch x patch, which is how a model takes them in.
    directions: whether the points say which way traffic goes there. Each of them is four numbers. Without directions:
    the CHANNELS, and 0. With them: drivable, the distance to the next line of either kind, and the direction in map
    axes, 0 where it is not known.
    """

    ahead_m: float = 60.0
    behind_m: float = 12.0
    side_m: float = 24.0
    step_m: float = 2.0
    patch: int = 1
    directions: bool = False

    def __post_init__(self) -> None:
        for name in ("ahead_m", "behind_m", "side_m", "step_m"):
            value = getattr(self, name)
            require(np.isfinite(value) and value > 0, f"map.{name}: expected a number above 0, got {value}")
        points = (self.ahead_m + self.behind_m + self.step_m) / self.step_m * (2 * self.side_m / self.step_m + 1)
        require(points <= MAX_POINTS, f"map: expected at most {MAX_POINTS:,} sample points, got {points:.3g}")
        furthest_m = np.hypot(max(self.ahead_m, self.behind_m), self.side_m)
        require(furthest_m <= MAX_VIEW_M, f"map: expected points within {MAX_VIEW_M:g} m, got {furthest_m:.0f} m")
        require(
            self.patch > 0 and not any(points % self.patch for points in self.grid),
            f"map.patch: expected a divisor of the grid's {self.grid} points, got {self.patch}",
        )

    @property
    def grid(self) -> tuple[int, int]:
        """(A, B): points along x and along y."""
        return round((self.ahead_m + self.behind_m) / self.step_m) + 1, round(2 * self.side_m / self.step_m) + 1

    @property
    def shape(self) -> tuple[int, int, int]:
        """(A / patch, B / patch, patch * patch): patches along x and along y, and the points of each."""
        rows, columns = (points // self.patch for points in self.grid)
        return rows, columns, self.patch * self.patch

    def points_m(self) -> FloatArray:
        """(*shape, 2), everything from behind to ahead, then from right to left: patches, and the points of each."""
        rows, columns = self.grid
        ahead = -self.behind_m + self.step_m * np.arange(rows)
        left = -self.side_m + self.step_m * np.arange(columns)
        points = np.stack(np.meshgrid(ahead, left, indexing="ij"), axis=-1)
        squares = points.reshape(rows // self.patch, self.patch, columns // self.patch, self.patch, 2).swapaxes(1, 2)
        return squares.reshape(*self.shape, 2)


@lru_cache(maxsize=8)
def _turned_px(view: MapView, pixels_per_m: float) -> NDArray[np.int16]:
    """(2, HEADINGS * 4, P): how many pixels further along x and along y than an object's own the view's points are.

    Four rows for each heading: of an object in the first or second half of its pixel along x, and so along y.
    """
    points_px = pixels_per_m * view.points_m().reshape(-1, 2)
    half_px = np.array([0.25, 0.75])
    turned = np.empty((2, HEADINGS, 2, 2, len(points_px)), np.int16)
    for begin in range(0, HEADINGS, BLOCK):  # all at once would take many times the memory
        block = slice(begin, begin + BLOCK)
        angle_rad: FloatArray = np.arange(HEADINGS, dtype=np.float64)[block] * (2.0 * np.pi / HEADINGS)
        along_x, along_y = np.moveaxis(rotate(points_px, angle_rad[:, None]), -1, 0)
        turned[0, block] = np.floor(along_x[:, None, None] + half_px[:, None, None])
        turned[1, block] = np.floor(along_y[:, None, None] + half_px[:, None])
    return turned.reshape(2, HEADINGS * 4, -1)


class _Lookup:
    """A field made ready for one view: where an object's points are is one row of a table and one number.

    reach_px: further from an object than any of the view's points. An object up to that far beyond the field still sees
    it, so there are twice as many pixels around it, which hold what is beyond; behind the last pixel of a row and the
    last row only, as what lies before a row's first pixel is behind the last one of the row before it.
    pixel ((X + 2 reach_px) * (Y + 2 reach_px),): the four numbers of each as one. columns: how many pixels a row has.
    offset (HEADINGS * 4, P): to the points from an object that is in the pixel as far beyond the corner as there are.
    """

    def __init__(
        self, distance: NDArray[np.int8], direction: NDArray[np.int8] | None, pixels_per_m: float, view: MapView
    ) -> None:
        along_x, along_y = (pixels.astype(np.int32) for pixels in _turned_px(view, pixels_per_m))
        reach_px = int(max(np.abs(along_x).max(), np.abs(along_y).max())) + 1
        rows, columns = distance.shape[:2]
        whole = np.full((rows + 2 * reach_px, columns + 2 * reach_px, 4), OUTSIDE_MAP, np.int8)
        whole[:rows, :columns] = distance
        if view.directions:
            np.minimum(whole[..., 1], whole[..., 2], out=whole[..., 1])
            whole[..., 2:] = 0
            if direction is not None:
                whole[:rows, :columns, 2:] = direction
        self.reach_px, self.columns = reach_px, whole.shape[1]
        self.last_px = np.array([rows, columns]) - 1.0 + 2 * reach_px
        self.pixel: NDArray[np.int32] = whole.view(np.int32).reshape(-1)
        self.offset = (along_x - reach_px) * self.columns + (along_y - reach_px)


@dataclass(frozen=True, eq=False)
class MapField:
    """The distances of a map, and which way its traffic goes.

    distance (X, Y, 4) int8, indexed [x, y]: the CHANNELS in units of REACH_M / INT8_MAX, the last unused.
    direction (X, Y, 2) int8: direction of traffic as a RasterMap has it, or None where it is not known.

    pixel = (position_m - origin_m) * pixels_per_m + 1: the outermost pixels hold what lies beyond the field, where
    nothing is drivable and no line is near.
    """

    origin_m: FloatArray
    pixels_per_m: float
    distance: NDArray[np.int8]
    direction: NDArray[np.int8] | None = None
    _lookups: dict[MapView, _Lookup] = field(default_factory=dict, init=False, repr=False)

    def prepare(self, view: MapView) -> _Lookup:
        """What sampling the view takes, made at the first call."""
        found = self._lookups.get(view)
        if found is None:
            found = self._lookups[view] = _Lookup(self.distance, self.direction, self.pixels_per_m, view)
        return found

    def sample(
        self, position_m: FloatArray, yaw_rad: FloatArray, view: MapView, out: NDArray[np.int8] | None = None
    ) -> NDArray[np.int8]:
        """What N objects at position_m (N, 2) with yaw_rad (N,) see -> (N, *view.shape, 4) int8.

        An object counts as in the middle of its quarter of a pixel, with the nearest of HEADINGS yaws: a point at 75 m
        is half a metre off at most, along each axis. out: where to write it (contiguous), or None. An object whose
        position is not finite sees what lies beyond the field; a yaw that is not finite counts as some yaw.
        """
        count, lookup = len(yaw_rad), self.prepare(view)
        if out is None:
            out = np.empty((count, *view.shape, 4), np.int8)
        points = lookup.offset.shape[1]
        seen = out.view(np.int32).reshape(count, points)
        corner_m = self.origin_m - (lookup.reach_px + 1) / self.pixels_per_m
        with np.errstate(over="ignore", invalid="ignore"):  # what is no whole number becomes the lowest there is
            place = (position_m - corner_m) * (2.0 * self.pixels_per_m)
            np.fmax(place, 0.0, out=place)
            np.fmin(place, 2.0 * lookup.last_px, out=place)
            half_px = place.astype(np.int32)
            heading = np.rint(yaw_rad * (HEADINGS / (2.0 * np.pi))).astype(np.intp) & (HEADINGS - 1)
        row = heading * 4 + (half_px & 1) @ _HALVES
        start = (half_px >> 1) @ np.array([[lookup.columns], [1]], np.int32)
        for i in range(0, count, BLOCK):
            block = slice(i, i + BLOCK)
            pixel = _buffer(points)[: len(start[block])]
            lookup.offset.take(row[block], axis=0, mode="clip", out=pixel)
            pixel += start[block]
            lookup.pixel.take(pixel, mode="wrap", out=seen[block])
        return out


#: Which of a heading's rows of _turned_px is of which half along x and along y.
_HALVES = np.array([2, 1])
_kept = threading.local()


def _buffer(points: int) -> NDArray[np.int32]:
    """(BLOCK, points), kept from call to call: new pages would cost more than the work."""
    kept: NDArray[np.int32] | None = getattr(_kept, "array", None)
    if kept is None or kept.shape[1] != points:
        kept = _kept.array = np.empty((BLOCK, points), np.int32)
    return kept


def field_of(lanes: Sequence[Lane], raster: RasterMap | None) -> MapField | None:
    """The field of a scene's map: of its raster, else of its lanes, else None.

    Lanes are drawn as nuScenes draws its rasters (see draw_lanes). InputError if they spread over too large an area.
    """
    if raster is not None:
        drawn = {name: getattr(raster, name) for name in CHANNELS}
        present = {name: pixels for name, pixels in drawn.items() if pixels is not None}
        return make_field(raster.origin_m, raster.pixels_per_m, present, raster.direction)
    if not any(lane.drivable for lane in lanes):
        return None
    return make_field(*draw_lanes(lanes))


def make_field(
    origin_m: FloatArray,
    pixels_per_m: float,
    drawn: dict[str, BoolArray],
    direction: NDArray[np.int8] | None = None,
    *,
    field_pixels_per_m: float = FIELD_PIXELS_PER_M,
) -> MapField:
    """The field of drawn channels, each (X, Y) bool; a channel that is missing is drawn nowhere. direction (X, Y, 2) as
    a RasterMap has it.

    Its pixels lie around every n-th of the drawn ones, so that it has at least field_pixels_per_m of them, if they had.
    What is left of the drawing at its far edges, less than half of such a pixel, is beyond the field.
    """
    columns, rows = next(iter(drawn.values())).shape
    every = max(1, int(pixels_per_m / field_pixels_per_m))
    middle = np.minimum(every // 2, np.array([columns, rows]) - 1)
    kept = [len(range(first, size, every)) for first, size in zip(middle.tolist(), (columns, rows), strict=True)]
    reach = REACH_M * pixels_per_m
    halo = int(np.ceil(reach))
    part = -(-max(4 * halo, PART_PIXELS // rows) // every) * every
    field = np.zeros((kept[0] + 2, kept[1] + 2, 4), np.int8)
    for i, name in enumerate(CHANNELS):
        mask = np.zeros((columns + 2, rows + 2), np.bool_)
        if name in drawn:
            mask[1:-1, 1:-1] = drawn[name]
        for start in range(0, columns, part):
            first, end = start + 1, min(start + part, columns) + 1  # the mask has a border of one pixel
            low = max(first - halo, 0)
            distance = (signed_distance_px if i == 0 else distance_px)(mask[low : end + halo], reach)
            sparse = distance[first + middle[0] - low : end - low : every, middle[1] + 1 : -1 : every]
            begin = start // every + 1
            field[begin : begin + len(sparse), 1:-1, i] = np.rint(sparse * (INT8_MAX / reach))
    for border in (field[0], field[-1], field[:, 0], field[:, -1]):
        border[:] = OUTSIDE_MAP
    ways = None
    if direction is not None:
        ways = np.zeros((*field.shape[:2], 2), np.int8)
        ways[1:-1, 1:-1] = direction[middle[0] :: every, middle[1] :: every]
    begin_px = middle + 0.5 - 0.5 * every  # of the first kept pixel, which is as large as several
    return MapField(np.asarray(origin_m, np.float64) + begin_px / pixels_per_m, pixels_per_m / every, field, ways)


def signed_distance_px(mask: BoolArray, reach: float) -> NDArray[np.float32]:
    """(X, Y) distance in pixels to the nearest pixel of the other kind, at most reach; negative where mask is False."""
    return np.where(mask, distance_px(~mask, reach), -distance_px(mask, reach))


def distance_px(mask: BoolArray, reach: float) -> NDArray[np.float32]:
    """(X, Y) distance in pixels to the nearest True pixel, at most reach. Exact: first along y, then along x.

    Separable as in Saito and Toriwaki 1994 (Pattern Recognition 27): the least of dy^2 + dx^2.
    """
    radius = int(np.ceil(reach))
    whole = np.int16 if 2 * (radius + 1) ** 2 < 2**15 else np.int32  # whole squares: short ones are faster
    along = np.where(mask, whole(0), whole(radius + 1))
    shift = 1
    while shift <= radius and shift < mask.shape[1]:  # steps of 1, 2, 4, ... add up to every distance
        _least_of_shifted(along.T, (along + whole(shift)).T, shift)
        shift *= 2
    square = along * along
    best, there = square.copy(), np.empty_like(square)
    for shift in range(1, min(radius + 1, len(mask))):
        _least_of_shifted(best, np.add(square, whole(shift * shift), out=there), shift)
    distance: NDArray[np.float32] = np.minimum(best, np.float32(reach * reach), dtype=np.float32)
    np.sqrt(distance, out=distance)
    return distance


def _least_of_shifted(best: NDArray[Any], there: NDArray[Any], shift: int) -> None:
    """Lower each of best (X, Y) to what there has shift rows before and after."""
    np.minimum(best[shift:], there[:-shift], out=best[shift:])
    np.minimum(best[:-shift], there[shift:], out=best[:-shift])
