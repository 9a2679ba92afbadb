"""Scene tables of nuScenes' agents: which scenes may train, which tracks are believed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from trajnet.context.surroundings import InputRequirements
from trajnet.datasets.files import load_scene
from trajnet.datasets.folders import part_files
from trajnet.datasets.nuscenes_agents import NUSCENES_AGENTS, believed_scene
from trajnet.errors import InputError
from trajnet.scenes import write_scene
from trajnet.scenes.nuscenes_everybody import MINI_SCENES
from trajnet.training.config import SourceConfig
from trajnet.training.sources import build_set
from trajnet.types import ObjectClass, Scene

#: Track -> the scores of its rows, in frames from 0.
SCORES = {
    "target": [1.0, 1.0, 1.0, 1.0],
    "sure": [0.5, 0.0, 0.4, 0.3],  # the row of score 0 was interpolated and counts for nothing
    "doubtful": [0.2, 0.0, 0.35, 0.2],
    "short": [0.9, 0.9],
}


def table(path: Path, *, scores: bool = True) -> Path:
    frames = [frame for each in SCORES.values() for frame in range(len(each))]
    tracks = [i for i, each in enumerate(SCORES.values()) for _ in each]
    order = np.lexsort((tracks, frames))
    count = len(order)
    nowhere = np.zeros(count, np.bool_)
    write_scene(
        Scene(
            scene_id=path.stem,
            timestamp_ns=np.arange(4) * 500_000_000,
            frame_number=np.arange(4) + 20,
            track_id=tuple(SCORES),
            object_class=np.full(len(SCORES), int(ObjectClass.CAR), np.int8),
            size_m=np.ones((len(SCORES), 2)),
            row_frame=np.array(frames)[order],
            row_track=np.array(tracks)[order],
            position_m=np.stack([np.array(frames)[order], np.array(tracks)[order]], 1).astype(float),
            yaw_rad=np.zeros(count),
            yaw_valid=~nowhere,
            velocity_mps=np.zeros((count, 2)),
            velocity_valid=nowhere,
            is_target=nowhere,
        ),
        path,
    )
    if scores:
        stored = pq.ParquetFile(path).read()
        names, numbers = stored["track_id"].to_pylist(), stored["frame_number"].to_pylist()
        column = pa.array([SCORES[name][number - 20] for name, number in zip(names, numbers, strict=True)])
        pq.write_table(stored.append_column("score", column), path)
    return path


def test_tracks_of_low_score_and_short_ones_are_left_out(tmp_path: Path) -> None:
    scene = believed_scene(table(tmp_path / "scene-0001.parquet"), False)
    assert scene.track_id == ("target", "sure")
    assert scene.frame_count == 4
    assert np.bincount(scene.row_track).tolist() == [4, 4]
    assert np.array_equal(scene.position_m[:, 1], scene.row_track)
    everything = believed_scene(tmp_path / "scene-0001.parquet", False, min_score=0.0)
    assert everything.track_id == ("target", "sure", "doubtful")


def test_a_table_without_scores_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"scene-0001\.parquet: expected a column score"):
        believed_scene(table(tmp_path / "scene-0001.parquet", scores=False), False)


def test_a_map_needs_the_label_beside_the_tables(tmp_path: Path) -> None:
    path = table(tmp_path / "scene-0001.parquet")
    with pytest.raises(InputError, match="expected a folder of train, train_val, val"):
        believed_scene(path, True)
    there = tmp_path / "nuscenes_agents" / "val" / "scene-0001.parquet"
    there.parent.mkdir(parents=True)
    path.rename(there)
    with pytest.raises(InputError, match=r"label/test/scene-0001\.txt, which is missing"):
        believed_scene(there, True)


def test_scenes_of_nuscenes_mini_belong_to_no_part(tmp_path: Path) -> None:
    folder = tmp_path / "nuscenes_agents" / "train"
    folder.mkdir(parents=True)
    (folder.parent / "train_val").mkdir()
    for name in [*MINI_SCENES, "scene-0001"]:
        (folder / f"{name}.parquet").touch()
    assert len(MINI_SCENES) == 8
    assert [path.stem for path in part_files(NUSCENES_AGENTS, [tmp_path], "train")] == ["scene-0001"]
    (folder / "scene-0001.parquet").unlink()
    with pytest.raises(InputError, match="expected scenes that are not in nuscenes_mini, found none"):
        part_files(NUSCENES_AGENTS, [tmp_path], "train")


def test_training_takes_the_believed_tracks(tmp_path: Path) -> None:
    """Evaluation takes the table as it is."""
    folder = tmp_path / "nuscenes_agents" / "train"
    folder.mkdir(parents=True)
    (folder.parent / "train_val").mkdir()
    path = table(folder / "scene-0001.parquet")
    source = SourceConfig("nuscenes_agents", split="train", history_s=0.5, rate_hz=2.0, stride=1, min_future_s=0.5)
    found = build_set(source, [tmp_path], np.array([0.5]), InputRequirements())
    assert len(found) == 2 * 3  # every frame but the last of two tracks
    assert len(load_scene(path).track_id) == len(SCORES)


def test_recorded_scenes_have_their_raster(data_dir: Path) -> None:
    path = part_files(NUSCENES_AGENTS, [data_dir], "val")[0]
    scene = believed_scene(path, True)
    assert scene.raster is not None
    assert scene.raster.direction is not None
    pixel = ((scene.position_m - scene.raster.origin_m) * scene.raster.pixels_per_m).astype(int)
    inside = ((pixel >= 0) & (pixel < scene.raster.drivable.shape)).all(axis=1)
    targets = np.array([not name.startswith("n") for name in scene.track_id])[scene.row_track]
    assert targets.sum() > 20
    assert scene.raster.drivable[tuple(pixel[inside & targets].T)].mean() > 0.95
    assert set(load_scene(path).track_id) > set(scene.track_id)
