"""A scene in real time through DDS: what leaves the node is what the same scene gives offline."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs the ROS 2 of .venv-ros: python3 tests/ros/make_ros_env.py")

from autoware_perception_msgs.msg import PredictedObjects, TrackedObjects
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from rosgraph_msgs.msg import Clock

from trajnet.inference import Stream, load_predictor
from trajnet.ros.bag_export import export_bag
from trajnet.ros.bag_import import open_scene
from trajnet.ros.cdr import PredictedObjects as Predicted
from trajnet.ros.cdr import decode_predicted
from trajnet.ros.conventions import object_ids
from trajnet.ros.from_autoware import MessageCleaner
from trajnet.ros.node import INPUT_TOPIC, OUTPUT_TOPIC
from trajnet.ros.published_paths import PathGrid, PresentObjects, PublishedPaths
from trajnet.ros.to_autoware import held, tracked_objects
from trajnet.scenes import write_scene
from trajnet.types import DEFAULT_SIZE_M, ObjectClass, Scene

if TYPE_CHECKING:
    from tests.ros.ros_harness import Ros

pytestmark = pytest.mark.ros
ROOT = Path(__file__).resolve().parents[2]


def town(frames: int, tracks: int = 12) -> Scene:
    """Objects of all classes on arcs, 10 Hz: they are born, lost for some frames and gone; one of them stands."""
    rng = np.random.default_rng(7)
    step, index = np.meshgrid(np.arange(frames), np.arange(tracks), indexing="ij")
    born = rng.integers(0, max(1, frames // 3), tracks)
    died = rng.integers(2 * frames // 3, frames + 1, tracks)
    seen = (step >= born) & (step < died) & ((step + 3 * index) % 17 != 0)  # now and then a track misses a frame
    row_frame, row_track = step[seen], index[seen]
    speed = rng.uniform(1.0, 14.0, tracks)
    speed[0] = 0.0
    turn, start = rng.uniform(-0.15, 0.15, tracks), rng.uniform(-np.pi, np.pi, tracks)
    origin = rng.uniform(-80, 80, (tracks, 2))
    time_s = row_frame * 0.1
    yaw = start[row_track] + turn[row_track] * time_s
    radius = (speed / turn)[row_track, None]
    first = start[row_track]
    arc = np.stack([np.sin(yaw) - np.sin(first), np.cos(first) - np.cos(yaw)], axis=1)
    object_class = (np.arange(tracks) % len(ObjectClass)).astype(np.int8)
    velocity = speed[row_track, None] * np.stack([np.cos(yaw), np.sin(yaw)], axis=1)
    known = row_track % 4 != 3  # every fourth track comes without a velocity
    return Scene(
        scene_id="town", timestamp_ns=np.arange(frames) * 100_000_000, frame_number=np.arange(frames),
        track_id=tuple(f"track-{i}" for i in range(tracks)), object_class=object_class,
        size_m=DEFAULT_SIZE_M[object_class],
        row_frame=row_frame, row_track=row_track, position_m=origin[row_track] + radius * arc, yaw_rad=yaw,
        yaw_valid=np.ones(len(yaw), bool), velocity_mps=np.where(known[:, None], velocity, 0.0), velocity_valid=known,
        is_target=np.zeros(len(yaw), bool),
    )  # fmt: skip


def offline(scene: Scene, model: str) -> list[PublishedPaths]:
    """Predict as the evaluation does: frames of the scene into a Stream, no bytes and no ROS in between."""
    stream, cleaner = Stream(load_predictor(model)), MessageCleaner()
    grid = PathGrid(stream.predictor.time_s, 6.0, 0.5)
    found = []
    for frame in scene.frames():
        prediction = stream.update(frame, frame.timestamp_ns)
        count = len(frame)
        rows = type(prediction)(
            prediction.timestamp_ns, prediction.track_id[:count], prediction.time_s, prediction.position_m[:count],
            prediction.yaw_rad[:count], prediction.covariance_m2[:count], prediction.probability[:count],
            prediction.source[:count], prediction.age_s[:count],
        )  # fmt: skip
        covariance_m2, z_m = np.zeros((count, 2, 2)), np.zeros(count)
        present = PresentObjects(frame.position_m, frame.yaw_rad, frame.yaw_valid, covariance_m2, z_m)
        paths = grid.paths(rows, present, 6)
        found.append(held(paths, cleaner.clean(tracked_objects(frame)).hold))
    return found


def assert_same_paths(got: Predicted, expected: PublishedPaths) -> None:
    """Positions to 1e-3 m, confidences to 1e-5; a path of confidence 0 is not published."""
    points = expected.yaw_rad.shape[2]
    published = expected.probability.astype(np.float32) > 0
    published[:, :1] = True
    assert got.path_count.tolist() == published.sum(axis=1).tolist()
    assert got.pose_count.tolist() == [points] * int(published.sum())
    assert np.abs(got.path_pose.reshape(-1, points, 7)[..., :2] - expected.position_m[published]).max(initial=0) < 1e-3
    assert np.abs(got.path_confidence - expected.probability[published]).max(initial=0) < 1e-5


def stamp_ns(message: Clock) -> int:
    return int(message.clock.sec) * 1_000_000_000 + int(message.clock.nanosec)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["kalman", "shipped"])
def test_twenty_seconds_at_10_hz_equal_the_offline_evaluation(ros: Ros, tmp_path: Path, model: str) -> None:
    if model == "shipped":
        models = sorted((ROOT / "trajnet/models").glob("*.onnx"))
        if not models:
            pytest.skip("this checkout ships no model")
        model = str(models[0])
    scene = town(frames=200)
    write_scene(scene, tmp_path / "town.parquet")
    # No budget and a long queue: a slow machine may not change what is predicted.
    ros.predictor(model=model, budget_ms=0.0, queue_depth=1000, use_sim_time=True)
    ros.ready(INPUT_TOPIC, OUTPUT_TOPIC)
    answers = ros.collect(PredictedObjects, OUTPUT_TOPIC, raw=True)
    clock = ros.collect(Clock, "/clock")
    player = ros.start("trajnet.ros.player", scene=tmp_path / "town.parquet", wait_for_subscriber=True)
    ros.spin_until(lambda: len(answers) == scene.frame_count, "all frames", patience_s=300.0)
    assert player.wait() == 0
    assert f"played {scene.frame_count} frames" in player.log

    expected = offline(scene, model)
    offset_ns = 1_000_000_000  # the scene begins at 0, which ROS takes for "no time yet"
    for index, data in enumerate(answers):
        got = decode_predicted(data)
        assert got.stamp_ns == int(scene.timestamp_ns[index]) + offset_ns
        assert got.frame_id == "map"
        assert np.array_equal(got.object_id, object_ids(scene.frame(index).track_id))
        assert_same_paths(got, expected[index])
    # The last answer may overtake the last tick: two topics have no common order.
    end_ns = int(scene.timestamp_ns[-1]) + offset_ns
    ros.spin_until(lambda: stamp_ns(clock[-1]) >= end_ns, "the last frame's time on /clock")
    assert np.all(np.diff([stamp_ns(c) for c in clock]) >= 0)


def test_a_bag_that_was_cut_off_waits_for_the_predictor_and_loses_no_frame(ros: Ros, tmp_path: Path) -> None:
    export_bag(town(frames=30), tmp_path / "town.mcap")
    whole = (tmp_path / "town.mcap").read_bytes()
    (tmp_path / "cut.mcap").write_bytes(whole[: len(whole) // 2])
    expected = open_scene(tmp_path / "cut.mcap").frame_count
    assert 0 < expected < 30
    reports = ros.collect(DiagnosticArray, "/diagnostics")
    player = ros.start("trajnet.ros.player", scene=tmp_path / "cut.mcap", wait_for_subscriber=True)
    ros.spin_until(lambda: ros.node.count_publishers(INPUT_TOPIC) > 0, "the player")
    ros.spin_until(lambda: f"waits for a node that subscribes to {INPUT_TOPIC}" in player.log, "what it waits for")
    ros.spin_for(1.0)
    assert player.running
    ros.predictor(use_sim_time=True, queue_depth=1000)

    def heard() -> int:
        statuses = [s for r in reports[-1:] for s in r.status if s.name.endswith("input")]
        return next((int(v.value) for s in statuses for v in s.values if v.key == "messages_total"), 0)

    ros.spin_until(lambda: heard() == expected, "every frame of the bag")
    assert player.wait() == 0
    assert f"played {expected} frames" in player.log
    assert any("[WARN]" in line and "was cut off" in line for line in player.log.splitlines())  # so /rosout has it


def test_the_player_loops_pauses_and_changes_its_rate(ros: Ros, tmp_path: Path) -> None:
    scene = town(frames=10)
    write_scene(scene, tmp_path / "short.parquet")
    frames = ros.collect(TrackedObjects, "/tracks", raw=True)
    player = ros.start(
        "trajnet.ros.player", "-r", "~/output/objects:=/tracks",
        scene=tmp_path / "short.parquet", loop=True, rate=5.0, loops=True,
    )  # fmt: skip
    ros.spin_until(lambda: len(frames) > 25, "more frames than the scene has")
    assert "parameter loops: no such parameter, ignored; did you mean loop?" in player.log

    def set_parameter(name: str, value: object) -> None:
        request = SetParameters.Request(parameters=[Parameter(name, value=value).to_parameter_msg()])
        (result,) = ros.call(SetParameters, "/trajnet_player/set_parameters", request).results
        assert result.successful, result.reason

    set_parameter("paused", True)
    ros.spin_for(0.2)
    count = len(frames)
    ros.spin_for(0.5)
    assert len(frames) == count
    set_parameter("rate", 1.0)
    set_parameter("paused", False)
    ros.spin_until(lambda: len(frames) > count + 5, "frames after the pause")


@pytest.mark.parametrize(
    ("parameters", "complaint"),
    [
        ({}, "scene: expected the path of a scene or a bag, got none"),
        ({"scene": "/no/such/scene.parquet"}, "/no/such/scene.parquet"),
        ({"scene": "SCENE", "rate": 0.0}, "rate out of range"),
        ({"scene": "SCENE", "start_s": 99.0}, "expected frames between 99 s and inf s, found none"),
    ],
)
def test_what_it_cannot_play_ends_it_with_one_line(
    ros: Ros, tmp_path: Path, parameters: dict[str, object], complaint: str
) -> None:
    write_scene(town(frames=3), tmp_path / "short.parquet")
    given = {k: str(tmp_path / "short.parquet") if v == "SCENE" else v for k, v in parameters.items()}
    player = ros.start("trajnet.ros.player", **given)
    assert player.wait() == 2
    lines = player.log.strip().splitlines()
    assert len(lines) == 1
    assert complaint in lines[0]


def test_the_node_brings_neither_torch_nor_pyarrow_along() -> None:
    heavy = "'torch', 'onnx', 'pyarrow', 'rich', 'typer', 'commonroad'"
    code = f"import sys, trajnet.ros.node; print([m for m in ({heavy}) if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout.strip() == "[]"
