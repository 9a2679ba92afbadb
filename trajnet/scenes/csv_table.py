"""Columns of a CSV file with a header, for data sets that publish their tracks so; as fast as pyarrow reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trajnet.errors import DependencyError, InputError, install_advice
from trajnet.scenes.rows import require_file
from trajnet.types import BoolArray, FloatArray, IntArray, ObjectClass

#: Limits of a file that is read into memory.
MAX_BYTES = 4 << 30


def plain_name(name: str) -> str:
    """Return a column's name in lower case with underscores: ``xloc-kf`` and `` xloc_kf`` are one."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def header_names(row: bytes) -> list[str]:
    """Return the plain names in the first row of a CSV file."""
    return [plain_name(name) for name in row.decode("utf-8-sig", errors="replace").split(",")]


class CsvTable:
    """The named columns of one CSV file, as text until they are asked for as something else.

    Rows count from 1 below the header. Every method raises InputError that names file, column and row.
    """

    def __init__(self, path: Path, required: Sequence[str], optional: Sequence[str] = ()) -> None:
        """Read the columns; names are plain_name's. Raises InputError, DependencyError without pyarrow."""
        self.path = path
        self._columns = _read(path, required, optional)
        self.rows = len(next(iter(self._columns.values())))
        if not self.rows:
            raise InputError(f"{path}: expected rows below the header, got none")

    def __contains__(self, name: str) -> bool:
        return name in self._columns

    def texts(self, name: str) -> list[str]:
        """Return the texts (R,), empty where there is none."""
        found: list[str] = self._columns[name].to_pylist()
        return found

    def numbers(self, name: str) -> FloatArray:
        """Return finite numbers (R,)."""
        values, valid = self.numbers_or_blank(name)
        self._require(name, valid, "a number")
        return values

    def numbers_or_blank(self, name: str) -> tuple[FloatArray, BoolArray]:
        """Return numbers (R,), 0 where the field is empty or NaN, and where they are known (R,)."""
        import pyarrow as pa
        import pyarrow.compute as pc

        column = pc.utf8_trim_whitespace(self._columns[name])
        blank = pc.is_in(column, value_set=pa.array(["", "nan", "NaN", "NA", "NULL"]))
        try:
            values = np.array(pc.if_else(blank, "0", column).cast(pa.float64()), dtype=np.float64)
        except pa.ArrowInvalid:
            bad = next((row for row, text in enumerate(column.to_pylist()) if not _is_number(text)), 0)
            raise self._error(name, bad, "a number") from None
        valid = ~np.asarray(blank, dtype=np.bool_)
        self._require(name, np.isfinite(values), "a finite number")
        return values, valid

    def integers(self, name: str) -> IntArray:
        """Return whole numbers (R,) below 2**53; "12.0" is one."""
        values = self.numbers(name)
        self._require(name, (values == np.rint(values)) & (np.abs(values) < 2**53), "a whole number")
        return values.astype(np.int64)

    def classes(self, name: str, known: Mapping[str, ObjectClass]) -> IntArray:
        """Return the class of each row's text (R,), whatever its case."""
        coded = self._columns[name].dictionary_encode()
        choices = [text.strip().lower() for text in coded.dictionary.to_pylist()]
        values = np.array([known.get(text, -1) for text in choices], np.int64)
        found: IntArray = values[np.asarray(coded.indices)]
        self._require(name, found >= 0, f"one of {', '.join(known)}")
        return found

    def identities(self, name: str) -> list[str]:
        """Return ids (R,): whole numbers without ".0"; other text unchanged."""
        return [re.sub(r"\.0+$", "", text.strip()) for text in self.texts(name)]

    def _require(self, name: str, good: BoolArray, wanted: str) -> None:
        if not good.all():
            raise self._error(name, int((~good).argmax()), wanted)

    def _error(self, name: str, row: int, wanted: str) -> InputError:
        return InputError(
            f"{self.path}, row {row + 1}: expected {wanted} as {name}, got {self._columns[name][row].as_py()!r}"
        )


def _is_number(text: str) -> bool:
    try:
        float(text or "0")
    except ValueError:
        return False
    return "_" not in text  # Python's float takes 1_000, Arrow's does not


def _read(path: Path, required: Sequence[str], optional: Sequence[str]) -> dict[str, Any]:
    """Return the columns as pyarrow arrays of text, by plain name."""
    try:
        import pyarrow as pa
        from pyarrow import csv
    except ImportError as error:
        raise DependencyError(f"tracks in CSV need pyarrow; run: {install_advice('tools')}") from error
    require_file(path)
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"{path}: expected a table of at most {MAX_BYTES >> 30} GiB, got a larger one; split it")
    try:
        with path.open("rb") as file:
            header = file.readline().decode("utf-8-sig").rstrip("\r\n").split(",")
        names = {plain_name(name): name.strip('"') for name in header}
        missing = [name for name in required if name not in names]
        if missing:
            raise InputError(
                f"{path}: expected the columns {', '.join(required)}, got none called {', '.join(missing)}"
            )
        wanted = {name: names[name] for name in (*required, *optional) if name in names}
        table = csv.read_csv(
            path,
            convert_options=csv.ConvertOptions(
                include_columns=list(wanted.values()), column_types=dict.fromkeys(wanted.values(), pa.string())
            ),
        )
        return {name: table.column(original).combine_chunks() for name, original in wanted.items()}
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: expected text in UTF-8, got byte 0x{error.object[error.start]:02x}") from error
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path}: expected a CSV table, got one that cannot be read ({first})") from error
