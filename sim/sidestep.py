"""Steer vehicles around objects that stand partly in their lane: SUMO does not know these, so tracks are bent here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import shapely
from kerbside import Parked, boxes
from sumo_recording import STEP_S, Track

from trajnet.geometry import wrap_angle
from trajnet.types import BoolArray, FloatArray

#: Gap (m) between a vehicle and an object that it passes, and the largest lateral offset for it.
PASSING_GAP_M = 0.4
FURTHEST_ASIDE_M = 1.6
#: Steering aside begins this time before the object, and at least this distance.
RAMP_S = 1.6
SHORTEST_RAMP_M = 8.0
NEAR_M = 8.0
CONFLICT_M = 15.0


def sidestepped(track: Track, parked: Sequence[Parked]) -> Track:
    """Return the track with smooth bends around the parked objects that are in its way."""
    along_m = np.append(0.0, np.cumsum(np.hypot(*np.diff(track.position_m, axis=0).T)))
    left = np.stack([-np.sin(track.yaw_rad), np.cos(track.yaw_rad)], axis=1)
    to_left, to_right = np.zeros(len(along_m)), np.zeros(len(along_m))
    for one in parked:
        push_m, is_left = _push(track, one, along_m, left)
        side = to_left if is_left else to_right
        np.maximum(side, push_m, out=side)
    aside_m = to_left - to_right
    if not aside_m.any():
        return track
    before, after = (np.interp(along_m + shift_m, along_m, aside_m) for shift_m in (-0.5, 0.5))
    return replace(
        track, position_m=track.position_m + aside_m[:, None] * left, yaw_rad=track.yaw_rad + np.arctan(after - before)
    )


def _push(track: Track, one: Parked, along_m: FloatArray, left: FloatArray) -> tuple[FloatArray, bool]:
    """Return how far (F,) a track steers aside for one object, and whether to the left."""
    away_m = one.position_m - track.position_m
    at = int(np.hypot(*away_m.T).argmin())
    lateral_m = float(away_m[at] @ left[at])
    turn = float(wrap_angle(np.array(one.yaw_rad - track.yaw_rad[at])))
    half_along_m, half_across_m = np.abs([[np.cos(turn), np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ one.size_m / 2
    need_m = track.size_m[1] / 2 + float(half_across_m) + PASSING_GAP_M - abs(lateral_m)
    if float(np.hypot(*away_m[at])) > NEAR_M or not 0 < need_m <= FURTHEST_ASIDE_M:
        return np.zeros(len(along_m)), False
    step = max(1, min(at, len(along_m) - 1))
    speed_mps = float(along_m[step] - along_m[step - 1]) / STEP_S
    ramp_m = max(SHORTEST_RAMP_M, RAMP_S * speed_mps)
    beyond_m = np.abs(along_m - along_m[at]) - float(half_along_m) - track.size_m[0] / 2
    share = 1.0 - np.clip(beyond_m / ramp_m, 0.0, 1.0)
    push_m: FloatArray = need_m * share * share * (3.0 - 2.0 * share)
    return push_m, lateral_m < 0


def make_way(vehicles: Sequence[Track], parked: Sequence[Parked]) -> tuple[list[Track], list[Parked]]:
    """Return the vehicles, steered around parked objects, and the parked objects that they can pass.

    An object is removed if a vehicle would still touch it, or would steer into another vehicle near it.
    """
    kept = list(parked)
    before = _touching(vehicles)
    while kept:
        steered = [sidestepped(track, kept) for track in vehicles]
        bad = _touched(steered, kept)
        for place_m in [place for key, place in _touching(steered).items() if key not in before]:
            bad |= np.array([np.hypot(*(one.position_m - place_m)) < CONFLICT_M for one in kept])
        if not bad.any():
            return steered, kept
        kept = [one for one, away in zip(kept, bad, strict=True) if not away]
    return list(vehicles), []


def _touched(vehicles: Sequence[Track], parked: Sequence[Parked]) -> BoolArray:
    """Return (P,) whether a vehicle's box ever meets a parked one's."""
    outlines = [box for track in vehicles for box in track_boxes(track)]
    tree = shapely.STRtree(outlines)
    return np.array([len(tree.query(one.box(), predicate="intersects")) > 0 for one in parked])


def _touching(vehicles: Sequence[Track]) -> dict[tuple[int, int], FloatArray]:
    """Return pairs of vehicles (indices) whose boxes ever overlap, and where first."""
    found: dict[tuple[int, int], FloatArray] = {}
    last = max((int(track.frame[-1]) for track in vehicles), default=-1)
    for frame in range(0, last + 1, 5):
        here = [(i, frame - int(t.frame[0])) for i, t in enumerate(vehicles) if t.frame[0] <= frame <= t.frame[-1]]
        if len(here) < 2:
            continue
        place_m = np.array([vehicles[i].position_m[row] for i, row in here])
        outlines = boxes(
            place_m,
            np.array([vehicles[i].yaw_rad[row] for i, row in here]),
            np.array([vehicles[i].size_m for i, _ in here]),
        )
        first, second = shapely.STRtree(outlines).query(outlines, predicate="overlaps")
        for a, b in zip(first.tolist(), second.tolist(), strict=True):
            if a < b:
                found.setdefault((here[a][0], here[b][0]), place_m[a])
    return found


def track_boxes(track: Track, *, every: int = 5, margin_m: float = 0.0) -> shapely.Geometry:
    """Return the outlines of a track in every so many frames, wider and longer by margin_m."""
    rows = slice(None, None, every)
    size_m = np.tile(np.array(track.size_m) + margin_m, (len(track.frame[rows]), 1))
    return boxes(track.position_m[rows], track.yaw_rad[rows], size_m)
