"""trajnet benchmark sites: models next to physics at recorded places."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trajnet.cli.files import STDOUT, emit_json, require_outputs
from trajnet.cli.predictor import IgnoreDomain, SelfJudging, model_file
from trajnet.cli.progress import progress_bar
from trajnet.errors import InputError
from trajnet.whole_file import write_text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from trajnet.protocols.sites.table import Table as SiteTable

Data = Annotated[
    list[Path] | None,
    typer.Option(metavar="DIR", envvar="TRAJNET_DATA", help="Folder that holds data sets; repeat for several."),
]
Models = Annotated[
    list[str] | None,
    typer.Option(help="urban (default), nuscenes, universal, cv, ctrv, kalman or an .onnx file; repeat for several."),
]
OwnSites = Annotated[
    list[str] | None,
    typer.Option("--site", metavar="NAME=PATH", help="A site of your own: a scene file or a folder; repeat."),
]
Sites = Annotated[str, typer.Option(metavar="NAME,...", help="Only these sites.")]
Conditions = Annotated[
    str,
    typer.Option(
        metavar="NAME,...",
        help="Only these: recorded, or no-map, no-velocity, zero-velocities, late-velocities, no-heading, "
        "reversed-headings, zero-headings, noise-5cm (any number) joined by +.",
    ),
]
Every = Annotated[
    float | None, typer.Option(metavar="SECONDS", help="Time between scored frames; by default each site's own.")
]
HorizonOfSites = Annotated[
    float, typer.Option("--horizon", metavar="SECONDS", help="Score up to so far, in steps of 0.5 s up to 6.")
]
Files = Annotated[int | None, typer.Option(help="So many files of each site, the first ones.")]
Jobs = Annotated[int, typer.Option(help="Processes; 0 is one for each core. Results do not depend on it.")]
Seed = Annotated[int, typer.Option(help="Of the noise and of the intervals.")]
Breakdown = Annotated[
    bool,
    typer.Option("--breakdown", help="Also by class, speed, manoeuvre and time seen, under every condition."),
]
JsonFile = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write everything here; - for stdout.")]
ReportFile = Annotated[Path | None, typer.Option("--report", metavar="FILE", help="Write a self-contained HTML page.")]


def sites(
    data: Data = None,
    model: Models = None,
    site: OwnSites = None,
    sites: Sites = "",
    conditions: Conditions = "",
    every: Every = None,
    files: Files = None,
    horizon: HorizonOfSites = 6.0,
    jobs: Jobs = 1,
    seed: Seed = 0,
    ignore_domain: IgnoreDomain = False,
    self_judging: SelfJudging = True,
    breakdown: Breakdown = False,
    json_file: JsonFile = None,
    report_file: ReportFile = None,
) -> None:
    """Models next to the best physics at every recorded place that is at hand; the cells that are worse come first.

    A cell is a class and a speed. Everything is streamed frame by frame, as on the road, with and without the map and
    measured velocities, clean and with noise. For example all of it, and a quick look:

        trajnet benchmark sites --data data --json sites.json --report sites.html

        trajnet benchmark sites --data data --model model.onnx --sites nuscenes_mini --conditions recorded,no-map

    Recordings of your own:

        trajnet benchmark sites --site yard=recordings/yard --sites yard
    """
    from trajnet.cli.terminal import Console
    from trajnet.models import default_model
    from trajnet.protocols.sites.benchmark import SiteOptions, benchmark_sites
    from trajnet.protocols.sites.conditions import conditions_named
    from trajnet.protocols.sites.site_list import sites_at_hand
    from trajnet.timing.hardware import usable_cores

    if jobs < 0:
        raise InputError(f"jobs: expected a number of processes, or 0 for one each core, got {jobs}")
    for folder in data or []:
        if not folder.is_dir():
            raise InputError(f"data: expected a folder, got {folder}")
    options = SiteOptions(
        conditions=tuple(conditions_named(_words(conditions))), every_s=every, files=files, horizon_s=horizon,
        jobs=jobs or usable_cores(), seed=seed, domain=not ignore_domain, self_judging=self_judging,
    )  # fmt: skip
    found, absent = sites_at_hand(data or [], [_own_site(text) for text in site or []], _words(sites))
    models = [model_file(name) for name in model or [str(default_model())]]
    read = [file for place in found for file in place.files]
    require_outputs([*read, *models], json=json_file, report=report_file)
    with progress_bar(Console(stderr=True), "reading", "files") as bar:
        report = benchmark_sites(found, absent, models, options, lambda _site, done, total: bar(done, total))
    if report_file is not None:
        from trajnet.protocols.sites.page import page

        write_text(report_file, page(report))
    if json_file is not None:
        emit_json(json_file, report)
    show(report, Console(stderr=json_file == STDOUT), breakdown=breakdown)  # last: a closed pipe loses no file


def show(report: dict[str, Any], console: Console, *, breakdown: bool = False) -> None:
    """Print the headline and the tables."""
    from trajnet.protocols.sites.tables import fallback_lines, headline_lines, site_tables, summary_tables

    lines = "\n".join([*headline_lines(report), *fallback_lines(report), ""])
    console.print(lines, markup=False, highlight=False, soft_wrap=True)
    for table in (*summary_tables(report), *site_tables(report, everything=breakdown)):
        console.print(printed(table))


def printed(table: SiteTable) -> Table:
    """Return a table of texts as one that the console prints: the first column on the left, the others on the right."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    title = Text(f"{table.title}\n{table.note}" if table.note else table.title)
    made = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for place, name in enumerate(table.head):
        made.add_column(Text(name), justify="right" if place else "left", no_wrap=True)
    for row in table.rows or (("none", *[""] * (len(table.head) - 1)),):
        made.add_row(*(Text(cell) for cell in row))
    return made


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _own_site(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise InputError(f"site: expected NAME=PATH, got {text!r}")
    return name, Path(path)
