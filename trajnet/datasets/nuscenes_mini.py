"""Eight scenes of nuScenes v1.0-mini with all annotated agents, parked cars among them, and vector lanes at 10 Hz."""

from __future__ import annotations

from trajnet.datasets.description import Dataset, Part
from trajnet.datasets.folders import files_in

NUSCENES_MINI = Dataset(
    name="nuscenes_mini",
    title="nuScenes mini",
    licence="CC BY-NC-SA 4.0 (nuScenes): non-commercial",
    held_out=True,
    download="https://www.nuscenes.org, converted from the test files of https://github.com/metadriverse/scenarionet",
    note="for tests, not for training: six of its scenes are also in nuscenes, train or train_val",
    folder="nuscenes_mini",
    parts=(Part("all"),),
    files=lambda folder, _part: files_in(folder, "*.parquet"),
)
