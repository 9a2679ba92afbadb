"""nuPlan's logs, made here after the tables of nuplan-devkit: no real log is at hand."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from tests.unit.scenes.nuplan_files import START_US, write_log
from trajnet.datasets.files import load_scene, load_scenes, scene_kind
from trajnet.errors import InputError
from trajnet.types import ObjectClass


def test_a_log_is_cut_into_its_scenes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_log(tmp_path / "2021.05.12_veh-25.db", scenes=2)
    with caplog.at_level(logging.INFO):
        first, second = load_scenes(path)
    assert scene_kind(path) == "nuplan"
    assert first.scene_id == "2021.05.12_veh-25_scene-000"
    assert first.source == "nuPlan, us-nv-las-vegas-strip"
    assert first.timestamp_ns.tolist() == [START_US * 1000, START_US * 1000 + 50_000_000]
    assert second.timestamp_ns[0] == START_US * 1000 + 100_000_000
    assert first.track_id == ("ego", "a1", "b2")
    assert first.object_class.tolist() == [ObjectClass.CAR, ObjectClass.CAR, ObjectClass.PEDESTRIAN]
    assert "left out 1 states of traffic lights, 4 traffic_cone" in caplog.text
    with pytest.raises(InputError, match="expected a file of one scene, got one of several"):
        load_scene(path)


def test_the_vehicle_is_turned_into_the_map(tmp_path: Path) -> None:
    scene = load_scene(write_log(tmp_path / "log.db"))
    frame = scene.frame(0)
    # The rear axle is at (100, 200), looking along +y; its velocity of 5 m/s is along its own axis.
    np.testing.assert_allclose(frame.position_m[0], [100.0, 201.461], atol=1e-9)
    np.testing.assert_allclose(frame.yaw_rad[0], np.pi / 2)
    np.testing.assert_allclose(frame.velocity_mps[0], [0.0, 5.0], atol=1e-9)
    assert frame.position_m[1].tolist() == [110.0, 220.0]
    assert frame.velocity_mps[1].tolist() == [1.0, 2.0]
    assert frame.size_m[1].tolist() == [4.5, 1.9]


def test_a_velocity_that_is_not_known_is_not_zero(tmp_path: Path) -> None:
    path = write_log(tmp_path / "log.db")
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE lidar_box SET vx = NULL WHERE track_token = x'B2'")
    frame = load_scene(path).frame(0)
    assert frame.velocity_valid.tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE lidar_box SET x = 'east'", "table lidar_box: expected times in us and numbers, got"),
        ("UPDATE lidar_box SET y = NULL", "position_m: expected finite values"),
        ("UPDATE category SET name = 'ship'", "expected a category of vehicle, .*, got 'ship'"),
        ("UPDATE lidar_pc SET timestamp = 9000000000000000000", "expected times in us, got 9000000000000000000"),
        ("DELETE FROM scene", "expected scenes in the table scene, got none"),
        ("DROP TABLE track", "expected a log of nuPlan .SQLite., got OperationalError: no such table: track"),
    ],
)
def test_broken_logs_are_named(tmp_path: Path, change: str, said: str) -> None:
    path = write_log(tmp_path / "log.db")
    with sqlite3.connect(path) as connection:
        connection.execute(change)
    with pytest.raises(InputError, match=rf"log\.db.*{said}"):
        load_scene(path)


def test_another_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "thumbs.db"
    path.write_bytes(b"no database at all, but long enough to be asked")
    with pytest.raises(InputError, match=r"thumbs\.db: expected a log of nuPlan .SQLite., got DatabaseError"):
        load_scene(path)
