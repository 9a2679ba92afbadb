"""Supervision of a predictor: every object gets a finite path, even if the predictor fails or is late."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np

from trajnet.config import require_number, require_whole
from trajnet.context.surroundings import Surroundings
from trajnet.errors import InputError, in_words
from trajnet.inference.assembly import assembled, copied, others_than
from trajnet.inference.base import Predictor, StateOwner
from trajnet.inference.domain_check import INSIDE, DomainCheck
from trajnet.inference.guard_counters import GuardCounters
from trajnet.inference.missed_frames import MissedFrames
from trajnet.inference.physics import ConstantVelocity
from trajnet.inference.priority import Ego, most_important
from trajnet.inference.validity import servable_rows
from trajnet.inference.worker import Worker
from trajnet.tracking.store import Observations
from trajnet.types import IntArray, Prediction

log = logging.getLogger(__name__)

#: The longest budget, s. Who wants no deadline says None; a timer of Python takes no number, however large.
LONGEST_BUDGET_S = 3600.0

Call = Callable[[Observations], Prediction]


class MakeSurroundings(Protocol):
    """Computes the surroundings of these rows of the observations, None: of all; every row is a possible neighbour."""

    def __call__(self, observations: Observations, /, *, rows: IntArray | None) -> Surroundings: ...


class Caller(Protocol):
    """Runs the predictor's calls asynchronously: a Worker in operation, a fake with its own clock in tests."""

    def submit(self, function: Call, asked: Observations) -> Future[Prediction]:
        """Start the call; ``exception(timeout)`` of the returned future waits for its end."""

    def close(self, timeout_s: float) -> bool:
        """Stop after the running call; return whether that happened within timeout_s."""


@dataclass(frozen=True)
class GuardOptions:
    """Deadline, limit, domain and fall-back of a guarded predictor.

    budget_s: deadline of the predictor, counted from the beginning of Stream.update, at most LONGEST_BUDGET_S; None:
    wait until the predictor is done (offline, deterministic).
    max_objects: largest number of rows given to the predictor, chosen by priority (see most_important); None: no limit.
    fallback: predictor for rows without a usable path; must work from a single observation. Without a budget it is
    called only for frames that need it. None: constant velocity, which is then asked only for the rows that need it.
    domain: whether rows outside of the domain that the model file states are left to the fall-back; False: the
    predictor is given every row.
    clock_ns, caller: clock of the budget and executor of the calls, replaceable for tests. caller None: a Worker.
    Raises ConfigError for a budget or a number out of range.
    """

    budget_s: float | None = None
    max_objects: int | None = None
    fallback: Predictor | None = None
    domain: bool = True
    clock_ns: Callable[[], int] = time.monotonic_ns
    caller: Caller | None = None

    def __post_init__(self) -> None:
        if self.budget_s is not None:
            require_number("budget_s", self.budget_s, most=LONGEST_BUDGET_S)
        if self.max_objects is not None:
            require_whole("max_objects", self.max_objects)


