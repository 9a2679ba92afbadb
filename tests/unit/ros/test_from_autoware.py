"""What cleaning makes of imperfect objects. Expected numbers are computed by hand."""

from __future__ import annotations

import warnings
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from tests.ros.object_strategies import tracked
from tests.ros.random_objects import random_tracked
from tests.unit.ros.tracked_cars import VARIANCE, objects_of, paths_of, twist_of, with_yaw
from trajnet.errors import ConfigError
from trajnet.ros.cdr import (
    TrackedObjects,
    decode_predicted,
    encode_predicted,
)
from trajnet.ros.conventions import (
    BOUNDING_BOX,
    CYLINDER,
    POLYGON,
    SIGN_UNKNOWN,
    UNAVAILABLE,
    hex_ids,
    object_ids,
    quaternion_of_yaw,
)
from trajnet.ros.from_autoware import CleaningPolicy, MessageCleaner, select
from trajnet.ros.to_autoware import held, predicted_objects
from trajnet.types import DEFAULT_SIZE_M, ObjectClass

# --- class -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        (0, ObjectClass.UNKNOWN),
        (1, ObjectClass.CAR),
        (2, ObjectClass.TRUCK),
        (3, ObjectClass.BUS),
        (4, ObjectClass.TRUCK),
        (5, ObjectClass.MOTORCYCLE),
        (6, ObjectClass.BICYCLE),
        (7, ObjectClass.PEDESTRIAN),
        (8, ObjectClass.UNKNOWN),
        (9, ObjectClass.UNKNOWN),
        (10, ObjectClass.UNKNOWN),
        (11, ObjectClass.UNKNOWN),
        (255, ObjectClass.UNKNOWN),
    ],
)
def test_every_label_has_a_class(label: int, expected: ObjectClass) -> None:
    assert MessageCleaner().clean(objects_of(class_label=[label])).frame.object_class[0] == expected


def test_the_most_probable_classification_counts() -> None:
    objects = objects_of(
        5,
        class_count=[2, 0, 3, 2, 2],
        class_label=[1, 7, 6, 7, 2, 3, 1, 5, 6],
        class_probability=[0.2, 0.8, 0.3, 0.6, 0.1, 0.5, 0.5, np.nan, 0.0],
    )
    expected = [
        ObjectClass.PEDESTRIAN,
        ObjectClass.UNKNOWN,
        ObjectClass.PEDESTRIAN,
        ObjectClass.BUS,
        ObjectClass.BICYCLE,
    ]
    assert list(MessageCleaner().clean(objects).frame.object_class) == expected


# --- orientation and velocity ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("yaw_rad", [0.0, 0.3, np.pi / 2, 3.0, -3.0, -np.pi / 2])
@pytest.mark.parametrize("length", [1.0, -1.0, 10.0, 1e-3, 1e150])
def test_yaw_comes_from_a_quaternion_of_any_length(yaw_rad: float, length: float) -> None:
    objects = with_yaw(yaw_rad)
    pose = objects.pose.copy()
    pose[:, 3:] *= length
    cleaned = MessageCleaner().clean(replace(objects, pose=pose))
    assert cleaned.frame.yaw_rad[0] == pytest.approx(yaw_rad)
    assert cleaned.frame.yaw_valid[0]
    assert np.linalg.norm(cleaned.objects.pose[0, 3:]) == pytest.approx(1.0)


def test_yaw_of_a_tilted_object() -> None:
    # A turn of 90 degrees about z, then of 20 degrees about the object's own y: it still points along y of the map.
    half_yaw, half_pitch = np.pi / 4, np.deg2rad(10)
    x, y = -np.sin(half_yaw) * np.sin(half_pitch), np.cos(half_yaw) * np.sin(half_pitch)
    z, w = np.sin(half_yaw) * np.cos(half_pitch), np.cos(half_yaw) * np.cos(half_pitch)
    pose = np.array([[0, 0, 0, x, y, z, w]])
    assert MessageCleaner().clean(objects_of(pose=pose)).frame.yaw_rad[0] == pytest.approx(np.pi / 2)


