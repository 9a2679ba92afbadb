"""What `trajnet convert` does to one file, in whatever process; and what it knows of files that were done before."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from trajnet import __version__
from trajnet.check import Finding, SceneCheck, check_scene
from trajnet.datasets.files import companions_of, holds_several, load_scene, load_scenes, scene_kind, with_map_of
from trajnet.engine import DoneList, stamp_of
from trajnet.errors import InputError
from trajnet.remote import Url, put
from trajnet.scenes import write_scene
from trajnet.scenes.cut import stretches
from trajnet.scenes.own_table import read_own, read_own_split
from trajnet.tabular import TableOptions, log_notes
from trajnet.types import Scene

#: In the folder of the tables: the files that became them, and what is in them.
DONE = ".convert.jsonl"


@dataclass(frozen=True)
class Conversion:
    """A file, the table that it becomes, and the options of the command.

    in_folder: whether DST is a folder: a file that may hold several scenes then has their tables in a folder there.
    split_by: column of a table of one's own that has a value for each recording, which become tables beside ``table``.
    cut_s: each scene becomes tables of this length in s, beside the one that it would have been; None: one table.
    remote: where ``table`` is uploaded to, if anywhere.
    """

    original: Path
    table: Path
    kind: str
    with_map: bool
    options: TableOptions | None
    map_file: Path | None
    checked: bool
    in_folder: bool
    split_by: str | None = None
    cut_s: float | None = None
    remote: Url | None = None

    @property
    def stamp(self) -> str:
        """Return what tells whether the table would come out otherwise than before."""
        own = self.options is not None or self.split_by is not None
        beside = [] if own else companions_of(self.original, self.kind)
        files = [self.original, *beside, *([] if self.map_file is None else [self.map_file])]
        options = (__version__, self.kind, self.options, self.map_file is not None, self.checked)
        return stamp_of(files, options if self.cut_s is None else (*options, self.cut_s))


@dataclass(frozen=True)
class Converted:
    """What came of a file. counts: what is in its tables. tables: their names, sizes in bytes and times in ns.

    checks: those that found something. error: why the file, or the rest of it, was left out.
    """

    kind: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    tables: tuple[tuple[str, int, int], ...] = ()
    notes: tuple[str, ...] = ()
    checks: tuple[SceneCheck, ...] = ()
    error: InputError | None = None


def convert_one(one: Conversion) -> Converted:
    """Convert a file. A table that cannot be written raises InputError; a file that cannot be read is told instead."""
    kind, error = "", None
    counts, tables = Counter[str](), list[tuple[str, int, int]]()
    notes, checks = list[str](), list[SceneCheck]()
    scenes = _cut(_scenes(one), one.cut_s)
    while True:
        try:
            kind, scene, about, table = next(scenes)
            scene = with_map_of(scene, one.map_file)
        except StopIteration:
            break
        except InputError as unreadable:
            error = unreadable
            break
        notes += about
        checks += [check_scene(scene)] if one.checked else []
        write_scene(scene, table)
        if one.remote is not None:
            put(table, one.remote.parent.joined(table.relative_to(one.table.parent).as_posix()))
        there = table.stat()
        tables.append((table.relative_to(one.table.parent).as_posix(), there.st_size, there.st_mtime_ns))
        counts.update(_counts(scene), bytes=there.st_size)
    found = tuple(check for check in checks if check.findings)
    return Converted(kind, dict(counts), tuple(tables), tuple(notes), found, error)


def _counts(scene: Scene) -> dict[str, int]:
    return {
        "scenes": 1,
        "tracks": len(scene.track_id),
        "frames": scene.frame_count,
        "rows": len(scene.row_frame),
        "targets": int(scene.is_target.sum()),
        "lanes": len(scene.lanes),
    }


def _scenes(one: Conversion) -> Iterator[tuple[str, Scene, list[str], Path]]:
    """Yield a file's kind, each of its scenes, what was chosen and mended in a table of one's own, and the table."""
    found = "own" if one.options is not None else scene_kind(one.original) if one.kind == "auto" else one.kind
    if one.split_by is not None:
        for scene, notes in read_own_split(one.original, one.split_by, one.options or TableOptions()):
            log_notes(scene.scene_id, notes)
            yield found, scene, [], one.table.with_name(f"{scene.scene_id}.parquet")
    elif found == "own":
        yield found, *read_own(one.original, one.options or TableOptions()), one.table
    elif not (one.in_folder and holds_several(one.original, found)):
        yield found, load_scene(one.original, found, with_map=one.with_map), [], one.table
    else:
        written = set[str]()
        for scene in load_scenes(one.original, found, with_map=one.with_map):
            name = re.sub(r"[^\w.-]", "_", scene.scene_id.rsplit("/", 1)[-1])
            if name in written:
                raise InputError(f"{one.original}: expected scenes with ids of their own, got {name!r} twice")
            written.add(name)
            yield found, scene, [], one.table.with_suffix("") / f"{name}.parquet"


def _cut(
    scenes: Iterator[tuple[str, Scene, list[str], Path]], length_s: float | None
) -> Iterator[tuple[str, Scene, list[str], Path]]:
    """Yield what _scenes yields, each scene as its stretches, whose tables are called as they are; None: as it is."""
    for kind, scene, notes, table in scenes:
        if length_s is None:
            yield kind, scene, notes, table
            continue
        for stretch in stretches(scene, length_s):
            number = stretch.scene_id.rsplit("-", 1)[-1]
            yield kind, stretch, notes, table.with_name(f"{table.stem}-{number}{table.suffix}")
            notes = []


class Earlier:
    """The tables of a folder that an earlier run made of the same files with the same options.

    What the check found about them is told again. Files that could not be read are not among them, nor is anything
    with --with-map, whose rasters are files that no stamp looks at.
    """

    def __init__(self, folder: Path, *, again: bool = False) -> None:
        """Read what is noted in the folder. again: find nothing, to convert everything anew."""
        self._folder, self._done, self._again = folder, DoneList(folder / DONE), again
        self._stamps: dict[str, str] = {}  # from before a file is read: it may change while it is

    def find(self, one: Conversion) -> Converted | None:
        """Return what a file became if its table is there and as it was left, else None."""
        name = self._name(one)
        stamp = self._stamps[name] = one.stamp
        about = None if one.with_map or self._again else self._done.get(name, stamp)
        match about:
            case [kind, counts, tables, checks]:
                there = all(_is_as_left(one.table.parent / name, size, time_ns) for name, size, time_ns in tables)
                return Converted(kind, counts, checks=_checks(checks)) if there else None
        return None

    def note(self, one: Conversion, came: Converted) -> None:
        """Note the tables, complete, of a file that was looked for before."""
        if came.error is None and not one.with_map:
            name = self._name(one)
            findings = [(check.scene_id, [asdict(finding) for finding in check.findings]) for check in came.checks]
            self._done.add(name, self._stamps[name], (came.kind, came.counts, came.tables, findings))

    def split(self, conversions: Sequence[Conversion]) -> tuple[list[Conversion], list[Converted]]:
        """Return what is to be done, and what came of what was done before."""
        to_do, before = list[Conversion](), list[Converted]()
        for one in conversions:
            came = self.find(one)
            if came is None:
                to_do.append(one)
            else:
                before.append(came)
        return to_do, before

    def _name(self, one: Conversion) -> str:
        return one.table.relative_to(self._folder).as_posix()


def _checks(noted: list[Any]) -> tuple[SceneCheck, ...]:
    """Return what was found, without the facts, which this command does not tell."""
    return tuple(SceneCheck(scene_id, {}, tuple(Finding(**one) for one in found)) for scene_id, found in noted)


def _is_as_left(table: Path, size: int, time_ns: int) -> bool:
    if not table.is_file():
        return False
    there = table.stat()
    return (there.st_size, there.st_mtime_ns) == (size, time_ns)
