"""When answers are kept and judged: cadence, horizons, gaps, slots."""

from __future__ import annotations

import numpy as np
import pytest

from trajnet.inference.judging.ring import MAX_WEIGHT, Ring

SLOT = np.zeros(1, np.int64)
HORIZONS_S = (1.0, 2.0, 3.0)


def ran(times_s: list[float], *, ring: Ring | None = None) -> tuple[list[float], list[tuple[float, float, int]]]:
    """Show one track at these times -> when answers were kept; when each was judged, how old and at which horizon."""
    ring = ring or Ring(0.5, HORIZONS_S, 4.0)
    kept, judged = [], []
    for index, time_s in enumerate(times_s):
        now_ns = round(time_s * 1e9)
        ring.begin(1, SLOT[: index == 0])
        due = ring.due(SLOT, now_ns)
        judged += [(time_s, a, int(h)) for a, h in zip(due.age_s.tolist(), due.horizon.tolist(), strict=True)]
        if len(ring.keep(SLOT, now_ns, np.ones(1, np.bool_)).row):
            kept.append(time_s)
    return kept, judged


def test_each_answer_is_judged_once_at_each_horizon() -> None:
    kept, judged = ran([0.1 * i for i in range(41)])
    np.testing.assert_allclose(kept, np.arange(9) * 0.5)
    assert [h for _, a, h in judged if a == pytest.approx(1.0)] == [0] * 7  # those of 0 to 3 s
    assert sorted(h for _, _, h in judged) == [0] * 7 + [1] * 5 + [2] * 3
    assert all(a == pytest.approx(HORIZONS_S[h]) for _, a, h in judged)


def test_with_two_frames_a_second_every_answer_is_kept() -> None:
    kept, judged = ran([0.5 * i for i in range(7)])
    assert len(kept) == 7
    at_1_s, at_2_s, at_3_s = ([t for t, _, h in judged if h == horizon] for horizon in range(3))
    assert (at_1_s, at_2_s, at_3_s) == ([1.0, 1.5, 2.0, 2.5, 3.0], [2.0, 2.5, 3.0], [3.0])


def test_a_frame_that_comes_late_judges_at_its_own_age() -> None:
    _, judged = ran([0.0, 1.3])
    np.testing.assert_allclose(judged, [(1.3, 1.3, 0)])


def test_a_gap_skips_the_horizons_that_it_hides() -> None:
    _, judged = ran([0.0, 2.1, 2.2])
    np.testing.assert_allclose(judged, [(2.1, 2.1, 1)])


def test_what_is_too_old_is_not_judged() -> None:
    _, judged = ran([0.0, 4.5])
    assert judged == []


def test_an_answer_stands_for_the_time_since_the_one_before() -> None:
    ring = Ring(0.5, HORIZONS_S, 4.0)
    found = []
    for index, time_s in enumerate([0.0, 0.6, 1.1, 5.0]):
        ring.begin(1, SLOT[: index == 0])
        found += ring.keep(SLOT, round(time_s * 1e9), np.ones(1, np.bool_)).weight.tolist()
    assert found == pytest.approx([1.0, 1.2, 1.0, MAX_WEIGHT])


def test_a_new_track_in_the_slot_has_none_of_the_answers() -> None:
    ring = Ring(0.5, HORIZONS_S, 4.0)
    ran([0.0, 0.5], ring=ring)
    ring.begin(1, SLOT)
    assert not len(ring.due(SLOT, 2_000_000_000).row)
    kept = ring.keep(SLOT, 2_000_000_000, np.ones(1, np.bool_))
    assert kept.weight.tolist() == [1.0]


def test_rows_that_may_not_be_kept_are_not_kept() -> None:
    ring = Ring(0.5, HORIZONS_S, 4.0)
    ring.begin(1, SLOT)
    assert not len(ring.keep(SLOT, 0, np.zeros(1, np.bool_)).row)
    assert not len(ring.due(SLOT, 10**9).row)


def test_answers_stay_when_the_ring_grows() -> None:
    ring = Ring(0.5, HORIZONS_S, 4.0)
    ran([0.0], ring=ring)
    many = np.arange(500, dtype=np.int64)
    ring.begin(len(many), many[many > 0])
    due = ring.due(many, 10**9)
    assert due.row.tolist() == [0]
    assert due.age_s == pytest.approx([1.0])


def test_no_answer_is_overwritten_before_its_last_horizon() -> None:
    """At any rate: an answer every 0.475 s is the most there can be."""
    _, judged = ran([0.475 * i for i in range(60)])
    at_last = [a for _, a, h in judged if h == 2]
    assert len(at_last) == 60 - 7
