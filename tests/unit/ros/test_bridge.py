"""What the bridge makes of imperfect objects, and of paths. Expected numbers are computed by hand."""

from __future__ import annotations

import warnings
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ros.object_strategies import tracked
from tests.ros.random_objects import random_tracked
from trajnet.errors import ConfigError, InputError
from trajnet.ros.bridge import (
    AVAILABLE,
    BOUNDING_BOX,
    CYLINDER,
    POLYGON,
    SIGN_UNKNOWN,
    UNAVAILABLE,
    Bridge,
    BridgePolicy,
    float32_shares,
    held,
    hex_ids,
    object_ids,
    predicted_objects,
    quaternion,
    select,
    tracked_objects,
)
from trajnet.ros.cdr import (
    PredictedObjects,
    TrackedObjects,
    decode_predicted,
    decode_tracked,
    encode_predicted,
    encode_tracked,
)
from trajnet.ros.published_paths import Paths
from trajnet.types import DEFAULT_SIZE_M, ObjectClass, TrackFrame

VARIANCE = np.eye(6).ravel() * 0.1


def objects_of(count: int = 1, **change: Any) -> TrackedObjects:
    """count cars of 4 x 2 m at (0, 0), (10, 0), ..., heading 0, driving 5 m/s; change replaces columns."""
    pose = np.zeros((count, 7))
    pose[:, 0] = np.arange(count) * 10.0
    pose[:, 6] = 1.0
    columns: dict[str, Any] = {
        "stamp_ns": 7,
        "frame_id": "map",
        "object_id": np.repeat(np.arange(1, count + 1, dtype=np.uint8)[:, None], 16, axis=1),
        "existence_probability": np.full(count, 0.5),
        "class_count": np.ones(count),
        "class_label": np.ones(count),
        "class_probability": np.ones(count),
        "pose": pose,
        "pose_covariance": np.tile(VARIANCE, (count, 1)),
        "twist": np.tile([5.0, 0, 0, 0, 0, 0], (count, 1)),
        "twist_covariance": np.tile(VARIANCE, (count, 1)),
        "acceleration": np.zeros((count, 6)),
        "acceleration_covariance": np.zeros((count, 36)),
        "shape_type": np.zeros(count),
        "dimensions_m": np.tile([4.0, 2.0, 1.5], (count, 1)),
        "footprint_count": np.zeros(count),
        "footprint_m": np.zeros((0, 3)),
        "orientation_availability": np.full(count, AVAILABLE),
        "is_stationary": np.zeros(count),
    }
    return TrackedObjects(**{**columns, **change})


def with_yaw(yaw_rad: float, **change: Any) -> TrackedObjects:
    pose = np.zeros((1, 7))
    pose[0, 3:] = quaternion(np.array(yaw_rad))
    return objects_of(pose=pose, **change)


def twist_of(x: float, y: float = 0.0, yaw_rate: float = 0.0) -> Any:
    return np.array([[x, y, 0.0, 0.0, 0.0, yaw_rate]])


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
    assert Bridge().observe(objects_of(class_label=[label])).frame.object_class[0] == expected


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
    assert list(Bridge().observe(objects).frame.object_class) == expected


# --- orientation and velocity ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("yaw_rad", [0.0, 0.3, np.pi / 2, 3.0, -3.0, -np.pi / 2])
@pytest.mark.parametrize("length", [1.0, -1.0, 10.0, 1e-3, 1e150])
def test_yaw_comes_from_a_quaternion_of_any_length(yaw_rad: float, length: float) -> None:
    objects = with_yaw(yaw_rad)
    pose = objects.pose.copy()
    pose[:, 3:] *= length
    observed = Bridge().observe(replace(objects, pose=pose))
    assert observed.frame.yaw_rad[0] == pytest.approx(yaw_rad)
    assert observed.frame.yaw_valid[0]
    assert np.linalg.norm(observed.objects.pose[0, 3:]) == pytest.approx(1.0)


def test_yaw_of_a_tilted_object() -> None:
    # A turn of 90 degrees about z, then of 20 degrees about the object's own y: it still points along y of the map.
    half_yaw, half_pitch = np.pi / 4, np.deg2rad(10)
    x, y = -np.sin(half_yaw) * np.sin(half_pitch), np.cos(half_yaw) * np.sin(half_pitch)
    z, w = np.sin(half_yaw) * np.cos(half_pitch), np.cos(half_yaw) * np.cos(half_pitch)
    pose = np.array([[0, 0, 0, x, y, z, w]])
    assert Bridge().observe(objects_of(pose=pose)).frame.yaw_rad[0] == pytest.approx(np.pi / 2)


