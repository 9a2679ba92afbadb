"""trajnet bench: how fast a model is on this machine, for how many objects, and whether it stays so."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trajnet.cli.files import STDOUT, emit_json, require_outputs
from trajnet.cli.predictor import (
    CudaGraph,
    EngineCache,
    Model,
    Provider,
    Threads,
    model_file,
    one_model,
    open_predictor,
)
from trajnet.errors import ConfigError
from trajnet.whole_file import write_text

if TYPE_CHECKING:
    from rich.console import Console

    from trajnet.bench.latency import Bench
    from trajnet.bench.operators import Operators
    from trajnet.bench.startup import StartUp

DEFAULT_AGENTS = "1,8,32,64,128,256"
SOAK_AGENTS = 64


Agents = Annotated[
    str | None, typer.Option(help=f"Numbers of objects: {DEFAULT_AGENTS} by default, {SOAK_AGENTS} for --soak.")
]
Frames = Annotated[int, typer.Option(help="Frames that are measured for each number of objects.")]
PeriodMs = Annotated[
    float, typer.Option(help="Time between frames; 0: back to back, with warmer caches than on the road.")
]
SoakMinutes = Annotated[
    float | None, typer.Option(metavar="MINUTES", help="Instead: 10 frames a second for this long; what grows?")
]
Capacity = Annotated[
    bool, typer.Option("--capacity", help="Instead: the most objects whose p99 is within --budget-ms.")
]
BudgetMs = Annotated[float, typer.Option(help="For --capacity, and what --soak counts as missed.")]
LimitMs = Annotated[
    float | None, typer.Option(help="A gate: exit code 1 if the total's p99 at --at objects is above this.")
]
At = Annotated[int, typer.Option(help="The number of objects that --limit-ms is for.")]
JsonFile = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="Everything measured, and the hardware; - prints it.")
]
Picture = Annotated[Path | None, typer.Option(metavar="FILE", help="Write latency against objects as an SVG here.")]


def bench(
    model: Model = None,
    agents: Agents = None,
    frames: Frames = 1000,
    period_ms: PeriodMs = 20.0,
    soak: SoakMinutes = None,
    capacity: Capacity = False,
    budget_ms: BudgetMs = 10.0,
    provider: Provider = "cpu",
    engine_cache: EngineCache = None,
    cuda_graph: CudaGraph = False,
    threads: Threads = 1,
    limit_ms: LimitMs = None,
    at: At = 64,
    json_file: JsonFile = None,
    picture: Picture = None,
) -> None:
    """Measure a model on this machine: frames of tracked objects in, paths in the map frame out.

    Shared machines drift, so the table also has each time as a multiple of a matrix product of equal work and of
    constant velocity, both measured in between: these travel from machine to machine. The last two columns say how
    unsteady the frames are (p99 / p50), and how unsteady a loop of the same length is that touches no memory: what the
    machine does by itself, about. On a core of one's own that is close to 1.

        trajnet bench --json bench.json --picture bench.svg

        trajnet bench --model MODEL.onnx --capacity --budget-ms 10

        trajnet bench --model MODEL.onnx --soak 30
    """
    limit_numpy_threads(threads)
    from trajnet.bench.latency import Bench, BenchOptions
    from trajnet.cli.terminal import Console
    from trajnet.inference import GpuOptions

    if capacity and soak is not None:
        raise ConfigError("capacity, soak: expected one of them, got both; run the command twice")
    chosen = one_model(model)
    require_outputs([model_file(chosen)], json=json_file, picture=picture)
    sizes = parse_agents(agents or (DEFAULT_AGENTS if soak is None else str(SOAK_AGENTS)))
    if limit_ms is not None and (capacity or soak is not None or at not in sizes):
        raise ConfigError(f"limit-ms: expected --at to be one of the measured --agents, got {at}")
    console = Console(stderr=json_file == STDOUT)
    options = BenchOptions(frames=frames, period_ms=period_ms)
    gpu = GpuOptions(cuda_graph=cuda_graph, engine_cache=engine_cache)
    found = Bench(open_predictor(chosen, provider, threads, gpu), threads, options, gpu=gpu)
    warn_if_busy(console)
    if capacity:
        found = with_capacity(found, budget_ms, console)
    elif soak is not None:
        found = with_soak(found, sizes[-1], soak, budget_ms, console)
    else:
        found = with_sizes(found, model_file(chosen), sizes, provider, console)
    write_files(found, json_file, picture)
    if limit_ms is not None and not within_limit(found, at, limit_ms, console):
        raise typer.Exit(1)


def limit_numpy_threads(threads: int) -> None:
    """Give the matrix product as many threads as the model; NumPy reads this where it is first imported, not later."""
    if "numpy" in sys.modules:
        return
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, str(max(threads, 1)))


def write_files(found: Bench, json_file: Path | None, picture: Path | None) -> None:
    """Write the document and the picture where they were asked for. Raises InputError for a file that cannot be."""
    from trajnet.bench.latency import bench_document
    from trajnet.bench.latency_figure import latency_picture

    if json_file is not None:
        emit_json(json_file, bench_document(found))
    if picture is not None:
        title = f"{found.predictor.name}: latency of a frame, {found.threads} thread(s)"
        write_text(picture, latency_picture(found.sizes, title))


def within_limit(found: Bench, agents: int, limit_ms: float, console: Console) -> bool:
    """Whether the total's p99 with this many objects is at most limit_ms; if not, print by how much."""
    p99_ms = next(s.latency["total"].p99_ms for s in found.sizes if s.agents == agents)
    if p99_ms > limit_ms:
        console.print(f"p99 at {agents} objects: expected at most {limit_ms:g} ms, got {p99_ms:.2f} ms")
    return p99_ms <= limit_ms


