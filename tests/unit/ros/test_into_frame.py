"""Objects from one frame into another: by hand, and as a property of the whole pipeline."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.unit.ros.test_pipeline import MS, frame, load_cv, message, pipeline, said, statuses
from tests.unit.ros.test_transforms import AHEAD, LEFT, tf
from trajnet.ros.cdr import TrackedObjects, encode_tracked
from trajnet.ros.from_autoware import MessageCleaner
from trajnet.ros.into_frame import transformed
from trajnet.ros.levels import Level
from trajnet.ros.to_autoware import tracked_objects
from trajnet.ros.transforms import Transform, TransformBuffer

QUARTER = Transform(np.array([100.0, 0.0, 2.0]), np.array(LEFT))


def car(**changes: Any) -> TrackedObjects:
    """One car at x = 10 m, driving along x at 10 m/s, with a covariance of its own in every axis."""
    variance = np.diag([1.0, 4.0, 9.0, 0.1, 0.2, 0.3]).reshape(1, 36)
    return replace(tracked_objects(frame(1000, "a"), "odom"), **{"pose_covariance": variance, **changes})


def test_the_pose_moves_its_covariance_turns_and_what_is_the_objects_own_stays() -> None:
    before = car()
    got = transformed(before, "map", QUARTER)
    assert (got.frame_id, got.stamp_ns) == ("map", before.stamp_ns)
    assert got.pose[0, :3] == pytest.approx([100.0, 10.0, 2.0])
    assert got.pose[0, 3:] == pytest.approx(LEFT)
    assert np.diag(got.pose_covariance.reshape(6, 6)) == pytest.approx([4.0, 1.0, 9.0, 0.2, 0.1, 0.3])
    assert np.array_equal(got.twist, before.twist)
    cleaned = MessageCleaner().clean(got).frame
    assert cleaned.velocity_mps[0] == pytest.approx([0.0, 10.0])
    assert cleaned.yaw_rad[0] == pytest.approx(math.pi / 2)


def test_what_is_unknown_stays_unknown_and_takes_nothing_else_with_it() -> None:
    covariance = car().pose_covariance.copy()
    covariance[0, 0] = math.nan  # x
    pose = car().pose.copy()
    pose[0, 2:] = [math.nan, 0.0, 0.0, 0.0, 0.0]
    got = transformed(car(pose=pose, pose_covariance=covariance), "map", QUARTER)
    assert got.pose[0, :2] == pytest.approx([100.0, 10.0])
    assert math.isnan(got.pose[0, 2])
    assert got.pose[0, 3:].tolist() == [0, 0, 0, 0]
    variance = np.diag(got.pose_covariance.reshape(6, 6))
    assert np.isnan(variance).tolist() == [False, True, False, False, False, False]  # x of odom is y of the map
    assert variance[[0, 2]] == pytest.approx([4.0, 9.0])


def test_predictions_leave_in_the_expected_frame_and_turn_with_it() -> None:
    here, there = load_cv(), load_cv()
    there.into_frame.buffer = buffer = TransformBuffer()
    for time_ms in (0, 100, 200):  # odom itself moves, so only the transform of each stamp is right
        buffer.add(tf(time_ms * MS, "map", "odom", (100.0 + 0.001 * time_ms, 0.0, 0.0), LEFT), static=False)
        straight = said(here.process(message(time_ms, "a", "b"), time_ms * MS).objects)
        odom = encode_tracked(tracked_objects(frame(time_ms, "a", "b"), "odom"))
        turned = said(there.process(odom, time_ms * MS).objects)
        assert turned.frame_id == "map"
        x, y = straight.path_pose[:, 0], straight.path_pose[:, 1]
        if time_ms == 0:
            assert turned.path_pose[:, :2] == pytest.approx(np.stack([100.0 - y, x], axis=1), abs=1e-6)
        assert turned.pose[:, 0] == pytest.approx(100.0 + 0.001 * time_ms - straight.pose[:, 1])
    values = dict(statuses(there)["input"].values)
    assert (values["transformed_total"], values["untransformed_total"]) == ("3", "0")
    assert statuses(there)["input"].level == Level.OK


def test_without_a_transform_they_leave_as_they_came_with_a_warning_that_says_why() -> None:
    line = pipeline()
    odom = encode_tracked(tracked_objects(frame(0, "a"), "odom"))
    assert said(line.process(odom, 0).objects).frame_id == "odom"
    assert line.into_frame.wanted
    status = statuses(line)["input"]
    assert status.level == Level.WARN
    assert "objects are in frame 'odom', expected 'map': no transforms have been received" in status.message
    assert dict(status.values)["untransformed_total"] == "1"
    line.process(message(100, "a"), 100 * MS)
    assert line.into_frame.reason == ""


def test_it_can_be_switched_off_and_any_frame_may_be_expected() -> None:
    for changes in ({"use_tf": False}, {"frame_id": ""}):
        line = pipeline(**changes)
        line.into_frame.buffer = TransformBuffer()
        line.into_frame.buffer.add(tf(0, "map", "odom", (0.0, 0.0, 0.0), AHEAD), static=True)
        odom = encode_tracked(tracked_objects(frame(0, "a"), "odom"))
        assert said(line.process(odom, 0).objects).frame_id == "odom"
        assert not line.into_frame.wanted
