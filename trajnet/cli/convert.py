"""trajnet convert: recorded scenes of any known format to Parquet scene tables."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trajnet.cli.files import require_unread
from trajnet.cli.own import (
    ClassFile,
    ColumnNames,
    Crs,
    MapFile,
    Rate,
    SplitBy,
    ToCrs,
    UnitNames,
    show_checks,
    table_options,
)  # fmt: skip
from trajnet.cli.workers import Jobs, RayAddress, chosen_executor
from trajnet.datasets.registry import format_names
from trajnet.errors import InputError
from trajnet.remote import Url, fetched, prepared_target, url_of
from trajnet.scenes.cut import require_length

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from trajnet.check import SceneCheck
    from trajnet.cli.conversion import Conversion, Converted
    from trajnet.tabular import TableOptions

#: Files that are worth the start of another process.
FILES_PER_PROCESS = 40


def convert(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="A scene file, or a folder of them at any depth.")],
    target: Annotated[
        Path, typer.Argument(metavar="DST", help="A .parquet file for one scene, or a folder, which is made.")
    ],
    kind: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="KIND",
            help=f"{', '.join(format_names())}; auto tells by the file.",
        ),
    ] = "auto",
    with_map: Annotated[bool, typer.Option("--with-map", help="Store nuScenes' map raster in each table too.")] = False,
    map_file: MapFile = None,
    columns: ColumnNames = None,
    classes: ClassFile = None,
    rate: Rate = None,
    crs: Crs = None,
    to_crs: ToCrs = None,
    units: UnitNames = None,
    split_by: SplitBy = None,
    cut: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="Each scene as several of this length, in the order of time, to learn from some and test on others.",
        ),
    ] = None,
    checked: Annotated[
        bool, typer.Option("--check/--no-check", help="Check each scene as `trajnet check` does.")
    ] = True,
    jobs: Jobs = 0,
    ray: RayAddress = None,
    again: Annotated[
        bool, typer.Option("--again", help="A folder: also convert files that have not changed since the last time.")
    ] = False,
) -> None:
    """Convert recorded scenes, or tables of your own (CSV, Parquet, JSON lines), to Parquet tables.

    Every later step reads tables fast and needs no reader of the original format. A folder keeps its tree. A file of
    several scenes (TFRecord) becomes a folder with a table of each. A file in a folder that cannot be read is left out
    and listed with the reason, what was read before its broken part stays; then, and where the check finds a mistake,
    the exit code is 1 instead of 0. A single file that cannot be read, or a table that cannot be written, ends the
    command with exit code 2.

        trajnet convert tracks.csv out/

        trajnet convert tracks.csv out/ --columns x=pos_e,y=pos_n --classes classes.yaml --units time=ms,angle=deg

        trajnet convert all.csv out/ --split-by recordingId

        trajnet convert day.parquet out/ --cut 60

        trajnet convert data/commonroad_ngsim tables/ngsim

        trajnet convert recordings/ s3://bucket/tables

    A folder is shared between processes. Interrupted in any way, the same command goes on: files whose size, time and
    options are those of their table are left as they are.
    """
    from trajnet.cli.conversion import Earlier, convert_one
    from trajnet.cli.progress import progress_bar
    from trajnet.cli.terminal import Console

    console, errors = Console(), Console(stderr=True)
    source, shown = fetched(source), url_of(target)
    target = prepared_target(shown) if isinstance(shown, Url) else shown
    options = table_options(columns, classes, rate, crs, to_crs, units, own=split_by is not None)
    wanted = _conversions(source, target, kind, with_map, options, map_file, checked, split_by, cut)
    require_unread([("DST", one.table) for one in wanted], [*(one.original for one in wanted), map_file, classes])
    if isinstance(shown, Url):
        wanted = [_uploaded(one, target, shown) for one in wanted]
    earlier = Earlier(target, again=again) if source.is_dir() else None
    to_do, before = (wanted, []) if earlier is None else earlier.split(wanted)
    tally = _Tally(before)
    executor = chosen_executor(jobs, ray, len(to_do), worth=FILES_PER_PROCESS)
    with progress_bar(errors, "converting", "converting") as progress:
        for one, came in zip(to_do, executor.map(convert_one, to_do), strict=True):
            if came.error is not None and not source.is_dir():
                raise came.error
            if earlier is not None:
                earlier.note(one, came)
            tally.add(came)
            progress(tally.files, len(wanted))
    for note in tally.notes if len(wanted) == 1 else ():
        errors.print(note, soft_wrap=True, markup=False, highlight=False)
    if tally.left_out:  # before the summary: a closed pipe on stdout must not hide them
        _list_left_out(tally.left_out, len(wanted), errors)
    if tally.counts:
        console.print(_summary(tally.counts))
        console.print(f"written to {shown}", soft_wrap=True)
    if before:
        console.print(f"{len(before):,} of these tables are from before: their files have not changed", soft_wrap=True)
    if show_checks(tally.checks, errors) or tally.left_out:
        raise typer.Exit(1)


class _Tally:
    """The sum of what came of the files. counts: kind -> what is counted of its tables."""

    def __init__(self, before: list[Converted]) -> None:
        self.counts: dict[str, Counter[str]] = {}
        self.left_out: list[InputError] = []
        self.checks: list[SceneCheck] = []
        self.notes: tuple[str, ...] = ()
        self.files = 0
        for came in before:
            self.add(came)

    def add(self, came: Converted) -> None:
        self.files += 1
        if came.error is not None:
            self.left_out.append(came.error)
        if came.counts:
            self.counts.setdefault(came.kind, Counter()).update(came.counts)
        self.checks += came.checks
        self.notes = came.notes


def _conversions(
    source: Path,
    target: Path,
    kind: str,
    with_map: bool,
    options: TableOptions | None,
    map_file: Path | None,
    checked: bool,
    split_by: str | None,
    cut_s: float | None,
) -> list[Conversion]:
    from trajnet.cli.conversion import Conversion

    if options is not None and kind not in ("auto", "own"):
        raise InputError(f"from: expected own or auto with options of an own table, got {kind!r}")
    if split_by is not None and (source.is_dir() or target.suffix.lower() == ".parquet"):
        raise InputError("split-by: expected one table as SRC and a folder as DST, as it makes several of one")
    if cut_s is not None:
        require_length(cut_s)
        if target.suffix.lower() == ".parquet":
            raise InputError("cut: expected a folder as DST, as it makes several tables of one scene")
        if source.is_dir() and target.is_dir() and source.samefile(target):
            raise InputError(f"cut: expected another folder as DST than {source}, whose tables its own may replace")
    return [
        Conversion(original, table, kind, with_map, options, map_file, checked, table != target, split_by, cut_s)
        for original, table in _targets(source, target, _files(source, kind, options))
    ]


def _uploaded(one: Conversion, target: Path, url: Url) -> Conversion:
    """Return the conversion with the place in the store of its table."""
    inside = "" if one.table == target else one.table.relative_to(target).as_posix()
    return replace(one, remote=url.joined(inside) if inside else url)


def _files(source: Path, kind: str, options: TableOptions | None) -> list[Path]:
    """Return the files to convert: with options of an own table every table, whatever its columns are called."""
    from trajnet.datasets.files import find_scenes
    from trajnet.scenes.own_table import OWN_SUFFIXES

    if options is None or not source.is_dir():
        return find_scenes(source, kind)
    files = sorted(p for p in source.rglob("*") if p.suffix.lower() in (*OWN_SUFFIXES, ".parquet") and p.is_file())
    if not files:
        raise InputError(f"{source}: expected tables ({', '.join(OWN_SUFFIXES)}, .parquet), found none")
    return files


def _list_left_out(reasons: list[InputError], files: int, console: Console) -> None:
    """Print what was left out, a line for each file: readers' errors begin with the file."""
    console.print(f"left out {len(reasons)} of {files} files:", highlight=False)
    for reason in reasons:
        console.print(f"  {' '.join(str(reason).split())}", soft_wrap=True, markup=False, highlight=False)


