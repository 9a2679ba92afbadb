"""The files besides a scene's own that its scene is read from: changing one must make whatever was made of it stale."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.datasets.test_drone_csv import HIGHD, INTERACTION, LEVELX
from trajnet.datasets.files import companions_of
from trajnet.datasets.sind import HEADER

pytest.importorskip("pyarrow")


@pytest.mark.parametrize(
    ("kind", "scene", "text", "read", "not_read"),
    [
        ("auto", "data/07_tracks.csv", LEVELX, ("data/07_tracksMeta.csv", "data/07_recordingMeta.csv"), "data/08.csv"),
        ("auto", "data/01_tracks.csv", HIGHD, ("data/01_tracksMeta.csv", "data/01_recordingMeta.csv"), "data/02.csv"),
        ("auto", "scenario_x.parquet", "", ("log_map_archive_x.json",), "log_map_archive_y.json"),
        ("argoverse2", "scenario_x.parquet", "", ("log_map_archive_x.json",), "log_map_archive_y.json"),
        (
            "av2_sensor", "log/annotations.feather", "",
            ("log/city_SE3_egovehicle.feather", "log/map/log_map_archive_x____PIT_city_1.json"), "log/other.feather",
        ),
        (
            "auto", "place/vehicle_tracks_000.csv", INTERACTION,
            ("place/pedestrian_tracks_000.csv", "maps/place.osm"), "maps/elsewhere.osm",
        ),
        ("auto", "city/Ped_smoothed_tracks.csv", HEADER + "\n", ("city/map.osm",), "map.osm"),
        (
            "nuscenes_tables", "v1.0-mini/sample_annotation.json", "",
            ("v1.0-mini/sample.json", "maps/expansion/boston.json"), "v1.0-trainval/sample.json",
        ),
        (
            "nuscenes", "label/val/scene-0001.txt", "",
            ("map_0.1/scene-0001.png", "map_0.1/meta_scene-0001.txt"), "map_0.1/scene-0002.png",
        ),
        ("auto", "walk.txt", "0 1 0.0 0.0\n", (), "walk.osm"),
        ("auto", "notes.md", "", (), "notes.osm"),
    ],
)  # fmt: skip
def test_companions_are_the_files_that_are_there(
    tmp_path: Path, kind: str, scene: str, text: str, read: tuple[str, ...], not_read: str
) -> None:
    tmp_path = tmp_path.resolve()
    for name in (scene, not_read):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text if name == scene else "")
    assert companions_of(tmp_path / scene, kind) == []
    for name in read:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    found = {
        file.resolve().relative_to(tmp_path.resolve()).as_posix() for file in companions_of(tmp_path / scene, kind)
    }
    assert found == set(read)
