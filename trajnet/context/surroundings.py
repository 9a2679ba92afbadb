"""The surroundings of each object at one instant: the map sampled in its own frame, and its nearest neighbours.

Training, evaluation and live operation use the same functions, with present and past data only.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trajnet.arrays import StructOfArrays, all_true
from trajnet.columns import NEIGHBOUR_COLUMNS
from trajnet.config import require
from trajnet.context.map_field import INT8_MAX, MapField, MapView, field_of
from trajnet.context.rasterize import MARGIN_M, Box
from trajnet.errors import InputError
from trajnet.types import BoolArray, FloatArray, IntArray, Scene

log = logging.getLogger(__name__)

#: Lanes are drawn as far from the places of a scene's objects (m), or as far as anybody sees where that is further.
MAP_MARGIN_M = 200.0
#: Neighbours farther than this are ignored (m).
NEIGHBOUR_REACH_M = 40.0


@dataclass(frozen=True)
class InputRequirements:
    """The surroundings that a predictor requires.

    view: the sample points of the map, or None where the predictor uses no map.
    neighbours: number of nearest objects, 0 for none. all_agents: whether the predictor learned from all agents that
    were there as neighbours: where a benchmark's files list some of them, the others come from a recording beside them.
    """

    view: MapView | None = None
    neighbours: int = 0
    all_agents: bool = False

    def __post_init__(self) -> None:
        require(self.neighbours >= 0, f"neighbours: expected at least 0, got {self.neighbours}")

    def __bool__(self) -> bool:
        return self.view is not None or self.neighbours > 0


#: Of the points of a map, these are looked at first.
_LOOK_AT_EVERY = 8
#: Added to squared distances to keep their logarithm finite (m^2).
CLOSEST_M2 = 1e-2
#: Velocities are clipped to this along each axis (m/s): an overflow of float32 would spoil other objects' inputs.
FASTEST_MPS = 1e6
#: Yaws of the axes: cosines of the differences from them are the heading vector, (cos yaw, sin yaw).
_X_AND_Y_RAD = np.array([0.0, 0.5 * np.pi])
#: Columns that are differences of two rows (offset, velocity, heading, size); the other columns follow from them.
_DIFFERENCES = slice(0, NEIGHBOUR_COLUMNS.log_distance.start)
_LOG_DISTANCE, _VALID = NEIGHBOUR_COLUMNS.log_distance.start, NEIGHBOUR_COLUMNS.valid.start


@dataclass(frozen=True, eq=False)
class Surroundings(StructOfArrays):
    """The surroundings of N objects, with k neighbours each, nearest first.

    map_distance (N, *view.shape, 4) int8: MapField.sample; (N, 0, 0, 0, 4) where no map is required. map_valid (N,):
    whether there was a map that covers the place. neighbours (N, k, columns of NEIGHBOUR_COLUMNS) float32.
    """

    map_distance: NDArray[np.int8]
    map_valid: BoolArray
    neighbours: NDArray[np.float32]


def scene_field(scene: Scene, requirements: InputRequirements) -> MapField | None:
    """Return the scene's map; None where it has none, none is required, or (logged) what it has cannot be drawn."""
    if requirements.view is None:
        return None
    field, problem = scene_map(scene, requirements.view)
    if problem:
        log.warning("scene %s is used without its map: %s", scene.scene_id, problem)
    return field


def scene_map(scene: Scene, view: MapView | None = None) -> tuple[MapField | None, str]:
    """Return the map around the scene's objects, and why there is none although the scene has lanes ("" otherwise).

    Lanes out of reach are left out, so that a stray one does no harm and a map may be that of a whole town. Objects see
    the same as if all were drawn (unless that took coarser pixels), whatever the view. view: who samples the map.
    """
    try:
        field = field_of(scene.lanes, scene.raster, _reach_of(scene, view))
    except InputError as error:
        return None, str(error)
    return field, "" if field is not None or not scene.lanes else _nothing_drawn(scene)


