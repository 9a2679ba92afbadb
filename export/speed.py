#!/usr/bin/env python3
"""How long one step of a model file takes, for 1 to 256 tracks, on this machine.

    python export/speed.py trajnet/models/trajnet-urban.onnx
    python export/speed.py MODEL.onnx --limit-ms 5 --at 64     # a gate: exit code 1 if p99 at 64 tracks is over 5 ms

Times are of ``OnnxPredictor.predict``: observations in, paths in the map frame out. Machines differ and shared ones
drift, so each row also has the time of one matrix product of as many floating point operations, measured in between,
and the ratio of the two: that number travels from machine to machine. Needs: pip install trajnet[cpu,tools] onnx.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from rich.console import Console
from rich.table import Table

from trajnet.errors import TrajnetError
from trajnet.predictors import OnnxPredictor
from trajnet.sim.hardware import describe_hardware
from trajnet.tracks import TrackStore
from trajnet.types import TrackFrame

SIZES = (1, 8, 32, 64, 128, 256)
WARM_UP = 50


def flops_per_track(path: Path) -> int:
    """Floating point operations of the graph's matrix products for one track, from its weights and shapes."""
    model = onnx.shape_inference.infer_shapes(onnx.load(path))
    weights = {w.name: tuple(w.dims) for w in model.graph.initializer}
    shapes = {
        v.name: [d.dim_value or 1 for d in v.type.tensor_type.shape.dim]  # N counts once
        for v in [*model.graph.value_info, *model.graph.input, *model.graph.output]
    }
    total = 0
    for node in model.graph.node:
        if node.op_type in ("LSTM", "GRU", "RNN"):
            steps = shapes[node.input[0]][0]
            total += sum(2 * steps * int(np.prod(weights[name])) for name in node.input[1:3])
        elif node.op_type in ("MatMul", "Gemm"):
            for name in node.input[:2]:
                if name in weights:
                    rows, columns = weights[name]
                    total += 2 * rows * columns * (int(np.prod(shapes[node.output[0]])) // columns or 1)
    return total


def frames(count: int) -> list[TrackFrame]:
    """A few frames of ``count`` tracks that move: what is computed does not depend on where they are."""
    draw = np.random.default_rng(0)
    start, velocity = draw.uniform(-60, 60, (count, 2)), draw.normal(0, 6, (count, 2))
    yaw = np.arctan2(velocity[:, 1], velocity[:, 0])
    fixed = (yaw, np.ones(count, bool), velocity, np.ones(count, bool), np.full((count, 2), (4.5, 1.9)))
    ids = tuple(f"{i}" for i in range(count))
    kind = draw.integers(1, 7, count).astype(np.int8)
    return [TrackFrame(i * 100_000_000, ids, kind, start + 0.1 * i * velocity, *fixed) for i in range(2)]


def percentiles(times_ns: list[int]) -> dict[str, float]:
    values = np.array(times_ns) * 1e-6
    return {
        "p50_ms": float(np.percentile(values, 50)), "p95_ms": float(np.percentile(values, 95)),
        "p99_ms": float(np.percentile(values, 99)), "max_ms": float(values.max()), "count": len(values),
    }  # fmt: skip


def timed(call: Callable[[], object]) -> int:
    begin = time.perf_counter_ns()
    call()
    return time.perf_counter_ns() - begin


def measure(path: Path, predictor: OnnxPredictor, count: int, repeat: int) -> dict[str, float]:
    """Latency of one step for ``count`` tracks, next to a matrix product of equal work."""
    store = TrackStore()
    for frame in frames(count):
        _, seen = store.update(frame, frame.timestamp_ns)
    assert seen is not None  # both frames are newer than the one before
    work = flops_per_track(path) * count
    side = max(8, round((work / 2) ** (1 / 3)))
    square = np.random.default_rng(0).normal(size=(side, side)).astype(np.float32)
    steps, products = [], []
    for i in range(WARM_UP + repeat):
        step, product = timed(lambda: predictor.predict(seen)), timed(lambda: square @ square)
        if i >= WARM_UP:
            steps.append(step)
            products.append(product)
    found = percentiles(steps)
    product_ms = float(np.median(products)) * 1e-6 * work / (2 * side**3)
    return {
        "tracks": count,
        "mflop": work / 1e6,
        **found,
        "product_ms": product_ms,
        "ratio": found["p50_ms"] / product_ms,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--provider", default="cpu", help="cpu, cuda or tensorrt")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=500, help="timed steps for each number of tracks")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--limit-ms", type=float, help="fail if p99 is above this")
    parser.add_argument("--at", type=int, default=64, choices=SIZES, help="the number of tracks that --limit-ms is for")
    asked = parser.parse_args()
    console = Console()
    predictor = OnnxPredictor(asked.model, provider=asked.provider, threads=asked.threads)
    rows = [measure(asked.model, predictor, n, asked.repeat) for n in SIZES]
    hardware = describe_hardware()
    table = Table(title=f"{predictor.name}, {predictor.provider}, {asked.threads} thread(s)", title_justify="left")
    for column in ("tracks", "MFLOP", "p50 ms", "p95 ms", "p99 ms", "max ms", "steps", "equal product ms", "ratio"):
        table.add_column(column, justify="right")
    for row in rows:
        cells = [f"{row[k]:.2f}" for k in ("p50_ms", "p95_ms", "p99_ms", "max_ms")]
        product = [f"{row['product_ms']:.3f}", f"{row['ratio']:.1f}"]
        table.add_row(str(row["tracks"]), f"{row['mflop']:.1f}", *cells, str(row["count"]), *product)
    console.print(table)
    if asked.json:
        asked.json.parent.mkdir(parents=True, exist_ok=True)
        asked.json.write_text(
            json.dumps({"hardware": hardware, "model_id": predictor.contract.model_id, "rows": rows}, indent=1)
        )
    p99_ms = next(r["p99_ms"] for r in rows if r["tracks"] == asked.at)
    if asked.limit_ms is not None and p99_ms > asked.limit_ms:
        print(
            f"speed: expected p99 at {asked.at} tracks of at most {asked.limit_ms} ms, got {p99_ms:.2f} ms",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except TrajnetError as error:
        print(f"speed: {error}", file=sys.stderr)
        raise SystemExit(2) from None
