"""The policy of time, gaps and slots, with sequences computed by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from tests.frames import SECOND, frame
from trajnet.context.surroundings import InputRequirements
from trajnet.errors import ConfigError
from trajnet.geometry import rotate, wrap_angle
from trajnet.tracking.motion import STEADY_TIME_S
from trajnet.tracking.store import Observations, TrackPolicy, TrackStore
from trajnet.types import ObjectClass, TrackFrame


def feed(store: TrackStore, one: TrackFrame, delay_s: float = 0.0) -> Observations:
    seen = store.update(one, one.timestamp_ns + round(delay_s * SECOND))[1]
    assert seen is not None
    return seen


def test_a_track_is_born_and_carries_on() -> None:
    store = TrackStore()
    first = feed(store, frame(10.0, {"a": (1, 2)}, yaw=0.5))
    assert first.reset.tolist() == [True]
    assert first.dt_s.tolist() == [0.0]
    np.testing.assert_array_equal(first.previous_position_m, [[1, 2]])
    assert (first.previous_yaw_rad[0], first.previous_yaw_valid[0]) == (0.5, True)
    second = feed(store, frame(10.25, {"a": (2, 2)}, yaw=0.7))
    assert second.reset.tolist() == [False]
    assert second.dt_s == pytest.approx([0.25], abs=1e-12)
    np.testing.assert_array_equal(second.previous_position_m, [[1, 2]])
    assert (second.previous_yaw_rad[0], second.yaw_rad[0]) == (0.5, 0.7)
    assert second.slot == first.slot
    assert (store.counters.born, store.counters.frames, store.live) == (1, 2, 1)


def test_the_tracks_that_are_missing_are_known_in_every_frame() -> None:
    """Whether the same ones are reported as before, others, or none, also right after one has expired."""
    store = TrackStore(TrackPolicy(timeout_s=0.5))
    reported = ("ab", "a", "a", "a", "b", "", "", "ab", "b", "b", "b", "b", "", "a")
    missing = ("", "b", "b", "b", "a", "ba", "ba", "", "a", "a", "a", "a", "b", "b")
    for step, (ids, wanted) in enumerate(zip(reported, missing, strict=True)):
        feed(store, frame(0.125 * step, {one: (100.0 * (one == "b"), 0.0) for one in ids}))
        assert sorted(store.coasting().track_id) == sorted(wanted), step
        assert store.any_coasting is bool(wanted)


def test_surroundings_are_added_to_the_same_rows() -> None:
    seen = feed(TrackStore(), frame(0.0, {"a": (1, 2), "b": (3, 4)}))
    around = seen.make_surroundings(InputRequirements(neighbours=1), None)
    told = seen.with_surroundings(around)
    assert (told.surroundings is around, seen.surroundings) == (True, None)
    for name, value in vars(seen).items():
        assert name == "surroundings" or getattr(told, name) is value


def test_every_kind_of_wrong_time() -> None:
    store = TrackStore(TrackPolicy(late_s=0.2, reset_jump_s=1.0))
    sequence = [
        (5.0, 5.0, "used"),
        (5.1, 5.3, "used"),  # exactly the limit is not late
        (5.2, 5.4 + 1e-9, "late"),
        (5.2, 5.5, "duplicate"),
        (5.1, 5.6, "out_of_order"),
        (4.2, 5.6, "out_of_order"),  # exactly the limit of a jump
        (5.3, 5.3, "used"),
        (4.299, 4.3, "clock_reset"),
        (4.4, 4.4, "used"),
    ]
    for stamp_s, now_s, expected in sequence:
        status, seen = store.update(frame(stamp_s, {"a": (stamp_s, 0)}), round(now_s * SECOND))
        assert status == expected, (stamp_s, now_s)
        assert (seen is None) == (expected in ("duplicate", "out_of_order"))
    counters = store.counters
    assert (counters.frames, counters.late, counters.duplicate, counters.out_of_order) == (9, 1, 1, 2)
    assert (counters.clock_reset, counters.born, counters.removed, counters.resumed) == (1, 2, 0, 0)


def test_a_dropped_frame_changes_no_track() -> None:
    store, straight = TrackStore(), TrackStore()
    for s in (store, straight):
        feed(s, frame(1.0, {"a": (0, 0)}))
    store.update(frame(0.9, {"a": (50, 0), "ghost": (1, 1)}), SECOND)
    store.update(frame(1.0, {"a": (60, 0), "ghost": (1, 1)}), SECOND)
    got, expected = (feed(s, frame(1.1, {"a": (1, 0)})) for s in (store, straight))
    np.testing.assert_array_equal(got.previous_position_m, expected.previous_position_m)
    assert got.dt_s == expected.dt_s == pytest.approx([0.1], abs=1e-12)
    assert store.live == 1


def test_after_a_clock_reset_everybody_is_new() -> None:
    store = TrackStore()
    feed(store, frame(100.0, {"a": (0, 0)}))
    seen = feed(store, frame(1.0, {"a": (9, 9)}))
    assert seen.reset.all()
    assert seen.dt_s.tolist() == [0.0]
    assert store.newest_ns == SECOND


@pytest.mark.parametrize("turns", [-1, 1, 1000, 10**6])
def test_whole_turns_of_a_yaw_are_taken_off(turns: int) -> None:
    store = TrackStore()
    for stamp_s in (1.0, 1.1):
        seen = feed(store, frame(stamp_s, {"a": (0, 0)}, yaw=0.5 + 2 * np.pi * turns))
        assert seen.yaw_rad == pytest.approx([0.5], abs=1e-8)
    assert seen.previous_yaw_rad == pytest.approx([0.5], abs=1e-8)


def test_older_frames_that_rise_are_the_new_clock() -> None:
    store = TrackStore()
    feed(store, frame(5.0, {"a": (0, 0)}))
    feed(store, frame(5.9, {"a": (0, 0)}))  # stamped ahead
    stamps_s = (5.1, 5.2, 5.3, 5.4)
    told = [store.update(frame(s, {"a": (0, 0)}), round(s * SECOND))[0] for s in stamps_s]
    assert told == ["out_of_order", "out_of_order", "clock_reset", "used"]
    assert (store.counters.out_of_order, store.counters.clock_reset, store.live) == (2, 1, 1)


def test_a_gap_keeps_the_track_and_dt_tells_its_length() -> None:
    store = TrackStore(TrackPolicy(timeout_s=1.0))
    feed(store, frame(0.0, {"a": (0, 0), "b": (5, 5)}))
    feed(store, frame(0.1, {"b": (5, 5)}))
    coasting = store.coasting()
    assert coasting.track_id == ("a",)
    assert coasting.age_s == pytest.approx([0.1])
    seen = feed(store, frame(1.0, {"a": (3, 0), "b": (5, 5)}))  # exactly the time-out later: still there
    assert seen.reset.tolist() == [False, False]
    assert seen.dt_s == pytest.approx([1.0, 0.9], abs=1e-12)
    np.testing.assert_array_equal(seen.previous_position_m, [[0, 0], [5, 5]])
    assert (store.counters.resumed, store.counters.removed) == (1, 0)
    assert store.coasting().track_id == ()


def test_after_the_timeout_the_same_id_is_a_new_track() -> None:
    store = TrackStore(TrackPolicy(timeout_s=1.0))
    feed(store, frame(0.0, {"a": (0, 0)}))
    seen = feed(store, frame(1.0 + 1e-9, {"a": (3, 0)}))
    assert seen.reset.tolist() == [True]
    assert (store.counters.born, store.counters.removed, store.counters.resumed) == (2, 1, 0)


def test_frames_without_objects_let_tracks_expire() -> None:
    store = TrackStore(TrackPolicy(timeout_s=0.5))
    feed(store, frame(0.0, {"a": (0, 0)}))
    assert len(feed(store, frame(0.4, {}))) == 0
    assert store.coasting().track_id == ("a",)
    feed(store, frame(0.8, {}))
    assert store.live == 0


def test_slots_are_used_again_and_never_twice_at_once() -> None:
    store = TrackStore(TrackPolicy(timeout_s=0.15, handover=False))
    draw = np.random.default_rng(3)
    slot_of: dict[str, int] = {}
    for step in range(200):
        ids = [str(i) for i in draw.choice(60, size=20, replace=False)]
        seen = feed(store, frame(0.1 * step, dict.fromkeys(ids, (0.0, 0.0))))
        assert len(set(seen.slot.tolist())) == len(ids)
        for track_id, slot, reset in zip(seen.track_id, seen.slot.tolist(), seen.reset.tolist(), strict=True):
            assert reset or slot_of[track_id] == slot
            slot_of[track_id] = slot
        coasting = store.coasting()
        assert not set(coasting.slot.tolist()) & set(seen.slot.tolist())
        assert len(coasting.slot) + len(seen) == store.live
    assert store.capacity == 64  # at most 40 live at once
    assert store.counters.born - store.counters.removed == store.live


def test_growth_keeps_what_was_known() -> None:
    store = TrackStore()
    assert store.capacity == 32
    few = {f"f{i}": (float(i), 0.0) for i in range(30)}
    feed(store, frame(0.0, few, yaw=np.arange(30) * 0.1))
    many = {**few, **{f"m{i}": (0.0, float(i)) for i in range(170)}}
    seen = feed(store, frame(0.1, many))
    assert store.capacity == 256
    assert len(set(seen.slot.tolist())) == 200
    assert seen.reset.tolist() == [False] * 30 + [True] * 170
    np.testing.assert_array_equal(seen.previous_position_m[:30, 0], np.arange(30))
    np.testing.assert_array_equal(seen.previous_yaw_rad[:30], np.arange(30) * 0.1)


def test_reset_forgets_tracks_and_clock_but_not_the_counters() -> None:
    store = TrackStore()
    feed(store, frame(5.0, {"a": (0, 0)}))
    store.reset()
    assert (store.live, store.newest_ns, store.counters.born) == (0, None, 1)
    assert feed(store, frame(4.9, {"a": (0, 0)})).reset.all()


def test_rows_keep_the_order_of_the_frame() -> None:
    store = TrackStore()
    feed(store, frame(0.0, {"a": (1, 0), "b": (2, 0), "c": (3, 0)}))
    seen = feed(store, frame(0.1, {"c": (3, 1), "d": (4, 1), "a": (1, 1)}))
    assert seen.track_id == ("c", "d", "a")
    np.testing.assert_array_equal(seen.previous_position_m, [[3, 0], [4, 1], [1, 0]])
    assert seen.reset.tolist() == [False, True, False]


def test_what_is_not_measured_is_zero_never_nan() -> None:
    store = TrackStore()
    seen = feed(store, frame(0.0, {"a": (0, 0)}, yaw=None, velocity=None))
    assert (seen.yaw_rad[0], seen.velocity_mps.tolist()) == (0.0, [[0.0, 0.0]])


@pytest.mark.parametrize("name", ["timeout_s", "late_s", "reset_jump_s", "heading_step_m"])
@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf"), "1", True])
def test_a_policy_of_nonsense_is_refused(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"{name}: expected a number above 0"):
        TrackPolicy(**{name: value})


@pytest.mark.parametrize("name", ["timeout_s", "late_s", "reset_jump_s"])
def test_a_time_that_64_bits_do_not_hold_is_refused(name: str) -> None:
    too_long_s: Any = 1e10
    with pytest.raises(ConfigError, match=f"{name}: expected a number above 0 and at most 1e"):
        TrackPolicy(**{name: too_long_s})


def headings(path: list[tuple[float, float]], measured: dict[int, float] | None = None) -> list[float]:
    store, found = TrackStore(), []
    for step, place in enumerate(path):
        yaw = (measured or {}).get(step)
        found.append(float(feed(store, frame(0.1 * step, {"a": place}, yaw=yaw)).yaw_rad[0]))
    return found


def test_a_heading_is_derived_by_hand() -> None:
    # Steps of 0.2 m: 0.3 m from the anchor are reached at the second step, then the anchor moves there.
    up = np.pi / 2
    path = [(0.0, 0.0), (0.0, 0.2), (0.0, 0.4), (0.2, 0.4), (0.4, 0.4), (0.4, 0.4)]
    assert headings(path) == pytest.approx([0.0, up, up, up, 0.0, 0.0])


def turns(path: list[tuple[float, float]], **more: ArrayLike | None) -> list[tuple[float, float, bool, bool]]:
    """(yaw, previous yaw, heading known, direction known) of one object at each place of its path."""
    options: dict[str, Any] = {"yaw": None, **more}
    store, found = TrackStore(TrackPolicy(doubt_velocities=False)), []
    for step, place in enumerate(path):
        seen = feed(store, frame(0.1 * step, {"a": place}, **options))
        flags = bool(seen.heading_known[0]), bool(seen.direction_known[0])
        found.append((float(seen.yaw_rad[0]), float(seen.previous_yaw_rad[0]), *flags))
    return found


def test_a_heading_that_becomes_known_is_no_turn() -> None:
    up = np.pi / 2
    path = [(0.0, 0.0), (0.0, 0.0), (0.1, 0.0), (0.0, 0.2), (0.0, 0.4), (0.4, 0.4)]
    assert [row[2] for row in turns(path)] == [False, False, False, False, True, True]
    assert [row[3] for row in turns(path)] == [False, False, True, True, True, True]
    assert [row[:2] for row in turns(path)] == [
        pytest.approx(expected)
        for expected in [(0.0, 0.0), (0.0, 0.0), (0.0, 0.0), (up, up), (up, up), (0.0, up)]  # the last one is a turn
    ]


def test_back_where_it_began_an_object_points_the_way_it_came() -> None:
    """Less than heading_step_m out and exactly back: the way so far is none, the last displacement is one."""
    path = [(5.0, 5.0), (5.1, 5.0), (5.0, 5.0), (5.0, 5.2), (5.0, 5.0), (5.0, 5.0)]
    found = turns(path)
    assert [row[3] for row in found] == [False, True, True, True, True, False]  # there again it stands, as at first
    assert [row[0] for row in found] == pytest.approx([0.0, 0.0, np.pi, np.pi / 2, -np.pi / 2, 0.0])
    assert [row[1] for row in found] == [row[0] for row in found]  # no hint is a turn from another
    assert not any(row[2] for row in found)
    measured = turns(path, velocity=(0.0, 3.0))
    assert [row[0] for row in measured] == pytest.approx([np.pi / 2] * 6)  # a measured velocity comes first


def test_a_known_heading_stays_where_the_object_is_back_at_its_anchor() -> None:
    path = [(0.0, 0.0), (0.4, 0.0), (0.4, 0.2), (0.4, 0.0)]
    assert turns(path)[1:] == [(0.0, 0.0, True, True)] * 3


def test_a_measured_velocity_hints_at_the_direction_until_the_heading_is_known() -> None:
    up = np.pi / 2
    path = [(0.0, 0.0), (0.1, 0.0), (0.4, 0.0), (0.4, 0.0)]
    assert [row[0] for row in turns(path, velocity=(0.0, 2.0))] == pytest.approx([up, up, 0.0, 0.0])
    assert all(row[3] for row in turns(path, velocity=(0.0, 2.0)))
    assert not turns(path, velocity=(0.0, 0.0))[0][3]


@given(
    st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1)), min_size=2, max_size=10),
    st.lists(st.booleans(), min_size=10, max_size=10),
    st.floats(-3, 3),
)
def test_in_a_turned_scene_every_heading_turns(
    path: list[tuple[float, float]], measured: list[bool], angle: float
) -> None:
    def run(angle: float) -> list[Observations]:
        store, seen = TrackStore(), []
        for step, place in enumerate(rotate(np.array(path).round(3), np.array(angle))):
            yaw = 0.3 * step + angle if measured[step] else None
            seen.append(feed(store, frame(0.1 * step, {"a": tuple(place)}, yaw=yaw)))
        return seen

    way = np.diff(np.array(path).round(3), axis=0)
    assume(not np.any(np.abs(np.hypot(way[:, 0], way[:, 1]) - 0.3) < 1e-6))
    for one, other in zip(run(0.0), run(angle), strict=True):
        assert one.direction_known == other.direction_known
        for name in ("yaw_rad", "previous_yaw_rad"):
            turned = wrap_angle(getattr(other, name) - getattr(one, name) - angle)
            assert abs(turned[0]) < 1e-6 or not one.direction_known[0]


def test_a_measured_heading_wins_and_is_kept_until_the_object_moves() -> None:
    path = [(0.0, 0.0), (0.0, 0.1), (0.0, 0.2), (0.0, 0.5)]
    assert headings(path, {1: 2.0}) == pytest.approx([0.0, 2.0, 2.0, np.pi / 2])


def test_which_headings_were_measured_is_told() -> None:
    store, told = TrackStore(), []
    for step, yaw in enumerate((None, 0.5, None, 0.7)):
        seen = feed(store, frame(0.1 * step, {"a": (0, 0)}, yaw=yaw))
        told.append((bool(seen.previous_yaw_valid[0]), bool(seen.yaw_valid[0])))
    assert told == [(False, False), (False, True), (True, False), (False, True)]


PATH = st.lists(st.tuples(st.floats(-5, 5), st.floats(-5, 5)), min_size=2, max_size=12)


@given(PATH, PATH, st.data())
def test_no_heading_depends_on_the_future(
    path: list[tuple[float, float]], other: list[tuple[float, float]], data: st.DataObject
) -> None:
    step = data.draw(st.integers(1, len(path)))
    assert headings(path[:step] + other)[:step] == headings(path)[:step]


def test_a_derived_heading_is_steady_near_standstill() -> None:
    draw = np.random.default_rng(0)
    angle, radius = draw.uniform(0, 2 * np.pi, 500), 0.14 * draw.random(500)
    drive = [(0.5 * i, 0.5 * i) for i in range(10)]
    stand = [(4.5 + r * np.cos(a), 4.5 + r * np.sin(a)) for a, r in zip(angle, radius, strict=True)]
    found = headings(drive + stand)
    assert found[1:] == pytest.approx([np.pi / 4] * (len(found) - 1))


def test_the_steady_velocity_of_a_first_observation_is_what_was_measured() -> None:
    store = TrackStore()
    first = frame(0.0, {"a": (0.0, 0.0), "b": (1.0, 1.0)}, velocity=(3.0, 4.0))
    first = replace(first, velocity_valid=np.array([True, False]))
    seen = store.update(first, 0)[1]
    assert seen is not None
    assert seen.steady_velocity_mps.tolist() == [[3.0, 4.0], [0.0, 0.0]]
    seen = store.update(frame(0.1, {"a": (0.0, 0.0), "b": (1.0, 1.5)}), 0)[1]
    assert seen is not None
    kept = np.exp(-0.1 / STEADY_TIME_S)
    np.testing.assert_allclose(seen.steady_velocity_mps, [[3.0 * kept, 4.0 * kept], [0.0, 5.0]])


def test_a_leap_that_no_car_makes_starts_the_track_anew() -> None:
    """10 m/s for 1 s, then 10 m ahead or 30 m aside in 0.1 s: ids swapped or used again, a tracker that restarted."""
    for leap in ((10.0, 0.0), (0.0, 30.0)):
        store = TrackStore()
        for step in range(20):
            off = leap if step >= 10 else (0.0, 0.0)
            _, seen = store.update(frame(0.1 * step, {"a": (step + off[0], off[1])}, velocity=(10.0, 0.0)), 0)
            assert seen is not None
            assert seen.reset.tolist() == [step in (0, 10)]
            assert seen.slot.tolist() == [0]
            if step == 10:
                assert seen.dt_s.tolist() == [0.0]
                assert seen.previous_position_m.tolist() == seen.position_m.tolist()
        assert (store.counters.restarted, store.counters.born) == (1, 1)
        assert seen is not None
        np.testing.assert_allclose(seen.steady_velocity_mps, [[10.0, 0.0]], atol=1e-6)


def streamed(
    place_m: list[tuple[float, float]], *, hz: float = 10.0, velocity: tuple[float, float] | None = None
) -> tuple[TrackStore, list[Observations]]:
    """Return the store and the observations of one car that is at these places, frame by frame."""
    store, found = TrackStore(), []
    for step, place in enumerate(place_m):
        _, seen = store.update(frame(step / hz, {"a": place}, velocity=velocity), 0)
        assert seen is not None
        found.append(seen)
    return store, found


@pytest.mark.parametrize("velocity", [(10.0, 0.0), None])
@pytest.mark.parametrize("leap", [(2.0, 0.0), (-2.0, 0.0), (0.0, 2.0), (1.0, 0.0)])
def test_a_small_leap_out_of_a_steady_track_is_no_motion(
    leap: tuple[float, float], velocity: tuple[float, float] | None
) -> None:
    """10 m/s, and 2 m beside that in one step of 0.1 s: the model took it for 30 m/s, and its path was 84 m long."""
    places = [(step + (leap[0] if step >= 10 else 0.0), leap[1] if step >= 10 else 0.0) for step in range(20)]
    store, found = streamed(places, velocity=velocity)
    for step, seen in enumerate(found[1:], start=1):
        assert not seen.reset.any()
        assert seen.position_m.tolist() == [list(places[step])]  # where it is stays where it is seen
        np.testing.assert_allclose(seen.position_m - seen.previous_position_m, [[1.0, 0.0]], atol=1e-9)
        np.testing.assert_allclose(seen.yaw_rad, 0.0, atol=1e-9)
        if step > 1 or velocity is not None:
            np.testing.assert_allclose(seen.steady_velocity_mps, [[10.0, 0.0]], atol=1e-6)
    assert (store.counters.shifted, store.counters.restarted) == (1, 0)


@pytest.mark.parametrize(("hz", "leap_m"), [(2.0, 2.0), (5.0, 1.0), (10.0, 0.7)])
def test_a_standing_car_that_is_said_to_stand_has_not_driven(hz: float, leap_m: float) -> None:
    """Velocity 0 is measured, the place leaps by 2 m: the model took it for a start, its path was 42 m long."""
    store, found = streamed([(leap_m if step >= 10 else 0.0, 0.0) for step in range(14)], hz=hz, velocity=(0.0, 0.0))
    for seen in found:
        assert (seen.position_m - seen.previous_position_m).tolist() == [[0.0, 0.0]]
        assert seen.steady_velocity_mps.tolist() == [[0.0, 0.0]]
    assert (store.counters.shifted, store.counters.restarted) == (1, 0)


def test_a_detection_that_leaps_and_comes_back_is_no_motion_either_time() -> None:
    store, found = streamed([(step, 2.0 if step == 10 else 0.0) for step in range(20)])
    assert store.counters.shifted == 2
    for seen in found[1:]:
        np.testing.assert_allclose(seen.position_m - seen.previous_position_m, [[1.0, 0.0]], atol=1e-9)


def test_a_velocity_that_stays_another_one_is_believed_after_two_steps() -> None:
    store, found = streamed([(step + 1.5 * max(0, step - 10), 0.0) for step in range(20)])
    moved_m = [float((seen.position_m - seen.previous_position_m)[0, 0]) for seen in found]
    np.testing.assert_allclose(moved_m[11:15], [1.0, 1.0, 2.5, 2.5], atol=1e-6)
    assert store.counters.shifted == 2


def test_a_track_that_wobbles_is_taken_as_it_comes() -> None:
    """A detector's noise of 0.5 m along each axis: hardly a step in a thousand is taken for a leap."""
    noise_m = np.random.default_rng(0).normal(0.0, 0.5, (3_000, 2))
    store, _ = streamed([(step + x, y) for step, (x, y) in enumerate(noise_m.tolist())])
    assert store.counters.restarted + store.counters.shifted <= 10


