"""A long recording as stretches of time, scenes of their own: some to learn from, others kept for the test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from trajnet.errors import InputError
from trajnet.types import ROW_VALUES, IntArray, Scene

#: A shorter stretch has no past and future that could be learned from (s).
SHORTEST_S = 1.0


def stretches(scene: Scene, length_s: float) -> Iterator[Scene]:
    """Yield the scene's stretches of length_s, counted from its first frame, in the order of time.

    Their ids are the scene's with the number of the stretch, wide enough that sorted names are sorted times. A stretch
    without a row is left out, and its number with it. Times, ids of tracks and the map stay as they are, so an object
    that is there at the end of a stretch is in the next one, too. The last may be shorter.
    Raises InputError for another length than require_length takes.
    """
    require_length(length_s)
    if not len(scene.row_frame):
        return
    number: IntArray = (scene.timestamp_ns - scene.timestamp_ns[0]) // round(length_s * 1e9)
    digits = max(3, len(str(number[-1])))
    for one in np.unique(number[scene.row_frame]).tolist():
        yield _frames_of(scene, np.flatnonzero(number == one), f"{scene.scene_id}-{one:0{digits}d}")


def require_length(length_s: float) -> None:
    """Raise InputError unless it is a length that a stretch can have: SHORTEST_S or more."""
    if not SHORTEST_S <= length_s < np.inf:
        raise InputError(f"cut: expected stretches of {SHORTEST_S:g} s or more, got {length_s:g} s")


def _frames_of(scene: Scene, frames: IntArray, scene_id: str) -> Scene:
    """Return these frames, which follow each other, with the tracks that are in them."""
    rows = slice(*np.searchsorted(scene.row_frame, [frames[0], frames[-1] + 1]).tolist())
    tracks, row_track = np.unique(scene.row_track[rows], return_inverse=True)
    return replace(
        scene,
        scene_id=scene_id,
        timestamp_ns=scene.timestamp_ns[frames],
        frame_number=scene.frame_number[frames],
        track_id=tuple(scene.track_id[track] for track in tracks.tolist()),
        object_class=scene.object_class[tracks],
        size_m=scene.size_m[tracks],
        row_frame=scene.row_frame[rows] - frames[0],
        row_track=row_track.ravel(),
        **{name: getattr(scene, name)[rows] for name in ROW_VALUES},
    )
