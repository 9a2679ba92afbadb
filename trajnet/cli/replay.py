"""trajnet replay: a recorded scene in real time through the streaming predictor, every frame timed."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trajnet.cli.predictor import CudaGraph, EngineCache, Provider, Threads, open_predictor
from trajnet.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from trajnet.inference import GpuOptions, Predictor
    from trajnet.replay.faults import FaultPlan
    from trajnet.replay.replay import FrameTiming, ReplayOptions
    from trajnet.replay.summary import Run
    from trajnet.types import Scene

#: Seconds between two updates of the live line; more often would disturb what it reports.
LIVE_PERIOD_S = 0.25


def replay(
    scene: Annotated[
        Path, typer.Argument(help="A scene file: .parquet, CommonRoad .xml, nuScenes or ETH/UCY .txt; a bag.")
    ],
    model: Annotated[str, typer.Option(help="A model file (.onnx) or cv, ctrv, kalman.")],
    rate: Annotated[
        str,
        typer.Option(
            help="Times faster than recorded; max (or 0): as fast as possible, which gives service times only."
        ),
    ] = "1.0",
    agents: Annotated[
        int | None,
        typer.Option(help="Load: fill every frame that has objects up to exactly this many with shifted copies."),
    ] = None,
    budget_ms: Annotated[float, typer.Option(help="Latency above which a frame has missed its deadline.")] = 50.0,
    warmup: Annotated[
        int | None, typer.Option(metavar="FRAMES", help="Frames left out of the figures; 5 by default.")
    ] = None,
    provider: Provider = "cpu",
    engine_cache: EngineCache = None,
    cuda_graph: CudaGraph = False,
    threads: Threads = 1,
    faults: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="YAML of faults: the scene is replayed again under each, at full speed."),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write everything measured, and the hardware, here.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a self-contained HTML page with the animation here.")
    ] = None,
) -> None:
    """Play a scene on its own clock into the predictor and time every frame.

    Frames are due on a fixed schedule and latency counts from there, so a stall shows in all that it delayed. For
    example a bundled scene, filled up to 64 agents, with one thread:

        trajnet replay sim/scenes/intersection.parquet --model model.onnx --agents 64 --json latency.json

    What dropped frames, jitter, new ids, noise and the like do to the paths, next to no fault:

        trajnet replay sim/scenes/intersection.parquet --model model.onnx --rate max --faults sim/faults/all.yaml
    """
    from rich.console import Console

    from trajnet.config import load_yaml
    from trajnet.inference import GpuOptions
    from trajnet.replay.faults import FaultPlan
    from trajnet.replay.replay import ReplayOptions
    from trajnet.ros.bag_import import open_scene

    plan = None if faults is None else load_yaml(FaultPlan, faults)
    options = ReplayOptions(rate=parse_rate(rate), budget_ms=budget_ms, warmup_frames=warmup)
    for name, path in (("json", json_file), ("report", report)):
        if path is not None and not path.parent.is_dir():
            raise InputError(f"{name}: expected a file in a folder that exists, got {path}")
    gpu = GpuOptions(cuda_graph=cuda_graph, engine_cache=engine_cache)
    run_and_show(
        open_scene(scene, with_map=report is not None),
        open_predictor(model, provider, threads, gpu),
        options,
        Console(),
        agents=agents,
        threads=threads,
        gpu=gpu,
        faults=plan,
        json_file=json_file,
        report=report,
    )


def parse_rate(text: str) -> float:
    """A rate above 0; ``max`` and 0 are infinity. Raises InputError for anything else."""
    try:
        rate = math.inf if text == "max" else float(text)
    except ValueError:
        rate = math.nan
    if not rate >= 0:
        raise InputError(f"rate: expected a number above 0, or max (or 0) for as fast as possible, got {text!r}")
    return rate or math.inf


def run_and_show(
    scene: Scene,
    predictor: Predictor,
    options: ReplayOptions,
    console: Console,
    *,
    agents: int | None = None,
    threads: int = 1,
    gpu: GpuOptions | None = None,
    faults: FaultPlan | None = None,
    json_file: Path | None = None,
    report: Path | None = None,
) -> Run:
    """Replay with a live line where the console is a terminal, print the tables, write the files asked for.

    threads, gpu: what the predictor was loaded with, for the record. faults: what to try on the same scene afterwards.
    """
    from trajnet.inference import GpuOptions
    from trajnet.replay.fault_runs import fault_document, run_faults
    from trajnet.replay.html_report import write_report
    from trajnet.replay.summary import document, run_replay
    from trajnet.timing.clock import WallClock

    used = gpu or GpuOptions()
    pace = "as fast as possible" if math.isinf(options.rate) else f"at {options.rate:g}x real time"
    console.print(
        f"Replaying [bold]{scene.scene_id}[/] ({scene.frame_count} frames, {scene.duration_s:.1f} s, "
        f"{len(scene.track_id)} tracks) {pace} with [bold]{predictor.name}[/]",
        highlight=False,
    )
    with live_line(console, scene.frame_count, options.budget_ms) as on_frame:
        run = run_replay(scene, predictor, options, agents=agents, threads=threads, gpu=used, on_frame=on_frame)
    if faults is not None:
        run = dataclasses.replace(
            run, faults=fault_document(run_faults(scene, predictor, faults, WallClock()), faults.seed)
        )
    found = document(run)
    if json_file is not None:
        try:
            json_file.write_text(json.dumps(found, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        except OSError as error:
            raise InputError(f"json: expected a file that can be written, got {error}") from error
    show(found, console)
    if report is not None:
        write_report(run, report)
        console.print(f"Report: {report}", highlight=False, soft_wrap=True)
    return run


@contextmanager
def live_line(console: Console, frames: int, budget_ms: float) -> Iterator[Callable[[FrameTiming], None] | None]:
    """A callback that keeps one status line up to date on a terminal; None where the output goes elsewhere."""
    if not console.is_terminal:
        yield None
        return
    from rich.live import Live
    from rich.text import Text

    total_ms: list[float] = []
    shown_ns = 0
    with Live(console=console, auto_refresh=False, transient=True) as live:

        def on_frame(timing: FrameTiming) -> None:
            nonlocal shown_ns
            total_ms.append(timing.stage_ns("total") * 1e-6)
            if timing.finished_ns - shown_ns < LIVE_PERIOD_S * 1e9:
                return
            shown_ns = timing.finished_ns
            ordered = sorted(total_ms)
            missed = sum(v > budget_ms for v in ordered)
            line = (
                f"frame {timing.index + 1}/{frames}  {timing.objects} objects  now {total_ms[-1]:.2f} ms  "
                f"p50 {ordered[len(ordered) // 2]:.2f}  max {ordered[-1]:.2f}  over budget {missed}"
            )
            live.update(Text(line, no_wrap=True, overflow="ellipsis"), refresh=True)

        yield on_frame


def show(found: dict[str, Any], console: Console) -> None:
    """Print the document of a replay: latency by stage, counts, errors next to constant velocity."""
    from trajnet.timing.hardware import runtime_words

    load, frames, deadline, guard, hardware = (found[k] for k in ("load", "frames", "deadline", "guard", "hardware"))
    counted = "Service time in ms" if load["rate"] == "max" else "Latency in ms from the scheduled time of each frame"
    console.print(f"\n[bold]{counted}[/]", _latency_table(found), sep="\n")
    _show_errors(found, console)
    _show_faults(found, console)
    name = found["model"]["name"]
    lines = [
        f"deadline   {deadline['misses']} of {deadline['frames']} frames over {deadline['budget_ms']:g} ms",
        f"frames     {frames['served']} served, {frames['dropped']} dropped, {frames['late']} late",
        f"backlog    at most {frames['backlog_max']} frames",
        f"warm-up    the first {load['warmup_frames']} frames are not counted",
        f"agents     {_agents(load)}",
        f"paths      {guard['model_rows']} {name}, {guard['physics_rows']} fall-back, {guard['stale_rows']} stale",
        *_steadiness(found),
        f"failures   {guard['failures']} calls, {guard['non_finite_rows']} paths not finite",
        f"hardware   {hardware['cpu']}, {hardware['cores_usable']} of {hardware['cores']} cores",
        f"runtime    {runtime_words(hardware)}",
        *_stolen(hardware),
    ]
    if guard["last_failure"]:
        lines.append(f"           the last: {guard['last_failure']}")
    console.print("\n".join(lines), highlight=False, soft_wrap=True, markup=False)


def _stolen(hardware: dict[str, Any]) -> list[str]:
    """One line where a hypervisor gave the cores to others: what it took is in the tails above."""
    if not hardware["stolen_s"]:
        return []
    return [f"stolen     {hardware['stolen_s']:.2f} s of these cores went to other guests of the host meanwhile"]


def _agents(load: dict[str, Any]) -> str:
    low, high = load["agents_per_frame_min"], load["agents_per_frame_max"]
    if low == high:
        return f"exactly {high} in every frame"
    asked = load["agents_asked"]
    exactly = "" if asked is None else f", exactly {asked} in every frame that has any"
    return f"{low} to {high} per frame, {load['agents_per_frame_mean']:.1f} on average{exactly}"


def _latency_table(found: dict[str, Any]) -> Table:
    table = _table()
    for column in ("stage", "p50", "p95", "p99", "max", "frames"):
        table.add_column(column, justify="left" if column == "stage" else "right", no_wrap=True)
    for stage, figures in found["latency_ms"].items():
        values = [f"{figures[k]:.2f}" for k in ("p50", "p95", "p99", "max")]
        name = "track update" if stage == "tracks" else stage
        table.add_row(name, *values, str(figures["count"]), style="bold" if stage == "total" else None)
    return table


def _show_errors(found: dict[str, Any], console: Console) -> None:
    mine, cv = found["errors_m"]["model"], found["errors_m"]["cv"]
    if not mine["groups"]:
        console.print("The scene is too short to compare paths: no object's whole future is recorded.\n")
        return
    modes = found["model"]["modes"]
    columns = {"most probable": (mine, 1)}
    if modes > 1:
        columns[f"best of {modes}"] = (mine, modes)
    if found["model"]["name"] != "cv":
        columns["constant velocity"] = (cv, 1)
    table = _table()
    table.add_column("objects", no_wrap=True)
    table.add_column("paths", justify="right", no_wrap=True)
    for name, (_, k) in columns.items():
        table.add_column(f"{name}\nminADE_{k}/minFDE_{k}", justify="right", no_wrap=True)
    for group, errors in mine["groups"].items():
        pairs = [
            (who["groups"][group][f"minADE_{k}"], who["groups"][group][f"minFDE_{k}"]) for who, k in columns.values()
        ]
        cells = [f"{mean:.2f} / {final:5.2f}" for mean, final in pairs]
        table.add_row(group, f"{errors['count']:,}", *cells, style="bold" if group == "all" else None)
    console.print(f"[bold]Error against the recorded future in m, {mine['horizon_s']:g} s ahead[/]", table, sep="\n")


def _steadiness(found: dict[str, Any]) -> list[str]:
    """One line about how steady the paths were from frame to frame."""
    mine, cv = (found["consistency"][who].get("all") for who in ("model", "cv"))
    if mine is None or cv is None:
        return []
    jumps = f"the best path jumps {mine['jump_m']:.2f} m between frames (constant velocity {cv['jump_m']:.2f})"
    return [
        f"steadiness {jumps}, the best mode flips {mine['flips_per_object_minute']:.1f} times per object and minute"
    ]


def _show_faults(found: dict[str, Any], console: Console) -> None:
    """A row for each fault and strength: errors next to those without it, service time, and what was counted."""
    if "faults" not in found:
        return
    runs = found["faults"]["runs"]
    table = _table()
    for column in ("fault", "minADE_1", "without", "no path", "p50 ms", "p99 ms", "counted"):
        words = column in ("fault", "counted")
        table.add_column(column, justify="left" if words else "right", no_wrap=column != "counted")
    for run in runs:
        mine, without, service = run["errors_m"]["minADE_1"], run["errors_m_without"]["minADE_1"], run["service_ms"]
        errors = ("-" if value is None else f"{value:.2f}" for value in (mine, without))
        name = run["fault"] if run["fault"] == "none" else f"{run['fault']} {run['strength']:g}"
        times = f"{service['p50']:.2f}", f"{service['p99']:.2f}"
        table.add_row(name, *errors, f"{run['missing_share']:.1%}", *times, counted(run["counters"]))
    console.print(f"[bold]Under faults, {runs[0]['judged']:,} objects and instants in every row[/]", table, sep="\n")


def counted(counters: dict[str, Any]) -> str:
    """The decisions that were taken at all, beside those of every frame."""
    usual = ("frames", "calls", "model_rows", "last_failure")
    return ", ".join(f"{name} {value}" for name, value in counters.items() if value and name not in usual)


def _table() -> Table:
    from rich import box
    from rich.table import Table

    return Table(box=box.SIMPLE_HEAD, pad_edge=False)
