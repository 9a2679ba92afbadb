"""Recorded PredictedObjects as predictions. Expected numbers are computed by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings

from tests.ros.object_strategies import predicted
from tests.ros.random_objects import random_predicted
from trajnet.ros.bridge import hex_ids, quaternion
from trajnet.ros.cdr import PredictedObjects
from trajnet.ros.recorded import recorded_prediction

HALF_SECOND_NS = 500_000_000


def recorded(
    paths: list[list[tuple[Any, float]]], step_ns: int = HALF_SECOND_NS, yaw_rad: Any = None
) -> PredictedObjects:
    """One list of (points (P, 2), confidence) per object."""
    flat = [(np.asarray(points, dtype=np.float64).reshape(-1, 2), c) for one in paths for points, c in one]
    layout = [[len(points) for points, _ in _flatten(one)] for one in paths]
    objects = random_predicted(0, [1] * len(paths), [0] * len(paths), layout, stamp_ns=5, special=False)
    objects.path_step_ns[:] = step_ns
    objects.path_confidence[:] = [c for _, c in flat]
    points = np.concatenate([p for p, _ in flat]) if flat else np.zeros((0, 2))
    objects.path_pose[:] = 0.0
    objects.path_pose[:, :2] = points
    objects.path_pose[:, 3:] = quaternion(np.zeros(len(points)) if yaw_rad is None else np.asarray(yaw_rad))
    return objects


def _flatten(one: list[tuple[Any, float]]) -> list[tuple[Any, float]]:
    return [(np.asarray(points).reshape(-1, 2), c) for points, c in one]


def test_paths_are_read_between_their_poses_and_straight_past_their_end() -> None:
    objects = recorded([[([[0, 0], [1, 0], [3, 2]], 1.0)]])
    prediction = recorded_prediction(objects, np.array([0.25, 0.5, 1.0, 1.25]))
    assert prediction.timestamp_ns == 5
    np.testing.assert_allclose(prediction.position_m[0, 0], [[0.5, 0], [1, 0], [3, 2], [4, 3]])
    np.testing.assert_allclose(prediction.probability, [[1.0]])


def test_yaw_goes_the_short_way_round() -> None:
    objects = recorded([[([[0, 0], [1, 0]], 1.0)]], yaw_rad=[3.0, -3.0])
    yaw = recorded_prediction(objects, np.array([0.25, 0.5, 5.0])).yaw_rad[0, 0]
    np.testing.assert_allclose(np.cos(yaw), np.cos([np.pi, -3.0, -3.0]), atol=1e-12)


def test_objects_with_fewer_paths_get_copies_of_probability_zero() -> None:
    one, two = [[0, 0], [1, 0]], [[0, 0], [0, 1]]
    objects = recorded([[(one, 0.2), (two, 0.6)], [(two, 0.9)], []])
    prediction = recorded_prediction(objects, np.array([0.5]))
    assert prediction.track_id == hex_ids(objects.object_id[:2])
    np.testing.assert_allclose(prediction.probability, [[0.25, 0.75], [1.0, 0.0]], rtol=1e-6)
    np.testing.assert_allclose(prediction.position_m[:, :, 0], [[[1, 0], [0, 1]], [[0, 1], [0, 1]]])
    prediction.validate()


def test_paths_that_say_nothing_do_not_count() -> None:
    good = [[0, 0], [1, 0]]
    objects = recorded([[([[0, 0], [np.nan, 0]], 0.9), (good, 0.1)], [([[np.inf, 0]], 1.0)], [([], 1.0)]])
    prediction = recorded_prediction(objects, np.array([0.5]))
    assert prediction.position_m.tolist() == [[[[1.0, 0.0]]]]
    assert len(recorded_prediction(recorded([[(good, 1.0)]], step_ns=0), np.array([0.5]))) == 0


def test_confidences_that_say_nothing_are_equal() -> None:
    path = [[0, 0], [1, 0]]
    prediction = recorded_prediction(recorded([[(path, 0.0), (path, np.nan)]]), np.array([0.5]))
    np.testing.assert_allclose(prediction.probability, [[0.5, 0.5]])


def test_one_pose_stays() -> None:
    prediction = recorded_prediction(recorded([[([[2, 3]], 1.0)]], step_ns=0), np.array([0.5, 9.0]))
    np.testing.assert_allclose(prediction.position_m[0, 0], [[2, 3], [2, 3]])


@settings(max_examples=100, deadline=None)
@given(predicted())
def test_whatever_was_recorded_the_prediction_is_usable(objects: PredictedObjects) -> None:
    recorded_prediction(objects, np.array([0.5, 1.0, 6.0])).validate()
