"""The predictor as a process of its own, over real DDS."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs the ROS 2 of .venv-ros: python3 tests/ros/make_ros_env.py")

from autoware_perception_msgs.msg import PredictedObjects, TrackedObjects
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import DescribeParameters, SetParameters
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, HistoryPolicy, ReliabilityPolicy
from sensor_msgs.msg import PointCloud2
from visualization_msgs.msg import MarkerArray

from tests.ros.ros_harness import PATIENCE_S, ROOT, own_domain
from trajnet.ros.cdr import decode_predicted, encode_tracked
from trajnet.ros.conventions import object_ids
from trajnet.ros.definitions import TYPE_HASHES
from trajnet.ros.diagnostics import STATUSES
from trajnet.ros.node import INPUT_TOPIC, OUTPUT_TOPIC, qos
from trajnet.ros.optional_messages import float64_class
from trajnet.ros.parameters import ABOUT
from trajnet.ros.to_autoware import tracked_objects
from trajnet.types import ObjectClass, TrackFrame

if TYPE_CHECKING:
    from tests.ros.ros_harness import Ros

pytestmark = pytest.mark.ros
NODE = "/trajnet_predictor"


def message(number: int, *ids: str, frame_id: str = "map") -> bytes:
    """Cars at 10 m/s along x; frame ``number`` of a 10 Hz recording."""
    count = len(ids)
    row, time_s = np.arange(count, dtype=np.float64), number * 0.1
    frame = TrackFrame(
        1_700_000_000_000_000_000 + number * 100_000_000, ids, np.full(count, ObjectClass.CAR),
        np.stack([10 * time_s + 0 * row, 10 * row], 1), np.zeros(count), np.ones(count, bool),
        np.stack([10 + 0 * row, 0 * row], 1), np.ones(count, bool), np.tile([4.0, 2.0], (count, 1)),
    )  # fmt: skip
    return encode_tracked(tracked_objects(frame, frame_id))


class Tracker:
    """Publishes frames and waits for what the predictor makes of each."""

    def __init__(self, ros: Ros, input_topic: str = INPUT_TOPIC, output_topic: str = OUTPUT_TOPIC) -> None:
        self._ros = ros
        self.number = 0
        self.publisher = ros.node.create_publisher(TrackedObjects, input_topic, qos(10))
        self.answers = ros.collect(PredictedObjects, output_topic, raw=True)

    def ask(self, *ids: str, frame_id: str = "map") -> Any:
        """Return the decoded answer to the next frame."""
        self._ros.spin_until(lambda: self.publisher.get_subscription_count() > 0, "a node that listens")
        if self.number == 0:
            self._ros.introduce(NODE)
        before = len(self.answers)
        self.publisher.publish(message(self.number, *ids, frame_id=frame_id))
        self.number += 1
        self._ros.spin_until(lambda: len(self.answers) > before, "predictions")
        return decode_predicted(self.answers[-1])


def state(ros: Ros) -> int:
    return int(ros.call(GetState, f"{NODE}/get_state", GetState.Request()).current_state.id)


def change(ros: Ros, transition: int) -> bool:
    request = ChangeState.Request(transition=Transition(id=transition))
    return bool(ros.call(ChangeState, f"{NODE}/change_state", request).success)


def set_parameter(ros: Ros, name: str, value: Any) -> tuple[bool, str]:
    request = SetParameters.Request(parameters=[Parameter(name, value=value).to_parameter_msg()])
    (result,) = ros.call(SetParameters, f"{NODE}/set_parameters", request).results
    return bool(result.successful), str(result.reason)


def test_it_just_runs_on_autowares_topics_with_autowares_qos_and_types(ros: Ros) -> None:
    node = ros.predictor()
    ros.ready(INPUT_TOPIC, OUTPUT_TOPIC)
    (listens,) = ros.node.get_subscriptions_info_by_topic(INPUT_TOPIC)
    (speaks,) = ros.node.get_publishers_info_by_topic(OUTPUT_TOPIC)
    for info in (listens, speaks):
        assert info.qos_profile.reliability == ReliabilityPolicy.RELIABLE
        assert info.qos_profile.durability == DurabilityPolicy.VOLATILE
        assert info.qos_profile.history in (HistoryPolicy.KEEP_LAST, HistoryPolicy.UNKNOWN)  # DDS does not tell it
        assert str(info.topic_type_hash) == TYPE_HASHES[info.topic_type]
    tracker = Tracker(ros)
    got = tracker.ask("a", "b")
    assert (got.frame_id, got.stamp_ns) == ("map", 1_700_000_000_000_000_000)
    assert np.array_equal(got.object_id, object_ids(("a", "b")))
    assert got.path_count.tolist() == [1, 1]
    assert got.path_pose.reshape(2, 13, 7)[1, 12, :2] == pytest.approx([60.0, 10.0])
    assert node.interrupt() == 0
    assert "Traceback" not in node.log


def test_autowares_launch_file_remaps_its_private_topics(ros: Ros) -> None:
    ros.predictor("-r", "~/input/objects:=/tracks", "-r", "~/output/objects:=/predictions")
    ros.ready("/tracks", "/predictions")
    assert Tracker(ros, "/tracks", "/predictions").ask("a").path_count.tolist() == [1]
    assert ros.node.count_subscribers(INPUT_TOPIC) == 0


def test_lifecycle(ros: Ros) -> None:
    node = ros.predictor(autostart=False)
    assert state(ros) == State.PRIMARY_STATE_UNCONFIGURED
    assert ros.node.count_subscribers(INPUT_TOPIC) == 0
    tracker = Tracker(ros)
    assert not change(ros, Transition.TRANSITION_ACTIVATE)

    assert change(ros, Transition.TRANSITION_CONFIGURE)
    assert state(ros) == State.PRIMARY_STATE_INACTIVE
    ros.ready(INPUT_TOPIC, OUTPUT_TOPIC)
    tracker.publisher.publish(message(0, "a"))
    ros.spin_for(0.5)
    assert tracker.answers == []

    assert change(ros, Transition.TRANSITION_ACTIVATE)
    assert state(ros) == State.PRIMARY_STATE_ACTIVE
    tracker.number = 1
    assert tracker.ask("a").path_count.tolist() == [1]

    assert change(ros, Transition.TRANSITION_DEACTIVATE)
    tracker.publisher.publish(message(10, "a"))
    ros.spin_for(0.5)
    assert len(tracker.answers) == 1
    assert change(ros, Transition.TRANSITION_ACTIVATE)
    tracker.number = 20
    assert tracker.ask("a").path_count.tolist() == [1]

    assert change(ros, Transition.TRANSITION_DEACTIVATE)
    assert change(ros, Transition.TRANSITION_CLEANUP)
    assert state(ros) == State.PRIMARY_STATE_UNCONFIGURED
    ros.spin_until(lambda: ros.node.count_subscribers(INPUT_TOPIC) == 0, "the subscription to be gone")
    assert set_parameter(ros, "path_step_s", 1.0) == (True, "")
    assert change(ros, Transition.TRANSITION_CONFIGURE)
    assert change(ros, Transition.TRANSITION_ACTIVATE)
    ros.ready(INPUT_TOPIC, OUTPUT_TOPIC)
    tracker.number = 30
    assert tracker.ask("a").pose_count.tolist() == [7]

    assert change(ros, Transition.TRANSITION_ACTIVE_SHUTDOWN)
    assert state(ros) == State.PRIMARY_STATE_FINALIZED
    assert node.interrupt() == 0
    assert "Traceback" not in node.log


def test_parameters_are_described_and_refused_with_a_reason(ros: Ros) -> None:
    ros.predictor()
    ros.ready(INPUT_TOPIC, OUTPUT_TOPIC)
    request = DescribeParameters.Request(names=list(ABOUT))
    for told in ros.call(DescribeParameters, f"{NODE}/describe_parameters", request).descriptors:
        about = ABOUT[told.name]
        assert (told.description, told.read_only) == (about.description, about.read_only)
        ranges = [*told.floating_point_range, *told.integer_range]
        assert [(r.from_value, r.to_value) for r in ranges] == (
            [(about.minimum, about.maximum)] if np.isfinite(about.minimum) else []
        )
    refused = {
        "model": ("ctrv", "model: read when the node is configured"),
        "threads": (0, "out of range"),
        "autostart": (False, "read-only"),
        "frame_id": (3, "type"),
    }
    for name, (value, reason) in refused.items():
        done, why = set_parameter(ros, name, value)
        assert not done
        assert reason in why
    assert set_parameter(ros, "frame_id", "odom") == (True, "")


@pytest.mark.parametrize(
    ("parameters", "complaint"),
    [
        ({"model": "/no/such/model.onnx"}, "/no/such/model.onnx: expected a model file"),
        ({"model": "nonsense"}, "model: expected cv, ctrv, kalman or the path of an .onnx file, got 'nonsense'"),
        ({"provider": "gpu"}, "provider: expected one of cpu, cuda, tensorrt, got 'gpu'"),
        ({"threads": 0}, "threads out of range"),
        ({"horizon_s": 1.0, "path_step_s": 2.0}, "path_step_s: expected at most horizon_s"),
        ({"horizon_s": 6}, "horizon_s"),
    ],
)
def test_what_it_cannot_be_ends_it_with_one_line(ros: Ros, parameters: dict[str, Any], complaint: str) -> None:
    node = ros.predictor(**parameters)
    assert node.wait() == 2
    lines = node.log.strip().splitlines()
    assert len(lines) == 1
    assert complaint in lines[0]


@pytest.mark.parametrize("content", ["a: [1\n b: {", "trajnet_predictor:\n  ros__parameters:\n    model: [a\n", None])
def test_a_parameter_file_that_cannot_be_read_is_one_line_of_ours(
    ros: Ros, tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "own.yaml"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    node = ros.predictor("--params-file", str(file))
    assert node.wait() == 2
    ours = [line for line in node.log.strip().splitlines() if "[rcl]" not in line]
    assert len(ours) == 1
    assert ours[0].startswith("trajnet_predictor: cannot start: RCLError: failed to initialize rcl")
    assert str(file) in ours[0]


def test_without_autostart_a_missing_model_leaves_it_unconfigured(ros: Ros) -> None:
    node = ros.predictor(autostart=False, model="/no/such/model.onnx")
    assert not change(ros, Transition.TRANSITION_CONFIGURE)
    assert state(ros) == State.PRIMARY_STATE_UNCONFIGURED
    assert set_parameter(ros, "model", "cv") == (True, "")
    assert change(ros, Transition.TRANSITION_CONFIGURE)
    assert node.running


def test_garbage_is_reported_and_survived(ros: Ros) -> None:
    node = ros.predictor(diagnostics_period_s=0.2)
    ros.ready(INPUT_TOPIC, OUTPUT_TOPIC)
    reports = ros.collect(DiagnosticArray, "/diagnostics")
    tracker = Tracker(ros)
    tracker.ask("a")
    rng = np.random.default_rng(0)
    whole = message(1, "a", "b")
    bad = [b"", b"\x00", bytes(64), whole[:200], whole + bytes(100), whole[:4] + b"\xff" * (len(whole) - 4)]
    bad += [rng.bytes(int(n)) for n in rng.integers(4, 3000, 20)]
    for data in bad:
        tracker.publisher.publish(data)
        ros.spin_for(0.05)
    tracker.number = 2
    assert tracker.ask("a").path_count.tolist() == [1]
    assert node.running

    def input_status() -> Any:
        found = [s for r in reports for s in r.status if s.name == "trajnet_predictor: input"]
        return found[-1] if found else None

    def counted() -> int:
        return next((int(v.value) for v in input_status().values if v.key == "bad_total"), 0) if reports else 0

    # keep last: a message may be overwritten before it is read, so the count has only a lower bound
    ros.spin_until(lambda: counted() >= len(bad) // 2, "the bad messages in /diagnostics")
    assert input_status().level in (DiagnosticStatus.WARN, DiagnosticStatus.ERROR)
    assert "cannot be decoded" in input_status().message


def test_health_times_markers_and_covariance(ros: Ros) -> None:
    ros.predictor(diagnostics_period_s=0.2)
    ros.ready(INPUT_TOPIC, OUTPUT_TOPIC)
    reports = ros.collect(DiagnosticArray, "/diagnostics")
    times = ros.collect(float64_class(), f"{NODE}/debug/processing_time_ms")
    cycles = ros.collect(float64_class(), f"{NODE}/debug/cyclic_time_ms")
    markers = ros.collect(MarkerArray, f"{NODE}/debug/objects_path_markers")
    clouds = ros.collect(PointCloud2, f"{NODE}/output/path_covariance")
    tracker = Tracker(ros)
    ros.spin_until(lambda: all(ros.node.count_publishers(f"{NODE}/{t}") for t in ("output/path_covariance",)), "topics")

    def everything() -> bool:
        tracker.ask("a", "b")
        return bool(reports and markers and clouds and len(times) > 1 and len(cycles) > 1)

    ros.spin_until(everything, "all topics")
    assert [len(m.points) for m in markers[-1].markers] == [2 * 12 * 2, 2 * 8]
    assert clouds[-1].width == 2 * 13
    assert clouds[-1].header.frame_id == "trajnet_predictor/path_covariance_origin"
    assert times[-1].data > 0
    assert cycles[-1].data > 0
    assert {s.name for s in reports[-1].status} == {f"trajnet_predictor: {n}" for n in STATUSES}
    model = next(s for s in reports[-1].status if s.name.endswith("model"))
    assert (model.hardware_id, {v.key: v.value for v in model.values}["provider"]) == ("cv", "none (physics)")


def test_objects_of_another_frame_leave_in_it_and_are_reported(ros: Ros) -> None:
    ros.predictor(diagnostics_period_s=0.2)
    ros.ready(INPUT_TOPIC, OUTPUT_TOPIC)
    reports = ros.collect(DiagnosticArray, "/diagnostics")
    assert Tracker(ros).ask("a", frame_id="base_link").frame_id == "base_link"

    def told() -> bool:
        return any("frame 'base_link', expected 'map'" in s.message for r in reports for s in r.status)

    ros.spin_until(told, "the warning")


def test_silence_is_reported_when_simulated_time_stands_still(ros: Ros) -> None:
    ros.predictor(use_sim_time=True)  # and nothing publishes /clock: the bag has ended
    reports = ros.collect(DiagnosticArray, "/diagnostics")

    def silent() -> bool:
        last = [s for r in reports[-1:] for s in r.status if s.name == "trajnet_predictor: input"]
        return any(s.level == DiagnosticStatus.ERROR and "no tracked objects for" in s.message for s in last)

    ros.spin_until(silent, "the silence in /diagnostics")


BROKEN = """
import sys
import trajnet.ros.node as node

