"""File formats of recorded scenes, and the two general ones: Parquet tables and CommonRoad XML.

A data set with a format of its own describes it in its file of trajnet.datasets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path

from trajnet.errors import DependencyError, InputError
from trajnet.scenes.av2_map import map_beside, maps_beside, read_av2_map
from trajnet.types import Lane, Scene

#: Text files are told apart by their first row; both suffixes occur for all of them.
TEXT_SUFFIXES = (".txt", ".csv")


@dataclass(frozen=True)
class Everybody:
    """Where the agents are that a format's files do not list, and how they join a scene.

    file: returns the recording of all agents for a scene's file, None where there is none. join: returns the scene with
    those agents of it that were not in it; what it has at a time must not tell of later ones.
    """

    file: Callable[[Path], Path | None]
    join: Callable[[Scene, Path], Scene]


@dataclass(frozen=True)
class SceneFormat:
    """A file format whose files become scenes.

    name: as ``trajnet convert --from`` takes it. suffixes: in lower case.
    read: returns the scene of a file; the flag asks for a map that is in other files. Raises InputError.
    recognise: returns whether the first row of a text file (not blank, stripped) is of this format; None where the
    suffix is enough. content: that row in words, for error messages.
    read_lanes: returns the lanes of a file, which need not hold a scene.
    names: patterns (fnmatch, in lower case) of file names that are of this format whatever their suffix.
    read_many: yields the scenes of a file one by one, for formats whose files hold several; read then refuses those.
    is_companion: returns whether a file is read with another one beside it and is no scene of its own in a folder.
    companions: returns the other files, those that are there, that the scenes of a file are read from.
    everybody: for files that list some of the agents that were there; None where they list all.
    """

    name: str
    suffixes: tuple[str, ...]
    read: Callable[[Path, bool], Scene]
    recognise: Callable[[bytes], bool] | None = None
    content: str = ""
    read_lanes: Callable[[Path], tuple[Lane, ...]] | None = None
    names: tuple[str, ...] = ()
    read_many: Callable[[Path, bool], Iterator[Scene]] | None = None
    is_companion: Callable[[Path], bool] | None = None
    companions: Callable[[Path], Sequence[Path]] | None = None
    everybody: Everybody | None = None

    def fits(self, path: Path) -> bool:
        """Return whether a file of this name may be of this format; recognise decides between those that fit."""
        name = path.name.lower()
        return path.suffix.lower() in self.suffixes or any(fnmatch(name, pattern) for pattern in self.names)

    def shown_names(self) -> tuple[str, ...]:
        """Return the suffixes and the patterns of names, for messages."""
        return (*self.suffixes, *self.names)


def only_scene(path: Path, scenes: Iterator[Scene]) -> Scene:
    """Return the one scene of a file. Raises InputError if the file holds none or several."""
    first = next(scenes, None)
    if first is None:
        raise InputError(f"{path}: expected a scene, got a file without any")
    if next(scenes, None) is not None:
        raise InputError(
            f"{path}: expected a file of one scene, got one of several; `trajnet convert` makes a table of each"
        )
    return first


def numbers_in_columns(count: int) -> Callable[[bytes], bool]:
    """Return a test for a first row with this many columns, separated by blanks, the first of them a number."""

    def recognise(row: bytes) -> bool:
        fields = row.split()
        return len(fields) == count and _is_number(fields[0])

    return recognise


def header_line(header: str) -> Callable[[bytes], bool]:
    """Return a test for a first row that equals this header."""
    return lambda row: row == header.encode()


def _is_number(text: bytes) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def write_scene(scene: Scene, path: Path | str) -> None:
    """Write the scene as a Parquet table, which load_scene reads back without loss."""
    _require_pyarrow()
    from trajnet.scenes.table import write_table

    write_table(scene, Path(path))


def _read_table(path: Path, _with_map: bool) -> Scene:
    _require_pyarrow()
    from trajnet.scenes.own_table import own_parquet
    from trajnet.scenes.table import is_table, read_table

    if path.is_file() and not is_table(path) and own_parquet(path):
        return _own_scene(path)
    scene = read_table(path)
    beside = None if scene.lanes else map_beside(path)
    return scene if beside is None else replace(scene, lanes=read_av2_map(beside))


def read_table_alone(path: Path) -> Scene:
    """Return the scene of a table, without the map that may be in a file beside it. Raises InputError."""
    _require_pyarrow()
    from trajnet.scenes.table import read_table

    return read_table(path)


def _read_own(path: Path, _with_map: bool) -> Scene:
    _require_pyarrow()
    return _own_scene(path)


def _own_scene(path: Path) -> Scene:
    from trajnet.scenes.own_table import read_own
    from trajnet.tabular import log_notes

    scene, notes = read_own(path)
    log_notes(str(path), notes)
    return scene


def _recognise_own(row: bytes) -> bool:
    from trajnet.scenes.own_table import recognise_own

    return recognise_own(row)


def _require_pyarrow() -> None:
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise DependencyError(
            "scene tables in Parquet need pyarrow, which is not installed; run: pip install 'trajnet-av[tools]'"
        ) from error


def _read_commonroad(path: Path, _with_map: bool) -> Scene:
    from trajnet.scenes.commonroad import read_commonroad

    return read_commonroad(path)


def _read_commonroad_lanes(path: Path) -> tuple[Lane, ...]:
    from trajnet.scenes.commonroad import read_lanes

    return read_lanes(path)


#: Parquet with Argoverse 2's columns, an Argoverse 2 scenario among them, which has its map in a file beside it.
TABLE = SceneFormat("table", (".parquet",), _read_table, companions=maps_beside)
COMMONROAD = SceneFormat("commonroad", (".xml",), _read_commonroad, read_lanes=_read_commonroad_lanes)
#: Rows under a header of one's own; Parquet with such columns is read by TABLE.
OWN = SceneFormat(
    "own",
    (".csv", ".jsonl", ".ndjson"),
    _read_own,
    _recognise_own,
    "a table with a header such as time_s,track_id,x,y (trajnet convert --columns takes other names)",
)
