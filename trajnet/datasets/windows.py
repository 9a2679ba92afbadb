"""Prediction windows: what was known about one object at one instant, and what it did afterwards.

Evaluation on the benchmarks and training both start from these. The file of a data set describes which windows its
benchmark has. A window's history lies on a fixed grid of times before its last observation; a mask tells where the
track was observed. The future is interpolated between observations to the requested times, and masked where the
recording has a gap or ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajnet.arrays import StructOfArrays
from trajnet.errors import InputError
from trajnet.types import BoolArray, FloatArray, IntArray, Scene, TrackFrame

#: Windows that are looked up at once, so that a long recording needs little more memory than its windows.
BLOCK = 16_384


@dataclass(frozen=True, eq=False)
class Windows(StructOfArrays):
    """W windows with H history times and T future times.

    history_time_s (H,): ends with 0, the last observation. future_time_s (T,): above 0.
    scene_id (W,), track_id (W,): str. frame (W,): the source's number of the last observed frame. row (W,): the scene's
    row of the last observation.
    timestamp_ns (W,): the time of that row. object_class (W,), size_m (W, 2).
    observed (W, H): the last column is always True. Where it is False, the values are zeros without a meaning.
    position_m (W, H, 2): map frame. yaw_rad (W, H), yaw_valid (W, H), velocity_mps (W, H, 2), velocity_valid (W, H).
    future_m (W, T, 2): map frame, with future_valid (W, T).
    seen_for_s (W,): time since the object's first observation in the scene; a history may begin later.
    """

    SHARED = ("history_time_s", "future_time_s")

    history_time_s: FloatArray
    future_time_s: FloatArray
    scene_id: NDArray[np.str_]
    track_id: NDArray[np.str_]
    frame: IntArray
    row: IntArray
    timestamp_ns: IntArray
    object_class: NDArray[np.int8]
    size_m: FloatArray
    observed: BoolArray
    position_m: FloatArray
    yaw_rad: FloatArray
    yaw_valid: BoolArray
    velocity_mps: FloatArray
    velocity_valid: BoolArray
    future_m: FloatArray
    future_valid: BoolArray
    seen_for_s: FloatArray


#: No future is interpolated across a longer gap between observations, s.
LONGEST_GAP_S = 1.0


def windows_of_scene(
    scene: Scene,
    rows: NDArray[Any],
    history_time_s: FloatArray,
    future_time_s: FloatArray,
    *,
    max_gap_s: float = LONGEST_GAP_S,
) -> Windows:
    """Return one window for each of these rows of the scene (mask or indices), in the order of the rows.

    history_time_s (H,) ends with 0; an observation counts for a grid time when it is closer to it than a quarter of
    the grid's step. max_gap_s: no future is interpolated across a longer gap between observations.
    Raises InputError for other history times, and for a row given twice.
    """
    history_time_s, future_time_s = np.asarray(history_time_s, float), np.asarray(future_time_s, float)
    if not len(history_time_s) or history_time_s[-1] != 0 or np.any(np.diff(history_time_s) <= 0):
        raise InputError(f"history_time_s: expected increasing times that end with 0, got {history_time_s}")
    wanted = np.arange(len(scene.row_frame))[rows]
    if len(np.unique(wanted)) < len(wanted):
        raise InputError("rows: expected each row of the scene at most once, got some twice")
    found = _look_up(scene, wanted, history_time_s, future_time_s, max_gap_s)
    track, frame = scene.row_track[wanted], scene.row_frame[wanted]
    return Windows(
        history_time_s=history_time_s,
        future_time_s=future_time_s,
        scene_id=np.full(len(wanted), scene.scene_id),
        track_id=np.array(scene.track_id, dtype=np.str_)[track] if len(wanted) else np.zeros(0, dtype=np.str_),
        frame=scene.frame_number[frame],
        row=wanted,
        timestamp_ns=scene.timestamp_ns[frame],
        object_class=scene.object_class[track],
        size_m=scene.size_m[track],
        observed=found.observed,
        position_m=found.history(scene.position_m),
        yaw_rad=found.history(scene.yaw_rad),
        yaw_valid=found.history(scene.yaw_valid),
        velocity_mps=found.history(scene.velocity_mps),
        velocity_valid=found.history(scene.velocity_valid),
        future_m=found.future_m,
        future_valid=found.future_valid,
        seen_for_s=found.seen_for_s,
    )


class _Found(NamedTuple):
    """Rows of a scene that W windows take their history from, (W, H), and the rest as in Windows."""

    source_row: IntArray
    observed: BoolArray
    future_m: FloatArray
    future_valid: BoolArray
    seen_for_s: FloatArray

    def history(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the values of the scene's rows (R, ...) as histories (W, H, ...); zeros where not observed."""
        mask = self.observed.reshape(self.observed.shape + (1,) * (values.ndim - 1))
        return np.where(mask, values[self.source_row], np.zeros((), dtype=values.dtype))