class Guard:
    """Wraps a predictor and replaces late or unusable rows by the fall-back's, labelled as such.

    With a budget the fall-back's paths are computed first. Then the predictor runs in its own thread, one call at a
    time; if it finishes within the rest of the budget its prediction is returned, else the fall-back's. While a late
    call is still running, new frames get fall-back paths at once and are not given to the predictor: it misses them.
    The next step of a track then starts from the last observation that the predictor was given, with the time elapsed
    since. For a track that was born meanwhile, or whose result was unusable, the predictor starts anew with its next
    observation. This covers predictors that hang, raise or return invalid values, but not ones that kill the process.
    """

    def __init__(self, predictor: Predictor, options: GuardOptions = GuardOptions()) -> None:
        """Raise InputError if the fall-back is the predictor, has other times or more modes."""
        fallback = ConstantVelocity(predictor.time_s, steadied=True) if options.fallback is None else options.fallback
        if fallback is predictor:  # whose state would take each step twice, and who fails with itself
            raise InputError(f"fallback: expected another predictor than {predictor.name} itself; load one more")
        if not np.array_equal(predictor.time_s, fallback.time_s):
            raise InputError(
                f"fallback: expected the predictor's times {predictor.time_s.tolist()}, "
                f"got {fallback.time_s.tolist()}; "
                "trajnet.load_model('cv', time_s=model.time_s) has them"
            )
        if fallback.modes > predictor.modes:
            raise InputError(f"fallback: expected at most {predictor.modes} modes, got {fallback.modes}")
        self.predictor = predictor
        self.fallback = fallback
        self.budget_s = None if options.budget_s is None else float(options.budget_s)  # no timer takes np.float32
        self.max_objects = options.max_objects
        self.counters = GuardCounters()
        file = predictor.model_file
        stated = None if file is None or not options.domain else file.contract.domain
        self._domain = None if stated is None else DomainCheck(stated)
        self._clock_ns = options.clock_ns
        self._worker = (options.caller or Worker()) if options.budget_s is not None else None
        self._owner = StateOwner()
        self._late_rows: Observations | None = None  # what the late call was asked; None: there is none of this guard
        self._missed = MissedFrames()
        # Constant velocity needs no earlier frame of a track, so it is asked for no more rows than are needed.
        self._fallback_sees_all = options.fallback is not None

    def start_ns(self) -> int:
        """Return the start of a budget, to be passed to answer; 0 without a budget."""
        return self._clock_ns() if self._worker is not None else 0

    def answer(
        self,
        observations: Observations,
        ego: Ego | None = None,
        *,
        surroundings: MakeSurroundings | None = None,
        begin_ns: int | None = None,
    ) -> Prediction:
        """Return finite paths for each row of observations, in their order, with the predictor's modes and times.

        The arrays are the caller's, who may write into them.
        ego: the ego vehicle, which sets the priorities if there are more than max_objects rows.
        surroundings: computes those of the rows that the predictor is given; its time counts towards the budget.
        begin_ns: start_ns when work on the frame began; None: now.
        """
        count = len(observations)
        self.counters.calls += 1
        begin_ns = self.start_ns() if begin_ns is None else begin_ns
        safe = self.fallback.predict(observations) if self._worker is not None else None
        rows, left = self._rows_to_show(observations, ego)
        shown, others = observations, None
        if rows is not None and left is not None:
            shown, others = observations.select(rows), observations.select(left)
            self._missed.mark_missed(others)
        result = None
        if rows is None or len(rows):
            call = self.predictor.predict
            if surroundings is not None:
                call = partial(self._predict_with, surroundings, observations, rows)
            result = self._attempt(call, shown, begin_ns)
        fine = None if result is None else servable_rows(result, shown)
        served = 0 if fine is None else int(np.count_nonzero(fine))
        self.counters.model_rows += served
        self.counters.physics_rows += count - served
        if result is not None and fine is not None and served < len(shown):
            self._missed.forget(shown.slot[~fine])
            self.counters.non_finite_rows += len(shown) - served
        if result is not None and served == count:
            return result
        if result is None or fine is None:
            safe = self.fallback.predict(observations) if safe is None else safe
            safe = safe.with_modes(self.predictor.modes)
            return copied(safe) if self._fallback_sees_all else safe
        if rows is None or left is None or served < len(shown):
            rows = fine.nonzero()[0] if rows is None else rows[fine]
            left, others = others_than(rows, count), None
        if safe is not None or self._fallback_sees_all:
            safe = (self.fallback.predict(observations) if safe is None else safe).select(left)
        else:
            safe = self.fallback.predict(observations.select(left) if others is None else others)
        return assembled(observations, rows, result, fine, left, safe)

    def take_over(self) -> StateOwner:
        """Begin anew with fresh tracks, after the late call of whoever had the predictor; return their new owner."""
        before = self._owner if self.predictor.state_owner is None else self.predictor.state_owner
        self._owner, self._late_rows = StateOwner(late_call_of(before)), None
        return self._owner

    def forget(self, slots: IntArray) -> None:
        self._missed.forget(slots)
        self.fallback.forget(slots)

    def close(self, timeout_s: float = 5.0) -> None:
        """Stop the thread after its running call; abandon it if that takes longer than timeout_s."""
        if self._worker is not None and not self._worker.close(timeout_s):
            log.warning("%s still runs %g s after it was asked to end", self.predictor.name, timeout_s)

    def _rows_to_show(
        self, observations: Observations, ego: Ego | None
    ) -> tuple[IntArray, IntArray] | tuple[None, None]:
        """Return the rows to give to the predictor, and the others, after counting those; None: all, and none."""
        inside, outside = self._by_domain(observations)
        count = len(observations) if inside is None else len(inside)
        if self.max_objects is None or count <= self.max_objects:
            return (None, None) if inside is None or outside is None else (inside, outside)
        self.counters.over_limit_rows += count - self.max_objects
        candidates = observations if inside is None else observations.select(inside)
        chosen = most_important(candidates, self.max_objects, self._missed.up_to_date(candidates), ego)
        rows = chosen if inside is None else inside[chosen]
        return rows, others_than(rows, len(observations))

    def _by_domain(self, observations: Observations) -> tuple[IntArray, IntArray] | tuple[None, None]:
        """Return the rows inside of the model's domain and those outside, after counting these; None: all, and none."""
        reasons = None if self._domain is None else self._domain.reasons(observations)
        if reasons is None:
            return None, None
        self.counters.count_outside(reasons)
        return (reasons == INSIDE).nonzero()[0], reasons.nonzero()[0]

    def _predict_with(
        self, surroundings: MakeSurroundings, all_rows: Observations, rows: IntArray | None, asked: Observations
    ) -> Prediction:
        """Call the predictor with surroundings made from all rows: objects beyond the limit are neighbours, too."""
        return self.predictor.predict(asked.with_surroundings(surroundings(all_rows, rows=rows)))

    def _attempt(self, call: Call, shown: Observations, begin_ns: int) -> Prediction | None:
        """Return the predictor's result for these rows, or None after counting the reason."""
        if not self._late_call_ended():
            self.counters.deadline_misses += 1
            self._missed.mark_missed(shown)
            return None
        asked = self._missed.since_shown(shown)
        if self._worker is None:
            result = self._called(call, asked)
        else:
            running = self._worker.submit(call, asked)
            try:
                error = running.exception(self._left_s(begin_ns))  # returns the predictor's error, if any
            except BaseException as reason:  # late, or Ctrl-C: the call goes on
                self._owner.late_call, self._late_rows = running, asked
                self._missed.mark_shown(asked)  # assumes success; _late_call_ended corrects it
                if not isinstance(reason, FutureTimeoutError):
                    raise
                self.counters.deadline_misses += 1
                return None
            result = self._ended(running, error, asked)
        if result is None:
            self._missed.mark_missed(shown)
        else:
            self._missed.mark_shown(asked)
        return result

    def _called(self, call: Call, asked: Observations) -> Prediction | None:
        """Call the predictor in this thread; return None after counting any failure."""
        try:
            return self._checked(call(asked), asked)
        except KeyboardInterrupt:  # Ctrl-C comes from the user, not from the predictor
            raise
        except BaseException as error:  # SystemExit, too: a predictor must not end the process
            self._failed(error)
            return None

    def _ended(
        self, running: Future[Prediction], error: BaseException | None, asked: Observations
    ) -> Prediction | None:
        """Return the result of a finished call, or None after counting its failure. error: what it raised."""
        try:
            if error is None:
                return self._checked(running.result(), asked)
        except Exception as wrong:  # the result is not a Prediction
            error = wrong
        self._failed(error)
        return None

    def _left_s(self, begin_ns: int) -> float:
        """Return the rest of the budget in s, at least 0."""
        assert self.budget_s is not None
        return max(0.0, self.budget_s - (self._clock_ns() - begin_ns) * 1e-9)

    def _late_call_ended(self) -> bool:
        """Return whether the predictor is free. Of a late call that has ended only the state is used."""
        running = self._owner.late_call
        if running is None:
            return True
        if self._worker is None:
            running.exception()  # of a stream with a budget, which had the predictor before
        elif not running.done():
            return False
        asked, self._owner.late_call, self._late_rows = self._late_rows, None, None
        if asked is None:
            return True
        result = self._ended(running, running.exception(0.0), asked)
        unusable = np.ones(len(asked), np.bool_) if result is None else ~servable_rows(result, asked)
        self._missed.forget(asked.slot[unusable])
        return True

    def _checked(self, result: Prediction, asked: Observations) -> Prediction:
        """Return the result; raise InputError if its rows, modes or times do not match the observations.

        Nor may it name experts: that is for the stream, after the guard.
        """
        predictor = self.predictor
        if (result.track_id, result.modes) != (asked.track_id, predictor.modes):
            raise InputError(
                f"{predictor.name}: expected {len(asked)} rows of {predictor.modes} modes, "
                f"got {len(result)} of {result.modes}"
            )
        same_times = result.time_s is predictor.time_s or np.array_equal(result.time_s, predictor.time_s)
        if result.timestamp_ns != asked.timestamp_ns or not same_times:
            raise InputError(
                f"{predictor.name}: expected paths from {asked.timestamp_ns} ns at {predictor.time_s} s, "
                f"got {result.timestamp_ns} ns at {result.time_s} s"
            )
        if result.expert is not None:
            raise InputError(f"{predictor.name}: expected no Prediction.expert of a predictor, got one")
        return result if predictor.model_file is not None else copied(result)

    def _failed(self, error: BaseException) -> None:
        self.counters.failures += 1
        self.counters.last_failure = in_words(error)
        log.warning("%s failed, physics takes over: %s", self.predictor.name, self.counters.last_failure)


def late_call_of(owner: object | None) -> Future[Prediction] | None:
    """Return the owner's late call if it still runs. owner: see Predictor.state_owner."""
    call = owner.late_call if isinstance(owner, StateOwner) else None
    return None if call is None or call.done() else call
