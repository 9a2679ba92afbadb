"""What is unknown in a message leaves as unknown, never as 0."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.unit.ros.tracked_cars import VARIANCE, objects_of
from trajnet.ros.conventions import BOUNDING_BOX, CYLINDER, POLYGON
from trajnet.ros.from_autoware import DEFAULT_HEIGHT_M, CleanedMessage, MessageCleaner
from trajnet.ros.unknown_values import UNKNOWN_VARIANCE
from trajnet.types import DEFAULT_SIZE_M, ObjectClass

NAN = float("nan")
CAR = DEFAULT_SIZE_M[ObjectClass.CAR].tolist()


def clean(**change: Any) -> CleanedMessage:
    return MessageCleaner().clean(objects_of(**change))


def with_term(row: int, column: int, value: float) -> Any:
    matrix = VARIANCE.reshape(6, 6).copy()
    matrix[row, column] = value
    return matrix.reshape(1, 36)


@pytest.mark.parametrize("name", ["pose_covariance", "twist_covariance", "acceleration_covariance"])
def test_a_covariance_of_nan_is_large(name: str) -> None:
    objects = clean(**{name: np.full((1, 36), NAN)}).objects
    np.testing.assert_array_equal(getattr(objects, name).reshape(6, 6), np.eye(6) * UNKNOWN_VARIANCE)


@pytest.mark.parametrize("value", [NAN, np.inf, -1.0, 1e300])
def test_a_variance_that_cannot_be_is_unknown_on_its_axis_alone(value: float) -> None:
    got = clean(pose_covariance=with_term(1, 1, value)).objects.pose_covariance.reshape(6, 6)
    np.testing.assert_array_equal(np.diag(got), [0.1, UNKNOWN_VARIANCE, 0.1, 0.1, 0.1, 0.1])
    assert np.count_nonzero(got) == 6


def test_a_correlation_that_is_not_finite_makes_both_axes_unknown() -> None:
    got = clean(pose_covariance=with_term(0, 5, NAN)).objects.pose_covariance.reshape(6, 6)
    np.testing.assert_array_equal(np.diag(got), [UNKNOWN_VARIANCE, 0.1, 0.1, 0.1, 0.1, UNKNOWN_VARIANCE])
    assert np.linalg.eigvalsh(got).min() > 0


def test_a_covariance_that_is_known_is_published_as_it_came() -> None:
    covariance = np.arange(36.0).reshape(1, 36)
    np.testing.assert_array_equal(clean(pose_covariance=covariance).objects.pose_covariance, covariance)


def test_a_pose_that_is_partly_unknown_has_a_large_variance_there() -> None:
    pose = np.array([[1.0, 2.0, NAN, 0.0, 0.0, 0.0, 0.0]])
    objects = clean(pose=pose).objects
    assert objects.pose[0].tolist() == [1, 2, 0, 0, 0, 0, 1]
    expected = [0.1, 0.1, *[UNKNOWN_VARIANCE] * 4]
    np.testing.assert_array_equal(np.diag(objects.pose_covariance.reshape(6, 6)), expected)


@pytest.mark.parametrize(
    ("twist", "covariance", "unknown"),
    [
        ([NAN, 0, 0, 0, 0, 0.2], VARIANCE, [True, True, False, False, False, False]),
        ([2000.0, 0, 0, 0, 0, 0.2], VARIANCE, [True, True, False, False, False, False]),
        ([5.0, 0, 0, 0, 0, NAN], VARIANCE, [False, False, False, False, False, True]),
        ([0.0] * 6, np.zeros(36), [True, True, False, False, False, False]),  # not filled in
        ([0.0] * 6, VARIANCE, [False] * 6),
    ],
)
def test_a_velocity_that_was_not_used_is_published_as_unknown(twist: Any, covariance: Any, unknown: list[bool]) -> None:
    objects = clean(twist=[twist], twist_covariance=[covariance]).objects
    variance = np.diag(objects.twist_covariance.reshape(6, 6))
    np.testing.assert_array_equal(variance == UNKNOWN_VARIANCE, unknown)
    assert (objects.twist[0][unknown] == 0).all()


def test_an_object_that_stands_has_a_known_velocity() -> None:
    objects = clean(twist=np.zeros((1, 6)), twist_covariance=np.zeros((1, 36)), is_stationary=[True]).objects
    assert not objects.twist_covariance.any()


@pytest.mark.parametrize(("value", "expected"), [(NAN, 1.0), (np.inf, 1.0), (-1.0, 1.0), (0.0, 0.0), (0.25, 0.25)])
def test_an_object_without_an_existence_probability_is_taken_to_be_there(value: float, expected: float) -> None:
    assert clean(existence_probability=[value]).objects.existence_probability.tolist() == [expected]


def test_the_class_that_was_used_is_not_published_as_impossible() -> None:
    objects = clean(
        count=2, class_count=[2, 2], class_label=[7, 1, 7, 1], class_probability=[NAN, NAN, NAN, 0.25]
    ).objects
    assert objects.class_probability.tolist() == [1.0, 0.0, 0.0, 0.25]


@pytest.mark.parametrize(
    ("kind", "stated", "published"),
    [
        (BOUNDING_BOX, [0.0, 0.0, 0.0], [*CAR, DEFAULT_HEIGHT_M]),
        (BOUNDING_BOX, [NAN, 2.0, 1.7], [*CAR, 1.7]),
        (BOUNDING_BOX, [4.0, 2.0, NAN], [4.0, 2.0, DEFAULT_HEIGHT_M]),
        (CYLINDER, [0.8, 0.0, 1.7], [0.8, 0.8, 1.7]),
        (POLYGON, [0.0, 0.0, 1.0], [3.0, 1.0, 1.0]),
        (BOUNDING_BOX, [4.0, 2.0, 1.5], [4.0, 2.0, 1.5]),
    ],
)
def test_the_size_that_was_used_is_published(kind: int, stated: list[float], published: list[float]) -> None:
    outline = np.array([[0, 0, 0], [3, 0, 0], [3, 1, 0], [0, 1, 0]])
    cleaned = clean(shape_type=[kind], dimensions_m=[stated], footprint_count=[4], footprint_m=outline)
    assert cleaned.objects.dimensions_m[0].tolist() == published
    assert cleaned.frame.size_m[0].tolist() == published[:2]


def test_how_many_were_unknown_is_counted() -> None:
    cleaner = MessageCleaner()
    covariance = np.stack([np.full(36, NAN), VARIANCE])
    cleaner.clean(objects_of(2, pose_covariance=covariance, existence_probability=[0.5, NAN]))
    assert (cleaner.counters.unknown_covariance, cleaner.counters.replaced_values) == (1, 37)
