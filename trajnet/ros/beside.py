"""Beside another predictor: cross-check its predictions, or stand in for it. No ROS, no clock of its own.

cross_check: both publish, each on its own topic. Answers to the same objects (the same stamp) are compared.
fall_back: the other node's messages are passed on to the planners as they come. Ours leave in their place where its
message for a stamp has not come wait_ns after ours was ready; at once while it has been silent for silent_ns. Objects
that it leaves out, without a path, or with one that is not finite, are filled in from ours. Each stamp leaves once, and
stamps rise. A message of the other that is ahead of ours by more than AHEAD_NS does not leave; where one of less was
ahead of its time, ours go on after SKIPPED_FRAMES.

Both roles compare, and judge what they find in the status ``beside``.
"""

from __future__ import annotations

import dataclasses
from collections import Counter, OrderedDict, deque
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from trajnet.errors import InputError
from trajnet.ros.cdr import PredictedObjects, decode_predicted, encode_predicted
from trajnet.ros.disagreement import HORIZONS_S, Compared, Disagreement, compare, paths_at
from trajnet.ros.levels import Judged, Limit
from trajnet.ros.ragged import joined, select_predicted

Role = Literal["sole", "cross_check", "fall_back"]

#: Messages of either side that wait for the other's answer to the same stamp.
KEPT_MESSAGES = 10
#: Both predict the same messages, so the other is ahead of ours by a few of them at most.
AHEAD_NS = 1_000_000_000
#: So many frames in a row of ours that neither has predicted, though something later has left: that was too late.
SKIPPED_FRAMES = 2
#: So many of the last stamps that left are remembered.
KEPT_STAMPS = 50


@dataclass(frozen=True)
class BesideOptions:
    """wait_ns: how long ours waits for the other's. silent_ns: after this without a message the other counts as silent.

    disagreement_m: an object whose distributions are further apart than this at 3 s disagrees.
    """

    role: Role
    wait_ns: int
    silent_ns: int
    disagreement_m: float
    window_ns: int = 10_000_000_000
    silent_limit_s: Limit = Limit(0.5, float("inf"))
    stood_in_share: Limit = Limit(0.0, 1.0)
    disagreeing_share: Limit = Limit(0.2, 1.0)


@dataclass
class BesideTotals:
    """Counts since the start.

    passed_on, stood_in: messages by whose predictions left. filled: objects of ours in a message of the other.
    late: its messages that came after ours had left. bad: could not be decoded. ahead: of ours by more than AHEAD_NS.
    other_frame: were of another coordinate frame. compared: objects. unmatched: of ours that the other had not, or had
    without a path.
    """

    passed_on: int = 0
    stood_in: int = 0
    filled: int = 0
    late: int = 0
    bad: int = 0
    ahead: int = 0
    other_frame: int = 0
    compared: int = 0
    unmatched: int = 0


@dataclass
class Outcome:
    """What one event leads to: messages to publish, in order, and answers to the same objects, ours and the other's.

    The pairs are for ``Beside.compare``, once the messages have left: planners do not wait for it.
    """

    messages: list[bytes] = dataclasses.field(default_factory=list)
    pairs: list[tuple[PredictedObjects, PredictedObjects]] = dataclasses.field(default_factory=list)


