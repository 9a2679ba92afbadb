"""PredictedObjects with straight paths, for tests of what stands beside another predictor."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trajnet.ros.cdr import PredictedObjects
from trajnet.ros.conventions import object_ids

MS = 1_000_000

#: Of one path: speed along x (m/s), confidence.
Line = tuple[float, float]


def lines(
    stamp_ms: int,
    objects: dict[str, Sequence[Line]],
    *,
    frame_id: str = "map",
    poses: int = 13,
    step_ms: int = 500,
) -> PredictedObjects:
    """Return objects at x = 0, y = 10 m times their row, with a path along the x axis for each line."""
    count, paths = len(objects), [line for found in objects.values() for line in found]
    pose = np.zeros((count, 7))
    pose[:, 1], pose[:, 6] = 10.0 * np.arange(count), 1.0
    path = np.zeros((len(paths), poses, 7))
    path[..., 0] = np.array([speed for speed, _ in paths]).reshape(-1, 1) * np.arange(poses) * step_ms * 1e-3
    path[..., 6] = 1.0
    one, none = np.ones(count), np.zeros((count, 36))
    return PredictedObjects(
        stamp_ns=stamp_ms * MS, frame_id=frame_id, object_id=object_ids(tuple(objects)),
        existence_probability=one.astype(np.float32), class_count=one.astype(np.int64),
        class_label=one.astype(np.uint8), class_probability=one.astype(np.float32), pose=pose, pose_covariance=none,
        twist=none[:, :6], twist_covariance=none, acceleration=none[:, :6], acceleration_covariance=none,
        shape_type=np.zeros(count, np.uint8), dimensions_m=np.tile([4.0, 2.0, 1.5], (count, 1)),
        footprint_count=np.zeros(count, np.int64), footprint_m=np.zeros((0, 3), np.float32),
        path_count=np.array([len(found) for found in objects.values()], np.int64),
        pose_count=np.full(len(paths), poses), path_pose=path.reshape(-1, 7),
        path_step_ns=np.full(len(paths), step_ms * MS), path_confidence=np.array([c for _, c in paths], np.float32),
    )  # fmt: skip
