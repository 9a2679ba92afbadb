"""The columns of any data frame as NumPy arrays."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajnet.errors import InputError

Columns = dict[str, NDArray[Any]]


def columns_of(table: Any) -> Columns:
    """Return the columns of a pandas, polars or pyarrow table, of any other with the Arrow stream, or of a mapping.

    Numbers stay numbers, with NaN where a value is missing; stamps become datetime64[ns] in UTC, texts become objects
    with None. Arrow is used where pyarrow is installed; without it pandas and polars are asked for NumPy arrays.
    Raises InputError for anything else and for columns of different lengths.
    """
    if isinstance(table, Mapping):
        found = {str(name): np.asarray(values) for name, values in table.items()}
    elif (arrow := _arrow(table)) is not None:
        found = {name: _of_arrow(arrow.column(name)) for name in arrow.column_names}
    elif hasattr(table, "columns") and hasattr(table, "__getitem__"):
        found = {str(name): np.asarray(table[name].to_numpy()) for name in table.columns}
    else:
        raise InputError(
            "table: expected a data frame of pandas, polars or pyarrow, or a mapping of columns, "
            f"got {type(table).__name__}"
        )
    if len({len(values) for values in found.values()}) > 1:
        sizes = ", ".join(f"{name} {len(values)}" for name, values in found.items())
        raise InputError(f"table: expected columns of one length, got {sizes}")
    return {name: _plain(values) for name, values in found.items()}


def _arrow(table: Any) -> Any:
    """Return the table as pyarrow's; None where it has no Arrow stream or pyarrow is not installed."""
    if not hasattr(table, "__arrow_c_stream__"):
        return None
    try:
        import pyarrow as pa
    except ImportError:
        return None
    return pa.table(table)


def _of_arrow(column: Any) -> NDArray[Any]:
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_timestamp(kind):
        values: NDArray[Any] = np.asarray(pc.cast(column, pa.timestamp("ns"), safe=False))
        return values.astype("datetime64[ns]")
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):  # what a CSV's text becomes that is not UTF-8
        raise InputError(f"table: expected text in UTF-8, got {next(filter(None, column.to_pylist()), b'')!r:.60}")
    if pa.types.is_decimal(kind):
        column = column.cast(pa.float64())
    if pa.types.is_integer(kind) and column.null_count:
        column = column.cast(pa.float64(), safe=False)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return np.asarray(column)
    try:
        return np.array(column.to_pylist(), dtype=object)
    except UnicodeDecodeError as error:
        raise InputError(f"table: expected text in UTF-8, got {error.object!r:.60}") from error


def _plain(values: NDArray[Any]) -> NDArray[Any]:
    """Return an object column of numbers (pandas' nullable types) as float64; other columns as they are."""
    if values.dtype != object:
        return values
    known = [v for v in values.tolist() if not missing(v)]
    if known and all(isinstance(v, (int, float, np.number)) and not isinstance(v, bool) for v in known):
        if len(known) == len(values) and all(isinstance(v, (int, np.integer)) for v in known):
            return np.array(known, dtype=np.int64)
        return np.array([np.nan if missing(v) else float(v) for v in values.tolist()])
    return values


def missing(value: Any) -> bool:
    """Whether a value of an object column is missing: None, NaN, pandas' NA and NaT, or a CSV's text of blanks."""
    return (
        value is None
        or (isinstance(value, float) and math.isnan(value))
        or (isinstance(value, str) and not value.strip())
        or type(value).__name__ in ("NAType", "NaTType")
    )


def numbers(name: str, values: NDArray[Any]) -> NDArray[np.float64]:
    """Return a column as float64, NaN where a value is missing. Raises InputError for text that is no number."""
    if values.dtype.kind in "iuf":
        return values.astype(np.float64)
    found = np.full(len(values), np.nan)
    for row, value in enumerate(values.tolist()):
        if missing(value):
            continue
        try:
            found[row] = float(value)
        except (TypeError, ValueError):
            raise InputError(f"column {name}, row {row}: expected a number, got {value!r}") from None
    return found


def texts(values: NDArray[Any]) -> list[str | None]:
    """Return a column as texts, None where a value is missing; whole numbers without ".0"."""
    if values.dtype.kind == "f":
        return [None if math.isnan(v) else str(int(v)) if v == int(v) else str(v) for v in values.tolist()]
    return [None if missing(v) else str(v) for v in values.tolist()]
