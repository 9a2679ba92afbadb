"""The files that commands write: they are checked before the work begins; ``-`` is standard output."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

from trajnet.errors import InputError
from trajnet.json_safe import json_safe, write_json

#: As the file of --json: standard output, which then has the document alone.
STDOUT = Path("-")
#: How the files of these options end, whatever command they are of: what is in another one would not be what it says.
ENDS_IN = {
    "picture": (".svg",),
    "report": (".html", ".htm"),
    "gif": (".gif",),
    "mp4": (".mp4",),
    "mcap": (".mcap",),
    "objects": (".parquet",),
}
#: Maps, recordings and models, which no format of scenes names by their suffix.
OTHER_DATA = (".osm", ".xodr", ".mcap", ".db3", ".onnx")


def require_folders(**paths: Path | None) -> None:
    """Raise InputError unless every path can be a file in a folder that exists.

    paths: option -> its file, None where not given.
    """
    for option, path in paths.items():
        if path is not None and not path.parent.is_dir():
            raise InputError(f"{option}: expected a file in a folder that exists, got {path}")
        if path is not None and path.is_dir():
            raise InputError(f"{option}: expected a file, got the folder {path}")


def require_outputs(reads: Iterable[Path | str | None], **outputs: Path | None) -> None:
    """Raise InputError unless every output is a file in a folder that exists, which nothing else is written to or read.

    Neither may it end otherwise than what is written there (ENDS_IN).
    reads: what the command reads, files and folders; what is no path that exists, such as a model's name, is none.
    outputs: option -> its file, None where not given.
    """
    require_folders(**outputs)
    given = [(option, path) for option, path in outputs.items() if path is not None and path != STDOUT]
    for (option, path), (other, second) in combinations(given, 2):
        if path.resolve() == second.resolve() or (path.exists() and second.exists() and path.samefile(second)):
            raise InputError(f"{option}, {other}: expected a file for each, got {path} for both; name another")
    require_unread(given, reads)
    for option, path in given:
        if option in ENDS_IN:
            require_suffix(option, path, *ENDS_IN[option])


def require_suffix(option: str, path: Path, *suffixes: str) -> None:
    """Raise InputError unless the file ends in one of these, in whatever case."""
    if path.suffix.lower() not in suffixes:
        raise InputError(f"{option}: expected a file that ends in {' or '.join(suffixes)}, got {path}")


def require_unread(outputs: Iterable[tuple[str, Path]], reads: Iterable[Path | str | None]) -> None:
    """Raise InputError where an output, (its option, its file), is one of the files that are read, by whatever name.

    reads: as for require_outputs. With a file are read those beside it that belong to it; of a folder, the files that
    look like data: a report that an earlier run wrote there may be written again.
    """
    there = {_identity(path): (option, path) for option, path in outputs if path.exists()}
    if not there:
        return
    for file, root in _files_of(Path(read) for read in reads if read is not None):
        option, path = there.get(_identity(file), ("", None))
        if path is not None and (root is None or _is_data(file, root)):
            raise InputError(f"{option}: expected a file that is not read, got {path}, an input; name another file")


def _identity(path: Path) -> tuple[int, int]:
    """Return what a file is known by under all its names: links of both kinds, relative paths."""
    about = path.stat()
    return about.st_dev, about.st_ino


def _files_of(reads: Iterable[Path]) -> Iterator[tuple[Path, Path | None]]:
    """Yield each file that is there with the folder that it was found in, None for one that is itself named."""
    from trajnet.datasets.files import companions_of
    from trajnet.ros.bags import is_bag

    for read in reads:
        if read.is_dir() and is_bag(read):
            yield from ((file, None) for file in read.iterdir() if file.is_file() and _is_of_bag(file))
        elif read.is_file():
            yield from ((file, None) for file in (read, *companions_of(read)) if file.is_file())
        elif read.is_dir():
            yield from ((file, read) for file in read.rglob("*") if file.is_file())


def _is_of_bag(file: Path) -> bool:
    from trajnet.ros.bags import SUFFIXES

    return file.suffix in SUFFIXES or file.name == "metadata.yaml"


def _is_data(file: Path, root: Path) -> bool:
    """Return whether a file below the folder root may be read: scene, map, bag, or in a data set's folder."""
    from trajnet.datasets.files import scene_kind
    from trajnet.datasets.registry import DATASETS

    of_data_sets = {dataset.folder for dataset in DATASETS} & {*file.relative_to(root).parts[:-1]}
    if of_data_sets or file.suffix.lower() in OTHER_DATA:
        return True
    try:
        return bool(scene_kind(file))
    except InputError:
        return False


def emit_json(path: Path, values: dict[str, Any]) -> None:
    """Write values as JSON to the file, or print them where it is ``-``. Raises InputError if it cannot be written."""
    if path == STDOUT:
        print(json.dumps(json_safe(values), indent=1, allow_nan=False))
    else:
        write_json(path, values)
