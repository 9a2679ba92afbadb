"""How long objects have stood where they are."""

from __future__ import annotations

import numpy as np
import pytest

from tests.frames import frame
from trajnet.inference.judging.standing_time import LEFT_M, NEAR_M, StandingTime
from trajnet.tracking.store import TrackStore
from trajnet.types import FloatArray, TrackFrame


def stood(frames: list[TrackFrame]) -> list[FloatArray]:
    store, standing, found = TrackStore(), StandingTime(), []
    for one in frames:
        observations = store.update(one, one.timestamp_ns)[1]
        assert observations is not None
        standing.observe(observations)
        found.append(standing.stood_s(observations))
    return found


def test_an_object_stands_until_it_is_far_from_where_it_stopped() -> None:
    x_m = [0.0, 0.2, 0.4, 0.2, 0.0, NEAR_M + 0.1, NEAR_M + 0.2]
    found = stood([frame(0.5 * i, {"a": (x, 0.0)}) for i, x in enumerate(x_m)])
    np.testing.assert_allclose(np.concatenate(found), [0.0, 0.5, 1.0, 1.5, 2.0, 0.0, 0.5])


def test_creeping_is_no_standing() -> None:
    found = np.concatenate(stood([frame(0.1 * i, {"a": (0.06 * i, 0.0)}) for i in range(60)]))
    assert found.max() == pytest.approx(0.8)


def test_each_object_has_its_own_time_whatever_else_is_there() -> None:
    later = {f"b{i}": (100.0 + 9.0 * i, 0.0) for i in range(40)}
    frames = [frame(0.0, {"a": (0.0, 0.0)}), frame(1.0, later | {"a": (0.0, 0.0)}), frame(2.0, {"a": (0.1, 0.0)})]
    found = stood(frames)
    np.testing.assert_allclose(found[1], [0.0] * 40 + [1.0])
    np.testing.assert_allclose(found[2], [2.0])


def test_what_has_left_its_first_place_has_moved_for_good() -> None:
    """Back in its place it has moved all the same; a new track in its slot has not."""
    store, standing, found = TrackStore(), StandingTime(), []
    for time_s, name, x_m in ((0.0, "a", 0.0), (0.1, "a", 0.4), (0.2, "a", 0.6), (0.3, "a", 0.0), (9.0, "b", 0.0)):
        observations = store.update(one := frame(time_s, {name: (x_m, 0.0)}), one.timestamp_ns)[1]
        assert observations is not None
        standing.observe(observations)
        found += standing.unmoved(observations).tolist()
    assert found == [True, True, False, False, True]


def test_a_track_that_takes_the_slot_of_another_begins_anew() -> None:
    """In the very place of the one that was forgotten."""
    frames = [frame(0.0, {"a": (0.0, 0.0)}), frame(10.0, {}), frame(20.0, {"b": (0.0, 0.0)})]
    np.testing.assert_allclose(stood(frames)[-1], [0.0])


def leavings(frames: list[TrackFrame]) -> list[list[bool]]:
    store, standing, found = TrackStore(), StandingTime(), []
    for one in frames:
        observations = store.update(one, one.timestamp_ns)[1]
        assert observations is not None
        standing.observe(observations)
        found.append(standing.leaving(observations).tolist())
    return found


def test_what_has_stood_is_leaving_from_some_way_off_for_a_while() -> None:
    """A second in one place, then 2 m/s: from LEFT_M on, until LEAVES_S after it left the circle at 0.6 m."""
    x_m = [0.0] * 11 + [0.2 * i for i in range(1, 61)]
    found = [leaving for (leaving,) in leavings([frame(0.1 * i, {"a": (x, 0.0)}) for i, x in enumerate(x_m)])]
    assert LEFT_M == 0.6
    assert found == [False] * 13 + [True] * 51 + [False] * 7


def test_what_has_stood_for_less_or_creeps_or_is_a_new_track_is_not_leaving() -> None:
    moves = [0.0] * 7 + [0.3 * i for i in range(1, 12)]
    assert not any(one for (one,) in leavings([frame(0.1 * i, {"a": (x, 0.0)}) for i, x in enumerate(moves)]))
    creeps = [frame(0.1 * i, {"a": (0.06 * i, 0.0)}) for i in range(60)]
    assert not any(one for (one,) in leavings(creeps))
    other = [frame(0.1 * i, {"a": (0.0, 0.0)}) for i in range(20)]
    other += [frame(30.0 + 0.1 * i, {"b": (0.3 * i, 0.0)}) for i in range(20)]
    assert not any(one for (one,) in leavings(other))


@pytest.mark.parametrize(("noise_m", "share"), [(0.1, 0.001), (0.15, 0.02), (0.2, 0.05)])
def test_noise_of_what_stands_is_hardly_ever_leaving(noise_m: float, share: float) -> None:
    rng = np.random.default_rng(0)
    places = rng.normal(0.0, noise_m, (200, 30, 2))
    frames = [
        frame(0.1 * i, {f"{k}": tuple(place + [50.0 * k, 0.0]) for k, place in enumerate(at)})
        for i, at in enumerate(places)
    ]
    assert np.mean(leavings(frames)) <= share
