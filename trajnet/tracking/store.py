"""Per-track state between frames: which slot a track lives in, what it reported before, when it is forgotten.

The clock is an argument (now_ns): nothing here reads one. The policy for what goes wrong:

- a frame older than the newest (or of the same time) is dropped and counted; the tracks stay as they are;
- a jump back by more than reset_jump_s is a clock that started again (a bag that loops), and so are three older frames
  in a row that rise (see frame_clock): everything is forgotten;
- a frame that arrives late (now_ns - timestamp over late_s) is still the newest knowledge: used, and counted;
- a track that misses frames keeps its slot and its state; when it comes back, dt says how long it was gone;
- a displacement that no velocity of the object's class explains (plausibility) starts the track anew in its place: an
  id that was swapped or used again, a tracker that restarted. A measured speed beyond the class counts as unmeasured;
- a track that appears where a vanished one must be by now inherits its slot and state (handover, see that module);
- after timeout_s without an observation, or gone for longer than that, a track is removed and its slot is used again.

Headings: a source that measures none (a pedestrian tracker) leaves the heading to the object's motion, and before that
there is none. No stand-in for it may depend on the map's axes, or a rotated scene would get another prediction: see
causal_heading.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajnet.arrays import MIN_SLOTS, StructOfArrays, grown
from trajnet.config import require
from trajnet.context.map_field import MapField
from trajnet.context.surroundings import InputRequirements, Surroundings, surroundings_of
from trajnet.geometry import wrap_angle
from trajnet.tracking import id_handover
from trajnet.tracking.frame_clock import FrameClock
from trajnet.tracking.plausibility import too_fast_for_class, unexplained
from trajnet.types import BoolArray, FloatArray, IntArray, TrackFrame

#: What is kept of each slot: columns of numbers, and of what is known.
_POSITION, _YAW, _ANCHOR, _STEADY, _POSE_COLUMNS = slice(0, 2), 2, slice(3, 5), slice(5, 7), 7
_YAW_VALID, _HEADING_KNOWN, _STEADY_KNOWN, _DISPLACED, _KNOWN_COLUMNS = 0, 1, 2, 3, 4

FrameStatus = Literal["used", "late", "out_of_order", "duplicate", "clock_reset"]


@dataclass(frozen=True)
class TrackPolicy:
    """timeout_s: forget a track after this time without observation. late_s: a frame this old counts as late.

    reset_jump_s: time going back further than this means that the clock was set anew.
    heading_step_m: motion that a heading is derived from where the source gives none.
    handover: a track that appears where a vanished one must be by now inherits its state.
    restart_leaps: a displacement that no velocity of the class explains starts the track anew. Benchmarks whose windows
    are to be taken as they were recorded switch it off.
    """

    timeout_s: float = 1.0
    late_s: float = 0.2
    reset_jump_s: float = 1.0
    heading_step_m: float = 0.3
    handover: bool = True
    restart_leaps: bool = True

    def __post_init__(self) -> None:
        for name in ("timeout_s", "late_s", "reset_jump_s", "heading_step_m"):
            value = getattr(self, name)
            require(np.isfinite(value) and value > 0, f"{name}: expected a number above 0, got {value}")


@dataclass
class TrackCounters:
    """What happened to frames and tracks since the start. resumed: tracks that came back after missing frames.

    handed_over: tracks that appeared under a new id and inherited the state of one that had vanished; not born.
    restarted: observations whose displacement no velocity of the class explains; the track began anew there.
    implausible_speed: measured velocities faster than the class can be, taken as not measured.
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
    implausible_speed: int = 0


