"""A path as a way with a length: how far along it a point is, and where one is after so many metres.

Of ways: axes first, objects last: NumPy is slow along short axes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from trajnet.arrays import any_true
from trajnet.inference.judging.ring import flat
from trajnet.types import FloatArray, IntArray, Prediction

#: Paths shorter than this have no way to be followed (m).
SHORTEST_M = 0.5
#: Pieces of a path shorter than this have no direction (m).
SHORTEST_PIECE_M = 0.1
#: Nothing is divided by less: paths that go nowhere, which are not followed (m).
NO_LENGTH_M = 1e-6

_MOST_INT8 = np.iinfo(np.int8).max


def top_paths(prediction: Prediction, row: IntArray) -> tuple[FloatArray, IntArray]:
    """Return all paths, (N * K, T, 2), a view, and which of them are the most probable ones of these rows, (R,)."""
    place: IntArray = row * prediction.modes + prediction.probability.take(row, axis=0).argmax(axis=1)
    return flat(prediction.position_m), place


class Way(NamedTuple):
    """N paths of T points. gone_m (2, T, N): the points, from where they begin.

    step_m (2, T, N), length_m (T, N): from point to point. passed_m (T, N): length of the path up to each point.
    """

    gone_m: FloatArray
    step_m: FloatArray
    length_m: FloatArray
    passed_m: FloatArray

    def take(self, row: IntArray) -> Way:
        """Return those of these rows, as copies."""
        return Way(*(values.take(row, axis=-1) for values in self))


def way_of(path_m: FloatArray, begin_m: FloatArray) -> Way:
    """Return the ways of paths (N, T, 2) that begin at begin_m (N, 2)."""
    gone_m = np.subtract(path_m.T, begin_m.T[:, None], order="C")
    step_m = gone_m.copy()
    step_m[:, 1:] -= gone_m[:, :-1]
    squared_m2 = np.square(step_m)
    squared_m2[0] += squared_m2[1]
    length_m: FloatArray = np.sqrt(squared_m2[0], out=squared_m2[0])
    return Way(gone_m, step_m, length_m, np.add.accumulate(length_m, axis=0))  # the methods would be slower


def pieces_of(way: Way) -> FloatArray:
    """Return the pieces of the ways as lines, (4, T, N): x and y of begin + direction * progress, begin first.

    A piece without a direction has that of the whole way.
    """
    line = np.empty((4, *way.length_m.shape))
    begin_m, direction = line[:2], line[2:]
    np.divide(way.step_m, np.maximum(way.length_m, NO_LENGTH_M), out=direction)
    tiny = way.length_m < SHORTEST_PIECE_M
    if any_true(tiny):
        whole_m = way.gone_m[:, -1]
        chord = whole_m / np.maximum(np.hypot(whole_m[0], whole_m[1]), NO_LENGTH_M)
        np.copyto(direction, chord[:, None], where=tiny)
    np.subtract(way.gone_m, way.step_m, out=begin_m)
    begin_m -= direction * (way.passed_m - way.length_m)
    return line


def along(way: Way, progress_m: FloatArray, pieces: FloatArray | None = None) -> FloatArray:
    """Return where these paths are after progress_m (T, N), beyond their end straight on, from where they begin.

    (2, T, N). pieces: see pieces_of, for callers that have them. Where the length of the whole path is 0 the result
    means nothing.
    """
    times, count = way.length_m.shape
    if pieces is None:
        pieces = pieces_of(way)
    before_m = way.passed_m[1:] - way.length_m[1:]
    passed = (before_m[:, None] < progress_m).view(np.int8)
    piece = np.add.reduce(passed, axis=0, dtype=np.int8 if times <= _MOST_INT8 else np.int16)
    place: IntArray = np.multiply(piece, count, dtype=np.intp)
    place += np.arange(count)
    at_m: FloatArray = pieces.reshape(4, -1).take(place, axis=1)
    found_m: FloatArray = at_m[2:]
    found_m *= progress_m
    found_m += at_m[:2]
    return found_m
