"""Clouds in UTM over real DDS: what goes out on /tf and the cloud give the predictions to a millimetre."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs the ROS 2 of .venv-ros: python3 tests/ros/make_ros_env.py")
pytest.importorskip("tf2_msgs", reason="needs the message of /tf: tests/ros/make_ros_env.py")

from autoware_perception_msgs.msg import PredictedObjects, TrackedObjects
from lifecycle_msgs.msg import Transition
from sensor_msgs.msg import PointCloud2
from tf2_msgs.msg import TFMessage

from tests.ros.test_node import NODE, change, set_parameter
from tests.unit.ros.cloud_reader import Points, read_cloud
from trajnet.ros.cdr import decode_predicted, encode_tracked
from trajnet.ros.node import INPUT_TOPIC, OUTPUT_TOPIC, qos
from trajnet.ros.to_autoware import tracked_objects
from trajnet.ros.transforms import TransformBuffer
from trajnet.types import FloatArray, ObjectClass, TrackFrame

if TYPE_CHECKING:
    from tests.ros.ros_harness import Ros

pytestmark = pytest.mark.ros
UTM_M = np.array([458_123.456, 5_428_987.654])
ORIGIN = "trajnet_predictor/path_covariance_origin"


def cars(number: int, count: int, frame_id: str = "map") -> bytes:
    """Cars at 10 m/s along x in UTM; frame ``number`` of a 10 Hz recording."""
    row = np.arange(count, dtype=np.float64)
    position_m = UTM_M + np.stack([number + 7.3 * row, 5.1 * row], axis=1)
    true = np.ones(count, bool)
    frame = TrackFrame(
        1_700_000_000_000_000_000 + number * 100_000_000, tuple(f"car-{i}" for i in range(count)),
        np.full(count, ObjectClass.CAR), position_m, np.zeros(count), true, np.tile([10.0, 0.0], (count, 1)), true,
        np.tile([4.0, 2.0], (count, 1)),
    )  # fmt: skip
    return encode_tracked(tracked_objects(frame, frame_id))


class Heard:
    """A driver of one predictor, and what it hears of it."""

    def __init__(self, ros: Ros, cloud_topic: str = f"{NODE}/output/path_covariance") -> None:
        self._ros = ros
        self.number = 0
        self.objects = ros.collect(PredictedObjects, OUTPUT_TOPIC, raw=True)
        self.transforms = ros.collect(TFMessage, "/tf", raw=True)
        self.clouds = ros.collect(PointCloud2, cloud_topic, raw=True)
        self._publisher = ros.node.create_publisher(TrackedObjects, INPUT_TOPIC, qos(10))

    def drive(self, count: int, frame_id: str = "map") -> Points:
        """Publish frames until a cloud came with its predictions; return it."""
        for heard in (self.objects, self.transforms, self.clouds):
            heard.clear()

        def both() -> bool:
            self._publisher.publish(cars(self.number, count, frame_id))
            self.number += 1
            self._ros.spin_for(0.05)
            return bool(self.clouds and self.objects)

        self._ros.spin_until(both, "a cloud")
        self._ros.spin_for(0.2)
        return read_cloud(self.clouds[-1])

    def moved(self, points: Points) -> FloatArray:
        """Return a cloud's points (N, 3) in the map, by what came on /tf."""
        buffer = TransformBuffer()
        for message in self.transforms:
            buffer.add(message, static=False)
        at = buffer.find("map", points.frame_id, points.stamp_ns)
        local = np.stack([points.records[n].astype(np.float64) for n in "xyz"], axis=1)
        return local @ at.rotation.T + at.translation_m


