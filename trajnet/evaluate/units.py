"""Units of work: what one process plays to one predictor and scores.

A unit plays its frames into a Stream, the code that runs on the road, and yields what was predicted beside what
happened.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from trajnet.arrays import Struct, concat
from trajnet.datasets.files import load_scene
from trajnet.datasets.window_context import nothing_around, window_surroundings
from trajnet.datasets.windows import Windows, frames_of, windows_of_scene
from trajnet.evaluate.paths import ScoredPaths, horizon_steps, paths_at
from trajnet.inference import Stream
from trajnet.types import BoolArray, FloatArray, IntArray, Scene

#: Objects that are predicted and scored together; fixed, so that results do not depend on the number of processes.
BATCH = 1024


class Unit(Protocol):
    """A piece of an evaluation that one process scores for one predictor."""

    @property
    def group(self) -> str:
        """What reports sum up beside the whole: the scene, or "" where there is no such division."""

    @property
    def files(self) -> tuple[Path, ...]:
        """Among these are the scenes of all its objects."""

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
        count, requirements = len(self.windows), stream.predictor.requirements
        around = window_surroundings(self.windows, self.files, requirements)
        last = len(self.windows.history_time_s) - 1
        for step, frame in enumerate(frames_of(self.windows, range(count))):
            # Only the last frame has all windows in it, and only what is around then is looked at.
            seen = around if step == last else nothing_around(len(frame), requirements)
            prediction = stream.update(frame, frame.timestamp_ns, surroundings=seen)
        yield self.windows, paths_at(prediction, slice(0, count), self.windows.position_m[:, -1], time_s)


def window_units(windows: Windows, group: str, files: Sequence[Path]) -> Iterator[WindowUnit]:
    """Units of at most BATCH of these windows, in their order."""
    for start in range(0, len(windows), BATCH):
        rows = np.arange(start, min(start + BATCH, len(windows)))
        yield WindowUnit(windows.select(rows), group, tuple(files))


@dataclass(frozen=True)
class SceneUnit:
    """A recorded scene that is streamed frame by frame; the objects of every stride-th frame are scored.

    Scored are objects that the frame reports and whose future is recorded at least as far as the first horizon;
    targets_only: of those only the scene's targets. name: what it is summed up under; by default the file's stem.
    """

    path: Path
    stride: int
    targets_only: bool = False
    name: str = ""

    @property
    def group(self) -> str:
        return self.name or self.path.stem

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.path,)

    def run(self, stream: Stream, time_s: FloatArray) -> Iterator[tuple[Windows, ScoredPaths]]:
        scene = load_scene(self.path, with_map=stream.predictor.requirements.view is not None)
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
    windows: Struct,
    time_s: FloatArray,
    frames: BoolArray,
    shown: BoolArray,
) -> Iterator[tuple[Struct, ScoredPaths]]:
    """Stream a scene up to the last of rows and yield their windows (one for each) beside their paths at time_s.

    windows: Windows, or whatever else there is of each row that a caller wants beside its paths.
    frames (F,), shown (R,): which frames, and which of their rows, the stream is given; those of rows must be.
    """
    stream.use_map_of(scene)
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
