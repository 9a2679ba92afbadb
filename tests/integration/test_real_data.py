"""The readers on the recorded data itself; skips where it is missing (see data_dir)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trajnet.datasets.eth_ucy import ETH_UCY, ETH_UCY_SCENES
from trajnet.datasets.files import load_scene
from trajnet.datasets.folders import part_files, part_named
from trajnet.datasets.nuscenes import NUSCENES
from trajnet.scenes import write_scene
from trajnet.types import ObjectClass, Scene


@pytest.mark.parametrize(("split", "scenes"), [("train", 475), ("train_val", 185), ("val", 138)])
def test_nuscenes_has_the_challenges_targets_each_with_its_future(data_dir: Path, split: str, scenes: int) -> None:
    files = part_files(NUSCENES, [data_dir], split)
    assert len(files) == scenes
    targets = 0
    for file in files:
        scene = load_scene(file)
        present = {(int(f), int(t)) for f, t in zip(scene.row_frame, scene.row_track, strict=True)}
        index = {int(n): i for i, n in enumerate(scene.frame_number)}
        for row in np.flatnonzero(scene.is_target):
            targets += 1
            number, track = int(scene.frame_number[scene.row_frame[row]]), int(scene.row_track[row])
            assert all((index[number + step], track) in present for step in range(1, 13))
    assert targets == part_named(NUSCENES, split).window_count


def test_nuscenes_vehicles_are_on_the_drivable_raster(data_dir: Path) -> None:
    pytest.importorskip("PIL", reason="pillow is not installed")
    inside = np.concatenate(
        [_drivable(load_scene(file, with_map=True)) for file in part_files(NUSCENES, [data_dir], "val")[::20]]
    )
    assert inside.mean() > 0.99


def _drivable(scene: Scene) -> np.ndarray:
    assert scene.raster is not None
    return scene.raster.is_drivable(scene.position_m)


def test_nuscenes_yaw_is_the_direction_of_travel(data_dir: Path) -> None:
    errors = []
    for file in part_files(NUSCENES, [data_dir], "val")[::10]:
        scene = load_scene(file)
        for rows in scene.rows_by_track():
            step_m = np.diff(scene.position_m[rows], axis=0)
            fast = (np.hypot(*step_m.T) > 2.0) & (np.diff(scene.row_frame[rows]) == 1)
            travel = np.arctan2(step_m[:, 1], step_m[:, 0])
            errors.extend(np.abs(np.angle(np.exp(1j * (scene.yaw_rad[rows][1:] - travel))))[fast])
    assert len(errors) > 500
    assert np.median(errors) < 0.05


@pytest.mark.parametrize("name", ETH_UCY_SCENES)
def test_eth_ucy_walkers_walk(data_dir: Path, name: str) -> None:
    for file in part_files(ETH_UCY, [data_dir], f"{name}/test"):
        scene = load_scene(file)
        assert np.diff(scene.timestamp_ns).min() == 400_000_000
        assert (np.diff(scene.frame_number) % 10 == 0).all()
        speeds = []
        for rows in scene.rows_by_track():
            seconds = np.diff(scene.timestamp_ns[scene.row_frame[rows]]) * 1e-9
            speeds.extend(np.hypot(*np.diff(scene.position_m[rows], axis=0).T) / seconds)
        # At the benchmark's 0.4 s a step the walkers of "eth" are hasty: the recording's own steps were longer.
        assert 0.3 < np.median(speeds) < (3.0 if name == "eth" else 2.0)


@pytest.mark.parametrize(("file", "tracks"), [("Lankershim/USA_Lanker-1_10_T-1", 32), ("US101/USA_US101-23_2_T-1", 57)])
def test_commonroad_speed_and_heading_agree_with_the_motion(data_dir: Path, file: str, tracks: int) -> None:
    pytest.importorskip("commonroad", reason="commonroad-io is not installed")
    scene = load_scene(data_dir / "commonroad_ngsim" / f"{file}.xml")
    assert len(scene.track_id) == tracks
    assert set(scene.object_class.tolist()) == {ObjectClass.CAR}
    assert "OpenStreetMap" in scene.licence
    assert len(scene.lanes) > 10
    errors = []
    for rows in scene.rows_by_track():
        seconds = np.diff(scene.timestamp_ns[scene.row_frame[rows]]) * 1e-9
        moved = np.diff(scene.position_m[rows], axis=0) / seconds[:, None]
        errors.extend(np.hypot(*(moved - scene.velocity_mps[rows][1:]).T))
    assert np.median(errors) < 1.0
    points = np.concatenate([lane.centre_m for lane in scene.lanes])
    nearest = np.sqrt(((scene.position_m[:, None] - points[None]) ** 2).sum(-1)).min(axis=1)
    assert np.median(nearest) < 15.0


def test_recorded_scenes_survive_the_table(data_dir: Path, tmp_path: Path) -> None:
    for file in (part_files(NUSCENES, [data_dir], "val")[0], part_files(ETH_UCY, [data_dir], "eth/test")[0]):
        scene = load_scene(file)
        write_scene(scene, tmp_path / "scene.parquet")
        again = load_scene(tmp_path / "scene.parquet")
        assert again.track_id == scene.track_id
        for name in ("timestamp_ns", "frame_number", "row_frame", "row_track", "position_m", "yaw_rad", "is_target"):
            assert np.array_equal(getattr(again, name), getattr(scene, name)), name
