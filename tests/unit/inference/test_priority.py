"""More objects than the model may be shown: who is served, by hand, and that the others lose nothing but the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from tests.frames import frame, observed
from trajnet.context.surroundings import InputRequirements, Surroundings
from trajnet.errors import InputError
from trajnet.inference import Guard, GuardOptions, KalmanConstantVelocity, Stream
from trajnet.inference.priority import Ego, most_important
from trajnet.tracking.store import Observations
from trajnet.types import ObjectClass, Prediction, Source

TIME_S = np.array([0.5, 1.0])
STANDING = Ego(np.zeros(2), np.zeros(2))


def chosen(
    objects: Sequence[tuple[str, float, float, int]], limit: int, ego: Ego | None, served: tuple[str, ...] = ()
) -> str:
    """Objects on the x axis: name, x in m, speed along x in m/s, class -> the names of those that are served."""
    seen = observed(
        frame(
            0.0,
            {name: (x, 0.0) for name, x, _, _ in objects},
            velocity=[(v, 0.0) for _, _, v, _ in objects],
            kind=[kind for *_, kind in objects],
        )
    )
    rows = most_important(seen, limit, np.array([name in served for name, *_ in objects]), ego)
    return "".join(objects[r][0] for r in rows)


CAR, WALKER = ObjectClass.CAR, ObjectClass.PEDESTRIAN


def test_the_closest_now_or_soon_come_first() -> None:
    # Rank in m: a 20; b 50 - 3 * 12 = 14; c 30, for it drives away; d 100 - 3 * 20 = 40.
    objects = [("a", 20.0, 0.0, CAR), ("b", 50.0, -12.0, CAR), ("c", 30.0, 9.0, CAR), ("d", -100.0, 20.0, CAR)]
    assert [chosen(objects, n, STANDING) for n in (1, 2, 3)] == ["b", "ab", "abc"]
    # At 15 m/s along x: a 20 - 45 = -25; b 50 - 81 = -31; c 30 - 18 = 12; d still closes in at 5 m/s: 85.
    driving = Ego(np.zeros(2), np.array([15.0, 0.0]))
    assert [chosen(objects, n, driving) for n in (1, 2, 3)] == ["b", "ab", "abc"]
    away = Ego(np.zeros(2), np.array([-40.0, 0.0]))  # d: 100 - 3 * 60 = -80; the others fall behind
    assert [chosen(objects, n, away) for n in (1, 2, 3)] == ["d", "ad", "acd"]


def test_vulnerable_and_served_objects_have_an_advantage() -> None:
    objects = [("a", 20.0, 0.0, CAR), ("b", 29.0, 0.0, WALKER), ("c", 24.0, 0.0, CAR)]
    assert chosen(objects, 1, STANDING) == "b"  # 29 - 10 against 20
    assert chosen(objects, 2, STANDING) == "ab"
    assert chosen(objects, 2, STANDING, served=("c",)) == "bc"  # 24 - 5


def test_without_an_ego_those_that_move_come_first() -> None:
    objects = [("a", 1.0, 0.0, CAR), ("b", 900.0, 4.0, CAR), ("c", 5.0, 1.2, WALKER), ("d", 0.0, 0.0, CAR)]
    assert [chosen(objects, n, None) for n in (1, 2, 3)] == ["c", "bc", "abc"]  # 13.6, 12, 0 and 0


def test_an_ego_is_two_finite_numbers_twice() -> None:
    for bad in (np.zeros(3), np.array([0.0, np.nan])):
        with pytest.raises(InputError, match=r"Ego\.velocity_mps: expected two finite numbers"):
            Ego(np.zeros(2), bad)


class Shown(KalmanConstantVelocity):
    """A predictor with a memory that keeps what it is shown."""

    def __init__(self) -> None:
        super().__init__(TIME_S)
        self.asked: list[Observations] = []

    def predict(self, observations: Observations) -> Prediction:
        self.asked.append(observations)
        answer = super().predict(observations)
        answer.source[:] = Source.MODEL
        return answer


def test_nobody_is_dropped_and_who_comes_back_has_a_gap() -> None:
    model = Shown()
    stream = Stream(model, guard=GuardOptions(max_objects=2))

    places = {"a": (0.0, 0.0), "b": (60.0, 0.0), "c": (-60.0, 0.0)}

    def put(step: int, far: str) -> dict[str, Source]:
        """The vehicle stands nearer to a and one of the others."""
        ego = Ego(np.array([{"b": -20.0, "c": 20.0}[far], 0.0]), np.zeros(2))
        one = frame(0.1 * step, places, velocity=(0.0, 0.0))
        answer = stream.update(one, one.timestamp_ns, ego)
        answer.validate()
        assert answer.track_id == ("a", "b", "c")
        np.testing.assert_allclose(answer.position_m[:, 0, 0, 0], [p[0] for p in places.values()], atol=0.5)
        return dict(zip(answer.track_id, map(Source, answer.source.tolist()), strict=True))

    assert put(0, "c") == {"a": Source.MODEL, "b": Source.MODEL, "c": Source.PHYSICS}
    assert put(1, "c") == {"a": Source.MODEL, "b": Source.MODEL, "c": Source.PHYSICS}
    assert put(2, "b") == {"a": Source.MODEL, "b": Source.PHYSICS, "c": Source.MODEL}
    assert put(3, "b") == {"a": Source.MODEL, "b": Source.PHYSICS, "c": Source.MODEL}
    assert put(4, "c") == {"a": Source.MODEL, "b": Source.MODEL, "c": Source.PHYSICS}
    assert [a.track_id for a in model.asked] == [("a", "b")] * 2 + [("a", "c")] * 2 + [("a", "b")]
    assert model.asked[2].reset.tolist() == [False, True]  # c was never shown before
    assert model.asked[4].reset.tolist() == [False, False]
    assert model.asked[4].dt_s == pytest.approx([0.1, 0.3])  # b was shown at 0.1 s last
    counters = stream.guard.counters
    assert (counters.model_rows, counters.physics_rows, counters.over_limit_rows) == (10, 5, 5)
    assert counters.non_finite_rows == 0


def test_a_limit_that_is_not_reached_changes_nothing() -> None:
    model = Shown()
    guard = Guard(model, GuardOptions(max_objects=2))
    seen = observed(frame(0.0, {"a": (0, 0), "b": (1, 0)}))
    assert guard.answer(seen).source.tolist() == [Source.MODEL] * 2
    assert guard.counters.over_limit_rows == 0


def test_who_is_not_served_is_still_somebodys_neighbour() -> None:
    class Looking(Shown):
        requirements = InputRequirements(neighbours=1)

    model = Looking()
    stream = Stream(model, guard=GuardOptions(max_objects=2))
    places = {"a": (0.0, 0.0), "b": (3.0, 0.0), "c": (31.0, 0.0), "d": (33.0, 0.0)}
    ego = Ego(np.array([32.0, 0.0]), np.zeros(2))
    stream.update(frame(0.0, {**places, "d": (100.0, 0.0)}, velocity=(0.0, 0.0)), 0, ego)
    assert model.asked[0].track_id == ("b", "c")
    around = model.asked[0].surroundings
    assert around is not None
    assert around.neighbours[..., :2].tolist() == [[[-3.0, 0.0]], [[-28.0, 0.0]]]  # a, who is not asked for; b


def test_nothing_is_looked_up_around_who_is_not_served(monkeypatch: pytest.MonkeyPatch) -> None:
    class Looking(Shown):
        requirements = InputRequirements(neighbours=1)

    made, real = list[int](), Observations.make_surroundings

    def counted(seen: Observations, *of: Any, **more: Any) -> Surroundings:
        found = real(seen, *of, **more)
        made.append(len(found.neighbours))
        return found

    monkeypatch.setattr(Observations, "make_surroundings", counted)
    for limit in (2, None):
        stream = Stream(Looking(), guard=GuardOptions(max_objects=limit))
        stream.update(frame(0.0, {name: (float(x), 0.0) for x, name in enumerate("abcdefg")}), 0)
    assert made == [2, 7]


def test_surroundings_that_cannot_be_made_are_a_failure_like_any(monkeypatch: pytest.MonkeyPatch) -> None:
    class Looking(Shown):
        requirements = InputRequirements(neighbours=1)

    stream = Stream(Looking())

    def fails(seen: Observations, **wanted: object) -> Surroundings:
        raise MemoryError("a map without end")

    monkeypatch.setattr(Observations, "make_surroundings", fails)
    assert stream.update(frame(0.0, {"a": (0, 0)}), 0).source.tolist() == [Source.PHYSICS]
    assert stream.guard.counters.last_failure == "MemoryError: a map without end"