@pytest.mark.parametrize("measured", [True, False])
def test_ids_that_swap_for_one_frame_are_leaps_both_times(measured: bool) -> None:
    """Two cars 9 m apart: back in its place a track had 90 m/s, as its class can, and a path of 169 m."""
    store = TrackStore()
    for step in range(20):
        away = 9.0 if step == 10 else 0.0
        places = {"a": (step + away, 0.0), "b": (step + 9.0 - away, 0.0)}
        _, seen = store.update(frame(0.1 * step, places, velocity=(10.0, 0.0) if measured else None), 0)
        assert seen is not None
        moved_m = seen.position_m - seen.previous_position_m
        assert seen.reset.tolist() == [step in (0, 10, 11)] * 2
        np.testing.assert_allclose(moved_m, [[0.0 if step in (0, 10, 11) else 1.0, 0.0]] * 2, atol=1e-9)
    assert store.counters.restarted == 4


def test_after_two_leaps_in_a_row_a_track_is_believed() -> None:
    """10 m/s, a leap, and from then on 30 m/s: a track that began anew for ever would have no history."""
    store = TrackStore()
    for step in range(20):
        _, seen = store.update(frame(0.1 * step, {"a": (step if step < 10 else 3.0 * step + 50.0, 0.0)}), 0)
        assert seen is not None
        assert seen.reset.tolist() == [step in (0, 10, 11)]


