"""Metrics of Waymo's motion prediction challenge.

Definitions: waymo-open-dataset, protos/motion_metrics.proto and metrics/motion_metrics_utils.cc; the thresholds of the
challenge at https://waymo.com/open/challenges/2021/motion-prediction. Held to the values in Waymo's own tests
(motion_metrics_test.cc).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trajnet.errors import InputError
from trajnet.geometry import rotate, wrap_angle
from trajnet.types import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class Threshold:
    """How far a path may be off at a time (s): across and along the true heading, in m, at full speed."""

    time_s: float
    lateral_m: float
    longitudinal_m: float


THRESHOLDS = (Threshold(3.0, 1.0, 2.0), Threshold(5.0, 1.8, 3.6), Threshold(8.0, 3.0, 6.0))
#: Thresholds are halved up to the first speed and whole from the second, in m/s.
SPEEDS_MPS, SCALES = (1.4, 11.0), (0.5, 1.0)
#: A path is stationary below this speed (m/s) and this way (m), straight below this way aside (m) and this turn (rad);
#: a turn that ends less far ahead than this (m) is a U-turn. As in Waymo's release 1.6.7; 1.6.1 has 5, 5 and -5 m.
STILL_MPS, STILL_M, STRAIGHT_M, STRAIGHT_RAD, U_TURN_M = 2.0, 3.0, 2.5, np.pi / 6.0, 0.0
#: The shapes of true paths that mAP is a mean over (motion_metrics_utils.h, TrajectoryType).
SHAPES = (
    "stationary", "straight", "straight_left", "straight_right", "left_u_turn", "left_turn", "right_u_turn",
    "right_turn",
)  # fmt: skip


def is_hit(offset_m: FloatArray, yaw_rad: float, speed_mps: float, threshold: Threshold) -> BoolArray:
    """Return whether paths are near enough: no miss, and a true positive of mAP.

    offset_m (K, 2): predicted minus true position at the threshold's time, map frame. yaw_rad: the true heading then.
    speed_mps: the object's speed when the prediction is made.
    """
    scale = float(np.interp(speed_mps, SPEEDS_MPS, SCALES))
    along_m, across_m = np.abs(rotate(np.asarray(offset_m, np.float64), -yaw_rad)).T
    hit: BoolArray = (along_m <= scale * threshold.longitudinal_m) & (across_m <= scale * threshold.lateral_m)
    return hit


def path_shape(
    moved_m: FloatArray, start_yaw_rad: float, end_yaw_rad: float, start_speed_mps: float, end_speed_mps: float
) -> int:
    """Return the index in SHAPES of a true path (ClassifyTrack).

    moved_m (2,): from the present position to the last known one, map frame.
    """
    ahead_m, left_m = rotate(np.asarray(moved_m, np.float64), -start_yaw_rad)
    turn_rad = float(wrap_angle(np.asarray(end_yaw_rad - start_yaw_rad)))
    if max(start_speed_mps, end_speed_mps) < STILL_MPS and np.hypot(ahead_m, left_m) < STILL_M:
        return SHAPES.index("stationary")
    if abs(turn_rad) < STRAIGHT_RAD:
        side = "" if abs(left_m) < STRAIGHT_M else "_right" if left_m < 0 else "_left"
        return SHAPES.index(f"straight{side}")
    return SHAPES.index(f"{'right' if left_m < 0 else 'left'}_{'u_turn' if ahead_m < U_TURN_M else 'turn'}")


def average_precision(confidence: FloatArray, hit: BoolArray, count: int) -> float:
    """Return the area below the precision over the recall (PASCAL VOC, all points).

    confidence (S,), hit (S,): of samples of all objects; among equal confidences misses come first. count: of objects.
    """
    if count < 1:
        raise InputError(f"count: expected at least one object, got {count}")
    order = np.lexsort((hit, -np.asarray(confidence)))
    found = np.cumsum(np.asarray(hit, np.int64)[order])
    precision = found / np.arange(1, len(found) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    gained = np.diff(found, prepend=0) / count
    return float((best * gained).sum())


def path_headings(positions_m: FloatArray) -> FloatArray:
    """Return headings (T,) of a predicted path (T, 2): the mean direction of the steps before and after each point."""
    step_m = np.diff(positions_m, axis=0)
    direction = np.arctan2(step_m[:, 1], step_m[:, 0])
    before, after = np.append(direction[0], direction), np.append(direction, direction[-1])
    headings: FloatArray = np.arctan2(np.sin(before) + np.sin(after), np.cos(before) + np.cos(after))
    return headings


def boxes_overlap(one: FloatArray, others: FloatArray) -> BoolArray:
    """Return which boxes (B, 5) intersect the box one (5,): x, y in m, heading in rad, length, width in m.

    By separating axes: two rectangles are apart if their shadows on a side's direction of either are.
    """
    others = np.asarray(others, np.float64).reshape(-1, 5)
    apart = np.zeros(len(others), np.bool_)
    corners = _corners(np.concatenate([np.asarray(one, np.float64)[None], others]))
    for yaw_rad in (np.full(len(others), one[2]), others[:, 2]):
        for turned_rad in (yaw_rad, yaw_rad + 0.5 * np.pi):
            axis = np.stack([np.cos(turned_rad), np.sin(turned_rad)], axis=1)
            mine = np.einsum("ca,ba->bc", corners[0], axis)
            theirs = np.einsum("bca,ba->bc", corners[1:], axis)
            apart |= (mine.max(axis=1) <= theirs.min(axis=1)) | (theirs.max(axis=1) <= mine.min(axis=1))
    return ~apart


def _corners(boxes: FloatArray) -> FloatArray:
    """Return the corners (B, 4, 2) in m of boxes (B, 5)."""
    signs = np.array([[0.5, 0.5], [0.5, -0.5], [-0.5, -0.5], [-0.5, 0.5]])
    corners: FloatArray = boxes[:, None, :2] + rotate(signs * boxes[:, None, 3:5], boxes[:, 2, None])
    return corners


def mean_average_precision(confidence: FloatArray, hit: BoolArray, shape: IntArray, *, soft: bool) -> float:
    """Return mAP: the mean over the shapes that occur of the average precision of their objects' paths.

    confidence (N, K), hit (N, K): most probable first; confidence is NaN where there are fewer paths. shape (N,): index
    in SHAPES; right U-turns count as right turns, as in Waymo's program. Of one object only the most probable hit
    counts; the others are wrong, or with soft left out.
    """
    first = hit & (np.cumsum(hit, axis=1) == 1)
    counted = np.isfinite(confidence) & (first | ~hit if soft else np.ones_like(hit))
    shape = np.where(shape == SHAPES.index("right_u_turn"), SHAPES.index("right_turn"), shape)
    found = []
    for index in np.unique(shape):
        rows = shape == index
        chosen = counted[rows]
        found.append(average_precision(confidence[rows][chosen], first[rows][chosen], int(rows.sum())))
    return float(np.mean(found)) if found else float("nan")
