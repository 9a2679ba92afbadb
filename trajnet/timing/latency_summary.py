"""Latency percentiles without interpolation."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trajnet.types import IntArray


@dataclass(frozen=True)
class LatencySummary:
    """Latency percentiles of one stage in ms; NaN where count is 0."""

    count: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float
    mean_ms: float


def summarise(latency_ns: IntArray) -> LatencySummary:
    """Return the percentiles of latency_ns (M,) by nearest rank.

    The q-th percentile is the smallest measured value that at least q % of the values do not exceed, so every
    percentile is a latency that really occurred.
    """
    if len(latency_ns) == 0:
        nan = float("nan")
        return LatencySummary(0, nan, nan, nan, nan, nan, nan)
    ms = np.sort(latency_ns) * 1e-6
    p50, p95, p99, p999 = (float(ms[max(math.ceil(q * len(ms) / 1000) - 1, 0)]) for q in (500, 950, 990, 999))
    return LatencySummary(len(ms), p50, p95, p99, p999, float(ms[-1]), float(ms.mean()))
