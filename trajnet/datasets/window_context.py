"""The surroundings of recorded windows, as a predictor on the road would have seen them at their last observation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trajnet.arrays import concat
from trajnet.columns import NEIGHBOUR_COLUMNS
from trajnet.context.map_field import MapField
from trajnet.context.surroundings import (
    InputRequirements,
    Surroundings,
    map_around,
    nearest,
    neighbours_of,
    scene_field,
)
from trajnet.datasets.files import load_scene, with_everybody
from trajnet.datasets.windows import Windows
from trajnet.errors import InputError
from trajnet.geometry import within_half_turn
from trajnet.scenes.av2_map import SCENARIO_PREFIX
from trajnet.tracking.plausibility import too_fast_for_class
from trajnet.tracking.store import TrackPolicy, TrackStore
from trajnet.types import FloatArray, IntArray, Scene

Float32Array = NDArray[np.float32]


def scene_surroundings(
    scene: Scene,
    rows: IntArray,
    requirements: InputRequirements,
    field: MapField | None = None,
    *,
    map_shift_m: FloatArray | None = None,
) -> Surroundings:
    """Return the surroundings of the objects at these rows of the scene. field: the scene's own map if None.

    map_shift_m (rows, 2): how far each of them sees the map moved, along its axes; None: not at all. Headings and
    velocities are those that were known at that time: where some were not measured, the scene is streamed through a
    TrackStore, which derives them.
    """
    field = field or scene_field(scene, requirements)
    rows = np.asarray(rows, np.int64)
    yaw_rad, neighbours = known_at(scene, rows, requirements)
    seen_from_m = scene.position_m[rows] if map_shift_m is None else scene.position_m[rows] - map_shift_m
    distance, valid = map_around(requirements.view, field, seen_from_m, yaw_rad)
    return Surroundings(distance, valid, neighbours)


def known_at(scene: Scene, rows: IntArray, requirements: InputRequirements) -> tuple[FloatArray, Float32Array]:
    """Return yaw (W,) and neighbours (W, k, columns) of the objects at these rows as they were known at that time."""
    others = InputRequirements(neighbours=requirements.neighbours)
    return (_measured if _all_measured(scene) else _streamed)(scene, rows, others)


def neighbour_rows(scene: Scene, rows: IntArray, count: int) -> IntArray:
    """Return the rows (W, count) of the objects nearest to those at these rows (W,), nearest first; -1 for none."""
    found = np.full((len(rows), count), -1)
    order = np.argsort(scene.row_frame[rows], kind="stable")
    for index in np.split(order, np.flatnonzero(np.diff(scene.row_frame[rows[order]])) + 1) if len(rows) else ():
        span = scene.rows_of_frame(int(scene.row_frame[rows[index[0]]]))
        other, valid = nearest(scene.position_m[span], count)
        here = rows[index] - span.start
        found[index] = np.where(valid[here], other[here] + span.start, -1)
    return found


def _all_measured(scene: Scene) -> bool:
    """Return whether every heading and velocity was measured: then a TrackStore would change none of them."""
    return (
        bool(scene.yaw_valid.all() and scene.velocity_valid.all())
        and not too_fast_for_class(scene.velocity_mps, scene.object_class[scene.row_track]).any()
    )


def _measured(scene: Scene, rows: IntArray, others: InputRequirements) -> tuple[FloatArray, Float32Array]:
    """Return yaw (W,) and neighbours (W, k, columns) at these rows as they were measured, without streaming."""
    neighbours = nothing_around(len(rows), others).neighbours
    frame = scene.row_frame[rows]
    order = np.argsort(frame, kind="stable")
    for index in np.split(order, np.flatnonzero(np.diff(frame[order])) + 1) if others.neighbours else ():
        if len(index):
            span = scene.rows_of_frame(int(frame[index[0]]))
            size_m = scene.size_m[scene.row_track[span]]
            everybody = scene.position_m[span], scene.yaw_rad[span], scene.velocity_mps[span], size_m
            neighbours[index] = neighbours_of(others.neighbours, *everybody)[rows[index] - span.start]
    return within_half_turn(scene.yaw_rad[rows]), neighbours


def _streamed(scene: Scene, rows: IntArray, others: InputRequirements) -> tuple[FloatArray, Float32Array]:
    """Return yaw (W,) and neighbours (W, k, columns) at these rows as a TrackStore derives them up to that time."""
    yaw_rad, order = np.zeros(len(scene.row_frame)), np.argsort(rows, kind="stable")
    ranked = rows[order]
    parts = [nothing_around(0, others)]
    as_recorded = TrackPolicy(filter_positions=False, doubt_velocities=False, doubt_headings=False)
    store = TrackStore(as_recorded)
    last = int(scene.row_frame[rows].max()) + 1 if len(rows) else 0
    for index in range(last):
        frame, span = scene.frame(index), scene.rows_of_frame(index)
        _, seen = store.update(frame, frame.timestamp_ns)
        if seen is None or not len(seen):
            continue
        yaw_rad[span] = seen.yaw_rad
        wanted = ranked[slice(*np.searchsorted(ranked, [span.start, span.stop]))] - span.start
        if len(wanted):
            parts.append(seen.make_surroundings(others, None).select(wanted))
    place = np.empty(len(rows), np.int64)
    place[order] = np.arange(len(rows))
    return yaw_rad[rows], concat(parts).neighbours[place]


def window_surroundings(windows: Windows, files: Sequence[Path], requirements: InputRequirements) -> Surroundings:
    """Return the surroundings at the last observation of every window. files: the scene of every window is among them.

    Where all agents are required, neighbours are also those that a scene's file does not list (see with_everybody).
    Raises InputError if there is not exactly one file of a scene.
    """
    if not requirements:
        return nothing_around(len(windows), requirements)
    parts, order = [], []
    for scene_id, path in files_of_scenes(np.unique(windows.scene_id).tolist(), files).items():
        rows = np.flatnonzero(windows.scene_id == scene_id)
        scene, at = load_scene(path, with_map=requirements.view is not None), windows.row[rows]
        if requirements.all_agents:
            scene = with_everybody(scene, path)
            at = _rows_of(scene, windows.frame[rows], windows.track_id[rows])
        parts.append(scene_surroundings(scene, at, requirements))
        order.append(rows)
    place = np.empty(len(windows), np.int64)
    place[np.concatenate(order)] = np.arange(len(windows))
    return concat(parts, what="windows").select(place)


def _rows_of(scene: Scene, frame: IntArray, track_id: NDArray[np.str_]) -> IntArray:
    """Return the scene's rows (W,) of these tracks in the frames of these numbers, (W,) each."""
    track_of = {name: track for track, name in enumerate(scene.track_id)}
    numbers = scene.frame_number[scene.row_frame].tolist()
    row_of = {key: row for row, key in enumerate(zip(numbers, scene.row_track.tolist(), strict=True))}
    wanted = zip(frame.tolist(), track_id.tolist(), strict=True)
    return np.array([row_of[number, track_of[name]] for number, name in wanted], np.int64)


