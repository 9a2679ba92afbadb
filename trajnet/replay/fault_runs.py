"""A scene under faults: how good the paths are that a consumer holds, what it costs, and every decision counted.

At each recorded instant the consumer looks at every object that is really there and takes the newest path it was given
for it, moved on to the present. So the same objects at the same instants are judged under every fault, whether or not
their own frame arrived.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from trajnet.datasets.windows import LONGEST_GAP_S, windows_of_scene
from trajnet.errors import InputError
from trajnet.inference import GuardOptions, JudgingOptions, Stream
from trajnet.inference.base import Predictor
from trajnet.inference.resample import continued
from trajnet.metrics import displacement, min_ade, min_fde
from trajnet.replay.faults import STRENGTHS, Delivery, Fault, FaultPlan, inject, strengths_of
from trajnet.timing.clock import Clock
from trajnet.timing.latency_summary import LatencySummary, summarise
from trajnet.tracking.store import TrackPolicy
from trajnet.types import BoolArray, FloatArray, Prediction, Scene


@dataclass(frozen=True, eq=False)
class FaultRun:
    """One pass. errors: "minADE_1" ... -> (rows,) in m for each judged object and instant, NaN where it had no path.

    latency: service time of each frame. counters: hits of the fault, refused objects, and those of tracks and guard.
    """

    fault: Fault | None
    strength: float
    errors: dict[str, FloatArray]
    latency: LatencySummary
    counters: dict[str, Any]

    @property
    def missing_share(self) -> float:
        """Share of judged objects for which the consumer had no path, or one older than the track policy allows."""
        return float(np.isnan(self.errors["minADE_1"]).mean())


def run_faults(
    scene: Scene,
    predictor: Predictor,
    plan: FaultPlan,
    clock: Clock,
    *,
    policy: TrackPolicy = TrackPolicy(),
    guard: GuardOptions = GuardOptions(),
    judging: JudgingOptions | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[FaultRun]:
    """Run every fault of the plan at every strength, without any first; frames are served as fast as they can be.

    clock: what service times are read from. judging: see Stream. progress is called after every pass with their number
    and the total.
    Raises InputError for a scene too short to judge any path, see require_known_future.
    """
    require_known_future(scene, predictor)
    truth = _Truth(scene, np.asarray(predictor.time_s))
    wanted = strengths_of(plan)
    runs = []
    for done, (fault, strength) in enumerate(wanted, start=1):
        deliveries, hits = inject(scene, fault, strength, plan.seed)
        stream = Stream.for_scene(scene, predictor, policy, guard=guard, judging=judging, clock_ns=clock.now_ns)
        runs.append(_run(scene, stream, clock, truth, fault, strength, deliveries, hits))
        if progress is not None:
            progress(done, len(wanted))
    return runs


def require_known_future(scene: Scene, predictor: Predictor) -> None:
    """Raise InputError unless the scene is long enough to judge a path of the predictor under faults."""
    truth = _Truth(scene, np.asarray(predictor.time_s))
    if not truth.known.any():
        raise InputError(
            f"scene {scene.scene_id!r}: expected an object that is recorded in a frame and for {truth.reach_s:g} s "
            f"after, at least every {LONGEST_GAP_S:g} s, to judge a path by, "
            f"got none in {scene.frame_count} frames over {scene.duration_s:.1f} s; "
            "use a longer recording, replay has no --horizon"
        )


class _Truth:
    """The recorded future of every row whose future is known up to half the scene's length at most."""

    def __init__(self, scene: Scene, time_s: FloatArray) -> None:
        limit_s = max(0.5 * scene.duration_s, float(time_s[0]))
        self.steps = int((time_s <= limit_s + 1e-9).sum())
        self.reach_s = float(time_s[self.steps - 1])
        windows = windows_of_scene(scene, np.arange(len(scene.row_frame)), np.zeros(1), time_s[: self.steps])
        self.known: BoolArray = np.all(windows.future_valid, axis=1)
        self.future_m = windows.future_m


