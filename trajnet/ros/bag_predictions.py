"""Recorded PredictedObjects as trajnet's Prediction, so that they can be scored like any other.

Pose i of a path is taken as the object's place at i times the path's step, as Autoware writes its paths (the first pose
is the present). In one message paths may differ in step and length: all are put on the commonest step, as far as the
longest goes; in between they are linear, beyond their end they go straight on at their last speed.
Recorded paths carry no covariance: they get that of constant motion along their heading (trajnet.inference.physics),
which says nothing about who made them. Objects without a path of two finite poses are left out.
"""

from __future__ import annotations

import numpy as np

from trajnet.inference.physics import growing_covariance
from trajnet.inference.resample import continued
from trajnet.ros.cdr import NS, PredictedObjects
from trajnet.ros.conventions import hex_ids, yaw_of_quaternion
from trajnet.types import BoolArray, FloatArray, IntArray, Prediction, Source

#: Longer paths than any program publishes: a broken message must not ask for all the memory.
MAX_POINTS = 1000


def prediction_of(objects: PredictedObjects) -> Prediction | None:
    """Return the paths of a message, or None where it has none. track_id: the UUIDs as hexadecimal digits."""
    usable = _usable_paths(objects)
    owner = np.repeat(np.arange(len(objects)), objects.path_count)[usable]
    if not len(owner):
        return None
    first_pose = (np.cumsum(objects.pose_count) - objects.pose_count)[usable]
    count, step_ns = objects.pose_count[usable], objects.path_step_ns[usable]
    steps_ns, often = np.unique(step_ns, return_counts=True)
    step_s = int(steps_ns[often.argmax()]) / NS
    reach_s = float(((count - 1) * step_ns).max()) / NS
    points = min(int(reach_s / step_s + 1e-6), MAX_POINTS)
    time_s = np.arange(1, points + 1, dtype=np.float64) * step_s
    if not len(time_s):
        return None
    position_m = np.empty((len(owner), len(time_s), 2))
    yaw_rad = np.empty((len(owner), len(time_s)))
    for poses, step in sorted(set(zip(count.tolist(), step_ns.tolist(), strict=True))):
        alike = np.flatnonzero((count == poses) & (step_ns == step))
        pose = objects.path_pose[first_pose[alike, None] + np.arange(poses)]
        path = np.concatenate([pose[:, :, :2], yaw_of_quaternion(pose[..., 3:])[..., None]], axis=2)[:, :, None]
        ask_s = np.broadcast_to(time_s, (len(alike), len(time_s)))
        on_grid = continued(path, np.arange(len(alike)), np.arange(poses) * (step / NS), ask_s)[:, 0]
        position_m[alike], yaw_rad[alike] = on_grid[..., :2], on_grid[..., 2]
    return _by_object(objects, owner, usable, time_s, position_m, yaw_rad)


def _usable_paths(objects: PredictedObjects) -> BoolArray:
    """(P,): paths with a time step and at least two (at most MAX_POINTS) poses, all finite."""
    fine = np.isfinite(objects.path_pose).all(axis=1)
    path = np.repeat(np.arange(len(objects.pose_count)), objects.pose_count)
    broken = np.bincount(path[~fine], minlength=len(objects.pose_count)) > 0
    length = (objects.pose_count >= 2) & (objects.pose_count <= MAX_POINTS)
    usable: BoolArray = length & (objects.path_step_ns > 0) & ~broken
    return usable


def _by_object(
    objects: PredictedObjects,
    owner: IntArray,
    usable: BoolArray,
    time_s: FloatArray,
    position_m: FloatArray,
    yaw_rad: FloatArray,
) -> Prediction:
    """Paths (P, ...) to objects and modes (N, K, ...); a missing mode repeats the object's first with probability 0."""
    rows, first, modes = np.unique(owner, return_index=True, return_counts=True)
    index = first[:, None] + np.arange(modes.max())
    present = np.arange(modes.max()) < modes[:, None]
    index = np.where(present, index, first[:, None])
    confidence = np.nan_to_num(objects.path_confidence[usable].astype(np.float64), posinf=0.0, neginf=0.0)
    probability = np.where(present, np.maximum(confidence, 0.0)[index], 0.0)
    total = probability.sum(axis=1, keepdims=True)
    shared = np.where(present, 1.0, 0.0) / modes[:, None]
    probability = np.where(total > 0, probability / np.where(total > 0, total, 1.0), shared)
    ids = hex_ids(objects.object_id[rows])
    count = len(rows)
    covariance_m2 = growing_covariance(time_s, yaw_rad[first, 0])
    return Prediction(
        timestamp_ns=objects.stamp_ns,
        track_id=ids,
        time_s=time_s,
        position_m=position_m[index],
        yaw_rad=yaw_rad[index],
        covariance_m2=np.broadcast_to(covariance_m2[:, None], (count, index.shape[1], len(time_s), 2, 2)),
        probability=probability,
        source=np.full(count, Source.MODEL, np.int8),
        age_s=np.zeros(count),
    )
