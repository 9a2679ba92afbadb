"""trajnet replay: a recorded scene in real time through the streaming predictor, every frame timed."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from trajnet.cli.files import STDOUT, emit_json, require_outputs
from trajnet.cli.own import MapFile
from trajnet.cli.predictor import (
    CudaGraph,
    EngineCache,
    IgnoreDomain,
    Provider,
    SelfJudging,
    Threads,
    default_models,
    model_file,
    open_predictor,
)
from trajnet.cli.progress import progress_passes
from trajnet.cli.replay_film import Films, Follow, Gif, Mp4, Start, Stop
from trajnet.cli.replay_options import (
    Agents,
    BudgetMs,
    FaultsFile,
    JsonFile,
    Models,
    Rate,
    Report,
    Scenes,
    Warmup,
    parse_rate,
)
from trajnet.cli.replay_several import compared_table, replay_folder
from trajnet.cli.replay_tables import live_line, show
from trajnet.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from trajnet.inference import GpuOptions, Predictor
    from trajnet.replay.faults import FaultPlan
    from trajnet.replay.replay import ReplayOptions
    from trajnet.replay.summary import Run
    from trajnet.types import Scene


def replay(
    scene: Scenes,
    model: Models = None,
    map_file: MapFile = None,
    rate: Rate = "1.0",
    agents: Agents = None,
    budget_ms: BudgetMs = 50.0,
    warmup: Warmup = None,
    provider: Provider = "cpu",
    engine_cache: EngineCache = None,
    cuda_graph: CudaGraph = False,
    threads: Threads = 1,
    self_judging: SelfJudging = True,
    faults: FaultsFile = None,
    json_file: JsonFile = None,
    report: Report = None,
    gif: Gif = None,
    mp4: Mp4 = None,
    start: Start = 0.0,
    stop: Stop = math.inf,
    follow: Follow = None,
    ignore_domain: IgnoreDomain = False,
) -> None:
    """Play a scene on its own clock into the predictor and time every frame.

    Frames are due on a fixed schedule and latency counts from there, so a stall shows in all that it delayed. For
    example a bundled scene, filled up to 64 agents, with one thread:

        trajnet replay sim/scenes/intersection.parquet --model model.onnx --agents 64 --json latency.json

    Two models beside each other, in one animation and one table, and all scenes of a folder with an index of pages:

        trajnet replay sim/scenes/intersection.parquet --model urban --model universal --report both.html

        trajnet replay sim/scenes --rate max --report pages/

    Ten seconds of it for a slide, with one object in the middle:

        trajnet replay sim/scenes/intersection.parquet --rate max --gif turn.gif --start 10 --stop 20 --follow car-16

    What dropped frames, jitter, new ids, noise and the like do to the paths, next to no fault:

        trajnet replay sim/scenes/intersection.parquet --model model.onnx --rate max --faults sim/faults/all.yaml
    """
    from trajnet.cli.terminal import Console
    from trajnet.config import load_yaml
    from trajnet.datasets.files import with_map_of
    from trajnet.inference import GpuOptions
    from trajnet.replay.faults import FaultPlan
    from trajnet.replay.replay import ReplayOptions
    from trajnet.ros.bag_import import open_scene
    from trajnet.ros.bags import is_bag

    plan = None if faults is None else load_yaml(FaultPlan, faults)
    options = ReplayOptions(rate=parse_rate(rate), budget_ms=budget_ms, warmup_frames=warmup, self_judging=self_judging)
    gpu = GpuOptions(cuda_graph=cuda_graph, engine_cache=engine_cache)
    settings = Settings(options, agents, threads, gpu, ignore_domain, plan)
    console, whole_folder = Console(stderr=json_file == STDOUT), scene.is_dir() and not is_bag(scene)
    if whole_folder and report is not None and report.is_file():
        raise InputError(f"report: expected a folder for the pages of the scenes of {scene}, got the file {report}")
    names, page = default_models(model), None if whole_folder else report
    require_outputs([scene, map_file, faults, *map(model_file, names)], json=json_file, report=page, gif=gif, mp4=mp4)
    films = Films(gif, mp4, start, stop, follow)
    films.require(models=len(names), whole_folder=whole_folder)
    predictors = [open_predictor(name, provider, threads, gpu) for name in names]

    def play(path: Path, page: Path | None) -> list[Run]:
        loaded = with_map_of(open_scene(path, with_map=page is not None or films.wanted), map_file)
        films.require_shown(loaded)
        return run_models(loaded, predictors, settings, console, page)

    if whole_folder:
        found, failed = replay_folder(scene, play, console, report)
        if json_file is not None:
            emit_json(json_file, found)
        if failed:
            raise typer.Exit(1)
        return
    runs = play(scene, report)
    if films.wanted:
        films.write(runs[0], console)
    show_runs(runs, console, json_file, report)


@dataclass(frozen=True)
class Settings:
    """How to replay. threads, gpu: what predictors were loaded with, for the record. ignore_domain: ask them always.

    faults: what to try on the same scene afterwards.
    """

    options: ReplayOptions
    agents: int | None = None
    threads: int = 1
    gpu: GpuOptions | None = None
    ignore_domain: bool = False
    faults: FaultPlan | None = None


def run_models(
    scene: Scene, predictors: Sequence[Predictor], settings: Settings, console: Console, report: Path | None
) -> list[Run]:
    """Replay a scene with each predictor in turn, and write the page where one is asked for."""
    from trajnet.replay.html_report import write_report

    runs = [run_model(scene, predictor, settings, console) for predictor in predictors]
    if report is not None:
        report.parent.mkdir(parents=True, exist_ok=True)
        write_report(runs[0], report, others=runs[1:])
    return runs


def run_model(scene: Scene, predictor: Predictor, settings: Settings, console: Console) -> Run:
    """Replay with a live line where the console is a terminal."""
    from trajnet.cli.terminal import Console
    from trajnet.inference import GpuOptions, GuardOptions
    from trajnet.replay.fault_runs import fault_document, require_known_future, run_faults
    from trajnet.replay.summary import run_replay
    from trajnet.timing.clock import WallClock

    options, guard, faults = settings.options, GuardOptions(domain=not settings.ignore_domain), settings.faults
    if faults is not None:
        require_known_future(scene, predictor)  # before the replay, which takes as long as the recording
    # Standard error, so that a closed pipe on standard output ends the program after its files are written.
    Console(stderr=True).print(_what_is_played(scene, predictor, options.rate), highlight=False, soft_wrap=True)
    with live_line(console, scene.frame_count, options.budget_ms) as on_frame:
        run = run_replay(
            scene,
            predictor,
            options,
            agents=settings.agents,
            threads=settings.threads,
            gpu=settings.gpu or GpuOptions(),
            guard=guard,
            on_frame=on_frame,
        )
    if faults is not None:
        with progress_passes("replay under faults") as progress:
            under_faults = run_faults(
                scene, predictor, faults, WallClock(), guard=guard, judging=options.judging, progress=progress
            )
        run = dataclasses.replace(run, faults=fault_document(under_faults, faults.seed))
    return run


def show_runs(runs: Sequence[Run], console: Console, json_file: Path | None, report: Path | None) -> None:
    """Write the document, and print the tables of one run, or the one that compares several."""
    from trajnet.replay.summary import document

    documents = [document(run) for run in runs]
    if json_file is not None:
        emit_json(json_file, documents[0] if len(runs) == 1 else compared_document(documents))
    if len(runs) == 1:  # last: a closed pipe loses no file
        show(documents[0], console)
    else:
        console.print(compared_table(documents))
    if report is not None:
        console.print(f"Report: {report}", highlight=False, soft_wrap=True)


def compared_document(documents: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the document of several models on one scene."""
    return {"version": documents[0]["version"], "runs": documents}


def _what_is_played(scene: Scene, predictor: Predictor, rate: float) -> str:
    pace = "as fast as possible" if math.isinf(rate) else f"at {rate:g}x real time"
    return (
        f"Replaying [bold]{scene.scene_id}[/] ({scene.frame_count} frames, {scene.duration_s:.1f} s, "
        f"{len(scene.track_id)} tracks) {pace} with [bold]{predictor.name}[/]"
    )
