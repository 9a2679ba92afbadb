"""What there is to score: the official windows of nuScenes and ETH/UCY, those of our own splits of ApolloScape and VRU,
and whole scenes streamed frame by frame.

A Dataset is a list of units of work that processes share between them. A unit plays its frames into a Stream, the
code that runs on the road, and yields what was predicted beside what happened. A further dataset needs only a
function that makes units; see open_dataset.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from trajnet.arrays import concat
from trajnet.datasets.window_context import nothing_around, scene_field, window_surroundings
from trajnet.datasets.windows import (
    APOLLOSCAPE_FUTURE_S,
    ETH_UCY_FUTURE_S,
    ETH_UCY_WINDOWS,
    NUSCENES_FUTURE_S,
    NUSCENES_WINDOWS,
    VRU_FUTURE_S,
    VRU_HISTORY_S,
    Windows,
    apolloscape_windows,
    eth_ucy_windows,
    frames_of,
    nuscenes_windows,
    vru_windows,
    windows_of_scene,
)
from trajnet.errors import InputError
from trajnet.evaluate.paths import ScoredPaths, horizon_steps, paths_at
from trajnet.inference import Stream
from trajnet.scenes import ETH_UCY_SCENES, find_scenes, load_scene
from trajnet.scenes.splits import (
    NUSCENES_FOLDERS,
    OWN_SPLITS,
    apolloscape_split,
    eth_ucy_split,
    nuscenes_split,
    vru_split,
)
from trajnet.types import BoolArray, FloatArray, IntArray, Scene

DATASETS = ("nuscenes", "eth_ucy", "apolloscape", "vru", "scenes")

#: Objects that are predicted and scored together; fixed, so that results do not depend on the number of processes.
BATCH = 1024

#: Steps of the future that is scored in scenes.
SCENE_STEP_S = 0.5
DEFAULT_HORIZON_S = 6.0


class Unit(Protocol):
    """A piece of a dataset that one process scores for one predictor."""

    @property
    def group(self) -> str:
        """What reports sum up beside the whole: the scene, or "" where there is no such division."""

    def run(self, stream: Stream, time_s: FloatArray) -> Iterator[tuple[Windows, ScoredPaths]]:
        """Play the unit into a new stream: batches of objects with their futures, and their paths at time_s."""


@dataclass(frozen=True)
class WindowUnit:
    """Windows that are fed in lockstep: each is a track of its own. files: among them the scene of every window.

    What a predictor wants to know of the surroundings comes from there: in lockstep, windows are no neighbours.
    """

    windows: Windows
    group: str
    files: tuple[Path, ...]

    def run(self, stream: Stream, time_s: FloatArray) -> Iterator[tuple[Windows, ScoredPaths]]:
        count, needs = len(self.windows), stream.predictor.needs
        around = window_surroundings(self.windows, self.files, needs)
        last = len(self.windows.history_time_s) - 1
        for step, frame in enumerate(frames_of(self.windows, range(count))):
            # Only the last frame has all windows in it, and only what is around then is looked at.
            seen = around if step == last else nothing_around(len(frame), needs)
            prediction = stream.update(frame, frame.timestamp_ns, surroundings=seen)
        yield self.windows, paths_at(prediction, slice(0, count), self.windows.position_m[:, -1], time_s)


@dataclass(frozen=True)
class SceneUnit:
    """A recorded scene that is streamed frame by frame; the objects of every stride-th frame are scored.

    Scored are objects that the frame reports and whose future is recorded at least as far as the first horizon;
    targets_only: of those only the scene's targets.
    """

    path: Path
    stride: int
    targets_only: bool = False

    @property
    def group(self) -> str:
        return self.path.stem

    def run(self, stream: Stream, time_s: FloatArray) -> Iterator[tuple[Windows, ScoredPaths]]:
        scene = load_scene(self.path, with_map=stream.predictor.needs.view is not None)
        rows = np.flatnonzero((scene.row_frame % self.stride == 0) & (scene.is_target | (not self.targets_only)))
        windows = windows_of_scene(scene, rows, np.zeros(1), time_s)
        known: BoolArray = np.all(windows.future_valid[:, : horizon_steps(time_s)[0]], axis=1)
        rows, windows = rows[known], windows.select(known)
        everything = np.ones(scene.frame_count, np.bool_), np.ones(len(scene.row_frame), np.bool_)
        yield from played(stream, scene, rows, windows, time_s, *everything)


def played(
    stream: Stream,
    scene: Scene,
    rows: IntArray,
    windows: Windows,
    time_s: FloatArray,
    frames: BoolArray,
    shown: BoolArray,
) -> Iterator[tuple[Windows, ScoredPaths]]:
    """Stream a scene up to the last of rows and yield their windows (one for each) beside their paths at time_s.

    frames (F,), shown (R,): which frames, and which of their rows, the stream is given; those of rows must be.
    """
    stream.map_field = scene_field(scene, stream.predictor.needs)
    done, waiting = 0, list[ScoredPaths]()
    for index in range(int(scene.row_frame[rows[-1]]) + 1 if len(rows) else 0):
        if not frames[index]:
            continue
        part = scene.rows_of_frame(index)
        frame = scene.frame(index)
        if not shown[part].all():
            frame = frame.select(shown[part])
        prediction = stream.update(frame, frame.timestamp_ns)
        begin, end = np.searchsorted(rows, [part.start, part.stop])
        if begin == end:
            continue
        # A prediction's rows begin with the frame's tracks, in their order.
        place = np.cumsum(shown[part])[rows[begin:end] - part.start] - 1
        waiting.append(paths_at(prediction, place, scene.position_m[rows[begin:end]], time_s))
        if end - done >= BATCH or end == len(rows):
            yield windows.select(np.arange(done, end)), concat(waiting)
            done, waiting = end, []


@dataclass(frozen=True)
class Dataset:
    """name, split (empty where there is none), the future times that are scored (T,) in s, and the work."""

    name: str
    split: str
    time_s: FloatArray
    units: tuple[Unit, ...]


def open_dataset(
    name: str,
    data: Path,
    split: str | None,
    *,
    horizon_s: float | None = None,
    stride: int = 1,
    targets_only: bool = False,
) -> Dataset:
    """The dataset of a name, found in data.

    split: train, train_val or val for nuscenes; eth, hotel, univ, zara1, zara2 or all for eth_ucy;
    train, val or test for apolloscape and vru; None for scenes.
    horizon_s, stride and targets_only (see SceneUnit) are for scenes, where data is a scene file or a folder of them.
    InputError for whatever is missing or unknown, and if the windows are not those of the official split.
    """
    if name not in DATASETS:
        raise InputError(f"dataset: expected one of {', '.join(DATASETS)}, got {name!r}")
    if not data.exists():
        wanted = "a scene file or a folder of them" if name == "scenes" else "the folder of the data"
        raise InputError(f"data: expected {wanted}, got {data}, which does not exist")
    if name != "scenes" and (horizon_s is not None or stride != 1):
        raise InputError(f"horizon, stride: expected neither for {name}, whose windows are fixed; they are for scenes")
    if name == "nuscenes":
        return _nuscenes(data, split)
    if name == "eth_ucy":
        return _eth_ucy(data, split)
    if name in ("apolloscape", "vru"):
        if split not in OWN_SPLITS:
            raise InputError(f"split: expected one of {', '.join(OWN_SPLITS)} for {name}, got {split!r}")
        return _apolloscape(data, split) if name == "apolloscape" else _vru(data, split)
    if split is not None:
        raise InputError(f"split: expected none for scenes, got {split!r}; choose files or folders with data instead")
    return _scenes(data, DEFAULT_HORIZON_S if horizon_s is None else horizon_s, stride, targets_only)


def _nuscenes(data: Path, split: str | None) -> Dataset:
    if split not in NUSCENES_FOLDERS:
        raise InputError(f"split: expected one of {', '.join(NUSCENES_FOLDERS)} for nuscenes, got {split!r}")
    windows = nuscenes_windows(data, split)
    _require_count(f"nuScenes {split}", windows, NUSCENES_WINDOWS[split])
    return Dataset("nuscenes", split, NUSCENES_FUTURE_S, _batches(windows, "", nuscenes_split(data, split)))


def _eth_ucy(data: Path, split: str | None) -> Dataset:
    if split not in (*ETH_UCY_SCENES, "all"):
        raise InputError(f"split: expected one of {', '.join(ETH_UCY_SCENES)} or all for eth_ucy, got {split!r}")
    units: tuple[Unit, ...] = ()
    for scene in ETH_UCY_SCENES if split == "all" else (split,):
        windows = eth_ucy_windows(data, scene)
        _require_count(f"ETH/UCY {scene}", windows, ETH_UCY_WINDOWS[scene])
        units += _batches(windows, scene, eth_ucy_split(data, scene, "test"))
    return Dataset("eth_ucy", split, ETH_UCY_FUTURE_S, units)


def _apolloscape(data: Path, split: str) -> Dataset:
    units = _batches(apolloscape_windows(data, split), "", apolloscape_split(data, split))
    return Dataset("apolloscape", split, APOLLOSCAPE_FUTURE_S, units)


def _vru(data: Path, split: str) -> Dataset:
    """Grouped by road user and kind of motion; their rates differ, so no unit has both pedestrians and cyclists."""
    units: tuple[Unit, ...] = ()
    for road_user in VRU_HISTORY_S:
        windows = vru_windows(data, road_user, split)
        group = np.array([scene_id.rpartition("/")[0].replace("/", " ") for scene_id in windows.scene_id.tolist()])
        for name in np.unique(group):
            units += _batches(windows.select(group == name), str(name), vru_split(data, split, road_user))
    return Dataset("vru", split, VRU_FUTURE_S, units)


def _require_count(what: str, windows: Windows, expected: int) -> None:
    """The count of the official split, each with its whole future; else the numbers could not be compared."""
    whole = int(windows.future_valid.all(axis=1).sum())
    if whole != expected or len(windows) != expected:
        raise InputError(
            f"{what}: expected the official {expected:,} windows with their whole future, got {whole:,} of "
            f"{len(windows):,}; is the data folder complete?"
        )


def _scenes(data: Path, horizon_s: float, stride: int, targets_only: bool) -> Dataset:
    if stride < 1:
        raise InputError(f"stride: expected a number of frames of at least 1, got {stride}")
    if not np.isfinite(horizon_s) or horizon_s < SCENE_STEP_S:
        raise InputError(f"horizon: expected at least {SCENE_STEP_S} s, got {horizon_s}")
    steps = int(np.floor(horizon_s / SCENE_STEP_S + 1e-6))
    units = tuple(SceneUnit(path, stride, targets_only) for path in find_scenes(data))
    return Dataset("scenes", "", np.arange(1, steps + 1, dtype=np.float64) * SCENE_STEP_S, units)


def _batches(windows: Windows, group: str, files: Sequence[Path]) -> tuple[Unit, ...]:
    rows = (np.arange(s, min(s + BATCH, len(windows))) for s in range(0, len(windows), BATCH))
    return tuple(WindowUnit(windows.select(r), group, tuple(files)) for r in rows)
