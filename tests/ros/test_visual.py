"""Markers and the covariance cloud: the same bytes as rclpy's for the same message."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from trajnet.ros.published_paths import PublishedPaths
from trajnet.ros.visual import SOURCE_RGB, covariance_records, encode_covariance, encode_markers
from trajnet.types import Source

pytest.importorskip("rclpy", reason="needs the ROS 2 of .venv-ros: python3 tests/ros/make_ros_env.py")


def paths_of(count: int, modes: int = 2, steps: int = 3) -> PublishedPaths:
    rng = np.random.default_rng(count)
    covariance = np.zeros((count, modes, steps, 2, 2))
    covariance[..., 0, 0], covariance[..., 1, 1] = rng.uniform(0, 4, (2, count, modes, steps))
    covariance[..., 0, 1] = covariance[..., 1, 0] = 0.1
    probability = np.sort(rng.dirichlet(np.ones(modes), count), axis=1)[:, ::-1]
    return PublishedPaths(
        0.5 * np.arange(float(steps)), rng.normal(0, 50, (count, modes, steps, 2)),
        rng.normal(0, 1, (count, modes, steps)),
        covariance, probability, rng.normal(0, 1, count),
        rng.integers(0, 3, count).astype(np.int8), rng.uniform(0, 1, count),
    )  # fmt: skip


def assert_same_but_padding(ours: bytes, theirs: bytes) -> None:
    """Fast CDR leaves whatever was in memory between aligned fields; ours has zeros there."""
    mine, other = np.frombuffer(ours, np.uint8), np.frombuffer(theirs, np.uint8)
    assert len(mine) == len(other)
    assert not mine[mine != other].any()


@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize("frame_id", ["map", "", "Straße-東京"])
def test_markers_are_what_rclpy_serialises(count: int, frame_id: str) -> None:
    from geometry_msgs.msg import Point
    from rclpy.serialization import deserialize_message, serialize_message
    from std_msgs.msg import ColorRGBA
    from visualization_msgs.msg import Marker, MarkerArray

    paths, yaw, size = paths_of(count), np.linspace(0, 1, count), np.full((count, 2), [4.0, 2.0])
    data = encode_markers(1_700_000_000_123_456_789, frame_id, paths, yaw, size)
    decoded: Any = deserialize_message(data, MarkerArray)
    assert_same_but_padding(data, serialize_message(decoded))

    assert [(m.ns, m.type, m.action, m.header.frame_id) for m in decoded.markers] == [
        ("paths", Marker.LINE_LIST, Marker.ADD, frame_id), ("boxes", Marker.LINE_LIST, Marker.ADD, frame_id)
    ]  # fmt: skip
    assert (decoded.markers[0].header.stamp.sec, decoded.markers[0].header.stamp.nanosec) == (
        1_700_000_000,
        123_456_789,
    )
    assert (len(decoded.markers[0].points), len(decoded.markers[1].points)) == (count * 2 * 2 * 2, count * 8)
    if count:
        x, y = paths.position_m[0, 0, 0]
        assert decoded.markers[0].points[0] == Point(x=x, y=y, z=paths.z_m[0])
        r, g, b = (float(v) for v in SOURCE_RGB[paths.source[0]])
        alpha = float(np.float32(0.15 + 0.85 * paths.probability[0, 0]))
        assert decoded.markers[0].colors[0] == ColorRGBA(r=r, g=g, b=b, a=alpha)
        corner = decoded.markers[1].points[0]  # front left of an object that looks along x
        assert (corner.x - x, corner.y - y) == (pytest.approx(2.0), pytest.approx(1.0))


@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize("frame_id", ["map", "Straße-東京"])
def test_the_covariance_cloud_is_what_rclpy_serialises(count: int, frame_id: str) -> None:
    from rclpy.serialization import deserialize_message, serialize_message
    from sensor_msgs.msg import PointCloud2, PointField

    paths = paths_of(count)
    data, transform = encode_covariance(1_700_000_000_123_456_789, frame_id, paths)
    assert transform is None
    cloud: Any = deserialize_message(data, PointCloud2)
    assert_same_but_padding(data, serialize_message(cloud))
    assert (cloud.header.frame_id, cloud.height, cloud.width, cloud.is_bigendian) == (frame_id, 1, count * 6, False)
    assert [f.name for f in cloud.fields[:3]] == ["x", "y", "z"]
    numpy_of = {PointField.FLOAT32: "<f4", PointField.FLOAT64: "<f8", PointField.UINT32: "<u4"}
    dtype = np.dtype([(f.name, numpy_of[f.datatype]) for f in cloud.fields])
    assert dtype.itemsize == cloud.point_step
    got = np.frombuffer(cloud.data.tobytes(), dtype=dtype).reshape(count, 2, 3)
    for name in set(dtype.names or ()) - {"x", "y"}:
        assert np.array_equal(got[name].reshape(-1), covariance_records(paths)[name])
    assert np.allclose(got["x"], paths.position_m[..., 0])
    assert np.allclose(got["cov_yy_m2"], paths.covariance_m2[..., 1, 1])
    assert np.array_equal(got["object"], np.broadcast_to(np.arange(count)[:, None, None], got.shape))
    assert np.array_equal(got["path"], np.broadcast_to(np.arange(2)[None, :, None], got.shape))
    assert set(np.unique(got["source"])) <= {int(s) for s in Source}


def test_the_transform_of_a_cloud_is_what_rclpy_serialises() -> None:
    pytest.importorskip("tf2_msgs", reason="needs the message of /tf: tests/ros/make_ros_env.py")
    from rclpy.serialization import deserialize_message, serialize_message
    from tf2_msgs.msg import TFMessage

    far = replace(paths_of(3), position_m=paths_of(3).position_m + [458_000.0, 5_428_000.0])
    data = encode_covariance(1_700_000_000_123_456_789, "map", far, "left/trajnet/origin").transform
    assert data is not None
    message: Any = deserialize_message(data, TFMessage)
    assert_same_but_padding(data, serialize_message(message))
    (origin,) = message.transforms
    assert (origin.header.frame_id, origin.child_frame_id) == ("map", "left/trajnet/origin")
    assert (origin.header.stamp.sec, origin.header.stamp.nanosec) == (1_700_000_000, 123_456_789)
    translation, rotation = origin.transform.translation, origin.transform.rotation
    assert (translation.x, translation.y, translation.z) == (458_000.0, 5_428_000.0, 0.0)
    assert (rotation.x, rotation.y, rotation.z, rotation.w) == (0.0, 0.0, 0.0, 1.0)


def test_markers_are_as_exact_in_utm() -> None:
    from rclpy.serialization import deserialize_message
    from visualization_msgs.msg import MarkerArray

    far = replace(paths_of(3), position_m=paths_of(3).position_m + [458_000.3, 5_428_000.7])
    markers: Any = deserialize_message(encode_markers(0, "map", far, np.zeros(3), np.ones((3, 2))), MarkerArray)
    for marker in markers.markers:
        pose = marker.pose.position  # RViz keeps both in float32
        assert (np.float32(pose.x), np.float32(pose.y)) == (pose.x, pose.y)
        assert max(abs(p.y) for p in marker.points) < 1000.0
    first, pose = markers.markers[0].points[0], markers.markers[0].pose.position
    at_m = np.array([first.x, first.y], np.float32) + np.array([pose.x, pose.y])
    assert at_m == pytest.approx(far.position_m[0, 0, 0], abs=1e-3, rel=0)