@pytest.mark.parametrize("bad", [[0, 0, 0, 0], [np.nan, 0, 0, 1], [0, np.inf, 0, 1]])
def test_a_broken_quaternion_is_an_unknown_yaw_and_an_unknown_velocity(bad: list[float]) -> None:
    pose = np.array([[1.0, 2.0, 3.0, *bad]])
    cleaner = MessageCleaner()
    cleaned = cleaner.clean(objects_of(pose=pose))
    assert not cleaned.frame.yaw_valid[0]
    assert not cleaned.frame.velocity_valid[0]
    assert list(cleaned.objects.pose[0]) == [1, 2, 3, 0, 0, 0, 1]
    assert (cleaner.counters.unknown_yaw, cleaner.counters.unknown_velocity) == (1, 1)


def test_unavailable_orientation_still_tells_where_the_twist_points() -> None:
    cleaned = MessageCleaner().clean(with_yaw(np.pi / 2, orientation_availability=[UNAVAILABLE]))
    assert not cleaned.frame.yaw_valid[0]
    assert cleaned.frame.velocity_valid[0]
    np.testing.assert_allclose(cleaned.frame.velocity_mps, [[0.0, 5.0]], atol=1e-12)


def test_the_twist_is_turned_into_the_map() -> None:
    frame = MessageCleaner().clean(with_yaw(np.pi / 2, twist=twist_of(10.0, 1.0))).frame
    np.testing.assert_allclose(frame.velocity_mps, [[-1.0, 10.0]], atol=1e-12)


def test_a_negative_twist_of_known_sign_is_reversing() -> None:
    cleaned = MessageCleaner().clean(with_yaw(0.0, twist=twist_of(-2.0)))
    assert cleaned.frame.yaw_rad[0] == 0.0
    np.testing.assert_allclose(cleaned.frame.velocity_mps, [[-2.0, 0.0]])


def test_an_object_of_unknown_sign_that_drives_backward_is_turned_round() -> None:
    cleaner = MessageCleaner()
    covariance = np.diag(np.arange(1.0, 7.0))
    for row, column in ((0, 1), (0, 5)):
        covariance[row, column] = covariance[column, row] = 0.5
    objects = with_yaw(
        np.pi / 2,
        twist=twist_of(-5.0, 0.5, 0.2),
        twist_covariance=covariance.reshape(1, 36),
        acceleration=np.array([[-1.0, 0, 0, 0, 0, 0]]),
        orientation_availability=[SIGN_UNKNOWN],
        footprint_count=[1],
        footprint_m=[[2.0, 1.0, 0.5]],
    )
    cleaned = cleaner.clean(objects)
    assert cleaned.frame.yaw_rad[0] == pytest.approx(-np.pi / 2)
    np.testing.assert_allclose(cleaned.frame.velocity_mps, [[-0.5, -5.0]], atol=1e-12)  # in the map it stays as it was
    np.testing.assert_allclose(cleaned.objects.twist[0], [5.0, -0.5, 0, 0, 0, 0.2])
    np.testing.assert_allclose(cleaned.objects.acceleration[0, 0], 1.0)
    np.testing.assert_allclose(np.abs(cleaned.objects.pose[0, 3:] @ quaternion_of_yaw(np.array(-np.pi / 2))), 1.0)
    np.testing.assert_allclose(cleaned.objects.footprint_m, [[-2.0, -1.0, 0.5]])
    turned = cleaned.objects.twist_covariance.reshape(6, 6)
    assert (turned[0, 1], turned[0, 5], turned[5, 5]) == (covariance[0, 1], -covariance[0, 5], covariance[5, 5])
    assert cleaner.counters.turned_round == 1


def test_turning_round_keeps_roll_and_pitch_of_the_body() -> None:
    pose = np.array([[0, 0, 0, 0.1, 0.2, 0.3, 0.9]])
    objects = objects_of(pose=pose, twist=twist_of(-5.0), orientation_availability=[SIGN_UNKNOWN])
    before, after = pose[0, 3:] / np.linalg.norm(pose[0, 3:]), MessageCleaner().clean(objects).objects.pose[0, 3:]
    x, y, z, w = after
    up = [2 * (x * z + w * y), 2 * (y * z - w * x)]  # x and y of the body's z axis in the map
    x, y, z, w = before
    np.testing.assert_allclose(up, [2 * (x * z + w * y), 2 * (y * z - w * x)], atol=1e-12)


