"""Play a recorded scene on a clock into the streaming predictor and time every frame.

The load is open loop: frame i is due at ``start + (t_i - t_0) / rate`` whatever the predictor does, its latency counts
from there, and frames that pile up are served in order. A stall therefore shows in every frame that it delayed.
"""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajnet.config import require, require_number, require_whole
from trajnet.errors import InputError
from trajnet.inference import NO_JUDGING, JudgingCounters, JudgingOptions, Stream
from trajnet.inference.base import Predictor
from trajnet.inference.guard import GuardOptions
from trajnet.timing.clock import Clock, stolen_since
from trajnet.timing.latency_summary import LatencySummary, summarise
from trajnet.tracking.store import FrameStatus, TrackPolicy
from trajnet.types import IntArray, Prediction, Scene, TrackFrame

log = logging.getLogger(__name__)

FloatArray32 = NDArray[np.float32]

#: What a frame's latency consists of, in the order of time; "total" is from the scheduled time to the prediction.
STAGES: tuple[str, ...] = ("wait", "tracks", "model", "output", "total")

#: A gap between two frames is waited for at most this long: one stamp of zero would mean a wait of 54 years.
MAX_WAIT_NS = 10_000_000_000

#: Frames at the start that are left out of the figures unless the caller says otherwise.
DEFAULT_WARMUP_FRAMES = 5


@dataclass(frozen=True)
class ReplayOptions:
    """How to offer the load.

    rate: how many times faster than recorded; infinity: each frame when the one before is done (service time only).
    budget_ms: latency above which a frame has missed its deadline.
    warmup_frames: frames left out of the figures; None: DEFAULT_WARMUP_FRAMES, or all but one of a shorter scene.
    keep_paths: how many of the scene's tracks, from the first, to keep the predictions of; None: all.
    self_judging: whether a model judges itself, see docs/self-judging.md.
    """

    rate: float = 1.0
    budget_ms: float = 50.0
    warmup_frames: int | None = None
    keep_paths: int | None = None
    self_judging: bool = True

    @property
    def judging(self) -> JudgingOptions | None:
        """What a Stream is given."""
        return None if self.self_judging else NO_JUDGING

    def __post_init__(self) -> None:
        require(not math.isnan(self.rate) and self.rate > 0, f"rate: expected a number above 0, got {self.rate}")
        require_number("budget_ms", self.budget_ms)
        if self.warmup_frames is not None:
            require_whole("warmup_frames", self.warmup_frames, least=0)
        if self.keep_paths is not None:
            require_whole("keep_paths", self.keep_paths, least=0)


@dataclass(frozen=True)
class FrameTiming:
    """One served frame. due_ns, started_ns, finished_ns: on the replay's clock. stages_ns: inside the update."""

    index: int
    objects: int
    due_ns: int
    started_ns: int
    finished_ns: int
    stages_ns: dict[str, int]
    status: FrameStatus

    def stage_ns(self, stage: str) -> int:
        """Return the time of one of STAGES."""
        if stage == "wait":
            return self.started_ns - self.due_ns
        return self.finished_ns - self.due_ns if stage == "total" else self.stages_ns[stage]


@dataclass(frozen=True, eq=False)
class RecordedPaths:
    """What was predicted for n observed objects in one frame; float32 to save memory, positions relative to the object.

    track (n,): indices into Scene.track_id. offset_m (n, K, T, 2): from the object's position in this frame.
    covariance_m2 (n, K, T, 2, 2), probability (n, K), source (n,).
    """

    frame: int
    track: IntArray
    offset_m: FloatArray32
    covariance_m2: FloatArray32
    probability: FloatArray32
    source: NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class Replay:
    """Everything that one replay measured. time_s (T,): the future times of the paths. stolen_s: see Clock."""

    scene: Scene
    options: ReplayOptions
    predictor_name: str
    modes: int
    time_s: NDArray[np.float64]
    warmup_frames: int
    timings: list[FrameTiming]
    paths: list[RecordedPaths]
    track_counters: dict[str, int]
    guard_counters: dict[str, Any]
    judging_counters: dict[str, int]
    stolen_s: float | None

    @property
    def measured(self) -> list[FrameTiming]:
        """The frames that count."""
        return self.timings[self.warmup_frames :]

    def latency_ns(self, stage: str) -> IntArray:
        """One of STAGES for the measured frames."""
        return np.array([t.stage_ns(stage) for t in self.measured], dtype=np.int64)

    def latency(self) -> dict[str, LatencySummary]:
        """Return the figures of every stage."""
        return {stage: summarise(self.latency_ns(stage)) for stage in STAGES}

    @property
    def deadline_misses(self) -> int:
        """Measured frames whose total latency exceeds the budget."""
        return int((self.latency_ns("total") > round(self.options.budget_ms * 1e6)).sum())

    @property
    def backlog_max(self) -> int:
        """The most frames that were due and not yet started while one was served."""
        due = np.array([t.due_ns for t in self.timings], dtype=np.int64)
        started = np.array([t.started_ns for t in self.timings], dtype=np.int64)
        waiting = np.searchsorted(due, started, side="right") - np.arange(len(due)) - 1
        return int(waiting.max(initial=0)) if math.isfinite(self.options.rate) else 0

    @property
    def dropped(self) -> int:
        """Frames that the late policy refused: out of order or a duplicate."""
        return self.track_counters["out_of_order"] + self.track_counters["duplicate"]