@pytest.mark.parametrize("bad", [[0, 0, 0, 0], [np.nan, 0, 0, 1], [0, np.inf, 0, 1]])
def test_a_broken_quaternion_is_an_unknown_yaw_and_an_unknown_velocity(bad: list[float]) -> None:
    pose = np.array([[1.0, 2.0, 3.0, *bad]])
    bridge = Bridge()
    observed = bridge.observe(objects_of(pose=pose))
    assert not observed.frame.yaw_valid[0]
    assert not observed.frame.velocity_valid[0]
    assert list(observed.objects.pose[0]) == [1, 2, 3, 0, 0, 0, 1]
    assert (bridge.counters.unknown_yaw, bridge.counters.unknown_velocity) == (1, 1)


def test_unavailable_orientation_still_tells_where_the_twist_points() -> None:
    observed = Bridge().observe(with_yaw(np.pi / 2, orientation_availability=[UNAVAILABLE]))
    assert not observed.frame.yaw_valid[0]
    assert observed.frame.velocity_valid[0]
    np.testing.assert_allclose(observed.frame.velocity_mps, [[0.0, 5.0]], atol=1e-12)


def test_the_twist_is_turned_into_the_map() -> None:
    frame = Bridge().observe(with_yaw(np.pi / 2, twist=twist_of(10.0, 1.0))).frame
    np.testing.assert_allclose(frame.velocity_mps, [[-1.0, 10.0]], atol=1e-12)


def test_a_negative_twist_of_known_sign_is_reversing() -> None:
    observed = Bridge().observe(with_yaw(0.0, twist=twist_of(-2.0)))
    assert observed.frame.yaw_rad[0] == 0.0
    np.testing.assert_allclose(observed.frame.velocity_mps, [[-2.0, 0.0]])


def test_an_object_of_unknown_sign_that_drives_backward_is_turned_round() -> None:
    bridge = Bridge()
    covariance = np.arange(36.0).reshape(6, 6)
    objects = with_yaw(
        np.pi / 2,
        twist=twist_of(-5.0, 0.5, 0.2),
        twist_covariance=covariance.reshape(1, 36),
        acceleration=np.array([[-1.0, 0, 0, 0, 0, 0]]),
        orientation_availability=[SIGN_UNKNOWN],
        footprint_count=[1],
        footprint_m=[[2.0, 1.0, 0.5]],
    )
    observed = bridge.observe(objects)
    assert observed.frame.yaw_rad[0] == pytest.approx(-np.pi / 2)
    np.testing.assert_allclose(observed.frame.velocity_mps, [[-0.5, -5.0]], atol=1e-12)  # in the map it stays as it was
    np.testing.assert_allclose(observed.objects.twist[0], [5.0, -0.5, 0, 0, 0, 0.2])
    np.testing.assert_allclose(observed.objects.acceleration[0, 0], 1.0)
    np.testing.assert_allclose(np.abs(observed.objects.pose[0, 3:] @ quaternion(np.array(-np.pi / 2))), 1.0)
    np.testing.assert_allclose(observed.objects.footprint_m, [[-2.0, -1.0, 0.5]])
    turned = observed.objects.twist_covariance.reshape(6, 6)
    assert (turned[0, 1], turned[0, 5], turned[5, 5]) == (covariance[0, 1], -covariance[0, 5], covariance[5, 5])
    assert bridge.counters.turned_round == 1


def test_turning_round_keeps_roll_and_pitch_of_the_body() -> None:
    pose = np.array([[0, 0, 0, 0.1, 0.2, 0.3, 0.9]])
    objects = objects_of(pose=pose, twist=twist_of(-5.0), orientation_availability=[SIGN_UNKNOWN])
    before, after = pose[0, 3:] / np.linalg.norm(pose[0, 3:]), Bridge().observe(objects).objects.pose[0, 3:]
    x, y, z, w = after
    up = [2 * (x * z + w * y), 2 * (y * z - w * x)]  # x and y of the body's z axis in the map
    x, y, z, w = before
    np.testing.assert_allclose(up, [2 * (x * z + w * y), 2 * (y * z - w * x)], atol=1e-12)


def test_noise_near_standstill_does_not_turn_an_object_round_and_round() -> None:
    bridge = Bridge(BridgePolicy(sign_speed_mps=0.1, hold_speed_mps=0.0))

    def yaw(forward_mps: float) -> float:
        seen = bridge.observe(with_yaw(0.0, twist=twist_of(forward_mps), orientation_availability=[SIGN_UNKNOWN]))
        return float(abs(seen.frame.yaw_rad[0]))

    assert [yaw(v) for v in (-0.05, 0.05, -0.05)] == [0.0, 0.0, 0.0]
    assert [yaw(v) for v in (-1.0, -0.05, 0.05, -0.09)] == pytest.approx([np.pi] * 4)
    assert [yaw(v) for v in (0.2, 0.05, -0.05)] == [0.0, 0.0, 0.0]
    yaw(-1.0)
    bridge.reset()
    assert yaw(-0.05) == 0.0


