"""The check on recorded data: no false alarm, and maps that lie where the objects are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from trajnet.check import check_scene
from trajnet.datasets.files import find_scenes, load_scene, with_map_of

FOLDERS = (
    "apolloscape", "commonroad_ngsim", "dut", "eth_ucy", "mona", "nuscenes_mini", "nuscenes_pred", "sind",
    "vru_aschaffenburg",
)  # fmt: skip


def mistakes(path: Path) -> list[str]:
    return [f"{path.name}: {found}" for found in check_scene(load_scene(path)).findings if found.severity == "mistake"]


@pytest.mark.data
@pytest.mark.parametrize("folder", FOLDERS)
def test_recordings_have_no_mistakes(data_dir: Path, folder: str) -> None:
    if not (data_dir / folder).is_dir():
        pytest.skip(f"no {folder} in {data_dir}")
    files = find_scenes(data_dir / folder)
    chosen = files[:: max(1, len(files) // 8)]
    assert [said for path in chosen for said in mistakes(path)] == []


def test_bundled_scenes_have_neither_mistakes_nor_doubts(root: Path) -> None:
    for path in find_scenes(root / "sim" / "scenes"):
        assert check_scene(load_scene(path)).findings == ()


def test_swapped_axes_are_found_in_a_bundled_scene_by_its_headings_and_by_its_map(root: Path) -> None:
    scene = load_scene(root / "sim" / "scenes" / "intersection.parquet")
    swapped = replace(scene, position_m=np.ascontiguousarray(scene.position_m[:, ::-1]))
    found = {finding.check for finding in check_scene(swapped).findings if finding.severity == "mistake"}
    assert {"heading", "velocity"} <= found
    unknown = np.zeros(len(scene.row_frame), np.bool_)
    bare = replace(swapped, yaw_valid=unknown, velocity_valid=unknown)
    assert {f.check for f in check_scene(bare).findings if f.severity == "mistake"} == {"map"}


@pytest.mark.data
def test_an_argoverse_scenario_has_the_map_beside_it(data_dir: Path) -> None:
    found = sorted((data_dir / "samples" / "av2").glob("scenario_*.parquet"))
    if not found:
        pytest.skip(f"no samples in {data_dir}")
    scene = load_scene(found[0])
    assert len(scene.lanes) > 50
    checked = check_scene(scene)
    assert checked.mistakes == 0
    assert checked.facts["on_road_share"] > 0.5
    assert checked.facts["along_lane_share"] > 0.8


@pytest.mark.data
def test_an_interaction_recording_is_read_with_its_lanelet_map(data_dir: Path) -> None:
    folder = data_dir / "samples" / "interaction"
    if not folder.is_dir():
        pytest.skip(f"no samples in {data_dir}")
    scene = with_map_of(load_scene(folder / "vehicle_tracks_000.csv"), folder / "TestScenarioForScripts.osm")
    assert (len(scene.track_id), scene.frame_count, len(scene.lanes)) == (2, 100, 2)
