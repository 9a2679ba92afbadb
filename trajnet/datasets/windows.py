"""Prediction windows: what was known at one instant about one object, and what it did afterwards.

Evaluation on the official benchmarks and training both start from these. A window's history lies on a fixed grid of
times before its last observation; a mask says where the track was observed. The future is interpolated to the asked
times between observations, and masked where the recording has a gap or ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajnet.arrays import StructOfArrays, concat
from trajnet.errors import InputError
from trajnet.scenes import load_scene
from trajnet.scenes.splits import apolloscape_split, eth_ucy_split, nuscenes_split, vru_split
from trajnet.types import BoolArray, FloatArray, IntArray, Scene, TrackFrame

#: Windows of the official splits; a different count means that the data or the protocol is not the official one.
NUSCENES_WINDOWS = {"train": 32_186, "train_val": 8_560, "val": 9_041}
ETH_UCY_WINDOWS = {"eth": 181, "hotel": 1_053, "univ": 24_334, "zara1": 2_253, "zara2": 5_833}

NUSCENES_HISTORY_S: FloatArray = np.arange(-4, 1, dtype=np.float64) * 0.5
NUSCENES_FUTURE_S: FloatArray = np.arange(1, 13, dtype=np.float64) * 0.5
ETH_UCY_HISTORY_S: FloatArray = np.arange(-7, 1, dtype=np.float64) * 0.4
ETH_UCY_FUTURE_S: FloatArray = np.arange(1, 13, dtype=np.float64) * 0.4

#: Windows of our own splits (trajnet.scenes.splits), with the times that are scored.
APOLLOSCAPE_WINDOWS = {"train": 29_639, "val": 4_279, "test": 4_085}
APOLLOSCAPE_HISTORY_S: FloatArray = np.arange(-5, 1, dtype=np.float64) * 0.5
APOLLOSCAPE_FUTURE_S: FloatArray = np.arange(1, 7, dtype=np.float64) * 0.5
VRU_WINDOWS = {
    "pedestrians": {"train": 5_929, "val": 951, "test": 1_504},
    "cyclists": {"train": 15_731, "val": 1_938, "test": 4_564},
}
VRU_HISTORY_S: dict[str, FloatArray] = {
    "pedestrians": np.arange(-50, 1, dtype=np.float64) * 0.02,
    "cyclists": np.arange(-12, 1, dtype=np.float64) * 0.08,
}
VRU_FUTURE_S: FloatArray = np.arange(1, 6, dtype=np.float64) * 0.5
#: Frames from one window of a track to the next: 0.4 s at both rates.
VRU_STRIDE = {"pedestrians": 20, "cyclists": 5}


@dataclass(frozen=True, eq=False)
class Windows(StructOfArrays):
    """W windows with H history times and T future times.

    history_time_s (H,): ends with 0, the last observation. future_time_s (T,): above 0.
    scene_id (W,), track_id (W,): str. frame (W,): the source's number of the last observed frame. row (W,): the scene's
    row of the last observation.
    timestamp_ns (W,): its time. object_class (W,), size_m (W, 2).
    observed (W, H): the last column is always True. Values where it is False mean nothing (zeros).
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


