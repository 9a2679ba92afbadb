"""Diagnostics and times: the same bytes as rclpy's for the same message."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs the ROS 2 of .venv-ros: python3 tests/ros/make_ros_env.py")

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.serialization import deserialize_message, serialize_message
from std_msgs.msg import Float64

from trajnet.ros.health_messages import (
    encode_diagnostics,
    encode_float64,
    encode_float64_stamped,
    encode_processing_tree,
    encode_published_time,
)
from trajnet.ros.levels import Level, Status

pytestmark = pytest.mark.ros


def test_diagnostics_are_what_rclpy_serialises() -> None:
    statuses = (
        Status("input", Level.ERROR, "no tracked objects for 2.0 s", (("rate_hz", "10.0"), ("frame_id", ""))),
        Status("model", Level.OK, "fine", ()),
    )
    data = encode_diagnostics(1_700_000_000_123_456_789, "a_node", "cv", statuses)
    decoded: Any = deserialize_message(data, DiagnosticArray)
    mine, theirs = np.frombuffer(data, np.uint8), np.frombuffer(serialize_message(decoded), np.uint8)
    assert len(mine) == len(theirs)
    assert not mine[mine != theirs].any()  # only padding differs, and ours is 0
    assert (decoded.header.stamp.sec, decoded.header.stamp.nanosec) == (1_700_000_000, 123_456_789)
    assert [(s.level, s.name, s.message, s.hardware_id) for s in decoded.status] == [
        (b"\x02", "a_node: input", "no tracked objects for 2.0 s", "cv"),
        (b"\x00", "a_node: model", "fine", "cv"),
    ]
    assert [(v.key, v.value) for v in decoded.status[0].values] == [("rate_hz", "10.0"), ("frame_id", "")]


def test_times_are_what_rclpy_serialises() -> None:
    assert encode_float64(1.25) == serialize_message(Float64(data=1.25))
    stamped = encode_float64_stamped(7_000_000_009, 1.25)
    assert np.frombuffer(stamped[4:12], "<u4").tolist() == [7, 9]
    assert stamped[12:] == encode_float64(1.25)[4:]


def test_processing_tree_and_published_time_are_what_rclpy_serialises() -> None:
    debug = pytest.importorskip("autoware_internal_debug_msgs.msg", reason="needs Autoware's debug messages")
    internal = pytest.importorskip("autoware_internal_msgs.msg", reason="needs Autoware's internal messages")
    tree = encode_processing_tree("node", [("decode", 0.25), ("a longer name", 1.5)])
    for data, kind in (
        (tree, debug.ProcessingTimeTree),
        (encode_published_time(1_700_000_000_000_000_001, "map", 1_700_000_000_100_000_000), internal.PublishedTime),
        (encode_float64_stamped(7_000_000_009, 1.25), debug.Float64Stamped),
    ):
        mine = np.frombuffer(data, np.uint8)
        theirs = np.frombuffer(serialize_message(deserialize_message(data, kind)), np.uint8)
        assert len(mine) == len(theirs)
        assert not mine[mine != theirs].any()
    decoded = deserialize_message(tree, debug.ProcessingTimeTree).nodes
    assert [(n.id, n.name, n.processing_time, n.parent_id) for n in decoded] == [
        (1, "node", 1.75, 0), (2, "decode", 0.25, 1), (3, "a longer name", 1.5, 1),
    ]  # fmt: skip
