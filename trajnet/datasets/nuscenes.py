"""The nuScenes prediction challenge: 2 s of history, 6 s of future at 2 Hz, for the targets that it names.

Its label files and map rasters are read in trajnet.scenes.nuscenes.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from trajnet.datasets.description import Dataset, Part, WindowRule
from trajnet.datasets.folders import files_in
from trajnet.scenes.formats import TEXT_SUFFIXES, Everybody, SceneFormat, numbers_in_columns
from trajnet.scenes.nuscenes import COLUMNS, FOLDERS, LICENCE, raster_files, read_nuscenes
from trajnet.scenes.nuscenes_everybody import agents_beside, with_agents
from trajnet.scenes.nuscenes_traffic import recorded_directions
from trajnet.types import FloatArray, Scene

HISTORY_S: FloatArray = np.arange(-4, 1, dtype=np.float64) * 0.5
FUTURE_S: FloatArray = np.arange(1, 13, dtype=np.float64) * 0.5


def read_with_directions(path: Path, with_map: bool) -> Scene:
    """Return the scene of a label file; its raster has the directions of traffic of the training scenes beside it."""
    scene = read_nuscenes(path, with_map=with_map)
    if scene.raster is None:
        return scene
    return replace(scene, raster=replace(scene.raster, direction=recorded_directions(path, scene.raster)))


NUSCENES = Dataset(
    name="nuscenes",
    title="nuScenes",
    licence=LICENCE,
    download="https://www.nuscenes.org, prepared by https://github.com/Khrylx/AgentFormer (data/process_nuscenes.py)",
    note="targets only, with map rasters; choose on train_val, report val",
    folder="nuscenes_pred",
    marker="label",
    parts=(
        Part("train", HISTORY_S, 32_186),
        Part("train_val", HISTORY_S, 8_560),
        Part("val", HISTORY_S, 9_041),
    ),
    files=lambda folder, part: files_in(folder / "label" / FOLDERS[part], "*.txt"),
    windows=WindowRule(FUTURE_S, lambda scene, _part: np.flatnonzero(scene.is_target)),
    metrics=tuple(f"{m}_{k}" for m in ("minADE", "minFDE", "MissRate_2") for k in (1, 5, 10)),
    divided=("minADE_5", "minFDE_5"),
    headline="minADE_5",
    ranks=(1, 5, 10),
    format=SceneFormat(
        "nuscenes",
        TEXT_SUFFIXES,
        read_with_directions,
        numbers_in_columns(COLUMNS),
        "a number first in a row of 18 columns (nuScenes labels)",
        companions=raster_files,
        everybody=Everybody(agents_beside, with_agents),
    ),
)