def test_noise_near_standstill_does_not_turn_an_object_round_and_round() -> None:
    cleaner = MessageCleaner(CleaningPolicy(sign_speed_mps=0.1, hold_speed_mps=0.0))

    def yaw(forward_mps: float) -> float:
        seen = cleaner.clean(with_yaw(0.0, twist=twist_of(forward_mps), orientation_availability=[SIGN_UNKNOWN]))
        return float(abs(seen.frame.yaw_rad[0]))

    assert [yaw(v) for v in (-0.05, 0.05, -0.05)] == [0.0, 0.0, 0.0]
    assert [yaw(v) for v in (-1.0, -0.05, 0.05, -0.09)] == pytest.approx([np.pi] * 4)
    assert [yaw(v) for v in (0.2, 0.05, -0.05)] == [0.0, 0.0, 0.0]
    yaw(-1.0)
    cleaner.reset()
    assert yaw(-0.05) == 0.0


@pytest.mark.parametrize(
    ("twist", "covariance", "stationary", "valid"),
    [
        ([0.0] * 6, np.zeros(36), False, False),  # not filled in
        ([0.0] * 6, VARIANCE, False, True),  # measured: it stands
        ([3.0, 0, 0, 0, 0, 0], np.zeros(36), False, True),
        ([np.nan, 0, 0, 0, 0, 0], VARIANCE, False, False),
        ([2000.0, 0, 0, 0, 0, 0], VARIANCE, False, False),
        ([0.0] * 6, np.zeros(36), True, True),  # the tracker says that it stands
        ([0, 0, np.nan, 0, 0, 0], VARIANCE, False, True),  # only the plane counts
    ],
)
def test_which_velocities_count_as_measured(twist: Any, covariance: Any, stationary: bool, valid: bool) -> None:
    objects = objects_of(twist=[twist], twist_covariance=[covariance], is_stationary=[stationary])
    cleaned = MessageCleaner().clean(objects)
    assert cleaned.frame.velocity_valid[0] == valid
    assert np.isfinite(cleaned.objects.twist).all()


@pytest.mark.parametrize(
    ("speed_mps", "stationary", "hold"),
    [(5.0, False, False), (0.11, False, False), (0.09, False, True), (5.0, True, True)],
)
def test_what_is_held(speed_mps: float, stationary: bool, hold: bool) -> None:
    cleaned = MessageCleaner().clean(objects_of(twist=twist_of(speed_mps), is_stationary=[stationary]))
    assert cleaned.hold[0] == hold


def test_an_unknown_velocity_is_not_a_slow_one() -> None:
    assert not MessageCleaner().clean(objects_of(twist=np.zeros((1, 6)), twist_covariance=np.zeros((1, 36)))).hold[0]


# --- size ------------------------------------------------------------------------------------------------------------

DIAMOND = [[2.0, 0.0, 0.0], [0.0, 1.0, 0.0], [-2.0, 0.0, 0.0], [0.0, -1.0, 0.0]]
#: A rectangle of 4 x 2 m, turned by 30 degrees, with a point in the middle of a side and one inside.
TURNED = [
    [2 * np.cos(np.pi / 6) * a - np.sin(np.pi / 6) * b, 2 * np.sin(np.pi / 6) * a + np.cos(np.pi / 6) * b, 0.0]
    for a, b in [(1, 1), (0, 1), (-1, 1), (-1, -1), (1, -1), (0.2, 0.1)]
]
CAR = tuple(DEFAULT_SIZE_M[ObjectClass.CAR])


@pytest.mark.parametrize(
    ("kind", "dimensions", "footprint", "expected"),
    [
        (BOUNDING_BOX, [4.0, 2.0, 1.5], [], (4.0, 2.0)),
        (CYLINDER, [0.8, 0.0, 1.7], [], (0.8, 0.8)),
        (CYLINDER, [0.8, 0.8, 1.7], [], (0.8, 0.8)),
        (POLYGON, [0.0, 0.0, 1.0], TURNED, (4.0, 2.0)),
        (POLYGON, [9.0, 9.0, 1.0], [[0, 0, 0], [1, 0, 0], [1, 3, 0], [0, 3, 0]], (3.0, 1.0)),
        (POLYGON, [4.0, 2.0, 1.0], [[0, 0, 0], [1, 0, 0], [2, 0, 0]], (4.0, 2.0)),  # no area
        (POLYGON, [4.0, 2.0, 1.0], [[0, 0, 0], [1, 0, 0]], (4.0, 2.0)),
        (POLYGON, [0.0, 0.0, 0.0], [], CAR),
        (BOUNDING_BOX, [0.0, 2.0, 1.5], [], CAR),
        (BOUNDING_BOX, [-4.0, 2.0, 1.5], [], CAR),
        (BOUNDING_BOX, [np.nan, 2.0, 1.5], [], CAR),
        (BOUNDING_BOX, [1e9, 2.0, 1.5], [], CAR),
        (77, [4.0, 2.0, 1.5], [], (4.0, 2.0)),
    ],
)
def test_sizes(kind: int, dimensions: list[float], footprint: Any, expected: tuple[float, float]) -> None:
    cleaner = MessageCleaner()
    points = np.array(footprint, dtype=np.float64).reshape(-1, 3)
    objects = objects_of(
        shape_type=[kind], dimensions_m=[dimensions], footprint_count=[len(points)], footprint_m=points
    )
    np.testing.assert_allclose(cleaner.clean(objects).frame.size_m[0], expected, rtol=1e-6)
    assert cleaner.counters.default_size == (expected == CAR)


