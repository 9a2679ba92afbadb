"""Per-track state between frames: the slot of each track, its last observation, and when it is removed.

The time is an argument (now_ns): no clock is read here. The policy for faulty input:

- a frame that is not newer than the newest one is dropped and counted; the tracks do not change;
- a jump back by more than reset_jump_s means that the clock was restarted (a bag that loops), and so do older frames
  that rise or loop (see frame_clock): all tracks are forgotten;
- a frame that arrives late (now_ns - timestamp above late_s) still holds the newest data: it is used and counted;
- a track that misses frames keeps its slot and its state; when it comes back, dt is the time it was gone;
- a displacement that no velocity of the object's class explains (plausibility) restarts the track at its new position:
  an id was swapped or reused, or the tracker restarted. A smaller leap out of a steady track moves the track to its
  new place, and its velocity stays. A measured speed beyond the class counts as not measured, and so does a measured
  velocity or heading that contradicts the motion (velocity_doubt, heading_doubt);
- white noise of the positions, where a track shows it, is filtered out (position_filter): the observations' positions
  are the filtered ones;
- a track that appears where a vanished one is predicted to be inherits its slot and state (see id_handover);
- after more than timeout_s without an observation a track is removed and its slot is reused.

Headings: where the source measures none (a pedestrian tracker), the heading is derived from the object's motion, and
before it has moved there is none. A placeholder must not depend on the map's axes, or the prediction would change when
the scene is rotated: see motion.causal_heading.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from trajnet.arrays import MIN_SLOTS, all_true, any_true, grown
from trajnet.geometry import within_half_turn
from trajnet.tracking import heading_doubt, id_handover, velocity_doubt
from trajnet.tracking.frame_clock import FrameClock
from trajnet.tracking.leaps import implausible_rows, off_steady, shift
from trajnet.tracking.motion import causal_heading, steady_velocity_quietly
from trajnet.tracking.observations import WHEELED_CLASSES, Coasting, Observations
from trajnet.tracking.plausibility import faster_than_class
from trajnet.tracking.policy import TrackCounters, TrackPolicy
from trajnet.tracking.position_filter import PositionFilter
from trajnet.tracking.state import (
    ANCHOR,
    DISPLACED,
    DOUBT,
    GAP,
    HEADING_KNOWN,
    KNOWN_COLUMNS,
    POSE_COLUMNS,
    POSITION,
    STEADY,
    STEADY_KNOWN,
    YAW,
    YAW_VALID,
    Slots,
)
from trajnet.types import BoolArray, FloatArray, IntArray, TrackFrame

__all__ = ["Coasting", "FrameStatus", "Observations", "TrackCounters", "TrackPolicy", "TrackStore"]

_NO_ROWS: IntArray = np.zeros(0, np.int64)
#: An observation that the filter of positions moves by more along an axis is counted as filtered (m).
_FILTERED_M = 0.01

FrameStatus = Literal["used", "late", "out_of_order", "duplicate", "clock_reset"]


@dataclass
class TrackStore:
    """Slots for live tracks. ``update`` takes a frame; the arrays grow by doubling and slots never move."""

    policy: TrackPolicy = field(default_factory=TrackPolicy)
    counters: TrackCounters = field(default_factory=TrackCounters)

    def __post_init__(self) -> None:
        self._clock = FrameClock(int(self.policy.reset_jump_s * 1e9))
        self._slot_of: dict[str, int] = {}
        self._free: list[int] = []
        # Live tracks that the newest frame did not report, and their slots, in the order of their birth.
        self._missing: list[tuple[str, int]] = []
        # Ids of the newest frame and their slots: mostly those of the next one.
        self._newest: tuple[tuple[str, ...], IntArray] = (), _NO_ROWS
        self._slots = Slots(
            np.zeros(0, np.int64), np.zeros((0, POSE_COLUMNS)), np.zeros((0, KNOWN_COLUMNS), np.bool_),
            np.zeros(0, np.int8),
        )  # fmt: skip
        self.position_filter = PositionFilter() if self.policy.filter_positions else None
        self._allocate(MIN_SLOTS)

    def _allocate(self, slots: int) -> None:
        """Make room for at least this many slots; the added ones are free, and the lowest is taken first."""
        before = self.capacity
        self._slots = grown(self._slots, slots)
        if self.position_filter is not None:
            self.position_filter.allocate(self.capacity)
        self._free.extend(range(self.capacity - 1, before - 1, -1))

    @property
    def capacity(self) -> int:
        return len(self._slots)

    @property
    def newest_ns(self) -> int | None:
        """Stamp of the newest frame, None before the first and after a reset."""
        return self._clock.newest_ns

    @property
    def live(self) -> int:
        return len(self._slot_of)

    def reset(self) -> None:
        """Forget every track and the clock; the counters stay."""
        self._forget_tracks()
        self._clock.reset()

    def _forget_tracks(self) -> None:
        self._slot_of.clear()
        self._missing.clear()
        self._newest = (), _NO_ROWS
        self._free = list(range(self.capacity - 1, -1, -1))

    def update(self, frame: TrackFrame, now_ns: int) -> tuple[FrameStatus, Observations | None]:
        """Take one frame at the time now_ns; return its status and observations, None where the frame is dropped."""
        self.counters.frames += 1
        before_ns = self.newest_ns
        judged = self._clock.judge(frame.timestamp_ns)
        if judged == "duplicate":
            self.counters.duplicate += 1
            return "duplicate", None
        if judged == "out_of_order":
            self.counters.out_of_order += 1
            return "out_of_order", None
        status: FrameStatus = "used"
        if judged == "clock_reset":
            self.counters.clock_reset += 1
            self._forget_tracks()
            status, before_ns = "clock_reset", None
        elif now_ns - frame.timestamp_ns > int(self.policy.late_s * 1e9):
            self.counters.late += 1
            status = "late"
        self._remove_expired(frame.timestamp_ns, before_ns)
        with np.errstate(over="ignore", invalid="ignore"):  # absurd positions overflow to steps that are no motion
            return status, self._observe(self._plausible(frame), before_ns)

    def _plausible(self, frame: TrackFrame) -> TrackFrame:
        """Return the frame with velocities above the highest speed of the class marked as not measured."""
        too_fast = faster_than_class(frame.velocity_mps, frame.object_class) & frame.velocity_valid
        if any_true(too_fast):
            self.counters.implausible_speed += int(np.count_nonzero(too_fast))
            frame = replace(frame, velocity_valid=frame.velocity_valid & ~too_fast)
        return frame

    def _remove_expired(self, timestamp_ns: int, before_ns: int | None) -> None:
        limit_ns = timestamp_ns - int(self.policy.timeout_s * 1e9)
        # Only missing tracks can expire, unless the last frame itself is older than the timeout.
        all_of_them = before_ns is not None and before_ns < limit_ns
        asked = list(self._slot_of.items()) if all_of_them else self._missing
        if not asked:
            return
        gone = [(track_id, slot) for track_id, slot in asked if self._slots.seen_ns[slot] < limit_ns]
        for track_id, slot in gone:
            del self._slot_of[track_id]
            self._free.append(slot)
        if gone:
            self._newest = (), _NO_ROWS
            self._missing = [(track_id, slot) for track_id, slot in self._missing if track_id in self._slot_of]
        self.counters.removed += len(gone)

    def _slots_for(self, frame: TrackFrame) -> tuple[IntArray, IntArray]:
        """Return the slot of each row, and the rows of tracks that are born in this frame; assign slots to those."""
        if frame.track_id == self._newest[0]:
            return self._newest[1], _NO_ROWS
        found = list(map(self._slot_of.get, frame.track_id))
        born = [row for row, slot in enumerate(found) if slot is None] if None in found else []
        if born and self.policy.handover and len(self._slot_of) > len(found) - len(born):
            self._hand_over(frame, born)
            born = [row for row in born if frame.track_id[row] not in self._slot_of]
            found = list(map(self._slot_of.get, frame.track_id))
        for row in born:
            if not self._free:
                self._allocate(self.capacity + 1)
            found[row] = self._slot_of[frame.track_id[row]] = self._free.pop()
        self.counters.born += len(born)
        self._newest = frame.track_id, np.array(found, np.int64)
        return self._newest[1], np.array(born, np.int64) if born else _NO_ROWS

    def _unreported(self, frame: TrackFrame) -> list[tuple[str, int]]:
        """Return the live tracks that the frame does not report, and their slots, in the order of their birth."""
        if len(self._slot_of) == len(frame.track_id):
            return []
        reported = set(frame.track_id)
        return [live for live in self._slot_of.items() if live[0] not in reported]

    def _hand_over(self, frame: TrackFrame, new: list[int]) -> None:
        """Move each vanished track's slot to the new id that id_handover.matched finds for it. new: rows of new ids."""
        vanished = list(self._slot_of.keys() - set(frame.track_id))
        vanished.sort(key=self._slot_of.__getitem__)
        slot = np.array([self._slot_of[t] for t in vanished], dtype=np.int64)
        gone_s: FloatArray = (frame.timestamp_ns - self._slots.seen_ns[slot]).astype(np.float64) * 1e-9
        last = self._slots.pose[slot]
        old, appeared = id_handover.matched(
            last[:, POSITION], last[:, STEADY], gone_s, self._slots.object_class[slot],
            frame.position_m[new], frame.object_class[new],
        )  # fmt: skip
        for i, j in zip(old.tolist(), appeared.tolist(), strict=True):
            self._slot_of[frame.track_id[new[j]]] = self._slot_of.pop(vanished[i])
        self.counters.handed_over += len(old)

    def _observe(self, frame: TrackFrame, before_ns: int | None) -> Observations:
        slot_before = self._newest[1]
        slot, born = self._slots_for(frame)
        last, known = self._slots.pose.take(slot, axis=0), self._slots.known.take(slot, axis=0)
        gone_ns = frame.timestamp_ns - self._slots.seen_ns.take(slot)
        displacement_m, dt_s = frame.position_m - last[:, POSITION], np.multiply(gone_ns, 1e-9)
        reset = np.zeros(len(slot), np.bool_)

        def begin(rows: IntArray) -> None:
            """Let the tracks of these rows begin in this frame."""
            reset[rows], gone_ns[rows], dt_s[rows], displacement_m[rows] = True, 0, 0.0, 0.0
            known[rows] = False
            last[rows, DOUBT], last[rows, GAP] = 0.0, 0.0
            known[rows, YAW_VALID] = frame.yaw_valid[rows]
            last[rows, POSITION] = last[rows, ANCHOR] = frame.position_m[rows]

        if len(born):
            begin(born)
        if self.policy.restart_leaps:
            off_m = off_steady(displacement_m, dt_s, last)
            most_off_m = float(np.maximum.reduce(off_m, initial=0.0))  # NaN, if there is one
            leapt = implausible_rows(frame, displacement_m, dt_s, last, known, most_off_m)
            if len(leapt):
                begin(leapt)
                off_m[leapt] = 0.0
                self.counters.restarted += len(leapt)
            self.counters.shifted += shift(frame, displacement_m, dt_s, last, known, leapt, off_m, most_off_m)
        if self._missing and before_ns is not None:
            self.counters.resumed += int(np.count_nonzero(gone_ns > frame.timestamp_ns - before_ns))
        frame = self._believed(frame, reset, displacement_m, dt_s, last, known)
        position_m = frame.position_m
        if self.position_filter is not None:
            position_m = self.position_filter.filtered(
                slot, reset, dt_s, position_m, frame.velocity_mps, frame.velocity_valid
            )
            if position_m is not frame.position_m:
                displacement_m = position_m - last[:, POSITION]
                moved_m = np.abs(position_m - frame.position_m)
                far = np.maximum(moved_m[:, 0], moved_m[:, 1]) > _FILTERED_M
                self.counters.filtered += int(np.count_nonzero(far))
        if slot is not slot_before or not len(slot):  # else the same tracks as before are missing
            self._missing = self._unreported(frame)
        return self._observed(frame, slot, reset, dt_s, position_m, displacement_m, last, known)

    def _believed(
        self, frame: TrackFrame, reset: BoolArray, displacement_m: FloatArray, dt_s: FloatArray, last: FloatArray,
        known: BoolArray,
    ) -> TrackFrame:  # fmt: skip
        """Return the frame with velocities and headings that contradict the motion marked as not measured.

        last and known change in place. Velocities come first, as headings are held against them.
        """
        if self.policy.doubt_velocities and any_true(frame.velocity_valid):
            refuted = velocity_doubt.doubted(frame, displacement_m, dt_s, last, known)
            if any_true(refuted):
                self.counters.implausible_velocity += int(np.count_nonzero(refuted))
                frame = replace(frame, velocity_valid=frame.velocity_valid & ~refuted)
        if self.policy.doubt_headings and any_true(frame.yaw_valid):
            refuted = heading_doubt.doubted(frame, displacement_m, dt_s, last, known)
            if any_true(refuted):
                self.counters.implausible_heading += int(np.count_nonzero(refuted))
                frame = replace(frame, yaw_valid=frame.yaw_valid & ~refuted)
                known[reset, YAW_VALID] = frame.yaw_valid[reset]
        return frame

    def _observed(
        self,
        frame: TrackFrame,
        slot: IntArray,
        reset: BoolArray,
        dt_s: FloatArray,
        position_m: FloatArray,
        displacement_m: FloatArray,
        last: FloatArray,
        known: BoolArray,
    ) -> Observations:
        """Return the observations, with headings and steady velocities; store the new state of the tracks.

        position_m (N, 2): without noise. displacement_m (N, 2), dt_s (N,): since the last observation of each track.
        last, known: the state of then (see state); last changes in place.
        """
        known_before = known[:, HEADING_KNOWN]
        velocity_mps = frame.velocity_mps
        if not all_true(frame.velocity_valid):
            velocity_mps = np.where(frame.velocity_valid[:, None], velocity_mps, 0.0)
        heading = causal_heading(
            position_m,
            within_half_turn(frame.yaw_rad),
            frame.yaw_valid,
            velocity_mps,
            displacement_m=displacement_m,
            last_yaw_rad=last[:, YAW],
            known_before=known_before,
            anchor_m=last[:, ANCHOR],
            step_m=self.policy.heading_step_m,
        )
        steady_mps = steady_velocity_quietly(
            displacement_m, dt_s, velocity_mps, last_mps=last[:, STEADY], known=known[:, STEADY_KNOWN]
        )
        previous_position_m = last[:, POSITION].copy()
        previous_yaw_rad = np.where(known_before, last[:, YAW], heading.yaw_rad)
        last[:, POSITION], last[:, YAW] = position_m, heading.yaw_rad
        last[:, ANCHOR], last[:, STEADY] = heading.anchor_m, steady_mps
        now_known = np.empty_like(known)
        now_known[:, YAW_VALID], now_known[:, HEADING_KNOWN] = frame.yaw_valid, heading.known
        np.logical_not(reset, out=now_known[:, DISPLACED])
        np.logical_or(now_known[:, DISPLACED], frame.velocity_valid, out=now_known[:, STEADY_KNOWN])
        self._slots.pose[slot], self._slots.known[slot] = last, now_known
        self._slots.seen_ns[slot], self._slots.object_class[slot] = frame.timestamp_ns, frame.object_class
        return Observations.unchecked(
            timestamp_ns=frame.timestamp_ns, slots=self.capacity, track_id=frame.track_id, slot=slot, reset=reset,
            dt_s=dt_s, position_m=position_m, yaw_rad=heading.yaw_rad, yaw_valid=frame.yaw_valid,
            previous_position_m=previous_position_m, previous_yaw_rad=previous_yaw_rad,
            previous_yaw_valid=known[:, YAW_VALID], heading_known=heading.known, direction_known=heading.directed,
            velocity_mps=velocity_mps, velocity_valid=frame.velocity_valid, steady_velocity_mps=steady_mps,
            object_class=frame.object_class, size_m=frame.size_m, surroundings=None,
            begun=slot[reset] if any_true(reset) else _NO_ROWS, wheeled=WHEELED_CLASSES.take(frame.object_class),
        )  # fmt: skip

    @property
    def any_coasting(self) -> bool:
        """Whether there are live tracks that the newest frame did not report."""
        return bool(self._missing)

    def coasting(self) -> Coasting:
        """Return the live tracks that the newest frame did not report, in the order of their birth."""
        slot = np.array([s for _, s in self._missing], dtype=np.int64)
        age_s: FloatArray = np.asarray(((self.newest_ns or 0) - self._slots.seen_ns[slot]) * 1e-9, dtype=np.float64)
        return Coasting(tuple(t for t, _ in self._missing), slot, age_s)
