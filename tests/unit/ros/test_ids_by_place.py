"""Objects without an id of their own, told apart by where they are."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.ros.tracked_cars import objects_of
from trajnet.ros import ids_by_place
from trajnet.ros.from_autoware import MessageCleaner
from trajnet.ros.ids_by_place import UNSET_ID, IdsByPlace, Places, shared_ids

A, B = "a" * 32, "b" * 32
MS = 1_000_000


def names(
    ids: IdsByPlace, uuids: tuple[str, ...], x_m: list[float], time_ms: int, speed_mps: float | None = 10.0
) -> tuple[str, ...]:
    """Name objects on the x axis that all drive at one speed, or at one that is not known."""
    count = len(uuids)
    position_m = np.stack([np.array(x_m, dtype=np.float64), np.zeros(count)], axis=1)
    velocity_mps = np.tile([speed_mps or 0.0, 0.0], (count, 1))
    return ids.assign(uuids, position_m, velocity_mps, np.full(count, speed_mps is not None), time_ms * MS)


def test_an_id_of_ones_own_is_the_track_id() -> None:
    assert names(IdsByPlace(), (A, B), [0, 0], 0) == (A, B)


def test_objects_with_an_unset_id_keep_their_tracks_in_any_order() -> None:
    ids = IdsByPlace()
    first = names(ids, (UNSET_ID,) * 3, [0, 10, 20], 0)
    assert len({*first, UNSET_ID}) == 4
    again = names(ids, (UNSET_ID,) * 3, [21, 1, 11], 100)
    assert again == (first[2], first[0], first[1])


def test_without_a_velocity_the_way_since_the_last_message_tells_where_an_object_goes() -> None:
    ids = IdsByPlace()
    first = names(ids, (UNSET_ID,) * 2, [0, 5], 0, None)
    assert names(ids, (UNSET_ID,) * 2, [3, 5], 100, None) == first  # 30 m/s, and one that stands
    assert names(ids, (UNSET_ID,) * 2, [6, 5], 200, None) == first  # by the last place alone they would have swapped


def test_the_object_that_had_the_id_first_keeps_it() -> None:
    ids = IdsByPlace()
    assert names(ids, (A,), [0], 0) == (A,)
    assert names(ids, (A, A), [50, 1], 100) == (f"{A}#0", A)
    assert names(ids, (A, A), [2, 51], 200) == (A, f"{A}#0")
    assert names(ids, (A,), [52], 300) == (f"{A}#0",)


def test_a_place_is_forgotten_after_a_second_and_no_id_is_made_twice() -> None:
    ids = IdsByPlace()
    first = names(ids, (UNSET_ID,), [0], 0)
    assert names(ids, (UNSET_ID,), [10], 1000) == first
    later = names(ids, (UNSET_ID,), [20.1], 2001)
    ids.reset()
    assert len({*first, *later, *names(ids, (UNSET_ID,), [20.1], 2001)}) == 3


def test_beyond_the_gate_it_is_another_object() -> None:
    ids = IdsByPlace()
    first = names(ids, (UNSET_ID,), [0], 0)
    assert names(ids, (UNSET_ID,), [1 + 2.4], 100) == first  # 2 m at once and 5 m/s for 0.1 s
    assert names(ids, (UNSET_ID,), [4.4 + 2.6], 200) != first


def test_many_at_one_place_all_keep_a_track() -> None:
    ids = IdsByPlace()
    first = names(ids, (UNSET_ID,) * 40, [0] * 40, 0, 0.0)
    assert set(names(ids, (UNSET_ID,) * 40, [0] * 40, 100, 0.0)) == set(first)


def test_the_work_is_bounded() -> None:
    ids = IdsByPlace()
    count = ids_by_place.MAX_ROWS + 100
    for step in range(4):
        made = names(ids, (UNSET_ID,) * count, [0.0] * count, 100 * step, 0.0)
        assert len(set(made)) == count
    kept = set(made) & set(names(ids, (UNSET_ID,) * count, [0.0] * count, 400, 0.0))
    assert len(kept) <= ids_by_place.MAX_ROWS


def plainly_matched(now: Places, places: Places) -> list[int]:
    """Match as the module says, one pair after the other: the nearest of all first, the first row among equals."""
    pairs = []
    for row, uuid in enumerate(now.uuid):
        for column in range(len(places)):
            dt_s = (now.stamp_ns[row] - places.stamp_ns[column]) * 1e-9
            known = bool(places.velocity_known[column])
            expected_m = places.position_m[column] + (places.velocity_mps[column] * dt_s if known else 0.0)
            off_m = float(np.hypot(*(now.position_m[row] - expected_m)))
            speed_mps = ids_by_place.GATE_MPS if known else ids_by_place.GATE_WITHOUT_VELOCITY_MPS
            if uuid == places.uuid[column] and off_m <= ids_by_place.GATE_M + speed_mps * abs(dt_s):
                pairs.append((off_m, row, column))
    found = [-1] * len(now)
    for _, row, column in sorted(pairs):
        if found[row] < 0 and column not in found:
            found[row] = column
    return found


def test_the_pairs_are_those_of_the_plain_rule() -> None:
    rng = np.random.default_rng(0)

    def random_places(count: int, stamp_ns: np.ndarray) -> Places:
        uuid = tuple(rng.choice([A, B, UNSET_ID], count).tolist())
        position_m, velocity_mps = rng.uniform(0, 30, (count, 2)), rng.normal(0, 8, (count, 2))
        return Places(uuid, uuid, position_m, velocity_mps, rng.random(count) < 0.6, stamp_ns)

    matched = 0
    for _ in range(100):
        rows, columns = rng.integers(1, 30, 2)
        places = random_places(columns, rng.integers(0, 10, columns) * 100 * MS)
        now = random_places(rows, np.full(rows, 1000 * MS))
        found = ids_by_place._matched(now, places).tolist()
        assert found == plainly_matched(now, places)
        matched += sum(one >= 0 for one in found)
    assert matched > 100


def test_shared_ids() -> None:
    assert shared_ids((A, B)) == set()
    assert shared_ids((A, UNSET_ID)) == {UNSET_ID}
    assert shared_ids((A, B, A, UNSET_ID)) == {A, UNSET_ID}


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.tuples(st.sampled_from([A, B, UNSET_ID]), st.floats(-20, 20)), max_size=8), max_size=8))
def test_ids_are_unique_in_every_message_and_the_same_for_the_same_messages(
    messages: list[list[tuple[str, float]]],
) -> None:
    runs = []
    for _ in range(2):
        ids = IdsByPlace()
        runs.append([names(ids, tuple(u for u, _ in m), [x for _, x in m], 100 * i) for i, m in enumerate(messages)])
    assert runs[0] == runs[1]
    for message, made in zip(messages, runs[0], strict=True):
        assert len(set(made)) == len(message)
        assert all(name.split("#")[0] == uuid for name, (uuid, _) in zip(made, message, strict=True))


def test_every_object_of_a_message_stays_and_its_uuid_is_published_as_it_came() -> None:
    object_id = np.zeros((5, 16), np.uint8)
    object_id[3:] = 7
    cleaner = MessageCleaner()
    first, second = (cleaner.clean(objects_of(5, object_id=object_id, stamp_ns=stamp)) for stamp in (0, 1))
    assert len(set(first.frame.track_id)) == 5
    assert first.frame.track_id == second.frame.track_id
    np.testing.assert_array_equal(second.objects.object_id, object_id)
    assert first.without_id.all()
    assert (cleaner.counters.unset_id, cleaner.counters.shared_id) == (6, 4)
