"""Data sets of scene tables, and SinD's pedestrians, as recorded; skips where they are missing (see data_dir)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trajnet.datasets.files import load_scene
from trajnet.datasets.folders import part_files
from trajnet.datasets.registry import dataset_named
from trajnet.evaluate import open_dataset
from trajnet.training.config import SourceConfig
from trajnet.training.sources import source_files
from trajnet.types import ObjectClass

#: Files of every part; nuscenes_agents without the 3, 1 and 2 scenes that nuscenes_mini has too.
FILES = {
    "nuscenes_agents": {"train": 366, "train_val": 125, "val": 113},
    "nuscenes_mini": {"all": 8},
    "mona": {"east": 30, "west": 30},
    "dut": {"intersection": 17, "roundabout": 11},
    "sind": {"changchun": 1, "chongqing": 1, "xian": 1},
}


def present(data_dir: Path, name: str) -> Path:
    """The folder of all data, if it has this data set."""
    if not (data_dir / dataset_named(name).folder).is_dir():
        pytest.skip(f"no {name} in {data_dir}")
    return data_dir


@pytest.mark.parametrize("name", FILES)
def test_parts_have_their_files_and_a_scene_each(data_dir: Path, name: str) -> None:
    dataset, root = dataset_named(name), present(data_dir, name)
    files = {part.name: part_files(dataset, [root], part.name) for part in dataset.parts}
    assert {part: len(found) for part, found in files.items()} == FILES[name]
    assert len(set().union(*files.values())) == sum(map(len, files.values()))
    for part, found in files.items():
        assert source_files(SourceConfig(name, split=part, first=len(found) - 1), [root]) == found[-1:]
        scene = load_scene(found[0])
        assert scene.frame_count > 10
        assert len(scene.track_id) > 1
    split = list(dataset.splits)[-1]
    opened = open_dataset(name, root, split, horizon_s=2.0, stride=10)
    assert len(opened.units) == sum(len(files[part]) for part in dataset.splits[split])


@pytest.mark.parametrize("city", FILES["sind"])
def test_pedestrians_of_sind_move_as_their_velocity_says(data_dir: Path, city: str) -> None:
    (file,) = part_files(dataset_named("sind"), [present(data_dir, "sind")], city)
    scene = load_scene(file)
    assert set(scene.object_class.tolist()) == {ObjectClass.PEDESTRIAN}
    errors_mps, speeds_mps = [], []
    for rows in scene.rows_by_track():
        time_s = scene.timestamp_ns[scene.row_frame[rows]] * 1e-9
        second = np.flatnonzero(np.abs(time_s[10:] - time_s[:-10] - 1.0) < 0.05)  # ten frames without a gap
        moved_mps = scene.position_m[rows][second + 10] - scene.position_m[rows][second]  # in 1 s
        stated_mps = np.array([scene.velocity_mps[rows][i : i + 11].mean(axis=0) for i in second]).reshape(-1, 2)
        errors_mps.extend(np.hypot(*(moved_mps - stated_mps).T))
        speeds_mps.extend(np.hypot(*stated_mps.T))
    assert np.median(errors_mps) < 0.1
    assert 0.8 < np.median(speeds_mps) < 2.0
