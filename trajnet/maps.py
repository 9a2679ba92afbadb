"""What a map says around an object: distance fields made once per map, sampled on a grid in the object's own frame.

One interface for every source: a raster (nuScenes) or lanes (CommonRoad, bundled scenes), drawn into the same channels.
A distance field holds more than a drawing: a line that lies between two sample points is still felt, so the grid may be
coarse and the sampling is one gather for all objects at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trajnet.config import require
from trajnet.drawing import draw_lanes
from trajnet.types import BoolArray, FloatArray, Lane, RasterMap

#: drivable: signed distance to the edge of the drivable area, positive inside. The others: distance to the next line.
CHANNELS = ("drivable", "road_divider", "lane_divider")
#: Distances beyond this are all the same (m).
REACH_M = 8.0
#: int8 value of REACH_M.
FULL = 127


@dataclass(frozen=True)
class MapView:
    """The sample points around an object: a grid in its own frame, x forward, y to its left.

    ahead_m, behind_m, side_m: how far it reaches from the object's centre. step_m: spacing.
    """

    ahead_m: float = 60.0
    behind_m: float = 12.0
    side_m: float = 24.0
    step_m: float = 2.0

    def __post_init__(self) -> None:
        for name in ("ahead_m", "behind_m", "side_m", "step_m"):
            value = getattr(self, name)
            require(np.isfinite(value) and value > 0, f"map.{name}: expected a number above 0, got {value}")

    @property
    def shape(self) -> tuple[int, int]:
        """(A, B): points along x and along y."""
        return round((self.ahead_m + self.behind_m) / self.step_m) + 1, round(2 * self.side_m / self.step_m) + 1

    def axes_m(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(A,) from behind to ahead and (B,) from right to left."""
        rows, columns = self.shape
        ahead = -self.behind_m + self.step_m * np.arange(rows, dtype=np.float32)
        left = -self.side_m + self.step_m * np.arange(columns, dtype=np.float32)
        return ahead, left

    def points_m(self) -> FloatArray:
        """(A, B, 2), from behind to ahead and from right to left."""
        return np.stack(np.meshgrid(*self.axes_m(), indexing="ij"), axis=-1).astype(np.float64)


@dataclass(frozen=True, eq=False)
class MapField:
    """Distances (X, Y, 4) int8, indexed [x, y]: the CHANNELS in units of REACH_M / FULL, the last unused.

    pixel = (position_m - origin_m) * pixels_per_m. Beyond the field nothing is drivable and no line is near.
    """

    origin_m: FloatArray
    pixels_per_m: float
    distance: NDArray[np.int8]

    def sample(self, position_m: FloatArray, yaw_rad: FloatArray, view: MapView) -> NDArray[np.int8]:
        """What N objects at position_m (N, 2) with yaw_rad (N,) see -> (N, A, B, 4) int8.

        An object whose position or yaw is not finite sees what lies beyond the field.
        """
        position_m, yaw_rad = np.asarray(position_m, np.float64), np.asarray(yaw_rad, np.float64)
        known = np.isfinite(yaw_rad) & np.isfinite(position_m).all(axis=1)
        yaw_rad = np.where(known, yaw_rad, 0.0)
        turn = (np.stack([np.cos(yaw_rad), np.sin(yaw_rad)]) * self.pixels_per_m).astype(np.float32)
        columns, rows = self.distance.shape[:2]
        # A border of one pixel holds what lies beyond the field; float64 until the origin is subtracted. Positions far
        # beyond are brought near, where float32 holds them, and still see nothing of the field.
        reach = (view.ahead_m + view.behind_m + view.side_m) * self.pixels_per_m
        start = (np.where(known[:, None], position_m, -np.inf) - self.origin_m) * self.pixels_per_m + 1.0
        start = np.clip(start, -reach, np.array([columns, rows]) + reach).astype(np.float32)
        ahead, left = view.axes_m()
        # Pixels are sums of one term for the row of the grid and one for its column.
        x = (turn[0, :, None] * ahead + start[:, :1])[:, :, None] - (turn[1, :, None] * left)[:, None]
        y = (turn[1, :, None] * ahead + start[:, 1:])[:, :, None] + (turn[0, :, None] * left)[:, None]
        index = np.clip(x, 0.0, columns - 1.0, out=x).astype(np.int32)
        index *= np.int32(rows)
        index += np.clip(y, 0.0, rows - 1.0, out=y).astype(np.int32)
        pixel = self.distance.reshape(-1, 4).view(np.int32).reshape(-1)
        return pixel.take(index, mode="clip").view(np.int8).reshape(len(yaw_rad), *view.shape, 4)


def field_of(lanes: Sequence[Lane], raster: RasterMap | None) -> MapField | None:
    """The field of a scene's map: of its raster, else of its lanes, else None.

    Lanes are drawn as nuScenes draws its rasters (see draw_lanes). InputError if they spread over too large an area.
    """
    if raster is not None:
        drawn = {name: getattr(raster, name) for name in CHANNELS}
        present = {name: pixels for name, pixels in drawn.items() if pixels is not None}
        return make_field(raster.origin_m, raster.pixels_per_m, present)
    if not any(lane.drivable for lane in lanes):
        return None
    return make_field(*draw_lanes(lanes))


def make_field(origin_m: FloatArray, pixels_per_m: float, drawn: dict[str, BoolArray]) -> MapField:
    """The field of drawn channels, each (X, Y) bool; a channel that is missing is drawn nowhere."""
    shape = next(iter(drawn.values())).shape
    reach = REACH_M * pixels_per_m
    field = np.zeros((shape[0] + 2, shape[1] + 2, 4), np.int8)
    for i, name in enumerate(CHANNELS):
        mask = np.zeros((shape[0] + 2, shape[1] + 2), np.bool_)
        if name in drawn:
            mask[1:-1, 1:-1] = drawn[name]
        distance = distance_px(mask, reach)
        if i == 0:
            distance = np.where(mask, distance_px(~mask, reach), -distance)
        field[..., i] = np.rint(distance * (FULL / reach))
    for border in (field[0], field[-1], field[:, 0], field[:, -1]):
        border[:] = (-FULL, FULL, FULL, 0)
    return MapField(np.asarray(origin_m, np.float64), float(pixels_per_m), field)


def distance_px(mask: BoolArray, reach: float) -> NDArray[np.float32]:
    """(X, Y) distance in pixels to the nearest True pixel, at most reach. Exact: first along y, then along x.

    Separable as in Saito and Toriwaki 1994 (Pattern Recognition 27): the least of dy^2 + dx^2.
    """
    radius = int(np.ceil(reach))
    whole = np.int16 if 2 * (radius + 1) ** 2 < 2**15 else np.int32  # whole squares: short ones are faster
    place = np.arange(mask.shape[1], dtype=np.int32)
    before = np.maximum.accumulate(np.where(mask, place, -radius - 1), axis=1)
    after = np.minimum.accumulate(np.where(mask, place, mask.shape[1] + radius)[:, ::-1], axis=1)[:, ::-1]
    first = np.minimum(np.minimum(place - before, after - place), radius + 1).astype(whole) ** 2
    best, there = first.copy(), np.empty_like(first)
    for shift in range(1, min(radius + 1, len(mask))):
        np.add(first, whole(shift * shift), out=there)
        np.minimum(best[shift:], there[:-shift], out=best[shift:])
        np.minimum(best[:-shift], there[shift:], out=best[:-shift])
    return np.sqrt(np.minimum(best.astype(np.float32), np.float32(reach * reach)))
