"""What a map says around an object: distance fields made once per map, sampled on a grid in the object's own frame.

One interface for every source: a raster (nuScenes) or lanes (CommonRoad, bundled scenes), drawn into the same channels.
A distance field holds more than a drawing: a line that lies between two sample points is still felt, so the grid may be
coarse and the sampling is one gather for all objects at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trajnet.config import require
from trajnet.types import BoolArray, FloatArray

#: drivable: signed distance to the edge of the drivable area, positive inside. The others: distance to the nearest line.
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

    def points_m(self) -> FloatArray:
        """(A, B, 2), from behind to ahead and from right to left."""
        rows, columns = self.shape
        x = -self.behind_m + self.step_m * np.arange(rows)
        y = -self.side_m + self.step_m * np.arange(columns)
        return np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1)


@dataclass(frozen=True, eq=False)
class MapField:
    """Distances (X, Y, 4) int8, indexed [x, y]: the CHANNELS in units of REACH_M / FULL, the last unused.

    pixel = (position_m - origin_m) * pixels_per_m. Beyond the field nothing is drivable and no line is near.
    """

    origin_m: FloatArray
    pixels_per_m: float
    distance: NDArray[np.int8]

    def sample(self, position_m: FloatArray, yaw_rad: FloatArray, view: MapView) -> NDArray[np.int8]:
        """What N objects at position_m (N, 2) with yaw_rad (N,) see -> (N, A, B, 4) int8."""
        cos, sin = np.cos(yaw_rad), np.sin(yaw_rad)
        turned = np.stack([cos, -sin, sin, cos], axis=-1).reshape(-1, 2, 2).astype(np.float32)
        local = view.points_m().reshape(-1, 2).T.astype(np.float32)
        start = ((position_m - self.origin_m) * self.pixels_per_m).astype(np.float32)
        # A border of one pixel holds what lies beyond the field.
        pixel = (turned * np.float32(self.pixels_per_m)) @ local + start[..., None] + np.float32(1.0)
        columns = self.distance.shape[1]
        limit = np.array(self.distance.shape[:2], np.float32)[:, None] - 1.0
        index = np.clip(pixel, 0.0, limit).astype(np.int32)
        flat = self.distance.reshape(-1, 4).view(np.int32).reshape(-1)
        return flat[index[:, 0] * columns + index[:, 1]].view(np.int8).reshape(len(yaw_rad), *view.shape, 4)


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
    return MapField(np.asarray(origin_m, np.float64), float(pixels_per_m), field)


def distance_px(mask: BoolArray, reach: float) -> NDArray[np.float32]:
    """(X, Y) distance in pixels to the nearest True pixel, at most reach. Exact: first along y, then along x.

    Separable as in Saito and Toriwaki 1994 (Pattern Recognition 27): the least of dy^2 + dx^2.
    """
    radius = int(np.ceil(reach))
    far = np.float32(reach * reach)
    along = np.where(mask, np.float32(0.0), far)
    first = along.copy()
    for shift in range(1, radius + 1):
        square = np.float32(shift * shift)
        np.minimum(first[:, shift:], np.where(mask[:, :-shift], square, far), out=first[:, shift:])
        np.minimum(first[:, :-shift], np.where(mask[:, shift:], square, far), out=first[:, :-shift])
    best = first.copy()
    for shift in range(1, radius + 1):
        square = np.float32(shift * shift)
        np.minimum(best[shift:], first[:-shift] + square, out=best[shift:])
        np.minimum(best[:-shift], first[shift:] + square, out=best[:-shift])
    return np.sqrt(np.minimum(best, far))
