"""The codec against rclpy: the same bytes for the same message, in both directions."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from trajnet.ros.cdr import (
    NS,
    ObjectList,
    PredictedObjects,
    TrackedObjects,
    decode_predicted,
    decode_tracked,
    encode_predicted,
    encode_tracked,
)
from trajnet.ros.definitions import TYPE_HASHES

pytest.importorskip("rclpy", reason="needs the ROS 2 of .venv-ros: python3 tests/ros/make_ros_env.py")

from tests.ros.cdr_reference import same_but_padding, serialise
from tests.ros.object_strategies import predicted, tracked
from tests.ros.random_objects import assert_same

ROUNDS = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def _split(values: Any, count: Any) -> list[Any]:
    return np.split(values, np.cumsum(count)[:-1]) if len(count) else []


def _fill(message: Any, objects: ObjectList, kinematics_prefix: str, object_type: Any) -> None:
    """Everything that TrackedObjects and PredictedObjects have in common, one Python value at a time."""
    from autoware_perception_msgs.msg import ObjectClassification
    from geometry_msgs.msg import Point32

    message.header.frame_id = objects.frame_id
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(objects.stamp_ns, NS)
    labels = _split(objects.class_label, objects.class_count)
    probabilities = _split(objects.class_probability, objects.class_count)
    footprints = _split(objects.footprint_m, objects.footprint_count)
    for i in range(len(objects)):
        one = object_type()
        one.object_id.uuid = objects.object_id[i]
        one.existence_probability = float(objects.existence_probability[i])
        one.classification = [
            ObjectClassification(label=int(label), probability=float(p))
            for label, p in zip(labels[i], probabilities[i], strict=True)
        ]
        pose = getattr(one.kinematics, f"{kinematics_prefix}pose_with_covariance")
        _fill_pose(pose.pose, objects.pose[i])
        pose.covariance = objects.pose_covariance[i]
        for name, field, values, covariance in (
            ("twist", "twist", objects.twist, objects.twist_covariance),
            ("acceleration", "accel", objects.acceleration, objects.acceleration_covariance),
        ):
            part = getattr(one.kinematics, f"{kinematics_prefix}{name}_with_covariance")
            part.covariance = covariance[i]
            vector = getattr(part, field)
            vector.linear.x, vector.linear.y, vector.linear.z = map(float, values[i, :3])
            vector.angular.x, vector.angular.y, vector.angular.z = map(float, values[i, 3:])
        one.shape.type = int(objects.shape_type[i])
        one.shape.footprint.points = [Point32(x=float(x), y=float(y), z=float(z)) for x, y, z in footprints[i]]
        dimensions = one.shape.dimensions
        dimensions.x, dimensions.y, dimensions.z = map(float, objects.dimensions_m[i])
        message.objects.append(one)


def _fill_pose(pose: Any, values: Any) -> None:
    pose.position.x, pose.position.y, pose.position.z = map(float, values[:3])
    q = pose.orientation
    q.x, q.y, q.z, q.w = map(float, values[3:])


def tracked_message(objects: TrackedObjects) -> Any:
    from autoware_perception_msgs import msg

    message = msg.TrackedObjects()
    _fill(message, objects, "", msg.TrackedObject)
    for i, one in enumerate(message.objects):
        one.kinematics.orientation_availability = int(objects.orientation_availability[i])
        one.kinematics.is_stationary = bool(objects.is_stationary[i])
    return message


def predicted_message(objects: PredictedObjects) -> Any:
    from autoware_perception_msgs import msg
    from geometry_msgs.msg import Pose

    message = msg.PredictedObjects()
    _fill(message, objects, "initial_", msg.PredictedObject)
    poses = _split(objects.path_pose, objects.pose_count)
    paths = []
    for i in range(len(objects.pose_count)):
        path = msg.PredictedPath(confidence=float(objects.path_confidence[i]))
        path.time_step.sec, path.time_step.nanosec = map(int, divmod(int(objects.path_step_ns[i]), NS))
        for values in poses[i]:
            pose = Pose()
            _fill_pose(pose, values)
            path.path.append(pose)
        paths.append(path)
    end = np.cumsum(objects.path_count)
    for one, begin, stop in zip(message.objects, end - objects.path_count, end, strict=True):
        one.kinematics.predicted_paths = paths[begin:stop]
    return message


def _check(ours: bytes, message: Any) -> bytes:
    """Ours is what rclpy writes and what it reads back; gives rclpy's bytes."""
    from rclpy.serialization import deserialize_message, serialize_message

    theirs = serialize_message(message)
    expected, written = serialise(message)
    assert ours == expected
    assert same_but_padding(ours, theirs, written)
    again = serialize_message(deserialize_message(ours, type(message)))
    assert same_but_padding(ours, again, written)
    return bytes(theirs)


@ROUNDS
@given(tracked())
def test_tracked_objects_are_what_rclpy_serialises(objects: TrackedObjects) -> None:
    theirs = _check(encode_tracked(objects), tracked_message(objects))
    assert_same(decode_tracked(theirs), objects)


@ROUNDS
@given(predicted())
def test_predicted_objects_are_what_rclpy_serialises(objects: PredictedObjects) -> None:
    theirs = _check(encode_predicted(objects), predicted_message(objects))
    assert_same(decode_predicted(theirs), objects)


@pytest.mark.parametrize("name", sorted(TYPE_HASHES))
def test_type_hashes_of_the_built_package_are_the_published_ones(name: str) -> None:
    package, _, message = name.split("/")
    built = json.loads((Path(sys.prefix) / "share" / package / "msg" / f"{message}.json").read_text())
    hashes = {entry["type_name"]: entry["hash_string"] for entry in built["type_hashes"]}
    assert hashes[name] == TYPE_HASHES[name]
