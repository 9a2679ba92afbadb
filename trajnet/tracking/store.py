"""Per-track state between frames: the slot of each track, its last observation, and when it is removed.

The time is an argument (now_ns): no clock is read here. The policy for faulty input:

- a frame that is not newer than the newest one is dropped and counted; the tracks do not change;
- a jump back by more than reset_jump_s means that the clock was restarted (a bag that loops), and so do three older
  frames in a row with rising stamps (see frame_clock): all tracks are forgotten;
- a frame that arrives late (now_ns - timestamp above late_s) still holds the newest data: it is used and counted;
- a track that misses frames keeps its slot and its state; when it comes back, dt is the time it was gone;
- a displacement that no velocity of the object's class explains (plausibility) restarts the track at its new position:
  an id was swapped or reused, or the tracker restarted. A smaller leap out of a steady track moves the track to its
  new place, and its velocity stays. A measured speed beyond the class counts as not measured;
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
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trajnet.arrays import MIN_SLOTS, StructOfArrays, grown
from trajnet.config import require
from trajnet.context.map_field import MapField
from trajnet.context.surroundings import InputRequirements, Surroundings, surroundings_of
from trajnet.geometry import within_half_turn
from trajnet.tracking import id_handover
from trajnet.tracking.frame_clock import FrameClock
from trajnet.tracking.motion import causal_heading, steady_velocity
from trajnet.tracking.plausibility import (
    MOST_IN_A_ROW,
    WOBBLE_KEPT,
    deviation,
    out_of_line,
    too_fast_for_class,
    unexplained,
)
from trajnet.tracking.position_filter import PositionFilter
from trajnet.types import BoolArray, FloatArray, IntArray, TrackFrame

#: Columns of the state that each slot holds: numbers (pose), and masks of what is known.
_POSITION, _YAW, _ANCHOR, _STEADY, _WOBBLE, _STEPS, _SHIFTS, _POSE_COLUMNS = (
    *(slice(0, 2), 2, slice(3, 5), slice(5, 7)),
    *(7, 8, 9, 10),
)
_YAW_VALID, _HEADING_KNOWN, _STEADY_KNOWN, _DISPLACED, _KNOWN_COLUMNS = 0, 1, 2, 3, 4

#: An observation that the filter of positions moves by more along an axis is counted as filtered (m).
_FILTERED_M = 0.01

FrameStatus = Literal["used", "late", "out_of_order", "duplicate", "clock_reset"]


@dataclass(frozen=True)
class TrackPolicy:
    """Settings of a TrackStore.

    timeout_s: a track is removed after this time without an observation.
    late_s: a frame older than this on arrival counts as late.
    reset_jump_s: a stamp that goes back further than this means that the clock was restarted.
    heading_step_m: distance that an object must move before a heading is derived, where the source gives none.
    handover: whether a track that appears where a vanished one is predicted to be inherits its state.
    restart_leaps: whether a displacement that no velocity of the class explains restarts the track, and a smaller leap
    moves it.
    filter_positions: whether noise that a track shows is filtered out of its positions, see position_filter.
    Both are switched off for benchmarks whose windows must be used as recorded.
    crossings: whether people near a crosswalk of the map get crossings among their paths, see inference.crossing.
    """

    timeout_s: float = 1.0
    late_s: float = 0.2
    reset_jump_s: float = 1.0
    heading_step_m: float = 0.3
    handover: bool = True
    restart_leaps: bool = True
    filter_positions: bool = True
    crossings: bool = True

    def __post_init__(self) -> None:
        for name in ("timeout_s", "late_s", "reset_jump_s", "heading_step_m"):
            value = getattr(self, name)
            require(np.isfinite(value) and value > 0, f"{name}: expected a number above 0, got {value}")


@dataclass
class TrackCounters:
    """Counts of what happened to frames and tracks since the start.

    resumed: tracks that came back after missing frames.
    handed_over: tracks that appeared under a new id and inherited the state of a vanished one; not counted as born.
    restarted: observations whose displacement no velocity of the class explains; the track was restarted there.
    shifted: observations that leapt out of a steady track by less; the track was moved there with its velocity.
    implausible_speed: measured velocities above the highest speed of the class, treated as not measured.
    filtered: observations whose position was moved by more than 1 cm because their track shows noise.
    """

    frames: int = 0
    late: int = 0
    out_of_order: int = 0
    duplicate: int = 0
    clock_reset: int = 0
    born: int = 0
    removed: int = 0
    resumed: int = 0
    handed_over: int = 0
    restarted: int = 0
    shifted: int = 0
    implausible_speed: int = 0
    filtered: int = 0


@dataclass(frozen=True, eq=False)
class Observations(StructOfArrays):
    """The N rows of one used frame, with the previous observation of each track. slot (N,) is unique.

    reset (N,): the track's first observation; previous_* then equal the present values and dt_s is 0.
    yaw_rad (N,): measured where yaw_valid, else derived by causal_heading, which also gives heading_known and
    direction_known (N,). previous_yaw_rad equals the present yaw where no heading was known before: a heading that
    becomes known is not a turn. steady_velocity_mps (N, 2): see motion. surroundings: map and neighbours of each row;
    None until they are computed, and where the predictor uses none.
    """

    SHARED = ("timestamp_ns",)

    timestamp_ns: int
    track_id: tuple[str, ...]
    slot: IntArray
    reset: BoolArray
    dt_s: FloatArray
    position_m: FloatArray
    yaw_rad: FloatArray
    yaw_valid: BoolArray
    previous_position_m: FloatArray
    previous_yaw_rad: FloatArray
    previous_yaw_valid: BoolArray
    heading_known: BoolArray
    direction_known: BoolArray
    velocity_mps: FloatArray
    velocity_valid: BoolArray
    steady_velocity_mps: FloatArray
    object_class: NDArray[np.int8]
    size_m: FloatArray
    surroundings: Surroundings | None = None

    @cached_property
    def slots(self) -> int:
        """How many slots there must be room for: one more than the largest, 0 without rows."""
        return int(self.slot.max()) + 1 if len(self.slot) else 0

    @cached_property
    def begun(self) -> IntArray:
        """The slots of the rows that are reset, (B,)."""
        return self.slot[self.reset]

    def make_surroundings(self, requirements: InputRequirements, field: MapField | None) -> Surroundings:
        """Return the required surroundings of the rows: samples of the map, and the other rows as neighbours."""
        velocity_mps = self.velocity_mps
        if not self.velocity_valid.all():
            velocity_mps = np.where(self.velocity_valid[:, None], velocity_mps, self.steady_velocity_mps)
        return surroundings_of(requirements, field, self.position_m, self.yaw_rad, velocity_mps, self.size_m)


@dataclass(frozen=True, eq=False)
class Coasting(StructOfArrays):
    """Live tracks that the newest frame did not report: id, slot (M,), time since their last observation (M,)."""

    track_id: tuple[str, ...]
    slot: IntArray
    age_s: FloatArray


@dataclass(frozen=True, eq=False)
class _Slots(StructOfArrays):
    """The state of the track in each slot.

    seen_ns (S,): time of its last observation. pose (S, _POSE_COLUMNS): its numbers; of them wobble, steps (see
    plausibility.out_of_line) and shifts: how many of its last steps in a row were leaps. known (S,
    _KNOWN_COLUMNS): masks of what is known of it. object_class (S,).
    """

    seen_ns: IntArray
    pose: FloatArray
    known: BoolArray
    object_class: NDArray[np.int8]


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
        self._slots = _Slots(
            np.zeros(0, np.int64), np.zeros((0, _POSE_COLUMNS)), np.zeros((0, _KNOWN_COLUMNS), np.bool_),
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
        return status, self._observe(self._plausible(frame), before_ns)

    def _plausible(self, frame: TrackFrame) -> TrackFrame:
        """Return the frame with velocities above the highest speed of the class marked as not measured."""
        too_fast = too_fast_for_class(frame.velocity_mps, frame.object_class) & frame.velocity_valid
        if too_fast.any():
            self.counters.implausible_speed += int(np.count_nonzero(too_fast))
            frame = replace(frame, velocity_valid=frame.velocity_valid & ~too_fast)
        return frame

    def _remove_expired(self, timestamp_ns: int, before_ns: int | None) -> None:
        limit_ns = timestamp_ns - int(self.policy.timeout_s * 1e9)
        # Only missing tracks can expire, unless the last frame itself is older than the timeout.
        all_of_them = before_ns is not None and before_ns < limit_ns
        asked = list(self._slot_of.items()) if all_of_them else self._missing
        gone = [(track_id, slot) for track_id, slot in asked if self._slots.seen_ns[slot] < limit_ns]
        for track_id, slot in gone:
            del self._slot_of[track_id]
            self._free.append(slot)
        if gone:
            self._missing = [(track_id, slot) for track_id, slot in self._missing if track_id in self._slot_of]
        self.counters.removed += len(gone)

    def _slots_for(self, frame: TrackFrame) -> tuple[IntArray, list[int]]:
        """Return the slot of each row, and the rows of tracks that are born in this frame; assign slots to those."""
        found = list(map(self._slot_of.get, frame.track_id))
        born = [row for row, slot in enumerate(found) if slot is None]
        if born and self.policy.handover and len(self._slot_of) > len(found) - len(born):
            self._hand_over(frame, born)
            born = [row for row in born if frame.track_id[row] not in self._slot_of]
            found = list(map(self._slot_of.get, frame.track_id))
        for row in born:
            if not self._free:
                self._allocate(self.capacity + 1)
            found[row] = self._slot_of[frame.track_id[row]] = self._free.pop()
        self.counters.born += len(born)
        return np.array(found, dtype=np.int64), born

    def _hand_over(self, frame: TrackFrame, new: list[int]) -> None:
        """Move each vanished track's slot to the new id that id_handover.matched finds for it. new: rows of new ids."""
        vanished = list(self._slot_of.keys() - set(frame.track_id))
        vanished.sort(key=self._slot_of.__getitem__)
        slot = np.array([self._slot_of[t] for t in vanished], dtype=np.int64)
        gone_s: FloatArray = (frame.timestamp_ns - self._slots.seen_ns[slot]).astype(np.float64) * 1e-9
        last = self._slots.pose[slot]
        old, appeared = id_handover.matched(
            last[:, _POSITION], last[:, _STEADY], gone_s, self._slots.object_class[slot],
            frame.position_m[new], frame.object_class[new],
        )  # fmt: skip
        for i, j in zip(old.tolist(), appeared.tolist(), strict=True):
            self._slot_of[frame.track_id[new[j]]] = self._slot_of.pop(vanished[i])
        self.counters.handed_over += len(old)

    def _observe(self, frame: TrackFrame, before_ns: int | None) -> Observations:
        slot, born = self._slots_for(frame)
        last, known = self._slots.pose.take(slot, axis=0), self._slots.known.take(slot, axis=0)
        gone_ns, reset = frame.timestamp_ns - self._slots.seen_ns.take(slot), np.zeros(len(slot), np.bool_)
        displacement_m, dt_s = frame.position_m - last[:, _POSITION], np.asarray(gone_ns * 1e-9, np.float64)
        leapt = self._leaps(frame, displacement_m, dt_s, last, known, born) if self.policy.restart_leaps else []
        new = [*born, *leapt]
        if new:
            reset[new], gone_ns[new], known[new] = True, 0, False
            displacement_m[new], dt_s[new] = 0.0, 0.0
            last[new, _POSITION] = last[new, _ANCHOR] = frame.position_m[new]
            known[new, _YAW_VALID] = frame.yaw_valid[new]
        if self.policy.restart_leaps:
            self._shift(frame, displacement_m, dt_s, last, known, leapt)
        if self._missing and before_ns is not None:
            self.counters.resumed += int(np.count_nonzero(gone_ns > frame.timestamp_ns - before_ns))
        position_m = frame.position_m
        if self.position_filter is not None:
            position_m = self.position_filter.filtered(
                slot, reset, dt_s, position_m, frame.velocity_mps, frame.velocity_valid
            )
            if position_m is not frame.position_m:
                displacement_m = position_m - last[:, _POSITION]
                moved_m = np.abs(position_m - frame.position_m).max(axis=1)
                self.counters.filtered += int(np.count_nonzero(moved_m > _FILTERED_M))
        previous_position_m, known_before = last[:, _POSITION], known[:, _HEADING_KNOWN]
        velocity_mps = frame.velocity_mps
        if not frame.velocity_valid.all():
            velocity_mps = np.where(frame.velocity_valid[:, None], velocity_mps, 0.0)
        heading = causal_heading(
            position_m,
            within_half_turn(frame.yaw_rad),
            frame.yaw_valid,
            velocity_mps,
            displacement_m=displacement_m,
            last_yaw_rad=last[:, _YAW],
            known_before=known_before,
            anchor_m=last[:, _ANCHOR],
            step_m=self.policy.heading_step_m,
        )
        steady_mps = steady_velocity(
            displacement_m, dt_s, velocity_mps, last_mps=last[:, _STEADY], known=known[:, _STEADY_KNOWN]
        )
        self._slots.seen_ns[slot] = frame.timestamp_ns
        self._slots.pose[slot] = np.concatenate(
            [position_m, heading.yaw_rad[:, None], heading.anchor_m, steady_mps, last[:, _WOBBLE:]], axis=1
        )
        now_known = np.empty_like(known)
        now_known[:, _YAW_VALID], now_known[:, _HEADING_KNOWN] = frame.yaw_valid, heading.known
        np.logical_not(reset, out=now_known[:, _DISPLACED])
        np.logical_or(now_known[:, _DISPLACED], frame.velocity_valid, out=now_known[:, _STEADY_KNOWN])
        self._slots.known[slot] = now_known
        self._slots.object_class[slot] = frame.object_class
        self._missing = []
        if len(self._slot_of) > len(slot):
            reported = set(frame.track_id)
            self._missing = [live for live in self._slot_of.items() if live[0] not in reported]
        return Observations(
            frame.timestamp_ns, frame.track_id, slot, reset, dt_s, position_m, heading.yaw_rad, frame.yaw_valid,
            previous_position_m, np.where(known_before, last[:, _YAW], heading.yaw_rad), known[:, _YAW_VALID],
            heading.known, heading.directed, velocity_mps, frame.velocity_valid, steady_mps, frame.object_class,
            frame.size_m,
        )  # fmt: skip

    def _leaps(
        self,
        frame: TrackFrame,
        displacement_m: FloatArray,
        dt_s: FloatArray,
        last: FloatArray,
        known: BoolArray,
        born: list[int],
    ) -> list[int]:
        """Return and count the rows of known tracks whose displacement since their last observation is implausible.

        The observation after a leap, which may be the way back of a swap, is judged by the measured velocity and as if
        the object stood; but not after MOST_IN_A_ROW leaps: then its speed alone counts, as in other second
        observations, or such a track would begin anew for ever.
        """
        judged, steady_mps = known[:, _DISPLACED], last[:, _STEADY]
        if not judged.all():
            steady_mps = steady_mps * judged[:, None]
            shifts = last[:, _SHIFTS]
            judged = judged | (shifts > 0) & (shifts < MOST_IN_A_ROW)
        leapt = unexplained(
            displacement_m,
            dt_s,
            frame.object_class,
            measured_mps=frame.velocity_mps,
            measured=frame.velocity_valid,
            steady_mps=steady_mps,
            steady=judged,
            wobble_m=last[:, _WOBBLE],
        )
        leapt[born] = False
        rows: list[int] = np.flatnonzero(leapt).tolist()
        self.counters.restarted += len(rows)
        return rows

    def _shift(
        self,
        frame: TrackFrame,
        displacement_m: FloatArray,
        dt_s: FloatArray,
        last: FloatArray,
        known: BoolArray,
        leapt: list[int],
    ) -> None:
        """Move tracks that leapt out of their line to where they are now, velocity and history as they were.

        displacement_m and the last position and anchor change in place, as do wobble, steps and shifts. leapt: rows
        that began anew.
        """
        off_m = deviation(
            displacement_m,
            dt_s,
            measured_mps=frame.velocity_mps,
            measured=frame.velocity_valid,
            steady_mps=last[:, _STEADY],
        )
        wobble_m, steps, shifts = last[:, _WOBBLE], last[:, _STEPS], last[:, _SHIFTS]
        shifted = out_of_line(off_m, dt_s, frame.object_class, wobble_m=wobble_m, steps=steps)
        if shifted.any():
            shifted &= shifts < MOST_IN_A_ROW
            rows = np.flatnonzero(shifted)
            leap_m = displacement_m[rows] - last[rows, _STEADY] * dt_s[rows, None]
            displacement_m[rows] -= leap_m
            last[rows, _POSITION] += leap_m
            last[rows, _ANCHOR] += leap_m
            self.counters.shifted += len(rows)
            off_m[rows] = 0.0
        wobble_m *= WOBBLE_KEPT
        np.maximum(wobble_m, off_m, out=wobble_m)
        steps += 1.0
        shifted[leapt] = True
        shifts += 1.0
        shifts *= shifted
        steady = known[:, _DISPLACED]
        if not steady.all():
            last[~steady, _WOBBLE:_SHIFTS] = 0.0

    @property
    def any_coasting(self) -> bool:
        """Whether there are live tracks that the newest frame did not report."""
        return bool(self._missing)

    def coasting(self) -> Coasting:
        """Return the live tracks that the newest frame did not report, in the order of their birth."""
        slot = np.array([s for _, s in self._missing], dtype=np.int64)
        age_s: FloatArray = np.asarray(((self.newest_ns or 0) - self._slots.seen_ns[slot]) * 1e-9, dtype=np.float64)
        return Coasting(tuple(t for t, _ in self._missing), slot, age_s)
