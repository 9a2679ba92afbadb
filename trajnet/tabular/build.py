"""Columns of a table of one's own to a Scene, and in words what was taken, mended and left out."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from trajnet.errors import InputError
from trajnet.tabular.binning import bin_stamps
from trajnet.tabular.columns import Columns, numbers, texts
from trajnet.tabular.options import (
    DEGREES,
    FRAME_NUMBERS,
    LENGTH_M,
    OTHERS,
    REQUIRED,
    SPEED_MPS,
    SPELLINGS,
    TableOptions,
    known_classes,
    role_of,
)  # fmt: skip
from trajnet.tabular.projection import project
from trajnet.tabular.recordings import require_one_clock
from trajnet.tabular.times import timestamps
from trajnet.types import CLASS_NAMES, DEFAULT_SIZE_M, BoolArray, FloatArray, IntArray, Scene

log = logging.getLogger(__name__)


@dataclass(eq=False)
class _Table:
    """R rows on the way to a scene; NaN where unknown. track (R,): index into names. notes: what was done, in words."""

    timestamp_ns: IntArray
    track: IntArray
    names: list[str]
    object_class: IntArray
    position_m: FloatArray
    yaw_rad: FloatArray
    velocity_mps: FloatArray
    size_m: FloatArray
    is_target: NDArray[np.bool_]
    frame_number: IntArray | None
    notes: list[str] = field(default_factory=list)

    def keep(self, rows: NDArray[np.bool_]) -> None:
        """Leave out all other rows."""
        for name in ("timestamp_ns", "track", "object_class", "position_m", "yaw_rad", "velocity_mps", "size_m"):
            setattr(self, name, getattr(self, name)[rows])
        self.is_target = self.is_target[rows]
        if self.frame_number is not None:
            self.frame_number = self.frame_number[rows]


def scene_of_columns(columns: Columns, options: TableOptions) -> tuple[Scene, list[str]]:
    """Return the scene of a table's columns (columns_of) and a sentence for each thing that was chosen or mended.

    A row needs a time, an id, x and y. Class, heading, velocity and size may be missing: unknown, null, null and the
    class's default. Rows without a place are left out and repeated rows taken once. Raises InputError, naming column,
    row and option, for what is missing, has no stated unit, or contradicts itself.
    """
    named, notes = _named(columns, options)
    table = _read(columns, named, options, notes)
    unused = [name for name in columns if name not in named.values()]
    require_one_clock(columns, unused, named["time"], table.timestamp_ns, table.track, table.names)
    _leave_out(table)
    if options.rate_hz is not None:
        binned = bin_stamps(table.timestamp_ns, table.track, table.position_m, table.velocity_mps, options.rate_hz)
        table.timestamp_ns, table.position_m, table.frame_number = binned.timestamp_ns, binned.position_m, None
        table.keep(binned.kept)
        table.notes.append(binned.words)
    _require_single(table, options)
    return _scene(table, options), table.notes


def log_notes(scene_id: str, notes: list[str]) -> None:
    """Log the notes of scene_of_columns: warnings where rows were left out, mended or moved."""
    for note in notes:
        level = logging.WARNING if note.startswith(("left out", "mended", "binned")) else logging.INFO
        log.log(level, "%s: %s", scene_id, note)


def _named(columns: Columns, options: TableOptions) -> tuple[dict[str, str], list[str]]:
    """Return role -> the table's column, and what was taken and ignored. Raises InputError for what is missing."""
    stated = {role_of(name): column for name, column in options.columns.items()}
    absent = [column for column in stated.values() if column not in columns]
    if absent:
        raise InputError(f"columns: expected one of {', '.join(columns)}, got {', '.join(absent)}")
    by_lower: dict[str, str] = {}
    for name in columns:
        by_lower.setdefault(name.lower(), name)
    named = dict(stated)
    for role, spellings in SPELLINGS.items():
        found = [by_lower[s] for s in (*DEGREES.get(role, ()) * bool(options.crs), *spellings) if s in by_lower]
        if role not in named and found:
            named[role] = found[0]
    lacking = [role for role in REQUIRED if role not in named]
    if lacking:
        raise InputError(_lacking(lacking, by_lower, list(columns)))
    taken = ", ".join(f"{role} from {named[role]}" for role in named if role not in stated)
    unused = [name for name in columns if name not in named.values()]
    notes = [f"columns: {taken or 'all as stated'}"]
    if unused:
        notes.append(f"columns not used: {', '.join(unused)}")
    missing = [name for name in ("class", "heading", "vx", "length") if name not in named]
    if missing:
        notes.append(f"not in the table, and so unknown: {', '.join(missing).replace('vx', 'velocity')}")
    return named, notes


def lacking_words(names: list[str]) -> str:
    """Return what a table with columns of these names lacks, in words; "" where nothing."""
    by_lower = {name.lower(): name for name in reversed(names)}
    lacking = [role for role in REQUIRED if not any(s in by_lower for s in SPELLINGS[role])]
    return _lacking(lacking, by_lower, names) if lacking else ""


