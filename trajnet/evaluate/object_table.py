"""The table of all scored objects (Parquet), to filter for scenarios: a row for each object, instant and model."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajnet.context.map_field import INT8_MAX, REACH_M
from trajnet.context.surroundings import scene_map
from trajnet.datasets.files import load_scene
from trajnet.datasets.window_context import files_of_scenes
from trajnet.errors import DependencyError, install_advice
from trajnet.evaluate.manoeuvres import MANOEUVRES
from trajnet.evaluate.mined import Mined, ObjectRows
from trajnet.evaluate.units import Unit
from trajnet.tabular.frames import EXPERT_NAMES, SOURCE_NAMES
from trajnet.types import CLASS_NAMES, BoolArray, FloatArray, Scene, Source
from trajnet.whole_file import whole_file

#: The columns of the table and what they mean. Null is what is not known.
COLUMNS = {
    "model": "who predicted",
    "scene": "the scene's id",
    "file": "its file",
    "frame": "number of the last observed frame, as the source counts",
    "time_s": "that instant, from the scene's first frame",
    "track_id": "the object",
    "object_class": "its class",
    "x_m": "where it is, map frame",
    "y_m": "where it is, map frame",
    "manoeuvre": "what it does up to the horizon, see --breakdown",
    "speed_mps": "recorded speed over the first scored step",
    "seen_for_s": "how long the predictor had been shown the object",
    "map_distance_m": "to the edge of the map's roads: positive on them, at most 8 m; null without a map there",
    "top_ade_m": "mean displacement of the most probable path",
    "top_fde_m": "its displacement at the horizon",
    "best_ade_m": "the smallest mean displacement of all paths",
    "best_fde_m": "the smallest displacement at the horizon",
    "top_end_m": "how far away from here the most probable path ends",
    "true_end_m": "how far away from here the object ends",
    "nll": "negative log-likelihood of the recorded future, mean over the steps, nats",
    "confidence": "probability of the most probable path",
    "source": "who answered: model, physics, stale or judged",
    "expert": "who predicted the most probable path, where predictions judge themselves",
}


class _Facts(NamedTuple):
    """What the scenes say about the objects of a batch, the same for every model."""

    file: list[str]
    time_s: FloatArray
    map_distance_m: FloatArray


class ObjectTable:
    """Writes the table; a context that leaves no half-written file behind, and an ObjectSink."""

    worst = 0

    def __init__(self, path: Path) -> None:
        try:
            import pyarrow as pa
            import pyarrow.parquet as pq
        except ImportError as error:
            raise DependencyError(f"tables of objects need pyarrow; run: {install_advice('tools')}") from error
        self._pa, self._parquet = pa, pq
        self._path = path
        self._stack = ExitStack()
        self._writer: Any = None
        self._facts: list[_Facts] = []
        self._batches: Counter[str] = Counter()
        self.rows = 0

    def add(self, model: str, unit: Unit, mined: Mined) -> None:
        """Append the objects of one batch."""
        batch = self._batches[model]
        self._batches[model] += 1
        if batch == len(self._facts):  # of the first model; the others score the same objects in the same order
            self._facts.append(_facts(unit, mined.rows))
        table = self._pa.table(columns(model, mined.rows, self._facts[batch])).cast(self._schema)
        self._writer.write_table(table)
        self.rows += len(mined.rows)

    @property
    def _schema(self) -> Any:
        texts = ("model", "scene", "file", "track_id", "object_class", "manoeuvre", "source", "expert")
        of = {**dict.fromkeys(texts, self._pa.string()), "frame": self._pa.int64()}
        return self._pa.schema([(name, of.get(name, self._pa.float64())) for name in COLUMNS])

    def __enter__(self) -> ObjectTable:
        part = self._stack.enter_context(whole_file(self._path))
        self._writer = self._stack.enter_context(self._parquet.ParquetWriter(part, self._schema))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)


def columns(model: str, rows: ObjectRows, facts: _Facts) -> dict[str, Any]:
    """Return COLUMNS of a batch, with None and NaN turned into null."""
    import pyarrow as pa

    expert: NDArray[Any] = np.full(len(rows), None, dtype=object)
    if rows.expert is not None:
        expert[:] = np.array(EXPERT_NAMES, dtype=object)[rows.expert]
        expert[rows.source == Source.PHYSICS] = None  # the label would be that of the model that was not used
    manoeuvre = np.array(MANOEUVRES, dtype=object)[rows.manoeuvre]
    manoeuvre[~rows.whole] = None
    values: dict[str, Any] = {
        "model": [model] * len(rows),
        "scene": rows.scene_id.tolist(),
        "file": facts.file,
        "frame": rows.frame,
        "time_s": facts.time_s,
        "track_id": rows.track_id.tolist(),
        "object_class": np.array(CLASS_NAMES, dtype=object)[rows.object_class],
        "x_m": rows.position_m[:, 0],
        "y_m": rows.position_m[:, 1],
        "manoeuvre": manoeuvre,
        "map_distance_m": facts.map_distance_m,
        "source": np.array(SOURCE_NAMES, dtype=object)[rows.source],
        "expert": expert,
    }
    made = {name: values[name] if name in values else getattr(rows, name) for name in COLUMNS}
    return {name: pa.array(value, from_pandas=True) for name, value in made.items()}


def _facts(unit: Unit, rows: ObjectRows) -> _Facts:
    file = np.full(len(rows), "", dtype=object)
    time_s, map_distance_m = np.full((2, len(rows)), np.nan)
    for scene_id, path in files_of_scenes(dict.fromkeys(rows.scene_id.tolist()), unit.files).items():
        chosen = np.flatnonzero(rows.scene_id == scene_id)
        scene = load_scene(path, with_map=True)
        file[chosen] = str(path)
        time_s[chosen] = (rows.timestamp_ns[chosen] - scene.timestamp_ns[0]) * 1e-9
        map_distance_m[chosen] = map_distance(scene, rows.position_m[chosen])
    return _Facts(file.tolist(), time_s, map_distance_m)


def map_distance(scene: Scene, position_m: FloatArray) -> FloatArray:
    """Return the signed distance (N,) of positions (N, 2) to the edge of the scene's roads; NaN where there is no map.

    In m, positive on the road, clipped to REACH_M; to the pixel of the field that predictors see.
    """
    field, _ = scene_map(scene)
    if field is None:
        return np.full(len(position_m), np.nan)
    pixel: NDArray[np.int64] = np.floor((position_m - field.origin_m) * field.pixels_per_m).astype(np.int64) + 1
    inside: BoolArray = np.all((pixel >= 1) & (pixel < np.array(field.distance.shape[:2]) - 1), axis=1)
    x, y = np.where(inside[:, None], pixel, 0).T
    return np.where(inside, field.distance[x, y, 0] * (REACH_M / INT8_MAX), np.nan)
