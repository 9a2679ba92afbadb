"""Soak test: a constant load for hours, to detect growing memory or latency."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from trajnet.bench.startup import resident_mb
from trajnet.bench.synthetic_traffic import synthetic_frames, synthetic_lanes, synthetic_map
from trajnet.config import require
from trajnet.inference import GuardOptions, Stream
from trajnet.inference.base import Predictor
from trajnet.timing.clock import Clock
from trajnet.timing.latency_summary import LatencySummary, summarise

#: Number of time windows in the report of a soak test.
SOAK_WINDOWS = 30


@dataclass(frozen=True)
class SoakWindow:
    """Latency from the scheduled time during one time window, and resident memory at its end."""

    end_s: float
    frames: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    resident_mb: float


@dataclass(frozen=True)
class Soak:
    """A long run at a constant load. misses: frames whose total exceeds the budget.

    memory_growth_mb: resident memory of the last window minus that of the second (the first is warm-up).
    slowdown: median latency of the last third of the windows over that of the first third.
    """

    agents: int
    hz: float
    budget_ms: float
    misses: int
    total: LatencySummary
    memory_growth_mb: float
    slowdown: float
    windows: tuple[SoakWindow, ...]
    guard: dict[str, Any]


def soak(
    predictor: Predictor,
    agents: int,
    duration_s: float,
    clock: Clock,
    *,
    hz: float = 10.0,
    budget_ms: float = 50.0,
    memory_mb: Callable[[], float] = resident_mb,
    progress: Callable[[SoakWindow], None] = lambda window: None,
) -> Soak:
    """Run frames on a fixed schedule for duration_s; latency counts from the scheduled time.

    Raises ConfigError for a duration too short for SOAK_WINDOWS windows of at least one frame.
    """
    frames = round(duration_s * hz) if math.isfinite(duration_s) else 0
    require(
        frames >= SOAK_WINDOWS,
        f"soak: expected at least {SOAK_WINDOWS / hz:g} s ({SOAK_WINDOWS} frames), got {duration_s:g} s",
    )
    require(agents > 0, f"agents: expected a number above 0, got {agents}")
    source = synthetic_frames(agents, hz=hz)
    every_row = GuardOptions(domain=False)  # measures the model, whatever it was trained on
    field = synthetic_map(predictor.requirements)
    stream = Stream(predictor, guard=every_row, map_field=field, lanes=synthetic_lanes(agents), clock_ns=clock.now_ns)
    total_ns = np.full(frames, -1, dtype=np.int64)  # allocated now: the measurement itself must not grow
    edges = np.linspace(0, frames, SOAK_WINDOWS + 1).astype(np.int64).tolist()
    windows: list[SoakWindow] = []
    start_ns = clock.now_ns()
    for index in range(frames):
        frame = next(source)
        due_ns = start_ns + round(index * 1e9 / hz)
        clock.sleep_until_ns(due_ns)
        stream.update(frame, frame.timestamp_ns)
        total_ns[index] = clock.now_ns() - due_ns
        if index + 1 == edges[len(windows) + 1]:
            figures = summarise(total_ns[edges[len(windows)] : index + 1])
            windows.append(
                SoakWindow(
                    (clock.now_ns() - start_ns) * 1e-9, figures.count, figures.p50_ms, figures.p99_ms, figures.max_ms,
                    memory_mb(),
                )
            )  # fmt: skip
            progress(windows[-1])
    third = SOAK_WINDOWS // 3
    early, late = (float(np.median([w.p50_ms for w in part])) for part in (windows[:third], windows[-third:]))
    return Soak(
        agents, hz, budget_ms, int((total_ns > round(budget_ms * 1e6)).sum()), summarise(total_ns),
        windows[-1].resident_mb - windows[1].resident_mb, late / early if early > 0 else float("nan"), tuple(windows),
        dataclasses.asdict(stream.guard.counters),
    )  # fmt: skip
