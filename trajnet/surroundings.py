"""What is around each object at one instant: the map as it sees it, and its nearest neighbours.

Training, evaluation and the road build it with the same functions, from the present and the past only.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from trajnet.config import require
from trajnet.maps import MapField, MapView
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


@dataclass(frozen=True, eq=False)
class Surroundings:
    """Of N objects, k neighbours each, the nearest first. Axes of the map, relative to the object's own position.

    map_distance (N, A, B, 4) int8: MapField.sample; (N, 0, 0, 4) where no map is wanted. map_valid (N,): whether a map
    was there. neighbour_offset_m (N, k, 2), neighbour_yaw_rad (N, k), neighbour_velocity_mps (N, k, 2),
    neighbour_size_m (N, k, 2), neighbour_valid (N, k): zeros (size 1 m) where not valid.
    """

    map_distance: NDArray[np.int8]
    map_valid: BoolArray
    neighbour_offset_m: FloatArray
    neighbour_yaw_rad: FloatArray
    neighbour_velocity_mps: FloatArray
    neighbour_size_m: FloatArray
    neighbour_valid: BoolArray

    def __len__(self) -> int:
        return len(self.map_valid)

    def __getitem__(self, rows: IntArray | slice) -> Surroundings:
        """Only these rows, in this order."""
        return Surroundings(*(getattr(self, f.name)[rows] for f in fields(self)))


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
    return Surroundings(distance, seen, *neighbours_of(needs.neighbours, position_m, yaw_rad, velocity_mps, size_m))


def map_around(
    view: MapView | None, field: MapField | None, position_m: FloatArray, yaw_rad: FloatArray
) -> tuple[NDArray[np.int8], BoolArray]:
    """map_distance and map_valid of N objects."""
    count = len(yaw_rad)
    if view is None or field is None:
        return np.zeros((count, *(view.shape if view else (0, 0)), 4), np.int8), np.zeros(count, np.bool_)
    return field.sample(position_m, yaw_rad, view), np.ones(count, np.bool_)


def neighbours_of(
    count: int, position_m: FloatArray, yaw_rad: FloatArray, velocity_mps: FloatArray, size_m: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, BoolArray]:
    """Offset, yaw, velocity, size and validity, as Surroundings has them, of the ``count`` objects nearest to each."""
    objects = len(yaw_rad)
    offset, yaw = np.zeros((objects, count, 2)), np.zeros((objects, count))
    velocity, size = np.zeros((objects, count, 2)), np.ones((objects, count, 2))
    valid = np.zeros((objects, count), np.bool_)
    if count and objects > 1:
        own, other, place = nearest_pairs(position_m, count)
        offset[own, place] = position_m[other] - position_m[own]
        yaw[own, place] = yaw_rad[other]
        velocity[own, place] = velocity_mps[other]
        size[own, place] = size_m[other]
        valid[own, place] = True
    return offset, yaw, velocity, size, valid


def nearest_pairs(position_m: FloatArray, count: int) -> tuple[IntArray, IntArray, IntArray]:
    """Pairs (P,) of an object and one of its ``count`` nearest within NEIGHBOUR_REACH_M, and its place among them.

    Distances are float32 from the middle of the scene: what is near is near to a centimetre. Equally near ones are
    taken in the order of their rows. An object whose position is not finite is nobody's neighbour.
    """
    objects = len(position_m)
    finite: BoolArray = np.asarray(np.isfinite(position_m).all(axis=1))
    middle = np.median(position_m[finite], axis=0) if finite.any() else np.zeros(2)
    with np.errstate(over="ignore", invalid="ignore"):  # absurd positions become infinite, and nobody's neighbour
        x, y = np.where(finite[:, None], position_m - middle, np.nan).astype(np.float32).T
        squared = np.subtract.outer(x, x) ** 2
        squared += np.subtract.outer(y, y) ** 2
    np.fill_diagonal(squared, np.inf)
    np.nan_to_num(squared, copy=False, nan=np.inf, posinf=np.inf)
    limit = np.full(objects, np.float32(NEIGHBOUR_REACH_M**2))
    if count < objects:
        np.minimum(limit, np.partition(squared, count - 1, axis=1)[:, count - 1], out=limit)
    own, other = np.nonzero(squared <= limit[:, None])
    order = np.lexsort((other, squared[own, other], own))
    own, other = own[order], other[order]
    place = np.arange(len(own)) - np.searchsorted(own, np.arange(objects))[own]
    kept = place < count
    return own[kept], other[kept], place[kept]


def past_velocity(
    position_m: FloatArray,
    previous_position_m: FloatArray,
    dt_s: FloatArray,
    velocity_mps: FloatArray,
    velocity_valid: BoolArray,
) -> FloatArray:
    """(N, 2) m/s as an onlooker knows it: measured, else from the last displacement, else 0 (dt_s 0: none before)."""
    moving = dt_s > 0
    derived = (position_m - previous_position_m) / np.where(moving, dt_s, 1.0)[:, None]
    known = velocity_valid | moving
    return np.where(known[:, None], np.where(velocity_valid[:, None], velocity_mps, derived), 0.0)
