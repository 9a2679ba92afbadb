"""Predictions in a table: Parquet or CSV, by the file's suffix."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from trajnet.errors import DependencyError, InputError
from trajnet.tabular.frames import prediction_columns
from trajnet.types import Prediction
from trajnet.whole_file import whole_file

SUFFIXES = (".parquet", ".csv")
#: Rows that are written at once.
BATCH_ROWS = 500_000


def write_paths(path: Path, found: Iterable[tuple[str, Path, Prediction]]) -> int:
    """Write a row for each scene, object, mode and future time; return how many. The file appears whole or not at all.

    found: (the scene's name, its file, a prediction). Columns: scene, those of tabular.frames.prediction_columns, then
    file, which tells scenes of one name apart. Raises InputError for another suffix, if there is no prediction, and if
    the file cannot be written.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"out: expected a file that ends in {' or '.join(SUFFIXES)}, got {path}")
    try:
        import pyarrow as pa
        from pyarrow import csv, parquet
    except ImportError as error:
        raise DependencyError("tables of paths need pyarrow; run: pip install 'trajnet-av[tools]'") from error
    rows, writer = 0, None
    with whole_file(path) as part:
        try:
            for columns in _batches(found):
                table = pa.table(
                    {n: pa.array(v, pa.string() if v.dtype == object else None) for n, v in columns.items()}
                )
                if writer is None:
                    make = parquet.ParquetWriter if path.suffix.lower() == ".parquet" else csv.CSVWriter
                    writer = make(part, table.schema)
                writer.write_table(table)
                rows += table.num_rows
        finally:
            if writer is not None:
                writer.close()
        if writer is None:
            raise InputError("predict: expected objects to predict, got none")
    return rows


def _batches(found: Iterable[tuple[str, Path, Prediction]]) -> Iterable[dict[str, Any]]:
    """Yield the columns of about BATCH_ROWS rows at a time."""
    parts: list[dict[str, Any]] = []
    rows = 0
    for scene, file, prediction in found:
        columns = prediction_columns(prediction)
        count = len(columns["mode"])
        named, read = (np.array([text] * count, dtype=object) for text in (scene, str(file)))
        parts.append({"scene": named, **columns, "file": read})
        rows += count
        if rows >= BATCH_ROWS:
            yield _joined(parts)
            parts, rows = [], 0
    if rows:
        yield _joined(parts)


def _joined(parts: list[dict[str, Any]]) -> dict[str, Any]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