def _targets(source: Path, target: Path, files: list[Path]) -> list[tuple[Path, Path]]:
    """Return each file with the table that it becomes."""
    as_file = target.suffix.lower() == ".parquet" and not target.is_dir()
    if as_file and source.is_dir():
        raise InputError(f"{target}: expected a folder as DST because {source} is a folder, got a file name")
    if not as_file and target.exists() and not target.is_dir():
        raise InputError(f"{target}: expected a folder or a .parquet file as DST, got another file; name another DST")
    if as_file:
        return [(source, target)]
    root = source if source.is_dir() else source.parent
    pairs = [(file, target / _table_name(file.relative_to(root))) for file in files]
    twice = [table for table, times in Counter(table for _, table in pairs).items() if times > 1]
    if twice:
        raise InputError(
            f"{twice[0]}: two files would become this table; convert them one by one or choose with --from"
        )
    return pairs


def _table_name(file: Path) -> Path:
    """Return a file's name with the suffix of a table; one that counts the shards (tfrecord-00000-of-01000) stays."""
    return file.with_name(f"{file.name}.parquet") if "-of-" in file.suffix else file.with_suffix(".parquet")


def _summary(counts: dict[str, Counter[str]]) -> Table:
    from rich.table import Table

    table = Table("from", "scenes", "tracks", "frames", "rows", "targets", "lanes", "MB")
    for column in table.columns[1:]:
        column.justify, column.no_wrap = "right", True
    for kind, count in sorted(counts.items()):
        numbers = [f"{count[n]:,}" for n in ("scenes", "tracks", "frames", "rows", "targets", "lanes")]
        table.add_row(kind, *numbers, f"{count['bytes'] / 1e6:.2f}")
    return table
