"""Latency against the number of objects, and the number that fits into a budget, on this machine.

Measured is ``Stream.update``: from a frame of tracked objects to paths in the map frame. Machines differ and shared
ones drift, so references are measured in the same process, interleaved with the frames: a matrix product of as many
floating point operations, constant velocity, and a loop of the same length that touches no memory.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trajnet import __version__
from trajnet.bench.latency_references import EqualProduct, SameLength
from trajnet.bench.operators import Operators
from trajnet.bench.soak import Soak
from trajnet.bench.startup import StartUp
from trajnet.bench.synthetic_traffic import synthetic_frames, synthetic_lanes, synthetic_map
from trajnet.config import require, require_whole
from trajnet.inference import ConstantVelocity, GpuOptions, GuardOptions, Stream
from trajnet.inference.base import Predictor
from trajnet.json_safe import json_safe
from trajnet.timing.clock import Clock, stolen_since
from trajnet.timing.hardware import describe_runtime, runtime_words
from trajnet.timing.latency_summary import LatencySummary, summarise

#: Stages of an update in order, and the total.
STAGES: tuple[str, ...] = ("tracks", "model", "output", "total")

#: Incremented whenever a key of the document changes its meaning.
DOCUMENT_VERSION = 1

#: Interval of the reference measurements, in frames.
REFERENCE_EVERY = 4
#: Upper limit and resolution of the search for the capacity, in objects.
CAPACITY_LIMIT, CAPACITY_STEP = 4096, 8


@dataclass(frozen=True)
class BenchOptions:
    """Number and pace of the measured frames.

    frames: measured frames per number of objects, after ``warmup`` unmeasured ones. period_ms: time between the starts
    of two frames; a frame that takes longer delays the next one. In a vehicle frames are 100 ms apart, and caches are
    colder than with frames back to back (0).
    """

    frames: int = 1000
    warmup: int = 50
    period_ms: float = 20.0

    def __post_init__(self) -> None:
        require_whole("frames", self.frames)
        require_whole("warmup", self.warmup, least=0)
        require(
            math.isfinite(self.period_ms) and self.period_ms >= 0,
            f"period_ms: expected 0 or more, got {self.period_ms}",
        )


@dataclass(frozen=True)
class SizeResult:
    """Latencies for one number of objects.

    latency: stage -> percentiles. graph: ONNX Runtime within the model stage; overhead: total minus graph of the same
    frame; both None without ONNX Runtime. outside: tracks plus output of the same frame, i.e. all but the model
    stage. flops: floating point operations of a step, None where unknown (physics).
    product_ms: median time of a matrix product of as many operations; ratio_to_product: median of the model stage over
    product_ms. cv_ms: median of constant velocity's model stage; ratio_to_cv: likewise. NaN where not measured.
    loop: percentiles of a loop about as long as the total that touches no memory: jitter of the machine itself (see
    SameLength). stolen: share of CPU time that the hypervisor gave to other guests (see Clock), including warm-up and
    pauses; None where unknown.
    """

    agents: int
    latency: dict[str, LatencySummary]
    outside: LatencySummary
    graph: LatencySummary | None
    overhead: LatencySummary | None
    flops: float | None
    product_ms: float
    ratio_to_product: float
    cv_ms: float
    ratio_to_cv: float
    loop: LatencySummary
    stolen: float | None

    @property
    def unsteadiness(self) -> tuple[float, float]:
        """Ratios of p99 to p50, of the total and of the loop."""
        total = self.latency["total"]
        return _ratio(total.p99_ms, total.p50_ms), _ratio(self.loop.p99_ms, self.loop.p50_ms)


def measure(
    predictor: Predictor,
    agents: int,
    clock: Clock,
    options: BenchOptions = BenchOptions(),
    *,
    flops: float | None = None,
    references: bool = True,
) -> SizeResult:
    """Measure updates with frames of this many objects. flops: those of one step, for the reference product.

    Raises ConfigError for fewer than one object.
    """
    require(agents > 0, f"agents: expected numbers above 0, got {agents}")
    source = synthetic_frames(agents)
    every_row = GuardOptions(domain=False)  # measures the model, whatever it was trained on
    field = synthetic_map(predictor.requirements)
    stream = Stream(predictor, guard=every_row, map_field=field, lanes=synthetic_lanes(agents), clock_ns=clock.now_ns)
    cv = Stream(ConstantVelocity(predictor.time_s), clock_ns=clock.now_ns)
    product = EqualProduct(flops, clock) if references and flops else None
    taken = np.zeros((len(STAGES), options.frames), dtype=np.int64)
    graph_ns = np.zeros(options.frames, dtype=np.int64)
    cv_ns, product_ns, loop_ns, lengths_ns = list[int](), list[float](), list[int](), list[int]()
    loop: SameLength | None = None
    before_s, start_ns = clock.stolen_s(), clock.now_ns()
    due_ns = start_ns
    for index in range(-options.warmup, options.frames):
        frame = next(source)
        due_ns = max(due_ns + round(options.period_ms * 1e6), clock.now_ns())
        clock.sleep_until_ns(due_ns)
        spent_ns = predictor.graph_ns
        begin_ns = clock.now_ns()
        stream.update(frame, frame.timestamp_ns)
        end_ns = clock.now_ns()
        lengths_ns.append(end_ns - begin_ns)
        if index >= 0:
            taken[:, index] = [*(stream.stages_ns[stage] for stage in STAGES[:-1]), end_ns - begin_ns]
            graph_ns[index] = predictor.graph_ns - spent_ns
        if references and index % REFERENCE_EVERY == 0:
            cv.update(frame, frame.timestamp_ns)
            if index >= 0:
                cv_ns.append(cv.stages_ns["model"])
            if product is not None:
                product_ns.append(product.time_ns())
            if index >= 0:
                loop = loop or SameLength(float(np.median(lengths_ns)), clock)
                loop_ns.append(loop.time_ns())
    lost_s, passed_s = stolen_since(before_s, clock), (clock.now_ns() - start_ns) * 1e-9
    by_stage = dict(zip(STAGES, taken, strict=True))
    latency = {stage: summarise(row) for stage, row in by_stage.items()}
    product_ms, cv_ms = _median_ms(product_ns), _median_ms(cv_ns)
    model_ms = latency["model"].p50_ms
    outside, served = summarise(by_stage["tracks"] + by_stage["output"]), bool(graph_ns.any())
    return SizeResult(
        agents, latency, outside, summarise(graph_ns) if served else None,
        summarise(by_stage["total"] - graph_ns) if served else None, flops,
        product_ms, _ratio(model_ms, product_ms), cv_ms, _ratio(model_ms, cv_ms),
        summarise(np.array(loop_ns, dtype=np.int64)), None if lost_s is None else _ratio(lost_s, passed_s),
    )  # fmt: skip


@dataclass(frozen=True)
class Capacity:
    """Largest number of objects whose p99 of the total is within the budget; 0 if even the smallest exceeds it.

    probes: (objects, p99 in ms) in the order of the search.
    """

    agents: int
    budget_ms: float
    probes: tuple[tuple[int, float], ...]


def find_capacity(
    predictor: Predictor,
    budget_ms: float,
    clock: Clock,
    options: BenchOptions = BenchOptions(frames=300),
    *,
    progress: Callable[[str], None] = lambda text: None,
) -> Capacity:
    """Double the objects until p99 exceeds the budget, then halve the gap. Raises ConfigError for a bad budget."""
    require(math.isfinite(budget_ms) and budget_ms > 0, f"budget_ms: expected a number above 0, got {budget_ms}")
    probes: list[tuple[int, float]] = []

    def holds(agents: int) -> bool:
        p99_ms = measure(predictor, agents, clock, options, references=False).latency["total"].p99_ms
        probes.append((agents, p99_ms))
        progress(f"{agents} objects: p99 {p99_ms:.2f} ms")
        return p99_ms <= budget_ms

    largest, smallest_over = 0, CAPACITY_STEP
    while smallest_over <= CAPACITY_LIMIT and holds(smallest_over):
        largest, smallest_over = smallest_over, 2 * smallest_over
    while largest and smallest_over - largest > CAPACITY_STEP and smallest_over <= CAPACITY_LIMIT:
        middle = (largest + smallest_over) // 2 // CAPACITY_STEP * CAPACITY_STEP
        if holds(middle):
            largest = middle
        else:
            smallest_over = middle
    return Capacity(largest, budget_ms, tuple(probes))


@dataclass(frozen=True, eq=False)
class Bench:
    """All measurements of one model; parts that were not requested are None or empty.

    threads, gpu: options with which the predictor was loaded.
    """

    predictor: Predictor
    threads: int
    options: BenchOptions
    sizes: Sequence[SizeResult] = ()
    operators: Operators | None = None
    startup: StartUp | None = None
    capacity: Capacity | None = None
    soak: Soak | None = None
    gpu: GpuOptions = GpuOptions()


def bench_document(found: Bench) -> dict[str, Any]:
    """Return all measurements, ready for JSON: NaN and infinity become null."""
    file = found.predictor.model_file
    values = {
        "version": DOCUMENT_VERSION,
        "trajnet": __version__,
        "model": {
            "name": found.predictor.name,
            "model_id": None if file is None else file.contract.model_id,
            "modes": found.predictor.modes,
            "steps": len(found.predictor.time_s),
        },
        "hardware": describe_runtime(found.predictor, found.threads, found.gpu),
        "options": dataclasses.asdict(found.options),
        "sizes": [_size_document(size) for size in found.sizes],
        "operators": None if found.operators is None else dataclasses.asdict(found.operators),
        "startup": None if found.startup is None else dataclasses.asdict(found.startup),
        "capacity": None if found.capacity is None else dataclasses.asdict(found.capacity),
        "soak": None if found.soak is None else dataclasses.asdict(found.soak),
    }
    plain: dict[str, Any] = json_safe(values)
    return plain


def _size_document(size: SizeResult) -> dict[str, Any]:
    """Return one size for JSON, where the overhead has the key ``around``."""
    return {"around" if key == "overhead" else key: value for key, value in dataclasses.asdict(size).items()}


def readme_table(found: Bench) -> str:
    """Return the sizes as a Markdown table below a line with the conditions."""
    hardware = describe_runtime(found.predictor, found.threads, found.gpu)
    conditions = (
        f"{found.predictor.name}, {runtime_words(hardware)}, {hardware['cpu']}",
        f"{found.options.frames} frames each, {found.options.period_ms:g} ms apart; times in ms",
    )
    columns = (
        "objects", "tracks + output p99", "model p50", "model p99", "graph p99", "around it p99",
        "total p50", "p95", "p99", "p99.9", "max",
        "× equal product", "× constant velocity", "p99 / p50", "of a loop", "stolen",
    )  # fmt: skip
    lines = [", ".join(conditions), "", f"| {' | '.join(columns)} |", "|" + "---:|" * len(columns)]
    for size in found.sizes:
        model, total = size.latency["model"], size.latency["total"]
        graph, overhead = (float("nan") if part is None else part.p99_ms for part in (size.graph, size.overhead))
        cells = (
            size.outside.p99_ms, model.p50_ms, model.p99_ms, graph, overhead,
            total.p50_ms, total.p95_ms, total.p99_ms, total.p999_ms, total.max_ms,
        )  # fmt: skip
        ratios = (size.ratio_to_product, size.ratio_to_cv, *size.unsteadiness)
        shown = ["–" if math.isnan(c) else f"{c:.2f}" for c in cells]
        shown += ["–" if math.isnan(r) else f"{r:.1f}" for r in ratios]
        shown.append("–" if size.stolen is None else f"{size.stolen:.2%}")
        lines.append(f"| {size.agents} | " + " | ".join(shown) + " |")
    return "\n".join(lines)


def _median_ms(times_ns: Sequence[float]) -> float:
    return float(np.median(times_ns)) * 1e-6 if times_ns else float("nan")


def _ratio(value: float, reference: float) -> float:
    return value / reference if reference > 0 else float("nan")