def replay(
    scene: Scene,
    predictor: Predictor,
    clock: Clock,
    options: ReplayOptions = ReplayOptions(),
    *,
    policy: TrackPolicy = TrackPolicy(),
    guard: GuardOptions = GuardOptions(),
    on_frame: Callable[[FrameTiming], None] | None = None,
) -> Replay:
    """Play the scene into a fresh Stream of the predictor; on_frame is called after each frame, outside its latency.

    The age of a frame that the track policy sees is how long it waited in real time, at any rate.
    Raises InputError for a scene without rows or with fewer frames than the warm-up asks for.
    """
    warmup = _warmup_frames(scene, options)
    offset_ns = _offsets_ns(scene, options.rate)
    stream = Stream.for_scene(scene, predictor, policy, guard=guard, judging=options.judging, clock_ns=clock.now_ns)
    timings: list[FrameTiming] = []
    paths: list[RecordedPaths] = []
    own = len(scene.track_id) if options.keep_paths is None else options.keep_paths
    before_s, start_ns = clock.stolen_s(), clock.now_ns()
    for index, frame in enumerate(scene.frames()):
        due_ns = _due_ns(int(offset_ns[index]), options.rate, start_ns, clock)
        clock.sleep_until_ns(due_ns)
        started_ns = clock.now_ns()
        prediction = stream.update(frame, frame.timestamp_ns + started_ns - due_ns)
        finished_ns = clock.now_ns()
        timing = FrameTiming(index, len(frame), due_ns, started_ns, finished_ns, dict(stream.stages_ns), stream.status)
        timings.append(timing)
        if stream.status not in ("out_of_order", "duplicate"):
            paths.append(_record(scene, index, frame, prediction, own))
        if on_frame is not None:
            on_frame(timing)
    return Replay(
        scene=scene,
        options=options,
        predictor_name=predictor.name,
        modes=predictor.modes,
        time_s=np.asarray(predictor.time_s, dtype=np.float64),
        warmup_frames=warmup,
        timings=timings,
        paths=paths,
        track_counters=dataclasses.asdict(stream.store.counters),
        guard_counters=dataclasses.asdict(stream.guard.counters),
        judging_counters=dataclasses.asdict(JudgingCounters() if stream.judge is None else stream.judge.counters),
        stolen_s=stolen_since(before_s, clock),
    )


def _warmup_frames(scene: Scene, options: ReplayOptions) -> int:
    if scene.frame_count == 0 or len(scene.row_frame) == 0:
        raise InputError(f"scene {scene.scene_id!r}: expected at least one object in one frame to replay, got none")
    if options.warmup_frames is None:
        return min(DEFAULT_WARMUP_FRAMES, scene.frame_count - 1)
    if options.warmup_frames >= scene.frame_count:
        raise InputError(
            f"warmup_frames: scene {scene.scene_id!r} has {scene.frame_count} frames, got a warm-up of "
            f"{options.warmup_frames}; ask for {scene.frame_count - 1} or fewer"
        )
    return options.warmup_frames


def _offsets_ns(scene: Scene, rate: float) -> IntArray:
    """Return when each frame (F,) is played after the first: as recorded, with gaps cut to MAX_WAIT_NS."""
    steps_ns = np.diff(scene.timestamp_ns, prepend=scene.timestamp_ns[:1])
    cut_s = float(np.maximum(steps_ns - MAX_WAIT_NS, 0).sum()) * 1e-9
    if cut_s and math.isfinite(rate):
        log.warning(
            "scene %r: gaps without frames are cut to %g s: %.1f s in all", scene.scene_id, MAX_WAIT_NS * 1e-9, cut_s
        )
    offset_ns: IntArray = np.cumsum(np.minimum(steps_ns, MAX_WAIT_NS))
    return offset_ns


def _due_ns(offset_ns: int, rate: float, start_ns: int, clock: Clock) -> int:
    return clock.now_ns() if math.isinf(rate) else start_ns + round(offset_ns / rate)


def _record(scene: Scene, index: int, frame: TrackFrame, prediction: Prediction, own: int) -> RecordedPaths:
    """Return the paths of the frame's objects whose track index is below own: the first rows, sorted by track."""
    track = scene.row_track[scene.rows_of_frame(index)]
    count = int(np.searchsorted(track, own))
    offset_m = prediction.position_m[:count] - frame.position_m[:count, None, None, :]
    return RecordedPaths(
        index,
        track[:count].copy(),
        offset_m.astype(np.float32),
        prediction.covariance_m2[:count].astype(np.float32),
        prediction.probability[:count].astype(np.float32),
        prediction.source[:count].copy(),
    )
