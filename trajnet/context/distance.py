"""Exact distances to what is drawn in a raster, at all of its pixels or at every n-th of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajnet.types import BoolArray

#: Which rows and columns of a mask are wanted.
Kept = tuple[slice, slice]
_ALL: Kept = (slice(None), slice(None))


def signed_distance_px(mask: BoolArray, reach: float, kept: Kept = _ALL) -> NDArray[np.float32]:
    """Return distances in pixels to the nearest pixel of other value, at most reach; negative outside mask (X, Y).

    kept: the rows and columns of the mask for which they are returned.
    """
    return np.where(mask[kept], distance_px(~mask, reach, kept), -distance_px(mask, reach, kept))


def distance_px(mask: BoolArray, reach: float, kept: Kept = _ALL) -> NDArray[np.float32]:
    """Return the exact distances in pixels to the nearest True pixel of mask (X, Y), at most reach.

    kept: the rows and columns of the mask for which they are returned; fewer cost less.
    Separable as in Saito and Toriwaki 1994 (Pattern Recognition 27), first along y, then along x: the minimum of
    dy^2 + dx^2.
    """
    radius = int(np.ceil(reach))
    whole = np.int16 if 2 * (radius + 1) ** 2 < 2**15 else np.int32  # squares are integers: the narrower type is faster
    square = np.square(_along_y(mask, radius)[:, kept[1]], dtype=whole)
    first, end, every = kept[0].indices(len(mask))
    count = len(range(first, end, every))
    blocks = -(-(len(mask) + 2 * radius) // every)
    around = np.full((blocks * every, square.shape[1]), (radius + 1) ** 2, whole)
    around[radius : radius + len(square)] = square
    # Row by row of the kept ones, those before them, and so on: each is one contiguous stretch.
    of_phase = np.ascontiguousarray(around.reshape(blocks, every, -1).swapaxes(0, 1))

    def shifted(by: int) -> NDArray[Any]:
        block, phase = divmod(radius + first + by, every)
        return of_phase[phase, block : block + count]

    best = shifted(0).copy()
    nearer = np.empty_like(best)
    for shift in range(1, min(radius + 1, len(mask))):
        np.minimum(shifted(-shift), shifted(shift), out=nearer)
        nearer += whole(shift * shift)
        np.minimum(best, nearer, out=best)
    distance: NDArray[np.float32] = np.minimum(best, np.float32(reach * reach), dtype=np.float32)
    np.sqrt(distance, out=distance)
    return distance


def _along_y(mask: BoolArray, radius: int) -> NDArray[Any]:
    """Return how far along y (X, Y) the nearest True pixel is, radius + 1 where there is none within radius.

    Rows lie one behind the other, so far apart that none reaches the next: one operation serves them all.
    """
    whole = np.uint8 if 2 * radius + 1 < 2**8 else np.int32  # the narrowest type is the fastest
    apart = np.ones((len(mask), mask.shape[1] + radius), whole)
    np.logical_not(mask, out=apart[:, : mask.shape[1]])
    apart *= whole(radius + 1)
    along = apart.reshape(-1)
    shift = 1
    while shift <= radius and shift < mask.shape[1]:  # steps of 1, 2, 4, ... add up to every distance
        there = along + whole(shift)
        np.minimum(along[shift:], there[:-shift], out=along[shift:])
        np.minimum(along[:-shift], there[shift:], out=along[:-shift])
        shift *= 2
    return apart[:, : mask.shape[1]]