class Beside:
    """Pairs our messages with the other predictor's by their stamp. Times are of one monotonic clock, in ns."""

    def __init__(self, options: BesideOptions) -> None:
        self.options = options
        self.totals = BesideTotals()
        self._ours: OrderedDict[int, bytes] = OrderedDict()
        self._theirs: OrderedDict[int, PredictedObjects] = OrderedDict()
        self._due_ns: OrderedDict[int, int] = OrderedDict()  # by stamp, of those of ours that wait
        self._left_ns: int | None = None
        self._left: deque[int] = deque(maxlen=KEPT_STAMPS)
        self._skipped = 0
        self._newest_ns: int | None = None  # of ours
        self._ours_heard_ns = 0
        self._start_ns: int | None = None
        self._heard_ns: int | None = None
        self._answers: deque[tuple[int, bool]] = deque()
        self._found: deque[tuple[int, int, int, float]] = deque()

    def reset(self, now_ns: int) -> None:
        """Begin to listen: what waits is dropped, and the other is silent from here."""
        for waiting in (self._ours, self._theirs, self._due_ns):
            waiting.clear()
        self._left_ns = self._newest_ns = self._heard_ns = None
        self._left.clear()
        self._skipped = 0
        self._start_ns = now_ns

    def silence_ns(self, now_ns: int) -> int:
        """Return for how long nothing of the other has been heard."""
        since_ns = self._heard_ns if self._heard_ns is not None else self._start_ns
        return 0 if since_ns is None else max(0, now_ns - since_ns)

    @property
    def next_due_ns(self) -> int | None:
        """When ``due`` has to be called; None where nothing of ours waits."""
        return next(iter(self._due_ns.values()), None)

    def ours(self, stamp_ns: int, data: bytes, now_ns: int) -> Outcome:
        """Take a message of ours."""
        outcome = Outcome()
        if self._clock_went_back(stamp_ns):
            self.reset(now_ns)
        self._newest_ns, self._ours_heard_ns = stamp_ns, now_ns
        self._go_on_where_skipped(stamp_ns)
        if len(self._due_ns) >= KEPT_MESSAGES:
            self._leave(*next((s, self._ours[s]) for s in self._due_ns), outcome, now_ns, stood_in=True)
        _keep(self._ours, stamp_ns, data)
        theirs = self._theirs.pop(stamp_ns, None)
        if self.options.role == "cross_check":
            outcome.messages.append(data)
        elif theirs is None and not self._has_left(stamp_ns):
            if self.silence_ns(now_ns) >= self.options.silent_ns:
                self._leave(stamp_ns, data, outcome, now_ns, stood_in=True)
            else:
                self._due_ns[stamp_ns] = now_ns + self.options.wait_ns
        if theirs is not None:  # and has left
            self._pair(stamp_ns, decode_predicted(data), theirs, outcome)
        return outcome

    def theirs(self, data: bytes, now_ns: int) -> Outcome:
        """Take a message of the other predictor."""
        outcome = Outcome()
        try:
            other = decode_predicted(data)
        except InputError:
            self.totals.bad += 1
            return outcome
        stamp_ns = other.stamp_ns
        if self._is_ahead(stamp_ns, now_ns):
            self.totals.ahead += 1
            return outcome
        self._heard_ns = now_ns
        mine = decode_predicted(self._ours[stamp_ns]) if stamp_ns in self._ours else None
        if self.options.role == "fall_back":
            if self._has_left(stamp_ns):
                self.totals.late += 1
            else:  # where ours is not there yet, or never will be, the other is not held up
                whole = data if mine is None else self._filled(mine, other, data)
                self._leave(stamp_ns, whole, outcome, now_ns, stood_in=False)
        if mine is None:
            _keep(self._theirs, stamp_ns, other)
        else:
            self._pair(stamp_ns, mine, other, outcome)
        return outcome

    def due(self, now_ns: int) -> Outcome:
        """Let those of ours leave that have waited long enough."""
        outcome = Outcome()
        while self._due_ns and next(iter(self._due_ns.values())) <= now_ns:
            stamp_ns = next(iter(self._due_ns))
            self._leave(stamp_ns, self._ours[stamp_ns], outcome, now_ns, stood_in=True)
        return outcome

    def _clock_went_back(self, stamp_ns: int) -> bool:
        """Return whether a stamp of ours is of a restarted clock: ours rise until the track store takes it for one."""
        restarted = self._newest_ns is not None and stamp_ns < self._newest_ns
        return restarted or (self._left_ns is not None and stamp_ns < self._left_ns - self.options.window_ns)

    def _is_ahead(self, stamp_ns: int, now_ns: int) -> bool:
        """Return whether a stamp of the other is too far ahead of ours, where ours keep coming."""
        if self._newest_ns is None or now_ns - self._ours_heard_ns >= self.options.silent_ns:
            return False
        return stamp_ns - self._newest_ns > AHEAD_NS

    def _go_on_where_skipped(self, stamp_ns: int) -> None:
        """Take back the stamp that left last where ours are skipped for it: it was ahead of its time."""
        self._skipped = self._skipped + 1 if self._has_left(stamp_ns) and stamp_ns not in self._left else 0
        if self._skipped >= SKIPPED_FRAMES:
            self._left_ns, self._skipped = stamp_ns - 1, 0

    def _has_left(self, stamp_ns: int) -> bool:
        return self._left_ns is not None and stamp_ns <= self._left_ns

    def _leave(self, stamp_ns: int, data: bytes, outcome: Outcome, now_ns: int, *, stood_in: bool) -> None:
        """Publish a message; those of ours that wait for an older stamp leave before it."""
        for older in [waiting for waiting in self._due_ns if waiting < stamp_ns]:
            del self._due_ns[older]
            self._left.append(older)
            self._count(outcome, self._ours[older], now_ns, stood_in=True)
        self._due_ns.pop(stamp_ns, None)
        self._left_ns = stamp_ns
        self._left.append(stamp_ns)
        self._count(outcome, data, now_ns, stood_in=stood_in)

    def _count(self, outcome: Outcome, data: bytes, now_ns: int, *, stood_in: bool) -> None:
        outcome.messages.append(data)
        self.totals.stood_in += stood_in
        self.totals.passed_on += not stood_in
        self._answers.append((now_ns, stood_in))

    def _pair(self, stamp_ns: int, mine: PredictedObjects, other: PredictedObjects, outcome: Outcome) -> None:
        """Let two answers to the same objects be compared, once."""
        self._ours.pop(stamp_ns, None)
        if mine.frame_id != other.frame_id:
            self.totals.other_frame += 1
        else:
            outcome.pairs.append((mine, other))

    def _filled(self, ours: PredictedObjects, other: PredictedObjects, theirs: bytes) -> bytes:
        """Return the other's message, with ours for objects that it has not at all, or without paths that are finite.

        Of a UUID that several objects share, ours stand in for all of them where the other has fewer.
        """
        if ours.frame_id != other.frame_id:
            return theirs
        good = Counter(bytes(i) for i in other.object_id[_sound(other)])
        wanted = Counter(bytes(i) for i in ours.object_id)
        missing = np.array([good[bytes(i)] < wanted[bytes(i)] for i in ours.object_id], dtype=np.bool_)
        if not missing.any():
            return theirs
        self.totals.filled += int(missing.sum())
        mine = {bytes(i) for i in ours.object_id[missing]}
        kept = np.flatnonzero([bytes(i) not in mine for i in other.object_id])
        return encode_predicted(joined(select_predicted(other, kept), select_predicted(ours, np.flatnonzero(missing))))

    def compare(self, outcome: Outcome, now_ns: int) -> list[Disagreement]:
        """Compare the pairs of an outcome, and count what is found."""
        return [self._compared(mine, other, now_ns) for mine, other in outcome.pairs]

    def _compared(self, mine: PredictedObjects, other: PredictedObjects, now_ns: int) -> Disagreement:
        found = compare(mine, other)
        distance_m = found.distance_m[:, HORIZONS_S.index(3.0)]
        known = distance_m[np.isfinite(distance_m)]
        self.totals.compared += len(known)
        self.totals.unmatched += int((found.state != Compared.BOTH).sum())
        above = int((known > self.options.disagreement_m).sum())
        self._found.append((now_ns, len(known), above, float(known.max(initial=0.0))))
        return found

    def judge(self, now_ns: int) -> Judged:
        """Return what the status ``beside`` says of the last window_ns."""
        for recent in (self._answers, self._found):
            while recent and recent[0][0] < now_ns - self.options.window_ns:
                recent.popleft()
        judged, options = Judged(), self.options
        silence_s = self.silence_ns(now_ns) * 1e-9
        judged.check(options.silent_limit_s, silence_s, f"the other predictor has been silent for {silence_s:.1f} s")
        stood_in = sum(mine for _, mine in self._answers) / max(1, len(self._answers))
        judged.check(options.stood_in_share, stood_in, f"ours stood in for the other in {stood_in:.0%} of the messages")
        compared, above = (sum(found[i] for found in self._found) for i in (1, 2))
        share = above / max(1, compared)
        judged.check(
            options.disagreeing_share,
            share,
            f"{share:.0%} of the objects are predicted more than {options.disagreement_m:g} m apart at 3 s",
        )
        judged.add("role", options.role).add("silence_s", f"{silence_s:.2f}").add("stood_in_share", f"{stood_in:.4f}")
        judged.add("disagreeing_share", f"{share:.4f}")
        judged.add("largest_distance_m", f"{max((found[3] for found in self._found), default=0.0):.2f}")
        return judged.add_totals(self.totals, [item.name for item in dataclasses.fields(BesideTotals)])


def _keep(waiting: OrderedDict[int, Any], stamp_ns: int, data: Any) -> None:
    waiting[stamp_ns] = data
    while len(waiting) > KEPT_MESSAGES:
        waiting.popitem(last=False)


def _sound(objects: PredictedObjects) -> NDArray[np.bool_]:
    """Return which objects (N,) have a path, and nothing in their paths and poses that is not finite."""
    owner = np.repeat(np.arange(len(objects)), objects.path_count)
    broken = ~np.isfinite(objects.path_confidence)
    pose_owner = np.repeat(np.arange(len(broken)), objects.pose_count)
    broken[pose_owner[~np.isfinite(objects.path_pose).all(axis=1)]] = True
    sound = paths_at(objects).probability.sum(axis=1) > 0
    sound &= np.isfinite(objects.pose).all(axis=1)
    sound[owner[broken]] = False
    return np.asarray(sound)