def _look_up(
    scene: Scene, wanted: IntArray, history_time_s: FloatArray, future_time_s: FloatArray, max_gap_s: float
) -> _Found:
    """Return what the scene has at the history and future times of windows that end at the wanted rows (W,)."""
    count, steps, horizon = len(wanted), len(history_time_s), len(future_time_s)
    found = _Found(
        np.zeros((count, steps), dtype=np.int64),
        np.zeros((count, steps), dtype=np.bool_),
        np.zeros((count, horizon, 2)),
        np.zeros((count, horizon), dtype=np.bool_),
        np.zeros(count),
    )
    tracks = _Tracks.of(scene)
    for start in range(0, count, BLOCK):
        part = slice(start, start + BLOCK)
        track = scene.row_track[wanted[part], None]
        last_s = tracks.frame_time_s[scene.row_frame[wanted[part], None]]
        nearest, found.observed[part] = tracks.history(track, last_s, history_time_s)
        found.source_row[part] = tracks.row[nearest]
        found.seen_for_s[part] = (last_s - tracks.time_s[tracks.begin[track]])[:, 0]
        future = tracks.around(track, last_s + future_time_s, max_gap_s)
        found.future_m[part], found.future_valid[part] = future.interpolated(scene.position_m), future.valid
    return found


class _Tracks(NamedTuple):
    """The R rows of a scene track by track, each in order of time, so that one search serves all tracks.

    row (R,), time_s (R,): row in the scene, and its time. key (R,): rises with track and frame. begin, end (M,): where
    the rows of each track begin and end. frame_time_s (F,): since the scene's first frame.
    """

    row: IntArray
    time_s: FloatArray
    key: IntArray
    begin: IntArray
    end: IntArray
    frame_time_s: FloatArray

    @classmethod
    def of(cls, scene: Scene) -> _Tracks:
        row = np.argsort(scene.row_track, kind="stable")
        track, frame = scene.row_track[row].astype(np.int64), scene.row_frame[row]
        bounds = np.searchsorted(track, np.arange(len(scene.track_id) + 1))
        frame_time_s = (scene.timestamp_ns - (scene.timestamp_ns[0] if scene.frame_count else 0)) * 1e-9
        key = track * (scene.frame_count + 1) + frame
        return cls(row, frame_time_s[frame], key, bounds[:-1], bounds[1:], frame_time_s)

    def at_or_after(self, track: IntArray, ask_s: FloatArray) -> IntArray:
        """Return the place of the first row at or after each asked time (W, A) of the tracks (W, 1), else the last."""
        frame = np.searchsorted(self.frame_time_s, ask_s)
        place = np.searchsorted(self.key, track * (len(self.frame_time_s) + 1) + frame)
        return np.clip(place, self.begin[track], self.end[track] - 1)

    def history(self, track: IntArray, last_s: FloatArray, time_s: FloatArray) -> tuple[IntArray, BoolArray]:
        """Return the places (W, H) nearest to these times (H,) from the last ones (W, 1), and which count for them."""
        tolerance_s = 0.25 * (float(np.diff(time_s).min()) if len(time_s) > 1 else 1.0)
        place = self.nearest(track, last_s + time_s)
        return place, np.abs(self.time_s[place] - (last_s + time_s)) < tolerance_s

    def nearest(self, track: IntArray, ask_s: FloatArray) -> IntArray:
        """Return the place of the row nearest to each asked time (W, A) of the tracks (W, 1)."""
        right = self.at_or_after(track, ask_s)
        left = np.maximum(right - 1, self.begin[track])
        return np.where(np.abs(self.time_s[left] - ask_s) <= np.abs(self.time_s[right] - ask_s), left, right)

    def around(self, track: IntArray, ask_s: FloatArray, max_gap_s: float) -> Between:
        """Return the observations around each asked time (W, T) of the tracks (W, 1)."""
        slack_s = 1e-6
        right = self.at_or_after(track, ask_s - slack_s)
        exact = np.abs(self.time_s[right] - ask_s) <= slack_s
        left = np.where(exact, right, np.maximum(right - 1, self.begin[track]))
        left_s = self.time_s[left]
        gap_s = self.time_s[right] - left_s
        between = (ask_s < self.time_s[self.end[track] - 1]) & (ask_s > self.time_s[self.begin[track]])
        valid = exact | (between & (gap_s <= max_gap_s + slack_s))
        weight = np.where(gap_s > 0, (ask_s - left_s) / np.where(gap_s > 0, gap_s, 1.0), 0.0)
        return Between(self.row[left], self.row[right], weight, valid)


