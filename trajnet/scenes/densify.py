"""A recording at a higher frame rate: frames put between the recorded ones, for training.

The rate of a recording must not tell a model which data set it looks at. A row in between is made of the track's
recorded rows up to the end of that interval, never of later ones, so a history that ends at a recorded frame holds
nothing of its future.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajnet.errors import InputError
from trajnet.types import FloatArray, IntArray, Scene

#: Nothing is put between two rows of a track that are further apart in time than this (s).
LONGEST_GAP_S = 1.0
_HALF_TURN_RAD = np.pi


def densified(scene: Scene, times: int) -> Scene:
    """Return the scene with ``times`` as many frames; recorded frame i becomes frame i * times, its rows unchanged.

    A position in between lies on the parabola through the track's three recorded ones up to the end of the interval for
    every second track, and on a straight line for the others and where there are only two: recordings that others
    interpolated show straight lines, recordings at that rate curves. Yaws turn the shorter way; a yaw or a velocity is
    valid where it is at both ends. frame_number counts the new frames; rows in between are no targets.
    Raise InputError for times below 1.
    """
    if times < 1:
        raise InputError(f"densified: expected at least one frame for each recorded one, got {times}")
    if times == 1 or scene.frame_count < 2:
        return scene
    before, after = _intervals(scene)
    parts = [_between(scene, before, after, step / times) for step in range(1, times)]
    whole = {name: np.concatenate([getattr(scene, name), *(part[name] for part in parts)]) for name in parts[0]}
    row_frame = np.concatenate(
        [scene.row_frame * times, *(scene.row_frame[before] * times + step for step in range(1, times))]
    )
    row_track = np.concatenate([scene.row_track, *[scene.row_track[before]] * (times - 1)])
    order = np.lexsort((row_track, row_frame))
    return Scene(
        scene_id=scene.scene_id,
        timestamp_ns=_timestamps(scene.timestamp_ns, times),
        frame_number=np.arange((scene.frame_count - 1) * times + 1),
        track_id=scene.track_id,
        object_class=scene.object_class,
        size_m=scene.size_m,
        row_frame=row_frame[order],
        row_track=row_track[order],
        **{name: values[order] for name, values in whole.items()},
        source=scene.source,
        licence=scene.licence,
        lanes=scene.lanes,
        raster=scene.raster,
    )


def _timestamps(recorded_ns: IntArray, times: int) -> IntArray:
    """Return ((F - 1) * times + 1,) nanoseconds of (F,) recorded ones."""
    step_ns: IntArray = np.diff(recorded_ns)[:, None] * np.arange(times) // times
    return np.append((recorded_ns[:-1, None] + step_ns).reshape(-1), recorded_ns[-1:])


def _intervals(scene: Scene) -> tuple[IntArray, IntArray]:
    """Return the rows (I,) that begin and end an interval: of one track, in successive frames, close enough in time."""
    order = np.lexsort((scene.row_frame, scene.row_track))
    before, after = order[:-1], order[1:]
    time_s = scene.timestamp_ns[scene.row_frame] * 1e-9
    joined = scene.row_track[before] == scene.row_track[after]
    joined &= scene.row_frame[after] == scene.row_frame[before] + 1
    joined &= time_s[after] - time_s[before] <= LONGEST_GAP_S
    return before[joined], after[joined]


def _between(scene: Scene, before: IntArray, after: IntArray, share: float) -> dict[str, NDArray[Any]]:
    """Return what rows hold this share (0, 1) of the way from the rows ``before`` to the rows ``after``."""
    turn_rad = scene.yaw_rad[after] - scene.yaw_rad[before]
    turn_rad = (turn_rad + _HALF_TURN_RAD) % (2.0 * np.pi) - _HALF_TURN_RAD
    velocity_mps = (1.0 - share) * scene.velocity_mps[before] + share * scene.velocity_mps[after]
    velocity_valid = scene.velocity_valid[before] & scene.velocity_valid[after]
    yaw_valid = scene.yaw_valid[before] & scene.yaw_valid[after]
    return {
        "position_m": _position(scene, before, after, share),
        "yaw_rad": np.where(yaw_valid, scene.yaw_rad[before] + share * turn_rad, 0.0),
        "yaw_valid": yaw_valid,
        "velocity_mps": np.where(velocity_valid[:, None], velocity_mps, 0.0),
        "velocity_valid": velocity_valid,
        "is_target": np.zeros(len(before), np.bool_),
    }


def _position(scene: Scene, before: IntArray, after: IntArray, share: float) -> FloatArray:
    """Return (I, 2) positions on the straight line, for tracks of even number on the parabola where there is one."""
    straight_m = (1.0 - share) * scene.position_m[before] + share * scene.position_m[after]
    earlier = np.full(len(scene.row_frame), -1)
    earlier[after] = before
    first = earlier[before]
    curved = (first >= 0) & (scene.row_track[before] % 2 == 0)
    # Lagrange's term of second order for steps of equal length: the second difference times share (share - 1) / 2.
    second_m = scene.position_m[after] - 2.0 * scene.position_m[before] + scene.position_m[first]
    return straight_m + np.where(curved[:, None], 0.5 * share * (share - 1.0) * second_m, 0.0)