def _lacking(lacking: list[str], by_lower: dict[str, str], columns: list[str]) -> str:
    degrees = [by_lower[s] for role in ("x", "y") for s in DEGREES[role] if s in by_lower]
    if len(degrees) == 2 and set(lacking) <= {"x", "y"}:
        return (
            f"columns: expected x and y in metres, got {degrees[0]} and {degrees[1]}; "
            "state their coordinate system with crs, for example EPSG:4326"
        )
    shown = ",".join(f"{role}=NAME" for role in lacking)
    frames = [by_lower[name] for name in FRAME_NUMBERS if name in by_lower and "time" in lacking]
    hint = f"; numbers of frames are times with columns time={frames[0]} and units time=25hz" if frames else ""
    return (
        f"columns: expected {', '.join(lacking)}, got a table with {', '.join(columns)}; "
        f"state them with columns {shown} (trajnet convert --columns){hint}"
    )


def _read(columns: Columns, named: dict[str, str], options: TableOptions, notes: list[str]) -> _Table:
    ids = texts(columns[named["id"]])
    nameless = [row for row, name in enumerate(ids) if name is None]
    if nameless:
        raise InputError(f"column {named['id']}: expected an id in every row, got none in row {nameless[0]}")
    place: dict[str | None, int] = {}
    track = np.array([place.setdefault(name, len(place)) for name in ids], np.int64)
    timestamp_ns, unit = timestamps(named["time"], columns[named["time"]], options.units.time)
    notes.append(f"times in {unit}" if unit == "dates" else f"times read as {unit}")
    count, length_m = len(ids), LENGTH_M[options.units.length]

    def column(role: str) -> FloatArray:
        return numbers(named[role], columns[named[role]]) if role in named else np.full(count, np.nan)

    velocity_mps = np.stack([column("vx"), column("vy")], axis=1) * SPEED_MPS[options.units.speed]
    _note_unusable("velocities", np.asarray(np.isinf(velocity_mps).any(axis=1)), notes)
    velocity_mps[~np.isfinite(velocity_mps).all(axis=1)] = np.nan
    size_m = np.stack([column("length"), column("width")], axis=1) * length_m
    for axis, name in enumerate(("lengths", "widths")):
        _note_unusable(name, np.isinf(size_m[:, axis]) | (size_m[:, axis] <= 0), notes)
    found = _Table(
        timestamp_ns=timestamp_ns,
        track=track,
        names=[str(name) for name in place],
        object_class=_classes(columns, named, options),
        position_m=np.stack([column("x"), column("y")], axis=1) * (1.0 if options.crs else length_m),
        yaw_rad=_angles(column("heading"), named.get("heading", ""), options.units.angle, notes),
        velocity_mps=velocity_mps,
        size_m=size_m,
        is_target=columns[named["target"]].astype(np.bool_) if "target" in named else np.zeros(count, np.bool_),
        frame_number=column("frame").astype(np.int64) if "frame" in named else None,
        notes=notes,
    )
    if options.crs is not None:
        _project(found, options, length_m)
    return found


def _note_unusable(what: str, wrong: BoolArray, notes: list[str]) -> None:
    """Say how many values of a column nothing can have; wrong (R,)."""
    if wrong.any():
        why = "infinite" if what in ("velocities", "headings") else "infinite or not above 0"
        notes.append(f"mended: {int(wrong.sum()):,} {what} are {why} and count as not measured")


def _project(table: _Table, options: TableOptions, length_m: float) -> None:
    """Move places to metres, and turn headings and velocities by what the axes turn."""
    rows = np.asarray(np.isfinite(table.position_m).all(axis=1))
    x, y = table.position_m[rows].T
    done = project(x, y, str(options.crs), options.to_crs, length_m)
    turn_rad = np.zeros(len(rows))
    table.position_m[rows], turn_rad[rows] = done.position_m, done.turn_rad
    cos, sin = np.cos(turn_rad), np.sin(turn_rad)
    vx, vy = table.velocity_mps.T
    table.velocity_mps = np.stack([cos * vx - sin * vy, sin * vx + cos * vy], axis=1)
    table.yaw_rad = table.yaw_rad + turn_rad
    table.notes.append(done.words)


def _angles(values: FloatArray, name: str, unit: str | None, notes: list[str]) -> FloatArray:
    known = unit or ("deg" if name.lower().endswith("_deg") else "rad")
    if np.isfinite(values).any():
        words = "compass degrees, clockwise from north" if known == "compass" else known
        notes.append(f"headings read as {words}")
    _note_unusable("headings", np.isinf(values), notes)
    values = np.where(np.isfinite(values), values, np.nan)
    if known == "rad":
        return values
    return np.radians(90.0 - values if known == "compass" else values)


