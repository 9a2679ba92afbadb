"""Which messages of a recording make a scene, on stamps in tenths of a second."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trajnet.errors import InputError
from trajnet.ros.bag_stretches import Stretches, choose_messages

LAP, AHEAD = (
    "of {} other stretch(es) of time: laps of a loop, or more than 60 s apart",
    "stamped ahead of those around them",
)
DOUBLE, SORTED = "with a stamp that another message has", "out of order: sorted"
ZERO, FRAME = "stamped zero, before the clock began", "in another frame than 'map'"


def chosen(*tenths: int, frames: Sequence[str] = ()) -> Stretches:
    return choose_messages([t * 100_000_000 for t in tenths], frames or ["map"] * len(tenths), "map")


def counts(found: Stretches) -> dict[str, int]:
    return {what: count for what, count in (found.left_out + found.mended).items() if count}


def test_a_recording_without_faults_stays_whole() -> None:
    found = chosen(*range(50))
    assert found.kept == list(range(50))
    assert counts(found) == {}


def test_of_a_loop_the_first_of_the_longest_laps_is_kept() -> None:
    found = chosen(*range(100, 130), *range(100, 130), *range(100, 125))
    assert found.kept == list(range(30))
    assert counts(found) == {LAP.format(2): 55}


def test_laps_whose_stamps_fall_between_each_other_make_no_ghosts() -> None:
    shifted = [t * 1000 + lap * 300 for lap in range(3) for t in range(30)]  # laps 30 ms apart, 10 Hz, in 0.1 ms
    found = choose_messages([t * 100_000 for t in shifted], ["map"] * 90, "map")
    assert found.kept == list(range(30))
    assert counts(found) == {LAP.format(2): 60}


def test_a_lap_of_less_than_the_jump_that_resets_is_a_lap() -> None:
    found = chosen(*range(8), *range(8))
    assert found.kept == list(range(8))
    assert counts(found) == {LAP.format(1): 8}


@pytest.mark.parametrize("ahead", [29, 60, 36_000])
def test_one_stamp_ahead_is_left_out_and_the_rest_stays_whole(ahead: int) -> None:
    stamps = [*range(20), ahead, *range(21, 40)]
    found = chosen(*stamps)
    assert found.kept == [*range(20), *range(21, 40)]
    assert counts(found) == {AHEAD: 1}


def test_messages_out_of_order_are_sorted_and_doubles_left_out() -> None:
    found = chosen(0, 1, 3, 2, 4, 4, 5)
    assert found.kept == [0, 1, 3, 2, 4, 6]
    assert counts(found) == {DOUBLE: 1, SORTED: 2}


def test_stamps_of_zero_are_left_out_unless_the_recording_begins_there() -> None:
    assert counts(chosen(0, 0, 17_000_000_000, 17_000_000_001)) == {ZERO: 2}
    assert chosen(0, 1, 2).kept == [0, 1, 2]
    assert chosen(0).kept == [0]
    with pytest.raises(InputError, match="expected stamps, got 3 messages that are all stamped zero"):
        chosen(0, 0, 0)


def test_of_two_drives_with_a_long_gap_the_longer_is_kept() -> None:
    found = chosen(0, 1, 2, 700, 701, 702, 703)
    assert found.kept == [3, 4, 5, 6]
    assert counts(found) == {LAP.format(1): 3}
    assert chosen(0, 1, 2, 602, 603).kept == [0, 1, 2, 3, 4]  # a minute exactly


def test_only_messages_in_the_wanted_frame_count() -> None:
    found = chosen(0, 1, 2, 3, frames=["base_link", "map", "", "map"])
    assert found.kept == [1, 2, 3]
    assert counts(found) == {FRAME: 1}
    with pytest.raises(
        InputError, match=r"expected objects in the frame 'map', got 'base_link' \(2 messages\); .*--frame-id"
    ):
        chosen(0, 1, frames=["base_link"] * 2)


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=40))
def test_what_is_kept_rises_and_everything_else_is_counted(tenths: list[int]) -> None:
    stamps = [1 + t for t in tenths]
    found = chosen(*stamps)
    kept = [stamps[i] for i in found.kept]
    assert kept == sorted(set(kept))
    assert len(kept) + sum(found.left_out.values()) == len(stamps)
