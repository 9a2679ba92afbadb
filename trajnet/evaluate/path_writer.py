"""Predicted paths in a Parquet file: a row for each object, mode and step."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from trajnet.errors import DependencyError
from trajnet.evaluate.runner import SavedPaths
from trajnet.whole_file import whole_file


class PathWriter:
    """Writes path files; a context that leaves no half-written file behind.

    Columns: model (only if with_model), scene_id, frame (last observed, the source's number), track_id, mode (0 is the
    most probable), probability, step (1..T), x_m, y_m in the source's map frame.
    """

    def __init__(self, path: Path, *, with_model: bool) -> None:
        try:
            import pyarrow as pa
            import pyarrow.parquet as pq
        except ImportError as error:
            raise DependencyError("saving paths needs pyarrow, which is missing; install trajnet-av[tools]") from error
        self._pa = pa
        self._whole = whole_file(path)
        self._with_model = with_model
        columns: list[tuple[str, Any]] = [("model", pa.string())] if with_model else []
        columns += [("scene_id", pa.string()), ("frame", pa.int64()), ("track_id", pa.string()), ("mode", pa.int32())]
        columns += [("probability", pa.float64()), ("step", pa.int32()), ("x_m", pa.float64()), ("y_m", pa.float64())]
        self._schema = pa.schema(columns)
        self._parquet = pq

    def write(self, model: str, paths: SavedPaths) -> None:
        """Append the paths of one batch."""
        objects, modes, steps, _ = paths.position_m.shape
        rows = objects * modes * steps
        each = np.arange(rows) // (modes * steps)
        columns: dict[str, Any] = {
            "scene_id": self._pa.array(paths.scene_id.tolist(), self._pa.string()).take(self._pa.array(each)),
            "frame": paths.frame[each],
            "track_id": self._pa.array(paths.track_id.tolist(), self._pa.string()).take(self._pa.array(each)),
            "mode": (np.arange(rows) // steps % modes).astype(np.int32),
            "probability": np.repeat(paths.probability.ravel(), steps),
            "step": (np.arange(rows) % steps + 1).astype(np.int32),
            "x_m": paths.position_m[..., 0].ravel(),
            "y_m": paths.position_m[..., 1].ravel(),
        }
        if self._with_model:
            columns["model"] = self._pa.array([model], self._pa.string()).take(self._pa.array(np.zeros(rows, np.int64)))
        self._writer.write_table(self._pa.table(columns).select(self._schema.names).cast(self._schema))

    def __enter__(self) -> PathWriter:
        part = self._whole.__enter__()
        try:
            self._writer = self._parquet.ParquetWriter(part, self._schema)
        except BaseException as error:
            self._whole.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._writer.close()
        except OSError as full:  # the footer does not fit: no file either, and one sentence
            if kind is None:
                kind, error, trace = type(full), full, full.__traceback__
        self._whole.__exit__(kind, error, trace)
