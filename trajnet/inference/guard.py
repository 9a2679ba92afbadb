"""A predictor that always answers: whatever the inner one does, every row gets a finite path."""

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
from trajnet.context.surroundings import Needs, Surroundings
from trajnet.errors import InputError
from trajnet.inference.base import Predictor
from trajnet.inference.missed_frames import Gaps
from trajnet.inference.priority import Ego, most_important
from trajnet.inference.worker import Worker
from trajnet.tracking.store import Observations
from trajnet.types import FloatArray, IntArray, Prediction

log = logging.getLogger(__name__)

Around = Callable[[Observations], Surroundings]
Call = Callable[[Observations], Prediction]


@dataclass
class GuardCounters:
    """What the rows came from and why the model was not used, since the start.

    failures: calls that raised. deadline_misses: calls not done within the budget, or not begun as one still ran.
    non_finite_rows: rows of the model that were not usable (NaN, probabilities that do not sum to 1).
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
    """Whoever makes the predictor's calls elsewhere: a Worker on the road, a pretended one on a test's clock."""

    def submit(self, function: Call, asked: Observations) -> Future[Prediction]:
        """Begin the call; ``exception(timeout)`` of what it gives waits for its end."""

    def close(self, timeout_s: float) -> bool:
        """End after the running call; whether that was within the time."""


class GuardedPredictor:
    """Calls predictor; rows that it cannot give in time and finite come from fallback, labelled as the fallback labels.

    budget_s: how long after it was asked this answers, at most; None waits for ever (offline, deterministic). With a
    budget the fall-back's paths are made first. Then the predictor runs in a thread of its own, alone; if it is done
    within what is left of the budget its answer goes out, else the fall-back's. While a late call is still running, the
    frames that come in get fall-back paths at once and are not shown to the predictor. What it missed is a gap for it:
    its next step starts from what it saw last, with the time since then, and a track born meanwhile, or whose result
    was unusable, is born for it with its next observation.
    A predictor that hangs, raises or returns nonsense is answered for; one that kills the process is not.

    max_objects: how many rows the predictor is shown at most, by priority (see most_important); None: all of them.
    fallback: must answer from one observation alone (constant velocity does); without a budget it is asked only for
    frames that need it.
    clock_ns, caller: what the budget is measured with and who makes the calls; tests pretend both.
    """

    def __init__(
        self,
        predictor: Predictor,
        fallback: Predictor,
        budget_s: float | None = None,
        *,
        max_objects: int | None = None,
        clock_ns: Callable[[], int] = time.monotonic_ns,
        caller: Caller | None = None,
    ) -> None:
        require(budget_s is None or budget_s > 0, f"budget_s: expected a number above 0 or none, got {budget_s}")
        require(max_objects is None or max_objects > 0, f"max_objects: expected a number above 0, got {max_objects}")
        if not np.array_equal(predictor.time_s, fallback.time_s):
            raise InputError(f"fallback: expected the predictor's times {predictor.time_s}, got {fallback.time_s}")
        if fallback.modes > predictor.modes:
            raise InputError(f"fallback: expected at most {predictor.modes} modes, got {fallback.modes}")
        self.predictor = predictor
        self.fallback = fallback
        self.budget_s = budget_s
        self.max_objects = max_objects
        self.counters = GuardCounters()
        self._clock_ns = clock_ns
        self._worker = (caller or Worker()) if budget_s is not None else None
        self._late: tuple[Future[Prediction], Observations] | None = None
        self._gaps = Gaps()

    @property
    def name(self) -> str:
        return self.predictor.name

    @property
    def time_s(self) -> FloatArray:
        return self.predictor.time_s

    @property
    def modes(self) -> int:
        return self.predictor.modes

    @property
    def needs(self) -> Needs:
        return self.predictor.needs

    def predict(
        self, observations: Observations, ego: Ego | None = None, *, around: Around | None = None
    ) -> Prediction:
        """As Predictor.predict. ego: who asks, which decides who is served if there are more than max_objects.

        around: makes the surroundings of all rows for the predictor, within its budget: a map takes its time, too.
        """
        count = len(observations)
        self.counters.calls += 1
        begin_ns = self._clock_ns() if self._worker is not None else 0
        safe = self.fallback.predict(observations) if self._worker is not None else None
        rows = self._within_limit(observations, ego)
        shown = observations if rows is None else self._shown(observations, rows)
        result = None
        if self._late_call_ended():
            call = self.predictor.predict
            if around is not None:
                call = partial(self._predict_with, around, observations, rows)
            result = self._attempt(call, shown, begin_ns)
        else:
            self.counters.deadline_misses += 1
            self._gaps.missed(shown)
        fine = None if result is None else result.usable_rows()
        served = 0 if fine is None else int(np.count_nonzero(fine))
        self.counters.model_rows += served
        self.counters.physics_rows += count - served
        if result is not None and fine is not None and served < len(shown):
            self._gaps.forget(shown.slot[~fine])
            self.counters.non_finite_rows += len(shown) - served
        if result is not None and served == count:
            return result
        safe = (self.fallback.predict(observations) if safe is None else safe).with_modes(self.modes)
        if result is None or fine is None:
            return safe
        return overwrite(safe, np.flatnonzero(fine) if rows is None else rows[fine], result.select(fine))

    def forget(self, slots: IntArray) -> None:
        self._gaps.forget(slots)
        self.fallback.forget(slots)

    def close(self, timeout_s: float = 5.0) -> None:
        """End the thread, after its running call; one that hangs for longer than timeout_s is left behind."""
        if self._worker is not None and not self._worker.close(timeout_s):
            log.warning("%s still runs %g s after it was asked to end", self.name, timeout_s)

    def _within_limit(self, observations: Observations, ego: Ego | None) -> IntArray | None:
        """The rows that the predictor is shown, None for all of them."""
        if self.max_objects is None or len(observations) <= self.max_objects:
            return None
        return most_important(observations, self.max_objects, self._gaps.in_step(observations), ego)

    def _shown(self, observations: Observations, rows: IntArray) -> Observations:
        """These rows; the others are counted, and a gap for the predictor."""
        others = np.delete(np.arange(len(observations)), rows)
        self._gaps.missed(observations.select(others))
        self.counters.over_limit_rows += len(others)
        return observations.select(rows)

    def _predict_with(
        self, around: Around, everybody: Observations, rows: IntArray | None, asked: Observations
    ) -> Prediction:
        """The inner prediction with the surroundings, in which everybody is seen, also who is not asked for."""
        seen = around(everybody)
        return self.predictor.predict(replace(asked, surroundings=seen if rows is None else seen.select(rows)))

    def _attempt(self, call: Call, shown: Observations, begin_ns: int) -> Prediction | None:
        """The inner prediction with a row for each observation, or None with the reason counted."""
        asked = self._gaps.steps(shown)
        try:
            if self._worker is None:
                result = self._checked(call(asked), asked)
            else:
                running = self._worker.submit(call, asked)
                try:
                    running.exception(self._left_s(begin_ns))  # gives, not raises, what the predictor raised
                except FutureTimeoutError:
                    self.counters.deadline_misses += 1
                    self._late = running, asked
                    self._gaps.seen(asked)  # as if it ends well; see _late_call_ended
                    return None
                result = self._checked(running.result(), asked)
        except Exception as error:  # whatever fails inside, every object still gets a path
            self._failed(error)
            self._gaps.missed(shown)
            return None
        self._gaps.seen(asked)
        return result

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
        try:
            unusable = ~self._checked(running.result(), asked).usable_rows()
        except Exception as error:
            self._failed(error)
            unusable = np.ones(len(asked), dtype=np.bool_)
        self._gaps.forget(asked.slot[unusable])
        return True

    def _checked(self, result: Prediction, asked: Observations) -> Prediction:
        """The result, or InputError where it is not one for these observations."""
        if (result.track_id, result.modes) != (asked.track_id, self.modes):
            raise InputError(
                f"{self.name}: expected {len(asked)} rows of {self.modes} modes, got {len(result)} of {result.modes}"
            )
        same_times = result.time_s is self.time_s or np.array_equal(result.time_s, self.time_s)
        if result.timestamp_ns != asked.timestamp_ns or not same_times:
            raise InputError(
                f"{self.name}: expected paths from {asked.timestamp_ns} ns at {self.time_s} s, "
                f"got {result.timestamp_ns} ns at {result.time_s} s"
            )
        return result

    def _failed(self, error: Exception) -> None:
        self.counters.failures += 1
        self.counters.last_failure = f"{type(error).__name__}: {error}"
        log.warning("%s failed, physics takes over: %s", self.name, self.counters.last_failure)
