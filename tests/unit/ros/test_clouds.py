"""Clouds whose float32 coordinates are relative to an origin nearby: exact to a millimetre in UTM."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.unit.ros.cloud_reader import read_cloud
from trajnet.ros.cloud_origin import origin_near
from trajnet.ros.disagreement import Disagreement, disagreement_records
from trajnet.ros.published_paths import PublishedPaths
from trajnet.ros.transforms import TransformBuffer, decode_transforms
from trajnet.ros.visual import encode_cloud, encode_covariance
from trajnet.types import FloatArray

UTM_M = np.array([458_123.456, 5_428_987.654])
STAMP_NS = 1_700_000_000_123_456_789


def paths(centre_m: FloatArray, count: int = 40) -> PublishedPaths:
    """Objects within 200 m of a place, with 2 paths of up to 600 m."""
    rng = np.random.default_rng(1)
    here_m = centre_m + rng.uniform(-200, 200, (count, 1, 1, 2))
    position_m = here_m + rng.uniform(-40, 40, (count, 2, 1, 2)) * np.linspace(0.0, 15.0, 4)[:, None]
    return PublishedPaths(
        np.linspace(0.0, 15.0, 4), position_m, np.zeros((count, 2, 4)), np.zeros((count, 2, 4, 2, 2)),
        np.full((count, 2), 0.5), np.full(count, 312.3), np.zeros(count, np.int8), np.zeros(count),
    )  # fmt: skip


def test_float32_and_the_origin_are_within_a_millimetre_in_utm() -> None:
    far = paths(UTM_M)
    cloud = encode_covariance(STAMP_NS, "map", far, "node/origin")
    stamp_ns, frame_id, points = read_cloud(cloud.data)
    assert (stamp_ns, frame_id) == (STAMP_NS, "node/origin")
    assert cloud.transform is not None
    buffer = TransformBuffer()
    buffer.add(cloud.transform, static=False)
    at = buffer.find("map", "node/origin", STAMP_NS)
    moved = np.stack([points[n].astype(np.float64) for n in "xyz"], axis=1) + at.translation_m
    true_m = far.position_m.reshape(-1, 2)
    assert np.abs(moved[:, :2] - true_m).max() < 1e-3
    assert moved[:, 2] == pytest.approx(312.3, abs=1e-3)
    assert np.array_equal(np.stack([points["x_m"], points["y_m"]], axis=1), true_m)


def test_one_cloud_alone_tells_its_origin() -> None:
    cloud = encode_covariance(STAMP_NS, "map", paths(UTM_M), "node/origin")
    points = read_cloud(cloud.data).records
    origin_m = np.round([points["x_m"][0] - points["x"][0], points["y_m"][0] - points["y"][0]])
    assert cloud.transform is not None
    (told,) = decode_transforms(cloud.transform)
    assert origin_m.tolist() == told.transform.translation_m[:2].tolist() == [458_000.0, 5_429_000.0]


def test_without_an_origin_points_are_where_the_predictions_are() -> None:
    for frame_id, origin_frame in (("map", ""), ("", "node/origin")):  # nothing can be below a frame without a name
        cloud = encode_covariance(STAMP_NS, frame_id, paths(UTM_M), origin_frame)
        assert cloud.transform is None
        _, frame, points = read_cloud(cloud.data)
        assert frame == frame_id
        assert np.array_equal(points["y"], points["y_m"].astype(np.float32))


def test_no_objects_have_a_frame_and_a_transform_too() -> None:
    cloud = encode_covariance(STAMP_NS, "map", paths(UTM_M, count=0), "node/origin")
    _, frame_id, points = read_cloud(cloud.data)
    assert (frame_id, len(points)) == ("node/origin", 0)
    assert cloud.transform is not None
    (told,) = decode_transforms(cloud.transform)
    assert (told.parent, told.child, told.stamp_ns) == ("map", "node/origin", STAMP_NS)


def test_the_origin_is_where_most_objects_are_and_float32_has_it() -> None:
    here_m = paths(UTM_M).position_m[:, 0, 0]
    strays_m = np.array([[1e9, -1e9], [np.nan, 0.0], [np.inf, 1.0]])
    assert origin_near(np.concatenate([here_m, strays_m])).tolist() == [458_000.0, 5_429_000.0]
    assert origin_near(np.full((1, 2), np.nan)).tolist() == [0.0, 0.0]
    near = origin_near(np.array([[-499.0, -499.0]]))
    assert not np.signbit(near).any()
    rng = np.random.default_rng(0)
    for place_m in rng.uniform(-9e6, 9e6, (100, 1, 2)):
        assert np.array_equal(origin_near(place_m), origin_near(place_m).astype(np.float32))


def test_a_stray_object_takes_no_precision_from_the_others() -> None:
    far = paths(UTM_M)
    position_m = far.position_m.copy()
    position_m[0] = 0.0  # the first of all
    cloud = encode_covariance(STAMP_NS, "map", replace(far, position_m=position_m), "node/origin")
    points = read_cloud(cloud.data).records.reshape(40, -1)[1:]
    assert np.abs(points["y"].astype(np.float64) + 5_429_000.0 - points["y_m"]).max() < 1e-3


def test_the_cloud_of_the_disagreement_is_as_exact() -> None:
    position_m = np.concatenate([paths(UTM_M).position_m[:, 0, 0], np.full((40, 1), 12.5)], axis=1)
    found = Disagreement(
        STAMP_NS, "map", np.zeros((40, 16), np.uint8), position_m, np.ones((40, 3)), np.zeros(40, np.uint8)
    )
    cloud = encode_cloud(STAMP_NS, "map", disagreement_records(found), False, position_m[:, :2], "node/other_origin")
    _, frame_id, points = read_cloud(cloud.data)
    assert frame_id == "node/other_origin"
    assert np.abs(points["x"].astype(np.float64) + 458_000.0 - position_m[:, 0]).max() < 1e-3
    assert np.array_equal(points["y_m"], position_m[:, 1])
    assert set(points["z"].tolist()) == {12.5}