def test_sizes_of_several_polygons_go_to_their_objects() -> None:
    square = [[0, 0, 0], [3, 0, 0], [3, 3, 0], [0, 3, 0]]
    objects = objects_of(
        3,
        shape_type=[POLYGON, BOUNDING_BOX, POLYGON],
        footprint_count=[4, 1, 6],
        footprint_m=np.concatenate([square, [[9, 9, 9]], TURNED]),
    )
    np.testing.assert_allclose(MessageCleaner().clean(objects).frame.size_m, [[3, 3], [4, 2], [4, 2]], rtol=1e-6)


# --- rows ------------------------------------------------------------------------------------------------------------


def test_objects_without_a_position_are_dropped_and_counted() -> None:
    objects = random_tracked(1, [1, 2, 0, 3, 1], [2, 0, 4, 1, 3], special=False)
    pose = objects.pose.copy()
    pose[1, 0], pose[4, 1] = np.nan, 1e300
    cleaner = MessageCleaner()
    cleaned = cleaner.clean(replace(objects, pose=pose))
    assert cleaned.frame.track_id == hex_ids(objects.object_id[[0, 2, 3]])
    assert (cleaner.counters.objects, cleaner.counters.dropped_position) == (5, 2)
    np.testing.assert_array_equal(cleaned.objects.class_count, [1, 1, 3])  # the second had no class
    np.testing.assert_array_equal(cleaned.objects.class_label, [objects.class_label[0], 0, *objects.class_label[3:6]])
    expected = objects.footprint_m[:7]
    np.testing.assert_array_equal(np.abs(cleaned.objects.footprint_m), np.abs(expected))


def test_select_reorders_every_column() -> None:
    objects = random_tracked(2, [1, 2, 0], [2, 0, 1], special=False)
    back = select(select(objects, np.array([2, 0, 1])), np.array([1, 2, 0]))
    for field in fields(objects):
        np.testing.assert_array_equal(getattr(back, field.name), getattr(objects, field.name), err_msg=field.name)


def test_no_objects_are_no_tracks() -> None:
    cleaned = MessageCleaner().clean(objects_of(0))
    assert len(cleaned) == 0
    assert len(predicted_objects(cleaned, paths_of(np.zeros((0, 2, 3, 2))))) == 0


def test_ids_go_both_ways() -> None:
    own = "00112233445566778899aabbccddeeff"
    ids = object_ids((own, "car 7", "00"))
    assert hex_ids(ids)[0] == own
    assert len(set(hex_ids(ids))) == 3
    np.testing.assert_array_equal(ids, object_ids((own, "car 7", "00")))


@settings(max_examples=200, deadline=None)
@given(tracked())
def test_whatever_the_message_the_objects_come_out_usable(objects: TrackedObjects) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cleaned = MessageCleaner().clean(objects)  # TrackFrame checks itself
        count = len(cleaned)
        start = np.repeat(cleaned.frame.position_m[:, None, None], 2, axis=1).repeat(3, axis=2)
        predicted = predicted_objects(cleaned, held(paths_of(start), cleaned.hold))
    for field in fields(predicted):
        value = getattr(predicted, field.name)
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            assert np.isfinite(value).all(), field.name
    assert len(predicted) == count
    assert (predicted.path_count >= 1).all()
    np.testing.assert_allclose(np.linalg.norm(predicted.path_pose[:, 3:], axis=1), 1.0, rtol=1e-9)
    decode_predicted(encode_predicted(predicted))


def test_a_policy_refuses_what_is_no_speed() -> None:
    with pytest.raises(ConfigError, match="hold_speed_mps"):
        CleaningPolicy(hold_speed_mps=-1.0)
