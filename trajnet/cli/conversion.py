"""What `trajnet convert` does to one file, in whatever process; and what it knows of files that were done before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from trajnet import __version__
from trajnet.check import SceneCheck, check_scene
from trajnet.datasets.files import load_scene, scene_kind, with_map_of
from trajnet.engine import DoneList, stamp_of
from trajnet.errors import InputError
from trajnet.scenes import write_scene
from trajnet.scenes.av2_map import map_beside
from trajnet.scenes.own_table import read_own, read_own_split
from trajnet.tabular import TableOptions, log_notes
from trajnet.types import Scene

#: In the folder of the tables: the files that became them, and what is in them.
DONE = ".convert.jsonl"
#: What is counted of each table.
COUNTED = ("tracks", "frames", "rows", "targets", "lanes")


@dataclass(frozen=True)
class Conversion:
    """A file, the table that it becomes, and the options of the command."""

    original: Path
    table: Path
    kind: str
    with_map: bool
    options: TableOptions | None
    map_file: Path | None
    checked: bool

    @property
    def stamp(self) -> str:
        """Return what tells whether the table would come out otherwise than before."""
        beside = map_beside(self.original)
        files = [file for file in (self.original, beside, self.map_file) if file is not None]
        return stamp_of(files, (__version__, self.kind, self.options, self.map_file is not None, self.checked))


@dataclass(frozen=True)
class Converted:
    """What came of a file. error: why it was left out; the rest is empty then. check: None where it found nothing."""

    kind: str = ""
    counts: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    check: SceneCheck | None = None
    error: InputError | None = None


def convert_one(one: Conversion) -> Converted:
    """Convert a file. A table that cannot be written raises InputError; a file that cannot be read is told instead."""
    try:
        kind, scene, notes = _read(one)
        scene = with_map_of(scene, one.map_file)
    except InputError as error:
        return Converted(error=error)
    return _written(one, kind, scene, notes)


def convert_split(one: Conversion, by: str) -> Iterator[tuple[Conversion, Converted]]:
    """Convert a table of one's own to a scene for each value of a column; their tables are named by their ids.

    What was left out or mended is logged scene by scene. Raises InputError.
    """
    for scene, notes in read_own_split(one.original, by, one.options or TableOptions()):
        log_notes(scene.scene_id, notes)
        part = replace(one, table=one.table.with_name(f"{scene.scene_id}.parquet"))
        yield part, _written(part, "own", with_map_of(scene, one.map_file), [])


def _written(one: Conversion, kind: str, scene: Scene, notes: list[str]) -> Converted:
    """Check a scene, write its table and return what came of it."""
    check = check_scene(scene) if one.checked else None
    write_scene(scene, one.table)
    counts = (len(scene.track_id), scene.frame_count, len(scene.row_frame), int(scene.is_target.sum()))
    found = None if check is None or not check.findings else check
    return Converted(kind, (*counts, len(scene.lanes)), tuple(notes), found)


def _read(one: Conversion) -> tuple[str, Scene, list[str]]:
    """Return the kind of a file, its scene, and what was chosen and mended in a table of one's own."""
    found = "own" if one.options is not None else scene_kind(one.original) if one.kind == "auto" else one.kind
    if found == "own":
        return found, *read_own(one.original, one.options or TableOptions())
    return found, load_scene(one.original, found, with_map=one.with_map), []


class Earlier:
    """The tables of a folder that an earlier run made of the same files with the same options.

    Files that the check found something about, or that could not be read, are not among them: they are told again.
    Nor is anything with --with-map, whose rasters are files that no stamp looks at.
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
        if about is None or not one.table.is_file():
            return None
        kind, counts, size, time_ns = about
        there = one.table.stat()
        return Converted(kind, tuple(counts)) if (there.st_size, there.st_mtime_ns) == (size, time_ns) else None

    def note(self, one: Conversion, came: Converted) -> None:
        """Note a table that is complete, of a file that was looked for before."""
        if came.error is None and came.check is None and not one.with_map:
            there = one.table.stat()
            about = (came.kind, came.counts, there.st_size, there.st_mtime_ns)
            name = self._name(one)
            self._done.add(name, self._stamps[name], about)

    def split(self, conversions: Sequence[Conversion]) -> tuple[list[Conversion], list[tuple[Conversion, Converted]]]:
        """Return what is to be done, and what was done before."""
        to_do, before = [], []
        for one in conversions:
            came = self.find(one)
            if came is None:
                to_do.append(one)
            else:
                before.append((one, came))
        return to_do, before

    def _name(self, one: Conversion) -> str:
        return one.table.relative_to(self._folder).as_posix()
