"""A rectangle of the map and the pixels that show it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trajnet.types import BoolArray, FloatArray

#: Lengths of scale bars, m.
_BARS_M = (1, 2, 5, 10, 20, 50, 100, 200, 500)


@dataclass(frozen=True, eq=False)
class Viewport:
    """centre_m (2,): the middle, map frame. scale: pixels for each metre. y grows downwards in pixels."""

    centre_m: FloatArray
    scale: float
    width_px: int
    height_px: int

    @classmethod
    def around(
        cls, points_m: FloatArray, width_px: int, height_px: int, *, margin_m: float, least_m: float
    ) -> Viewport:
        """Return the closest view with all points (P, 2) in it. least_m: of the map, along the shorter side."""
        finite = points_m[np.isfinite(points_m).all(axis=1)] if len(points_m) else points_m
        if not len(finite):
            finite = np.zeros((1, 2))
        low_m, high_m = finite.min(axis=0) - margin_m, finite.max(axis=0) + margin_m
        size_px = np.array([width_px, height_px])
        needs_m = np.maximum(high_m - low_m, least_m * size_px / size_px.min())
        return cls(0.5 * (low_m + high_m), float((size_px / needs_m).min()), width_px, height_px)

    def px(self, points_m: FloatArray) -> FloatArray:
        """Return points (..., 2) of the map frame in pixels."""
        turned: FloatArray = (points_m - self.centre_m) * np.array([self.scale, -self.scale])
        middle_px = 0.5 * np.array([self.width_px, self.height_px], np.float64)
        shown: FloatArray = turned + middle_px
        return shown

    def shows(self, points_m: FloatArray) -> bool:
        """Return whether the box around points (P, 2) touches what is shown."""
        if not len(points_m):
            return False
        half_m = 0.5 * np.array([self.width_px, self.height_px]) / self.scale
        low_m, high_m = points_m.min(axis=0), points_m.max(axis=0)
        return bool(((high_m >= self.centre_m - half_m) & (low_m <= self.centre_m + half_m)).all())

    def inside(self, points_px: FloatArray) -> BoolArray:
        """Return which of points (P, 2) in pixels are shown."""
        inside: BoolArray = np.all((points_px >= 0) & (points_px <= [self.width_px, self.height_px]), axis=-1)
        return inside

    def bar_m(self) -> int:
        """Return a round length for a scale bar: at most a quarter of the width."""
        fits = [length for length in _BARS_M if length * self.scale <= 0.25 * self.width_px]
        return fits[-1] if fits else _BARS_M[0]


def corners(position_m: FloatArray, yaw_rad: FloatArray, size_m: FloatArray) -> FloatArray:
    """Return the corners (N, 4, 2) of boxes: position_m (N, 2), yaw_rad (N,), size_m (N, 2), map frame."""
    half_m = 0.5 * size_m[:, None] * np.array([[1, 1], [1, -1], [-1, -1], [-1, 1]])
    cos, sin = np.cos(yaw_rad)[:, None], np.sin(yaw_rad)[:, None]
    x, y = half_m[..., 0], half_m[..., 1]
    turned: FloatArray = np.stack([cos * x - sin * y, sin * x + cos * y], axis=-1)
    return position_m[:, None] + turned
