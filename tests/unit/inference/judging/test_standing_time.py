"""How long objects have stood where they are."""

from __future__ import annotations

import numpy as np
import pytest

from tests.frames import frame
from trajnet.inference.judging.standing_time import NEAR_M, StandingTime
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
