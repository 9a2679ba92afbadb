"""A replay with its errors, and the JSON document about it: what the commands and the report share."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajnet import __version__
from trajnet.evaluate import steadiness
from trajnet.inference import GpuOptions, GuardOptions, load_predictor
from trajnet.inference.base import Predictor
from trajnet.json_safe import json_safe
from trajnet.replay.accuracy import PathErrors, path_errors
from trajnet.replay.multiply_agents import multiply_agents
from trajnet.replay.replay import FrameTiming, Replay, ReplayOptions, replay
from trajnet.timing.clock import Clock, VirtualClock, WallClock
from trajnet.timing.hardware import describe_runtime
from trajnet.types import FloatArray, Scene

#: Raised whenever a key of the document changes its meaning.
DOCUMENT_VERSION = 1


@dataclass(frozen=True, eq=False)
class Run:
    """A replay, what it was run on and how good its paths were, next to constant velocity on the same frames.

    faults: the document of the same scene under faults (fault_runs.fault_document), if any were tried.
    """

    replay: Replay
    recorded: Scene
    predictor: Predictor
    threads: int
    agents: int | None
    errors: PathErrors
    baseline: PathErrors
    cv_replay: Replay
    faults: dict[str, Any] | None = None
    gpu: GpuOptions = GpuOptions()


def run_replay(
    scene: Scene,
    predictor: Predictor,
    options: ReplayOptions = ReplayOptions(),
    *,
    agents: int | None = None,
    threads: int = 1,
    gpu: GpuOptions = GpuOptions(),
    clock: Clock | None = None,
    guard: GuardOptions = GuardOptions(),
    on_frame: Callable[[FrameTiming], None] | None = None,
) -> Run:
    """Multiply the agents if asked to, and replay on the clock (the machine's if none is given).

    The paths of the scene's own objects are compared with their recorded future. threads, gpu: what the predictor was
    loaded with, for the record. guard: of the predictor. Raises InputError for a scene, a number of agents or options
    that do not fit.
    """
    loaded = scene if agents is None else multiply_agents(scene, agents)
    options = dataclasses.replace(options, keep_paths=len(scene.track_id))
    result = replay(loaded, predictor, clock or WallClock(), options, guard=guard, on_frame=on_frame)
    cv = load_predictor("cv", time_s=predictor.time_s)
    cv_replay = replay(scene, cv, VirtualClock())
    return Run(
        replay=result,
        recorded=scene,
        predictor=predictor,
        threads=threads,
        agents=agents,
        errors=path_errors(result),
        baseline=path_errors(cv_replay),
        cv_replay=cv_replay,
        gpu=gpu,
    )


def document(run: Run) -> dict[str, Any]:
    """Everything measured, ready for JSON: NaN and infinity become null.

    scene, model, load (how it was offered), hardware (stolen_s: see Clock), latency_ms (stage -> count, p50, p95, p99,
    p99.9, max, mean), deadline, frames, tracks, guard, self_judging, errors, consistency (from frame to frame), faults
    (if any were tried).
    """
    result = run.replay
    objects = np.array([t.objects for t in result.timings])
    file = run.predictor.model_file
    rate = result.options.rate
    values = {
        "version": DOCUMENT_VERSION,
        "trajnet": __version__,
        "scene": {
            "id": run.recorded.scene_id,
            "source": run.recorded.source,
            "licence": run.recorded.licence,
            "frames": run.recorded.frame_count,
            "duration_s": run.recorded.duration_s,
            "tracks": len(run.recorded.track_id),
        },
        "model": {
            "name": result.predictor_name,
            "model_id": None if file is None else file.contract.model_id,
            "modes": result.modes,
            "horizon_s": float(result.time_s[-1]),
            "steps": len(result.time_s),
        },
        "load": {
            "rate": rate if math.isfinite(rate) else "max",
            "latency_counts_from": "the scheduled time" if math.isfinite(rate) else "the start of service",
            "agents_asked": run.agents,
            "agents_per_frame_min": int(objects.min()),
            "agents_per_frame_mean": float(objects.mean()),
            "agents_per_frame_max": int(objects.max()),
            "warmup_frames": result.warmup_frames,
        },
        "hardware": {**describe_runtime(run.predictor, run.threads, run.gpu), "stolen_s": result.stolen_s},
        "latency_ms": {
            stage: {
                "count": s.count,
                "p50": s.p50_ms,
                "p95": s.p95_ms,
                "p99": s.p99_ms,
                "p99.9": s.p999_ms,
                "max": s.max_ms,
                "mean": s.mean_ms,
            }
            for stage, s in result.latency().items()
        },
        "deadline": {
            "budget_ms": result.options.budget_ms,
            "misses": result.deadline_misses,
            "frames": len(result.measured),
        },
        "frames": {
            "served": len(result.timings),
            "dropped": result.dropped,
            "late": result.track_counters["late"],
            "backlog_max": result.backlog_max,
        },
        "tracks": result.track_counters,
        "guard": result.guard_counters,
        "self_judging": {"on": result.options.self_judging, **result.judging_counters},
        "consistency": {"model": path_steadiness(result), "cv": path_steadiness(run.cv_replay)},
        **({} if run.faults is None else {"faults": run.faults}),
        "errors_m": {"model": dataclasses.asdict(run.errors), "cv": dataclasses.asdict(run.baseline)},
    }
    plain: dict[str, Any] = json_safe(values)
    return plain


def path_steadiness(result: Replay) -> dict[str, Any]:
    """How steady the kept paths were from frame to frame; see trajnet.evaluate.steadiness."""
    scene, watch = result.scene, steadiness.PathWatch(result.time_s)
    for paths in result.paths:
        rows = scene.rows_of_frame(paths.frame).start + np.arange(len(paths.track))
        here_m = scene.position_m[rows]
        watch.add(
            int(scene.timestamp_ns[paths.frame]), [scene.track_id[t] for t in paths.track],
            scene.object_class[paths.track], here_m, here_m[:, None, None] + paths.offset_m,
            _summing_to_one(paths.probability),
        )  # fmt: skip
    return steadiness.summary(watch.steps())


def _summing_to_one(probability: NDArray[np.float32]) -> FloatArray:
    wide: FloatArray = probability.astype(np.float64)
    wide /= wide.sum(axis=1, keepdims=True)
    return wide
