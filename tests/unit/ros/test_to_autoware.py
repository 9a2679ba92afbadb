"""Paths and frames as Autoware's messages. Expected numbers are computed by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.ros.tracked_cars import objects_of, paths_of, twist_of, with_yaw
from trajnet.errors import InputError
from trajnet.ros.cdr import (
    PredictedObjects,
    decode_tracked,
    encode_tracked,
)
from trajnet.ros.conventions import (
    UNAVAILABLE,
    quaternion_of_yaw,
)
from trajnet.ros.from_autoware import MessageCleaner
from trajnet.ros.to_autoware import float32_shares, held, predicted_objects, tracked_objects
from trajnet.types import TrackFrame

STRAIGHT = [[[[0.0, 0.0], [2.5, 0.0], [5.0, 0.0]], [[0.0, 0.0], [2.5, 0.5], [5.0, 2.0]]]]


def paths_list(objects: PredictedObjects) -> list[list[Any]]:
    """For each object its paths, (T, 7) each."""
    each = np.split(objects.path_pose, np.cumsum(objects.pose_count)[:-1])
    bounds = np.concatenate([[0], np.cumsum(objects.path_count)])
    return [each[bounds[i] : bounds[i + 1]] for i in range(len(objects))]


def test_paths_carry_poses_steps_and_confidences() -> None:
    pose = np.array([[0.0, 0.0, 3.0, 0.0, 0.1, 0.0, 0.9]])
    pose[0, 3:] /= np.linalg.norm(pose[0, 3:])
    objects = objects_of(pose=pose)
    cleaned = MessageCleaner().clean(objects)
    yaw = [[[0.0, 0.0, 0.0], [0.0, 0.2, np.pi / 2]]]
    predicted = predicted_objects(cleaned, paths_of(STRAIGHT, yaw, [[0.7, 0.3]]))
    straight, bend = paths_list(predicted)[0]
    np.testing.assert_allclose(straight[:, :3], [[0.0, 0.0, 3.0], [2.5, 0.0, 3.0], [5.0, 0.0, 3.0]])
    np.testing.assert_allclose(straight[0], pose[0])  # the present is the object's own pose, tilt and all
    np.testing.assert_allclose(bend[0], pose[0])
    np.testing.assert_allclose(bend[2, 3:], [0, 0, np.sqrt(0.5), np.sqrt(0.5)])
    np.testing.assert_array_equal(predicted.path_step_ns, [500_000_000] * 2)
    np.testing.assert_allclose(predicted.path_confidence, [0.7, 0.3], rtol=1e-6)
    for name in ("object_id", "existence_probability", "class_label", "twist", "dimensions_m", "pose_covariance"):
        np.testing.assert_array_equal(getattr(predicted, name), getattr(objects, name), err_msg=name)
    assert (predicted.stamp_ns, predicted.frame_id) == (7, "map")


def test_a_path_of_unknown_yaw_begins_with_its_own() -> None:
    cleaned = MessageCleaner().clean(with_yaw(1.0, orientation_availability=[UNAVAILABLE]))
    predicted = predicted_objects(cleaned, paths_of(STRAIGHT, np.full((1, 2, 3), 0.4)))
    np.testing.assert_allclose(predicted.path_pose[0, 3:], quaternion_of_yaw(np.array(0.4)))


def test_held_objects_have_one_path_that_stays_with_a_constant_yaw() -> None:
    yaw = np.array([[[0.5, 1.0, 2.0], [0.5, -1.0, -2.0]]]).repeat(2, axis=0)
    position = np.array(STRAIGHT).repeat(2, axis=0)
    cleaned = MessageCleaner().clean(
        objects_of(2, twist=np.repeat(twist_of(5.0), 2, axis=0), is_stationary=[True, False])
    )
    predicted = predicted_objects(cleaned, held(paths_of(position, yaw, [[0.6, 0.4]] * 2), cleaned.hold))
    np.testing.assert_array_equal(predicted.path_count, [1, 2])
    (stays,), moves = paths_list(predicted)
    assert len(stays) == 3
    np.testing.assert_allclose(stays[:, :2], 0.0)
    np.testing.assert_allclose(stays[1:, 3:], np.tile(quaternion_of_yaw(np.array(0.5)), (2, 1)))
    np.testing.assert_allclose(moves[0][2, :2], [5.0, 0.0])
    np.testing.assert_allclose(predicted.path_confidence, [1.0, 0.6, 0.4], rtol=1e-6)


def test_paths_without_probability_are_left_out_but_never_all() -> None:
    cleaned = MessageCleaner().clean(objects_of())
    three = np.concatenate([STRAIGHT, np.array(STRAIGHT)[:, :1]], axis=1)
    predicted = predicted_objects(cleaned, paths_of(three, None, [[1.0, 1e-60, 0.0]]))
    np.testing.assert_array_equal(predicted.path_count, [1])
    np.testing.assert_array_equal(predicted.path_confidence, [1.0])


def test_paths_that_do_not_fit_are_refused() -> None:
    cleaned = MessageCleaner().clean(objects_of(2))
    with pytest.raises(InputError, match="paths of 2 objects, got 1"):
        predicted_objects(cleaned, paths_of(STRAIGHT))
    broken = np.array(STRAIGHT).repeat(2, axis=0)
    broken[1, 0, 1, 0] = np.nan
    with pytest.raises(InputError, match="1 object"):
        predicted_objects(cleaned, paths_of(broken))


@given(st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=20))
def test_float32_confidences_sum_to_one(weights: list[float]) -> None:
    probability = np.sort(np.array([weights]) / np.sum(weights), axis=1)[:, ::-1]
    share = float32_shares(probability)
    assert abs(float(share.sum(dtype=np.float64)) - 1.0) <= 6e-8
    assert (share >= 0).all()
    np.testing.assert_allclose(share, probability, atol=1e-6)


# --- the way back ----------------------------------------------------------------------------------------------------


def test_a_frame_survives_the_way_through_bytes() -> None:
    rng = np.random.default_rng(0)
    count = 7
    frame = TrackFrame(
        timestamp_ns=1_234_567_890_123_456_789,
        track_id=tuple(f"{i:032x}" for i in range(1, count + 1)),
        object_class=np.arange(count, dtype=np.int8),
        position_m=rng.normal(0, 1e5, (count, 2)),
        yaw_rad=np.array([0.0, 1.0, -1.0, 3.0, -3.0, 0.5, 0.0]),
        yaw_valid=np.array([True] * 6 + [False]),
        velocity_mps=np.concatenate([rng.normal(0, 5, (count - 1, 2)), [[0, 0]]]),
        velocity_valid=np.array([True] * 6 + [False]),
        size_m=rng.uniform(0.5, 10, (count, 2)),
    )
    back = MessageCleaner().clean(decode_tracked(encode_tracked(tracked_objects(frame)))).frame
    assert (back.timestamp_ns, back.track_id) == (frame.timestamp_ns, frame.track_id)
    for name in ("object_class", "position_m", "yaw_valid", "velocity_valid", "size_m"):
        np.testing.assert_array_equal(getattr(back, name), getattr(frame, name), err_msg=name)
    np.testing.assert_allclose(back.yaw_rad, frame.yaw_rad, atol=1e-12)
    np.testing.assert_allclose(back.velocity_mps, frame.velocity_mps, atol=1e-12)


def test_objects_of_unknown_yaw_and_known_velocity_survive_too() -> None:
    no, yes = np.zeros(1, np.bool_), np.ones(1, np.bool_)
    frame = TrackFrame(
        0, ("0" * 32,), np.ones(1, np.int8), np.zeros((1, 2)), np.full(1, 2.0), no, np.array([[3.0, 4.0]]), yes,
        np.ones((1, 2)),
    )  # fmt: skip
    back = MessageCleaner().clean(tracked_objects(frame)).frame
    assert not back.yaw_valid[0]
    np.testing.assert_allclose(back.velocity_mps, [[3.0, 4.0]])
