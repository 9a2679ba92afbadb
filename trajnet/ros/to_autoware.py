"""What trajnet works on as Autoware's object lists (arrays, see trajnet/ros/cdr.py). Needs no ROS."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajnet.errors import InputError
from trajnet.geometry import rotate
from trajnet.ros.cdr import ObjectList, PredictedObjects, TrackedObjects
from trajnet.ros.conventions import (
    AVAILABLE,
    BOUNDING_BOX,
    LABEL_OF_CLASS,
    UNAVAILABLE,
    object_ids,
    quaternion_of_yaw,
)
from trajnet.ros.from_autoware import CleanedMessage
from trajnet.ros.known_shapes import DEFAULT_HEIGHT_M
from trajnet.ros.published_paths import PublishedPaths
from trajnet.types import BoolArray, FloatArray, TrackFrame


def held(paths: PublishedPaths, hold: BoolArray) -> PublishedPaths:
    """Return the paths with the objects to hold (N,) staying at their first point: one path, constant yaw."""
    if not hold.any():
        return paths
    only_first = np.zeros(paths.probability.shape[1])
    only_first[0] = 1.0
    return replace(
        paths,
        position_m=np.where(hold[:, None, None, None], paths.position_m[:, :1, :1], paths.position_m),
        yaw_rad=np.where(hold[:, None, None], paths.yaw_rad[:, :1, :1], paths.yaw_rad),
        probability=np.where(hold[:, None], only_first, paths.probability),
    )


def predicted_objects(cleaned: CleanedMessage, paths: PublishedPaths) -> PredictedObjects:
    """Return the cleaned objects as PredictedObjects with the paths of the same rows.

    paths: evenly spaced from time 0, likeliest first, N rows (see published_paths). A path whose probability is 0 as
    float32 is left out, the first of an object never. Raises InputError for paths of other rows and for NaN in them.
    """
    count, _, points = paths.yaw_rad.shape
    if count != len(cleaned):
        raise InputError(f"predicted_objects: expected paths of {len(cleaned)} objects, got {count}")
    pose = _path_poses(cleaned, paths)
    confidence = float32_shares(paths.probability)
    kept = confidence > 0
    kept[:, :1] = True
    path_count = kept.sum(axis=1)
    total = int(path_count.sum())
    step_ns = round(float(paths.time_s[1]) * 1e9) if points > 1 else 0
    as_tracked: dict[str, Any] = {f.name: getattr(cleaned.objects, f.name) for f in fields(ObjectList)}
    return PredictedObjects(
        **as_tracked,
        path_count=path_count,
        pose_count=np.full(total, points),
        path_pose=(pose if kept.all() else pose[kept]).reshape(-1, 7),
        path_step_ns=np.full(total, step_ns),
        path_confidence=confidence[kept],
    )


def _path_poses(cleaned: CleanedMessage, paths: PublishedPaths) -> FloatArray:
    """Return the poses (N, K, T, 7) of the paths; the first is the object's own, unless its yaw is unknown.

    Raises InputError for paths that are not finite.
    """
    own_pose = cleaned.objects.pose
    pose = np.empty((*paths.yaw_rad.shape, 7))
    pose[..., :2] = paths.position_m
    pose[..., 2] = own_pose[:, 2, None, None]
    pose[..., 3:5] = 0.0
    np.sin(0.5 * paths.yaw_rad, out=pose[..., 5])
    np.cos(0.5 * paths.yaw_rad, out=pose[..., 6])
    if not np.isfinite(pose).all():
        bad = ~np.isfinite(pose).all(axis=(1, 2, 3))
        raise InputError(
            f"predicted_objects: expected finite paths, got NaN or infinity for {int(bad.sum())} object(s)"
        )
    # The present is the object's own pose, roll and pitch included; a guess of its orientation stays a guess.
    known = cleaned.frame.yaw_valid
    pose[known, :, 0, 3:] = own_pose[known, None, 3:]
    return pose


def float32_shares(probability: FloatArray) -> NDArray[np.float32]:
    """Return probabilities (N, K) as float32 that still sum to 1 (to a float32's last place).

    The first of each row takes the rounding.
    """
    share = probability.astype(np.float32)
    share[:, 0] += (1.0 - share.sum(axis=1, dtype=np.float64)).astype(np.float32)
    return share


def tracked_objects(frame: TrackFrame, frame_id: str = "map") -> TrackedObjects:
    """Return the frame's objects as a tracker would report them: what a scene player publishes and a bag holds.

    Sizes become bounding boxes of DEFAULT_HEIGHT_M; z is 0. MessageCleaner.clean reads back the same frame, with other
    ids where they are not UUIDs (object_ids): an unknown velocity is a twist of zeros with a covariance of zeros.
    """
    count = len(frame)
    yaw_rad = np.where(frame.yaw_valid, frame.yaw_rad, 0.0)
    pose, twist = np.zeros((count, 7)), np.zeros((count, 6))
    pose[:, :2] = frame.position_m
    pose[:, 3:] = quaternion_of_yaw(yaw_rad)
    velocity_mps = np.where(frame.velocity_valid[:, None], frame.velocity_mps, 0.0)
    twist[:, :2] = rotate(velocity_mps, -yaw_rad)
    covariance = np.diag([0.1, 0.1, 0.0, 0.0, 0.0, 0.1]).ravel()
    return TrackedObjects(
        stamp_ns=frame.timestamp_ns,
        frame_id=frame_id,
        object_id=object_ids(frame.track_id),
        existence_probability=np.ones(count, dtype=np.float32),
        class_count=np.ones(count, dtype=np.int64),
        class_label=LABEL_OF_CLASS[frame.object_class],
        class_probability=np.ones(count, dtype=np.float32),
        pose=pose,
        pose_covariance=np.tile(covariance, (count, 1)),
        twist=twist,
        twist_covariance=np.where(frame.velocity_valid[:, None], covariance, 0.0),
        acceleration=np.zeros((count, 6)),
        acceleration_covariance=np.zeros((count, 36)),
        shape_type=np.full(count, BOUNDING_BOX, dtype=np.uint8),
        dimensions_m=np.concatenate([frame.size_m, np.full((count, 1), DEFAULT_HEIGHT_M)], axis=1),
        footprint_count=np.zeros(count, dtype=np.int64),
        footprint_m=np.zeros((0, 3), dtype=np.float32),
        orientation_availability=np.where(frame.yaw_valid, AVAILABLE, UNAVAILABLE).astype(np.uint8),
        is_stationary=np.zeros(count, dtype=np.bool_),
    )