class _Consumer:
    """Holds the newest path of every real track and judges it at every recorded instant."""

    def __init__(self, scene: Scene, predictor: Predictor, truth: _Truth, keep_ns: int) -> None:
        self._scene, self._truth, self._keep_ns = scene, truth, keep_ns
        self._knot_s = np.concatenate([[0.0], predictor.time_s])
        self._time_s = np.asarray(predictor.time_s)[: truth.steps]
        tracks, modes = len(scene.track_id), predictor.modes
        self._path_m = np.zeros((tracks, len(self._knot_s), modes, 2))
        self._probability = np.zeros((tracks, modes))
        self._base_ns = np.full(tracks, np.iinfo(np.int64).min // 2)
        self._next = 0
        names = dict.fromkeys(f"{m}_{k}" for k in (1, modes) for m in ("minADE", "minFDE"))
        self.errors = {name: np.full(len(scene.row_frame), np.nan) for name in names}

    def take(self, prediction: Prediction, sent: Delivery, base_ns: int) -> None:
        """Take the paths of the objects sent, from where they were seen at base_ns on the scene's clock."""
        real = np.flatnonzero(sent.real)
        track = self._scene.row_track[sent.row[real]]
        self._path_m[track, 0] = sent.position_m[real][:, None]
        self._path_m[track, 1:] = prediction.position_m[real].swapaxes(1, 2)
        self._probability[track] = prediction.probability[real]
        self._base_ns[track] = base_ns

    def judge_until(self, time_ns: int) -> None:
        """Every recorded instant before time_ns that has not been judged yet."""
        while self._next < self._scene.frame_count and self._scene.timestamp_ns[self._next] < time_ns:
            self._judge(self._next)
            self._next += 1

    def _judge(self, index: int) -> None:
        part = self._scene.rows_of_frame(index)
        rows = np.arange(part.start, part.stop)
        track = self._scene.row_track[rows]
        age_ns = self._scene.timestamp_ns[index] - self._base_ns[track]
        # A stamp may lie in the future where time stamps err: that path counts from now on.
        chosen = self._truth.known[rows] & (age_ns <= self._keep_ns)
        rows, track = rows[chosen], track[chosen]
        if not len(rows):
            return
        ask_s = np.maximum(age_ns[chosen], 0)[:, None] * 1e-9 + self._time_s
        far_m = displacement(continued(self._path_m, track, self._knot_s, ask_s), self._truth.future_m[rows])
        for name, values in self.errors.items():
            metric, k = name.split("_")
            function = min_ade if metric == "minADE" else min_fde
            values[rows] = function(far_m, self._probability[track], int(k))


def _run(
    scene: Scene,
    stream: Stream,
    clock: Clock,
    truth: _Truth,
    fault: Fault | None,
    strength: float,
    deliveries: list[Delivery],
    hits: dict[str, int],
) -> FaultRun:
    consumer = _Consumer(scene, stream.predictor, truth, int(stream.store.policy.timeout_s * 1e9))
    taken_ns, refused = [], 0
    for delivery in deliveries:
        consumer.judge_until(delivery.arrives_ns)
        frame, sent, bad = delivery.received()
        refused += bad
        begin_ns = clock.now_ns()
        prediction = stream.update(frame, delivery.arrives_ns + delivery.clock_shift_ns)
        taken_ns.append(clock.now_ns() - begin_ns)
        if stream.status not in ("out_of_order", "duplicate"):
            consumer.take(prediction, sent, frame.timestamp_ns - delivery.clock_shift_ns)
    consumer.judge_until(int(scene.timestamp_ns[-1]) + 1)
    counters: dict[str, Any] = {
        **hits, "refused_objects": refused, **dataclasses.asdict(stream.store.counters),
        **dataclasses.asdict(stream.guard.counters),
    }  # fmt: skip
    errors = {name: values[truth.known] for name, values in consumer.errors.items()}
    return FaultRun(fault, strength, errors, summarise(np.array(taken_ns, dtype=np.int64)), counters)


def fault_document(runs: list[FaultRun], seed: int) -> dict[str, Any]:
    """Return the runs for JSON: NaN where nothing was judged. The first run is the one without a fault.

    errors_m: over the objects that had a path; errors_m_without: of the same objects without the fault.
    """
    clear = runs[0]
    return {
        "seed": seed,
        "strengths": STRENGTHS,
        "runs": [
            {
                "fault": "none" if run.fault is None else run.fault.kind,
                "strength": run.strength,
                "judged": len(run.errors["minADE_1"]),
                "missing_share": run.missing_share,
                "errors_m": _means(run.errors, run),
                "errors_m_without": _means(clear.errors, run),
                "service_ms": {
                    "count": run.latency.count, "p50": run.latency.p50_ms, "p99": run.latency.p99_ms,
                    "max": run.latency.max_ms,
                },
                "counters": run.counters,
            }
            for run in runs
        ],
    }  # fmt: skip


def _means(errors: dict[str, FloatArray], run: FaultRun) -> dict[str, float]:
    had = ~np.isnan(run.errors["minADE_1"])
    return {name: float(np.nanmean(values[had])) if had.any() else float("nan") for name, values in errors.items()}
