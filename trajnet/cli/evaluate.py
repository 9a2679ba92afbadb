"""trajnet evaluate: how good predictions are, on the official benchmarks and on any recorded scene."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trajnet.cli import evaluate_tables as tables
from trajnet.cli.evaluate_source import name_the_bag, prepared, with_map
from trajnet.cli.evaluate_worst import Replayed, object_sinks, worst_page
from trajnet.cli.files import STDOUT, emit_json, require_outputs, require_suffix
from trajnet.cli.own import MapFile
from trajnet.cli.predictor import IgnoreDomain, SelfJudging, model_file
from trajnet.cli.progress import progress_bar
from trajnet.cli.workers import RayAddress
from trajnet.datasets import registry
from trajnet.errors import InputError
from trajnet.inference.domain import outside_words
from trajnet.remote import url_of
from trajnet.whole_file import write_text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from trajnet.datasets.description import Dataset

#: What the first table shows of every data set, after its own metrics; --json has everything.
ALWAYS_SHOWN = (
    "mixture_NLL",
    "coverage_50_mixture_region",
    "coverage_90_mixture_region",
    "coverage_90_top_mode_ellipse",
    "ECE_top_mode",
)


def _splits() -> str:
    """Return the splits of every data set, for the help text."""
    return "; ".join(f"{d.name}: {', '.join(d.splits)}" for d in registry.DATASETS if d.splits)


Models = Annotated[
    list[str] | None,
    typer.Option(help="A bundled model's name or a file (.onnx); see --baselines. Repeat for several."),
]
JsonFile = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="Every metric, count and version; - prints them.")
]
SaveFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write the models' paths here (Parquet; a row per object, mode and step)."),
]
Jobs = Annotated[int, typer.Option(help="Processes; 0 is one for each core. Results do not depend on it.")]
Horizon = Annotated[
    float | None,
    typer.Option(metavar="SECONDS", help="Streamed scenes: how far to score; by default 6 s at most."),
]
Stride = Annotated[int, typer.Option(help="Streamed scenes: score every n-th frame; every frame is streamed.")]
Rates = Annotated[
    str | None,
    typer.Option(metavar="HZ,...", help="Streamed scenes: score again with the recordings thinned to each rate."),
]
Drops = Annotated[
    str | None, typer.Option(metavar="SHARE,...", help="Score again with each share of frames, and of objects, lost.")
]
Seed = Annotated[int, typer.Option(help="Which observations --drops loses.")]
Baselines = Annotated[
    bool, typer.Option("--baselines/--no-baselines", help="Also score cv, ctrv and kalman, as long again as a model.")
]
Breakdown = Annotated[
    bool, typer.Option("--breakdown", help="Show where the error sits: class, speed, manoeuvre, history, second.")
]
Calibration = Annotated[
    bool, typer.Option("--calibration", help="Show coverage next to nominal, and how reliable probabilities are.")
]
ReportFile = Annotated[
    Path | None, typer.Option("--report", metavar="FILE", help="Write a self-contained HTML page with pictures.")
]
ObjectsFile = Annotated[
    Path | None,
    typer.Option("--objects", metavar="FILE", help="A table of all scored objects to filter (Parquet), see the docs."),
]
Worst = Annotated[
    int,
    typer.Option(metavar="N", help="With --report: the N worst objects by error, false motion and surprise."),
]
ResumeFile = Annotated[
    Path | None,
    typer.Option("--resume", metavar="FILE", help="Keep what is finished here; the same command goes on from it."),
]
Topic = Annotated[str | None, typer.Option(help="bag: of the tracked objects, if not the only one.")]
PredictionsTopic = Annotated[str | None, typer.Option(help="bag: of the recorded predictions, if not the only one.")]


def evaluate(
    dataset: Annotated[
        str,
        typer.Option(help=f"{', '.join(registry.dataset_names())} (any recording) or bag."),
    ],
    data: Annotated[
        Path,
        typer.Option(
            envvar="TRAJNET_DATA",
            help="Folder that holds the data sets; for scenes, files at any depth; a bag.",
        ),
    ],
    split: Annotated[
        str | None,
        typer.Option(help=f"{_splits()}."),
    ] = None,
    model: Models = None,
    json_file: JsonFile = None,
    save: SaveFile = None,
    jobs: Jobs = 0,
    ray: RayAddress = None,
    horizon: Horizon = None,
    stride: Stride = 1,
    rates: Rates = None,
    drops: Drops = None,
    seed: Seed = 0,
    self_judging: SelfJudging = True,
    baselines: Baselines = True,
    breakdown: Breakdown = False,
    calibration: Calibration = False,
    report_file: ReportFile = None,
    objects: ObjectsFile = None,
    worst: Worst = 0,
    topic: Topic = None,
    predictions_topic: PredictionsTopic = None,
    ignore_domain: IgnoreDomain = False,
    map_file: MapFile = None,
    resume: ResumeFile = None,
) -> None:
    """Score models next to the physics baselines.

    The predictions come from the code that runs on the road, fed frame by frame. For example, on the official
    nuScenes split, and on scenes of your own:

        trajnet evaluate --dataset nuscenes --data data --split val --model model.onnx --json report.json

        trajnet evaluate --dataset scenes --data my_scenes/ --model model.onnx --model cv --stride 5

    A bag that also holds predictions, of Autoware's own node, say, has them scored as "recorded" on the same objects:

        trajnet evaluate --dataset bag --data drive.mcap --model model.onnx

    How much a model minds lower rates and lost observations, on the same objects, with curves:

        trajnet evaluate --dataset scenes --data sim/scenes --stride 10 --model model.onnx --rates 10,5,2 \
            --drops 0,0.1,0.3,0.5 --report evaluation.html

    Pictures of the objects that went worst, each with a link into the replay of its scene:

        trajnet evaluate --dataset scenes --data my_scenes/ --model urban --stride 5 --worst 20 --report worst.html

    Every scored object in a table, to find the scenarios that matter: pandas.read_parquet("objects.parquet")

        trajnet evaluate --dataset scenes --data my_scenes/ --model urban --objects objects.parquet

    Hours of work that an interruption does not lose:

        trajnet evaluate --dataset scenes --data my_scenes/ --model urban --resume evaluation.work
    """
    from trajnet.cli.terminal import Console
    from trajnet.evaluate import evaluate as score
    from trajnet.evaluate.html_report import page
    from trajnet.timing.hardware import usable_cores

    if jobs < 0:
        raise InputError(f"jobs: expected a number of processes, or 0 for one each core, got {jobs}")
    if dataset not in (names := [*registry.dataset_names(), "bag"]):
        raise InputError(f"dataset: expected one of {', '.join(names)}, got {dataset!r}")
    models = [model_file(name) for name in model or []]
    require_outputs([], json=json_file, report=report_file, resume=resume)  # which says itself what it can go on from
    require_outputs([data, map_file, *models], json=json_file, save=save, report=report_file, objects=objects)
    if save is not None:
        require_suffix("save", save, ".parquet")
    if dataset == "bag" and resume is not None:
        raise InputError("resume: expected none with dataset bag, whose scenes are made anew each time")
    if dataset != "bag" and (topic is not None or predictions_topic is not None):
        raise InputError(f"topic: expected none with dataset {dataset}; topics are for bag")
    with (
        prepared(dataset, data, topic, predictions_topic) as (named, scenes, recorded),
        with_map(named, scenes, map_file) as source,
        object_sinks(objects, worst, report_file) as (sink, keeper),
        progress_bar(Console(stderr=True), "reading", "evaluating") as progress,
        _told_of(resume),
    ):
        report = score(
            named,
            source,
            split,
            [*models, *([] if recorded is None else [str(recorded)])],
            jobs=jobs or (usable_cores() if ray is None else 0),
            ray=ray,
            horizon_s=horizon,
            stride=stride,
            targets_only=recorded is not None,
            save=save,
            rates_hz=_numbers("rates", rates),
            drops=_numbers("drops", drops),
            seed=seed,
            domain=not ignore_domain,
            self_judging=self_judging,
            baselines=baselines,
            sink=sink,
            progress=progress,
            resume=resume,
        )
        spec = report["models"][0]["spec"]
        report["dataset"], report["data"] = dataset, str(url_of(data))
        if recorded is not None:
            name_the_bag(report, recorded, f"{data} {predictions_topic or ''}".strip())
        if report_file is not None:  # while the scenes of a bag are there
            how = Replayed(spec, domain=not ignore_domain, self_judging=self_judging)
            write_text(report_file, worst_page(report_file, report, keeper, how) if worst else page(report))
    if json_file is not None:
        emit_json(json_file, report)
    show(
        report, Console(stderr=json_file == STDOUT), breakdown=breakdown, calibration=calibration
    )  # last: a closed pipe loses no file


@contextmanager
def _told_of(resume: Path | None) -> Iterator[None]:
    """Let an interrupt say that the work is kept, where it is."""
    try:
        yield
    except KeyboardInterrupt:
        if resume is None or not resume.exists():
            raise
        raise KeyboardInterrupt(f"{resume} has what is finished; run the same command again to go on") from None


def _numbers(name: str, text: str | None) -> list[float]:
    """Return the numbers of a list with commas; InputError for anything else."""
    try:
        return [float(part) for part in (text or "").split(",") if part.strip()]
    except ValueError as error:
        raise InputError(f"{name}: expected numbers with commas between them, got {text!r}") from error


def show(report: dict[str, Any], console: Console, *, breakdown: bool = False, calibration: bool = False) -> None:
    """Print the tables of a report: a row for each metric, a column for each model.

    breakdown, calibration: also where the error sits, and how far coverage and probabilities are from nominal (of
    baselines only where there is nothing else).
    """
    from trajnet.evaluate.report import dataset_of_report

    models, dataset = report["models"], dataset_of_report(report)
    for each in _tables(report, dataset):
        console.print(each)
    tables.show_womd(models, console)
    tables.show_consistency(models, console)
    if breakdown:
        tables.show_breakdown(models, console)
    if calibration:
        tables.show_calibration(_without_baselines(models) or models, console)
    if "robustness" in report:
        tables.show_robustness(report["robustness"], (dataset.metrics[0], dataset.divided[0]), console)
    tables.show_calibration_lines(models, console)
    tables.show_self_judging(models, console)
    tables.show_all_agents(models, console)
    for entry in models:
        _warn_of_fallback(entry, console)


def _tables(report: dict[str, Any], dataset: Dataset) -> Iterator[Table]:
    """Yield the table of the whole, and of the divided metrics those by horizon, class and, where it counts, scene."""
    name, counts, models = report["dataset"], report["counts"], report["models"]
    last = list(counts["by_horizon"])[-1]
    # The benchmark's own figure for several scenes may be their mean; the objects pooled would be mostly those of one.
    of_scenes = dataset.mean_over_groups and len(counts["by_scene"]) > 1
    title = f"{name} {report['split']}".strip() + f": {counts['whole']:,} objects, {last} s"
    title += ", mean over scenes" if of_scenes else ""
    metrics = (*dataset.metrics, *ALWAYS_SHOWN)
    yield tables.whole_table(title, models, "mean_over_scenes" if of_scenes else "metrics", metrics)
    yield tables.horizon_table(models, counts["by_horizon"], dataset.divided)
    yield tables.class_table(f"by class at {last} s (objects)", models, counts["by_class"], dataset.divided)
    if dataset.shows_groups and len(counts["by_scene"]) > 1:
        yield tables.scene_table(f"by scene at {last} s (objects)", models, counts["by_scene"], dataset.divided)


def _without_baselines(models: list[dict[str, Any]]) -> list[dict[str, Any]]:
    from trajnet.inference import PHYSICS

    return [m for m in models if m["spec"] not in PHYSICS]


def _warn_of_fallback(entry: dict[str, Any], console: Console) -> None:
    rows = entry["rows"]
    unusable = rows["physics_rows"] - rows["outside_domain_rows"]
    if outside := outside_words(entry["model"], rows):
        console.print(f"{outside} (--ignore-domain asks the model)", style="yellow", markup=False, soft_wrap=True)
    if entry["model"] == "recorded":
        console.print(
            f"recorded predictions cover {rows['model_rows']:,} of {rows['model_rows'] + rows['physics_rows']:,} "
            "objects; only those are scored, for every model. They have no covariance: their NLL and coverage are "
            "those of constant velocity's",
            style="yellow",
        )
    elif unusable:
        reason = f" ({rows['failures']} failed calls: {rows['last_failure']})" if rows["failures"] else ""
        console.print(
            f"{entry['model']} gave no usable path for {unusable:,} of "
            f"{rows['physics_rows'] + rows['model_rows']:,} rows{reason}; constant velocity stood in",
            style="yellow",
            markup=False,
        )