@dataclass(frozen=True, eq=False)
class Observations(StructOfArrays):
    """The rows of one used frame, with what each track reported before. N rows; slot (N,) is unique.

    reset (N,): the track's first observation; previous_* then repeat the present and dt_s is 0.
    yaw_rad is measured (yaw_valid), else as causal_heading derives it, with heading_known and direction_known (N,) from
    there. previous_yaw_rad repeats the present yaw where no heading was known before: a heading that becomes known is
    no turn. steady_velocity_mps (N, 2): see steady_velocity. surroundings: what is around each row, where a predictor
    wants to know.
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

    def make_surroundings(self, requirements: InputRequirements, field: MapField | None) -> Surroundings:
        """Return what the rows see of a map and of each other, as far as it is required."""
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
    """What is kept of the track in each slot (S,): the time of its last observation, its numbers (S, _POSE_COLUMNS),
    what is known of it (S, _KNOWN_COLUMNS), and its class."""

    seen_ns: IntArray
    pose: FloatArray
    known: BoolArray
    object_class: NDArray[np.int8]


@dataclass
class TrackStore:
    """Slots for live tracks. ``update`` takes a frame; the arrays grow by doubling and are never shuffled."""

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
        self._allocate(MIN_SLOTS)

    def _allocate(self, slots: int) -> None:
        """Make room for at least this many slots; the added ones are free, the lowest is taken first."""
        before = self.capacity
        self._slots = grown(self._slots, slots)
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
        """Take one frame at the time now_ns. Observations is None where the policy drops the frame."""
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
        """Return the frame without speeds that the classes cannot have."""
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
        """The slot of every row, and the rows of tracks that are born with this frame."""
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
        """Give each vanished track's slot to the new id that id_handover.matched finds for it. new: rows of new ids."""
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
        leapt = self._leaps(frame, last, known, gone_ns, born) if self.policy.restart_leaps else []
        new = [*born, *leapt]
        if new:
            reset[new], gone_ns[new], known[new] = True, 0, False
            last[new, _POSITION] = last[new, _ANCHOR] = frame.position_m[new]
            known[new, _YAW_VALID] = frame.yaw_valid[new]
        if self._missing and before_ns is not None:
            self.counters.resumed += int(np.count_nonzero(gone_ns > frame.timestamp_ns - before_ns))
        dt_s: FloatArray = np.asarray(gone_ns * 1e-9, np.float64)
        previous_position_m, known_before = last[:, _POSITION], known[:, _HEADING_KNOWN]
        displacement_m = frame.position_m - previous_position_m
        velocity_mps = frame.velocity_mps
        if not frame.velocity_valid.all():
            velocity_mps = np.where(frame.velocity_valid[:, None], velocity_mps, 0.0)
        heading = causal_heading(
            frame.position_m,
            _within_half_turn(frame.yaw_rad),
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
            [frame.position_m, heading.yaw_rad[:, None], heading.anchor_m, steady_mps], axis=1
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
            frame.timestamp_ns, frame.track_id, slot, reset, dt_s, frame.position_m, heading.yaw_rad, frame.yaw_valid,
            previous_position_m, np.where(known_before, last[:, _YAW], heading.yaw_rad), known[:, _YAW_VALID],
            heading.known, heading.directed, velocity_mps, frame.velocity_valid, steady_mps, frame.object_class,
            frame.size_m,
        )  # fmt: skip

    def _leaps(
        self, frame: TrackFrame, last: FloatArray, known: BoolArray, gone_ns: IntArray, born: list[int]
    ) -> list[int]:
        """Return and count the rows of known tracks that cannot have come from where they were last seen."""
        leapt = unexplained(
            frame.position_m - last[:, _POSITION],
            np.asarray(gone_ns * 1e-9, np.float64),
            frame.object_class,
            measured_mps=frame.velocity_mps,
            measured=frame.velocity_valid,
            steady_mps=last[:, _STEADY],
            steady=known[:, _DISPLACED],
        )
        leapt[born] = False
        rows: list[int] = np.flatnonzero(leapt).tolist()
        self.counters.restarted += len(rows)
        return rows

    def coasting(self) -> Coasting:
        """Live tracks that the newest frame did not report, in the order of their birth."""
        slot = np.array([s for _, s in self._missing], dtype=np.int64)
        age_s: FloatArray = np.asarray(((self.newest_ns or 0) - self._slots.seen_ns[slot]) * 1e-9, dtype=np.float64)
        return Coasting(tuple(t for t, _ in self._missing), slot, age_s)


#: Time in which a displacement's weight in the steady velocity falls to 1 / e (s).
STEADY_TIME_S = 0.4
#: A displacement counts as no more than this along each axis (m/s): a leap of the tracker must not last.
MAX_STEADY_MPS = 100.0
#: Time stamps are whole nanoseconds (s).
_SHORTEST_S = 1e-9


def steady_velocity(
    displacement_m: FloatArray, dt_s: FloatArray, velocity_mps: FloatArray, *, last_mps: FloatArray, known: BoolArray
) -> FloatArray:
    """(N, 2) m/s from displacements over the last moments: the last one alone is noise at high frame rates.

    Each displacement counts for as long as it took, and for less the older it is (STEADY_TIME_S). displacement_m (N, 2)
    over dt_s (N,), 0 at a first observation, whose steady velocity is what was measured: velocity_mps (N, 2), 0 where
    it was not. last_mps (N, 2): the steady velocity before, where there is one (known).
    """
    with np.errstate(over="ignore"):
        moved_mps = displacement_m / np.maximum(dt_s, _SHORTEST_S)[:, None]
    np.maximum(moved_mps, -MAX_STEADY_MPS, out=moved_mps)
    np.minimum(moved_mps, MAX_STEADY_MPS, out=moved_mps)
    kept = np.exp(dt_s / -STEADY_TIME_S)
    kept *= known
    steady_mps: FloatArray = last_mps - moved_mps
    steady_mps *= kept[:, None]
    steady_mps += moved_mps
    first = dt_s <= 0
    if first.any():
        steady_mps[first] = velocity_mps[first]
    return steady_mps


def _within_half_turn(yaw_rad: FloatArray) -> FloatArray:
    """Return yaws (N,) within [-pi, pi]: models take them as float32, where whole turns cost digits."""
    beyond = np.abs(yaw_rad) > np.pi
    return np.where(beyond, wrap_angle(yaw_rad), yaw_rad) if beyond.any() else yaw_rad


class Heading(NamedTuple):
    """Which way N objects point. yaw_rad (N,), known (N,), directed (N,), anchor_m (N, 2); see causal_heading."""

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
    """The heading of each object from what is known now. All (N,) or (N, 2); velocity_mps is 0 where not measured,
    displacement_m, since the last observation, at the first one.

    A measured yaw is taken as it is. Else the heading is the direction from the anchor, once the object is step_m away
    from it (a derivative of successive points is noise near standstill); until then the last heading holds.

    While there is no heading yet (not known), the yaw is the best hint of a direction: of the measured velocity, else
    of the way so far, however short; back where it began, of the last displacement. It is made anew with every
    observation and no turn is counted from it to the next.
    An object that was never seen to move has no direction (not directed); its yaw is 0 and means nothing. So in a
    rotated scene everything rotates. Past positions only: nothing of the future enters.
    """
    if yaw_valid.all():
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
