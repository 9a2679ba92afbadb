"""Frames, scenes and observations in one line, for the tests of the core."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from trajnet.tracking.store import Observations, TrackStore
from trajnet.types import ObjectClass, Scene, TrackFrame

MS = 1_000_000
SECOND = 1_000_000_000


def frame(
    time_s: float,
    tracks: dict[str, tuple[float, float]],
    *,
    yaw: ArrayLike | None = 0.0,
    velocity: ArrayLike | None = None,
    kind: ArrayLike = ObjectClass.CAR,
    size: ArrayLike = (4.0, 2.0),
) -> TrackFrame:
    """Objects by id at these positions; yaw, velocity, kind and size for all or for each. None: not measured."""
    count = len(tracks)
    return TrackFrame(
        round(time_s * SECOND),
        tuple(tracks),
        np.broadcast_to(np.asarray(kind), (count,)),
        np.array(list(tracks.values()), dtype=np.float64).reshape(count, 2),
        np.broadcast_to(np.asarray(np.nan if yaw is None else yaw), (count,)),
        np.full(count, yaw is not None),
        np.broadcast_to(np.asarray(np.nan if velocity is None else velocity), (count, 2)),
        np.full(count, velocity is not None),
        np.broadcast_to(np.asarray(size), (count, 2)),
    )


def in_patches(grid: np.ndarray, patch: int) -> np.ndarray:
    """Numbers on a grid (A, B, ...) -> (A / patch, B / patch, patch * patch, ...), square by square, row by row."""
    rows, columns = (points // patch for points in grid.shape[:2])
    out = np.empty((rows, columns, patch * patch, *grid.shape[2:]), grid.dtype)
    for row, column in np.ndindex(*grid.shape[:2]):
        out[row // patch, column // patch, row % patch * patch + column % patch] = grid[row, column]
    return out


def observed(*frames: TrackFrame) -> Observations:
    """What a new track store makes of the last of these frames."""
    store = TrackStore()
    for one in frames:
        seen = store.update(one, one.timestamp_ns)[1]
    assert seen is not None
    return seen


def scene(times_s: Sequence[float], tracks: dict[str, dict[int, tuple[float, float]]], **more: Any) -> Scene:
    """A scene of cars: id -> frame index -> position."""
    rows = sorted((f, m, p) for m, places in enumerate(tracks.values()) for f, p in places.items())
    count = len(rows)
    values: dict[str, Any] = {
        "scene_id": "made",
        "timestamp_ns": [round(t * SECOND) for t in times_s],
        "frame_number": 10 * np.arange(len(times_s)),
        "track_id": tuple(tracks),
        "object_class": np.full(len(tracks), ObjectClass.CAR),
        "size_m": np.tile([4.0, 2.0], (len(tracks), 1)),
        "row_frame": [r[0] for r in rows],
        "row_track": [r[1] for r in rows],
        "position_m": np.array([r[2] for r in rows], dtype=np.float64).reshape(count, 2),
        "yaw_rad": np.zeros(count),
        "yaw_valid": np.zeros(count, dtype=np.bool_),
        "velocity_mps": np.zeros((count, 2)),
        "velocity_valid": np.zeros(count, dtype=np.bool_),
        "is_target": np.zeros(count, dtype=np.bool_),
    }
    return Scene(**{**values, **more})
