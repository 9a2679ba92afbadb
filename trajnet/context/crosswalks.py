"""The crosswalks of a map, found around many objects at once: one lookup in a grid, then constant work per object.

A crosswalk is taken for a rectangle: its axis joins the ends of its centre line, its width is that of its ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trajnet.arrays import StructOfArrays
from trajnet.types import FloatArray, IntArray, Lane

#: Objects up to this far from a crosswalk are near it (m).
REACH_M = 10.0
#: An object looks at no more crosswalks than this; at a corner there are two.
MOST_NEAR = 4
#: Side of the grid's cells (m), and the largest number of them; beyond it they are larger.
CELL_M = 4.0
MAX_CELLS = 500_000
#: Shorter or narrower ones are taken for errors of the map (m).
LEAST_LENGTH_M, LEAST_WIDTH_M = 2.0, 0.5


@dataclass(frozen=True, eq=False)
class Crosswalks(StructOfArrays):
    """C crosswalks. begin_m (C, 2): middle of one end. axis (C, 2): unit vector from there to the other end.

    length_m (C,). half_width_m (C,). signal_id (C,): id of the traffic lights, where has_signal (C,).
    """

    begin_m: FloatArray
    axis: FloatArray
    length_m: FloatArray
    half_width_m: FloatArray
    signal_id: IntArray
    has_signal: NDArray[np.bool_]

    def local(self, index: IntArray, position_m: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return where positions are along and across the axis (to its left) of crosswalks index (...).

        position_m (..., 2) or (..., *more, 2): several positions for each crosswalk.
        """
        alike = (...,) + (None,) * (position_m.ndim - 1 - index.ndim)
        begin_m, axis = self.begin_m[index], self.axis[index]
        x_m = position_m[..., 0] - begin_m[..., 0][alike]
        y_m = position_m[..., 1] - begin_m[..., 1][alike]
        axis_x, axis_y = axis[..., 0][alike], axis[..., 1][alike]
        return x_m * axis_x + y_m * axis_y, y_m * axis_x - x_m * axis_y

    def distance_m(self, index: IntArray, position_m: FloatArray) -> FloatArray:
        """Return the distances of positions (..., 2) from the rectangles of crosswalks index (...); 0 on them."""
        along_m, across_m = self.local(index, position_m)
        length_m = self.length_m[index]
        before_m = np.maximum(np.maximum(-along_m, along_m - length_m), 0.0)
        distance_m: FloatArray = np.hypot(before_m, np.maximum(np.abs(across_m) - self.half_width_m[index], 0.0))
        return distance_m


def crosswalks_of(lanes: Sequence[Lane]) -> Crosswalks | None:
    """Return a map's crosswalks; None if it has none that can be used."""
    found = []
    for lane in lanes:
        if not lane.crosswalk or min(len(lane.left_m), len(lane.right_m)) < 2:
            continue
        begin_m, end_m = (0.5 * (lane.left_m[i] + lane.right_m[i]) for i in (0, -1))
        length_m = float(np.hypot(*(end_m - begin_m)))
        width_m = 0.5 * sum(float(np.hypot(*(lane.left_m[i] - lane.right_m[i]))) for i in (0, -1))
        if length_m >= LEAST_LENGTH_M and width_m >= LEAST_WIDTH_M:
            found.append((begin_m, (end_m - begin_m) / length_m, length_m, 0.5 * width_m, lane.signal_id))
    if not found:
        return None
    begins, axes, lengths, halves, signals = zip(*found, strict=True)
    return Crosswalks(
        np.array(begins), np.array(axes), np.array(lengths), np.array(halves),
        np.array([0 if each is None else each for each in signals], np.int64),
        np.array([each is not None for each in signals]),
    )  # fmt: skip


class CrosswalkGrid:
    """Knows for every cell of a map the crosswalks within reach of it, MOST_NEAR at most."""

    def __init__(self, crosswalks: Crosswalks) -> None:
        """Fill the grid: work proportional to the number of crosswalks."""
        self.crosswalks = crosswalks
        ends_m = np.stack(
            [crosswalks.begin_m, crosswalks.begin_m + crosswalks.axis * crosswalks.length_m[:, None]], axis=1
        )
        margin_m = REACH_M + crosswalks.half_width_m[:, None]
        low_m, high_m = ends_m.min(axis=1) - margin_m, ends_m.max(axis=1) + margin_m
        self._low_m: FloatArray = low_m.min(axis=0)
        extent_m = high_m.max(axis=0) - self._low_m
        self._cell_m = max(CELL_M, float(np.sqrt(extent_m.prod() / MAX_CELLS)))
        columns, rows = (np.floor(extent_m / self._cell_m).astype(np.int64) + 1).tolist()
        self._shape = np.array([columns, rows])
        self._near: NDArray[np.int32] = np.full((columns * rows + 1, MOST_NEAR), -1, np.int32)  # the last: off the map
        away_m = np.full((columns * rows + 1, MOST_NEAR), np.inf)
        first = np.floor((low_m - self._low_m) / self._cell_m).astype(np.int64)
        last = np.floor((high_m - self._low_m) / self._cell_m).astype(np.int64)
        for index in range(len(crosswalks.length_m)):
            x, y = (np.arange(first[index, axis], last[index, axis] + 1) for axis in (0, 1))
            self._enter(index, np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1).reshape(-1, 2), away_m)

    def _enter(self, index: int, cell: IntArray, away_m: FloatArray) -> None:
        """Put one crosswalk into cells (P, 2) in place of the farthest; away_m: of those that are there."""
        middle_m = self._low_m + (cell + 0.5) * self._cell_m
        distance_m = self.crosswalks.distance_m(np.full(len(cell), index), middle_m)
        flat = cell[:, 0] * self._shape[1] + cell[:, 1]
        worst = away_m[flat].argmax(axis=1)
        enters = np.flatnonzero(distance_m < np.minimum(away_m[flat, worst], REACH_M + self._cell_m))
        self._near[flat[enters], worst[enters]] = index
        away_m[flat[enters], worst[enters]] = distance_m[enters]

    def near(self, position_m: FloatArray) -> NDArray[np.int32]:
        """Return the crosswalks (N, MOST_NEAR) around positions (N, 2), finite; -1: none. Some are out of reach."""
        cell = np.floor((position_m - self._low_m) / self._cell_m)
        inside = ((cell >= 0) & (cell < self._shape)).all(axis=1)
        flat = np.where(inside, cell[:, 0] * self._shape[1] + cell[:, 1], len(self._near) - 1).astype(np.int64)
        return self._near[flat]
