"""Argoverse 2's sensor logs, made here after av2-api's columns: no real log is at hand."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trajnet.datasets.files import find_scenes, load_scene, scene_kind
from trajnet.errors import InputError
from trajnet.scenes.av2_sensor import EGO_AHEAD_M
from trajnet.types import ObjectClass

pa = pytest.importorskip("pyarrow")
feather = pytest.importorskip("pyarrow.feather")

START_NS = 315_966_000_000_000_000
HALF = float(np.sqrt(0.5))


def write_log(folder: Path, **changed: Any) -> Path:
    """Write a log: the vehicle at (100, 50) looks along +y, a car 10 m before it along its axis, a cone, a cyclist."""
    folder.mkdir(parents=True, exist_ok=True)
    times = [START_NS, START_NS + 100_000_000]
    box = {
        "timestamp_ns": [times[0], times[1], times[0], times[1]],
        "track_uuid": ["car", "car", "cone", "rider"],
        "category": ["REGULAR_VEHICLE", "REGULAR_VEHICLE", "CONSTRUCTION_CONE", "BICYCLIST"],
        "length_m": [4.5, 4.5, 0.3, 1.8],
        "width_m": [1.9, 1.9, 0.3, 0.6],
        "height_m": [1.5] * 4,
        "tx_m": [10.0, 10.0, 1.0, 0.0],
        "ty_m": [0.0, 0.0, 1.0, 3.0],
        "tz_m": [0.5] * 4,
        "qw": [1.0, 1.0, 1.0, HALF],
        "qx": [0.0] * 4,
        "qy": [0.0] * 4,
        "qz": [0.0, 0.0, 0.0, HALF],
        "num_interior_pts": [5] * 4,
    }
    poses = {
        "timestamp_ns": [times[1], START_NS + 50_000_000, times[0]],
        "qw": [HALF] * 3,
        "qx": [0.0] * 3,
        "qy": [0.0] * 3,
        "qz": [HALF] * 3,
        "tx_m": [100.0] * 3,
        "ty_m": [51.0, 50.5, 50.0],
        "tz_m": [7.0] * 3,
    }
    tables = {"annotations.feather": box, "city_SE3_egovehicle.feather": poses}
    for name, columns in tables.items():
        columns.update({key: value for key, value in changed.items() if key in columns and name.startswith("a")})
        feather.write_feather(pa.table(columns), folder / name)
    lane = {"left_lane_boundary": line(0.0), "right_lane_boundary": line(3.0)}
    (folder / "map").mkdir(exist_ok=True)
    (folder / "map" / "log_map_archive_x____PIT_city_1.json").write_text(json.dumps({"lane_segments": {"1": lane}}))
    return folder / "annotations.feather"


def line(x: float) -> list[dict[str, float]]:
    return [{"x": x, "y": y, "z": 0.0} for y in (0.0, 10.0)]


def test_boxes_are_put_into_the_city_and_the_vehicle_is_a_track(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_log(tmp_path / "val" / "log-1")
    with caplog.at_level(logging.INFO):
        scene = load_scene(path)
    assert (scene_kind(path), scene.scene_id, find_scenes(tmp_path)) == ("av2_sensor", "log-1", [path])
    assert scene.track_id == ("ego", "car", "rider")
    assert scene.object_class.tolist() == [ObjectClass.CAR, ObjectClass.CAR, ObjectClass.BICYCLE]
    assert scene.timestamp_ns.tolist() == [START_NS, START_NS + 100_000_000]
    last = scene.frame(1)
    # Turned by 90 degrees: 10 m ahead is +y, 3 m to the left is -x.
    expected_m = np.array([[100.0, 51.0 + EGO_AHEAD_M], [100.0, 61.0], [97.0, 51.0]])
    np.testing.assert_allclose(last.position_m, expected_m, atol=1e-9)
    np.testing.assert_allclose(np.cos(last.yaw_rad), [0, 0, -1], atol=1e-9)
    np.testing.assert_allclose(np.sin(last.yaw_rad), [1, 1, 0], atol=1e-9)
    assert not scene.velocity_valid.any()
    assert "left out 1 boxes CONSTRUCTION_CONE" in caplog.text
    assert [lane.centre_m.tolist() for lane in scene.lanes] == [[[1.5, 0.0], [1.5, 10.0]]]


def test_a_slope_does_not_bend_the_plane(tmp_path: Path) -> None:
    """A vehicle that looks 30 degrees upwards: 10 m ahead of it are 8.66 m on the map."""
    path = write_log(tmp_path / "log")
    half = np.deg2rad(-15.0)  # about y, downwards is positive
    poses = {
        "timestamp_ns": [START_NS, START_NS + 100_000_000],
        "qw": [float(np.cos(half))] * 2,
        "qx": [0.0] * 2,
        "qy": [float(np.sin(half))] * 2,
        "qz": [0.0] * 2,
        "tx_m": [0.0] * 2,
        "ty_m": [0.0] * 2,
        "tz_m": [0.0] * 2,
    }
    feather.write_feather(pa.table(poses), path.with_name("city_SE3_egovehicle.feather"))
    car = load_scene(path).frame(0).position_m[1]
    np.testing.assert_allclose(car, [10 * np.cos(np.pi / 6) - 0.5 * np.sin(np.pi / 6), 0.0], atol=1e-9)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"tx_m": [float("nan"), 1.0, 1.0, 1.0]}, r"annotations\.feather, row 0: expected a finite tx_m"),
        ({"qw": [2.0, 1.0, 1.0, 1.0]}, r"annotations\.feather: expected unit quaternions, got one of length 2"),
        ({"timestamp_ns": [5, 6, 7, 8]}, r"egovehicle\.feather: expected a pose at each annotated time, got none at 5"),
        ({"timestamp_ns": [START_NS] * 4}, r"annotations\.feather: .*'car' twice in frame"),
        ({"length_m": ["a"] * 4}, r"column length_m: expected numbers, got string"),
        ({"track_uuid": pa.array([b"car\xd0"] * 4).view(pa.string())}, r"annotations\.feather: .*UTF8"),
    ],
)
def test_broken_logs_are_named(tmp_path: Path, changed: dict[str, Any], said: str) -> None:
    path = write_log(tmp_path / "log", **changed)
    with pytest.raises(InputError, match=said):
        load_scene(path)


def test_missing_poses_and_other_files(tmp_path: Path) -> None:
    path = write_log(tmp_path / "log")
    path.with_name("city_SE3_egovehicle.feather").unlink()
    with pytest.raises(InputError, match=r"city_SE3_egovehicle\.feather: no such file"):
        load_scene(path)
    path.write_bytes(b"no feather")
    with pytest.raises(InputError, match="expected a table in Feather"):
        load_scene(path)
