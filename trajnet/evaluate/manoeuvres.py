"""What an object did next, its speed band and its manoeuvre, and how long it had been shown, its history.

Reports divide errors by these. What it did next describes the recorded truth, the same for every predictor, and no
predictor ever sees it.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from trajnet.geometry import wrap_angle
from trajnet.types import BoolArray, FloatArray

#: An object that stays this close to where it is now is standing.
STANDING_M = 1.0

#: Slower than this counts as not moving, for starting and stopping.
STILL_MPS = 0.5

#: The course is the direction of the first and of the last stretch of the path that is at least this long.
COURSE_M = 1.0

#: From this change of course on it is a turn, and from the second on a U-turn.
TURN_RAD = np.deg2rad(15.0)
U_TURN_RAD = np.deg2rad(120.0)

#: Lower limits of the speed bands in m/s.
SPEED_LIMITS_MPS = (0.0, 0.5, 2.0, 5.0, 10.0, 15.0)
SPEED_BANDS: tuple[str, ...] = (
    *(f"{low:g}-{high:g} m/s" for low, high in itertools.pairwise(SPEED_LIMITS_MPS)),
    f"from {SPEED_LIMITS_MPS[-1]:g} m/s",
)

#: Lower limits of the bands of seconds since an object was first seen.
HISTORY_LIMITS_S = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0)
HISTORY_BANDS: tuple[str, ...] = (
    *(f"{low:g}-{high:g} s" for low, high in itertools.pairwise(HISTORY_LIMITS_S)),
    f"from {HISTORY_LIMITS_S[-1]:g} s",
)

#: In the order in which they are decided: an object that fits several is the first of them.
MANOEUVRES: tuple[str, ...] = ("standing", "starting", "stopping", "u_turn", "left", "right", "straight")

#: What the names mean, for reports.
DEFINITIONS = {
    "history": "time since the object's first observation that predictors were shown",
    "speed": "recorded speed over the first scored step of the future (0.4 or 0.5 s from now)",
    "manoeuvre": f"from the recorded future up to the last horizon, the first that fits: standing (never "
    f"{STANDING_M:g} m or more away), starting (now below {STILL_MPS:g} m/s), stopping (in the last step "
    f"below {STILL_MPS:g} m/s), u_turn (course changes by {np.rad2deg(U_TURN_RAD):.0f} degrees or more), left, right "
    f"(by {np.rad2deg(TURN_RAD):.0f} or more), straight; the course is the direction of the first and of the last "
    f"stretch of at least {COURSE_M:g} m",
}


def speed_band(position_m: FloatArray, future_m: FloatArray, time_s: FloatArray) -> NDArray[np.int8]:
    """Index into SPEED_BANDS of each object -> (N,).

    position_m (N, 2): now. future_m (N, T, 2): the recorded future, whole, at time_s (T,), in the same frame.
    """
    speed_mps = _length(future_m[:, 0] - position_m) / time_s[0]
    band: NDArray[np.int8] = (np.searchsorted(SPEED_LIMITS_MPS, speed_mps, side="right") - 1).astype(np.int8)
    return band


def history_band(shown_for_s: FloatArray) -> NDArray[np.int8]:
    """Index into HISTORY_BANDS of each object, shown_for_s (N,) -> (N,)."""
    at = np.searchsorted(HISTORY_LIMITS_S, np.maximum(shown_for_s, 0.0) + 1e-6, side="right")  # 1 s is of "1-2 s"
    band: NDArray[np.int8] = (at - 1).astype(np.int8)
    return band


def manoeuvre(position_m: FloatArray, future_m: FloatArray, time_s: FloatArray) -> NDArray[np.int8]:
    """Index into MANOEUVRES of each object -> (N,); shapes of speed_band. See DEFINITIONS."""
    path_m = np.concatenate([position_m[:, None], future_m], axis=1)
    step_s = np.diff(time_s, prepend=0.0)
    first_mps = _length(path_m[:, 1] - path_m[:, 0]) / step_s[0]
    last_mps = _length(path_m[:, -1] - path_m[:, -2]) / step_s[-1]
    turn_rad = course_change(path_m)
    fits = (
        _length(path_m - path_m[:, :1]).max(axis=1) < STANDING_M,
        first_mps < STILL_MPS,
        last_mps < STILL_MPS,
        np.abs(turn_rad) >= U_TURN_RAD,
        turn_rad >= TURN_RAD,
        turn_rad <= -TURN_RAD,
        np.ones(len(path_m), dtype=np.bool_),
    )
    first: NDArray[np.int8] = np.stack(fits, axis=1).argmax(axis=1).astype(np.int8)
    return first


def course_change(path_m: FloatArray) -> FloatArray:
    """Angle in radians, left positive, from a path's first course to its last: path_m (N, P, 2) -> (N,).

    0 where the path has no stretch of COURSE_M at one of its ends.
    """
    from_start_m, to_end_m = path_m - path_m[:, :1], path_m[:, -1:] - path_m
    far_from_start: BoolArray = _length(from_start_m) >= COURSE_M
    far_from_end: BoolArray = _length(to_end_m) >= COURSE_M
    row = np.arange(len(path_m))
    first_m = from_start_m[row, far_from_start.argmax(axis=1)]
    last_m = to_end_m[row, far_from_end.shape[1] - 1 - far_from_end[:, ::-1].argmax(axis=1)]
    turned = wrap_angle(np.arctan2(last_m[:, 1], last_m[:, 0]) - np.arctan2(first_m[:, 1], first_m[:, 0]))
    return np.where(far_from_start.any(axis=1) & far_from_end.any(axis=1), turned, 0.0)


def _length(vector: FloatArray) -> FloatArray:
    length: FloatArray = np.hypot(vector[..., 0], vector[..., 1])
    return length
