"""Waymo's scenarios: made by an independent encoder, and the real one where there is data."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from tests.unit.scenes import womd_files as made
from trajnet.datasets.files import find_scenes, load_scene, load_scenes, scene_kind
from trajnet.errors import InputError
from trajnet.scenes.tfrecord import crc32c, read_records
from trajnet.types import ObjectClass

pytest.importorskip("google.protobuf")

SHARD = "validation.tfrecord-00003-of-00150"


def test_the_check_sum_is_that_of_the_standard_and_of_every_length() -> None:
    assert crc32c(b"123456789") == 0xE3069283  # RFC 3720's check value
    data = np.random.default_rng(0).integers(0, 256, 5000, dtype=np.uint8).tobytes()
    for size in (0, 1, 1023, 1024, 1025, 2048, 5000):
        assert crc32c(data[:size]) == made.crc32c(data[:size])


def test_a_scenario_becomes_a_scene(tmp_path: Path) -> None:
    path = made.write_shard(tmp_path / SHARD, made.scenario())
    assert scene_kind(path) == "womd"
    scene = load_scene(path)
    assert (scene.scene_id, scene.track_id) == ("abc", ("7", "-1", "9"))
    assert scene.timestamp_ns.tolist() == [0, 100_000_000, 200_000_000]  # steps of the benchmark, not 100.00002 s
    assert scene.object_class.tolist() == [ObjectClass.CAR, ObjectClass.PEDESTRIAN, ObjectClass.UNKNOWN]
    assert scene.frame(1).track_id == ("7", "9")
    frame = scene.frame(2)
    assert frame.position_m.tolist() == [[2.0, 0.0], [5.0, 3.0], [-5.0, 3.0]]
    assert frame.velocity_mps[0].tolist() == [10.0, 0.0]
    assert frame.yaw_rad.tolist() == [0.25] * 3
    assert frame.size_m[0].tolist() == [4.5, 2.0]
    targets = np.flatnonzero(scene.is_target)
    assert [(scene.row_frame[r], scene.row_track[r]) for r in targets] == [(1, 0)]
    assert "non-commercial" in scene.licence


def test_borders_follow_the_lines_beside_a_lane(tmp_path: Path) -> None:
    lane, crossing = load_scene(made.write_shard(tmp_path / SHARD, made.scenario())).lanes
    assert lane.centre_m.tolist() == [[0.0, 0.0], [10.0, 0.0]]  # the point on the straight line is left out
    assert lane.left_m.tolist() == [[0.0, 1.5], [10.0, 1.5]]
    assert lane.right_m.tolist() == [[0.0, -1.8], [10.0, -1.8]]  # no line on this side
    assert not crossing.drivable
    assert sorted(np.abs(np.diff(crossing.left_m, axis=0))[0].tolist()) == [0.0, 10.0]
    assert np.abs(crossing.left_m - crossing.right_m).max() == pytest.approx(3.0)


def test_what_a_scene_has_no_place_for_is_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = made.write_shard(tmp_path / SHARD, made.scenario("a"), made.scenario("b", steps=4))
    with caplog.at_level(logging.INFO):
        assert [scene.scene_id for scene in load_scenes(path)] == ["a", "b"]
    assert "2 scenarios, left out 2 stop sign, 7 traffic light states" in caplog.text
    assert find_scenes(tmp_path) == [path]
    with pytest.raises(InputError, match="expected a file of one scene, got one of several"):
        load_scene(path)


def test_scenarios_come_one_by_one_until_the_broken_one(tmp_path: Path) -> None:
    path = made.write_shard(tmp_path / SHARD, made.scenario("a"), made.scenario("b"))
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    scenes = load_scenes(path)
    assert next(scenes).scene_id == "a"
    with pytest.raises(
        InputError, match=r"of-00150, record 1 at byte \d+: expected [\d,]+ bytes, got [\d,]+: it is cut"
    ):
        next(scenes)
    path.write_bytes(whole[:-100] + bytes([whole[-100] ^ 1]) + whole[-99:])
    with pytest.raises(InputError, match=r"record 1 at byte \d+: its data: expected the check sum 0x"):
        list(read_records(path))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "expected 1 to 100,000 finite timestamps in s, got 0"),
        (b"\x0f\xff\xff", "record 0: expected a scenario, got DecodeError"),
        (made.scenario(times_s=(0.0, float("nan"), 0.2)), "finite timestamps"),
        (made.scenario(times_s=(0.0, 0.1)), "track 7: expected 2 states, one for each timestamp, got 3"),
        (made.scenario(times_s=(0.0, 0.5, 0.3)), "strictly increasing timestamps"),
        (made.scenario(extra=made.whole(10, 3)), "expected a current step of 0..2, got 3"),
        (made.scenario(extra=made.message(11, made.whole(1, 9))), "tracks_to_predict: expected 0..2, got 9"),
        (made.scenario(extra=made.track(7, 1, *[made.state(0, 0, 0)] * 3)), "'7' twice in frame 0|each track once"),
        (made.scenario(extra=made.track(8, 1, *[made.state(float("inf"), 0, 0)] * 3)), "position_m: expected finite"),
    ],
)
def test_broken_scenarios_name_file_record_and_value(tmp_path: Path, data: bytes, said: str) -> None:
    path = made.write_shard(tmp_path / "x.tfrecord", data)
    with pytest.raises(InputError, match=rf"x\.tfrecord, record 0: .*({said})|x\.tfrecord, {said}"):
        load_scene(path)


def test_the_real_scenario(data_dir: Path) -> None:
    path = data_dir / "samples" / "womd" / "motion_data_one_scenario.tfrecord"
    if not path.is_file():
        pytest.skip(f"no {path}")
    scene = load_scene(path)
    assert (scene.scene_id, len(scene.track_id), scene.frame_count) == ("637f20cafde22ff8", 83, 91)
    assert int(scene.is_target.sum()) == 3
    assert set(scene.row_frame[scene.is_target].tolist()) == {10}
    lanes = [lane for lane in scene.lanes if lane.drivable]
    assert (len(lanes), len(scene.lanes)) == (198, 202)
    # Measured velocities are those of the positions: differences agree to 0.3 m/s in the median.
    errors_mps = []
    for rows in scene.rows_by_track():
        whole = np.diff(scene.row_frame[rows]) == 1
        moved = np.diff(scene.position_m[rows], axis=0)[whole] / 0.1
        errors_mps += np.hypot(*(moved - scene.velocity_mps[rows][1:][whole]).T).tolist()
    assert np.median(errors_mps) < 0.3
