"""Build a Scene from the rows of a source, in any order; every reader uses this."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajnet.errors import InputError
from trajnet.types import DEFAULT_SIZE_M, BoolArray, FloatArray, IntArray, Lane, RasterMap, Scene


@dataclass(frozen=True, eq=False)
class Rows:
    """R rows as a source lists them, unsorted: the arguments of Scene before frames and tracks have indices.

    frame_number (R,), timestamp_ns (R,): rows with one number share one time.
    track_id (R strings), object_class (R,), size_m (R, 2): a track keeps the class and size of its first row.
    The rest as in Scene; an invalid yaw or velocity may hold any number and becomes 0.
    """

    frame_number: IntArray
    timestamp_ns: IntArray
    track_id: Sequence[str]
    object_class: IntArray
    size_m: FloatArray
    position_m: FloatArray
    yaw_rad: FloatArray
    yaw_valid: BoolArray
    velocity_mps: FloatArray
    velocity_valid: BoolArray
    is_target: BoolArray


def scene_from_rows(
    scene_id: str,
    rows: Rows,
    *,
    source: str,
    licence: str,
    lanes: tuple[Lane, ...] = (),
    raster: RasterMap | None = None,
    track_order: Sequence[str] = (),
    extra_frames: Sequence[tuple[int, int]] = (),
    extra_tracks: Sequence[tuple[str, int, float, float]] = (),
) -> Scene:
    """Return the Scene of these rows.

    Tracks come in track_order first, then in the order in which they first appear. extra_frames (number, time) and
    extra_tracks (id, class, length, width) have no rows. Raises InputError for a frame with two times and for a track
    listed twice in one frame.
    """
    frames = _frames(scene_id, rows, extra_frames)
    tracks = _tracks(rows, track_order, extra_tracks)
    order = np.lexsort((tracks.of_row, frames.of_row))
    return Scene(
        scene_id=scene_id,
        timestamp_ns=frames.timestamp_ns,
        frame_number=frames.number,
        track_id=tracks.track_id,
        object_class=tracks.object_class,
        size_m=tracks.size_m,
        row_frame=frames.of_row[order],
        row_track=tracks.of_row[order],
        position_m=rows.position_m[order],
        yaw_rad=np.where(rows.yaw_valid, rows.yaw_rad, 0.0)[order],
        yaw_valid=rows.yaw_valid[order],
        velocity_mps=np.where(rows.velocity_valid[:, None], rows.velocity_mps, 0.0)[order],
        velocity_valid=rows.velocity_valid[order],
        is_target=rows.is_target[order],
        source=source,
        licence=licence,
        lanes=lanes,
        raster=raster,
    )


class _Frames(NamedTuple):
    """F frames in order of time, (F,) each, and the index of each row's frame (R,)."""

    number: IntArray
    timestamp_ns: IntArray
    of_row: IntArray


def _frames(scene_id: str, rows: Rows, extra: Sequence[tuple[int, int]]) -> _Frames:
    """Return the frames of the rows and the extra ones (number, time). Raises InputError for a frame with two times."""
    number, first = np.unique(rows.frame_number, return_index=True)
    time_ns = rows.timestamp_ns[first]
    frame_of_row = np.searchsorted(number, rows.frame_number)
    split = rows.timestamp_ns != time_ns[frame_of_row]
    if split.any():
        bad = int(split.argmax())
        raise InputError(
            f"scene {scene_id!r}: expected one time per frame, got {time_ns[frame_of_row[bad]]} and "
            f"{rows.timestamp_ns[bad]} ns in frame {rows.frame_number[bad]}"
        )
    known = set(number.tolist())
    added = [(n, t) for n, t in extra if n not in known]
    number = np.concatenate([number, np.array([n for n, _ in added], np.int64)])
    time_ns = np.concatenate([time_ns, np.array([t for _, t in added], np.int64)])
    by_time = np.argsort(time_ns, kind="stable")
    number, time_ns = number[by_time], time_ns[by_time]
    place = np.empty(len(number), np.int64)
    place[by_time] = np.arange(len(number))
    return _Frames(number, time_ns, place[frame_of_row])


