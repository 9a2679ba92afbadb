"""A predictor that always answers: whatever the inner one does, every row gets a finite path."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, replace
from queue import SimpleQueue
from threading import Thread

import numpy as np

from trajnet.config import require
from trajnet.errors import InputError
from trajnet.predictors.base import Predictor
from trajnet.tracks import Observations
from trajnet.types import BoolArray, FloatArray, IntArray, Prediction

log = logging.getLogger(__name__)

#: What a predictor missed for longer than this is no history any more: the track is born for it again.
MAX_MISSED_S = 1.0


@dataclass
class GuardCounters:
    """What the rows came from and why the model was not used, since the start.

    failures: calls that raised. deadline_misses: calls not done within the budget, or begun while one still ran.
    non_finite_rows: rows of the model that were not usable (NaN, probabilities that do not sum to 1).
    """

    calls: int = 0
    model_rows: int = 0
    physics_rows: int = 0
    stale_rows: int = 0
    failures: int = 0
    deadline_misses: int = 0
    non_finite_rows: int = 0
    last_failure: str = ""


class GuardedPredictor:
    """Calls predictor; rows that it cannot give in time and finite come from fallback, labelled as the fallback labels.

    budget_s: how long the predictor may take; None waits for ever (offline, deterministic). With a budget it runs in a
    thread of its own, alone: while a late call is still running, the frames that come in get fallback paths and are
    not shown to the predictor. What it missed is a gap for it: its next step starts from what it saw last, with the
    time since then, and a track born meanwhile, or whose result was unusable, is born for it with its next observation.
    fallback: asked only for frames that need it, so it must answer from one observation alone (constant velocity does).
    """

    def __init__(self, predictor: Predictor, fallback: Predictor, budget_s: float | None = None) -> None:
        require(budget_s is None or budget_s > 0, f"budget_s: expected a number above 0 or none, got {budget_s}")
        if not np.array_equal(predictor.time_s, fallback.time_s):
            raise InputError(f"fallback: expected the predictor's times {predictor.time_s}, got {fallback.time_s}")
        if fallback.modes > predictor.modes:
            raise InputError(f"fallback: expected at most {predictor.modes} modes, got {fallback.modes}")
        self.predictor = predictor
        self.fallback = fallback
        self.budget_s = budget_s
        self.counters = GuardCounters()
        self._worker = Worker() if budget_s is not None else None
        self._late: tuple[Future[Prediction], Observations] | None = None
        self._seen = LastSeen()

    @property
    def name(self) -> str:
        return self.predictor.name

    @property
    def time_s(self) -> FloatArray:
        return self.predictor.time_s

    @property
    def modes(self) -> int:
        return self.predictor.modes

    def predict(self, observations: Observations) -> Prediction:
        self.counters.calls += 1
        busy = not self._late_call_ended()
        asked = self._seen.steps(observations)
        result = None
        if busy:
            self.counters.deadline_misses += 1
        else:
            result = self._attempt(asked)
        fine = np.zeros(len(observations), dtype=np.bool_)
        if result is not None:
            fine = result.usable_rows()
            self._seen.record(asked)
            self._seen.forget(asked.slot[~fine])
            self.counters.non_finite_rows += int((~fine).sum())
        self.counters.model_rows += int(fine.sum())
        self.counters.physics_rows += int((~fine).sum())
        if result is not None and fine.all():
            return result
        safe = widened(self.fallback.predict(observations), self.modes)
        return safe if result is None else merged(result, safe, fine)

    def forget(self, slots: IntArray) -> None:
        self._seen.forget(slots)
        self.fallback.forget(slots)

    def close(self, timeout_s: float = 5.0) -> None:
        """End the thread, after its running call; one that hangs for longer than timeout_s is left behind."""
        if self._worker is not None and not self._worker.close(timeout_s):
            log.warning("%s still runs %g s after it was asked to end", self.name, timeout_s)

    def _attempt(self, asked: Observations) -> Prediction | None:
        """The inner prediction with a row for each observation, or None with the reason counted."""
        try:
            if self._worker is None:
                return self._checked(self.predictor.predict(asked), asked)
            running = self._worker.submit(self.predictor.predict, asked)
            try:
                running.exception(timeout=self.budget_s)  # gives, not raises, what the predictor raised
            except FutureTimeoutError:
                self.counters.deadline_misses += 1
                self._late = running, asked
                self._seen.record(asked)  # as if it ends well; see _late_call_ended
                return None
            return self._checked(running.result(), asked)
        except Exception as error:  # whatever fails inside, every object still gets a path
            self._failed(error)
            return None

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
        self._seen.forget(asked.slot[unusable])
        return True

    def _checked(self, result: Prediction, asked: Observations) -> Prediction:
        """The result, or InputError where it is not one for these observations."""
        if (result.track_id, result.modes) != (asked.track_id, self.modes):
            raise InputError(
                f"{self.name}: expected {len(asked)} rows of {self.modes} modes, got {len(result)} of {result.modes}"
            )
        if result.timestamp_ns != asked.timestamp_ns or not np.array_equal(result.time_s, self.time_s):
            raise InputError(
                f"{self.name}: expected paths from {asked.timestamp_ns} ns at {self.time_s} s, "
                f"got {result.timestamp_ns} ns at {result.time_s} s"
            )
        return result

    def _failed(self, error: Exception) -> None:
        self.counters.failures += 1
        self.counters.last_failure = f"{type(error).__name__}: {error}"
        log.warning("%s failed, physics takes over: %s", self.name, self.counters.last_failure)


class LastSeen:
    """What the inner predictor saw last of the track in each slot, so that a frame kept from it is a gap for it."""

    def __init__(self) -> None:
        self._known = np.zeros(0, dtype=np.bool_)
        self._time_ns = np.zeros(0, dtype=np.int64)
        self._position_m = np.zeros((0, 2))
        self._yaw_rad = np.zeros(0)
        self._yaw_valid = np.zeros(0, dtype=np.bool_)
        self._heading_known = np.zeros(0, dtype=np.bool_)

    def steps(self, observations: Observations) -> Observations:
        """The observations with reset, dt_s and previous_* as the predictor knows them; new tracks take their slots."""
        slot = observations.slot
        self._grow(int(slot.max()) + 1 if len(slot) else 0)
        dt_s = (observations.timestamp_ns - self._time_ns[slot]) * 1e-9
        new = observations.reset | (dt_s - observations.dt_s > MAX_MISSED_S)
        self._known[slot[new]] = False
        reset = ~self._known[slot]
        return replace(
            observations,
            reset=reset,
            dt_s=np.where(reset, 0.0, dt_s),
            previous_position_m=np.where(reset[:, None], observations.position_m, self._position_m[slot]),
            previous_yaw_rad=np.where(reset | ~self._heading_known[slot], observations.yaw_rad, self._yaw_rad[slot]),
            previous_yaw_valid=np.where(reset, observations.yaw_valid, self._yaw_valid[slot]),
        )

    def record(self, observations: Observations) -> None:
        """The predictor was given these."""
        slot = observations.slot
        self._known[slot] = True
        self._time_ns[slot] = observations.timestamp_ns
        self._position_m[slot] = observations.position_m
        self._yaw_rad[slot] = observations.yaw_rad
        self._yaw_valid[slot] = observations.yaw_valid
        self._heading_known[slot] = observations.heading_known

    def forget(self, slots: IntArray) -> None:
        """Whatever track is in these slots is born for the predictor with its next observation."""
        slots = np.asarray(slots, dtype=np.int64)
        self._known[slots[slots < len(self._known)]] = False

    def _grow(self, count: int) -> None:
        if count <= len(self._known):
            return
        for name in ("_known", "_time_ns", "_position_m", "_yaw_rad", "_yaw_valid", "_heading_known"):
            old = getattr(self, name)
            new = np.zeros((max(32, 2 * count), *old.shape[1:]), dtype=old.dtype)
            new[: len(old)] = old
            setattr(self, name, new)


class Worker:
    """One thread that makes calls in their order.

    Not a ThreadPoolExecutor: at the end of the process that one waits for its running call, for ever if the call hangs.
    """

    def __init__(self) -> None:
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._closed = False
        self._thread = Thread(target=_serve, args=(self._calls,), name="trajnet-predict", daemon=True)
        self._thread.start()
        weakref.finalize(self, self._calls.put, None)

    def submit(self, function: Callable[[Observations], Prediction], asked: Observations) -> Future[Prediction]:
        if self._closed:
            raise RuntimeError("the predictor's thread has ended")
        future: Future[Prediction] = Future()
        self._calls.put((future, function, asked))
        return future

    def close(self, timeout_s: float) -> bool:
        """End after the running call; whether that was within the time."""
        self._closed = True
        self._calls.put(None)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()


_Call = tuple["Future[Prediction]", Callable[[Observations], Prediction], Observations]


def _serve(calls: SimpleQueue[_Call | None]) -> None:
    while (call := calls.get()) is not None:
        future, function, asked = call
        try:
            future.set_result(function(asked))
        except BaseException as error:  # whoever waits gets it
            future.set_exception(error)
        del call, future, function, asked  # nothing is kept alive while the thread waits


def widened(prediction: Prediction, modes: int) -> Prediction:
    """The prediction with this many modes: missing ones repeat the first with probability 0."""
    extra = modes - prediction.modes
    if extra < 0:
        raise InputError(f"modes: expected at most {modes}, got {prediction.modes}")
    if extra == 0:
        return prediction
    index = np.concatenate([np.arange(prediction.modes), np.zeros(extra, dtype=np.int64)])
    probability = np.pad(prediction.probability, ((0, 0), (0, extra)))
    return replace(
        prediction,
        position_m=prediction.position_m[:, index],
        yaw_rad=prediction.yaw_rad[:, index],
        covariance_m2=prediction.covariance_m2[:, index],
        probability=probability,
    )


def merged(first: Prediction, second: Prediction, from_first: BoolArray) -> Prediction:
    """Row by row: first where from_first, else second. Both of the same shape."""
    if from_first.all():
        return first

    def choose(a: FloatArray, b: FloatArray) -> FloatArray:
        return np.where(from_first.reshape(-1, *([1] * (a.ndim - 1))), a, b)

    return Prediction(
        first.timestamp_ns, first.track_id, first.time_s, choose(first.position_m, second.position_m),
        choose(first.yaw_rad, second.yaw_rad), choose(first.covariance_m2, second.covariance_m2),
        choose(first.probability, second.probability), np.where(from_first, first.source, second.source),
        choose(first.age_s, second.age_s),
    )  # fmt: skip
