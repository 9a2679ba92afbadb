"""What Autoware and its integrators expect of any node, over real DDS: parameters, debug topics, logs, health."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("rclpy", reason="needs the ROS 2 of .venv-ros: python3 tests/ros/make_ros_env.py")
pytest.importorskip("autoware_internal_debug_msgs", reason="needs Autoware's debug messages: tests/ros/make_ros_env.py")

from autoware_internal_debug_msgs.msg import Float64Stamped, ProcessingTimeTree
from autoware_internal_msgs.msg import PublishedTime
from autoware_perception_msgs.msg import PredictedObjects
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rcl_interfaces.msg import Log
from rclpy.qos import DurabilityPolicy, QoSProfile
from rosgraph_msgs.msg import Clock

from tests.ros.test_node import NODE, Tracker, message, state
from trajnet.ros.node import INPUT_TOPIC, OUTPUT_TOPIC, qos

if TYPE_CHECKING:
    from tests.ros.ros_harness import Ros

pytestmark = pytest.mark.ros

AUTOWARE_PARAMETERS = """
/**:
  ros__parameters:
    prediction_time_horizon:
      vehicle: 15.0
      pedestrian: 10.0
    use_vehicle_acceleration: false
    horizon: 5.0
"""


def test_parameters_that_it_does_not_have_are_warned_about(ros: Ros, tmp_path: Path) -> None:
    (tmp_path / "autoware.yaml").write_text(AUTOWARE_PARAMETERS)
    node = ros.predictor("--params-file", str(tmp_path / "autoware.yaml"))
    ros.ready(INPUT_TOPIC, OUTPUT_TOPIC)
    warnings = [line for line in node.log.splitlines() if "[WARN]" in line and "parameter" in line]
    assert len(warnings) == 3
    assert "horizon: no such parameter, ignored; did you mean horizon_s?" in warnings[0]
    assert "prediction_time_horizon: of Autoware's map_based_prediction, ignored: set horizon_s" in warnings[1]
    assert "use_vehicle_acceleration: of Autoware's map_based_prediction, ignored" in warnings[2]


@pytest.mark.parametrize(("text", "active"), [("1", True), ("True", True), ("0", False), ("'off'", False)])
def test_autostart_in_every_spelling(ros: Ros, text: str, active: bool) -> None:
    node = ros.predictor("-p", f"autostart:={text}")
    assert (state(ros) == 3) is active
    assert node.running


def test_processing_time_detail_and_published_time(ros: Ros) -> None:
    ros.predictor()
    ros.ready(INPUT_TOPIC, OUTPUT_TOPIC)
    whole = ros.collect(Float64Stamped, f"{NODE}/debug/processing_time_ms")
    trees = ros.collect(ProcessingTimeTree, f"{NODE}/debug/processing_time_detail_ms")
    published = ros.collect(PublishedTime, f"{OUTPUT_TOPIC}/debug/published_time")
    tracker = Tracker(ros)

    def everything() -> bool:
        tracker.ask("a", "b")
        return bool(whole and trees and published)

    ros.spin_until(everything, "the debug topics")
    nodes = trees[-1].nodes
    assert [(n.id, n.name, n.parent_id) for n in nodes] == [
        (1, "trajnet_predictor", 0), (2, "decode", 1), (3, "clean", 1), (4, "predict", 1), (5, "encode", 1),
    ]  # fmt: skip
    assert nodes[0].processing_time == pytest.approx(sum(n.processing_time for n in nodes[1:]))
    assert min(n.processing_time for n in nodes) > 0
    assert published[-1].header.frame_id == "map"
    assert 1_700_000_000 <= published[-1].header.stamp.sec < published[-1].published_stamp.sec


def status(reports: list[Any], name: str) -> Any:
    found = [s for r in reports[-1:] for s in r.status if s.name == f"trajnet_predictor: {name}"]
    return found[0] if found else None


def test_another_predictor_on_the_output_is_noticed_and_named(ros: Ros) -> None:
    ros.predictor(diagnostics_period_s=0.2, diagnostics_recover_s=0.1)
    ros.ready(INPUT_TOPIC, OUTPUT_TOPIC)
    reports = ros.collect(DiagnosticArray, "/diagnostics")
    ros.spin_until(lambda: bool(reports), "a report")
    assert status(reports, "output").level == DiagnosticStatus.OK
    other = ros.node.create_publisher(PredictedObjects, OUTPUT_TOPIC, qos(1))
    ros.spin_until(lambda: status(reports, "output").level == DiagnosticStatus.WARN, "the warning")
    assert f"/test publish(es) on {OUTPUT_TOPIC}" in status(reports, "output").message
    ros.node.destroy_publisher(other)
    ros.spin_until(lambda: status(reports, "output").level == DiagnosticStatus.OK, "the end of the warning")


def test_what_the_library_logs_reaches_rosout(ros: Ros) -> None:
    logs: list[Any] = []
    early = QoSProfile(depth=1000, durability=DurabilityPolicy.TRANSIENT_LOCAL)  # what it said before it was heard
    ros.node.create_subscription(Log, "/rosout", logs.append, early)
    ros.predictor(map_path="/no/such/map.osm")  # physics uses no map, and says so through the library's log
    ros.ready(INPUT_TOPIC, OUTPUT_TOPIC)
    told = "map_path: this model uses no map; /no/such/map.osm is not read"
    ros.spin_until(lambda: any(log.msg == told and log.name == "trajnet_predictor" for log in logs), "the log")


def test_it_reports_on_while_the_bag_is_paused(ros: Ros) -> None:
    ros.predictor(use_sim_time=True)
    ros.ready(INPUT_TOPIC, OUTPUT_TOPIC)
    reports = ros.collect(DiagnosticArray, "/diagnostics")
    clock = ros.node.create_publisher(Clock, "/clock", 1)
    tracker = Tracker(ros)
    for step in range(5):
        now = Clock()
        now.clock.sec, now.clock.nanosec = 1_700_000_000, step * 100_000_000
        clock.publish(now)
        tracker.publisher.publish(message(step, "a"))
        ros.spin_for(0.1)
    paused = len(reports)  # from here on the clock stands still
    ros.spin_until(lambda: len(reports) >= paused + 4, "four reports")
    ros.spin_until(lambda: status(reports, "input").level == DiagnosticStatus.ERROR, "the silence")
    assert reports[-1].header.stamp.sec == 1_700_000_000
    assert status(reports, "model").level == DiagnosticStatus.OK
