"""Track ids for objects whose UUID does not tell them apart: a UUID of zeros, or one that several objects share.

A UUID of zeros was never set, so it is no id. Such objects, and objects that share a UUID, are told apart by place:
each takes up the track of the same UUID that must be nearest by now, within a gate. The work is bounded: at most
MAX_ROWS of them are compared with at most MAX_PLACES remembered places; the others of a frame are new tracks.
Needs no ROS, reads no clock; the same messages give the same ids.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trajnet.types import BoolArray, FloatArray, IntArray

UNSET_ID = "0" * 32
MAX_ROWS = 256
MAX_PLACES = 512
#: A place is forgotten after this time without an object.
TIMEOUT_S = 1.0
#: Radius of the gate around the predicted place, at once and for every second since: with a velocity, and without one.
GATE_M = 2.0
GATE_MPS = 5.0
GATE_WITHOUT_VELOCITY_MPS = 20.0
#: Rounds in which all pairs that are nearest to each other are made at once; what is left is paired row by row.
_ROUNDS = 8


@dataclass(frozen=True, eq=False)
class Places:
    """Where P objects were, and when.

    uuid, track_id: P strings. position_m, velocity_mps (P, 2), velocity_known (P,): map frame. stamp_ns (P,).
    """

    uuid: tuple[str, ...]
    track_id: tuple[str, ...]
    position_m: FloatArray
    velocity_mps: FloatArray
    velocity_known: BoolArray
    stamp_ns: IntArray

    def __len__(self) -> int:
        return len(self.uuid)

    def select(self, rows: IntArray) -> Places:
        """Return the places of these rows, in their order."""
        picked = rows.tolist()
        return Places(
            tuple(self.uuid[i] for i in picked),
            tuple(self.track_id[i] for i in picked),
            self.position_m[rows],
            self.velocity_mps[rows],
            self.velocity_known[rows],
            self.stamp_ns[rows],
        )

    def followed_by(self, later: Places) -> Places:
        """Return these places and then the later ones."""
        return Places(
            self.uuid + later.uuid,
            self.track_id + later.track_id,
            np.concatenate([self.position_m, later.position_m]),
            np.concatenate([self.velocity_mps, later.velocity_mps]),
            np.concatenate([self.velocity_known, later.velocity_known]),
            np.concatenate([self.stamp_ns, later.stamp_ns]),
        )


_NOWHERE = Places((), (), np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0, np.bool_), np.zeros(0, np.int64))


class IdsByPlace:
    """Gives every object of a message a track id of its own, and remembers the places of those that share a UUID."""

    def __init__(self) -> None:
        self._places = _NOWHERE
        self._last = _NOWHERE
        self._made = 0

    def reset(self) -> None:
        """Forget every place; no id is made twice."""
        self._places = self._last = _NOWHERE

    def assign(
        self,
        uuid: tuple[str, ...],
        position_m: FloatArray,
        velocity_mps: FloatArray,
        velocity_known: BoolArray,
        stamp_ns: int,
    ) -> tuple[str, ...]:
        """Return N track ids, no two alike, for the objects of one message.

        uuid: N strings of 32 hexadecimal digits. position_m, velocity_mps (N, 2), velocity_known (N,): map frame,
        finite. A UUID that is set and belongs to one object only is its track id.
        """
        now = Places(uuid, uuid, position_m, velocity_mps, velocity_known, np.full(len(uuid), stamp_ns, np.int64))
        self._places, self._last = _recent(self._places, stamp_ns), _recent(self._last, stamp_ns)
        shared = shared_ids(uuid)
        if shared or len(self._places):
            now = self._told_apart(now, shared)
        self._last = now
        return now.track_id

    def _told_apart(self, now: Places, shared: set[str]) -> Places:
        """Return the places with track ids, and remember those whose UUID is shared now or was of late."""
        remembered = set(self._places.uuid)
        before = np.array([i for i, u in enumerate(self._last.uuid) if u in shared - remembered], np.int64)
        self._places = self._places.followed_by(self._last.select(before))  # they had their UUID to themselves
        rows = np.array([i for i, u in enumerate(now.uuid) if u in shared or u in remembered], np.int64)
        asked = now.select(rows)
        found = _matched(asked.select(np.arange(min(len(rows), MAX_ROWS))), self._places)
        found = np.concatenate([found, np.full(len(rows) - len(found), -1)])
        asked = self._named(asked, found)
        kept = np.setdiff1d(np.arange(len(self._places)), found[found >= 0])
        self._places = self._places.select(kept).followed_by(asked)
        track_id = list(now.track_id)
        for row, name in zip(rows.tolist(), asked.track_id, strict=True):
            track_id[row] = name
        return Places(now.uuid, tuple(track_id), now.position_m, now.velocity_mps, now.velocity_known, now.stamp_ns)

    def _named(self, asked: Places, found: IntArray) -> Places:
        """Return the places asked for with the ids of the places found (-1: none) or new ones, and velocities."""
        taken = set(self._places.track_id)
        names = []
        for uuid, place in zip(asked.uuid, found.tolist(), strict=True):
            if place >= 0:
                name = self._places.track_id[place]
            elif uuid != UNSET_ID and uuid not in taken:
                name = uuid
            else:
                name = f"{uuid}#{self._made}"
                self._made += 1
            taken.add(name)
            names.append(name)
        velocity_mps, known = asked.velocity_mps.copy(), asked.velocity_known.copy()
        before = self._places.select(np.maximum(found, 0)) if len(self._places) else asked
        dt_s = (asked.stamp_ns - before.stamp_ns) * 1e-9
        derived = (found >= 0) & (dt_s > 0) & ~known
        velocity_mps[derived] = ((asked.position_m - before.position_m)[derived]) / dt_s[derived, None]
        return Places(asked.uuid, tuple(names), asked.position_m, velocity_mps, known | derived, asked.stamp_ns)


def _recent(places: Places, stamp_ns: int) -> Places:
    """Return the newest MAX_PLACES of the places that are within TIMEOUT_S of the time, before or after it."""
    old = np.abs(places.stamp_ns - stamp_ns) > int(TIMEOUT_S * 1e9)
    if not old.any() and len(places) <= MAX_PLACES:
        return places
    return places.select(np.flatnonzero(~old)[-MAX_PLACES:])


def shared_ids(uuid: tuple[str, ...]) -> set[str]:
    """Return the UUIDs that tell no object from another: the unset one, and those that several objects have."""
    distinct = set(uuid)
    if len(distinct) == len(uuid):
        return distinct & {UNSET_ID}
    once: set[str] = set()
    shared = {UNSET_ID} & distinct
    for one in uuid:
        (shared if one in once else once).add(one)
    return shared


def _matched(now: Places, places: Places) -> IntArray:
    """Return the place (N,) whose track each object takes up, -1 for none."""
    if not len(now) or not len(places):
        return np.full(len(now), -1, np.int64)
    dt_s = (now.stamp_ns[0] - places.stamp_ns) * 1e-9  # the objects of one message have one stamp
    expected_m = places.position_m + np.where(places.velocity_known[:, None], places.velocity_mps, 0.0) * dt_s[:, None]
    gate_m = GATE_M + np.where(places.velocity_known, GATE_MPS, GATE_WITHOUT_VELOCITY_MPS) * np.abs(dt_s)
    off_x_m, off_y_m = (now.position_m[:, None, axis] - expected_m[:, axis] for axis in (0, 1))
    near = (np.abs(off_x_m) <= gate_m) & (np.abs(off_y_m) <= gate_m)
    off_m = np.full(near.shape, np.inf)
    off_m[near] = np.hypot(off_x_m[near], off_y_m[near])  # few pairs, and hypot is the costliest step
    off_m[off_m > gate_m] = np.inf
    number = {uuid: i for i, uuid in enumerate(dict.fromkeys(places.uuid + now.uuid))}
    if len(number) > 1:
        asked, known = (np.array([number[uuid] for uuid in one.uuid]) for one in (now, places))
        off_m[asked[:, None] != known] = np.inf
    return _nearest_pairs(off_m)


def _nearest_pairs(off_m: FloatArray) -> IntArray:
    """Return the column (R,) of each row, each column at most once, nearest pairs first; -1 for none. Overwrites off_m.

    off_m (R, P): distances, infinite for pairs that may not be.
    """
    found = np.full(len(off_m), -1, np.int64)
    rows, columns = np.arange(len(off_m)), np.arange(off_m.shape[1])
    for _ in range(_ROUNDS):
        nearest = off_m.argmin(axis=1)
        row = np.arange(len(off_m))
        mutual = np.isfinite(off_m[row, nearest]) & (off_m.argmin(axis=0)[nearest] == row)
        if not mutual.any():
            return found
        found[rows[mutual]] = columns[nearest[mutual]]
        row, free = np.flatnonzero(~mutual), np.delete(np.arange(len(columns)), nearest[mutual])
        if not len(row) or not len(free):
            return found
        off_m, rows, columns = off_m[np.ix_(row, free)], rows[row], columns[free]  # what is left is little
    for row_left, distance_m in zip(rows.tolist(), off_m, strict=True):
        column = int(distance_m.argmin())
        if np.isfinite(distance_m[column]):
            found[row_left] = columns[column]
            off_m[:, column] = np.inf
    return found
