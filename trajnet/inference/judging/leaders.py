"""Who drives ahead of whom: of each path the next vehicle or rider that stands or drives on it, in its direction.

Points of the plane are complex numbers here, x + iy, from the begin of a path: times the conjugate of a direction they
are how far along it (the real part) and to its left. That halves the calls, and small calls are what this takes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajnet.arrays import any_true
from trajnet.inference.judging.way import NO_LENGTH_M, SHORTEST_PIECE_M
from trajnet.types import BoolArray, FloatArray, IntArray

#: Paths are looked along for at least this (m); who is farther ahead than that and than the path says little.
REACH_M = 30.0
#: A vehicle is on the path of another if their outlines would overlap by a fifth of their mean width, or more.
OVERLAP = 0.8
#: Whose middle is less than this ahead is beside, or the same object twice (m).
AHEAD_M = 1.5
#: Who points elsewhere crosses or comes the other way: the least cosine of the angle between.
SAME_WAY = 0.5
#: Where more may be on the paths than AT_ONCE and so many for each, only the nearest of each are looked at closely.
MOST, AT_ONCE = 8, 512

Points = NDArray[np.complex128]


class Leaders(NamedTuple):
    """F followers. row (F,): rising. leader (F,): the row ahead of each.

    gap_m (F,): between their outlines, along the path; below 0 where they overlap.
    """

    row: IntArray
    leader: IntArray
    gap_m: FloatArray


def leaders_of(
    path_m: Points, begin_m: Points, yaw_rad: FloatArray, yaw_known: BoolArray, size_m: FloatArray,
    follows: BoolArray, leads: BoolArray,
) -> Leaders:  # fmt: skip
    """Return the leaders among N objects.

    path_m (V, N): points of their paths, from where these begin; a second of way apart is enough. begin_m (N,): where
    the objects are. yaw_rad, yaw_known (N,). size_m (N, 2): length and width. follows, leads (N,): who may have a
    leader and who may be one.
    """
    row, other = follows.nonzero()[0], leads.nonzero()[0]
    if not len(row):
        return Leaders(row, row, np.zeros(0))
    pieces = _pieces(path_m.take(row, axis=1))
    long_m, wide_m = (size_m * (0.5, 0.5 * OVERLAP)).T
    path, leader = _near(row, other, pieces, begin_m, wide_m)
    follower, pair = row.take(path), np.arange(len(path))
    off_m = (begin_m.take(leader) - begin_m.take(follower)) - pieces.start_m.take(path, axis=1)
    direction = pieces.direction.take(path, axis=1)
    off_m *= direction.conj()  # (V + 1, P): along each piece from its start, and beside it
    along_m = np.minimum(np.maximum(off_m.real, 0.0), pieces.length_m.take(path, axis=1))
    off_m -= along_m
    aside_m: FloatArray = np.abs(off_m)
    piece = aside_m.argmin(axis=0)
    ahead_m = along_m[piece, pair] + pieces.before_m[piece, path]
    on_it = aside_m[piece, pair] < wide_m.take(follower) + wide_m.take(leader)
    on_it &= ahead_m > AHEAD_M
    kept = on_it.nonzero()[0]
    leader = leader.take(kept)
    towards, yaw = direction[piece.take(kept), kept], yaw_rad.take(leader)
    same_way = towards.real * np.cos(yaw) + towards.imag * np.sin(yaw) > SAME_WAY
    same_way |= ~yaw_known.take(leader)
    kept, leader = kept.compress(same_way), leader.compress(same_way)
    order = np.lexsort((ahead_m.take(kept), path.take(kept)))
    order = order.compress(np.diff(path.take(kept.take(order)), prepend=-1) > 0)  # the nearest of each path
    nearest, leader = kept.take(order), leader.take(order)
    follower = follower.take(nearest)
    return Leaders(follower, leader, ahead_m.take(nearest) - long_m.take(follower) - long_m.take(leader))


class _Pieces(NamedTuple):
    """The straight pieces of F paths: start_m, direction (V + 1, F), length_m and that of all before, before_m.

    The last one goes straight on up to REACH_M; end_m (F,) is where that ends.
    """

    start_m: Points
    direction: Points
    length_m: FloatArray
    before_m: FloatArray
    end_m: Points


def _pieces(path_m: Points) -> _Pieces:
    vertices, count = path_m.shape
    start_m, direction = np.zeros((2, vertices + 1, count), np.complex128)
    length_m, before_m = np.zeros((2, vertices + 1, count))
    start_m[1:] = path_m
    np.subtract(path_m, start_m[:-1], out=direction[:-1])
    np.abs(direction[:-1], out=length_m[:-1])
    np.add.accumulate(length_m[:-1], axis=0, out=before_m[1:])
    tiny = length_m[:-1] < SHORTEST_PIECE_M  # no direction: the path's own is taken
    if any_true(tiny):
        np.copyto(direction[:-1], path_m[-1], where=tiny)
    direction[-1] = direction[-2]
    direction /= np.maximum(np.abs(direction), NO_LENGTH_M)
    np.maximum(REACH_M - before_m[-1], 0.0, out=length_m[-1])
    return _Pieces(start_m, direction, length_m, before_m, path_m[-1] + direction[-1] * length_m[-1])


def _near(
    row: IntArray, other: IntArray, pieces: _Pieces, begin_m: Points, wide_m: FloatArray
) -> tuple[IntArray, IntArray]:
    """Return pairs of a path, as an index into row, and another object that may be on it, as its row.

    Each path is taken as a strip around the line from its begin to its end, as wide as it needs.
    """
    turned = pieces.end_m.conj() / np.maximum(np.abs(pieces.end_m), NO_LENGTH_M)
    vertex_m = np.empty((len(pieces.start_m) + 1, len(row)), np.complex128)
    np.multiply(pieces.start_m, turned, out=vertex_m[:-1])
    np.multiply(pieces.end_m, turned, out=vertex_m[-1])
    parts_m = vertex_m.view(np.float64)  # (V + 2, 2 F): x, y of the first path, and so on
    low_m, high_m = np.minimum.reduce(parts_m), np.maximum.reduce(parts_m)
    widest_m = np.maximum.reduce(wide_m.take(other), initial=0.0)
    half_m = (0.5 * (high_m - low_m)).reshape(-1, 1, 2) + (wide_m.take(row) + widest_m)[:, None, None]
    middle_m = (0.5 * (low_m + high_m)).view(np.complex128)
    off_m = np.subtract.outer(begin_m.take(row), begin_m.take(other))  # (F, L)
    off_m *= turned[:, None]
    off_m += middle_m[:, None]
    inside = np.abs(off_m.view(np.float64).reshape(len(row), -1, 2)) < half_m
    path, index = (inside[..., 0] & inside[..., 1]).nonzero()
    leader = other.take(index)
    apart = leader != row.take(path)
    path, leader = path.compress(apart), leader.compress(apart)
    if len(path) > max(MOST * len(row), AT_ONCE):  # rare: many around many paths that turn
        order = np.lexsort((np.abs(begin_m.take(leader) - begin_m.take(row.take(path))), path))
        path, leader = path.take(order), leader.take(order)
        nearest = np.arange(len(path)) - np.searchsorted(path, path) < MOST
        path, leader = path.compress(nearest), leader.compress(nearest)
    return path, leader
