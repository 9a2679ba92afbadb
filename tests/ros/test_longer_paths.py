"""Paths as long as planners ask for, over real DDS: beyond the model's end along the lanes, wider, labelled."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs the ROS 2 of .venv-ros: python3 tests/ros/make_ros_env.py")
pytest.importorskip("autoware_map_msgs", reason="needs Autoware's map message: tests/ros/make_ros_env.py")

from autoware_map_msgs.msg import LaneletMapBin
from autoware_perception_msgs.msg import PredictedObjects, TrackedObjects
from sensor_msgs.msg import PointCloud2

from tests.ros.test_map_and_tf import LATCHED, Health, archive, map_message
from tests.ros.test_node import NODE
from trajnet.inference import load_predictor
from trajnet.ros.cdr import decode_predicted, encode_tracked
from trajnet.ros.node import INPUT_TOPIC, MAP_TOPIC, OUTPUT_TOPIC, qos
from trajnet.ros.to_autoware import tracked_objects
from trajnet.ros.visual import CLOUD
from trajnet.types import ObjectClass, TrackFrame

if TYPE_CHECKING:
    from tests.ros.ros_harness import Ros

pytestmark = pytest.mark.ros
#: Along the lane of tests.ros.test_map_and_tf.archive, which is 100 m long; the pedestrian beside it.
KINDS = np.array([ObjectClass.CAR, ObjectClass.BICYCLE, ObjectClass.PEDESTRIAN])
SPEEDS_MPS, ACROSS_M = np.array([5.0, 4.0, 1.3]), np.array([0.0, 0.5, -6.0])


def traffic(number: int) -> bytes:
    """Return frame ``number`` of a 10 Hz recording."""
    stamp_ns = 1_700_000_000_000_000_000 + number * 100_000_000
    position_m = np.stack([10.0 + SPEEDS_MPS * number * 0.1, ACROSS_M], axis=1)
    velocity_mps = np.stack([SPEEDS_MPS, np.zeros(3)], axis=1)
    size_m = np.array([[4.5, 1.9], [1.8, 0.6], [0.6, 0.6]])
    true = np.ones(3, bool)
    frame = TrackFrame(
        stamp_ns, ("car", "bicycle", "walks"), KINDS, position_m, np.zeros(3), true, velocity_mps, true, size_m
    )
    return encode_tracked(tracked_objects(frame))


@pytest.mark.parametrize("horizon_s", [10.0, 15.0])
def test_every_class_has_paths_up_to_the_horizon_along_the_lane_where_there_is_one(
    ros: Ros, tmp_path: Path, horizon_s: float
) -> None:
    until_s = float(load_predictor("urban").time_s[-1])
    node = ros.predictor(model="urban", horizon_s=horizon_s)
    ros.ready(INPUT_TOPIC, OUTPUT_TOPIC)
    health = Health(ros)
    answers = ros.collect(PredictedObjects, OUTPUT_TOPIC, raw=True)
    clouds: list[Any] = ros.collect(PointCloud2, "/trajnet_predictor/output/path_covariance")
    objects = ros.node.create_publisher(TrackedObjects, INPUT_TOPIC, qos(10))
    publisher = ros.node.create_publisher(LaneletMapBin, MAP_TOPIC, LATCHED)
    publisher.publish(map_message(archive(tmp_path, x_m=0.0)))
    ros.spin_until(lambda: health.values("map").get("map", "").startswith("/map/vector_map: 1 lanelets"), "the map")

    ros.introduce(NODE)
    asked: list[int] = []
    for number in range(10):
        objects.publish(traffic(number))
        asked.append(number)
        ros.spin_until(lambda: len(answers) == len(clouds) == len(asked), "predictions")
    got = decode_predicted(answers[-1])
    assert (got.pose_count == 2 * int(horizon_s) + 1).all()
    assert (got.path_step_ns == 500_000_000).all()
    points = np.frombuffer(bytes(clouds[-1].data), CLOUD)
    late = points["time_s"] > until_s
    assert not points["extended"][~late].any()
    assert points["extended"][late].all()  # of every object
    follows = points["extended"] == 2
    assert follows[late & (points["object"] == 0)].any()
    assert not follows[points["object"] == 2].any()  # people go straight on
    for one in range(3):
        best = points[(points["object"] == one) & (points["path"] == 0)]
        beyond = best["cov_xx_m2"][best["time_s"] >= until_s]
        assert (np.diff(beyond) > 0).all()
        assert best["time_s"][-1] == horizon_s
    values = health.values("model")
    assert (values["horizon_s"], values["predicted_until_s"]) == (f"{horizon_s:g}", f"{until_s:g}")
    assert node.interrupt() == 0
    assert "Traceback" not in node.log


def test_the_default_is_as_long_as_autowares(ros: Ros) -> None:
    ros.start("trajnet.ros.node")
    ros.ready(INPUT_TOPIC, OUTPUT_TOPIC)
    answers = ros.collect(PredictedObjects, OUTPUT_TOPIC, raw=True)
    objects = ros.node.create_publisher(TrackedObjects, INPUT_TOPIC, qos(10))
    ros.spin_until(lambda: objects.get_subscription_count() > 0, "a node that listens")
    ros.introduce(NODE)
    objects.publish(traffic(0))
    ros.spin_until(lambda: bool(answers), "predictions")
    assert (decode_predicted(answers[0]).pose_count == 21).all()
