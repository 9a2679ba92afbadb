"""Which track that appears is one that vanished: by hand."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from tests.frames import frame
from trajnet.tracking.id_handover import DRIVING_GATE, matched
from trajnet.tracking.store import TrackPolicy, TrackStore
from trajnet.types import ObjectClass

CAR, WALKER, UNKNOWN = ObjectClass.CAR, ObjectClass.PEDESTRIAN, ObjectClass.UNKNOWN


def pairs(
    vanished: list[tuple[float, float, float]], appeared: list[tuple[float, float]], *,
    gone_s: float = 0.4, old: int = CAR, new: int = CAR,
) -> list[tuple[int, int]]:  # fmt: skip
    """vanished: x, y and speed eastwards of each."""
    table = np.array(vanished, dtype=float).reshape(-1, 3)
    count = len(table)
    first, second = matched(
        table[:, :2], np.stack([table[:, 2], np.zeros(count)], axis=1), np.full(count, gone_s),
        np.full(count, old, dtype=np.int8), np.array(appeared, dtype=float).reshape(-1, 2),
        np.full(len(appeared), new, dtype=np.int8),
    )  # fmt: skip
    return list(zip(first.tolist(), second.tolist(), strict=True))


def test_a_track_appears_where_the_vanished_one_must_be() -> None:
    # 10 m/s for 0.4 s: 4 m on. The gate is 1.5 m + 3 m/s * 0.4 s = 2.7 m.
    assert DRIVING_GATE == (1.5, 3.0)
    assert pairs([(0, 0, 10)], [(4.0, 0.0)]) == [(0, 0)]
    assert pairs([(0, 0, 10)], [(4.0, 2.6)]) == [(0, 0)]
    assert pairs([(0, 0, 10)], [(4.0, 2.8)]) == []
    assert pairs([(0, 0, 10)], [(0.0, 0.0)]) == []
    assert pairs([(0, 0, 10)], [(10.0, 2.8)], gone_s=1.0) == [(0, 0)]  # the gate grows with the time gone


def test_only_compatible_classes_are_paired() -> None:
    assert pairs([(0, 0, 0)], [(0.1, 0)], old=CAR, new=WALKER) == []
    assert pairs([(0, 0, 0)], [(0.1, 0)], old=CAR, new=UNKNOWN) == [(0, 0)]
    assert pairs([(0, 0, 0)], [(0.1, 0)], old=UNKNOWN, new=WALKER) == [(0, 0)]
    # Who walks has a tighter gate: 0.2 m + 0.75 m/s * 0.4 s = 0.5 m.
    assert pairs([(0, 0, 0)], [(0.49, 0)], old=WALKER, new=WALKER) == [(0, 0)]
    assert pairs([(0, 0, 0)], [(0.51, 0)], old=WALKER, new=WALKER) == []


def test_pairs_are_one_to_one_and_what_is_doubtful_is_left_alone() -> None:
    assert pairs([(0, 0, 0), (20, 0, 0)], [(20.2, 0), (0.1, 0)]) == [(0, 1), (1, 0)]
    assert pairs([(0, 0, 0)], [(0.5, 0), (0.9, 0)]) == []  # either could be it
    assert pairs([(0, 0, 0), (1.5, 0, 0)], [(0.7, 0)]) == []  # it could be either
    assert pairs([(0, 0, 0), (0, 0, 0)], [(0, 0)]) == []
    assert pairs([(0, 0, 0)], [(0.1, 0), (0.21, 0)]) == [(0, 0)]  # more than twice as far is clear


@pytest.mark.parametrize(("vanished", "appeared"), [([], [(0.0, 0.0)]), ([(0.0, 0.0, 0.0)], [])])
def test_nothing_matches_nothing(
    vanished: list[tuple[float, float, float]], appeared: list[tuple[float, float]]
) -> None:
    assert pairs(vanished, appeared) == []


def feed_two(store: TrackStore, gap_s: float) -> tuple[int, int, bool, float]:
    """A car at 10 m/s that is "a", and "b" after the gap: slots of both, whether b is new, and its dt."""
    for step in range(3):
        _, seen = store.update(frame(0.1 * step, {"a": (float(step), 0.0), "far": (500.0, 0.0)}), round(step * 1e8))
    assert seen is not None
    slot = int(seen.slot[0])
    later_s = 0.2 + gap_s
    _, seen = store.update(frame(later_s, {"b": (10.0 * later_s, 0.0), "far": (500.0, 0.0)}), round(later_s * 1e9))
    assert seen is not None
    return slot, int(seen.slot[0]), bool(seen.reset[0]), float(seen.dt_s[0])


def test_the_store_hands_the_slot_over_with_the_time_gone() -> None:
    store = TrackStore()
    before, after, reset, dt_s = feed_two(store, 0.4)
    assert (before == after, reset) == (True, False)
    assert dt_s == pytest.approx(0.4)
    assert (store.counters.handed_over, store.counters.born, store.live) == (1, 2, 2)
    assert store.coasting().track_id == ()


def test_no_hand_over_when_the_policy_says_so_or_after_the_timeout() -> None:
    for store, gap_s in ((TrackStore(TrackPolicy(handover=False)), 0.4), (TrackStore(), 1.5)):
        _, _, reset, _ = feed_two(store, gap_s)
        assert reset
        assert store.counters.handed_over == 0


def test_a_track_that_is_still_reported_keeps_its_state() -> None:
    store = TrackStore()
    for step in range(2):
        store.update(frame(0.1 * step, {"a": (float(step), 0.0)}), round(step * 1e8))
    store.update(frame(0.2, {"a": (2.0, 0.0), "b": (2.1, 0.0)}), round(2e8))
    assert store.counters.handed_over == 0
    assert store.counters.born == 2


def test_many_tracks_in_one_place_are_matched_in_little_memory_or_not_at_all() -> None:
    """Every id new in every frame, all within millimetres: no pair is clear, and the work is bounded."""
    for count in (256, 512, 2000):
        place = np.random.default_rng(count).normal(0.0, 1e-3, (count, 2))
        classes = np.full(count, CAR, dtype=np.int8)
        tracemalloc.start()
        found, _ = matched(place, np.zeros((count, 2)), np.full(count, 0.1), classes, place[::-1].copy(), classes)
        peak_bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak_bytes < 16e6  # with all triples, 256 tracks took 134 MB
        assert len(found) == 0 or count <= 512


def test_more_pairs_than_are_looked_at_hand_nothing_over() -> None:
    spread = np.stack([np.arange(600) * 50.0, np.zeros(600)], axis=1)
    classes = np.full(600, CAR, dtype=np.int8)
    assert (
        len(matched(spread[:500], np.zeros((500, 2)), np.full(500, 0.1), classes[:500], spread[:500], classes[:500])[0])
        == 500
    )
    assert len(matched(spread, 0 * spread, np.full(600, 0.1), classes, spread, classes)[0]) == 0