def _classes(columns: Columns, named: dict[str, str], options: TableOptions) -> IntArray:
    """Return the class of each row. Raises InputError that lists every text that is no class."""
    if "class" not in named:
        return np.zeros(len(columns[named["id"]]), np.int64)
    known = known_classes(options.classes)
    found, wrong = [], Counter[str]()
    for text in texts(columns[named["class"]]):
        lower = "unknown" if text is None else text.strip().lower()
        if lower not in known and OTHERS not in known:
            wrong[str(text)] += 1
        found.append(known.get(lower, known.get(OTHERS, 0)))
    if wrong:
        listed = ", ".join(f"{name} ({count:,} rows)" for name, count in wrong.most_common(8))
        raise InputError(
            f"column {named['class']}: expected {', '.join(CLASS_NAMES)}, got {listed}; name them in a file for "
            "classes, a line such as 'Van: car' for each, or '*: unknown' for all others"
        )
    return np.array(found, np.int64)


def _leave_out(table: _Table) -> None:
    """Leave out rows without a place and repeated rows, and say how many."""
    placed = np.asarray(np.isfinite(table.position_m).all(axis=1))
    if not placed.any():
        raise InputError(f"table: expected rows with x and y, got {len(placed)} rows without")
    if not placed.all():
        table.notes.append(f"left out: {int((~placed).sum()):,} rows without a place")
        table.keep(placed)
    key = np.column_stack([table.track, table.timestamp_ns])
    values = np.column_stack([table.position_m, table.yaw_rad, table.velocity_mps])
    order = np.lexsort((*np.nan_to_num(values).T, table.timestamp_ns, table.track))
    again = np.zeros(len(order), np.bool_)
    again[1:] = (np.diff(key[order], axis=0) == 0).all(axis=1)
    again[1:] &= _equal_rows(values[order][1:], values[order][:-1])
    if again.any():
        keep = np.ones(len(order), np.bool_)
        keep[order[again]] = False
        table.notes.append(f"left out: {int(again.sum()):,} rows that repeat another")
        table.keep(keep)


def _equal_rows(a: FloatArray, b: FloatArray) -> NDArray[np.bool_]:
    same: NDArray[np.bool_] = ((a == b) | (np.isnan(a) & np.isnan(b))).all(axis=1)
    return same


def _require_single(table: _Table, options: TableOptions) -> None:
    """Raise InputError where an object is at two places at once."""
    order = np.lexsort((table.timestamp_ns, table.track))
    twice = (np.diff(table.track[order]) == 0) & (np.diff(table.timestamp_ns[order]) == 0)
    if twice.any():
        row = order[int(twice.argmax())]
        raise InputError(
            f"scene {options.scene_id!r}: expected each track once at a time, got {table.names[table.track[row]]!r} "
            f"twice at {table.timestamp_ns[row]} ns, and {int(twice.sum()):,} such rows; are ids used for several "
            "objects, times too coarse, or are these several recordings (convert --split-by)?"
        )


def _scene(table: _Table, options: TableOptions) -> Scene:
    times_ns, frame = np.unique(table.timestamp_ns, return_inverse=True)
    used, track = np.unique(table.track, return_inverse=True)
    frame, track = frame.ravel(), track.ravel()
    object_class = _of_tracks(table, track, len(used))
    order = np.lexsort((track, frame))
    number = np.arange(len(times_ns))
    if table.frame_number is not None:
        number[frame] = table.frame_number
    yaw_valid: BoolArray = np.isfinite(table.yaw_rad)
    velocity_valid = np.asarray(np.isfinite(table.velocity_mps).all(axis=1))
    return Scene(
        scene_id=options.scene_id,
        timestamp_ns=times_ns,
        frame_number=number,
        track_id=tuple(table.names[i] for i in used),
        object_class=object_class.astype(np.int8),
        size_m=_sizes(table, track, object_class),
        row_frame=frame[order],
        row_track=track[order],
        position_m=table.position_m[order],
        yaw_rad=np.where(yaw_valid, table.yaw_rad, 0.0)[order],
        yaw_valid=yaw_valid[order],
        velocity_mps=np.where(velocity_valid[:, None], table.velocity_mps, 0.0)[order],
        velocity_valid=velocity_valid[order],
        is_target=table.is_target[order],
        source=options.source,
        licence=options.licence,
    )


def _of_tracks(table: _Table, track: IntArray, count: int) -> IntArray:
    """Return the class that most rows of each track have, and say where they differ."""
    votes = np.zeros((count, len(CLASS_NAMES)), np.int64)
    np.add.at(votes, (track, table.object_class), 1)
    several = int(((votes > 0).sum(axis=1) > 1).sum())
    if several:
        table.notes.append(f"mended: {several:,} tracks of several classes have the one that most of their rows have")
    most: IntArray = votes.argmax(axis=1)
    return most


def _sizes(table: _Table, track: IntArray, object_class: IntArray) -> FloatArray:
    """Return the median size (M, 2) of each track; the class's default where none is above 0."""
    size_m: FloatArray = DEFAULT_SIZE_M[object_class].copy()
    for axis in range(2):
        value = table.size_m[:, axis]
        usable = np.isfinite(value) & (value > 0)
        order = np.argsort(track[usable], kind="stable")
        of, values = track[usable][order], value[usable][order]
        for rows in np.split(np.arange(len(of)), np.flatnonzero(np.diff(of)) + 1) if len(of) else []:
            size_m[of[rows[0]], axis] = np.median(values[rows])
    return size_m