def test_the_cloud_and_its_transform_are_the_predictions_in_utm(ros: Ros) -> None:
    node = ros.predictor()
    ros.ready(INPUT_TOPIC, OUTPUT_TOPIC)
    heard = Heard(ros)
    heard.drive(5)  # only now does the node speak on /tf: its first transform may be lost
    points = heard.drive(5)
    assert points.frame_id == ORIGIN
    stamps = {decode_predicted(m).stamp_ns: decode_predicted(m) for m in heard.objects}
    published = stamps[points.stamp_ns].path_pose[:, :3]
    assert np.abs(heard.moved(points) - published).max() < 1e-3
    assert np.array_equal(np.stack([points.records["x_m"], points.records["y_m"]], axis=1), published[:, :2])

    empty = heard.drive(0)
    assert (empty.frame_id, len(empty.records)) == (ORIGIN, 0)
    assert heard.moved(empty).shape == (0, 3)

    assert set_parameter(ros, "broadcast_origins", False) == (True, "")
    ros.spin_for(0.2)
    points = heard.drive(5)
    assert points.frame_id == "map"
    assert not heard.transforms
    assert np.array_equal(points.records["y"], points.records["y_m"].astype(np.float32))
    assert node.interrupt() == 0
    assert "Traceback" not in node.log


def test_nobody_is_on_tf_without_a_listener_of_clouds_or_after_a_clean_up(ros: Ros) -> None:
    ros.predictor()
    ros.ready(INPUT_TOPIC, OUTPUT_TOPIC)
    objects: list[Any] = ros.collect(PredictedObjects, OUTPUT_TOPIC, raw=True)
    publisher = ros.node.create_publisher(TrackedObjects, INPUT_TOPIC, qos(10))
    ros.spin_until(lambda: publisher.get_subscription_count() > 0, "a node that listens")
    ros.introduce(NODE)
    publisher.publish(cars(0, 2))
    ros.spin_until(lambda: bool(objects), "predictions")
    assert ros.node.count_publishers("/tf") == 0
    heard = Heard(ros)
    heard.number = 1
    heard.drive(2)
    ros.spin_until(lambda: ros.node.count_publishers("/tf") == 1, "the node on /tf")
    assert change(ros, Transition.TRANSITION_DEACTIVATE)
    assert change(ros, Transition.TRANSITION_CLEANUP)
    ros.spin_until(lambda: ros.node.count_publishers("/tf") == 0, "its end on /tf")
    assert change(ros, Transition.TRANSITION_CONFIGURE)
    assert change(ros, Transition.TRANSITION_ACTIVATE)
    heard.drive(2)
    assert heard.drive(2).frame_id == ORIGIN
    assert heard.transforms


def test_two_nodes_have_a_frame_each(ros: Ros) -> None:
    ros.predictor("-r", "__ns:=/left", "-r", f"/left{NODE}/output/objects:=/unused")
    ros.predictor("-r", "__node:=second")
    ros.ready(INPUT_TOPIC, OUTPUT_TOPIC)
    ros.spin_until(lambda: ros.node.count_subscribers(INPUT_TOPIC) == 2, "both nodes")
    heard = Heard(ros, "/second/output/path_covariance")
    left = ros.collect(PointCloud2, f"/left{NODE}/output/path_covariance", raw=True)
    heard.drive(3)
    points = heard.drive(3)
    assert points.frame_id == "second/path_covariance_origin"
    ros.spin_until(lambda: bool(left), "the other's cloud")
    other = read_cloud(left[-1])
    assert other.frame_id == "left/trajnet_predictor/path_covariance_origin"
    assert np.abs(heard.moved(other)[:, :2] - UTM_M).max() < 1000.0
    assert np.abs(heard.moved(points)[:, 1] - points.records["y_m"]).max() < 1e-3


def test_objects_that_stay_in_another_frame_have_an_origin_in_it(ros: Ros) -> None:
    ros.predictor(use_tf=False)
    ros.ready(INPUT_TOPIC, OUTPUT_TOPIC)
    heard = Heard(ros)
    heard.drive(2, "odom")
    points = heard.drive(2, "odom")
    assert points.frame_id == ORIGIN
    buffer = TransformBuffer()
    for message in heard.transforms:
        buffer.add(message, static=False)
    at = buffer.find("odom", ORIGIN, points.stamp_ns)
    assert at.translation_m.tolist() == [458_000.0, 5_429_000.0, 0.0]