def files_of_scenes(scene_ids: Iterable[str], files: Sequence[Path]) -> dict[str, Path]:
    """Return the file of each scene among files, which are all of it where there is one.

    A scene is found by the last part of its id, which is its file's stem (after ``scenario_`` in Argoverse 2); if
    several files have it, by the whole id. Raises InputError if there is not exactly one.
    """
    if len(files) == 1:
        return dict.fromkeys(scene_ids, files[0])
    by_stem: dict[str, list[Path]] = {}
    for path in files:
        by_stem.setdefault(path.stem.removeprefix(SCENARIO_PREFIX), []).append(path)
    chosen = {}
    for scene_id in scene_ids:
        found = by_stem.get(scene_id.rsplit("/", 1)[-1], [])
        if len(found) > 1:
            found = [path for path in found if path.with_suffix("").as_posix().endswith("/" + scene_id)]
        if len(found) != 1:
            raise InputError(f"windows: expected one file of scene {scene_id!r} among {len(files)}, found {len(found)}")
        chosen[scene_id] = found[0]
    return chosen


def nothing_around(count: int, requirements: InputRequirements) -> Surroundings:
    """Return the surroundings of ``count`` objects without a map and without neighbours."""
    distance, valid = map_around(requirements.view, None, np.zeros((count, 2)), np.zeros(count))
    return Surroundings(distance, valid, np.zeros((count, requirements.neighbours, len(NEIGHBOUR_COLUMNS)), np.float32))
