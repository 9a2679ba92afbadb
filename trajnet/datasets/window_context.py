"""The surroundings of recorded windows, as a predictor on the road would have had them at their last observation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from trajnet.arrays import concat
from trajnet.context.map_field import MapField, field_of
from trajnet.context.surroundings import NEIGHBOUR, Needs, Surroundings, map_around
from trajnet.datasets.windows import Windows
from trajnet.errors import InputError
from trajnet.scenes import load_scene
from trajnet.tracking.store import TrackStore
from trajnet.types import IntArray, Scene


def scene_field(scene: Scene, needs: Needs) -> MapField | None:
    """The scene's map, if it has one and somebody wants it."""
    return field_of(scene.lanes, scene.raster) if needs.view is not None else None


def scene_surroundings(scene: Scene, rows: IntArray, needs: Needs, field: MapField | None = None) -> Surroundings:
    """What the objects of these rows of the scene see. field: the scene's own map where it is None.

    The scene is streamed through a TrackStore, so headings and velocities are what was known at that time.
    """
    field = field or scene_field(scene, needs)
    rows = np.asarray(rows, np.int64)
    yaw_rad, order = np.zeros(len(scene.row_frame)), np.argsort(rows, kind="stable")
    ranked, others = rows[order], Needs(neighbours=needs.neighbours)
    parts = [nothing_around(0, others)]
    store, last = TrackStore(), int(scene.row_frame[rows].max()) + 1 if len(rows) else 0
    for index in range(last):
        frame, span = scene.frame(index), scene.rows_of_frame(index)
        _, seen = store.update(frame, frame.timestamp_ns)
        if seen is None or not len(seen):
            continue
        yaw_rad[span] = seen.yaw_rad
        wanted = ranked[slice(*np.searchsorted(ranked, [span.start, span.stop]))] - span.start
        if len(wanted):
            parts.append(seen.around(others, None).select(wanted))
    place = np.empty(len(rows), np.int64)
    place[order] = np.arange(len(rows))
    distance, valid = map_around(needs.view, field, scene.position_m[rows], yaw_rad[rows])
    return replace(concat(parts).select(place), map_distance=distance, map_valid=valid)


def window_surroundings(windows: Windows, files: Sequence[Path], needs: Needs) -> Surroundings:
    """What was around at the last observation of every window. files: among them the scene of every window.

    A scene is found by the last part of its id, which is its file's stem; where several files have it, by the whole id.
    """
    if not needs:
        return nothing_around(len(windows), needs)
    parts, order = [], []
    by_stem: dict[str, list[Path]] = {}
    for path in files:
        by_stem.setdefault(path.stem, []).append(path)
    for scene_id in np.unique(windows.scene_id).tolist():
        found = by_stem.get(scene_id.rsplit("/", 1)[-1], [])
        if len(found) > 1:
            found = [path for path in found if path.with_suffix("").as_posix().endswith("/" + scene_id)]
        if len(found) != 1:
            raise InputError(f"windows: expected one file of scene {scene_id!r} among {len(files)}, found {len(found)}")
        rows = np.flatnonzero(windows.scene_id == scene_id)
        scene = load_scene(found[0], with_map=needs.view is not None)
        parts.append(scene_surroundings(scene, windows.row[rows], needs))
        order.append(rows)
    place = np.empty(len(windows), np.int64)
    place[np.concatenate(order)] = np.arange(len(windows))
    return concat(parts, what="windows").select(place)


def nothing_around(count: int, needs: Needs) -> Surroundings:
    """Surroundings of ``count`` objects that see nothing."""
    distance, valid = map_around(needs.view, None, np.zeros((count, 2)), np.zeros(count))
    return Surroundings(distance, valid, np.zeros((count, needs.neighbours, len(NEIGHBOUR)), np.float32))
