"""More agents than were recorded: shifted copies of a scene's own, to load a predictor."""

from __future__ import annotations

import itertools
import math

import numpy as np

from trajnet.errors import InputError
from trajnet.types import FloatArray, IntArray, Scene

#: Free space between a scene and its copies, so that no copy is anybody's neighbour.
COPY_GAP_M = 100.0


def multiply_agents(scene: Scene, agents: int) -> Scene:
    """Return a scene with exactly ``agents`` objects in every frame that had any.

    The scene's own tracks come first and stay as they are; the rest are copies of them, far enough away not to meet
    anyone, with ids of their own. Where the number of recorded objects changes, the copies added last go first, and a
    copy ends where its original does; frames without any object stay empty.

    Raises InputError if a frame already has more objects than asked for.
    """
    counts = np.bincount(scene.row_frame, minlength=scene.frame_count)
    if agents < counts.max(initial=0):
        raise InputError(
            f"agents: scene {scene.scene_id!r} has up to {counts.max()} objects in a frame, got {agents}; "
            f"ask for {counts.max()} or more"
        )
    own = len(scene.track_id)
    index_of: dict[tuple[int, int], int] = {}
    active: list[tuple[int, int]] = []
    frames, tracks, origins = [], [], []
    for frame in range(scene.frame_count):
        rows = scene.rows_of_frame(frame)
        row_of = {int(t): r for r, t in enumerate(scene.row_track[rows], start=rows.start)}
        active = _choose(active, row_of, agents - len(row_of))
        for key in active:
            frames.append(frame)
            tracks.append(index_of.setdefault(key, own + len(index_of)))
            origins.append(row_of[key[1]])
    return _with_copies(
        scene, index_of, np.array(frames, np.int64), np.array(tracks, np.int64), np.array(origins, np.int64)
    )


def _choose(active: list[tuple[int, int]], row_of: dict[int, int], wanted: int) -> list[tuple[int, int]]:
    """Return the (copy number, track) pairs of a frame: the previous frame's where possible, then the lowest new."""
    if not row_of:
        return []
    kept = [key for key in active if key[1] in row_of][:wanted]
    taken = set(kept)
    new = ((copy, track) for copy in itertools.count(1) for track in row_of if (copy, track) not in taken)
    return kept + list(itertools.islice(new, wanted - len(kept)))


def _with_copies(
    scene: Scene, index_of: dict[tuple[int, int], int], frames: IntArray, tracks: IntArray, origins: IntArray
) -> Scene:
    copy_number = np.array([c for c, _ in index_of], dtype=np.int64)
    origin_track = np.array([t for _, t in index_of], dtype=np.int64)
    shift_m = _shifts(scene, int(copy_number.max(initial=0)))
    row_copy = copy_number[tracks - len(scene.track_id)]
    source_row = np.concatenate([np.arange(len(scene.row_frame)), origins])
    row_frame = np.concatenate([scene.row_frame, frames])
    row_track = np.concatenate([scene.row_track, tracks])
    row_shift_m = np.concatenate([np.zeros((len(scene.row_frame), 2)), shift_m[row_copy]])
    is_target = np.concatenate([scene.is_target, np.zeros(len(frames), dtype=np.bool_)])
    order = np.lexsort((row_track, row_frame))
    source_row = source_row[order]
    return Scene(
        scene_id=scene.scene_id,
        timestamp_ns=scene.timestamp_ns,
        frame_number=scene.frame_number,
        track_id=(*scene.track_id, *_unique_ids(scene.track_id, index_of)),
        object_class=np.concatenate([scene.object_class, scene.object_class[origin_track]]),
        size_m=np.concatenate([scene.size_m, scene.size_m[origin_track]]),
        row_frame=row_frame[order],
        row_track=row_track[order],
        position_m=scene.position_m[source_row] + row_shift_m[order],
        yaw_rad=scene.yaw_rad[source_row],
        yaw_valid=scene.yaw_valid[source_row],
        velocity_mps=scene.velocity_mps[source_row],
        velocity_valid=scene.velocity_valid[source_row],
        is_target=is_target[order],
        source=scene.source,
        licence=scene.licence,
        lanes=scene.lanes,
        raster=scene.raster,
    )


def _shifts(scene: Scene, copies: int) -> FloatArray:
    """Return where each copy of the scene lies, on a square grid (copies + 1, 2); copy 0 is the scene itself."""
    extent_m = scene.position_m.max(axis=0) - scene.position_m.min(axis=0) + COPY_GAP_M
    side = math.ceil(math.sqrt(copies + 1))
    number = np.arange(copies + 1)
    shifts: FloatArray = np.stack([number % side, number // side], axis=1) * extent_m
    return shifts


def _unique_ids(own: tuple[str, ...], index_of: dict[tuple[int, int], int]) -> list[str]:
    mark = "#"
    while any(mark in track_id for track_id in own):
        mark += "#"
    return [f"{own[track]}{mark}{copy}" for copy, track in index_of]
