"""What is around each object at one instant: the map as it sees it, and its nearest neighbours.

Training, evaluation and the road build it with the same functions, from the present and the past only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trajnet.arrays import StructOfArrays
from trajnet.columns import NEIGHBOUR_COLUMNS
from trajnet.config import require
from trajnet.context.map_field import INT8_MAX, MapField, MapView, field_of
from trajnet.types import BoolArray, FloatArray, IntArray, Scene

#: Objects farther away than this are no neighbours (m).
NEIGHBOUR_REACH_M = 40.0


@dataclass(frozen=True)
class InputRequirements:
    """What a predictor takes of the surroundings of an object.

    view: the sample points of the map, or None where the predictor uses no map.
    neighbours: how many of the nearest objects, 0 for none.
    """

    view: MapView | None = None
    neighbours: int = 0

    def __post_init__(self) -> None:
        require(self.neighbours >= 0, f"neighbours: expected at least 0, got {self.neighbours}")

    def __bool__(self) -> bool:
        return self.view is not None or self.neighbours > 0


#: Added to squared distances, so that they have a logarithm (m^2).
CLOSEST_M2 = 1e-2
#: No neighbour is faster along an axis (m/s): what float32 does not hold would spoil whoever sees it.
FASTEST_MPS = 1e6
#: Yaws of the axes: the cosine of what a yaw differs from them is its heading.
_X_AND_Y_RAD = np.array([0.0, 0.5 * np.pi])
#: Offset, velocity, heading and size of a neighbour are differences of rows; the other columns follow from them.
_DIFFERENCES = slice(0, NEIGHBOUR_COLUMNS.log_distance.start)
_LOG_DISTANCE, _VALID = NEIGHBOUR_COLUMNS.log_distance.start, NEIGHBOUR_COLUMNS.valid.start


@dataclass(frozen=True, eq=False)
class Surroundings(StructOfArrays):
    """What N objects see, with k neighbours each, the nearest first.

    map_distance (N, *view.shape, 4) int8: MapField.sample; (N, 0, 0, 0, 4) where no map is wanted. map_valid (N,):
    whether a map was there that covers the place. neighbours (N, k, columns of NEIGHBOUR_COLUMNS) float32.
    """

    map_distance: NDArray[np.int8]
    map_valid: BoolArray
    neighbours: NDArray[np.float32]


def scene_field(scene: Scene, requirements: InputRequirements) -> MapField | None:
    """Return the scene's map, or None where the scene has none or no map is required."""
    return field_of(scene.lanes, scene.raster) if requirements.view is not None else None


def surroundings_of(
    requirements: InputRequirements,
    field: MapField | None,
    position_m: FloatArray,
    yaw_rad: FloatArray,
    velocity_mps: FloatArray,
    size_m: FloatArray,
) -> Surroundings:
    """What N objects of one instant see, each of them a possible neighbour of the others.

    position_m (N, 2), yaw_rad (N,), velocity_mps (N, 2), size_m (N, 2).
    """
    distance, seen = map_around(requirements.view, field, position_m, yaw_rad)
    return Surroundings(
        distance, seen, neighbours_of(requirements.neighbours, position_m, yaw_rad, velocity_mps, size_m)
    )


def map_around(
    view: MapView | None, field: MapField | None, position_m: FloatArray, yaw_rad: FloatArray
) -> tuple[NDArray[np.int8], BoolArray]:
    """Return map_distance and map_valid of N objects.

    Where nothing drivable is within reach of any point of an object's view, the map does not say that the object is off
    the road: it does not cover the place. Such an object has no map.
    """
    count = len(yaw_rad)
    if view is None or field is None:
        return np.zeros((count, *(view.shape if view else (0, 0, 0)), 4), np.int8), np.zeros(count, np.bool_)
    sampled = field.sample(position_m, yaw_rad, view)
    return sampled, covers_place(sampled)


def covers_place(map_distance: NDArray[np.int8]) -> BoolArray:
    """Return (N,): whether any point in view, (N, *view.shape, 4), is less than REACH_M from drivable area."""
    flat = map_distance.reshape(len(map_distance), math.prod(map_distance.shape[1:4]), 4)  # one axis is twice as fast
    covered: BoolArray = flat[..., 0].max(axis=1, initial=-INT8_MAX) > -INT8_MAX
    return covered


def neighbours_of(
    count: int, position_m: FloatArray, yaw_rad: FloatArray, velocity_mps: FloatArray, size_m: FloatArray
) -> NDArray[np.float32]:
    """(N, count, columns of NEIGHBOUR_COLUMNS): the ``count`` objects nearest to each."""
    shape = (len(yaw_rad), count, len(NEIGHBOUR_COLUMNS))
    if count == 0 or len(yaw_rad) < 2:
        return np.zeros(shape, np.float32)
    other, valid = nearest(position_m, count)
    heading = np.cos(yaw_rad[:, None] - _X_AND_Y_RAD)
    velocity_mps = np.minimum(np.maximum(velocity_mps, -FASTEST_MPS), FASTEST_MPS)
    own = np.concatenate([position_m, velocity_mps, heading, np.log(size_m)], axis=1)
    here = np.zeros_like(own)  # of all columns, as slices of two of them would be slow
    here[:, NEIGHBOUR_COLUMNS.offset_m] = position_m
    neighbours = np.empty(shape, np.float32)
    with np.errstate(over="ignore", invalid="ignore"):  # of objects at absurd places
        near = own.take(other, axis=0, mode="clip")
        near -= here[:, None]
        neighbours[..., _DIFFERENCES] = near
        squared_m2 = np.square(near[..., 0])
        squared_m2 += np.square(near[..., 1])
        squared_m2 += CLOSEST_M2
        np.log(squared_m2, out=neighbours[..., _LOG_DISTANCE], casting="same_kind")
    neighbours[..., _VALID] = 1.0
    if not valid.all():
        neighbours[~valid] = 0.0
    return neighbours


#: What a float32 squared distance of the reach is as a whole number: positive floats sort as their bits do.
_REACH_BITS = int(np.float32(NEIGHBOUR_REACH_M**2).view(np.int32))
#: The key that sorts behind every neighbour.
_NO_NEIGHBOUR = np.iinfo(np.int32).max
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
        key &= _NO_NEIGHBOUR & ~row_bits  # the sign goes, too: that of what is not a number may be set
        key |= rows
        key[rows[: len(key)], rows[block]] = _NO_NEIGHBOUR
        key.sort(axis=1)  # of whole numbers this is faster than looking for the first few only
        np.bitwise_and(key[:, :wide], row_bits, out=other[block, :wide])
        np.less_equal(key[:, :wide], limit, out=valid[block, :wide])
    return other, valid
