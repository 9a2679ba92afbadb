"""Distance fields of a map, computed once per map and sampled on a grid in each object's own frame.

Every source has the same interface: a raster (nuScenes) or lanes (CommonRoad, bundled scenes), drawn into the same
channels. A distance field holds more than a raster: a line between two sample points still changes their values, so
the grid may be coarse, and the sampling is one gather for all objects at once.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from trajnet.config import require
from trajnet.context.distance import distance_px, signed_distance_px
from trajnet.context.rasterize import Box, borders_of, draw_borders
from trajnet.geometry import rotate
from trajnet.types import BoolArray, FloatArray, IntArray, Lane, RasterMap

#: Channels of a map. drivable becomes the signed distance to the edge of the drivable area, positive inside; each of
#: the others becomes the distance to the nearest line.
CHANNELS = ("drivable", "road_divider", "lane_divider")
#: Distances are clipped to this (m).
REACH_M = 8.0
#: A field keeps every n-th pixel of a finer raster, but no fewer than this many per metre: its distances are those of
#: the fine raster, and a field that stays within a core's cache is sampled several times as fast.
FIELD_PIXELS_PER_M = 1.0
#: The largest int8 value stands for REACH_M.
INT8_MAX = 127
#: Value outside the map.
OUTSIDE_MAP = (-INT8_MAX, INT8_MAX, INT8_MAX, 0)
#: Number of yaws that sampling distinguishes, a power of two: steps of about a third of a degree.
HEADINGS = 1024
#: A view with more sample points than this, or with points farther away, is a mistake: each point needs a table.
MAX_POINTS = 4_000
MAX_VIEW_M = 500.0
#: Pixels converted to distances at once, so that a large map needs little more memory than its field.
PART_PIXELS = 2_000_000
#: Objects sampled at once: their buffers stay within a core's cache.
BLOCK = 64


@dataclass(frozen=True)
class MapView:
    """The sample points around an object: a grid in its own frame, x forward, y to its left.

    ahead_m, behind_m, side_m: extent of the grid from the object's centre. step_m: spacing.
    patch: the points are grouped in squares of patch x patch, the unit that the model embeds.
    directions: whether each point includes the direction of traffic. Every point has four numbers. Without directions:
    the CHANNELS, and 0. With them: drivable, the distance to the nearest line of either kind, and the direction (x, y)
    in map axes, 0 where it is not known.
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
        furthest_m = self.furthest_m
        require(furthest_m <= MAX_VIEW_M, f"map: expected points within {MAX_VIEW_M:g} m, got {furthest_m:.0f} m")
        require(
            self.patch > 0 and not any(points % self.patch for points in self.grid),
            f"map.patch: expected a divisor of the grid's {self.grid} points, got {self.patch}",
        )

    @property
    def furthest_m(self) -> float:
        """Distance of the furthest point from the object."""
        return math.hypot(max(self.ahead_m, self.behind_m), self.side_m)

    @property
    def grid(self) -> tuple[int, int]:
        """Number of points along x and along y, (A, B)."""
        return round((self.ahead_m + self.behind_m) / self.step_m) + 1, round(2 * self.side_m / self.step_m) + 1

    @cached_property
    def shape(self) -> tuple[int, int, int]:
        """Patches along x and along y, and the points of each: (A / patch, B / patch, patch * patch)."""
        rows, columns = (points // self.patch for points in self.grid)
        return rows, columns, self.patch * self.patch

    def points_m(self) -> FloatArray:
        """Return the points (*shape, 2) in m: patches, and points in them, from behind to ahead, then right to left."""
        rows, columns = self.grid
        ahead = -self.behind_m + self.step_m * np.arange(rows)
        left = -self.side_m + self.step_m * np.arange(columns)
        points = np.stack(np.meshgrid(ahead, left, indexing="ij"), axis=-1)
        squares = points.reshape(rows // self.patch, self.patch, columns // self.patch, self.patch, 2).swapaxes(1, 2)
        return squares.reshape(*self.shape, 2)


@lru_cache(maxsize=8)
def _turned_px(view: MapView, pixels_per_m: float) -> NDArray[np.int16]:
    """Return the offsets in pixels, along x and along y, from an object to the view's P points: (2, HEADINGS * 4, P).

    Each heading has four rows: the object lies in the first or second half of its pixel along x, and likewise along y.
    """
    points_px = pixels_per_m * view.points_m().reshape(-1, 2)
    half_px = np.array([0.25, 0.75])
    turned = np.empty((2, HEADINGS, 2, 2, len(points_px)), np.int16)
    for begin in range(0, HEADINGS, BLOCK):  # all at once would need many times the memory
        block = slice(begin, begin + BLOCK)
        angle_rad: FloatArray = np.arange(HEADINGS, dtype=np.float64)[block] * (2.0 * np.pi / HEADINGS)
        along_x, along_y = np.moveaxis(rotate(points_px, angle_rad[:, None]), -1, 0)
        turned[0, block] = np.floor(along_x[:, None, None] + half_px[:, None, None])
        turned[1, block] = np.floor(along_y[:, None, None] + half_px[:, None])
    return turned.reshape(2, HEADINGS * 4, -1)


@lru_cache(maxsize=8)
def _reach_px(view: MapView, pixels_per_m: float) -> int:
    """Return a number of pixels greater than the distance from an object to any of the view's points."""
    return int(np.abs(_turned_px(view, pixels_per_m)).max()) + 1


class _Lookup:
    """A field prepared for one view: the indices of an object's points are one row of a table plus one number.

    reach_px: greater than the distance from an object to any point of the view. An object up to that far outside the
    field still sees it, so the field is padded by 2 reach_px pixels with the value outside the map. The padding is only
    after the last pixel of each row and after the last row: the flat array wraps round, so the pixels before a row's
    first one are those at the end of the row before.
    pixel ((X + 2 reach_px) * (Y + 2 reach_px),): the four int8 of each pixel as one int32. columns: pixels in a row;
    stride: from a pixel to the next, along x and along y. corner_m, last_half_px: where the indices of objects begin,
    and the largest ones, in half pixels.
    """

    def __init__(
        self, origin_m: FloatArray, distance: NDArray[np.int8], direction: NDArray[np.int8] | None,
        pixels_per_m: float, view: MapView,
    ) -> None:  # fmt: skip
        turned_px = _turned_px(view, pixels_per_m)
        reach_px = _reach_px(view, pixels_per_m)
        rows, columns = distance.shape[:2]
        whole = np.full((rows + 2 * reach_px, columns + 2 * reach_px, 4), OUTSIDE_MAP, np.int8)
        whole[:rows, :columns] = distance
        if view.directions:
            np.minimum(whole[..., 1], whole[..., 2], out=whole[..., 1])
            whole[..., 2:] = 0
            if direction is not None:
                whole[:rows, :columns, 2:] = direction
        self.reach_px, self.columns = reach_px, whole.shape[1]
        self.corner_m = origin_m - (reach_px + 1) / pixels_per_m
        self.last_half_px = 2.0 * (np.array([rows, columns]) - 1.0 + 2 * reach_px)
        self.stride = np.array([[self.columns], [1]], np.int32)
        self.pixel: NDArray[np.int32] = whole.view(np.int32).reshape(-1)
        self._turned_px = turned_px

    @cached_property
    def offset(self) -> NDArray[np.int32]:
        """Flat indices of the points, for every row of _turned_px: (HEADINGS * 4, P).

        They are relative to the object's pixel shifted by reach_px along both axes, which makes every start index
        non-negative.
        """
        return self._offsets(self._turned_px)

    @property
    def has_table(self) -> bool:
        """Whether the offsets of all rows were computed: worth it for whoever samples again and again."""
        return "offset" in self.__dict__

    def offsets_of(self, row: IntArray, out: NDArray[np.int32]) -> None:
        """Write the offsets of these rows (N,) to out (N, P): from the table, if there is one."""
        if self.has_table:
            self.offset.take(row, axis=0, mode="clip", out=out)
        else:
            out[:] = self._offsets(self._turned_px.take(row, axis=1, mode="clip"))

    def _offsets(self, turned_px: NDArray[np.int16]) -> NDArray[np.int32]:
        offset: NDArray[np.int32] = np.multiply(turned_px[0], self.columns, dtype=np.int32)
        offset += turned_px[1]
        offset -= self.reach_px * (self.columns + 1)
        return offset


@dataclass(frozen=True, eq=False)
class MapField:
    """The distance field of a map, and the direction of its traffic.

    distance (X, Y, 4) int8, indexed [x, y]: the CHANNELS in units of REACH_M / INT8_MAX, the last unused.
    direction (X, Y, 2) int8: direction of traffic in the encoding of RasterMap, or None where it is not known.

    pixel = (position_m - origin_m) * pixels_per_m + 1: the outermost pixels hold OUTSIDE_MAP, where nothing is drivable
    and no line is near.
    """

    origin_m: FloatArray
    pixels_per_m: float
    distance: NDArray[np.int8]
    direction: NDArray[np.int8] | None = None
    _lookups: dict[MapView, _Lookup] = field(default_factory=dict, init=False, repr=False)

    def prepare(self, view: MapView) -> None:
        """Build the lookup tables for sampling the view. Who samples a few objects once is faster without."""
        _ = self._lookup(view).offset

    def _lookup(self, view: MapView) -> _Lookup:
        found = self._lookups.get(view)
        if found is None:
            found = _Lookup(self.origin_m, self.distance, self.direction, self.pixels_per_m, view)
            self._lookups[view] = found
        return found

    def sample(
        self, position_m: FloatArray, yaw_rad: FloatArray, view: MapView, out: NDArray[np.int8] | None = None
    ) -> NDArray[np.int8]:
        """Sample the field around N objects at position_m (N, 2) with yaw_rad (N,): (N, *view.shape, 4) int8.

        Positions are rounded to the middle of a quarter of a pixel, yaws to the nearest of HEADINGS: a point at 75 m
        is off by at most half a metre along each axis. out: a contiguous array for the result, or None. Around an
        object whose position is not finite all is OUTSIDE_MAP; a yaw that is not finite becomes an arbitrary one.
        """
        count, lookup = len(yaw_rad), self._lookup(view)
        if out is None:
            out = np.empty((count, *view.shape, 4), np.int8)
        points = math.prod(view.shape)
        seen = out.view(np.int32).reshape(count, points)
        half_px, row = self._place(position_m, yaw_rad, lookup)
        start = (half_px >> 1) @ lookup.stride
        for i in range(0, count, BLOCK):
            block = slice(i, i + BLOCK)
            pixel = _buffer(points)[: len(start[block])]
            lookup.offsets_of(row[block], pixel)
            pixel += start[block]
            lookup.pixel.take(pixel, mode="wrap", out=seen[block])
        return out

    def _place(
        self, position_m: FloatArray, yaw_rad: FloatArray, lookup: _Lookup
    ) -> tuple[NDArray[np.int32], IntArray]:
        """Return the half pixels (N, 2) of the objects, reach_px added, and their rows (N,) in the table of offsets."""
        with np.errstate(over="ignore", invalid="ignore"):  # values that are not finite become the lowest integer
            place = (position_m - lookup.corner_m) * (2.0 * self.pixels_per_m)
            np.fmax(place, 0.0, out=place)
            np.fmin(place, lookup.last_half_px, out=place)
            half_px = place.astype(np.int32)
            heading = np.rint(yaw_rad * (HEADINGS / (2.0 * np.pi))).astype(np.intp) & (HEADINGS - 1)
        return half_px, heading * 4 + (half_px & 1) @ _HALVES

    def crop(self, position_m: FloatArray, yaw_rad: FloatArray, view: MapView) -> MapCrop:
        """Return the part of the field that N objects see, from which their samples can be made again."""
        lookup = self._lookup(view)
        half_px, row = self._place(position_m, yaw_rad, lookup)
        pixel = (half_px >> 1).astype(np.int64) - lookup.reach_px
        size = np.array(self.distance.shape[:2])
        low = np.clip(pixel.min(axis=0, initial=int(size.max())) - lookup.reach_px, 0, size)
        high = np.clip(pixel.max(axis=0, initial=0) + lookup.reach_px + 1, low, size)
        whole = lookup.pixel.reshape(-1, lookup.columns)
        seen = np.ascontiguousarray(whole[low[0] : high[0], low[1] : high[1]])
        planes = np.moveaxis(seen.view(np.int8).reshape(*seen.shape, 4), -1, 0)
        return MapCrop(np.ascontiguousarray(planes), self.pixels_per_m, pixel - low, row)


@dataclass(frozen=True, eq=False)
class MapCrop:
    """What N objects see of a field: its pixels as planes (4, X, Y) int8, in the channels of the view.

    pixel (N, 2): of each object in the planes. row (N,): see _turned_px.
    """

    planes: NDArray[np.int8]
    pixels_per_m: float
    pixel: IntArray
    row: IntArray

    def sample(self, view: MapView) -> NDArray[np.int8]:
        """Return what MapField.sample returns for these objects, (N, *view.shape, 4), the same bytes."""
        turned = _turned_px(view, self.pixels_per_m)
        x = self.pixel[:, :1] + turned[0, self.row]
        y = self.pixel[:, 1:] + turned[1, self.row]
        size = self.planes.shape[1:]
        inside = (x >= 0) & (y >= 0) & (x < size[0]) & (y < size[1])
        flat = np.where(inside, x * size[1] + y, 0)
        seen = np.empty((*x.shape, 4), np.int8)
        outside = (*OUTSIDE_MAP[:2], 0, 0) if view.directions else OUTSIDE_MAP
        for channel, plane in enumerate(self.planes.reshape(4, -1)):
            seen[..., channel] = outside[channel]
            if plane.size:
                np.copyto(seen[..., channel], plane.take(flat), where=inside)
        return seen.reshape(len(seen), *view.shape, 4)


#: Weights of the halves along x and along y in the row index of _turned_px.
_HALVES = np.array([2, 1])
_kept = threading.local()


def _buffer(points: int) -> NDArray[np.int32]:
    """Return an array (BLOCK, points) that each thread reuses: fresh pages would cost more than the work itself."""
    kept: NDArray[np.int32] | None = getattr(_kept, "array", None)
    if kept is None or kept.shape[1] != points:
        kept = _kept.array = np.empty((BLOCK, points), np.int32)
    return kept


def field_of(lanes: Sequence[Lane], raster: RasterMap | None, within_m: Box | None = None) -> MapField | None:
    """Return the field of a map, made from its raster, else from its lanes; None if there is nothing to draw.

    Lanes are drawn in the style of nuScenes' rasters (see draw_borders). within_m: of the lanes, only what touches this
    box; None: everything. Raises InputError if that covers too large an area.
    """
    if raster is not None:
        drawn = {name: getattr(raster, name) for name in CHANNELS}
        present = {name: pixels for name, pixels in drawn.items() if pixels is not None}
        return make_field(raster.origin_m, raster.pixels_per_m, present, raster.direction)
    borders = borders_of(lanes, within_m)
    return make_field(*draw_borders(borders)) if borders else None


def empty_field(pixels_per_m: float) -> MapField:
    """Return a field of one pixel in which there is nothing."""
    return make_field(np.zeros(2), pixels_per_m, {"drivable": np.zeros((1, 1), np.bool_)})


def make_field(
    origin_m: FloatArray,
    pixels_per_m: float,
    drawn: dict[str, BoolArray],
    direction: NDArray[np.int8] | None = None,
    *,
    field_pixels_per_m: float = FIELD_PIXELS_PER_M,
) -> MapField:
    """Return the field of drawn channels, each (X, Y) bool; a missing channel is empty.

    direction (X, Y, 2): in the encoding of RasterMap. The field keeps every n-th pixel of the raster, with n as large
    as field_pixels_per_m permits, and 1 where the raster is coarser than that. The remainder at the far edges of the
    raster, less than half a pixel of the field, lies outside the field.
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
            rows_kept = slice(first + middle[0] - low, end - low, every)
            measure = signed_distance_px if i == 0 else distance_px
            sparse = measure(mask[low : end + halo], reach, (rows_kept, slice(middle[1] + 1, rows + 1, every)))
            begin = start // every + 1
            field[begin : begin + len(sparse), 1:-1, i] = np.rint(sparse * (INT8_MAX / reach))
    for border in (field[0], field[-1], field[:, 0], field[:, -1]):
        border[:] = OUTSIDE_MAP
    ways = None
    if direction is not None:
        ways = np.zeros((*field.shape[:2], 2), np.int8)
        ways[1:-1, 1:-1] = direction[middle[0] :: every, middle[1] :: every]
    begin_px = middle + 0.5 - 0.5 * every  # of the first kept pixel, which covers several drawn ones
    return MapField(np.asarray(origin_m, np.float64) + begin_px / pixels_per_m, pixels_per_m / every, field, ways)
