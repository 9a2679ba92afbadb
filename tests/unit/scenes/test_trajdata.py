"""trajdata's caches: those in tests/golden/trajdata_cache were made by trajdata 1.4.0 (tests/trajdata_cache.py)."""

from __future__ import annotations

import logging
import os
import pickle
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests import trajdata_cache
from trajnet.datasets.files import companions_of, find_scenes, load_scene, scene_kind
from trajnet.errors import DependencyError, InputError
from trajnet.types import ObjectClass

pa = pytest.importorskip("pyarrow")
feather = pytest.importorskip("pyarrow.feather")

CACHE = Path(__file__).resolve().parents[2] / "golden" / "trajdata_cache"
WALKERS = CACHE / "eupeds_eth" / "biwi_eth" / "agent_data_dt0.40.feather"
ROAD = CACHE / "nuplan_mini" / "log=1" / "agent_data_dt0.10.feather"


@pytest.fixture
def road(tmp_path: Path) -> Path:
    """A copy of the cache that may be broken."""
    shutil.copytree(CACHE, tmp_path / "cache")
    return tmp_path / "cache" / ROAD.relative_to(CACHE)


def test_road_users_have_classes_sizes_and_velocities() -> None:
    scene = load_scene(ROAD)
    assert scene_kind(ROAD) == "trajdata"
    assert (scene.scene_id, scene.source) == ("nuplan_mini/log=1", "trajdata, nuplan_mini")
    assert scene.track_id == tuple(name for name, *_ in trajdata_cache.AGENTS)
    assert scene.object_class.tolist() == [ObjectClass.CAR, ObjectClass.PEDESTRIAN, ObjectClass.MOTORCYCLE]
    assert scene.size_m.tolist() == [[length, width] for _, _, length, width, *_ in trajdata_cache.AGENTS]
    assert scene.timestamp_ns.tolist() == [t * 100_000_000 for t in range(trajdata_cache.STEPS)]
    assert scene.velocity_valid.all()
    assert scene.yaw_valid.all()
    frame = scene.frame(3)
    np.testing.assert_allclose(frame.position_m, [[2.4, 0.0], [0.45, 6.0], [1.5, -3.5]], atol=1e-12)
    np.testing.assert_allclose(frame.velocity_mps, [[8.0, 0.0], [1.5, 0.0], [5.0, 0.0]])
    assert len(scene.frame(2).track_id) == 2


def test_the_map_beside_it_is_read_around_the_road_users(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        lanes = {lane.lane_id: lane for lane in load_scene(ROAD).lanes}
    assert list(lanes) == ["with edges", "without", "crossing zebra"]
    np.testing.assert_allclose(lanes["with edges"].left_m, [[0, 1.7], [30, 1.7]], atol=1e-3)
    np.testing.assert_allclose(lanes["with edges"].right_m, [[0, -1.6], [30, -1.6]], atol=1e-3)
    np.testing.assert_allclose(lanes["without"].left_m, [[0, 5.3], [30, 5.3]], atol=1e-3)
    assert lanes["crossing zebra"].crosswalk
    assert "left out 1 lanes far away, 1 ped_walkway" in caplog.text


def test_what_trajdata_derived_is_not_known() -> None:
    scene = load_scene(WALKERS)
    assert scene.object_class.tolist() == [ObjectClass.PEDESTRIAN] * 3
    assert scene.size_m.tolist() == [[0.75, 0.75]] * 3  # as trajdata has it
    assert not scene.velocity_valid.any()
    assert not scene.yaw_valid.any()
    assert scene.frame_count == trajdata_cache.LATE + trajdata_cache.STEPS  # frames without anybody are there
    np.testing.assert_allclose(scene.frame(2).position_m, [[1.8, 2.0], [2.8, 4.0]])


def test_a_table_at_another_rate_is_not_a_scene_of_its_own() -> None:
    assert find_scenes(CACHE) == [WALKERS, ROAD]
    other = load_scene(WALKERS.with_name("agent_data_dt0.20.feather"))  # unless it is named
    assert other.frame_count == 2 * load_scene(WALKERS).frame_count - 1


def test_tables_at_other_rates_are_scenes_where_the_recordings_own_is_gone(tmp_path: Path) -> None:
    shutil.copytree(WALKERS.parent, tmp_path / "biwi_eth")
    other = tmp_path / "biwi_eth" / "agent_data_dt0.20.feather"
    (tmp_path / "biwi_eth" / WALKERS.name).rename(other.with_name("agent_data_dt0.10.feather"))
    shutil.copy(other.with_name("scene_metadata_dt0.20.dill"), other.with_name("scene_metadata_dt0.10.dill"))
    assert find_scenes(tmp_path) == [other.with_name("agent_data_dt0.10.feather"), other]


def test_the_files_beside_a_table_are_known() -> None:
    assert companions_of(ROAD) == [
        ROAD.with_name("scene_metadata_dt0.10.dill"),
        CACHE / "nuplan_mini" / "maps" / "town.pb",
    ]


def _changed(path: Path, without: tuple[str, ...] = (), **columns: list[float]) -> None:
    table = feather.read_table(path, memory_map=False)
    for name, values in columns.items():
        table = table.append_column(name, pa.array(values))
    feather.write_feather(table.drop_columns(list(without)), path)


def test_sizes_of_the_table_come_first_and_headings_may_be_sine_and_cosine(road: Path) -> None:
    wanted = load_scene(ROAD)
    one = np.ones(len(wanted.row_frame))
    length_m = np.where(np.arange(len(one)) % 2, 3.0, np.nan)
    _changed(road, ("heading",), length=list(length_m), width=list(one), sin_heading=list(one), cos_heading=list(-one))
    scene = load_scene(road)
    np.testing.assert_allclose(scene.yaw_rad, 0.75 * np.pi)
    assert scene.yaw_valid.all()
    assert scene.size_m[:, 1].tolist() == [1.0] * 3
    assert set(scene.size_m[:, 0]) <= {3.0, *wanted.size_m[:, 0]}
    assert (scene.size_m[:, 0] == 3.0).any()


def test_a_location_leads_to_no_file_outside_the_maps(road: Path) -> None:
    beside, maps = road.with_name("scene_metadata_dt0.10.dill"), road.parents[1] / "maps"
    shutil.move(maps / "town.pb", maps.parent / "x.pb")
    beside.write_bytes(beside.read_bytes().replace(b"town", b"../x"))
    assert load_scene(road).lanes == ()


def _renamed(path: Path) -> None:
    table = feather.read_table(path, memory_map=False)
    feather.write_feather(table.rename_columns(["easting" if n == "x" else n for n in table.column_names]), path)


def _column(path: Path, name: str, values: list[object]) -> None:
    table = feather.read_table(path, memory_map=False)
    values = [*values, *table[name].to_pylist()[len(values) :]]
    place = table.column_names.index(name)
    feather.write_feather(table.set_column(place, name, pa.array(values)), path)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-900])


