"""The deadline on a clock that only moves with work and waiting: slow, stuck and failing models."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.frames import MS, frame
from tests.replay_scenes import straight_scene
from trajnet.inference import ConstantVelocity, GuardOptions, Stream
from trajnet.inference.base import BasePredictor
from trajnet.replay.replay import replay
from trajnet.timing.clock import VirtualClock
from trajnet.tracking.store import Observations
from trajnet.types import Prediction, Source

TIME_S = np.array([0.5, 1.0])
BUDGET_MS, PHYSICS_MS = 10.0, 1.0
CRASH = -1.0


class Call(Future[Prediction]):
    """A call that ends at a time of the virtual clock."""

    def __init__(self, clock: VirtualClock, ends_ns: float, outcome: Callable[[], Prediction]) -> None:
        super().__init__()
        self._clock, self._ends_ns, self._outcome = clock, ends_ns, outcome

    def done(self) -> bool:
        return self._clock.now_ns() >= self._ends_ns

    def exception(self, timeout: float | None = None) -> None:
        assert timeout is not None
        limit_ns = self._clock.now_ns() + round(timeout * 1e9)
        self._clock.sleep_until_ns(int(min(limit_ns, self._ends_ns)))
        if not self.done():
            raise FutureTimeoutError

    def result(self, timeout: float | None = None) -> Prediction:
        assert self.done()
        return self._outcome()


class Model(BasePredictor):
    """Two modes. The k-th call takes costs_ms[k] (the last for all that follow); CRASH: it raises after 2 ms."""

    name, modes, time_s = "model", 2, TIME_S

    def __init__(self, clock: VirtualClock, costs_ms: list[float]) -> None:
        self._clock, self._costs_ms = clock, costs_ms
        self.asked: list[Observations] = []

    def predict(self, observations: Observations) -> Prediction:
        plain = ConstantVelocity(TIME_S).predict(observations).with_modes(2)
        return replace(plain, source=np.full(len(observations), Source.MODEL))

    # As its own caller it knows what a call costs.

    def submit(self, function: Callable[[Observations], Prediction], asked: Observations) -> Future[Prediction]:
        cost_ms = self._costs_ms[min(len(self.asked), len(self._costs_ms) - 1)]
        self.asked.append(asked)
        ends_ns = self._clock.now_ns() + (2 if cost_ms == CRASH else cost_ms) * MS

        def outcome() -> Prediction:
            if cost_ms == CRASH:
                raise RuntimeError("the GPU fell off the bus")
            return function(asked)

        return Call(self._clock, ends_ns, outcome)

    def close(self, timeout_s: float) -> bool:
        return True


class Physics(ConstantVelocity):
    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(TIME_S)
        self._clock = clock

    def predict(self, observations: Observations) -> Prediction:
        self._clock.advance_ns(round(PHYSICS_MS * MS))
        return super().predict(observations)


def deadline(model: Model, clock: VirtualClock) -> GuardOptions:
    return GuardOptions(BUDGET_MS * 1e-3, fallback=Physics(clock), clock_ns=clock.now_ns, caller=model)


class Road:
    """Frames every 100 ms for two objects; what each answer was and after which time it was there."""

    def __init__(self, *costs_ms: float) -> None:
        self.clock = VirtualClock()
        self.model = Model(self.clock, list(costs_ms))
        self.stream = Stream(self.model, guard=deadline(self.model, self.clock))
        self.frames = 0

    def drive(self, frames: int) -> list[tuple[str, float]]:
        found = []
        for _ in range(frames):
            due_ns = self.frames * 100 * MS
            self.clock.sleep_until_ns(due_ns)
            x = 0.5 * self.frames
            answer = self.stream.update(
                frame(0.1 * self.frames, {"a": (x, 0), "b": (x, 5)}, velocity=(5.0, 0.0)), due_ns
            )
            answer.validate()
            assert len(set(answer.source.tolist())) == 1
            found.append((Source(answer.source[0]).name.lower(), (self.clock.now_ns() - due_ns) / MS))
            self.frames += 1
        return found


def test_in_time_the_model_answers() -> None:
    assert Road(4.0).drive(3) == [("model", 5.0)] * 3
    assert Road(9.0).drive(1) == [("model", 10.0)]  # physics takes 1 ms of the budget


def test_a_call_that_is_late_by_a_hair_costs_the_budget_and_no_more() -> None:
    road = Road(9.01, 4.0)
    assert road.drive(3) == [("physics", 10.0), ("model", 5.0), ("model", 5.0)]
    counters = road.stream.guard.counters
    assert (counters.deadline_misses, counters.model_rows, counters.physics_rows, counters.failures) == (1, 4, 2, 0)
    # Late or not, the model has seen the first frame: the second is a step of 0.1 s for it, not a birth.
    assert [a.reset.tolist() for a in road.model.asked] == [[True, True], [False, False], [False, False]]
    assert road.model.asked[1].dt_s == pytest.approx([0.1, 0.1])


def test_what_was_done_before_the_update_counts_if_its_begin_is_given() -> None:
    clock = VirtualClock()
    model = Model(clock, [4.0])
    stream = Stream(model, guard=deadline(model, clock), clock_ns=clock.now_ns)
    for number, (before_ms, expected) in enumerate(((0, Source.MODEL), (4, Source.MODEL), (6, Source.PHYSICS))):
        begin_ns = stream.guard.start_ns()
        clock.advance_ns(before_ms * MS)
        one = frame(0.1 * number, {"a": (float(number), 0.0)})
        answer = stream.update(one, one.timestamp_ns, begin_ns=begin_ns)
        assert answer.source.tolist() == [expected]
        assert clock.now_ns() - begin_ns <= BUDGET_MS * MS
        clock.advance_ns(100 * MS)


def test_while_a_call_runs_over_frames_these_get_physics_at_once() -> None:
    road = Road(4.0, 250.0, 4.0)
    assert road.drive(6) == [
        ("model", 5.0), ("physics", 10.0), ("physics", 1.0), ("physics", 1.0), ("model", 5.0), ("model", 5.0),
    ]  # fmt: skip
    assert road.stream.guard.counters.deadline_misses == 3
    assert len(road.model.asked) == 4
    assert road.model.asked[2].dt_s == pytest.approx([0.3, 0.3])  # from the frame that the late call saw
    np.testing.assert_allclose(road.model.asked[2].previous_position_m[:, 0], 0.5)


def test_a_stuck_model_never_stops_the_output() -> None:
    road = Road(4.0, math.inf)
    assert road.drive(50) == [("model", 5.0), ("physics", 10.0)] + [("physics", 1.0)] * 48
    assert road.stream.guard.counters.deadline_misses == 49
    assert road.stream.guard.counters.physics_rows == 98


def test_a_crash_is_answered_for_and_the_next_frame_starts_clean() -> None:
    road = Road(4.0, CRASH, 4.0)
    assert road.drive(3) == [("model", 5.0), ("physics", 3.0), ("model", 5.0)]
    counters = road.stream.guard.counters
    assert (counters.failures, counters.deadline_misses) == (1, 0)
    assert counters.last_failure == "RuntimeError: the GPU fell off the bus"
    assert road.model.asked[2].dt_s == pytest.approx([0.2, 0.2])


def test_whatever_the_model_does_the_output_keeps_its_time() -> None:
    draw = np.random.default_rng(1)
    costs = draw.choice([2.0, 8.9, 9.1, 30.0, 99.0, 101.0, 320.0, CRASH], size=1000).tolist()
    road = Road(*costs)
    found = road.drive(1000)
    assert max(ms for _, ms in found) == BUDGET_MS
    assert {source for source, _ in found} == {"model", "physics"}
    counters = road.stream.guard.counters
    assert counters.model_rows + counters.physics_rows == 2 * counters.calls == 2000
    assert counters.model_rows == 2 * sum(source == "model" for source, _ in found)
    late = sum(source == "physics" for source, _ in found)
    assert counters.deadline_misses + sum(c == CRASH for c in costs[: len(road.model.asked)]) == late


def test_a_replay_with_a_deadline_has_no_frame_over_it() -> None:
    clock = VirtualClock()
    model = Model(clock, [4.0, 4.0, 150.0, 4.0, math.inf])
    result = replay(straight_scene(np.ones((12, 3), dtype=np.bool_)), model, clock, guard=deadline(model, clock))
    total_ms = [t.stage_ns("total") / MS for t in result.timings]
    assert total_ms == [5.0, 5.0, 10.0, 1.0, 5.0, 10.0] + [1.0] * 6
    assert result.guard_counters["deadline_misses"] == 9
    sources = [Source(p.source[0]).name.lower() for p in result.paths]
    assert sources == ["model", "model", "physics", "physics", "model"] + ["physics"] * 7


def test_without_a_budget_physics_is_not_made_in_vain() -> None:
    class Never(ConstantVelocity):
        def predict(self, observations: Observations) -> Any:
            raise AssertionError("the fall-back is not needed")

    stream = Stream(Model(VirtualClock(), [0.0]), guard=GuardOptions(fallback=Never(TIME_S)))
    assert stream.update(frame(0.0, {"a": (0, 0)}), 0).source.tolist() == [Source.MODEL]
