"""The view of a scene from a vehicle or a roadside mast: objects within range that are not occluded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from sumo_recording import STEP_S, Track

from trajnet.geometry import rotate
from trajnet.types import BoolArray, FloatArray, IntArray, ObjectClass

OPAQUE = (ObjectClass.CAR, ObjectClass.TRUCK, ObjectClass.BUS)
#: Share of a box that blocks sight lines: a sensor sees over bonnets and through windows.
OPAQUE_SHARE = 0.8
#: An object seen for a shorter time is not recorded; one that is away for longer than ID_S returns with another id.
SHORTEST_S = 0.5
ID_S = 3.0
#: Occlusion is computed in every second frame.
EVERY = 2
SHORTEST_DRIVE_M = 40.0


@dataclass(frozen=True, eq=False)
class Sensor:
    """A sensor: position_m (F, 2) in each frame, its range, and the index of the track that carries it (-1: none)."""

    position_m: FloatArray
    range_m: float
    carrier: int = -1


def ego_sensor(
    rng: np.random.Generator, tracks: Sequence[Track], frames: int, *, radius_m: float, range_m: float
) -> Sensor | None:
    """Return a sensor on a moving car that stays long within radius_m; None if there is none.

    Before its car arrives and after it leaves, the sensor is at the car's first or last place within radius_m.
    """
    best, carrier = 0.3 * frames, -1
    for i, track in enumerate(tracks):
        driven_m = float(np.hypot(*np.diff(track.position_m, axis=0).T).sum())
        stays = float((np.hypot(*track.position_m.T) <= radius_m).sum()) * float(rng.uniform(0.5, 1.5))
        if track.kind == ObjectClass.CAR and driven_m > SHORTEST_DRIVE_M and stays > best:
            best, carrier = stays, i
    if carrier < 0:
        return None
    track = tracks[carrier]
    inside = np.hypot(*track.position_m.T) <= radius_m
    place_m, at = track.position_m[inside], track.frame[inside]
    position_m = np.stack([np.interp(np.arange(frames), at, column) for column in place_m.T], axis=1)
    return Sensor(position_m, range_m, carrier)


def seen_by(sensor: Sensor, tracks: Sequence[Track], frames: int) -> list[BoolArray]:
    """Return for each track whether it is seen in each of its frames."""
    row_track = np.repeat(np.arange(len(tracks)), [len(t.frame) for t in tracks])
    frame = np.concatenate([t.frame for t in tracks])
    position_m = np.concatenate([t.position_m for t in tracks])
    yaw_rad = np.concatenate([t.yaw_rad for t in tracks])
    half_m = np.array([t.size_m for t in tracks])[row_track] / 2
    opaque = np.array([t.kind in OPAQUE for t in tracks])[row_track]
    seen = np.zeros(len(frame), np.bool_)
    order = np.argsort(frame, kind="stable")
    bounds = np.searchsorted(frame[order], np.arange(frames + 1))
    for number in range(frames):
        rows = order[bounds[number] : bounds[number + 1]]
        if number % EVERY and number and len(rows):  # as in the frame before, for those that were there
            previous = order[bounds[number - 1] : bounds[number]]
            before = dict(zip(row_track[previous].tolist(), seen[previous].tolist(), strict=True))
            seen[rows] = [before.get(t, False) for t in row_track[rows].tolist()]
            continue
        eye_m = sensor.position_m[number]
        near = rows[np.hypot(*(position_m[rows] - eye_m).T) <= sensor.range_m]
        walls = near[opaque[near] & (row_track[near] != sensor.carrier)]
        seen[near] = _in_sight(eye_m, near, walls, position_m, yaw_rad, half_m)
        seen[near[row_track[near] == sensor.carrier]] = True
    return [_steady(part) for part in np.split(seen, np.cumsum([len(t.frame) for t in tracks])[:-1])]


def _in_sight(
    eye_m: FloatArray, rows: IntArray, walls: IntArray, position_m: FloatArray, yaw_rad: FloatArray, half_m: FloatArray
) -> BoolArray:
    """Return for rows (N,) whether the middle or one of two opposite corners is in sight past the walls (W,).

    Both index into position_m, yaw_rad and half_m; an object does not hide itself.
    """
    middle_m, corner_m = position_m[rows], rotate(0.9 * half_m[rows], yaw_rad[rows])
    points_m = np.stack([middle_m, middle_m + corner_m, middle_m - corner_m], axis=1)  # (N, 3, 2)
    turn = -yaw_rad[walls]
    start = rotate(eye_m - position_m[walls], turn)  # (W, 2) in each wall's own frame
    along = rotate(points_m[:, :, None] - eye_m, turn)  # (N, 3, W, 2)
    half = OPAQUE_SHARE * half_m[walls]
    with np.errstate(divide="ignore", invalid="ignore"):
        first, second = (-half - start) / along, (half - start) / along
    enter = np.fmin(first, second).max(axis=-1)
    leave = np.fmax(first, second).min(axis=-1)
    hidden = (enter < leave) & (leave > 0) & (enter < 1)
    hidden &= (rows[:, None] != walls)[:, None, :]
    in_sight: BoolArray = (~hidden.any(axis=-1)).any(axis=-1)
    return in_sight


def _steady(seen: BoolArray) -> BoolArray:
    """Return the mask without runs that are too short to be recorded."""
    kept = seen.copy()
    edges = np.flatnonzero(np.diff(np.concatenate([[False], seen, [False]]).astype(np.int8)))
    for first, last in edges.reshape(-1, 2):
        if last - first < SHORTEST_S / STEP_S:
            kept[first:last] = False
    return kept


def split_at_absences(tracks: Sequence[Track], seen: Sequence[BoolArray]) -> tuple[list[Track], list[BoolArray]]:
    """Return the tracks and masks with an object that is away for longer than ID_S as two."""
    parts, masks = [], []
    for track, mask in zip(tracks, seen, strict=True):
        rows = np.flatnonzero(mask)
        if not len(rows):
            continue
        for run in np.split(rows, np.flatnonzero(np.diff(track.frame[rows]) > ID_S / STEP_S) + 1):
            part = slice(int(run[0]), int(run[-1]) + 1)
            cut = replace(
                track, frame=track.frame[part], position_m=track.position_m[part], yaw_rad=track.yaw_rad[part]
            )
            parts.append(cut)
            masks.append(mask[part])
    return parts, masks
