"""A model that always says the same, and streams of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from trajnet.inference import JudgingOptions, Stream
from trajnet.inference.base import BasePredictor, Predictor
from trajnet.tracking.store import Observations, TrackPolicy
from trajnet.types import FloatArray, Prediction, Source, TrackFrame

TIME_S: FloatArray = np.arange(1, 13, dtype=np.float64) * 0.5
#: Of self-judging nothing but that paths heed each other.
HEED_ONLY = JudgingOptions(weigh=False, adapt_spread=False, combine=False, learn=False, keep_lanes=False)
#: ... and nothing but that the stream learns its traffic.
LEARN_ONLY = JudgingOptions(weigh=False, adapt_spread=False, combine=False, heed=False, keep_lanes=False)


class Says(BasePredictor):
    """Whatever the object does: K modes along these velocities (K, 2), with these probabilities (K,)."""

    name, time_s = "says", TIME_S

    def __init__(self, velocity_mps: list[tuple[float, float]], probability: list[float]) -> None:
        self._velocity_mps, self._probability = np.array(velocity_mps), np.array(probability)
        self.modes = len(probability)

    def predict(self, observations: Observations) -> Prediction:
        count = len(observations)
        path_m = self._velocity_mps[:, None] * TIME_S[:, None]
        return Prediction(
            observations.timestamp_ns, observations.track_id, TIME_S,
            observations.position_m[:, None, None] + path_m, np.zeros((count, self.modes, len(TIME_S))),
            np.tile(0.04 * np.eye(2), (count, self.modes, len(TIME_S), 1, 1)), np.tile(self._probability, (count, 1)),
            np.full(count, Source.MODEL, np.int8), np.zeros(count),
        )  # fmt: skip


class GoesOn(Says):
    """It goes straight on as fast as it is, or half as fast."""

    def __init__(self) -> None:
        super().__init__([(1.0, 0.0), (0.5, 0.0)], [0.8, 0.2])

    def predict(self, observations: Observations) -> Prediction:
        gone_m = observations.velocity_mps[:, None, None] * TIME_S[:, None] * np.array([1.0, 0.5])[:, None, None]
        return replace(super().predict(observations), position_m=observations.position_m[:, None, None] + gone_m)


def driving() -> Says:
    """Everything drives on at 5 or 8 m/s, or turns."""
    return Says([(5.0, 0.0), (8.0, 0.0), (3.0, 3.0)], [0.6, 0.3, 0.1])


def judged(predictor: Predictor | None = None, policy: TrackPolicy | None = None) -> Stream:
    """Return a stream that weighs by past errors; its covariances do not adapt."""
    return Stream(
        predictor or driving(),
        policy,
        judging=JudgingOptions(adapt_spread=False, combine=False, heed=False, learn=False, prior=(0.97, 0.01, 0.02)),
    )


def fed(stream: Stream, frames: list[TrackFrame]) -> list[Prediction]:
    answers = [stream.update(one, one.timestamp_ns) for one in frames]
    for answer in answers:
        answer.validate()
    return answers


def bytes_of(answer: Prediction) -> bytes:
    names = ("position_m", "yaw_rad", "covariance_m2", "probability", "source", "age_s")
    return b"".join(getattr(answer, name).tobytes() for name in names)


def weights(stream: Stream) -> FloatArray:
    """Return the experts' weights of slot 0."""
    assert stream.judge is not None
    found: FloatArray = stream.judge._posterior.weights(np.zeros(1, np.int64))[0][0]
    return found