class Between(NamedTuple):
    """Where T asked times of W windows lie between the observations of their tracks.

    left, right (W, T): rows of the scene before and after, the same one where it is at that time. weight (W, T): of the
    right one. valid (W, T): whether the time may be interpolated.
    """

    left: IntArray
    right: IntArray
    weight: FloatArray
    valid: BoolArray

    def interpolated(self, value: FloatArray) -> FloatArray:
        """Return the values (W, T, 2) of those of the scene's rows (R, 2); zeros where not valid."""
        weight = self.weight[..., None]
        points = (1.0 - weight) * value[self.left] + weight * value[self.right]
        return np.where(self.valid[..., None], points, 0.0)


class WindowRows(NamedTuple):
    """The rows of a scene that W windows are made of. history (W, H), observed (W, H); future: of T times."""

    history: IntArray
    observed: BoolArray
    future: Between


def window_rows(
    scene: Scene, rows: IntArray, history_time_s: FloatArray, future_time_s: FloatArray, *, max_gap_s: float = 1.0
) -> WindowRows:
    """Return what windows_of_scene takes the windows from that end at these rows (W,) of the scene."""
    tracks = _Tracks.of(scene)
    track = scene.row_track[rows, None]
    last_s = tracks.frame_time_s[scene.row_frame[rows, None]]
    nearest, observed = tracks.history(track, last_s, history_time_s)
    return WindowRows(tracks.row[nearest], observed, tracks.around(track, last_s + future_time_s, max_gap_s))


def recorded_positions(
    scene: Scene, rows: NDArray[Any], time_s: FloatArray, *, max_gap_s: float = 1.0
) -> tuple[FloatArray, BoolArray]:
    """Return where the objects of these rows are at these times from then, (W, T, 2), and where that is known, (W, T).

    time_s (T,): negative times are past, 0 is the row itself. Interpolated between observations, never across a gap
    longer than max_gap_s, so it is the same at every rate.
    """
    found = _look_up(scene, np.arange(len(scene.row_frame))[rows], np.zeros(1), np.asarray(time_s, float), max_gap_s)
    return found.future_m, found.future_valid


def sliding_windows(
    scene: Scene,
    history_time_s: FloatArray,
    future_time_s: FloatArray,
    *,
    stride: int = 1,
    min_future_s: float = 0.0,
    offset: int = 0,
) -> Windows:
    """Return a window at every stride-th frame for each observed object with a known future up to min_future_s."""
    rows = np.flatnonzero((scene.row_frame + offset) % stride == 0)
    windows = windows_of_scene(scene, rows, history_time_s, future_time_s)
    known = windows.future_valid[:, windows.future_time_s <= min_future_s + 1e-6].all(axis=1)
    return windows.select(np.asarray(known & windows.future_valid.any(axis=1)))


def frames_of(windows: Windows, rows: Iterable[int]) -> Iterator[TrackFrame]:
    """Yield the frames that feed these windows in lockstep through a Stream, oldest first, the last at time 0.

    Each window is a track of its own, named by its row. A track begins at its first observation. The timestamps
    count from the last observation (0 ns), so all windows share them.
    """
    index = np.fromiter(rows, dtype=np.int64)
    name = np.array([str(i) for i in index])
    for step, time_s in enumerate(windows.history_time_s):
        here = windows.observed[index, step]
        chosen = index[here]
        yield TrackFrame(
            timestamp_ns=round(float(time_s) * 1e9),
            track_id=tuple(name[here].tolist()),
            object_class=windows.object_class[chosen],
            position_m=windows.position_m[chosen, step],
            yaw_rad=windows.yaw_rad[chosen, step],
            yaw_valid=windows.yaw_valid[chosen, step],
            velocity_mps=windows.velocity_mps[chosen, step],
            velocity_valid=windows.velocity_valid[chosen, step],
            size_m=windows.size_m[chosen],
        )