class _Tracks(NamedTuple):
    """K tracks: ids, classes (K,) and sizes (K, 2) in m, and the index of each row's track (R,)."""

    track_id: tuple[str, ...]
    object_class: NDArray[np.int8]
    size_m: FloatArray
    of_row: IntArray


def _tracks(rows: Rows, track_order: Sequence[str], extra: Sequence[tuple[str, int, float, float]]) -> _Tracks:
    """Return the tracks of the rows and the extra ones (id, class, length, width) that have no rows."""
    present = dict.fromkeys(rows.track_id)
    lone = {identity: (kind, length, width) for identity, kind, length, width in extra if identity not in present}
    ids = list(dict.fromkeys([t for t in track_order if t in present or t in lone] + list(present) + list(lone)))
    index = {identity: i for i, identity in enumerate(ids)}
    track_of_row = np.fromiter((index[t] for t in rows.track_id), np.int64, len(rows.track_id))
    object_class = np.zeros(len(ids), np.int8)
    size_m = np.ones((len(ids), 2))
    seen, first_row = np.unique(track_of_row, return_index=True)
    object_class[seen], size_m[seen] = rows.object_class[first_row], rows.size_m[first_row]
    for identity, (kind, length, width) in lone.items():
        object_class[index[identity]], size_m[index[identity]] = kind, (length, width)
    return _Tracks(tuple(ids), object_class, size_m, track_of_row)


def require_file(path: Path) -> None:
    """Raise InputError unless path is a readable file."""
    if path.is_dir():
        raise InputError(f"{path}: expected a scene file, got a folder; name one of its files")
    if not path.is_file():
        raise InputError(f"{path}: no such file; check the path")


def read_text(path: Path) -> str:
    """Return the text of a UTF-8 file. Raises InputError that names it."""
    require_file(path)
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: expected UTF-8 text, got byte 0x{error.object[error.start]:02x} at offset {error.start}; "
            "is it another kind of file?"
        ) from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error


def read_fields(path: Path, columns: int) -> list[tuple[int, list[str]]]:
    """Return (line number, fields) of every line of a UTF-8 text file with this many columns, without blank lines.

    Raises InputError that names file and line.
    """
    text = read_text(path)
    table = [(line, fields) for line, fields in enumerate(map(str.split, text.splitlines()), start=1) if fields]
    if not table:
        raise InputError(f"{path}: expected rows of {columns} columns, got an empty file")
    for line, fields in table:
        if len(fields) != columns:
            raise InputError(f"{path}, line {line}: expected {columns} columns, got {len(fields)}")
    return table


def read_number(path: Path, line: int, name: str, text: str) -> float:
    """Return a finite number. Raises InputError that names file, line and column."""
    try:
        value = float(text)
    except ValueError:
        raise InputError(f"{path}, line {line}: expected a number as {name}, got {text!r}") from None
    if not np.isfinite(value):
        raise InputError(f"{path}, line {line}: expected a finite {name}, got {text}; remove the row")
    return value


def read_integer(path: Path, line: int, name: str, text: str) -> int:
    """Return a whole number ("12" or "12.0") below 2**53. Raises InputError that names file, line and column."""
    value = read_number(path, line, name, text)
    if value != int(value) or abs(value) >= 2**53:
        raise InputError(f"{path}, line {line}: expected a whole number as {name}, got {text}")
    return int(value)


def read_identity(text: str) -> str:
    """Return a track id: whole numbers without ".0", so that "12" and "12.0" are one track; other text unchanged."""
    try:
        value = float(text)
    except ValueError:
        return text
    return str(int(value)) if np.isfinite(value) and value == int(value) else text


def default_sizes(object_class: IntArray) -> FloatArray:
    """Return length and width (R, 2) in m: DEFAULT_SIZE_M of each class."""
    sizes: FloatArray = DEFAULT_SIZE_M[object_class]
    return sizes
