"""Velocity and heading derived from the motion of tracks: pure functions over N objects."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from trajnet.arrays import all_true, any_true
from trajnet.types import BoolArray, FloatArray

#: Time constant of the steady velocity: a displacement's weight falls to 1 / e in it (s).
STEADY_TIME_S = 0.4
#: The velocity of a displacement is clipped to this along each axis (m/s): a leap of the tracker must not linger.
MAX_STEADY_MPS = 100.0
#: The smallest difference of two time stamps, which are whole nanoseconds (s).
_SHORTEST_S = 1e-9


def steady_velocity(
    displacement_m: FloatArray, dt_s: FloatArray, velocity_mps: FloatArray, *, last_mps: FloatArray, known: BoolArray
) -> FloatArray:
    """Return the exponentially weighted velocity (N, 2) m/s: at high frame rates the last displacement alone is noise.

    Each displacement is weighted by its duration, and decays with the time constant STEADY_TIME_S. displacement_m
    (N, 2), dt_s (N,): since the last observation; dt_s is 0 at a first observation, whose steady velocity is the
    measured one: velocity_mps (N, 2), 0 where not measured. last_mps (N, 2), known (N,): the steady velocity of the
    last observation, and whether there is one.
    """
    with np.errstate(over="ignore"):
        return steady_velocity_quietly(displacement_m, dt_s, velocity_mps, last_mps=last_mps, known=known)


def steady_velocity_quietly(
    displacement_m: FloatArray, dt_s: FloatArray, velocity_mps: FloatArray, *, last_mps: FloatArray, known: BoolArray
) -> FloatArray:
    """Do as steady_velocity, for a caller that silences NumPy's warnings of an overflow."""
    moved_mps = displacement_velocity(displacement_m, dt_s)
    np.maximum(moved_mps, -MAX_STEADY_MPS, out=moved_mps)
    np.minimum(moved_mps, MAX_STEADY_MPS, out=moved_mps)
    kept = np.exp(dt_s / -STEADY_TIME_S)
    kept *= known
    steady_mps: FloatArray = last_mps - moved_mps
    steady_mps *= kept[:, None]
    steady_mps += moved_mps
    first = dt_s <= 0
    if any_true(first):
        steady_mps[first] = velocity_mps[first]
    return steady_mps


def displacement_velocity(displacement_m: FloatArray, dt_s: FloatArray) -> FloatArray:
    """Return the velocity (N, 2) m/s of displacements (N, 2) over dt_s (N,); without a time, over the shortest one."""
    velocity_mps: FloatArray = displacement_m / np.maximum(dt_s, _SHORTEST_S)[:, None]
    return velocity_mps


class Heading(NamedTuple):
    """Headings of N objects: yaw_rad (N,), known (N,), directed (N,), anchor_m (N, 2); see causal_heading."""

    yaw_rad: FloatArray
    known: BoolArray
    directed: BoolArray
    anchor_m: FloatArray


def causal_heading(
    position_m: FloatArray,
    yaw_rad: FloatArray,
    yaw_valid: BoolArray,
    velocity_mps: FloatArray,
    *,
    displacement_m: FloatArray,
    last_yaw_rad: FloatArray,
    known_before: BoolArray,
    anchor_m: FloatArray,
    step_m: float,
) -> Heading:
    """Return the heading of each object from past and present observations only.

    All arguments are (N,) or (N, 2), map frame. velocity_mps is 0 where not measured; displacement_m, since the last
    observation, is 0 at the first one.

    A measured yaw is used as it is. Otherwise the heading is the direction from the anchor, once the object is step_m
    away from it (the difference of successive points is noise near standstill); until then the last heading holds.

    While there is no heading yet (not known), the yaw is the best available guess: the direction of the measured
    velocity, else from the anchor to the position, however short the distance; at the anchor itself, of the last
    displacement. The guess is made afresh at every observation, and its changes do not count as turns.
    An object that was never seen to move has no direction (not directed); its yaw is 0 and means nothing. This makes
    the result equivariant: when the scene is rotated, every heading rotates with it.
    """
    if all_true(yaw_valid):
        return Heading(yaw_rad, yaw_valid, yaw_valid, position_m)
    moved_m = position_m - anchor_m
    way_m = np.hypot(moved_m[:, 0], moved_m[:, 1])
    far, moving = way_m >= step_m, np.asarray(velocity_mps.any(axis=1))
    along_way = np.arctan2(moved_m[:, 1], moved_m[:, 0])
    hint_m = np.where((way_m > 0)[:, None], moved_m, displacement_m)
    hint_m = np.where(moving[:, None], velocity_mps, hint_m)
    hint, hinted = np.arctan2(hint_m[:, 1], hint_m[:, 0]), np.asarray(hint_m.any(axis=1))
    derived = np.where(far, along_way, np.where(known_before, last_yaw_rad, hint))
    known = yaw_valid | far | known_before
    return Heading(
        yaw_rad=np.where(yaw_valid, yaw_rad, derived),
        known=known,
        directed=known | hinted,
        anchor_m=np.where((far | yaw_valid)[:, None], position_m, anchor_m),
    )