def windows_of_scene(
    scene: Scene,
    rows: NDArray[Any],
    history_time_s: FloatArray,
    future_time_s: FloatArray,
    *,
    max_gap_s: float = 1.0,
) -> Windows:
    """One window for each of these rows of the scene (mask or indices), in the order of the rows.

    history_time_s (H,) ends with 0; an observation counts for a grid time when it is closer to it than a quarter of
    the grid's step. max_gap_s: no future is interpolated across a longer gap between observations.
    """
    history_time_s, future_time_s = np.asarray(history_time_s, float), np.asarray(future_time_s, float)
    if not len(history_time_s) or history_time_s[-1] != 0 or np.any(np.diff(history_time_s) <= 0):
        raise InputError(f"history_time_s: expected increasing times that end with 0, got {history_time_s}")
    wanted = np.arange(len(scene.row_frame))[rows]
    if len(np.unique(wanted)) < len(wanted):
        raise InputError("rows: expected each row of the scene at most once, got some twice")
    count, steps, horizon = len(wanted), len(history_time_s), len(future_time_s)
    source_row = np.zeros((count, steps), dtype=np.int64)
    observed = np.zeros((count, steps), dtype=np.bool_)
    future_m = np.zeros((count, horizon, 2))
    future_valid = np.zeros((count, horizon), dtype=np.bool_)
    seen_for_s = np.zeros(count)
    tolerance_s = 0.25 * (float(np.diff(history_time_s).min()) if steps > 1 else 1.0)
    window_of_row = np.full(len(scene.row_frame), -1)
    window_of_row[wanted] = np.arange(count)
    row_time_s = (scene.timestamp_ns[scene.row_frame] - (scene.timestamp_ns[0] if scene.frame_count else 0)) * 1e-9
    for track_rows in scene.rows_by_track():
        window = window_of_row[track_rows]
        anchors = track_rows[window >= 0]
        if not len(anchors):
            continue
        window = window[window >= 0]
        time_s = row_time_s[track_rows]
        ask_s = row_time_s[anchors][:, None] + history_time_s
        nearest = _nearest(time_s, ask_s)
        observed[window] = np.abs(time_s[nearest] - ask_s) < tolerance_s
        source_row[window] = track_rows[nearest]
        seen_for_s[window] = row_time_s[anchors] - time_s[0]
        ask_s = row_time_s[anchors][:, None] + future_time_s
        future_m[window], future_valid[window] = _interpolate(time_s, scene.position_m[track_rows], ask_s, max_gap_s)

    def history(values: NDArray[Any]) -> NDArray[Any]:
        mask = observed.reshape(observed.shape + (1,) * (values.ndim - 1))
        return np.where(mask, values[source_row], np.zeros((), dtype=values.dtype))

    track = scene.row_track[wanted]
    return Windows(
        history_time_s=history_time_s,
        future_time_s=future_time_s,
        scene_id=np.full(count, scene.scene_id),
        track_id=np.array(scene.track_id, dtype=np.str_)[track] if count else np.zeros(0, dtype=np.str_),
        frame=scene.frame_number[scene.row_frame[wanted]],
        row=wanted,
        timestamp_ns=scene.timestamp_ns[scene.row_frame[wanted]],
        object_class=scene.object_class[track],
        size_m=scene.size_m[track],
        observed=observed,
        position_m=history(scene.position_m),
        yaw_rad=history(scene.yaw_rad),
        yaw_valid=history(scene.yaw_valid),
        velocity_mps=history(scene.velocity_mps),
        velocity_valid=history(scene.velocity_valid),
        future_m=future_m,
        future_valid=future_valid,
        seen_for_s=seen_for_s,
    )


def _nearest(time_s: FloatArray, ask_s: FloatArray) -> IntArray:
    """Index of the time nearest to each asked time. time_s (L,) increasing, ask_s any shape."""
    right = np.clip(np.searchsorted(time_s, ask_s), 0, len(time_s) - 1)
    left = np.maximum(right - 1, 0)
    return np.where(np.abs(time_s[left] - ask_s) <= np.abs(time_s[right] - ask_s), left, right)


def _interpolate(
    time_s: FloatArray, value: FloatArray, ask_s: FloatArray, max_gap_s: float
) -> tuple[FloatArray, BoolArray]:
    """Linear between the two observations around each asked time: (A, T, 2) and where that is allowed (A, T)."""
    slack_s = 1e-6
    right = np.clip(np.searchsorted(time_s, ask_s - slack_s), 0, len(time_s) - 1)
    exact = np.abs(time_s[right] - ask_s) <= slack_s
    left = np.where(exact, right, np.maximum(right - 1, 0))
    gap_s = time_s[right] - time_s[left]
    valid = exact | ((ask_s < time_s[-1]) & (ask_s > time_s[0]) & (gap_s <= max_gap_s + slack_s))
    weight = np.where(gap_s > 0, (ask_s - time_s[left]) / np.where(gap_s > 0, gap_s, 1.0), 0.0)[..., None]
    points = (1.0 - weight) * value[left] + weight * value[right]
    return np.where(valid[..., None], points, 0.0), valid


def sliding_windows(
    scene: Scene,
    history_time_s: FloatArray,
    future_time_s: FloatArray,
    *,
    stride: int = 1,
    min_future_s: float = 0.0,
    offset: int = 0,
) -> Windows:
    """A window at every stride-th frame for every observed object whose future is known up to min_future_s."""
    rows = np.flatnonzero((scene.row_frame + offset) % stride == 0)
    windows = windows_of_scene(scene, rows, history_time_s, future_time_s)
    known = windows.future_valid[:, windows.future_time_s <= min_future_s + 1e-6].all(axis=1)
    return windows.select(np.asarray(known & windows.future_valid.any(axis=1)))


def nuscenes_windows(data_dir: Path | str, split: str) -> Windows:
    """The official targets of a split (train, train_val, val): 2 s of history, 6 s of future at 2 Hz.

    Raises InputError if their number is not the official one.
    """
    paths = nuscenes_split(Path(data_dir), split)
    parts = [windows_of_scene(s, s.is_target, NUSCENES_HISTORY_S, NUSCENES_FUTURE_S) for s in map(load_scene, paths)]
    windows = concat([p for p in parts if len(p)], what="windows")
    _require_count(f"nuScenes {split}", len(windows), NUSCENES_WINDOWS[split])
    if not windows.future_valid.all():
        raise InputError(
            f"nuScenes {split}: expected 12 future frames for every target, got gaps; is the data complete?"
        )
    return windows


