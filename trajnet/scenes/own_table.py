"""Tables of one's own in files: CSV, JSON lines and Parquet, with whatever columns a user states (trajnet.tabular)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from trajnet.errors import ConfigError, DependencyError, InputError
from trajnet.scenes.rows import require_file
from trajnet.tabular import TableOptions, columns_of, scene_of_columns, split_columns
from trajnet.tabular.build import lacking_words
from trajnet.tabular.columns import Columns
from trajnet.tabular.options import DEGREES, REQUIRED, SPELLINGS
from trajnet.types import Scene

#: In lower case; JSON lines hold one object each.
OWN_SUFFIXES = (".csv", ".jsonl", ".ndjson")
#: The limit of a file that is read into memory as text.
MAX_BYTES = 4 << 30


def read_own(path: Path, options: TableOptions = TableOptions()) -> tuple[Scene, list[str]]:
    """Return the scene of a table and what was chosen, mended and left out, a sentence each.

    The scene has the file's name as its id and, unless the options say otherwise, as its source. Raises InputError that
    names the file.
    """
    columns = _columns(path)
    named = replace(options, scene_id=path.stem, source=options.source or path.name)
    with _naming(path):
        return scene_of_columns(columns, named)


def read_own_split(path: Path, by: str, options: TableOptions = TableOptions()) -> Iterator[tuple[Scene, list[str]]]:
    """Yield the scene of each value of a column, as read_own does; its id is the file's name and the value.

    Characters of a value that a file's name should not have become ``_``. Raises InputError that names the file, also
    where two values become the same id.
    """
    columns, taken = _columns(path), set[str]()
    with _naming(path):
        for value, part in split_columns(columns, by):
            name = f"{path.stem}-" + re.sub(r"[^\w.+-]", "_", value)
            if name in taken:
                raise InputError(f"split-by: expected values of {by} that differ as names of files, got {value!r} too")
            taken.add(name)
            try:
                yield scene_of_columns(part, replace(options, scene_id=name, source=options.source or path.name))
            except InputError as error:
                raise InputError(f"{by} {value}: {error}") from error


def _columns(path: Path) -> Columns:
    require_file(path)
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"{path}: expected a table of at most {MAX_BYTES >> 30} GiB, got a larger one; split it")
    with _naming(path):
        return columns_of(_arrow_table(path))


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Put the file's name before the message of an InputError that lacks it."""
    try:
        yield
    except InputError as error:
        text = str(error)
        raise InputError(text if text.startswith(str(path)) else f"{path}: {text}") from error


def has_own_columns(names: list[str]) -> bool:
    """Whether a table with columns of these names is read without being told more than units and classes."""
    lower = {name.lower() for name in names}
    return all(lower & {*SPELLINGS[role], *DEGREES.get(role, ())} for role in REQUIRED)


def recognise_own(row: bytes) -> bool:
    """Return whether the first row of a text file is the header of such a table, or an object in JSON."""
    return has_own_columns(_names_in(row))


def lacking_columns(row: bytes) -> str:
    """Return what the header of a table in the first row of a text file lacks, in words; "" for a row that is none."""
    names = _names_in(row)
    if len(names) < 2 or any(name[:1].isdigit() or name[:1] in ("", "-", "+", ".") for name in names):
        return ""
    return lacking_words(names)


def _names_in(row: bytes) -> list[str]:
    """Return the columns that the first row of a text file names: the fields of a header, the keys of an object."""
    text = row.decode("utf-8-sig", errors="replace")
    if text.startswith("{"):
        return re.findall(r'"([^"]+)"\s*:', text)
    return [name.strip().strip('"') for name in text.split(_delimiter(text))]


def own_parquet(path: Path) -> bool:
    """Return whether a Parquet file has columns of a table of one's own; False for what cannot be read.

    A table with our own name of a position is not one: what it lacks is missed, not taken as unknown.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        names: list[str] = pq.read_schema(path).names
    except (pa.ArrowException, OSError, ValueError):
        return False
    return has_own_columns(names) and "position_x" not in names


def read_classes(path: Path) -> dict[str, str]:
    """Return the classes that a YAML file names, such as ``Van: car``. Raises ConfigError."""
    import yaml

    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: expected a readable YAML file, got {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: expected lines such as 'Van: car', got {type(values).__name__}")
    return {str(name): str(known) for name, known in values.items()}


def _delimiter(header: str) -> str:
    return max(",;\t", key=header.count)


def _arrow_table(path: Path) -> Any:
    """Return the file as a pyarrow table. Raises InputError for what cannot be read, DependencyError."""
    try:
        import pyarrow as pa
        from pyarrow import csv, json, parquet
    except ImportError as error:
        raise DependencyError(
            "tables need pyarrow, which is not installed; run: pip install 'trajnet-av[tools]'"
        ) from error
    suffix = path.suffix.lower()
    try:
        if suffix == ".parquet":
            return parquet.read_table(path)
        if suffix != ".csv":
            return json.read_json(path)
        with path.open("rb") as file:
            header = file.readline().decode("utf-8-sig")
        return csv.read_csv(path, parse_options=csv.ParseOptions(delimiter=_delimiter(header)))
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: expected text in UTF-8, got byte 0x{error.object[error.start]:02x}") from error
    except (pa.ArrowException, OSError, ValueError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path}: expected a table as {suffix[1:]}, got one that cannot be read ({first})") from error