def _reach_of(scene: Scene, view: MapView | None) -> Box | None:
    """Return the box within which a scene's objects may see a map; None for a scene without any."""
    if not len(scene.position_m):
        return None
    margin_m = max(MAP_MARGIN_M, 0.0 if view is None else view.furthest_m + 2.0 * MARGIN_M)
    return scene.position_m.min(axis=0) - margin_m, scene.position_m.max(axis=0) + margin_m


def _nothing_drawn(scene: Scene) -> str:
    drivable = [lane for lane in scene.lanes if lane.drivable]
    if any(lane.sides_m is not None for lane in drivable):
        return (
            f"lanes: expected some near the objects, got {len(drivable)}, all of them {MAP_MARGIN_M:g} m or more away"
        )
    return (
        "lanes: expected some that vehicles may use, with two points on each side or on their centre line, got none "
        f"among {len(scene.lanes)}"
    )


def surroundings_of(
    requirements: InputRequirements,
    field: MapField | None,
    position_m: FloatArray,
    yaw_rad: FloatArray,
    velocity_mps: FloatArray,
    size_m: FloatArray,
    rows: IntArray | None = None,
) -> Surroundings:
    """Return the surroundings of N objects at one instant, each of them a possible neighbour of the others.

    position_m (N, 2), yaw_rad (N,), velocity_mps (N, 2), size_m (N, 2): map frame. rows (R,): of these only; None: all.
    """
    here_m, here_rad = (position_m, yaw_rad) if rows is None else (position_m[rows], yaw_rad[rows])
    distance, seen = map_around(requirements.view, field, here_m, here_rad)
    return Surroundings(
        distance, seen, neighbours_of(requirements.neighbours, position_m, yaw_rad, velocity_mps, size_m, rows)
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
    distance = flat[..., 0]
    some: BoolArray = np.maximum.reduce(distance[:, ::_LOOK_AT_EVERY], axis=1, initial=-INT8_MAX) > -INT8_MAX
    if all_true(some):  # nearly always: few points tell that there is a road
        return some
    covered: BoolArray = np.maximum.reduce(distance, axis=1, initial=-INT8_MAX) > -INT8_MAX
    return covered


def neighbours_of(
    count: int,
    position_m: FloatArray,
    yaw_rad: FloatArray,
    velocity_mps: FloatArray,
    size_m: FloatArray,
    rows: IntArray | None = None,
) -> NDArray[np.float32]:
    """Return the ``count`` of N objects nearest to each: (N, count, columns of NEIGHBOUR_COLUMNS).

    rows (R,): only those nearest to these, (R, count, columns); None: to all.
    """
    here_m = position_m if rows is None else position_m[rows]
    if count == 0 or len(yaw_rad) < 2:
        return np.zeros((len(here_m), count, len(NEIGHBOUR_COLUMNS)), np.float32)
    own = neighbour_columns(position_m, yaw_rad, velocity_mps, size_m)
    with np.errstate(over="ignore", invalid="ignore"):  # objects at absurd positions
        other, valid = _nearest(position_m, count, rows)
        return _seen_from(here_m, own.take(other, axis=0, mode="clip"), valid)


def neighbour_columns(
    position_m: FloatArray, yaw_rad: FloatArray, velocity_mps: FloatArray, size_m: FloatArray
) -> FloatArray:
    """Return what others see of N objects in the map frame: (N, offset, velocity, heading and size)."""
    heading = np.cos(yaw_rad[:, None] - _X_AND_Y_RAD)
    velocity_mps = np.minimum(np.maximum(velocity_mps, -FASTEST_MPS), FASTEST_MPS)
    return np.concatenate([position_m, velocity_mps, heading, np.log(size_m)], axis=1)


def seen_from(position_m: FloatArray, near: FloatArray, valid: BoolArray) -> NDArray[np.float32]:
    """Return the neighbours (N, k, columns) of objects at position_m (N, 2); zeros where not valid (N, k).

    near (N, k, D): the neighbours' neighbour_columns, which this changes.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # objects at absurd positions
        return _seen_from(position_m, near, valid)


def _seen_from(position_m: FloatArray, near: FloatArray, valid: BoolArray) -> NDArray[np.float32]:
    here = np.zeros((len(position_m), near.shape[-1]))  # all columns: subtracting two slices of them would be slower
    here[:, NEIGHBOUR_COLUMNS.offset_m] = position_m
    neighbours = np.empty((*near.shape[:2], len(NEIGHBOUR_COLUMNS)), np.float32)
    near -= here[:, None]
    neighbours[..., _DIFFERENCES] = near
    squared_m2 = np.square(near[..., 0])
    squared_m2 += np.square(near[..., 1])
    squared_m2 += CLOSEST_M2
    np.log(squared_m2, out=neighbours[..., _LOG_DISTANCE], casting="same_kind")
    neighbours[..., _VALID] = 1.0
    if not all_true(valid):
        flat = neighbours.reshape(-1, neighbours.shape[-1])
        flat[(~valid).reshape(-1).nonzero()[0]] = 0.0  # one index is faster than a mask of two axes
    return neighbours


#: The bits of the squared reach in float32 as an integer: positive floats sort like their bits.
_REACH_BITS = int(np.float32(NEIGHBOUR_REACH_M**2).view(np.int32))
#: The key that sorts behind every neighbour.
_NO_NEIGHBOUR = np.iinfo(np.int32).max
#: Objects whose neighbours are searched for at once: their distances stay within a core's cache.
BLOCK = 64


def nearest(position_m: FloatArray, count: int) -> tuple[IntArray, BoolArray]:
    """Return the rows (N, count) of the nearest objects, nearest first, and a mask of those within NEIGHBOUR_REACH_M.

    The lowest bits of each float32 squared distance are replaced by the other object's row, so that one sort of
    integers finds the rows: for up to 256 objects the squares are accurate to 3 parts in 100,000. Ties are ordered by
    row. An object whose position is not finite is never a valid neighbour. Where the mask is False, the row may not
    exist.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        return _nearest(position_m, count)


def _nearest(position_m: FloatArray, count: int, asked: IntArray | None = None) -> tuple[IntArray, BoolArray]:
    """Do as nearest. asked (R,): only for these rows; None: for all."""
    objects = len(position_m)
    x, y = position_m.T.copy()
    here_x, here_y = (x, y) if asked is None else (x[asked], y[asked])
    rows = np.arange(objects, dtype=np.int32)
    row_bits = (1 << (objects - 1).bit_length()) - 1
    limit, wide = _REACH_BITS | row_bits, min(count, objects)
    keys = np.empty((len(here_x), count), np.int32)
    keys[:, wide:] = _NO_NEIGHBOUR
    for begin in range(0, len(here_x), BLOCK):  # what is not finite sorts beyond the reach as an integer, too
        block = slice(begin, begin + BLOCK)
        squared, aside = np.empty((2, len(here_x[block]), objects), np.float32)
        np.subtract(here_x[block, None], x, out=squared)
        np.subtract(here_y[block, None], y, out=aside)
        squared *= squared
        aside *= aside
        squared += aside
        key = squared.view(np.int32)
        key &= _NO_NEIGHBOUR & ~row_bits  # clears the sign as well, which a NaN may have set
        key |= rows
        if asked is None:
            key.reshape(-1)[begin :: objects + 1] = _NO_NEIGHBOUR  # themselves
        else:
            key[rows[: len(key)], asked[block]] = _NO_NEIGHBOUR
        key.sort(axis=1)  # for integers, a full sort is faster than a partition
        keys[block, :wide] = key[:, :wide]
    return (keys & row_bits).astype(np.int64), keys <= limit