def eth_ucy_windows(data_dir: Path | str, scene: str, split: str = "test") -> Windows:
    """8 observed, 12 predicted positions at 2.5 Hz of one leave-one-out scene (eth, hotel, univ, zara1, zara2).

    The Social GAN rule: in every run of 20 successive frames of a file, the pedestrians that are in all 20, if there
    are more than one. Raises InputError if the number of test windows is not the official one.
    """
    parts = []
    for path in eth_ucy_split(Path(data_dir), scene, split):
        recorded = load_scene(path)
        windows = windows_of_scene(recorded, social_gan_rows(recorded), ETH_UCY_HISTORY_S, ETH_UCY_FUTURE_S)
        parts.append(windows)
    windows = concat([p for p in parts if len(p)], what="windows")
    if split == "test":
        _require_count(f"ETH/UCY {scene}", len(windows), ETH_UCY_WINDOWS[scene])
    return windows


def apolloscape_windows(data_dir: Path | str, split: str, future_time_s: FloatArray = APOLLOSCAPE_FUTURE_S) -> Windows:
    """6 observed and 6 predicted positions at 2 Hz, as in the ApolloScape benchmark, of our split (train, val, test).

    A window at every frame for every object that was seen in the frame before too and whose next 3 s are recorded;
    which windows there are does not depend on future_time_s. Raises InputError if their number is not the split's.
    """
    parts = []
    for scene in map(load_scene, apolloscape_split(Path(data_dir), split)):
        known = windows_of_scene(scene, np.arange(len(scene.row_frame)), APOLLOSCAPE_HISTORY_S, APOLLOSCAPE_FUTURE_S)
        rows = np.flatnonzero(known.observed[:, -2] & known.future_valid.all(axis=1))
        parts.append(windows_of_scene(scene, rows, APOLLOSCAPE_HISTORY_S, future_time_s))
    windows = concat(parts, what="windows")
    _require_count(f"ApolloScape {split}", len(windows), APOLLOSCAPE_WINDOWS[split])
    return windows


def vru_windows(data_dir: Path | str, road_user: str, split: str, future_time_s: FloatArray = VRU_FUTURE_S) -> Windows:
    """1 s of history, 2.5 s of future of the VRU data set's pedestrians (50 Hz) or cyclists (12.5 Hz), of our split.

    A window every 0.4 s of each track, from 1 s after its first observation (0.96 s for cyclists) to 2.5 s before its
    last; which windows there are does not depend on future_time_s. Raises InputError if their number is not the
    split's.
    """
    history_s = VRU_HISTORY_S.get(road_user, np.zeros(1))  # vru_split refuses an unknown road user
    parts = []
    for scene in map(load_scene, vru_split(Path(data_dir), split, road_user)):
        chosen = np.flatnonzero(scene.row_frame % VRU_STRIDE[road_user] == 0)
        known = windows_of_scene(scene, chosen, history_s, VRU_FUTURE_S)
        rows = chosen[known.observed[:, 0] & known.future_valid.all(axis=1)]
        parts.append(windows_of_scene(scene, rows, history_s, future_time_s))
    windows = concat(parts, what="windows")
    _require_count(f"VRU {road_user} {split}", len(windows), VRU_WINDOWS[road_user][split])
    return windows


def social_gan_rows(scene: Scene, *, observed: int = 8, predicted: int = 12) -> IntArray:
    """Rows (last observed frame) that Social GAN's loader makes windows of; see eth_ucy_windows.

    Its loader counts frames that occur in the file, and pedestrians in all of them; gaps in time are not looked at.
    """
    length = observed + predicted
    present = np.zeros((scene.frame_count, len(scene.track_id)), dtype=np.int64)
    row_of = np.zeros_like(present)
    present[scene.row_frame, scene.row_track] = 1
    row_of[scene.row_frame, scene.row_track] = np.arange(len(scene.row_frame))
    if scene.frame_count < length:
        return np.zeros(0, dtype=np.int64)
    total = np.concatenate([np.zeros((1, present.shape[1]), dtype=np.int64), np.cumsum(present, axis=0)])
    full = (total[length:] - total[:-length]) == length
    full &= (full.sum(axis=1) > 1)[:, None]
    start, track = np.nonzero(full)
    return row_of[start + observed - 1, track]


def _require_count(what: str, got: int, expected: int) -> None:
    if got != expected:
        raise InputError(
            f"{what}: expected the {expected:,} windows of the split, got {got:,}; is the data folder complete?"
        )


def frames_of(windows: Windows, rows: Iterable[int]) -> Iterator[TrackFrame]:
    """The frames by which these windows are fed in lockstep through a Stream, oldest first, the last at time 0.

    Each window is a track of its own, named by its row. A track is born at its first observation. The timestamps
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
