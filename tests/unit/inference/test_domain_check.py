"""Objects outside of a model's domain get physics, labelled and counted by reason; the others are served as before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from tests.domains import DOMAIN, Stated
from tests.frames import frame
from trajnet.inference import NO_JUDGING, GuardOptions, Stream
from trajnet.inference.domain import Domain
from trajnet.types import ObjectClass, Prediction, Source

TIME_S = np.array([0.5, 1.0])
MODEL, PHYSICS = int(Source.MODEL), int(Source.PHYSICS)


class Street:
    """Objects that drive along x, one to a lane, through a guarded predictor that states a domain."""

    def __init__(self, stated: Domain | None = DOMAIN, **options: Any) -> None:
        self.predictor = Stated(TIME_S, stated)
        self.stream = Stream(self.predictor, guard=GuardOptions(**options), judging=NO_JUDGING)
        self.place_m: dict[str, float] = {}
        self.last_s = 0.0

    def feed(
        self, time_s: float, kinds: dict[str, ObjectClass], speed_mps: Sequence[float], *, measured: bool = True
    ) -> list[int]:
        """Show a frame; return the source of each row."""
        for name, speed in zip(kinds, speed_mps, strict=True):
            self.place_m[name] = self.place_m.get(name, 0.0) + speed * (time_s - self.last_s)
        self.last_s = time_s
        places = {name: (self.place_m[name], 10.0 * i) for i, name in enumerate(kinds)}
        velocity = np.stack([speed_mps, np.zeros(len(kinds))], axis=1) if measured else None
        seen = frame(time_s, places, velocity=velocity, kind=np.array(list(kinds.values()), np.int8))
        answer = self.stream.update(seen, seen.timestamp_ns)
        answer.validate()
        return [int(source) for source in answer.source[: len(kinds)]]

    @property
    def outside(self) -> tuple[int, int, int, int]:
        counters = self.stream.guard.counters
        by_reason = (counters.outside_class_rows, counters.outside_rate_rows, counters.outside_speed_rows)
        return counters.outside_domain_rows, *by_reason


def test_a_class_that_was_never_shown_gets_physics() -> None:
    street = Street()
    kinds = {"a": ObjectClass.CAR, "b": ObjectClass.BICYCLE, "c": ObjectClass.PEDESTRIAN, "d": ObjectClass.UNKNOWN}
    for step in range(3):
        assert street.feed(step * 0.1, kinds, [10.0, 4.0, 1.0, 1.0]) == [MODEL, PHYSICS, MODEL, PHYSICS]
    assert street.predictor.asked[-1].track_id == ("a", "c")
    assert street.outside == (6, 6, 0, 0)
    assert street.stream.guard.counters.physics_rows == 6
    assert street.stream.guard.counters.model_rows == 6
    assert street.stream.guard.counters.non_finite_rows == street.stream.guard.counters.over_limit_rows == 0


@pytest.mark.parametrize("measured", [True, False])
def test_an_object_that_is_too_fast_gets_physics_until_its_speed_was_trained(measured: bool) -> None:
    street, kinds = Street(), {"a": ObjectClass.CAR, "b": ObjectClass.CAR}
    street.feed(0.0, kinds, [10.0, 25.0], measured=measured)
    assert street.feed(0.1, kinds, [10.0, 25.0], measured=measured) == [MODEL, MODEL]  # above 20, within the margin
    got = [street.feed(0.1 * step, kinds, [10.0, 30.0], measured=measured) for step in range(2, 30)]
    assert got[-1] == [MODEL, PHYSICS]
    got = [street.feed(0.1 * step, kinds, [10.0, 25.0], measured=measured) for step in range(30, 60)]
    assert got[-1] == [MODEL, PHYSICS]  # it was too fast: it has to come back into the trained range
    got = [street.feed(0.1 * step, kinds, [10.0, 15.0], measured=measured) for step in range(60, 90)]
    assert got[-1] == [MODEL, MODEL]
    total, of_class, of_rate, of_speed = street.outside
    assert (of_class, of_rate) == (0, 0)
    assert total == of_speed > 0


def test_an_object_that_was_too_fast_is_still_so_after_a_frame_without_it() -> None:
    street, other = Street(), {"b": ObjectClass.CAR}
    both = {**other, "a": ObjectClass.CAR}
    street.feed(0.0, both, [10.0, 30.0])
    assert street.feed(0.1, both, [10.0, 30.0]) == [MODEL, PHYSICS]
    street.feed(0.2, other, [10.0])
    street.place_m["a"] += 3.0
    assert street.feed(0.3, both, [10.0, 25.0]) == [MODEL, PHYSICS]
    assert street.feed(0.4, both, [10.0, 15.0]) == [MODEL, MODEL]


@pytest.mark.parametrize(
    ("period_s", "served"), [(0.04, False), (0.06, True), (0.1, True), (0.18, True), (0.25, False)]
)
def test_a_rate_that_was_never_shown_gets_physics_from_the_second_observation_on(period_s: float, served: bool) -> None:
    street = Street()
    got = [street.feed(step * period_s, {"a": ObjectClass.CAR}, [10.0]) for step in range(10)]
    assert got[0] == [MODEL]  # of one observation nobody knows a rate
    assert got[1:] == [[MODEL if served else PHYSICS]] * 9
    assert street.outside == ((0,) * 4 if served else (9, 0, 9, 0))


def test_a_new_track_is_judged_by_the_rate_of_the_others() -> None:
    street = Street()
    for step in range(4):
        street.feed(0.04 * step, {"a": ObjectClass.CAR, "b": ObjectClass.CAR}, [10.0, 10.0])
    three = {"a": ObjectClass.CAR, "b": ObjectClass.CAR, "c": ObjectClass.CAR}
    assert street.feed(0.16, three, [10.0, 10.0, 10.0]) == [PHYSICS] * 3


def test_a_single_gap_or_a_doubled_frame_is_no_other_rate() -> None:
    street, times_s = Street(), [0.0, 0.1, 0.2, 0.3, 0.7, 0.8, 0.9, 0.901, 1.0, 1.1]
    assert [street.feed(t, {"a": ObjectClass.CAR}, [10.0]) for t in times_s] == [[MODEL]] * len(times_s)


def test_a_new_track_in_the_place_of_another_begins_with_a_clean_record() -> None:
    street = Street()
    for step in range(10):
        street.feed(0.04 * step, {"a": ObjectClass.CAR}, [30.0])
    assert street.outside[0] == 10
    street.place_m = {"b": 500.0}
    got = [street.feed(5.0 + 0.1 * step, {"b": ObjectClass.CAR}, [22.0]) for step in range(5)]
    assert got == [[MODEL]] * 5


def test_the_first_reason_counts() -> None:
    street, kinds = Street(), {"a": ObjectClass.TRUCK, "b": ObjectClass.CAR, "c": ObjectClass.CAR}
    street.feed(0.0, kinds, [30.0, 30.0, 10.0])
    assert street.outside == (2, 1, 0, 1)
    street.feed(0.04, kinds, [30.0, 30.0, 10.0])
    assert street.outside == (5, 2, 2, 1)


@pytest.mark.parametrize(("stated", "options"), [(None, {}), (DOMAIN, {"domain": False})], ids=["not stated", "off"])
def test_without_a_domain_or_with_it_switched_off_every_object_is_served(
    stated: Domain | None, options: dict[str, bool]
) -> None:
    street = Street(stated, **options)
    for step in range(5):
        assert street.feed(step * 0.04, {"a": ObjectClass.CAR, "b": ObjectClass.BUS}, [40.0, 10.0]) == [MODEL, MODEL]
    assert street.outside == (0, 0, 0, 0)


def answers(kinds: dict[str, ObjectClass], domain: bool) -> list[Prediction]:
    stream, kept = Stream(Stated(TIME_S), guard=GuardOptions(domain=domain)), []
    for step in range(5):
        places = {name: (1.0 * step, 10.0 * i) for i, name in enumerate(kinds)}
        kept.append(stream.update(frame(0.1 * step, places, kind=np.array(list(kinds.values()), np.int8)), 0))
    return kept


def test_objects_inside_get_the_same_bytes_as_without_the_check() -> None:
    kinds = {"a": ObjectClass.CAR, "b": ObjectClass.BUS, "c": ObjectClass.CAR}
    for checked, plain in zip(answers(kinds, True), answers(kinds, False), strict=True):
        for name in Prediction.PER_MODE:
            got, expected = getattr(checked, name)[[0, 2]], getattr(plain, name)[[0, 2]]
            assert got.tobytes() == expected.tobytes(), name


def test_objects_outside_take_no_place_of_the_limit() -> None:
    street = Street(max_objects=2)
    kinds = {"a": ObjectClass.BICYCLE, "b": ObjectClass.CAR, "c": ObjectClass.BICYCLE, "d": ObjectClass.CAR}
    assert street.feed(0.0, kinds, [1.0, 2.0, 1.0, 3.0]) == [PHYSICS, MODEL, PHYSICS, MODEL]
    assert street.stream.guard.counters.over_limit_rows == 0
    more = {**kinds, "e": ObjectClass.CAR}
    assert street.feed(0.1, more, [1.0, 2.0, 1.0, 3.0, 1.0]) == [PHYSICS, MODEL, PHYSICS, MODEL, PHYSICS]
    assert street.stream.guard.counters.over_limit_rows == 1
    assert street.outside == (4, 4, 0, 0)


def test_a_frame_with_nothing_inside_does_not_call_the_model() -> None:
    street = Street(budget_s=60.0)
    try:
        assert street.feed(0.0, {"a": ObjectClass.BUS}, [1.0]) == [PHYSICS]
        assert street.predictor.asked == []
        assert street.feed(0.1, {}, []) == []
    finally:
        street.stream.close()
