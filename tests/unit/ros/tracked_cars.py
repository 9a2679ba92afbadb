"""Cars as TrackedObjects, simple enough to compute with by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from trajnet.ros.cdr import TrackedObjects
from trajnet.ros.conventions import AVAILABLE, quaternion_of_yaw
from trajnet.ros.published_paths import PublishedPaths

VARIANCE = np.eye(6).ravel() * 0.1


def objects_of(count: int = 1, **change: Any) -> TrackedObjects:
    """Return count cars of 4 x 2 m at (0, 0), (10, 0), ..., heading 0, driving 5 m/s; change replaces columns."""
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
    pose[0, 3:] = quaternion_of_yaw(np.array(yaw_rad))
    return objects_of(pose=pose, **change)


def twist_of(x: float, y: float = 0.0, yaw_rate: float = 0.0) -> Any:
    return np.array([[x, y, 0.0, 0.0, 0.0, yaw_rate]])


def paths_of(position_m: Any, yaw_rad: Any = None, probability: Any = None) -> PublishedPaths:
    position_m = np.asarray(position_m, dtype=np.float64)
    count, modes, points = position_m.shape[:3]
    return PublishedPaths(
        time_s=np.arange(points) * 0.5,
        position_m=position_m,
        yaw_rad=np.zeros((count, modes, points)) if yaw_rad is None else np.asarray(yaw_rad, dtype=np.float64),
        covariance_m2=np.zeros((count, modes, points, 2, 2)),
        probability=np.full((count, modes), 1.0 / modes) if probability is None else np.asarray(probability),
        z_m=np.zeros(count),
        source=np.zeros(count, dtype=np.int8),
        age_s=np.zeros(count),
    )
