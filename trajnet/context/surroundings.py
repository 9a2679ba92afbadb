"""What is around each object at one instant: the map as it sees it, and its nearest neighbours.

Training, evaluation and the road build it with the same functions, from the present and the past only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trajnet.arrays import StructOfArrays
from trajnet.config import require
from trajnet.context.map_field import MapField, MapView
from trajnet.types import BoolArray, FloatArray, IntArray

#: Whoever is further away than this is no neighbour (m).
NEIGHBOUR_REACH_M = 40.0


@dataclass(frozen=True)
class Needs:
    """What a predictor wants to know of the surroundings. view: the map's sample points, or None. neighbours: how many
    of the nearest objects, 0 for none."""

    view: MapView | None = None
    neighbours: int = 0

    def __post_init__(self) -> None:
        require(self.neighbours >= 0, f"neighbours: expected at least 0, got {self.neighbours}")

    def __bool__(self) -> bool:
        return self.view is not None or self.neighbours > 0


#: The columns of a neighbour: SI units, map axes. offset: from the object to it; heading: cosine and sine of its yaw;
#: log_distance: of the squared offset in m^2 and CLOSEST_M2. All 0 where valid is 0, 1 else.
NEIGHBOUR: tuple[str, ...] = (
    "offset_x_m", "offset_y_m", "velocity_x_mps", "velocity_y_mps", "heading_x", "heading_y", "log_length", "log_width",
    "log_distance", "valid",
)  # fmt: skip
#: Added to squared distances, so that they have a logarithm (m^2).
CLOSEST_M2 = 1e-2
#: No neighbour is faster along an axis (m/s): what float32 does not hold would spoil whoever sees it.
FASTEST_MPS = 1e6
#: Yaws of the axes: the cosine of what a yaw differs from them is its heading.
_X_AND_Y_RAD = np.array([0.0, 0.5 * np.pi])


@dataclass(frozen=True, eq=False)
class Surroundings(StructOfArrays):
    """What N objects see, with k neighbours each, the nearest first.

    map_distance (N, *view.shape, 4) int8: MapField.sample; (N, 0, 0, 0, 4) where no map is wanted. map_valid (N,):
    whether a map was there. neighbours (N, k, columns of NEIGHBOUR) float32.
    """

    map_distance: NDArray[np.int8]
    map_valid: BoolArray
    neighbours: NDArray[np.float32]


def surroundings_of(
    needs: Needs,
    field: MapField | None,
    position_m: FloatArray,
    yaw_rad: FloatArray,
    velocity_mps: FloatArray,
    size_m: FloatArray,
) -> Surroundings:
    """What N objects of one instant see, each of them a possible neighbour of the others.

    position_m (N, 2), yaw_rad (N,), velocity_mps (N, 2), size_m (N, 2).
    """
    distance, seen = map_around(needs.view, field, position_m, yaw_rad)
    return Surroundings(distance, seen, neighbours_of(needs.neighbours, position_m, yaw_rad, velocity_mps, size_m))


def map_around(
    view: MapView | None, field: MapField | None, position_m: FloatArray, yaw_rad: FloatArray
) -> tuple[NDArray[np.int8], BoolArray]:
    """map_distance and map_valid of N objects."""
    count = len(yaw_rad)
    if view is None or field is None:
        return np.zeros((count, *(view.shape if view else (0, 0, 0)), 4), np.int8), np.zeros(count, np.bool_)
    return field.sample(position_m, yaw_rad, view), np.ones(count, np.bool_)


def neighbours_of(
    count: int, position_m: FloatArray, yaw_rad: FloatArray, velocity_mps: FloatArray, size_m: FloatArray
) -> NDArray[np.float32]:
    """(N, count, columns of NEIGHBOUR): the ``count`` objects nearest to each."""
    shape = (len(yaw_rad), count, len(NEIGHBOUR))
    if count == 0 or len(yaw_rad) < 2:
        return np.zeros(shape, np.float32)
    other, valid = nearest(position_m, count)
    heading = np.cos(yaw_rad[:, None] - _X_AND_Y_RAD)
    velocity_mps = np.minimum(np.maximum(velocity_mps, -FASTEST_MPS), FASTEST_MPS)
    own = np.concatenate([position_m, velocity_mps, heading, np.log(size_m)], axis=1)
    here = np.zeros_like(own)  # of all columns, as slices of two of them would be slow
    here[:, :2] = position_m
    neighbours = np.empty(shape, np.float32)
    with np.errstate(over="ignore", invalid="ignore"):  # of objects at absurd places
        near = own.take(other, axis=0, mode="clip")
        near -= here[:, None]
        neighbours[..., :8] = near
        squared_m2 = np.square(near[..., 0])
        squared_m2 += np.square(near[..., 1])
        squared_m2 += CLOSEST_M2
        np.log(squared_m2, out=neighbours[..., 8], casting="same_kind")
    neighbours[..., 9] = 1.0
    if not valid.all():
        neighbours[~valid] = 0.0
    return neighbours


#: What a float32 squared distance of the reach is as a whole number: positive floats sort as their bits do.
_REACH_BITS = int(np.float32(NEIGHBOUR_REACH_M**2).view(np.int32))
_NOBODY = np.iinfo(np.int32).max
#: Objects whose neighbours are sought at once: their distances stay within a core's cache.
BLOCK = 64


def nearest(position_m: FloatArray, count: int) -> tuple[IntArray, BoolArray]:
    """Rows (N, count) of the objects nearest to each of N, the nearest first, and which are within NEIGHBOUR_REACH_M.

    Distances are float32 whose last bits give way to the other's row, so that one sort of whole numbers finds the rows:
    for up to 256 objects their squares are right to 3 parts in 100,000. Equally near ones come in the order of their
    rows. An object whose position is not finite is nobody's neighbour.
    """
    objects = len(position_m)
    x, y = np.ascontiguousarray(np.transpose(position_m))
    rows = np.arange(objects, dtype=np.int32)
    row_bits = (1 << (objects - 1).bit_length()) - 1
    limit, wide = _REACH_BITS | row_bits, min(count, objects)
    other, valid = np.zeros((objects, count), np.int64), np.zeros((objects, count), np.bool_)
    for begin in range(0, objects, BLOCK):
        block = slice(begin, begin + BLOCK)
        with np.errstate(over="ignore", invalid="ignore"):  # not finite: beyond every reach, as whole numbers are, too
            squared, aside = np.empty((2, len(x[block]), objects), np.float32)
            np.subtract(x[block, None], x, out=squared)
            np.subtract(y[block, None], y, out=aside)
            squared *= squared
            aside *= aside
            squared += aside
        key = squared.view(np.int32)
        key &= _NOBODY & ~row_bits  # the sign goes, too: that of what is not a number may be set
        key |= rows
        key[rows[: len(key)], rows[block]] = _NOBODY
        key.sort(axis=1)  # of whole numbers this is faster than looking for the first few only
        np.bitwise_and(key[:, :wide], row_bits, out=other[block, :wide])
        np.less_equal(key[:, :wide], limit, out=valid[block, :wide])
    return other, valid