def _beside(path: Path) -> Path:
    return path.with_name("scene_metadata_dt0.10.dill")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_renamed, r"agent_data_dt0\.10\.feather: expected columns x, got agent_id, scene_ts, easting, y, z"),
        (_cut, r"agent_data_dt0\.10\.feather: expected a table of trajdata .Feather., got"),
        (lambda p: _column(p, "x", [None]), "position_m: expected finite values"),
        (lambda p: _column(p, "scene_ts", [-4]), "expected steps of 0 to 1,000,000 in scene_ts, got int64"),
        (lambda p: _column(p, "agent_id", ["stranger"]), r"agents that scene_metadata_dt0\.10\.dill lists, got 'str"),
        (lambda p: _beside(p).unlink(), r"scene_metadata_dt0\.10\.dill: no such file"),
        (lambda p: _cut(_beside(p)), r"scene_metadata_dt0\.10\.dill: expected a pickle of plain data"),
        (
            lambda p: _beside(p).write_bytes(pickle.dumps({"agents": 3})),
            r"scene_metadata_dt0\.10\.dill: expected the Scene of a trajdata cache, got InputError: got dict",
        ),
        (
            lambda p: (p.parents[1] / "maps" / "town.pb").write_bytes(b"\x12\xff\xff\x01"),
            r"agent_data_dt0\.10\.feather: .*town\.pb: expected a map of trajdata, got DecodeError",
        ),
    ],
)
def test_broken_caches_are_named(road: Path, change: Callable[[Path], object], said: str) -> None:
    change(road)
    with pytest.raises(InputError, match=said):
        load_scene(road)


def test_rows_in_another_order_are_the_same_scene(road: Path) -> None:
    table = feather.read_table(road, memory_map=False)
    feather.write_feather(table.take(np.random.default_rng(0).permutation(table.num_rows)), road)
    found, wanted = load_scene(road), load_scene(ROAD)
    tracks = [found.track_id.index(name) for name in wanted.track_id]
    for frame in range(wanted.frame_count):
        a, b = found.frame(frame), wanted.frame(frame)
        order = [a.track_id.index(name) for name in b.track_id]
        np.testing.assert_array_equal(a.position_m[order], b.position_m)
    np.testing.assert_array_equal(found.object_class[tracks], wanted.object_class)


def test_a_map_needs_protobuf_and_says_so(monkeypatch: pytest.MonkeyPatch, road: Path) -> None:
    monkeypatch.setitem(__import__("sys").modules, "google.protobuf", None)
    with pytest.raises(DependencyError, match=r"trajdata's maps need protobuf, .* 'trajnet-av\[trajdata\]'"):
        load_scene(road)
    (road.parents[1] / "maps" / "town.pb").unlink()
    assert not load_scene(road).lanes  # without a map it is not needed


#: A Python with trajdata (docs/peers.md).
PEERS = os.environ.get("TRAJNET_PEERS_PYTHON", "")


@pytest.mark.skipif(not PEERS, reason="TRAJNET_PEERS_PYTHON names no Python with trajdata (docs/peers.md)")
def test_real_scenes_are_what_trajdata_says_they_are(data_dir: Path, tmp_path: Path) -> None:
    program = Path(trajdata_cache.__file__)
    states, raw = tmp_path / "states.npz", data_dir / "eth_ucy" / "raw" / "all_data"
    command = [PEERS, program, "eth_ucy", raw, tmp_path / "cache", states]
    subprocess.run([str(each) for each in command], check=True, timeout=600, capture_output=True)
    scene = load_scene(find_scenes(tmp_path / "cache")[0])
    with np.load(states) as said:
        keys = zip(said["name"].tolist(), said["step"].tolist(), strict=True)
        rows = dict(zip(keys, said["position_m"].tolist(), strict=True))
    assert len(rows) == len(scene.row_frame) > 5000
    for row, position_m in enumerate(scene.position_m.tolist()):
        key = (scene.track_id[scene.row_track[row]], int(scene.frame_number[scene.row_frame[row]]))
        assert rows[key] == position_m
