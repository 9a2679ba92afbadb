"""trajnet convert: recorded scenes of any known format to Parquet scene tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

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
from trajnet.datasets.registry import format_names
from trajnet.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from trajnet.check import SceneCheck
    from trajnet.tabular import TableOptions
    from trajnet.types import Scene


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
    checked: Annotated[
        bool, typer.Option("--check/--no-check", help="Check each scene as `trajnet check` does.")
    ] = True,
) -> None:
    """Convert recorded scenes, or tables of your own (CSV, Parquet, JSON lines), to Parquet tables.

    Every later step reads tables fast and needs no reader of the original format. A folder keeps its tree. A file in it
    that cannot be read is left out and listed with the reason; then, and where the check finds a mistake, the exit code
    is 1 instead of 0. A single file that cannot be read, or a table that cannot be written, ends the command with exit
    code 2.

        trajnet convert tracks.csv out/

        trajnet convert tracks.csv out/ --columns x=pos_e,y=pos_n --classes classes.yaml --units time=ms,angle=deg

        trajnet convert all.csv out/ --split-by recordingId

        trajnet convert data/commonroad_ngsim tables/ngsim
    """
    from rich.progress import track

    from trajnet.check import check_scene
    from trajnet.cli.terminal import Console
    from trajnet.datasets.files import with_map_of
    from trajnet.scenes import write_scene

    console, errors = Console(), Console(stderr=True)
    options = table_options(columns, classes, rate, crs, to_crs, units, own=split_by is not None)
    pairs = _targets(source, target, _files(source, kind, options), one=split_by is None)
    counts: dict[str, Counter[str]] = {}
    left_out: list[InputError] = []
    checks: list[SceneCheck] = []
    for original, table in track(pairs, description="converting", console=errors, transient=True):
        try:
            scenes = list(_read(original, table, kind, with_map, options, split_by))
        except InputError as error:
            if not source.is_dir():
                raise
            left_out.append(error)
            continue
        if len(pairs) == 1 and len(scenes) == 1:
            _print_notes(scenes[0][2], errors)
        for found, scene, _, place in scenes:
            mapped = with_map_of(scene, map_file)
            checks += [check_scene(mapped)] if checked else []
            write_scene(mapped, place)
            counts.setdefault(found, Counter()).update(_count(mapped, place))
    if left_out:  # before the summary: a closed pipe on stdout must not hide them
        _list_left_out(left_out, len(pairs), errors)
    if counts:
        console.print(_summary(counts))
        console.print(f"written to {target}", soft_wrap=True)
    if show_checks(checks, errors) or left_out:
        raise typer.Exit(1)


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


def _read(
    original: Path, table: Path, kind: str, with_map: bool, options: TableOptions | None, split_by: str | None
) -> Iterator[tuple[str, Scene, list[str], Path]]:
    """Yield the kind of a file, its scene, what was chosen and mended in a table of one's own, and its table.

    With split_by the scenes of a file become tables beside each other, named by the value.
    """
    from trajnet.datasets.files import load_scene, scene_kind
    from trajnet.scenes.own_table import read_own, read_own_split
    from trajnet.tabular import TableOptions

    if options is not None and kind not in ("auto", "own"):
        raise InputError(f"from: expected own or auto with options of an own table, got {kind!r}")
    found = "own" if options is not None else scene_kind(original) if kind == "auto" else kind
    if split_by is not None:
        for scene, notes in read_own_split(original, split_by, options or TableOptions()):
            yield found, scene, notes, table.with_name(f"{scene.scene_id}.parquet")
    elif found == "own":
        yield found, *read_own(original, options or TableOptions()), table
    else:
        yield found, load_scene(original, found, with_map=with_map), [], table


def _print_notes(notes: list[str], console: Console) -> None:
    for note in notes:
        console.print(note, soft_wrap=True, markup=False, highlight=False)


def _list_left_out(reasons: list[InputError], files: int, console: Console) -> None:
    """Print what was left out, a line for each file: readers' errors begin with the file."""
    console.print(f"left out {len(reasons)} of {files} files:", highlight=False)
    for reason in reasons:
        console.print(f"  {' '.join(str(reason).split())}", soft_wrap=True, markup=False, highlight=False)


def _targets(source: Path, target: Path, files: list[Path], *, one: bool) -> list[tuple[Path, Path]]:
    """Return each file with the table that it becomes. one: whether a file is one scene."""
    as_file = target.suffix.lower() == ".parquet" and not target.is_dir()
    if as_file and (source.is_dir() or not one):
        why = f"{source} is a folder" if source.is_dir() else "--split-by makes several tables"
        raise InputError(f"{target}: expected a folder as DST because {why}, got a file name")
    if not as_file and target.exists() and not target.is_dir():
        raise InputError(f"{target}: expected a folder or a .parquet file as DST, got another file; name another DST")
    if as_file:
        return [(source, target)]
    root = source if source.is_dir() else source.parent
    pairs = [(file, target / file.relative_to(root).with_suffix(".parquet")) for file in files]
    twice = [table for table, times in Counter(table for _, table in pairs).items() if times > 1]
    if twice:
        raise InputError(
            f"{twice[0]}: two files would become this table; convert them one by one or choose with --from"
        )
    return pairs


def _count(scene: Scene, table: Path) -> dict[str, int]:
    return {
        "scenes": 1,
        "tracks": len(scene.track_id),
        "frames": scene.frame_count,
        "rows": len(scene.row_frame),
        "targets": int(scene.is_target.sum()),
        "lanes": len(scene.lanes),
        "bytes": table.stat().st_size,
    }


def _summary(counts: dict[str, Counter[str]]) -> Table:
    from rich.table import Table

    table = Table("from", "scenes", "tracks", "frames", "rows", "targets", "lanes", "MB")
    for column in table.columns[1:]:
        column.justify, column.no_wrap = "right", True
    for kind, count in sorted(counts.items()):
        numbers = [f"{count[n]:,}" for n in ("scenes", "tracks", "frames", "rows", "targets", "lanes")]
        table.add_row(kind, *numbers, f"{count['bytes'] / 1e6:.2f}")
    return table
