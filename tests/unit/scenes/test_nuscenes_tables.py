"""nuScenes' own tables, made after the published schema: no copy of them is at hand."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest

from tests.unit.scenes.nuscenes_files import START_US, a_map, arc, write_tables
from trajnet.datasets.files import find_scenes, load_scene, load_scenes, scene_kind
from trajnet.errors import InputError
from trajnet.scenes import nuscenes_tables
from trajnet.scenes.nuscenes_map import centre_line, read_nuscenes_map
from trajnet.scenes.nuscenes_tables import EGO_AHEAD_M
from trajnet.types import ObjectClass


@pytest.mark.parametrize("chunk", [50, 1 << 20])
@pytest.mark.parametrize("indent", [None, 0])
def test_scenes_come_with_all_their_objects(
    tmp_path: Path, indent: int | None, chunk: int, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nuscenes_tables, "_CHUNK", chunk)
    path = write_tables(tmp_path, indent=indent)
    assert (find_scenes(tmp_path), scene_kind(path)) == ([path], "nuscenes_tables")
    with caplog.at_level(logging.INFO):
        first, second = load_scenes(path)
    assert [first.scene_id, second.scene_id] == ["scene-0000", "scene-0001"]
    assert first.source == "nuScenes, boston-seaport"
    assert first.timestamp_ns.tolist() == [START_US * 1000, START_US * 1000 + 500_000_000]
    assert first.track_id == ("ego", "car")
    assert second.track_id == ("ego", "car", "walker")
    assert second.object_class.tolist() == [ObjectClass.CAR, ObjectClass.CAR, ObjectClass.PEDESTRIAN]
    frame = second.frame(1)
    expected_m = np.array([[100.0, 59.0 + EGO_AHEAD_M], [100.0, 69.0], [95.0, 49.0]])
    np.testing.assert_allclose(frame.position_m, expected_m)
    np.testing.assert_allclose(frame.yaw_rad, np.pi / 2)
    assert frame.size_m[1].tolist() == [4.5, 1.9]
    assert not second.velocity_valid.any()
    assert "left out 4 boxes movable_object.trafficcone" in caplog.text
    assert len(first.lanes) == 3
    with pytest.raises(InputError, match="expected a file of one scene, got one of several"):
        load_scene(path)


def test_lanes_have_the_mean_width_of_their_polygons(tmp_path: Path) -> None:
    write_tables(tmp_path)
    lane, turn, crossing = read_nuscenes_map(tmp_path / "maps" / "expansion" / "boston-seaport.json")
    assert lane.left_m.tolist() == [[0.0, 1.5], [10.0, 1.5]]
    assert lane.right_m.tolist() == [[0.0, -1.5], [10.0, -1.5]]
    np.testing.assert_allclose(turn.centre_m[[0, -1]], [[10.0, 0.0], [15.0, 5.0]], atol=1e-3)
    np.testing.assert_allclose(np.hypot(*(turn.centre_m - [10.0, 5.0]).T), 5.0, atol=1e-3)  # on the circle
    assert not crossing.drivable


def test_a_path_of_three_arcs_ends_where_its_geometry_does() -> None:
    """Half a circle to the left, 4 m straight back, half a circle to the right: 4 m behind and 40 m to the left."""
    half = 10.0 * np.pi
    line_m = centre_line(arc([0.0, 0.0, 0.0], "LSR", 10.0, [half, 4.0, half]))
    np.testing.assert_allclose(line_m[-1], [-4.0, 40.0], atol=1e-9)
    assert np.hypot(*np.diff(line_m, axis=0).T).max() <= 1.0 + 1e-9


@pytest.mark.parametrize(
    ("table", "old", "new", "said"),
    [
        ("sample", "[", "{", "expected a table of nuScenes .a list of objects., got ValueError: text that begins"),
        ("sample", '"timestamp"', '"time"', r"sample\.json, object 0: expected token, scene_token, timestamp, got"),
        ("sample", str(START_US), '"noon"', "expected a timestamp in us, got 'noon'"),
        ("sample_annotation", "4.5", '"long"', "expected 3 numbers, got ValueError"),
        ("sample_annotation", "100.0", "NaN", "expected 3 finite numbers"),
        ("sample_annotation", "car1", "", None),
        ("ego_pose", "}", "", r"ego_pose\.json: expected a table of nuScenes"),
        ("scene", "},", "} 7", "where an object was expected"),
    ],
)
def test_broken_tables_are_named(tmp_path: Path, table: str, old: str, new: str, said: str | None) -> None:
    path = write_tables(tmp_path)
    file = path.with_name(f"{table}.json")
    file.write_text(file.read_text().replace(old, new, 1))
    if said is None:
        assert len(list(load_scenes(path))) == 2
        return
    with pytest.raises(InputError, match=said) as raised:
        list(load_scenes(path))
    assert str(path.parent) in str(raised.value)


def test_a_missing_table_and_a_broken_map(tmp_path: Path) -> None:
    path = write_tables(tmp_path)
    broken = a_map()
    broken["arcline_path_3"]["l1"][0]["radius"] = 0.0
    (tmp_path / "maps" / "expansion" / "boston-seaport.json").write_text(json.dumps(broken))
    with pytest.raises(InputError, match=r"boston-seaport\.json: expected a map of nuScenes"):
        next(load_scenes(path))
    path.with_name("log.json").unlink()
    with pytest.raises(InputError, match=r"log\.json: no such file"):
        next(load_scenes(path))
