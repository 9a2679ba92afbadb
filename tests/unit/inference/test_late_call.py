"""A late call of one stream, and another stream that takes its predictor over meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from tests.frames import frame
from trajnet.errors import InputError
from trajnet.inference import GuardOptions, KalmanConstantVelocity, Stream
from trajnet.tracking.store import Observations
from trajnet.types import Prediction, Source, TrackFrame

TIME_S = np.array([0.5, 1.0])
SHORT_S, AMPLE_S = 0.001, 60.0


class Held(KalmanConstantVelocity):
    """A filter whose first call is held until ``go``; it counts calls that run at the same time as another."""

    def __init__(self) -> None:
        super().__init__(TIME_S)
        self.begun, self.go = threading.Event(), threading.Event()
        self.running = self.overlaps = 0

    def predict(self, observations: Observations) -> Prediction:
        self.running += 1
        self.overlaps += self.running > 1
        if not self.begun.is_set():
            self.begun.set()
            assert self.go.wait(AMPLE_S)
        answer = super().predict(observations)
        self.running -= 1
        return answer


def moving(step: int, *ids: str) -> TrackFrame:
    return frame(0.1 * step, {track: (float(step), 5.0 * row) for row, track in enumerate(ids)}, velocity=(10.0, 0.0))


def put(stream: Stream, one: TrackFrame) -> Prediction:
    return stream.update(one, one.timestamp_ns)


@pytest.fixture
def held() -> Iterator[Held]:
    """A filter in the hands of a stream whose first call is late and still runs."""
    model = Held()
    first = Stream(model, guard=GuardOptions(SHORT_S))
    assert put(first, moving(0, "a", "b", "c")).source.tolist() == [Source.PHYSICS] * 3
    assert model.begun.wait(AMPLE_S)
    yield model
    model.go.set()
    first.close()


def test_a_new_stream_with_a_budget_answers_by_the_fall_back_until_the_late_call_ends(held: Held) -> None:
    second, third = (Stream(held, guard=GuardOptions(AMPLE_S)) for _ in range(2))
    for step, stream in enumerate((second, second, third, third)):  # the second has none of its own to hand on
        assert put(stream, moving(step, "d")).source.tolist() == [Source.PHYSICS]
    assert (second.guard.counters.deadline_misses, third.guard.counters.deadline_misses) == (2, 2)
    late = third.guard._owner.late_call
    assert late is not None
    held.go.set()
    late.exception(AMPLE_S)
    alone = Stream(KalmanConstantVelocity(TIME_S))
    for step in range(4, 7):
        ours, theirs = put(third, moving(step, "d")), put(alone, moving(step, "d"))
        assert ours.position_m.tobytes() == theirs.position_m.tobytes()
        assert ours.covariance_m2.tobytes() == theirs.covariance_m2.tobytes()
    assert (held.overlaps, third.guard.counters.failures, third.guard.counters.deadline_misses) == (0, 0, 2)
    second.close()
    third.close()


def test_a_new_stream_without_a_budget_waits_until_the_late_call_ends(held: Held) -> None:
    second, alone = Stream(held), Stream(KalmanConstantVelocity(TIME_S))
    threading.Timer(0.05, held.go.set).start()
    for step in range(3):
        assert put(second, moving(step, "d")).position_m.tobytes() == put(alone, moving(step, "d")).position_m.tobytes()
    assert (held.overlaps, second.guard.counters.failures) == (0, 0)


def test_a_stream_that_begins_anew_waits_for_its_own_late_call_too() -> None:
    model = Held()
    stream = Stream(model, guard=GuardOptions(SHORT_S, fallback=KalmanConstantVelocity(TIME_S)))
    put(stream, moving(0, "a"))
    assert model.begun.wait(AMPLE_S)
    stream.reset()
    put(stream, moving(0, "d"))
    assert stream.guard.counters.deadline_misses == 2
    model.go.set()
    stream.close()
    assert model.overlaps == 0


def test_a_fall_back_on_which_a_late_call_runs_is_refused(held: Held) -> None:
    second = Stream(KalmanConstantVelocity(TIME_S), guard=GuardOptions(fallback=held))
    with pytest.raises(InputError, match=r"fallback kalman: expected one that is free.*load one predictor"):
        put(second, moving(0, "d"))
    assert second.store.counters.frames == 0


def test_ctrl_c_while_a_stream_waits_leaves_the_call_running(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Held()
    first = Stream(model, guard=GuardOptions(AMPLE_S))

    def interrupted(*_: object) -> float:
        assert model.begun.wait(AMPLE_S)
        raise KeyboardInterrupt

    monkeypatch.setattr(first.guard, "_left_s", interrupted)
    with pytest.raises(KeyboardInterrupt):
        put(first, moving(0, "a", "b"))
    second = Stream(model, guard=GuardOptions(AMPLE_S))
    assert put(second, moving(0, "d")).source.tolist() == [Source.PHYSICS]
    assert second.guard.counters.deadline_misses == 1
    model.go.set()
    first.close()
    second.close()
    assert model.overlaps == 0
