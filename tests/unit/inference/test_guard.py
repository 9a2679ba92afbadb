"""Whatever the inner predictor does, every row gets a finite path, and the counters say why."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.frames import frame
from trajnet.errors import ConfigError, InputError
from trajnet.inference import ConstantVelocity, Guard, GuardOptions, KalmanConstantVelocity, Stream
from trajnet.inference.base import BasePredictor
from trajnet.inference.worker import Worker
from trajnet.tracking.store import FrameStatus, Observations, TrackStore
from trajnet.types import IntArray, Prediction, Source, TrackFrame

TIME_S = np.array([0.5, 1.0])
#: No test waits this long: calls that should end in time end at once.
AMPLE_S, SHORT_S = 60.0, 0.001


class Inner(BasePredictor):
    """Two modes, labelled as a model. ``act`` may change the answer, raise, or wait; what it is asked is kept."""

    name = "inner"
    modes = 2
    time_s = TIME_S

    def __init__(self) -> None:
        self.asked: list[Observations] = []
        self.act: Callable[[Prediction], Any] = lambda answer: answer

    def predict(self, observations: Observations) -> Prediction:
        self.asked.append(observations)
        plain = ConstantVelocity(self.time_s).predict(observations)
        count = len(observations)
        answer: Prediction = self.act(
            replace(
                plain.with_modes(2),
                probability=np.tile([0.75, 0.25], (count, 1)),
                source=np.full(count, Source.MODEL),
                position_m=np.repeat(plain.position_m, 2, axis=1) + 20.0,
            )
        )
        return answer

    def forget(self, slots: IntArray) -> None:
        raise AssertionError("the guard resets rows, it does not call into a predictor that may be running")


class Line:
    """A guard fed by a track store."""

    def __init__(self, budget_s: float | None = None) -> None:
        self.inner, self.store = Inner(), TrackStore()
        self.guard = Guard(self.inner, GuardOptions(budget_s))

    def feed(self, time_s: float, *ids: str) -> Prediction:
        places = {t: (10.0 * time_s, float(ord(t[0]))) for t in ids}
        seen = self.store.update(frame(time_s, places, yaw=0.1, velocity=(10.0, 0.0)), 0)[1]
        assert seen is not None
        answer = self.guard.answer(seen)
        answer.validate()
        assert answer.track_id == ids
        assert answer.modes == 2
        return answer

    def counts(self) -> tuple[int, ...]:
        c = self.guard.counters
        return (c.calls, c.model_rows, c.physics_rows, c.failures, c.deadline_misses, c.non_finite_rows)


@pytest.fixture
def line() -> Line:
    return Line()


@pytest.fixture(params=[None, AMPLE_S], ids=["direct", "thread"])
def either(request: pytest.FixtureRequest) -> Iterator[Line]:
    line = Line(request.param)
    yield line
    line.guard.close()


def test_a_good_answer_passes_as_it_is(either: Line) -> None:
    answer = either.feed(0.0, "a", "b")
    assert answer.source.tolist() == [Source.MODEL] * 2
    assert answer.position_m[0, 0, 0, 0] == pytest.approx(20 + 5 * np.cos(0.1))
    assert either.counts() == (1, 2, 0, 0, 0, 0)
    assert either.guard.predictor is either.inner


def raising(answer: Prediction) -> Prediction:
    raise ValueError("no luck")


def timing_out(answer: Prediction) -> Prediction:
    raise TimeoutError("a socket, not the deadline")


def short(answer: Prediction) -> Prediction:
    values = {
        n: getattr(answer, n)[:1] for n in ("position_m", "yaw_rad", "covariance_m2", "probability", "source", "age_s")
    }
    return replace(answer, track_id=answer.track_id[:1], **values)


def swapped(answer: Prediction) -> Prediction:
    return replace(answer, track_id=answer.track_id[::-1])


def other_times(answer: Prediction) -> Prediction:
    return replace(answer, time_s=TIME_S + 0.1)


def longer(answer: Prediction) -> Prediction:
    names = ("position_m", "yaw_rad", "covariance_m2")
    wider: dict[str, Any] = {n: np.repeat(getattr(answer, n), 2, axis=2) for n in names}
    return replace(answer, time_s=np.array([0.5, 1.0, 1.5, 2.0]), **wider)


def one_mode(answer: Prediction) -> Prediction:
    one = {n: getattr(answer, n)[:, :1] for n in ("position_m", "yaw_rad", "covariance_m2")}
    return replace(answer, probability=np.ones((len(answer), 1)), **one)


def other_stamp(answer: Prediction) -> Prediction:
    return replace(answer, timestamp_ns=answer.timestamp_ns + 1)


def nothing(answer: Prediction) -> Any:
    return None


FAULTS = [raising, timing_out, short, swapped, other_times, longer, one_mode, other_stamp, nothing]


@pytest.mark.parametrize("fault", FAULTS, ids=[f.__name__ for f in FAULTS])
def test_a_failed_call_gives_physics_and_recovers(either: Line, fault: Callable[[Prediction], Prediction]) -> None:
    either.feed(0.0, "a", "b")
    either.inner.act = fault
    answer = either.feed(0.1, "a", "b")
    assert answer.source.tolist() == [Source.PHYSICS] * 2
    np.testing.assert_allclose(answer.position_m[0, 0, :, 0], 1 + 10 * TIME_S * np.cos(0.1))
    np.testing.assert_array_equal(answer.probability, [[1, 0], [1, 0]])
    assert either.counts() == (2, 2, 2, 1, 0, 0)
    assert either.guard.counters.last_failure
    either.inner.act = lambda answer: answer
    assert either.feed(0.2, "a", "b").source.tolist() == [Source.MODEL] * 2
    assert either.counts() == (3, 4, 2, 1, 0, 0)
    # The call that failed is a gap: the next step starts from what was seen before it.
    last = either.inner.asked[-1]
    assert last.reset.tolist() == [False, False]
    assert last.dt_s == pytest.approx([0.2, 0.2])
    np.testing.assert_allclose(last.previous_position_m[:, 0], 0.0)


def test_the_failure_is_told(line: Line) -> None:
    line.inner.act = raising
    line.feed(0.0, "a")
    assert line.guard.counters.last_failure == "ValueError: no luck"


def test_a_track_born_into_a_failure_is_born_with_the_next_call(either: Line) -> None:
    either.feed(0.0, "a")
    either.inner.act = raising
    either.feed(0.1, "a", "b")
    either.inner.act = lambda answer: answer
    either.feed(0.2, "a", "b", "c")
    last = either.inner.asked[-1]
    assert last.reset.tolist() == [False, True, True]
    assert last.dt_s == pytest.approx([0.2, 0.0, 0.0])
    np.testing.assert_array_equal(last.previous_position_m[1:], last.position_m[1:])
    either.feed(0.3, "a", "b", "c")
    assert not either.inner.asked[-1].reset.any()


@pytest.mark.parametrize(
    ("name", "value"), [("position_m", np.nan), ("yaw_rad", np.inf), ("covariance_m2", -1.0), ("probability", 0.9)]
)
def test_bad_rows_get_physics_and_start_anew(either: Line, name: str, value: float) -> None:
    either.feed(0.0, "a", "b", "c")

    def poison(answer: Prediction) -> Prediction:
        getattr(answer, name)[1].flat[0] = value
        return answer

    either.inner.act = poison
    answer = either.feed(0.1, "a", "b", "c")
    assert answer.source.tolist() == [Source.MODEL, Source.PHYSICS, Source.MODEL]
    assert answer.position_m[1, 0, 0, 0] == pytest.approx(1 + 5 * np.cos(0.1))
    assert either.counts() == (2, 5, 1, 0, 0, 1)
    either.inner.act = lambda answer: answer
    assert either.feed(0.2, "a", "b", "c").source.tolist() == [Source.MODEL] * 3
    assert either.inner.asked[-1].reset.tolist() == [False, True, False]
    either.feed(0.3, "a", "b", "c")
    assert not either.inner.asked[-1].reset.any()


def test_forgotten_slots_are_born_again(line: Line) -> None:
    line.feed(0.0, "a", "b")
    line.guard.forget(np.array([int(line.inner.asked[0].slot[1]), 10_000]))
    line.feed(0.1, "a", "b")
    assert line.inner.asked[-1].reset.tolist() == [False, True]


def test_without_trouble_the_predictor_gets_what_the_store_gives(line: Line) -> None:
    """Also after gaps, with slots used again: the guard adds nothing."""
    store, ids = TrackStore(), ["a", "b", "c", "d"]
    draw = np.random.default_rng(0)
    for step in range(60):
        here = [t for t in ids if draw.random() < 0.5] if step % 20 < 15 else []
        yaw = draw.normal(size=len(here)) if step % 20 < 10 else None  # later tracks have their heading of their motion
        one = frame(0.15 * step, {t: tuple(0.2 * draw.normal(size=2)) for t in here}, yaw=yaw)
        seen = store.update(one, 0)[1]
        assert seen is not None
        line.guard.answer(seen)
        for name in ("reset", "dt_s", "previous_position_m", "previous_yaw_rad", "previous_yaw_valid", "slot"):
            np.testing.assert_array_equal(getattr(line.inner.asked[-1], name), getattr(seen, name), err_msg=name)
    assert store.counters.removed > 4


class Late:
    """A line whose inner predictor waits for a go; the budget is over long before."""

    def __init__(self) -> None:
        self.line = Line(SHORT_S)
        self.begun, self.go, self.ended = (threading.Event() for _ in range(3))
        self.outcome: Callable[[Prediction], Prediction] = lambda answer: answer
        self.line.inner.act = self.wait

    def wait(self, answer: Prediction) -> Prediction:
        self.begun.set()
        assert self.go.wait(AMPLE_S)
        return self.outcome(answer)

    def finish(self) -> None:
        """Let the late call end, and wait until its result is there."""
        assert self.begun.wait(AMPLE_S)  # on a busy machine its thread may not have run yet
        self.line.inner.act = lambda answer: answer
        self.line.guard.budget_s = AMPLE_S
        self.go.set()
        assert self.line.guard._owner.late_call is not None
        self.line.guard._owner.late_call.exception(AMPLE_S)


@pytest.fixture
def late() -> Iterator[Late]:
    made = Late()
    yield made
    made.go.set()
    made.line.guard.close()


def test_the_caller_has_its_answer_before_a_late_call_ends(late: Late) -> None:
    answer = late.line.feed(0.0, "a")  # returns although the call has not gone on
    assert answer.source.tolist() == [Source.PHYSICS]
    assert late.begun.wait(AMPLE_S)
    assert not late.go.is_set()
    assert late.line.counts() == (1, 0, 1, 0, 1, 0)


def test_while_a_call_is_late_no_other_begins(late: Late) -> None:
    late.line.feed(0.0, "a")
    late.line.guard.budget_s = AMPLE_S  # a call that waited for the first one would hang here
    for step in range(1, 4):
        assert late.line.feed(0.1 * step, "a").source.tolist() == [Source.PHYSICS]
    assert late.begun.wait(AMPLE_S)
    assert len(late.line.inner.asked) == 1
    assert late.line.counts() == (4, 0, 4, 0, 4, 0)


def test_what_was_missed_is_a_gap_for_the_predictor(late: Late) -> None:
    """The late call saw the frame at 0 s, nothing since: the step at 0.3 s takes 0.3 s, not one frame."""
    late.line.feed(0.0, "a")
    late.line.feed(0.1, "a", "b")
    late.line.feed(0.2, "a", "b")
    late.finish()
    answer = late.line.feed(0.3, "a", "b")
    assert answer.source.tolist() == [Source.MODEL] * 2
    last = late.line.inner.asked[-1]
    assert last.reset.tolist() == [False, True]  # b was born while the predictor was busy
    assert last.dt_s == pytest.approx([0.3, 0.0])
    np.testing.assert_allclose(last.previous_position_m[:, 0], [0.0, 3.0])
    assert late.line.counts() == (4, 2, 5, 0, 3, 0)


def test_a_slot_used_again_during_a_late_call_is_not_its_tracks(late: Late) -> None:
    late.line.feed(0.0, "a")
    late.line.feed(1.5, "b")  # a is gone, b lives in its slot
    late.finish()
    late.line.feed(1.6, "b")
    first, last = late.line.inner.asked
    assert first.slot.tolist() == last.slot.tolist()
    assert last.reset.tolist() == [True]


def test_a_late_call_that_fails_is_counted_and_its_tracks_start_anew(late: Late) -> None:
    late.line.feed(0.0, "a")
    late.outcome = raising
    late.finish()
    assert late.line.feed(0.1, "a").source.tolist() == [Source.MODEL]
    assert late.line.inner.asked[-1].reset.tolist() == [True]
    assert late.line.counts() == (2, 1, 1, 1, 1, 0)


def test_a_late_call_that_gives_nan_poisons_nothing(late: Late) -> None:
    def poison(answer: Prediction) -> Prediction:
        answer.position_m[0] = np.nan
        return answer

    late.line.feed(0.0, "a", "b")
    late.outcome = poison
    late.finish()
    late.line.feed(0.1, "a", "b")
    assert late.line.inner.asked[-1].reset.tolist() == [True, False]


def test_what_was_missed_for_long_is_no_history(late: Late) -> None:
    late.line.feed(0.0, "a")
    for step in range(1, 14):
        late.line.feed(0.1 * step, "a")
    late.finish()
    late.line.feed(1.4, "a")
    assert late.line.inner.asked[-1].reset.tolist() == [True]


def test_a_filter_behind_a_guard_loses_no_ground() -> None:
    """A Kalman filter that misses frames at constant speed goes on where the object is."""
    go = threading.Event()

    class Slow(KalmanConstantVelocity):
        hold = False

        def predict(self, observations: Observations) -> Prediction:
            if self.hold:
                assert go.wait(AMPLE_S)
            return super().predict(observations)

    slow = Slow(TIME_S)
    guard, store = Guard(slow, GuardOptions(AMPLE_S)), TrackStore()

    def feed(step: int) -> Prediction:
        seen = store.update(frame(0.1 * step, {"a": (2.0 * step, 0.0)}), 0)[1]
        assert seen is not None
        return guard.answer(seen)

    for step in range(20):
        feed(step)
    slow.hold, guard.budget_s = True, SHORT_S
    for step in range(20, 25):
        feed(step)
    slow.hold, guard.budget_s = False, AMPLE_S
    go.set()
    assert guard._owner.late_call is not None
    guard._owner.late_call.exception(AMPLE_S)
    np.testing.assert_allclose(feed(25).position_m[0, 0, :, 0], 50 + 20 * TIME_S, atol=0.05)
    guard.close()


def test_closing_waits_for_a_running_call_and_ends_the_thread(late: Late) -> None:
    late.line.feed(0.0, "a")
    late.go.set()
    late.line.guard.close()
    worker = late.line.guard._worker
    assert isinstance(worker, Worker)
    assert not worker._thread.is_alive()
    assert late.line.guard._owner.late_call is not None
    assert late.line.guard._owner.late_call.done()
    late.line.guard.close()  # twice does no harm
    assert late.line.feed(0.1, "a").source.tolist() == [Source.PHYSICS]
    assert "thread has ended" in late.line.guard.counters.last_failure


def test_closing_does_not_hang_with_a_call_that_hangs(late: Late, caplog: pytest.LogCaptureFixture) -> None:
    late.line.feed(0.0, "a")
    assert late.begun.wait(AMPLE_S)
    late.line.guard.close(timeout_s=SHORT_S)
    assert "still runs" in caplog.text
    worker = late.line.guard._worker
    assert isinstance(worker, Worker)
    assert worker._thread.daemon  # so that the process may end


def test_a_guard_that_is_dropped_takes_its_thread_along() -> None:
    line = Line(AMPLE_S)
    line.feed(0.0, "a")
    worker = line.guard._worker
    assert isinstance(worker, Worker)
    thread = worker._thread
    del line, worker
    gc.collect()
    thread.join(AMPLE_S)
    assert not thread.is_alive()


def test_a_guard_refuses_what_cannot_work() -> None:
    with pytest.raises(InputError, match="fallback: expected the predictor's times"):
        Guard(Inner(), GuardOptions(fallback=ConstantVelocity(TIME_S[:1])))
    itself = KalmanConstantVelocity(TIME_S)
    with pytest.raises(InputError, match="fallback: expected another predictor than kalman itself; load one more"):
        Guard(itself, GuardOptions(fallback=itself))
    with pytest.raises(InputError, match="fallback: expected at most 1 modes, got 2"):
        Guard(ConstantVelocity(TIME_S), GuardOptions(fallback=Inner()))


@pytest.mark.parametrize("budget_s", [0.0, -1.0, float("nan"), float("inf"), 1e10, True, "0.05", np.bool_(True)])
def test_a_budget_that_no_timer_takes_is_refused(budget_s: Any) -> None:
    with pytest.raises(ConfigError, match="budget_s: expected a number above 0 and at most 3600, got"):
        GuardOptions(budget_s)


@pytest.mark.parametrize("max_objects", [0, -1, 64.0, 1.5, float("nan"), True, "64", np.float64(64.0)])
def test_a_limit_that_is_no_whole_number_is_refused(max_objects: Any) -> None:
    with pytest.raises(ConfigError, match="max_objects: expected a whole number from 1 on, got"):
        GuardOptions(max_objects=max_objects)


@pytest.mark.parametrize(("budget_s", "max_objects"), [(1, np.int64(1)), (np.float32(60.0), 1), (60, np.uint8(1))])
def test_numbers_of_numpy_work(budget_s: Any, max_objects: Any) -> None:
    guard, store = Guard(Inner(), GuardOptions(budget_s, max_objects)), TrackStore()
    seen = store.update(frame(0.0, {"a": (0.0, 0.0), "b": (9.0, 0.0)}), 0)[1]
    assert seen is not None
    assert sorted(guard.answer(seen).source.tolist()) == [Source.MODEL, Source.PHYSICS]
    guard.close()


def test_no_rows_are_no_trouble(either: Line) -> None:
    assert len(either.feed(0.0)) == 0
    assert either.counts() == (1, 0, 0, 0, 0, 0)


@pytest.mark.parametrize("budget_s", [None, AMPLE_S])
@pytest.mark.parametrize("error", [SystemExit(3), GeneratorExit(), type("Own", (BaseException,), {})("own")])
def test_a_predictor_does_not_end_the_process(budget_s: float | None, error: BaseException) -> None:
    line = Line(budget_s)

    def leave(answer: Prediction) -> Prediction:
        raise error

    line.inner.act = leave
    assert line.feed(0.0, "a").source.tolist() == [Source.PHYSICS]
    line.inner.act = lambda answer: answer
    assert line.feed(0.1, "a").source.tolist() == [Source.MODEL]
    assert line.guard.counters.failures == 1
    assert type(error).__name__ in line.guard.counters.last_failure


def test_ctrl_c_in_a_predictor_without_a_thread_reaches_the_program() -> None:
    line = Line()

    def interrupted(answer: Prediction) -> Prediction:
        raise KeyboardInterrupt

    line.inner.act = interrupted
    with pytest.raises(KeyboardInterrupt):
        line.feed(0.0, "a")


def test_an_exception_whose_text_raises_is_named_all_the_same() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise ZeroDivisionError

    line = Line()

    def fail(answer: Prediction) -> Prediction:
        raise Mute

    line.inner.act = fail
    assert line.feed(0.0, "a").source.tolist() == [Source.PHYSICS]
    assert line.guard.counters.last_failure == "Mute: (its text cannot be read)"


@pytest.mark.parametrize("budget_s", [None, AMPLE_S])
def test_paths_that_the_class_cannot_drive_get_physics(budget_s: float | None) -> None:
    line = Line(budget_s)
    line.inner.act = lambda answer: replace(answer, position_m=answer.position_m + 1000.0)
    assert line.feed(0.0, "a", "b").source.tolist() == [Source.PHYSICS, Source.PHYSICS]
    assert line.guard.counters.non_finite_rows == 2


class Refusing:
    """Asserts that no time is left when it is asked to wait."""

    def submit(self, function: Callable[[Observations], Prediction], asked: Observations) -> Future[Prediction]:
        class Waiting(Future[Prediction]):
            def exception(self, timeout: float | None = None) -> BaseException | None:
                assert timeout == 0.0
                raise FutureTimeoutError

        return Waiting()

    def close(self, timeout_s: float) -> bool:
        return True


def test_the_budget_covers_the_update_of_the_tracks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work before the guard (a hand-over of hundreds of ids, say) takes 1 s here, so nothing is left of 0.5 s."""
    now_ns = [0]
    stream = Stream(Inner(), guard=GuardOptions(0.5, clock_ns=lambda: now_ns[0], caller=Refusing()))
    update = stream.store.update

    def slow(one: TrackFrame, at_ns: int) -> tuple[FrameStatus, Observations | None]:
        now_ns[0] += 10**9
        return update(one, at_ns)

    monkeypatch.setattr(stream.store, "update", slow)
    answer = stream.update(frame(0.0, {"a": (0.0, 0.0)}, velocity=(1.0, 0.0)), 0)
    assert answer.source.tolist() == [Source.PHYSICS]
    assert stream.guard.counters.deadline_misses == 1
