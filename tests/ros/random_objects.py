"""Random object lists of every layout, for the codec's tests, its fuzzer and its benchmark. numpy only."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajnet.ros.cdr import ObjectList, PredictedObjects, TrackedObjects

SPECIAL = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 5e-324, 1.7976931348623157e308, 3.4e38, 1e-45])


def _common(rng: np.random.Generator, class_count: Any, footprint_count: Any, special: bool) -> dict[str, Any]:
    count, classes, points = len(class_count), int(np.sum(class_count)), int(np.sum(footprint_count))

    def numbers(*shape: int) -> NDArray[np.float64]:
        values = rng.normal(0.0, 100.0, shape)
        return np.where(rng.random(shape) < 0.05, rng.choice(SPECIAL, shape), values) if special else values

    def single(*shape: int) -> NDArray[np.float32]:
        with np.errstate(over="ignore"):
            return numbers(*shape).astype(np.float32)

    return {
        "object_id": rng.integers(0, 256, (count, 16), dtype=np.uint8),
        "existence_probability": single(count),
        "class_count": np.array(class_count, dtype=np.int64),
        "class_label": rng.integers(0, 256, classes, dtype=np.uint8),
        "class_probability": single(classes),
        "pose": numbers(count, 7),
        "pose_covariance": numbers(count, 36),
        "twist": numbers(count, 6),
        "twist_covariance": numbers(count, 36),
        "acceleration": numbers(count, 6),
        "acceleration_covariance": numbers(count, 36),
        "shape_type": rng.integers(0, 256, count, dtype=np.uint8),
        "dimensions_m": numbers(count, 3),
        "footprint_count": np.array(footprint_count, dtype=np.int64),
        "footprint_m": single(points, 3),
    }


def random_tracked(
    seed: int, class_count: Any, footprint_count: Any, frame_id: str = "map", stamp_ns: int = 0, special: bool = True
) -> TrackedObjects:
    """class_count (N,) and footprint_count (N,) give the layout; special mixes in NaN, infinities and extremes."""
    rng = np.random.default_rng(seed)
    count = len(class_count)
    return TrackedObjects(
        stamp_ns=stamp_ns,
        frame_id=frame_id,
        **_common(rng, class_count, footprint_count, special),
        orientation_availability=rng.integers(0, 256, count, dtype=np.uint8),
        is_stationary=rng.random(count) < 0.5,
    )


def random_predicted(
    seed: int,
    class_count: Any,
    footprint_count: Any,
    pose_counts: Any,
    frame_id: str = "map",
    stamp_ns: int = 0,
    special: bool = True,
) -> PredictedObjects:
    """pose_counts: for each object the number of poses of each of its paths."""
    rng = np.random.default_rng(seed)
    flat = [poses for paths in pose_counts for poses in paths]
    return PredictedObjects(
        stamp_ns=stamp_ns,
        frame_id=frame_id,
        **_common(rng, class_count, footprint_count, special),
        path_count=np.array([len(paths) for paths in pose_counts], dtype=np.int64),
        pose_count=np.array(flat, dtype=np.int64),
        path_pose=rng.normal(0.0, 100.0, (sum(flat), 7)),
        path_step_ns=rng.integers(-(2**31) * 10**9, 2**31 * 10**9, len(flat)),
        path_confidence=rng.random(len(flat), dtype=np.float32),
    )


def assert_same(left: ObjectList, right: ObjectList) -> None:
    """Equal in every field, NaN equal to NaN, and of the same types."""
    assert type(left) is type(right)
    for field in fields(left):
        a, b = getattr(left, field.name), getattr(right, field.name)
        np.testing.assert_array_equal(a, b, err_msg=field.name)
        if isinstance(a, np.ndarray):
            assert a.dtype == b.dtype, field.name
