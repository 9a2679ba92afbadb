"""Options that describe a table of one's own, and what its check says on the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from trajnet.check import SceneCheck
    from trajnet.tabular import TableOptions

#: At most so many findings are printed for a folder; --json of `trajnet check` has all.
MAX_LINES = 40

ColumnNames = Annotated[
    str | None,
    typer.Option(
        "--columns", metavar="NAME=COLUMN,...",
        help="Own table: its columns, such as x=pos_e,y=pos_n; time, id, class, x, y, heading, vx, vy, length, width.",
    ),
]  # fmt: skip
ClassFile = Annotated[
    Path | None, typer.Option("--classes", metavar="FILE", help="Own table: YAML with lines such as 'Van: car'.")
]
Rate = Annotated[
    float | None, typer.Option("--rate", metavar="HZ", help="Own table: bin stamps that differ by object to this rate.")
]
Crs = Annotated[
    str | None, typer.Option("--crs", metavar="EPSG:CODE", help="Own table: coordinate system, such as EPSG:4326.")
]
ToCrs = Annotated[
    str | None,
    typer.Option("--to-crs", metavar="EPSG:CODE", help="Own table: the system to project to; for degrees UTM."),
]
UnitNames = Annotated[
    str | None,
    typer.Option(
        "--units", metavar="KIND=UNIT,...",
        help="Own table: time=s|ms|us|ns|25hz (numbers of frames), angle=rad|deg|compass, "
        "speed=mps|kmh|mph|fps, length=m|cm|mm|ft.",
    ),
]  # fmt: skip
SplitBy = Annotated[
    str | None,
    typer.Option("--split-by", metavar="COLUMN", help="Own table: a scene for each value, such as recordingId."),
]
MapFile = Annotated[
    Path | None,
    typer.Option(
        "--map",
        metavar="FILE",
        help="The map: Lanelet2 .osm, CommonRoad .xml, OpenDRIVE .xodr, Argoverse 2 log_map_archive_*.json, or a scene "
        "that has one.",
    ),
]


def table_options(
    columns: str | None,
    classes: Path | None,
    rate_hz: float | None,
    crs: str | None,
    to_crs: str | None,
    units: str | None,
    *,
    own: bool = False,
) -> TableOptions | None:
    """Return the options of an own table; None where none is given and it need not be one (own).

    Raises InputError, ConfigError.
    """
    from trajnet.scenes.own_table import read_classes
    from trajnet.tabular import TableOptions, Units
    from trajnet.tabular.options import pairs

    if not own and all(given is None for given in (columns, classes, rate_hz, crs, to_crs, units)):
        return None
    return TableOptions(
        columns=pairs("columns", columns),
        classes={} if classes is None else read_classes(classes),
        units=Units.parse(units),
        rate_hz=rate_hz,
        crs=crs,
        to_crs=to_crs,
    )


def warn_of_mistakes(checked: SceneCheck, console: Console) -> None:
    """Print the mistakes of a scene that is used all the same."""
    for finding in checked.findings:
        if finding.severity == "mistake":
            console.print(f"{checked.scene_id}: {finding}", markup=False, highlight=False, soft_wrap=True)


def show_checks(checks: list[SceneCheck], console: Console) -> int:
    """Print the findings, with the scene's name where there are several; return how many are mistakes."""
    lines = [
        f"{f'{checked.scene_id}: ' if len(checks) > 1 else ''}{finding}"
        for severity in ("mistake", "doubt")
        for checked in checks
        for finding in checked.findings
        if finding.severity == severity
    ]
    for line in lines[:MAX_LINES]:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if len(lines) > MAX_LINES:
        console.print(f"and {len(lines) - MAX_LINES:,} more findings: see `trajnet check`", highlight=False)
    return sum(checked.mistakes for checked in checks)
