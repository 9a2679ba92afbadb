"""A scene from the tracked objects of a rosbag2 recording, as strict as the node, and what was left out and mended."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from trajnet.datasets.files import load_scene
from trajnet.errors import InputError
from trajnet.remote import fetched
from trajnet.ros.bag_stretches import Stretches, choose_messages
from trajnet.ros.bags import TRACKED_TOPIC, is_bag, read_messages, what_is_lost
from trajnet.ros.cdr import MessageHeader, decode_header, decode_tracked
from trajnet.ros.definitions import TRACKED_OBJECTS
from trajnet.ros.from_autoware import MessageCleaner
from trajnet.scenes.rows import Rows, scene_from_rows
from trajnet.types import BoolArray, FloatArray, IntArray, Scene, TrackFrame

log = logging.getLogger(__name__)

#: How far an object may be from where its last velocity leads, at once and for every second since, before its id is
#: taken to be another object's: with a known velocity, and without one.
LEAP_M = 2.0
LEAP_MPS = 15.0
LEAP_WITHOUT_VELOCITY_MPS = 70.0
_BROKEN = "that cannot be decoded"


@dataclass
class ImportReport:
    """What was read. messages: of the topic. left_out, mended: what, and how many messages, objects or tracks.

    lost: a sentence for every recording that was cut off.
    """

    messages: int = 0
    lost: list[str] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    mended: Counter[str] = field(default_factory=Counter)

    def lines(self) -> list[str]:
        """Return a line for everything that was lost, left out or mended, with its count."""
        named = (("left out", self.left_out), ("mended", self.mended))
        counted = [f"{name}: {count} {what}" for name, counts in named for what, count in counts.items() if count]
        return [*self.lost, *counted]


def open_scene(path: Path, *, with_map: bool = False) -> Scene:
    """Return the scene of a bag, or of any file that load_scene reads, also by URL. with_map: see there."""
    path = fetched(path)
    return scene_from_bag(path) if is_bag(path) else load_scene(path, with_map=with_map)


def scene_from_bag(path: Path, topic: str | None = None, *, frame_id: str = "map") -> Scene:
    """Return the tracked objects of a bag as a scene; what was left out and mended is logged. See import_bag."""
    scene, report = import_bag(path, topic, frame_id=frame_id)
    for line in report.lines():
        log.warning("%s: %s", path, line)
    return scene


def import_bag(path: Path, topic: str | None = None, *, frame_id: str = "map") -> tuple[Scene, ImportReport]:
    """Return the tracked objects of a bag as a scene, and what was left out and mended; time is that of the stamps.

    topic: of TrackedObjects; None takes the only one, or Autoware's. frame_id: the frame that the objects must be in.
    Which messages make the scene: bag_stretches. Objects are read as the node reads them: from_autoware. A track has
    the class that most of its rows have and its median size; where it leaps, another track begins. Raises InputError
    where the bag cannot be read, has no such topic, or no objects in the frame.
    """
    headers, broken = _headers(path, topic)
    try:
        chosen = choose_messages([h.stamp_ns for _, h in headers], [h.frame_id for _, h in headers], frame_id)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    chosen.kept = [headers[i][0] for i in chosen.kept]
    chosen.left_out[_BROKEN] = broken
    cleaner = MessageCleaner()
    frames = _frames(path, topic, chosen, cleaner)
    if not any(len(f) for f in frames):
        raise InputError(f"{path}: expected tracked objects, got {len(headers) + broken} messages without any")
    report = ImportReport(len(headers) + broken, what_is_lost(path), chosen.left_out, chosen.mended)
    scene = _scene(path, frames, report)
    _report_objects(cleaner, report)
    return scene, report


def _headers(path: Path, topic: str | None) -> tuple[list[tuple[int, MessageHeader]], int]:
    """Return the headers that can be decoded, with the indices of their messages, and how many others there are.

    One broken message costs only itself, as in the node. Raises InputError where none can be decoded.
    """
    headers: list[tuple[int, MessageHeader]] = []
    first: InputError | None = None
    index = -1
    for index, data in enumerate(read_messages(path, TRACKED_OBJECTS, TRACKED_TOPIC, topic, bytes)):
        try:
            headers.append((index, decode_header(data)))
        except InputError as error:
            first = first or InputError(f"{path}: message {index} cannot be decoded: {error}")
    if not headers:
        raise first or InputError(f"{path}: expected tracked objects, got 0 messages without any")
    return headers, index + 1 - len(headers)


def _frames(path: Path, topic: str | None, chosen: Stretches, cleaner: MessageCleaner) -> list[TrackFrame]:
    """Return the chosen messages as frames, by stamp; they are cleaned in the order in which the node got them.

    One that cannot be decoded is left out and counted. Raises InputError where none can.
    """
    kept = set(chosen.kept)
    messages = enumerate(read_messages(path, TRACKED_OBJECTS, TRACKED_TOPIC, topic, bytes))
    frames: list[TrackFrame] = []
    first: InputError | None = None
    for index, data in messages:
        if index not in kept:
            continue
        try:
            frames.append(cleaner.clean(decode_tracked(data)).frame)
        except InputError as error:
            first = first or InputError(f"{path}: message {index} cannot be decoded: {error}")
            chosen.left_out[_BROKEN] += 1
    if first is not None and not frames:
        raise first
    return sorted(frames, key=lambda f: f.timestamp_ns)


def _report_objects(cleaner: MessageCleaner, report: ImportReport) -> None:
    counters = cleaner.counters
    report.left_out["objects without a finite position"] = counters.dropped_position
    report.mended["objects with an unset id: told apart by place"] = counters.unset_id
    report.mended["objects that share an id: told apart by place"] = counters.shared_id
    report.mended["objects without a usable size: the default of their class"] = counters.default_size


def _scene(path: Path, frames: list[TrackFrame], report: ImportReport) -> Scene:
    number = np.repeat(np.arange(len(frames)), [len(f) for f in frames])
    timestamp_ns = np.array([f.timestamp_ns for f in frames])[number]
    track_id = _split_at_leaps([t for f in frames for t in f.track_id], frames, timestamp_ns, report)
    object_class, size_m = _per_track(track_id, _column(frames, "object_class"), _column(frames, "size_m"))
    rows = Rows(
        frame_number=number,
        timestamp_ns=timestamp_ns,
        track_id=track_id,
        object_class=object_class,
        size_m=size_m,
        position_m=_column(frames, "position_m"),
        yaw_rad=_column(frames, "yaw_rad"),
        yaw_valid=_column(frames, "yaw_valid"),
        velocity_mps=_column(frames, "velocity_mps"),
        velocity_valid=_column(frames, "velocity_valid"),
        is_target=np.zeros(len(track_id), dtype=np.bool_),
    )
    extra = [(i, f.timestamp_ns) for i, f in enumerate(frames)]
    return scene_from_rows(path.stem, rows, source=f"rosbag2 {path.name}", licence="", extra_frames=extra)


def _column(frames: list[TrackFrame], name: str) -> Any:
    return np.concatenate([getattr(f, name) for f in frames])


def _split_at_leaps(
    track_id: list[str], frames: list[TrackFrame], timestamp_ns: IntArray, report: ImportReport
) -> list[str]:
    """Return the track ids (rows by time) with another id from every place that the object cannot have driven to."""
    _, track = np.unique(track_id, return_inverse=True)
    order = np.argsort(track, kind="stable")
    leap = np.zeros(len(order), dtype=np.bool_)
    leap[1:] = np.diff(track[order]) == 0
    leap[1:] &= _is_leap(
        _column(frames, "position_m")[order],
        _column(frames, "velocity_mps")[order],
        _column(frames, "velocity_valid")[order],
        timestamp_ns[order],
    )
    report.mended["leaps of an object: a new track begins there"] = int(leap.sum())
    if not leap.any():
        return track_id
    first = np.concatenate([[True], np.diff(track[order]) != 0])
    leaps = np.cumsum(leap)
    part = leaps - leaps[np.flatnonzero(first)][np.cumsum(first) - 1]
    names = list(track_id)
    for row, number in zip(order.tolist(), part.tolist(), strict=True):
        if number:
            names[row] = f"{track_id[row]}+{number}"
    return names


def _is_leap(
    position_m: FloatArray, velocity_mps: FloatArray, velocity_valid: BoolArray, timestamp_ns: IntArray
) -> BoolArray:
    """Return (R - 1,) whether each row after the first is too far from where the row before it leads."""
    dt_s = np.diff(timestamp_ns) * 1e-9
    known = velocity_valid[:-1]
    expected_m = position_m[:-1] + np.where(known[:, None], velocity_mps[:-1], 0.0) * dt_s[:, None]
    off_m = np.hypot(*(position_m[1:] - expected_m).T)
    leap: BoolArray = off_m > LEAP_M + np.where(known, LEAP_MPS, LEAP_WITHOUT_VELOCITY_MPS) * np.abs(dt_s)
    return leap


def _per_track(track_id: list[str], object_class: Any, size_m: Any) -> tuple[Any, Any]:
    """Return one class and size for each track, repeated for its rows: trackers change their mind, scenes do not."""
    _, track = np.unique(track_id, return_inverse=True)
    classes, sizes = object_class.copy(), size_m.copy()
    order = np.argsort(track, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(track[order])) + 1):
        classes[rows] = np.bincount(object_class[rows]).argmax()
        sizes[rows] = np.median(size_m[rows], axis=0)
    return classes, sizes
