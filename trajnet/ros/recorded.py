"""Predictions that somebody else published (Autoware's own node, say), as trajnet scores its own."""

from __future__ import annotations

import numpy as np

from trajnet.ros.bridge import MAX_POSITION_M, hex_ids
from trajnet.ros.cdr import PredictedObjects
from trajnet.types import FloatArray, Prediction, Source


def recorded_prediction(objects: PredictedObjects, time_s: FloatArray) -> Prediction:
    """The recorded paths at the times time_s (T,), counted from the message's stamp; one row per object with a path.

    Linear between a path's poses, straight on past its last one: recorded paths end where a lane does, and a metric
    needs every path at the same times. A path with poses that are not finite or without a time step does not count.
    Objects have different numbers of paths: K is the largest, and the others get copies with probability 0.
    covariance_m2 is zero, because the message has none: scores of uncertainty do not apply.
    """
    time_s = np.asarray(time_s, dtype=np.float64)
    path_end = np.cumsum(objects.path_count)
    pose_end = np.cumsum(objects.pose_count)
    track_id: list[str] = []
    position_m: list[FloatArray] = []
    yaw_rad: list[FloatArray] = []
    confidence: list[FloatArray] = []
    for row, name in enumerate(hex_ids(objects.object_id)):
        paths = range(int(path_end[row] - objects.path_count[row]), int(path_end[row]))
        poses = [objects.path_pose[pose_end[p] - objects.pose_count[p] : pose_end[p]] for p in paths]
        fine = [_is_path(pose, int(objects.path_step_ns[p])) for p, pose in zip(paths, poses, strict=True)]
        if not any(fine):
            continue
        at = [_at(poses[i], int(objects.path_step_ns[p]) * 1e-9, time_s) for i, p in enumerate(paths) if fine[i]]
        track_id.append(name)
        position_m.append(np.stack([position for position, _ in at]))
        yaw_rad.append(np.stack([yaw for _, yaw in at]))
        confidence.append(_shares(objects.path_confidence[paths.start : paths.stop][np.array(fine)]))
    modes = max((len(c) for c in confidence), default=1)
    count, steps = len(track_id), len(time_s)
    mode = [np.where(np.arange(modes) < len(c), np.arange(modes), 0) for c in confidence]
    return Prediction(
        timestamp_ns=objects.stamp_ns,
        track_id=tuple(track_id),
        time_s=time_s,
        position_m=np.array([p[m] for p, m in zip(position_m, mode, strict=True)]).reshape(count, modes, steps, 2),
        yaw_rad=np.array([y[m] for y, m in zip(yaw_rad, mode, strict=True)]).reshape(count, modes, steps),
        covariance_m2=np.zeros((count, modes, steps, 2, 2)),
        probability=np.array([np.pad(c, (0, modes - len(c))) for c in confidence]).reshape(count, modes),
        source=np.full(count, Source.MODEL, dtype=np.int8),
        age_s=np.zeros(count),
    )


def _is_path(pose: FloatArray, step_ns: int) -> bool:
    """Whether poses (T, 7) say where an object is, and when."""
    if not len(pose) or (len(pose) > 1 and step_ns <= 0):
        return False
    return bool(np.isfinite(pose).all() and (np.abs(pose[:, :2]) <= MAX_POSITION_M).all())


def _at(pose: FloatArray, step_s: float, time_s: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Position (T, 2) and yaw (T,) at time_s of a path of poses (P, 7), step_s apart from time 0."""
    x, y, z, w = pose[:, 3:].T
    yaw_rad = np.unwrap(np.arctan2(2.0 * (w * z + x * y), w * w + x * x - y * y - z * z))
    if len(pose) == 1:
        return np.repeat(pose[:, :2], len(time_s), axis=0), np.repeat(yaw_rad, len(time_s))
    knots = np.arange(len(pose)) * step_s
    beyond_s = np.maximum(time_s - knots[-1], 0.0)[:, None]
    speed_mps = (pose[-1, :2] - pose[-2, :2]) / step_s
    inside = np.stack([np.interp(time_s, knots, pose[:, i]) for i in (0, 1)], axis=1)
    return inside + beyond_s * speed_mps, np.interp(time_s, knots, yaw_rad)


def _shares(confidence: FloatArray) -> FloatArray:
    """Confidences (K,) as probabilities that sum to 1; equal shares where they say nothing."""
    known = np.where(np.isfinite(confidence) & (confidence > 0), confidence, 0.0).astype(np.float64)
    total = known.sum()
    return known / total if total > 0 else np.full(len(known), 1.0 / len(known))