def warn_if_busy(console: Console) -> None:
    """Print a warning where other work on the machine would show in the figures."""
    busy = machine_is_busy()
    if busy:
        console.print(busy, style="yellow", highlight=False)


def machine_is_busy() -> str:
    """Return a warning where other load leaves the figures not to be the model's alone; empty where not."""
    from trajnet.timing.hardware import describe_hardware

    hardware = describe_hardware()
    load, cores = hardware["load_average"], hardware["cores_usable"]
    if load is None or load < 0.75 * cores:
        return ""
    return f"The machine is busy (load {load:.1f} on {cores} cores): these latencies are also those of its other work."


def parse_agents(text: str) -> list[int]:
    """Increasing numbers from a list with commas. Raises ConfigError for anything else."""
    try:
        numbers = sorted({int(part) for part in text.split(",")})
    except ValueError:
        numbers = []
    if not numbers or numbers[0] < 1:
        raise ConfigError(f"agents: expected numbers above 0 with commas between them, got {text!r}")
    return numbers


def with_sizes(found: Bench, model: str, sizes: list[int], provider: str, console: Console) -> Bench:
    """Measure every number of objects, the operators and the start, and print the tables."""
    from dataclasses import replace

    from trajnet.bench.latency import measure, readme_table
    from trajnet.bench.operators import profile_operators
    from trajnet.bench.startup import measure_startup
    from trajnet.inference import PHYSICS
    from trajnet.timing.clock import WallClock

    operators = None
    if model not in PHYSICS:
        operators = profile_operators(
            Path(model), max(sizes[-1], 4), provider=provider, threads=found.threads, gpu=found.gpu
        )
    results = []
    for agents in sizes:
        with console.status(f"{agents} objects, {found.options.frames} frames"):
            flops = None if operators is None else operators.flops * agents / operators.tracks
            results.append(measure(found.predictor, agents, WallClock(), found.options, flops=flops))
    with console.status("start-up"):
        startup = measure_startup(model, sizes[-1], provider=provider, threads=found.threads, gpu=found.gpu)
    found = replace(found, sizes=results, operators=operators, startup=startup)
    console.print(readme_table(found), highlight=False, soft_wrap=True, markup=False)
    lines = ["", *startup_lines(startup, sizes[-1]), *([] if operators is None else operator_lines(operators))]
    console.print("\n".join(lines), highlight=False, soft_wrap=True, markup=False)
    return found


def startup_lines(startup: StartUp, agents: int) -> list[str]:
    """Return how long the first prediction took, and the memory with this many objects."""
    torch = "in" if startup.torch_loaded else "not in"
    return [
        f"start-up   {startup.median_s:.2f} s to the first prediction (of {startup.runs}), PyTorch {torch} memory",
        f"memory     {startup.resident_mb:.0f} MB resident at {agents} objects",
    ]


def operator_lines(operators: Operators) -> list[str]:
    """Return each kind of operator's share of a step and the step's operations, and what these do not count."""
    shares = (f"{n} {share:.0%} ({count})" for n, (count, share) in operators.by_category.items())
    mflop = operators.flops / operators.tracks / 1e6
    lines = [f"operators  {', '.join(shares)}; {mflop:.2f} MFLOP per object"]
    if operators.uncounted:
        lines.append(f"           not counted: {', '.join(operators.uncounted)}")
    return lines


def with_capacity(found: Bench, budget_ms: float, console: Console) -> Bench:
    """Find the capacity and print it."""
    from dataclasses import replace

    from trajnet.bench.latency import BenchOptions, find_capacity
    from trajnet.timing.clock import WallClock

    options = BenchOptions(frames=min(found.options.frames, 300), period_ms=found.options.period_ms)
    result = find_capacity(found.predictor, budget_ms, WallClock(), options, progress=console.print)
    console.print(f"capacity   {result.agents} objects with a p99 of at most {budget_ms:g} ms", highlight=False)
    return replace(found, capacity=result, options=options)


def with_soak(found: Bench, agents: int, minutes: float, budget_ms: float, console: Console) -> Bench:
    """Run the soak, a line for each window, and print what grew."""
    from dataclasses import replace

    from trajnet.bench.soak import SoakWindow, soak
    from trajnet.timing.clock import WallClock

    def show(window: SoakWindow) -> None:
        console.print(
            f"{window.end_s:8.0f} s  p50 {window.p50_ms:6.2f}  p99 {window.p99_ms:6.2f}  max {window.max_ms:6.2f} ms  "
            f"{window.resident_mb:6.1f} MB",
            highlight=False,
        )

    result = soak(found.predictor, agents, 60.0 * minutes, WallClock(), budget_ms=budget_ms, progress=show)
    total, grown_mb, slowdown = result.total, result.memory_growth_mb, result.slowdown
    figures = ", ".join(f"{name} {getattr(total, f'{name}_ms'):.2f}" for name in ("p50", "p99", "p999", "max"))
    lines = [
        f"frames     {total.count} of {agents} objects, {result.misses} over {budget_ms:g} ms",
        f"latency    {figures} ms",
        f"growth     {grown_mb:+.1f} MB; median latency times {slowdown:.2f} from the first third to the last",
    ]
    console.print("\n".join(lines), highlight=False, soft_wrap=True)
    return replace(found, soak=result)
