"""Temporal consistency of successive predictions of an object, which a planner sees as chattering."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from trajnet.errors import InputError
from trajnet.geometry import interpolation_matrix
from trajnet.metrics._checks import checked_probability, finite
from trajnet.types import BoolArray, FloatArray

#: Mode end points closer than this are the same manoeuvre, m: the miss threshold of nuScenes and Argoverse 2.
SAME_MANOEUVRE_M = 2.0


def common_steps(time_s: FloatArray, dt_s: float) -> int:
    """Return the number of times that two predictions made dt_s apart have in common.

    time_s (T,): the times of each, relative to the moment of its prediction; the first is 0. Only times within the
    horizon of the earlier prediction count.
    """
    return int((np.asarray(time_s) + dt_s <= time_s[-1] + 1e-6).sum())


def moved_on(previous_m: FloatArray, time_s: FloatArray, dt_s: float) -> FloatArray:
    """Resample paths predicted dt_s ago to the present prediction's times: previous_m (N, T, 2) -> (N, C, 2).

    C = common_steps. time_s (T,) starts with 0, where previous_m has the position observed then. Interpolates by
    Catmull-Rom splines, like exported graphs.
    """
    previous_m = finite("previous_m", previous_m, (None, len(time_s), 2))
    if not dt_s > 0 or time_s[0] != 0:
        raise InputError(f"dt_s, time_s: expected a time above 0 and times from 0 on, got {dt_s} and {time_s}")
    moved: FloatArray = _moving_matrix(tuple(np.asarray(time_s).tolist()), dt_s) @ previous_m
    return moved


@lru_cache(maxsize=64)  # most recordings have one step between frames
def _moving_matrix(time_s: tuple[float, ...], dt_s: float) -> FloatArray:
    known_s = np.array(time_s)
    return interpolation_matrix(known_s, np.minimum(known_s[: common_steps(known_s, dt_s)] + dt_s, known_s[-1]))


def path_jump(previous_m: FloatArray, present_m: FloatArray) -> FloatArray:
    """Return distances in m between two best paths per object at the same absolute times: (N, C, 2) each -> (N, C).

    Their mean over C is the jump of the best path between two frames; the last column is the jump of its end point.
    This project's own definition, as no benchmark has one.
    """
    previous_m = finite("previous_m", previous_m, (None, None, 2))
    offset_m = finite("present_m", present_m, previous_m.shape) - previous_m
    distance_m: FloatArray = np.hypot(offset_m[..., 0], offset_m[..., 1])
    return distance_m


def mode_flip(previous_end_m: FloatArray, present_end_m: FloatArray, probability: FloatArray) -> BoolArray:
    """Return whether the most probable mode has changed to another manoeuvre -> (N,).

    previous_end_m (N, 2): the previous best path's position at the last common time; present_end_m (N, K, 2): the
    present modes' positions then; probability (N, K): of the present modes. The present mode that ends closest to the
    previous best path is its successor (matched by position, as mode indices mean nothing to a consumer). It is a flip
    if another mode is now the most probable one and ends SAME_MANOEUVRE_M or more away from the successor.
    This project's own definition.
    """
    previous_end_m = finite("previous_end_m", previous_end_m, (None, 2))
    present_end_m = finite("present_end_m", present_end_m, (len(previous_end_m), None, 2))
    probability = checked_probability(probability, *present_end_m.shape[:2])
    row = np.arange(len(previous_end_m))
    away_m = np.hypot(*np.moveaxis(present_end_m - previous_end_m[:, None], -1, 0))
    apart_m = present_end_m[row, away_m.argmin(axis=1)] - present_end_m[row, probability.argmax(axis=1)]
    flipped: BoolArray = np.hypot(apart_m[:, 0], apart_m[:, 1]) >= SAME_MANOEUVRE_M
    return flipped
