"""Waymo Open Motion: the tracks to predict of each scenario, 1 s of history, 8 s of future in steps of 0.5 s.

`trajnet convert --from womd` makes a table of each scenario of the TFRecord files; the tables of a split lie anywhere
below ``womd/SPLIT``. The test split's futures are not public.
"""

from __future__ import annotations

import numpy as np

from trajnet.datasets.description import Dataset, Part, WindowRule
from trajnet.datasets.folders import files_in
from trajnet.scenes.formats import SceneFormat
from trajnet.scenes.womd import LICENCE, read_womd, read_womd_scenes
from trajnet.types import FloatArray

HISTORY_S: FloatArray = np.arange(-10, 1, dtype=np.float64) * 0.1
FUTURE_S: FloatArray = np.arange(1, 17, dtype=np.float64) * 0.5

WOMD = Dataset(
    name="womd",
    title="Waymo Open Motion",
    licence=LICENCE,
    download="https://waymo.com/open/download, motion dataset, scenario protos; then `trajnet convert --from womd`",
    note="the tracks to predict at the current step; traffic lights and stop signs are not read",
    folder="womd",
    marker="validation",
    parts=tuple(Part(name, HISTORY_S) for name in ("training", "validation", "validation_interactive")),
    files=lambda folder, part: files_in(folder / part, "**/*.parquet"),
    windows=WindowRule(FUTURE_S, lambda scene, _part: np.flatnonzero(scene.is_target)),
    format=SceneFormat("womd", (".tfrecord",), read_womd, names=("*.tfrecord-*-of-*",), read_many=read_womd_scenes),
)