def test_a_leap_and_a_gap_tell_of_each_other_only() -> None:
    """Wobble and past are the track's own: one that is born in the slot of another begins without them."""
    store = TrackStore(TrackPolicy(timeout_s=0.1))
    for step in range(10):
        store.update(frame(0.1 * step, {"a": (step, 0.0)}), 0)
    for step in range(3):
        _, seen = store.update(frame(5.0 + 0.1 * step, {"b": (2.0 * step * step, 50.0)}), 0)
    assert seen is not None
    assert seen.slot.tolist() == [0]
    assert store.counters.shifted == 0


def test_an_id_used_again_by_a_pedestrian_elsewhere_starts_anew() -> None:
    store = TrackStore()
    for step in range(10):
        store.update(frame(0.1 * step, {"a": (step, 0.0)}, velocity=(10.0, 0.0)), 0)
    walker = frame(1.8, {"a": (80.0, 60.0)}, velocity=(0.0, 1.2), kind=ObjectClass.PEDESTRIAN)
    _, seen = store.update(walker, 0)
    assert seen is not None
    assert seen.reset.tolist() == [True]
    assert store.counters.restarted == 1


def test_a_source_whose_velocity_is_always_zero_is_believed_after_a_step() -> None:
    """Second observations are judged by the class's highest speed alone, or such a track would begin anew for ever."""
    store = TrackStore()
    for step in range(10):
        _, seen = store.update(frame(0.5 * step, {"a": (10.0 * step, 0.0)}, velocity=(0.0, 0.0)), 0)
        assert seen is not None
        assert seen.reset.tolist() == [step == 0]
    assert store.counters.restarted == 0


