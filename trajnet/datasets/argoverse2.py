"""Argoverse 2's motion forecasting benchmark: the focal track of each scenario, 5 s of history, 6 s of future at 10 Hz.

The files are ``val/SCENARIO/scenario_SCENARIO.parquet``, scene tables as they come. The test split's futures are not
public. The official figures are those of the single-agent protocol: the focal track at the last observed step (49).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from trajnet.datasets.description import Dataset, Part, WindowRule
from trajnet.datasets.folders import files_in
from trajnet.errors import InputError
from trajnet.scenes.av2_map import maps_beside
from trajnet.scenes.formats import TABLE, SceneFormat, read_table_alone
from trajnet.types import FloatArray, Scene

HISTORY_S: FloatArray = np.arange(-49, 1, dtype=np.float64) * 0.1
FUTURE_S: FloatArray = np.arange(1, 61, dtype=np.float64) * 0.1


def read_focal(path: Path, with_map: bool = False) -> Scene:
    """Return the scene of a scenario with the focal track, of its scored ones, as the only target.

    Raises InputError for a file that cannot be read, or that names no focal track with an observed step.
    """
    scene = TABLE.read(path, True) if with_map else read_table_alone(path)  # names pyarrow where it is missing
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:  # pq.read_table takes five times as long
            named = file.read(columns=["focal_track_id"])["focal_track_id"].unique().to_pylist()
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise InputError(f"{path}: expected a column focal_track_id (Argoverse 2), got none: {error}") from error
    focal = np.array([track_id in named for track_id in scene.track_id], dtype=np.bool_)
    target = scene.is_target & focal[scene.row_track]
    if target.sum() != 1:
        raise InputError(
            f"{path}: expected one focal track, of object_category 2 or 3, at the last observed step (timestep 49), "
            f"got {int(target.sum())}"
        )
    return replace(scene, is_target=target)


ARGOVERSE2 = Dataset(
    name="argoverse2",
    title="Argoverse 2 motion forecasting",
    licence="CC BY-NC-SA 4.0: non-commercial",
    download="https://www.argoverse.org/av2.html",
    note="the focal track at the last observed step, as the leaderboard's single-agent metrics take it",
    metrics=(
        *(f"{m}_{k}" for k in (1, 6) for m in ("minADE", "minFDE")),
        "Argoverse2_MissRate_6",
        "Argoverse2_brier_minFDE_6",
    ),
    folder="argoverse2",
    marker="val",
    parts=(Part("train", HISTORY_S), Part("val", HISTORY_S)),
    files=lambda folder, part: files_in(folder / part, "*/scenario_*.parquet"),
    windows=WindowRule(FUTURE_S, lambda scene, _part: np.flatnonzero(scene.is_target)),
    # A scenario is a table to everything else: only this name asks for the focal track alone.
    format=SceneFormat(
        "argoverse2", (".parquet",), read_focal, lambda _row: False, "an Argoverse 2 scenario", companions=maps_beside
    ),
)
