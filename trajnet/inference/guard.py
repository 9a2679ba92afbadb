"""An answer for every row: whatever the predictor does, each object gets a finite path."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import numpy as np

from trajnet.arrays import overwrite
from trajnet.config import require
from trajnet.context.surroundings import Surroundings
from trajnet.errors import InputError, in_words
from trajnet.inference.base import Predictor
from trajnet.inference.missed_frames import MissedFrames
from trajnet.inference.physics import ConstantVelocity
from trajnet.inference.priority import Ego, most_important
from trajnet.inference.validity import servable_rows
from trajnet.inference.worker import Worker
from trajnet.tracking.store import Observations
from trajnet.types import IntArray, Prediction

log = logging.getLogger(__name__)

MakeSurroundings = Callable[[Observations], Surroundings]
Call = Callable[[Observations], Prediction]


@dataclass
class GuardCounters:
    """What the rows came from and why the model was not used, since the start.

    failures: calls that raised. deadline_misses: calls not done within the budget, or not begun as one still ran.
    non_finite_rows: rows of the model that must not go out (see servable_rows): NaN, probabilities that do not sum to
    1, a covariance that is none, a path that the object's class cannot drive.
    over_limit_rows: rows that were not shown to the model because there were more than it is allowed.
    """

    calls: int = 0
    model_rows: int = 0
    physics_rows: int = 0
    stale_rows: int = 0
    failures: int = 0
    deadline_misses: int = 0
    non_finite_rows: int = 0
    over_limit_rows: int = 0
    last_failure: str = ""


class Caller(Protocol):
    """Makes the predictor's calls elsewhere: a Worker on the road, a fake on a test's clock."""

    def submit(self, function: Call, asked: Observations) -> Future[Prediction]:
        """Begin the call; ``exception(timeout)`` of what it gives waits for its end."""

    def close(self, timeout_s: float) -> bool:
        """End after the running call; whether that was within the time."""


@dataclass(frozen=True)
class GuardOptions:
    """How a predictor is guarded.

    budget_s: the longest time from the beginning of Stream.update to its answer; None waits as long as the predictor
    takes (offline, deterministic).
    max_objects: how many rows the predictor is shown at most, by priority (see most_important); None: all of them.
    fallback: gives the paths that the predictor does not give; must answer from one observation alone. Without a budget
    it is asked only for frames that need it. None: constant velocity.
    clock_ns, caller: what the budget is measured with, and what makes the calls; for tests. None: a Worker.
    """

    budget_s: float | None = None
    max_objects: int | None = None
    fallback: Predictor | None = None
    clock_ns: Callable[[], int] = time.monotonic_ns
    caller: Caller | None = None

    def __post_init__(self) -> None:
        require(
            self.budget_s is None or self.budget_s > 0,
            f"budget_s: expected a number above 0 or none, got {self.budget_s}",
        )
        require(
            self.max_objects is None or self.max_objects > 0,
            f"max_objects: expected a number above 0, got {self.max_objects}",
        )


class Guard:
    """Answers for a predictor: rows that it does not give in time and finite come from the fall-back, labelled as such.

    With a budget the fall-back's paths are made first. Then the predictor runs in a thread of its own, alone; if it is
    done within what is left of the budget its answer goes out, else the fall-back's. While a late call is still
    running, new frames get fall-back paths at once and are not shown to the predictor: these frames are missed. The
    next step of a track starts from what the predictor saw last, with the time since then. A track that was born
    meanwhile, or whose result was unusable, is born for the predictor with its next observation.
    A predictor that hangs, raises or returns nonsense is answered for; one that kills the process is not.
    """

    def __init__(self, predictor: Predictor, options: GuardOptions = GuardOptions()) -> None:
        """Raise InputError where the fall-back has other times than the predictor, or more modes."""
        fallback = ConstantVelocity(predictor.time_s) if options.fallback is None else options.fallback
        if not np.array_equal(predictor.time_s, fallback.time_s):
            raise InputError(f"fallback: expected the predictor's times {predictor.time_s}, got {fallback.time_s}")
        if fallback.modes > predictor.modes:
            raise InputError(f"fallback: expected at most {predictor.modes} modes, got {fallback.modes}")
        self.predictor = predictor
        self.fallback = fallback
        self.budget_s = options.budget_s
        self.max_objects = options.max_objects
        self.counters = GuardCounters()
        self._clock_ns = options.clock_ns
        self._worker = (options.caller or Worker()) if options.budget_s is not None else None
        self._late: tuple[Future[Prediction], Observations] | None = None
        self._missed = MissedFrames()

    def start_ns(self) -> int:
        """Return the time from which a budget counts, for answer; 0 without a budget."""
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

        ego: the vehicle that asks, which decides whom the predictor serves if there are more than max_objects.
        surroundings: makes those of all rows for the predictor, within its budget: a map takes its time, too.
        begin_ns: start_ns at the beginning of the frame's work; None: now.
        """
        count = len(observations)
        self.counters.calls += 1
        begin_ns = self.start_ns() if begin_ns is None else begin_ns
        safe = self.fallback.predict(observations) if self._worker is not None else None
        rows = self._within_limit(observations, ego)
        shown = observations if rows is None else self._shown(observations, rows)
        result = None
        if self._late_call_ended():
            call = self.predictor.predict
            if surroundings is not None:
                call = partial(self._predict_with, surroundings, observations, rows)
            result = self._attempt(call, shown, begin_ns)
        else:
            self.counters.deadline_misses += 1
            self._missed.mark_missed(shown)
        fine = None if result is None else servable_rows(result, shown)
        served = 0 if fine is None else int(np.count_nonzero(fine))
        self.counters.model_rows += served
        self.counters.physics_rows += count - served
        if result is not None and fine is not None and served < len(shown):
            self._missed.forget(shown.slot[~fine])
            self.counters.non_finite_rows += len(shown) - served
        if result is not None and served == count:
            return result
        safe = (self.fallback.predict(observations) if safe is None else safe).with_modes(self.predictor.modes)
        if result is None or fine is None:
            return safe
        usable = result if served == len(result) else result.select(fine)
        return overwrite(safe, np.flatnonzero(fine) if rows is None else rows[fine], usable)

    def forget(self, slots: IntArray) -> None:
        self._missed.forget(slots)
        self.fallback.forget(slots)

    def close(self, timeout_s: float = 5.0) -> None:
        """End the thread, after its running call; one that hangs for longer than timeout_s is left behind."""
        if self._worker is not None and not self._worker.close(timeout_s):
            log.warning("%s still runs %g s after it was asked to end", self.predictor.name, timeout_s)

    def _within_limit(self, observations: Observations, ego: Ego | None) -> IntArray | None:
        """The rows that the predictor is shown, None for all of them."""
        if self.max_objects is None or len(observations) <= self.max_objects:
            return None
        return most_important(observations, self.max_objects, self._missed.up_to_date(observations), ego)

    def _shown(self, observations: Observations, rows: IntArray) -> Observations:
        """Return these rows; the others are counted, and missed by the predictor."""
        others = np.delete(np.arange(len(observations)), rows)
        self._missed.mark_missed(observations.select(others))
        self.counters.over_limit_rows += len(others)
        return observations.select(rows)

    def _predict_with(
        self, surroundings: MakeSurroundings, everybody: Observations, rows: IntArray | None, asked: Observations
    ) -> Prediction:
        """The inner prediction with the surroundings, in which everybody is seen, also who is not asked for."""
        seen = surroundings(everybody)
        return self.predictor.predict(replace(asked, surroundings=seen if rows is None else seen.select(rows)))

    def _attempt(self, call: Call, shown: Observations, begin_ns: int) -> Prediction | None:
        """Return the inner prediction with a row for each observation, or None with the reason counted."""
        asked = self._missed.since_shown(shown)
        if self._worker is None:
            result = self._called(call, asked)
        else:
            running = self._worker.submit(call, asked)
            try:
                error = running.exception(self._left_s(begin_ns))  # gives, not raises, what the predictor raised
            except FutureTimeoutError:
                self.counters.deadline_misses += 1
                self._late = running, asked
                self._missed.mark_shown(asked)  # as if it ends well; see _late_call_ended
                return None
            result = self._ended(running, error, asked)
        if result is None:
            self._missed.mark_missed(shown)
        else:
            self._missed.mark_shown(asked)
        return result

    def _called(self, call: Call, asked: Observations) -> Prediction | None:
        """Call the predictor here; whatever fails inside, every object still gets a path."""
        try:
            return self._checked(call(asked), asked)
        except KeyboardInterrupt:  # Ctrl-C is the user's
            raise
        except BaseException as error:  # SystemExit, too: a predictor does not decide about the process
            self._failed(error)
            return None

    def _ended(
        self, running: Future[Prediction], error: BaseException | None, asked: Observations
    ) -> Prediction | None:
        """Return the result of a call that has ended, or None with its failure counted. error: what it raised."""
        try:
            if error is None:
                return self._checked(running.result(), asked)
        except Exception as wrong:  # a result of another kind
            error = wrong
        self._failed(error)
        return None

    def _left_s(self, begin_ns: int) -> float:
        """What is left of the budget, at least nothing."""
        assert self.budget_s is not None
        return max(0.0, self.budget_s - (self._clock_ns() - begin_ns) * 1e-9)

    def _late_call_ended(self) -> bool:
        """Whether the predictor is free; takes up what became of a late call: only its state is of use by now."""
        if self._late is None:
            return True
        running, asked = self._late
        if not running.done():
            return False
        self._late = None
        result = self._ended(running, running.exception(0.0), asked)
        unusable = np.ones(len(asked), np.bool_) if result is None else ~servable_rows(result, asked)
        self._missed.forget(asked.slot[unusable])
        return True

    def _checked(self, result: Prediction, asked: Observations) -> Prediction:
        """The result, or InputError where it is not one for these observations."""
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
        return result

    def _failed(self, error: BaseException) -> None:
        self.counters.failures += 1
        self.counters.last_failure = in_words(error)
        log.warning("%s failed, physics takes over: %s", self.predictor.name, self.counters.last_failure)
