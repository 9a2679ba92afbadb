"""Windows of a scene as pieces of shards: each track and the map once, and for every window where it looks in them.

Windows of a scene overlap: with one a second and 5 s of history, an observation is in five of them, in its track's
future and among the neighbours of others. So a piece keeps the rows of the recording that its windows are made of, and
a window is a few small integers. It is cut out when it is read, by the formulas that made it, to the same bytes. What
those do not give (derived velocities and headings, a benchmark's own windows) is kept as it is: every piece is read
back when it is made, and an array that came out otherwise is stored.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajnet.context.map_field import MapCrop, MapField
from trajnet.context.surroundings import InputRequirements, Surroundings, covers_place, neighbour_columns, seen_from
from trajnet.datasets.window_context import neighbour_rows, nothing_around
from trajnet.datasets.windows import Between, WindowRows, window_rows
from trajnet.shards import Piece
from trajnet.training.row_table import packed_columns, small, unpacked_columns
from trajnet.training.training_set import TrainingSet, training_set
from trajnet.types import BoolArray, FloatArray, IntArray, Scene

#: Windows of a piece: whoever reads one of them reads the piece.
WINDOWS = 256
#: Windows that are looked up at once, so that a long recording needs little more memory than its windows.
BLOCK = 64 * WINDOWS
#: A part of the map is kept if it has at most so many times the bytes of what the windows see of it.
MAP_TIMES = 4

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class SceneWindows:
    """Sliding windows of a scene and where they are from.

    rows (W,): the scene's rows of the last observations. seen_from_m (W, 2), yaw_rad (W,): where the map is sampled.
    """

    scene: Scene
    history_time_s: FloatArray
    future_time_s: FloatArray
    rows: IntArray
    data: TrainingSet
    field: MapField | None
    seen_from_m: FloatArray
    yaw_rad: FloatArray


class _Looks(NamedTuple):
    """Windows read from a piece, as training_set takes them: see Windows for the shapes."""

    history_time_s: FloatArray
    observed: BoolArray
    position_m: FloatArray
    yaw_rad: FloatArray
    yaw_valid: BoolArray
    velocity_mps: FloatArray
    velocity_valid: BoolArray
    object_class: NDArray[np.int8]
    size_m: FloatArray
    future_m: FloatArray
    future_valid: BoolArray


def as_they_are(data: TrainingSet) -> Iterator[Piece]:
    """Yield pieces that hold these windows as arrays."""
    for begin in range(0, len(data), WINDOWS):
        part = data.select(slice(begin, begin + WINDOWS))
        yield Piece(len(part), _arrays(part))


def scene_pieces(
    made: SceneWindows, kept: IntArray, data: TrainingSet, requirements: InputRequirements
) -> Iterator[Piece]:
    """Yield pieces of the windows that are kept (K,) of a scene. data: those windows, as they are to be read."""
    place = np.full(len(made.scene.row_frame) + 1, -1)
    for first in range(0, len(kept), BLOCK):
        last = made.rows[kept[first : first + BLOCK]]
        found = window_rows(made.scene, last, made.history_time_s, made.future_time_s)
        others = neighbour_rows(made.scene, last, requirements.neighbours)
        for begin in range(0, len(last), WINDOWS):
            own = slice(begin, begin + WINDOWS)
            chosen, part = kept[first:][own], data.select(slice(first + begin, first + begin + WINDOWS))
            arrays = _rows_and_looks(made.scene, last[own], _part(found, own), others[own], place)
            arrays |= {"history_time_s": made.history_time_s, **_map(made, chosen, requirements)}
            again = read_windows(arrays, np.arange(len(chosen)), requirements)
            arrays |= {
                name: values for name, values in _arrays(part).items() if not _same(values, getattr(again, name))
            }
            yield Piece(len(chosen), arrays)


def _arrays(data: TrainingSet) -> Arrays:
    return {f.name: getattr(data, f.name) for f in fields(TrainingSet)}


def _same(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """Return whether the arrays have the same bytes: -0.0 is not 0.0, and NaN is NaN."""
    return one.dtype == other.dtype and one.tobytes() == other.tobytes()


def _part(found: WindowRows, own: slice) -> WindowRows:
    future = found.future
    part = Between(future.left[own], future.right[own], future.weight[own], future.valid[own])
    return WindowRows(found.history[own], found.observed[own], part)


def read_windows(arrays: Arrays, inside: IntArray, requirements: InputRequirements) -> TrainingSet:
    """Return windows (N,) of a piece."""
    stored = {f.name: arrays[f.name][inside] for f in fields(TrainingSet) if f.name in arrays}
    if "own" not in arrays:
        return TrainingSet(**stored)
    column = unpacked_columns(arrays)
    own = arrays["own"][inside].astype(np.int64)
    looks = _looks(arrays, column, own, inside)
    near = _neighbours(arrays, column, own, inside) if "neighbours" not in stored else stored["neighbours"]
    distance, valid = _map_seen(arrays, inside, requirements)
    cut = training_set(looks, Surroundings(distance, valid, near))
    return replace(cut, **stored) if stored else cut


def _rows_and_looks(scene: Scene, last: IntArray, found: WindowRows, others: IntArray, place: IntArray) -> Arrays:
    """Return the rows that windows (W,) need, by track and time, and where each window looks among them.

    place (R + 1,): room for the place of each row of the scene, ends with -1; only those that are needed are written.
    """
    future = found.future.valid
    sides = found.future.left[future], found.future.right[future]
    needed = np.unique(np.concatenate([last, found.history[found.observed], *sides, others[others >= 0]]))
    needed = needed[np.argsort(scene.row_track[needed], kind="stable")]
    place[needed] = np.arange(len(needed))
    tracks, track = np.unique(scene.row_track[needed], return_inverse=True)
    columns = np.vstack([scene.position_m[needed].T, scene.yaw_rad[needed], scene.velocity_mps[needed].T])
    return {
        **packed_columns(columns),
        "row_track": small(track),
        "row_yaw_valid": scene.yaw_valid[needed],
        "row_velocity_valid": scene.velocity_valid[needed],
        "track_class": scene.object_class[tracks],
        "track_size_m": scene.size_m[tracks],
        **_look_arrays(found, place, place[last], others),
    }


def _look_arrays(found: WindowRows, place: IntArray, own: IntArray, others: IntArray) -> Arrays:
    """Return where windows look, as steps from their own row; -1 where there is nothing."""
    future = found.future
    arrays = {
        "own": small(own),
        "back": small(np.where(found.observed, own[:, None] - place[found.history], -1)),
        "ahead": small(np.where(future.valid, place[future.left] - own[:, None], -1)),
        "between": small(np.where(future.valid, place[future.right] - place[future.left], 0)),
        "others": small(place[others]),
    }
    if future.weight[future.valid].any():
        arrays["weight"] = np.where(future.valid, future.weight, 0.0)
    return arrays


def _map(made: SceneWindows, chosen: IntArray, requirements: InputRequirements) -> Arrays:
    """Return the part of the map that these windows see; nothing where it is larger than what they see of it."""
    view = requirements.view
    if view is None or made.field is None:
        return {}
    crop = made.field.crop(made.seen_from_m[chosen], made.yaw_rad[chosen], view)
    if crop.planes.size > MAP_TIMES * 4 * len(chosen) * np.prod(view.shape):
        return {}
    return {
        "map_planes": crop.planes,
        "map_pixels_per_m": np.array([crop.pixels_per_m]),
        "map_pixel": small(crop.pixel),
        "map_row": small(crop.row),
    }


def _looks(arrays: Arrays, column: FloatArray, own: IntArray, inside: IntArray) -> _Looks:
    back, ahead = arrays["back"][inside], arrays["ahead"][inside]
    observed, valid = back >= 0, ahead >= 0
    source = np.where(observed, own[:, None] - back, own[:, None])
    left = np.where(valid, own[:, None] + ahead, own[:, None])
    weight = arrays["weight"][inside] if "weight" in arrays else np.zeros(left.shape)
    position_m = column[:2].T
    future = Between(left, left + arrays["between"][inside], weight, valid)
    track = arrays["row_track"][own]
    seen = observed[..., None]
    return _Looks(
        history_time_s=arrays["history_time_s"],
        observed=observed,
        position_m=np.where(seen, position_m[source], 0.0),
        yaw_rad=np.where(observed, column[2][source], 0.0),
        yaw_valid=observed & arrays["row_yaw_valid"][source],
        velocity_mps=np.where(seen, column[3:].T[source], 0.0),
        velocity_valid=observed & arrays["row_velocity_valid"][source],
        object_class=arrays["track_class"][track],
        size_m=arrays["track_size_m"][track],
        future_m=future.interpolated(position_m),
        future_valid=valid,
    )


def _neighbours(arrays: Arrays, column: FloatArray, own: IntArray, inside: IntArray) -> NDArray[np.float32]:
    """Return the neighbours (N, k, columns) as they were measured."""
    others = arrays["others"][inside].astype(np.int64)
    flat = others.reshape(-1)  # -1 takes some row, which is not valid
    size_m = arrays["track_size_m"][arrays["row_track"][flat]]
    near = neighbour_columns(column[:2, flat].T, column[2, flat], column[3:, flat].T, size_m)
    return seen_from(column[:2, own].T, near.reshape(*others.shape, near.shape[1]), others >= 0)


def _map_seen(arrays: Arrays, inside: IntArray, requirements: InputRequirements) -> tuple[NDArray[np.int8], BoolArray]:
    if "map_distance" in arrays:
        return arrays["map_distance"][inside], covers_place(arrays["map_distance"][inside])
    if "map_planes" not in arrays or requirements.view is None:
        nothing = nothing_around(len(inside), requirements)
        return nothing.map_distance, nothing.map_valid
    pixel, row = arrays["map_pixel"][inside].astype(np.int64), arrays["map_row"][inside].astype(np.int64)
    crop = MapCrop(arrays["map_planes"], float(arrays["map_pixels_per_m"][0]), pixel, row)
    distance = crop.sample(requirements.view)
    return distance, covers_place(distance)