@pytest.mark.parametrize(
    ("twist", "covariance", "stationary", "valid"),
    [
        ([0.0] * 6, np.zeros(36), False, False),  # nobody filled it in
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
    observed = Bridge().observe(objects)
    assert observed.frame.velocity_valid[0] == valid
    assert np.isfinite(observed.objects.twist).all()


@pytest.mark.parametrize(
    ("speed_mps", "stationary", "hold"),
    [(5.0, False, False), (0.11, False, False), (0.09, False, True), (5.0, True, True)],
)
def test_what_is_held(speed_mps: float, stationary: bool, hold: bool) -> None:
    observed = Bridge().observe(objects_of(twist=twist_of(speed_mps), is_stationary=[stationary]))
    assert observed.hold[0] == hold


def test_an_unknown_velocity_is_not_a_slow_one() -> None:
    assert not Bridge().observe(objects_of(twist=np.zeros((1, 6)), twist_covariance=np.zeros((1, 36)))).hold[0]


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
    bridge = Bridge()
    points = np.array(footprint, dtype=np.float64).reshape(-1, 3)
    objects = objects_of(
        shape_type=[kind], dimensions_m=[dimensions], footprint_count=[len(points)], footprint_m=points
    )
    np.testing.assert_allclose(bridge.observe(objects).frame.size_m[0], expected, rtol=1e-6)
    assert bridge.counters.default_size == (expected == CAR)


def test_sizes_of_several_polygons_go_to_their_objects() -> None:
    square = [[0, 0, 0], [3, 0, 0], [3, 3, 0], [0, 3, 0]]
    objects = objects_of(
        3,
        shape_type=[POLYGON, BOUNDING_BOX, POLYGON],
        footprint_count=[4, 1, 6],
        footprint_m=np.concatenate([square, [[9, 9, 9]], TURNED]),
    )
    np.testing.assert_allclose(Bridge().observe(objects).frame.size_m, [[3, 3], [4, 2], [4, 2]], rtol=1e-6)


# --- rows ------------------------------------------------------------------------------------------------------------


def test_objects_that_are_nowhere_and_second_ones_are_dropped_and_counted() -> None:
    objects = random_tracked(1, [1, 2, 0, 3, 1], [2, 0, 4, 1, 3], special=False)
    pose = objects.pose.copy()
    pose[1, 0], pose[4, 1] = np.nan, 1e300
    object_id = objects.object_id.copy()
    object_id[3] = object_id[0]
    bridge = Bridge()
    observed = bridge.observe(replace(objects, pose=pose, object_id=object_id))
    assert observed.frame.track_id == hex_ids(objects.object_id[[0, 2]])
    assert (bridge.counters.objects, bridge.counters.dropped_position, bridge.counters.dropped_duplicate) == (5, 2, 1)
    np.testing.assert_array_equal(observed.objects.class_count, [1, 0])
    np.testing.assert_array_equal(observed.objects.class_label, objects.class_label[:1])
    expected = np.concatenate([objects.footprint_m[:2], objects.footprint_m[2:6]])
    np.testing.assert_array_equal(np.abs(observed.objects.footprint_m), np.abs(expected))


def test_select_reorders_every_column() -> None:
    objects = random_tracked(2, [1, 2, 0], [2, 0, 1], special=False)
    back = select(select(objects, np.array([2, 0, 1])), np.array([1, 2, 0]))
    for field in fields(objects):
        np.testing.assert_array_equal(getattr(back, field.name), getattr(objects, field.name), err_msg=field.name)


def test_no_objects_are_no_tracks() -> None:
    observed = Bridge().observe(objects_of(0))
    assert len(observed) == 0
    assert len(predicted_objects(observed, paths_of(np.zeros((0, 2, 3, 2))))) == 0


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
        observed = Bridge().observe(objects)  # TrackFrame checks itself
        count = len(observed)
        start = np.repeat(observed.frame.position_m[:, None, None], 2, axis=1).repeat(3, axis=2)
        predicted = predicted_objects(observed, held(paths_of(start), observed.hold))
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
        BridgePolicy(hold_speed_mps=-1.0)


# --- paths -----------------------------------------------------------------------------------------------------------


def paths_of(position_m: Any, yaw_rad: Any = None, probability: Any = None) -> Paths:
    position_m = np.asarray(position_m, dtype=np.float64)
    count, modes, points = position_m.shape[:3]
    return Paths(
        time_s=np.arange(points) * 0.5,
        position_m=position_m,
        yaw_rad=np.zeros((count, modes, points)) if yaw_rad is None else np.asarray(yaw_rad, dtype=np.float64),
        covariance_m2=np.zeros((count, modes, points, 2, 2)),
        probability=np.full((count, modes), 1.0 / modes) if probability is None else np.asarray(probability),
        z_m=np.zeros(count),
        source=np.zeros(count, dtype=np.int8),
        age_s=np.zeros(count),
    )


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
    observed = Bridge().observe(objects)
    yaw = [[[0.0, 0.0, 0.0], [0.0, 0.2, np.pi / 2]]]
    predicted = predicted_objects(observed, paths_of(STRAIGHT, yaw, [[0.7, 0.3]]))
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
    observed = Bridge().observe(with_yaw(1.0, orientation_availability=[UNAVAILABLE]))
    predicted = predicted_objects(observed, paths_of(STRAIGHT, np.full((1, 2, 3), 0.4)))
    np.testing.assert_allclose(predicted.path_pose[0, 3:], quaternion(np.array(0.4)))


def test_held_objects_have_one_path_that_stays_with_a_constant_yaw() -> None:
    yaw = np.array([[[0.5, 1.0, 2.0], [0.5, -1.0, -2.0]]]).repeat(2, axis=0)
    position = np.array(STRAIGHT).repeat(2, axis=0)
    observed = Bridge().observe(objects_of(2, twist=np.repeat(twist_of(5.0), 2, axis=0), is_stationary=[True, False]))
    predicted = predicted_objects(observed, held(paths_of(position, yaw, [[0.6, 0.4]] * 2), observed.hold))
    np.testing.assert_array_equal(predicted.path_count, [1, 2])
    (stays,), moves = paths_list(predicted)
    assert len(stays) == 3
    np.testing.assert_allclose(stays[:, :2], 0.0)
    np.testing.assert_allclose(stays[1:, 3:], np.tile(quaternion(np.array(0.5)), (2, 1)))
    np.testing.assert_allclose(moves[0][2, :2], [5.0, 0.0])
    np.testing.assert_allclose(predicted.path_confidence, [1.0, 0.6, 0.4], rtol=1e-6)


def test_paths_without_probability_are_left_out_but_never_all() -> None:
    observed = Bridge().observe(objects_of())
    three = np.concatenate([STRAIGHT, np.array(STRAIGHT)[:, :1]], axis=1)
    predicted = predicted_objects(observed, paths_of(three, None, [[1.0, 1e-60, 0.0]]))
    np.testing.assert_array_equal(predicted.path_count, [1])
    np.testing.assert_array_equal(predicted.path_confidence, [1.0])


def test_paths_that_do_not_fit_are_refused() -> None:
    observed = Bridge().observe(objects_of(2))
    with pytest.raises(InputError, match="paths of 2 objects, got 1"):
        predicted_objects(observed, paths_of(STRAIGHT))
    broken = np.array(STRAIGHT).repeat(2, axis=0)
    broken[1, 0, 1, 0] = np.nan
    with pytest.raises(InputError, match="1 object"):
        predicted_objects(observed, paths_of(broken))


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
        track_id=tuple(f"{i:032x}" for i in range(count)),
        object_class=np.arange(count, dtype=np.int8),
        position_m=rng.normal(0, 1e5, (count, 2)),
        yaw_rad=np.array([0.0, 1.0, -1.0, 3.0, -3.0, 0.5, 0.0]),
        yaw_valid=np.array([True] * 6 + [False]),
        velocity_mps=np.concatenate([rng.normal(0, 5, (count - 1, 2)), [[0, 0]]]),
        velocity_valid=np.array([True] * 6 + [False]),
        size_m=rng.uniform(0.5, 10, (count, 2)),
    )
    back = Bridge().observe(decode_tracked(encode_tracked(tracked_objects(frame)))).frame
    assert (back.timestamp_ns, back.track_id) == (frame.timestamp_ns, frame.track_id)
    for name in ("object_class", "position_m", "yaw_valid", "velocity_valid", "size_m"):
        np.testing.assert_array_equal(getattr(back, name), getattr(frame, name), err_msg=name)
    np.testing.assert_allclose(back.yaw_rad, frame.yaw_rad, atol=1e-12)
    np.testing.assert_allclose(back.velocity_mps, frame.velocity_mps, atol=1e-12)


def test_objects_of_unknown_yaw_and_known_velocity_survive_too() -> None:
    known, velocity_mps = np.ones(1, np.bool_), np.array([[3.0, 4.0]])
    car, yaw_rad = np.ones(1, np.int8), np.full(1, 2.0)
    frame = TrackFrame(
        0, ("0" * 32,), car, np.zeros((1, 2)), yaw_rad, ~known, velocity_mps, known, np.ones((1, 2))
    )  # fmt: skip
    back = Bridge().observe(tracked_objects(frame)).frame
    assert not back.yaw_valid[0]
    np.testing.assert_allclose(back.velocity_mps, [[3.0, 4.0]])