def test_a_speed_beyond_the_class_counts_as_not_measured() -> None:
    store = TrackStore()
    both = {"car": (0.0, 0.0), "walker": (5.0, 5.0)}
    kinds = [ObjectClass.CAR, ObjectClass.PEDESTRIAN]
    _, seen = store.update(frame(0.0, both, velocity=(50.0, 0.0), kind=kinds), 0)
    assert seen is not None
    assert seen.velocity_valid.tolist() == [True, False]
    assert seen.velocity_mps.tolist() == [[50.0, 0.0], [0.0, 0.0]]
    assert store.counters.implausible_speed == 1


@pytest.mark.parametrize("turns", [1000, -3, 1e6])
def test_a_yaw_of_many_turns_is_that_of_none(turns: float) -> None:
    found = []
    for extra in (0.0, 2 * np.pi * turns):
        store = TrackStore()
        for step in range(3):
            _, seen = store.update(frame(0.1 * step, {"a": (step, 0.0)}, yaw=0.3 + extra), 0)
        assert seen is not None
        found.append((seen.yaw_rad[0], seen.previous_yaw_rad[0]))
    np.testing.assert_allclose(found[1], found[0], atol=1e-8)


def test_a_track_born_in_a_used_slot_has_not_leapt() -> None:
    store = TrackStore(TrackPolicy(timeout_s=0.1))
    store.update(frame(0.0, {"a": (0.0, 0.0)}, velocity=(1.0, 0.0)), 0)
    _, seen = store.update(frame(1.0, {"b": (500.0, 0.0)}, velocity=(1.0, 0.0)), 0)
    assert seen is not None
    assert seen.slot.tolist() == [0]
    assert (store.counters.born, store.counters.restarted) == (2, 0)


def test_a_leap_out_of_line_gives_no_heading() -> None:
    """A standing object that its tracker puts 1.2 m aside has not driven there."""
    store = TrackStore()
    for i in range(10):
        feed(store, frame(i / 10, {"a": (3.0, 4.0)}, yaw=None))
    seen = feed(store, frame(1.0, {"a": (3.0, 5.2)}, yaw=None))
    assert store.counters.shifted == 1
    assert (seen.heading_known.tolist(), seen.direction_known.tolist()) == ([False], [False])
    np.testing.assert_allclose(seen.steady_velocity_mps, 0.0, atol=1e-12)
