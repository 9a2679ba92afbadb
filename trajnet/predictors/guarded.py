"""A predictor that always answers: whatever the inner one does, every row gets a finite path."""

from __future__ import annotations

import logging
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, replace

import numpy as np

from trajnet.config import require
from trajnet.errors import InputError
from trajnet.predictors.base import Predictor
from trajnet.tracks import Observations
from trajnet.types import BoolArray, FloatArray, IntArray, Prediction

log = logging.getLogger(__name__)


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
    thread of its own; while a late call is still running, the frames that come in get fallback paths, and tracks born
    meanwhile are born for the predictor with their next observation.
    """

    def __init__(self, predictor: Predictor, fallback: Predictor, budget_s: float | None = None) -> None:
        require(budget_s is None or budget_s > 0, f"budget_s: expected a number above 0 or none, got {budget_s}")
        if not np.array_equal(predictor.time_s, fallback.time_s):
            raise InputError(f"fallback: expected the predictor's times {predictor.time_s}, got {fallback.time_s}")
        self.predictor = predictor
        self.fallback = fallback
        self.budget_s = budget_s
        self.counters = GuardCounters()
        self._worker = ThreadPoolExecutor(1, "trajnet-predict") if budget_s is not None else None
        self._running: Future[Prediction] | None = None
        self._unborn: set[int] = set()

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
        safe = widened(self.fallback.predict(observations), self.modes)
        result = self._attempt(observations)
        fine = np.zeros(len(observations), dtype=np.bool_) if result is None else result.usable_rows()
        if result is None:
            self._unborn.update(observations.slot[observations.reset].tolist())
        elif not fine.all():
            self.counters.non_finite_rows += int((~fine).sum())
            self.predictor.forget(observations.slot[~fine])
        self.counters.model_rows += int(fine.sum())
        self.counters.physics_rows += int((~fine).sum())
        return safe if result is None else merged(result, safe, fine)

    def forget(self, slots: IntArray) -> None:
        self._unborn.update(int(s) for s in slots)
        self.fallback.forget(slots)

    def close(self) -> None:
        """Wait for a running call and end the thread."""
        if self._worker is not None:
            self._worker.shutdown(wait=True)

    def _attempt(self, observations: Observations) -> Prediction | None:
        """The inner prediction with a row for each observation, or None with the reason counted."""
        if self._running is not None:
            if not self._running.done():
                self.counters.deadline_misses += 1
                return None
            self._running = None
        born = observations.reset | np.isin(observations.slot, list(self._unborn))
        self._unborn.difference_update(observations.slot.tolist())
        asked = replace(observations, reset=born)
        try:
            if self._worker is None:
                result = self.predictor.predict(asked)
            else:
                self._running = self._worker.submit(self.predictor.predict, asked)
                result = self._running.result(timeout=self.budget_s)
                self._running = None
            if result.track_id != observations.track_id or result.modes != self.modes:
                raise InputError(
                    f"{self.name}: expected {len(observations)} rows of {self.modes} modes, "
                    f"got {len(result)} of {result.modes}"
                )
            return result
        except FutureTimeoutError:
            self.counters.deadline_misses += 1
        except Exception as error:  # whatever fails inside, every object still gets a path
            self._running = None
            self.counters.failures += 1
            self.counters.last_failure = f"{type(error).__name__}: {error}"
            log.warning("%s failed, physics takes over: %s", self.name, self.counters.last_failure)
        self._unborn.update(observations.slot[born].tolist())
        return None


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
