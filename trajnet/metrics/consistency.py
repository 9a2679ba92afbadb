"""How steady successive predictions of one object are: what a planner sees as chattering."""

from __future__ import annotations

import numpy as np

from trajnet.errors import InputError
from trajnet.geometry import interpolation_matrix
from trajnet.metrics._checks import checked_probability, finite
from trajnet.types import BoolArray, FloatArray

#: Mode end points closer than this are one manoeuvre: nuScenes' and Argoverse 2's threshold of a miss.
SAME_MANOEUVRE_M = 2.0


def common_steps(time_s: FloatArray, dt_s: float) -> int:
    """How many of the present prediction's times (T,) a prediction made dt_s earlier with the same times also reaches.

    The first of time_s is the present, 0.
    """
    return int((np.asarray(time_s) + dt_s <= time_s[-1] + 1e-6).sum())


def moved_on(previous_m: FloatArray, time_s: FloatArray, dt_s: float) -> FloatArray:
    """Paths of dt_s ago at the present prediction's times: previous_m (N, T, 2) at time_s (T,) -> (N, C, 2).

    C = common_steps. time_s starts with 0, where previous_m has the position observed then. Between the predicted
    points by Catmull-Rom, as exported graphs interpolate.
    """
    previous_m = finite("previous_m", previous_m, (None, len(time_s), 2))
    if not dt_s > 0 or time_s[0] != 0:
        raise InputError(f"dt_s, time_s: expected a time above 0 and times from 0 on, got {dt_s} and {time_s}")
    ask_s = np.minimum(time_s[: common_steps(time_s, dt_s)] + dt_s, time_s[-1])
    moved: FloatArray = interpolation_matrix(time_s, ask_s) @ previous_m
    return moved


def path_jump(previous_m: FloatArray, present_m: FloatArray) -> FloatArray:
    """Distances in metres between two best paths of each object at the same absolute times: (N, C, 2) each -> (N, C).

    Its mean over C is how far the best path jumped between two frames; the last column is the jump of its end.
    A definition of this project: no benchmark has one.
    """
    previous_m = finite("previous_m", previous_m, (None, None, 2))
    offset_m = finite("present_m", present_m, previous_m.shape) - previous_m
    distance_m: FloatArray = np.hypot(offset_m[..., 0], offset_m[..., 1])
    return distance_m


def mode_flip(previous_end_m: FloatArray, present_end_m: FloatArray, probability: FloatArray) -> BoolArray:
    """Whether the best mode became another one -> (N,).

    previous_end_m (N, 2): where the previous best path is at the last common time; present_end_m (N, K, 2): where the
    present modes are then; probability (N, K): of the present modes. The present mode that ends closest to the
    previous best path is its successor (matched by place, as the index of a mode means nothing to a consumer). It is a
    flip if another mode is now the most probable one and ends SAME_MANOEUVRE_M or more away from the successor.
    An own definition.
    """
    previous_end_m = finite("previous_end_m", previous_end_m, (None, 2))
    present_end_m = finite("present_end_m", present_end_m, (len(previous_end_m), None, 2))
    probability = checked_probability(probability, *present_end_m.shape[:2])
    row = np.arange(len(previous_end_m))
    away_m = np.hypot(*np.moveaxis(present_end_m - previous_end_m[:, None], -1, 0))
    apart_m = present_end_m[row, away_m.argmin(axis=1)] - present_end_m[row, probability.argmax(axis=1)]
    flipped: BoolArray = np.hypot(apart_m[:, 0], apart_m[:, 1]) >= SAME_MANOEUVRE_M
    return flipped
