"""Beside another predictor over real DDS: cross-check it, and stand in where it is silent."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs the ROS 2 of .venv-ros: python3 tests/ros/make_ros_env.py")

from autoware_perception_msgs.msg import PredictedObjects
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from sensor_msgs.msg import PointCloud2

from tests.ros.test_node import NODE, Tracker, message
from trajnet.ros.cdr import decode_predicted, encode_predicted
from trajnet.ros.disagreement import CLOUD, Compared
from trajnet.ros.node import INPUT_TOPIC, OUTPUT_TOPIC, qos

if TYPE_CHECKING:
    from tests.ros.ros_harness import Ros

pytestmark = pytest.mark.ros
OTHER_TOPIC = "/other/objects"


def beside_status(reports: list[Any]) -> Any:
    found = [s for r in reports[-1:] for s in r.status if s.name == "trajnet_predictor: beside"]
    return found[0] if found else None


def value(reports: list[Any], key: str) -> str:
    status = beside_status(reports)
    return "" if status is None else str(next(v.value for v in status.values if v.key == key))


def test_two_predictors_are_compared_object_by_object(ros: Ros) -> None:
    ros.predictor("-r", "__node:=other_predictor", model="cv")
    ros.predictor(model="cv", role="cross_check", diagnostics_period_s=0.2)
    ros.ready(INPUT_TOPIC, OUTPUT_TOPIC)
    ros.spin_until(lambda: ros.node.count_subscribers(INPUT_TOPIC) == 2, "both predictors")
    reports = ros.collect(DiagnosticArray, "/diagnostics")
    clouds = ros.collect(PointCloud2, f"{NODE}/output/disagreement")
    mine = ros.collect(PredictedObjects, f"{NODE}/output/objects", raw=True)
    tracker = Tracker(ros)  # waits for the other's answers, on Autoware's topic

    def compared() -> bool:
        tracker.ask("a", "b")
        ros.spin_for(0.05)
        return bool(clouds and mine and value(reports, "compared_total") not in ("", "0"))

    ros.spin_until(compared, "a comparison")
    records = np.frombuffer(clouds[-1].data.tobytes(), CLOUD)
    assert clouds[-1].header.frame_id == "trajnet_predictor/disagreement_origin"
    assert records["state"].tolist() == [Compared.BOTH, Compared.BOTH]
    assert records["distance_3s_m"] == pytest.approx([0.0, 0.0], abs=1e-6)  # both are constant velocity
    assert value(reports, "disagreeing_share") == "0.0000"
    assert len(ros.node.get_publishers_info_by_topic(OUTPUT_TOPIC)) == 1


def test_it_passes_the_other_on_fills_in_and_stands_in(ros: Ros) -> None:
    ros.predictor(
        "-r", f"~/input/other_objects:={OTHER_TOPIC}", role="fall_back", other_wait_ms=1000.0, other_silent_s=60.0,
        diagnostics_period_s=0.2,
    )  # fmt: skip
    ros.ready(INPUT_TOPIC, OUTPUT_TOPIC)
    other = ros.node.create_publisher(PredictedObjects, OTHER_TOPIC, qos(10))
    ros.spin_until(lambda: ros.node.count_subscribers(OTHER_TOPIC) > 0, "its ears for the other")
    reports = ros.collect(DiagnosticArray, "/diagnostics")
    tracker = Tracker(ros)
    ours = tracker.ask("a", "b")  # the other says nothing: ours leaves when it has waited
    assert ours.path_count.tolist() == [1, 1]

    theirs = replace(ours, stamp_ns=ours.stamp_ns + 100_000_000, path_pose=ours.path_pose + 1.0)
    before = len(tracker.answers)
    other.publish(encode_predicted(theirs))  # before ours: passed on byte for byte
    ros.spin_until(lambda: len(tracker.answers) > before, "the other's message")
    assert tracker.answers[-1] == encode_predicted(theirs)
    tracker.publisher.publish(message(1, "a", "b"))

    for too_late in range(10):  # on a loaded machine ours may leave before the other's comes
        stamp_ns = ours.stamp_ns + (2 + too_late) * 100_000_000
        before = len(tracker.answers)
        tracker.publisher.publish(message(2 + too_late, "a", "b", "c"))
        ros.spin_for(0.2)
        other.publish(encode_predicted(replace(theirs, stamp_ns=stamp_ns)))
        ros.spin_until(lambda before=before: len(tracker.answers) > before, "the filled message")  # type: ignore[misc]
        filled = decode_predicted(tracker.answers[-1])
        assert filled.path_count.tolist() == [1, 1, 1]
        if filled.path_pose[:26] == pytest.approx(theirs.path_pose):
            break
    assert filled.path_pose[:26] == pytest.approx(theirs.path_pose)
    ros.spin_until(lambda: value(reports, "filled_total") == "1", "the report")
    assert beside_status(reports).level == DiagnosticStatus.WARN  # ours stood in once
    assert (value(reports, "stood_in_total"), value(reports, "passed_on_total")) == (f"{1 + too_late}", "2")
    left = [decode_predicted(answer).stamp_ns - ours.stamp_ns for answer in tracker.answers]
    assert left == [number * 100_000_000 for number in range(3 + too_late)]


@pytest.mark.parametrize(
    ("role", "private", "topic"),
    [("fall_back", "input/other_objects", OUTPUT_TOPIC), ("cross_check", "output/objects", OUTPUT_TOPIC)],
)
def test_it_does_not_take_its_own_predictions_for_the_others(ros: Ros, role: str, private: str, topic: str) -> None:
    node = ros.predictor("-r", f"~/{private}:={topic}", role=role)
    assert node.wait() == 2
    assert f"role {role}: expected another predictor on {topic}, got our own output" in node.log