def broken(*_):
    raise RuntimeError("no such wheel")

node.load = broken
sys.exit(node.main(["--ros-args", "-p", "model:=cv"]))
"""


def test_an_unexpected_error_while_configuring_ends_it_with_one_line() -> None:
    with own_domain() as domain:
        done = subprocess.run(
            [sys.executable, "-c", BROKEN],
            cwd=ROOT,
            env={**os.environ, "ROS_DOMAIN_ID": str(domain), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert "cannot be configured: RuntimeError: no such wheel" in line


def test_killed_and_started_again_in_mid_stream(ros: Ros) -> None:
    first = ros.predictor()
    ros.ready(INPUT_TOPIC, OUTPUT_TOPIC)
    tracker = Tracker(ros)
    for _ in range(5):
        tracker.ask("a", "b")
    first.kill()
    answered = len(tracker.answers)
    for _ in range(3):  # the tracker does not care
        tracker.publisher.publish(message(tracker.number, "a", "b"))
        tracker.number += 1
        ros.spin_for(0.1)
    assert len(tracker.answers) == answered
    ros.predictor()

    def again() -> bool:
        tracker.publisher.publish(message(tracker.number, "a", "b"))
        tracker.number += 1
        ros.spin_for(0.1)
        return len(tracker.answers) > answered

    ros.spin_until(again, "predictions of the second process")
    got = decode_predicted(tracker.answers[-1])
    assert got.path_count.tolist() == [1, 1]
    assert np.isfinite(got.path_pose).all()
