"""What is unknown in a message leaves as unknown, never as 0."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.unit.ros.tracked_cars import VARIANCE, objects_of
from trajnet.ros.conventions import BOUNDING_BOX, CYLINDER, POLYGON
from trajnet.ros.from_autoware import CleanedMessage, MessageCleaner
from trajnet.ros.known_shapes import DEFAULT_HEIGHT_M
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


def with_pairs(*pairs: tuple[int, int, float]) -> Any:
    """Return variances of 0.1 with a covariance of each of these pairs of axes, on both sides."""
    matrix = VARIANCE.reshape(6, 6).copy()
    for row, column, value in pairs:
        matrix[row, column] = matrix[column, row] = value
    return matrix.reshape(1, 36)


@pytest.mark.parametrize(
    "covariance",
    [
        np.zeros((1, 36)),
        with_pairs((0, 1, 0.1)),  # in line: singular, but a covariance
        with_pairs((0, 1, -0.05), (0, 5, 0.03), (1, 5, -0.06)),
        with_pairs((0, 1, 0.09), (1, 2, 0.09), (0, 2, 0.09)),
        with_pairs((0, 1, float(np.float32(0.1)))),
    ],
)
@pytest.mark.parametrize("name", ["pose_covariance", "twist_covariance", "acceleration_covariance"])
def test_a_covariance_that_is_known_is_published_as_it_came(name: str, covariance: Any) -> None:
    np.testing.assert_array_equal(getattr(clean(**{name: covariance}).objects, name), covariance)


@pytest.mark.parametrize(
    ("covariance", "unknown"),
    [
        (with_pairs((0, 1, 0.5)), [0, 1]),  # a correlation of 5
        (with_pairs((0, 1, 0.09), (1, 5, 0.09), (0, 5, -0.09)), [0, 1, 5]),  # indefinite, though no pair is
        (with_term(0, 1, 0.05), [0, 1]),  # asymmetric
        (with_term(1, 0, 0.05), [0, 1]),
        (with_pairs((0, 0, 0.0), (0, 5, 0.01)), [0, 5]),  # what is exactly known correlates with nothing
        (with_pairs((3, 3, -1.0), (0, 1, 0.5)), [0, 1, 3]),
    ],
)
@pytest.mark.parametrize("name", ["pose_covariance", "twist_covariance", "acceleration_covariance"])
def test_correlations_that_cannot_be_are_unknown(name: str, covariance: Any, unknown: list[int]) -> None:
    good = with_pairs((0, 1, 0.05))
    both = clean(count=2, **{name: np.concatenate([good, covariance])}).objects
    np.testing.assert_array_equal(getattr(both, name)[:1], good)
    got = getattr(both, name)[1].reshape(6, 6)
    assert np.flatnonzero(np.diag(got) == UNKNOWN_VARIANCE).tolist() == unknown
    assert np.linalg.eigvalsh(got).min() >= 0
    np.testing.assert_array_equal(got, got.T)


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
        ([5.0, 0, 1e300, 0, 0, 0], VARIANCE, [False, False, True, False, False, False]),
        ([0.0] * 6, np.zeros(36), [True, True, False, False, False, False]),  # not filled in
        ([0.0] * 6, VARIANCE, [False] * 6),
    ],
)
def test_a_velocity_that_was_not_used_is_published_as_unknown(twist: Any, covariance: Any, unknown: list[bool]) -> None:
    objects = clean(twist=[twist], twist_covariance=[covariance]).objects
    variance = np.diag(objects.twist_covariance.reshape(6, 6))
    np.testing.assert_array_equal(variance == UNKNOWN_VARIANCE, unknown)
    assert (objects.twist[0][unknown] == 0).all()


def test_a_speed_that_the_class_cannot_have_is_published_as_unknown() -> None:
    """A car at 150 m/s: the track store does not use that either, and counts it."""
    cleaned = clean(twist=[[150.0, 0, 0, 0, 0, 0]])
    variance = np.diag(cleaned.objects.twist_covariance.reshape(6, 6))
    np.testing.assert_array_equal(variance == UNKNOWN_VARIANCE, [True, True, False, False, False, False])
    assert cleaned.objects.twist[0, 0] == 150.0
    assert cleaned.frame.velocity_valid.all()


def test_a_height_and_an_acceleration_that_cannot_be_are_unknown() -> None:
    objects = clean(pose=[[0, 0, 1e300, 0, 0, 0, 1]], acceleration=[[1e300, 0, 0, 0, 0, 0]]).objects
    assert (objects.pose[0, 2], objects.acceleration[0, 0]) == (0.0, 0.0)
    assert objects.pose_covariance[0, 14] == objects.acceleration_covariance[0, 0] == UNKNOWN_VARIANCE


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
    ("stated", "published"),
    [([7.0, 0.5], [1.0, 0.5]), ([-3.0, -5.0], [1.0, 0.0]), ([np.inf, 0.5], [0.0, 0.5]), ([0.0, 0.0], [0.0, 0.0])],
)
def test_class_probabilities_leave_within_0_and_1(stated: list[float], published: list[float]) -> None:
    objects = clean(class_count=[2], class_label=[1, 7], class_probability=stated).objects
    assert objects.class_probability.tolist() == published


def test_an_object_without_a_class_leaves_as_unknown() -> None:
    cleaned = clean(count=3, class_count=[0, 2, 0], class_label=[7, 1], class_probability=[0.75, 0.25])
    objects = cleaned.objects
    assert cleaned.frame.object_class.tolist() == [ObjectClass.UNKNOWN, ObjectClass.PEDESTRIAN, ObjectClass.UNKNOWN]
    assert objects.class_count.tolist() == [1, 2, 1]
    assert objects.class_label.tolist() == [0, 7, 1, 0]
    assert objects.class_probability.tolist() == [1.0, 0.75, 0.25, 1.0]


@pytest.mark.parametrize(
    ("kind", "stated", "published"),
    [
        (BOUNDING_BOX, [0.0, 0.0, 0.0], [*CAR, DEFAULT_HEIGHT_M]),
        (BOUNDING_BOX, [NAN, 2.0, 1.7], [*CAR, 1.7]),
        (BOUNDING_BOX, [1e-300, 1e-300, 1e-300], [*CAR, DEFAULT_HEIGHT_M]),
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


@pytest.mark.parametrize(
    ("outline", "kept", "size"),
    [
        ([[NAN, NAN, 0]] * 4, 0, CAR),
        ([[0, 0, 0]] * 4, 4, CAR),
        ([[1, 1, 0]], 1, CAR),
        ([], 0, CAR),
        ([[1e30, 1, 0], [2, 1, 0], [-2, -1, 0]], 2, CAR),
        ([[NAN, 7, 0], [0, 0, 0], [3, 0, 0], [3, 1, 0], [0, 1, 0]], 4, [3.0, 1.0]),
        ([[0, 0, 0], [3, 0, 0], [3, 1, 0], [np.inf, 1, 0]], 3, [3.0, 1.0]),
    ],
)
def test_an_outline_that_encloses_nothing_leaves_as_the_box_that_was_used(
    outline: Any, kept: int, size: list[float]
) -> None:
    points = np.concatenate([np.array(outline, dtype=np.float32).reshape(-1, 3), np.full((1, 3), 0.5, np.float32)])
    cleaned = clean(
        count=2,
        shape_type=[POLYGON, CYLINDER],
        dimensions_m=np.zeros((2, 3)),
        footprint_count=[len(points) - 1, 1],
        footprint_m=points,
    )
    objects = cleaned.objects
    assert objects.shape_type.tolist() == [BOUNDING_BOX if size == CAR else POLYGON, CYLINDER]
    assert objects.footprint_count.tolist() == [kept, 1]
    assert objects.footprint_m[-1].tolist() == [0.5, 0.5, 0.5]
    assert np.isfinite(objects.footprint_m).all()
    np.testing.assert_allclose(objects.dimensions_m[0, :2], size, atol=0.3)
    np.testing.assert_array_equal(cleaned.frame.size_m[0], objects.dimensions_m[0, :2])


def test_how_many_were_unknown_is_counted() -> None:
    cleaner = MessageCleaner()
    covariance = np.stack([np.full(36, NAN), VARIANCE])
    cleaner.clean(objects_of(2, pose_covariance=covariance, existence_probability=[0.5, NAN]))
    assert (cleaner.counters.unknown_covariance, cleaner.counters.replaced_values) == (1, 37)
