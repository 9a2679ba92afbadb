"""The node's health: OK, WARN or ERROR with stated thresholds and hysteresis. No ROS, no clock of its own.

Every message that arrives becomes one Cycle. ``Diagnostics.report`` judges the last window_s in these statuses:

    input    no message for too long, undecodable messages, late frames, dropped frames (out of order, duplicate),
             an unexpected coordinate frame or one that changes, objects whose UUID tells them not apart
    timing   percentiles of the processing time, frames over the deadline
    model    objects answered by physics or by a stale path, failures on the way, frames without an answer, objects over
             the limit, another provider than the one asked for
    domain   objects outside of what the model was trained on, by reason; physics answers for them
    map      which map is in use, objects that are off it, a newer map that cannot be used
    output   other nodes that publish on the same topic

A status rises at once. It falls only after everything in it has been better for recover_s (hysteresis), so a value that
swings around a threshold does not make the level flicker.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from trajnet.config import require
from trajnet.ros.levels import Held, Judged, Level, Limit, Status
from trajnet.ros.vector_map_state import VectorMapState

CycleKind = Literal["used", "late", "dropped", "bad", "failed"]
DomainUse = Literal["checked", "ignored", "not stated"]

#: Lanes that are trusted less than this are not those that vehicles drive on (see LaneTrust.share).
LEAST_LANE_TRUST = 0.3
#: Names of the statuses, in the order of a report.
STATUSES = ("input", "timing", "model", "domain", "map", "output")


@dataclass(frozen=True)
class Thresholds:
    """When a level rises. Shares are of the messages, or of the objects, in the last window_s.

    silence_s: time without any message. processing_ms: 99th percentile of the time from bytes in to bytes out.
    overrun_s: a frame over the deadline warns; when every frame has been for this long, that is an error (Autoware's
    rule for its own predictor: WARN on one cycle over its limit, ERROR once that lasts 1 s).
    """

    window_s: float = 10.0
    recover_s: float = 3.0
    silence_s: Limit = Limit(0.5, 1.0)
    bad_share: Limit = Limit(0.0, 0.5)
    late_share: Limit = Limit(0.05, 0.5)
    dropped_share: Limit = Limit(0.01, 0.2)
    frame_change_share: Limit = Limit(0.0, 0.2)
    clock_reset_share: Limit = Limit(0.0, 0.2)
    without_id_share: Limit = Limit(0.0, 0.5)
    impossible_share: Limit = Limit(0.0, 0.2)
    contrary_velocity_share: Limit = Limit(0.05, 0.5)
    contrary_heading_share: Limit = Limit(0.05, 0.5)
    off_map_share: Limit = Limit(0.5, 1.0)
    processing_ms: Limit = Limit(100.0, 500.0)
    overrun_s: float = 1.0
    fallback_share: Limit = Limit(0.05, 0.5)
    failed_share: Limit = Limit(0.0, 0.5)
    unanswered_share: Limit = Limit(0.0, 0.0)
    refused_share: Limit = Limit(0.0, 0.5)
    over_limit_share: Limit = Limit(0.0, 0.5)
    outside_domain_share: Limit = Limit(0.2, 1.0)

    def __post_init__(self) -> None:
        for name in ("window_s", "recover_s", "overrun_s"):
            value = getattr(self, name)
            require(math.isfinite(value) and value > 0, f"{name}: expected a number above 0, got {value}")


@dataclass(frozen=True)
class Cycle:
    """What became of one message.

    kind: used; late (used, but old when it came); dropped (out of order or a duplicate); bad (could not be decoded);
    failed (could be decoded, but something raised and no objects left).
    model_rows, physics_rows, stale_rows: objects by who answered. judged_rows: those of the model, another expert's
    path of which was put first by the object's own past errors (Source.JUDGED).
    over_limit_rows: objects that the model was not asked about because there were more than it may be given.
    outside_class_rows, outside_rate_rows, outside_speed_rows: objects that it was not asked about because it was never
    trained on their class, rate or speed.
    without_id_rows: objects whose UUID is unset or shared.
    impossible_rows: objects that began anew because their class cannot have moved so, and measured speeds that their
    class cannot have. contrary_velocity_rows, contrary_heading_rows: objects whose velocity or heading contradicts how
    they move. refused_rows: paths of the model that must not go out.
    located_rows, off_map_rows: objects that were looked up on the map, and those that are off it.
    frame_changed: the frame_id was another one before. clock_reset: the stamps went back, and a new clock began.
    failed: something raised, or the model gave no numbers.
    """

    time_ns: int
    kind: CycleKind
    processing_ms: float = 0.0
    model_rows: int = 0
    physics_rows: int = 0
    stale_rows: int = 0
    judged_rows: int = 0
    over_limit_rows: int = 0
    outside_class_rows: int = 0
    outside_rate_rows: int = 0
    outside_speed_rows: int = 0
    without_id_rows: int = 0
    impossible_rows: int = 0
    contrary_velocity_rows: int = 0
    contrary_heading_rows: int = 0
    refused_rows: int = 0
    located_rows: int = 0
    off_map_rows: int = 0
    frame_changed: bool = False
    clock_reset: bool = False
    deadline_missed: bool = False
    failed: bool = False

    @property
    def rows(self) -> int:
        """How many objects left with a path."""
        return self.model_rows + self.physics_rows + self.stale_rows

    @property
    def outside_domain_rows(self) -> int:
        """How many objects the model was not asked about because they are outside of its domain."""
        return self.outside_class_rows + self.outside_rate_rows + self.outside_speed_rows


@dataclass(frozen=True)
class Identity:
    """What is being served. uses_model: False where physics is what the user asked for, so that it is no fall-back.

    domain: whether objects outside of the model's domain go to physics; not stated in older files and for physics.
    """

    model: str
    provider_asked: str
    provider: str
    uses_model: bool
    domain: DomainUse = "not stated"


@dataclass(frozen=True)
class Output:
    """The topic of the predictions as ROS shows it: who else publishes there, how many nodes listen."""

    topic: str = ""
    others: tuple[str, ...] = ()
    listeners: int = 0


@dataclass
class Totals:
    """Counts since the start of the node."""

    messages: int = 0
    bad: int = 0
    late: int = 0
    dropped: int = 0
    failed: int = 0
    frame_changes: int = 0
    clock_resets: int = 0
    deadline_misses: int = 0
    failures: int = 0
    model_rows: int = 0
    physics_rows: int = 0
    stale_rows: int = 0
    judged_rows: int = 0
    over_limit_rows: int = 0
    outside_class_rows: int = 0
    outside_rate_rows: int = 0
    outside_speed_rows: int = 0


@dataclass
class Diagnostics:
    """Collects cycles, judges them. Times are of one monotonic clock, in nanoseconds.

    map_use: which map the model sees, in words. no_transform: why objects stay in another frame than the expected
    one. vector_map, output, lane_trust: as of now; the node keeps them up to date. lane_trust: None without lanes.
    """

    identity: Identity
    thresholds: Thresholds = Thresholds()
    deadline_ms: float = math.inf
    expected_frame: str = ""
    map_use: str = "none"
    no_transform: str = ""
    vector_map: VectorMapState | None = None
    lane_trust: float | None = None
    output: Output = Output()
    totals: Totals = field(default_factory=Totals)

    def __post_init__(self) -> None:
        recover_ns = int(self.thresholds.recover_s * 1e9)
        self._held = {name: Held(recover_ns) for name in STATUSES}
        self._cycles: deque[Cycle] = deque()
        self._start_ns: int | None = None
        self._overrun_start_ns: int | None = None
        self._overrun_end_ns = 0
        self._last_ns: int | None = None
        self._frame = ""
        self._last_bad = ""
        self._last_failure = ""

    def start(self, now_ns: int) -> None:
        """Begin to listen: silence counts from here."""
        self._start_ns = now_ns
        self._last_ns = None

    def stop(self) -> None:
        """Stop listening: silence is no fault."""
        self._start_ns = None

    def add(self, cycle: Cycle, *, frame: str | None = None, bad: str = "", failure: str = "") -> None:
        """Count one message. frame: its frame_id; bad, failure: what was wrong, for the report."""
        self._cycles.append(cycle)
        self._last_ns = cycle.time_ns
        self._frame = self._frame if frame is None else frame
        self._last_bad, self._last_failure = bad or self._last_bad, failure or self._last_failure
        if cycle.kind != "bad":
            self._track_overrun(cycle)
        totals = self.totals
        totals.messages += 1
        totals.bad += cycle.kind == "bad"
        totals.late += cycle.kind == "late"
        totals.dropped += cycle.kind == "dropped"
        totals.failed += cycle.kind == "failed"
        totals.frame_changes += cycle.frame_changed
        totals.clock_resets += cycle.clock_reset
        totals.deadline_misses += cycle.deadline_missed
        totals.failures += cycle.failed
        totals.model_rows += cycle.model_rows
        totals.physics_rows += cycle.physics_rows
        totals.stale_rows += cycle.stale_rows
        totals.judged_rows += cycle.judged_rows
        totals.over_limit_rows += cycle.over_limit_rows
        totals.outside_class_rows += cycle.outside_class_rows
        totals.outside_rate_rows += cycle.outside_rate_rows
        totals.outside_speed_rows += cycle.outside_speed_rows
        self._forget(cycle.time_ns)

    def _track_overrun(self, cycle: Cycle) -> None:
        if not cycle.deadline_missed:
            self._overrun_start_ns = None
            return
        if self._overrun_start_ns is None:
            self._overrun_start_ns = cycle.time_ns
        self._overrun_end_ns = cycle.time_ns

    def _forget(self, now_ns: int) -> None:
        limit_ns = now_ns - int(self.thresholds.window_s * 1e9)
        while self._cycles and self._cycles[0].time_ns < limit_ns:
            self._cycles.popleft()

    def report(self, now_ns: int, more: Mapping[str, Judged] | None = None) -> tuple[Status, ...]:
        """Judge the statuses at now_ns, in the order of STATUSES; call it at a steady pace.

        more: statuses that others have judged, by name; they follow.
        """
        self._forget(now_ns)
        judged = {
            "input": self._judge_input(now_ns),
            "timing": self._judge_timing(),
            "model": self._judge_model(),
            "domain": self._judge_domain(),
            "map": self._judge_map(),
            "output": self._judge_output(),
            **(more or {}),
        }
        return tuple(self._status(name, found, now_ns) for name, found in judged.items())

    def _status(self, name: str, judged: Judged, now_ns: int) -> Status:
        held = self._held.setdefault(name, Held(int(self.thresholds.recover_s * 1e9)))
        held.update(judged.level, judged.message, now_ns)
        return Status(name, held.level, held.message, tuple(judged.values))

    def _share(self, counts: Callable[[Cycle], float]) -> float:
        return sum(counts(c) for c in self._cycles) / len(self._cycles) if self._cycles else 0.0

    def _share_of_rows(self, counts: Callable[[Cycle], int]) -> float:
        return sum(counts(c) for c in self._cycles) / max(1, sum(c.rows for c in self._cycles))

    def _judge_input(self, now_ns: int) -> Judged:
        judged, limits = Judged(), self.thresholds
        since_ns = self._last_ns if self._last_ns is not None else self._start_ns
        silence_s = 0.0 if since_ns is None or self._start_ns is None else max(0, now_ns - since_ns) * 1e-9
        judged.check(limits.silence_s, silence_s, f"no tracked objects for {silence_s:.1f} s")
        bad = self._share(lambda c: c.kind == "bad")
        judged.check(limits.bad_share, bad, f"{bad:.0%} of the messages cannot be decoded ({self._last_bad})")
        late = self._share(lambda c: c.kind == "late")
        judged.check(limits.late_share, late, f"{late:.0%} of the frames are late")
        dropped = self._share(lambda c: c.kind == "dropped")
        judged.check(limits.dropped_share, dropped, f"{dropped:.0%} of the frames are out of order or duplicates")
        if self.expected_frame and self._frame and self._frame != self.expected_frame:
            reason = f": {self.no_transform}" if self.no_transform else ""
            judged.raise_to(
                Level.WARN, f"objects are in frame {self._frame!r}, expected {self.expected_frame!r}{reason}"
            )
        self._judge_objects(judged)
        duration_s = (self._cycles[-1].time_ns - self._cycles[0].time_ns) * 1e-9 if len(self._cycles) > 1 else 0.0
        rate_hz = (len(self._cycles) - 1) / duration_s if duration_s > 0 else 0.0
        judged.add("rate_hz", f"{rate_hz:.1f}").add("silence_s", f"{silence_s:.2f}").add("frame_id", self._frame)
        judged.add_totals(self.totals, ("messages", "bad", "late", "dropped", "frame_changes", "clock_resets"))
        if self._last_bad:
            judged.add("last_bad_message", self._last_bad)
        return judged

    def _judge_objects(self, judged: Judged) -> None:
        """Judge what the objects themselves say: their coordinate frame, their ids, how they move."""
        limits = self.thresholds
        resets = sum(c.clock_reset for c in self._cycles)
        judged.check(
            limits.clock_reset_share,
            self._share(lambda c: c.clock_reset),
            f"the stamps went back {resets} time(s): a new clock or a recording that loops; every track began anew",
        )
        changes = sum(c.frame_changed for c in self._cycles)
        judged.check(
            limits.frame_change_share,
            self._share(lambda c: c.frame_changed),
            f"the coordinate frame changed {changes} time(s), now {self._frame!r}; every track began anew",
        )
        without_id = self._share_of_rows(lambda c: c.without_id_rows)
        impossible = self._share_of_rows(lambda c: c.impossible_rows)
        astray = self._share_of_rows(lambda c: c.contrary_velocity_rows)
        contrary = self._share_of_rows(lambda c: c.contrary_heading_rows)
        for name, limit, share, said in (
            (
                "without_id_share", limits.without_id_share, without_id,
                f"{without_id:.0%} of the objects have an unset id or share one, and are told apart by place",
            ),
            (
                "impossible_share", limits.impossible_share, impossible,
                f"{impossible:.1%} of the objects leapt or had a speed that their class cannot have; ids used again?",
            ),
            (
                "contrary_velocity_share", limits.contrary_velocity_share, astray,
                f"{astray:.0%} of the objects do not move as their velocity says; is it a placeholder, or km/h?",
            ),
            (
                "contrary_heading_share", limits.contrary_heading_share, contrary,
                f"{contrary:.0%} of the objects point, or pointed, elsewhere than they move; are headings reversed?",
            ),
        ):  # fmt: skip
            judged.check(limit, share, said)
            judged.add(name, f"{share:.4f}")

    def _judge_timing(self) -> Judged:
        judged, limits = Judged(), self.thresholds
        times_ms = sorted(c.processing_ms for c in self._cycles if c.kind not in ("bad", "failed"))
        p50, p95, p99 = (_percentile(times_ms, share) for share in (0.50, 0.95, 0.99))
        judged.check(limits.processing_ms, float(p99), f"processing time p99 is {p99:.1f} ms")
        missed = sum(c.deadline_missed for c in self._cycles)
        overrun_s = 0.0 if self._overrun_start_ns is None else (self._overrun_end_ns - self._overrun_start_ns) * 1e-9
        if missed:
            level = Level.ERROR if overrun_s >= limits.overrun_s else Level.WARN
            judged.raise_to(
                level,
                f"{missed} frame(s) over the deadline of {self.deadline_ms:g} ms, {overrun_s:.1f} s without a break",
            )
        for name, value in (
            ("p50", p50),
            ("p95", p95),
            ("p99", p99),
            ("max", times_ms[-1] if times_ms else 0.0),
        ):
            judged.add(f"processing_ms_{name}", f"{value:.3f}")
        judged.add("processing_count", str(len(times_ms))).add("deadline_ms", f"{self.deadline_ms:g}")
        judged.add("deadline_misses_in_window", str(missed))
        return judged.add_totals(self.totals, ("deadline_misses",))

    def _judge_model(self) -> Judged:
        judged, limits, identity = Judged(), self.thresholds, self.identity
        # Objects outside of the domain are no failure of the model: they have a status of their own.
        fallback = self._share_of_rows(lambda c: max(0, c.physics_rows - c.outside_domain_rows) + c.stale_rows)
        if identity.uses_model:
            judged.check(
                limits.fallback_share, fallback, f"{fallback:.0%} of the objects fell back to physics or a stale path"
            )
        failed = self._share(lambda c: c.failed)
        judged.check(
            limits.failed_share, failed, f"predicting failed in {failed:.0%} of the frames ({self._last_failure})"
        )
        unanswered = self._share(lambda c: c.kind == "failed")
        judged.check(
            limits.unanswered_share, unanswered, f"{unanswered:.0%} of the frames have no answer ({self._last_failure})"
        )
        refused = self._share_of_rows(lambda c: c.refused_rows)
        judged.check(limits.refused_share, refused, f"{refused:.1%} of the model's paths could not go out")
        over = self._share_of_rows(lambda c: c.over_limit_rows)
        judged.check(limits.over_limit_share, over, f"{over:.0%} of the objects are over max_objects and get physics")
        if identity.uses_model and identity.provider != identity.provider_asked:
            judged.raise_to(
                Level.WARN, f"asked for provider {identity.provider_asked!r}, running on {identity.provider!r}"
            )
        judged.add("model", identity.model).add("provider", identity.provider).add(
            "provider_asked", identity.provider_asked
        )
        judged.add("fallback_share", f"{fallback:.4f}")
        judged.add("judged_share", f"{self._share_of_rows(lambda c: c.judged_rows):.4f}")
        judged.add_totals(
            self.totals,
            ("model_rows", "physics_rows", "stale_rows", "judged_rows", "over_limit_rows", "failures", "failed"),
        )
        if self._last_failure:
            judged.add("last_failure", self._last_failure)
        return judged

    def _judge_domain(self) -> Judged:
        judged = Judged()
        by_reason = {
            "class": self._share_of_rows(lambda c: c.outside_class_rows),
            "rate": self._share_of_rows(lambda c: c.outside_rate_rows),
            "speed": self._share_of_rows(lambda c: c.outside_speed_rows),
        }
        outside = sum(by_reason.values())
        reasons = ", ".join(f"{share:.0%} by their {reason}" for reason, share in by_reason.items() if share)
        judged.check(
            self.thresholds.outside_domain_share,
            outside,
            f"{outside:.0%} of the objects are outside of what the model was trained on ({reasons}) and get physics",
        )
        judged.add("domain", self.identity.domain).add("outside_domain_share", f"{outside:.4f}")
        for reason, share in by_reason.items():
            judged.add(f"outside_{reason}_share", f"{share:.4f}")
        return judged.add_totals(self.totals, ("outside_class_rows", "outside_rate_rows", "outside_speed_rows"))

    def _judge_map(self) -> Judged:
        judged = Judged().add("map", self.map_use)
        if self.vector_map is not None:
            if self.vector_map.problem:
                judged.raise_to(Level.WARN, f"the map that came last is not used: {self.vector_map.problem}")
            for name, count in self.vector_map.counts():
                judged.add(f"maps_{name}_total", str(count))
        located = sum(c.located_rows for c in self._cycles)
        if located:
            off_map = sum(c.off_map_rows for c in self._cycles) / located
            judged.check(
                self.thresholds.off_map_share,
                off_map,
                f"{off_map:.0%} of the objects are off the map; is it of another place?",
            )
            judged.add("on_map_share", f"{1.0 - off_map:.4f}")
        if self.lane_trust is not None:
            if self.lane_trust < LEAST_LANE_TRUST:
                judged.raise_to(Level.WARN, "vehicles do not go where its lanes lead; is it of this place?")
            judged.add("lane_trust", f"{self.lane_trust:.2f}")
        return judged

    def _judge_output(self) -> Judged:
        judged, output = Judged(), self.output
        if output.others:
            judged.raise_to(
                Level.WARN,
                f"{', '.join(output.others)} publish(es) on {output.topic}, too: planners get two predictions",
            )
        judged.add("topic", output.topic).add("subscribers", str(output.listeners))
        return judged.add("other_publishers", str(len(output.others)))


def _percentile(ordered: Sequence[float], share: float) -> float:
    """Return the value below which a share of the ordered values lies, linear in between; 0 without values."""
    if not ordered:
        return 0.0
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])
