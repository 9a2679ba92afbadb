"""Stamps in order, out of order, and of a new clock, by hand."""

from __future__ import annotations

import pytest

from trajnet.tracking.frame_clock import FrameClock

TENTH_NS = 100_000_000


def judged(*tenths: int) -> list[str]:
    """Judge stamps in tenths of a second; a jump back of more than a second resets."""
    clock = FrameClock(10 * TENTH_NS)
    return [clock.judge(t * TENTH_NS) for t in tenths]


def test_one_stamp_ahead_costs_two_frames_and_not_all_until_then() -> None:
    assert judged(0, 1, 11, 3, 4, 5, 6) == [
        *["newer"] * 3,
        *["out_of_order"] * 2,
        "clock_reset",
        "newer",
    ]


def test_a_recording_that_loops_goes_on_in_every_lap() -> None:
    lap = list(range(8))
    second = ["out_of_order", "out_of_order", "clock_reset", *["newer"] * 5]
    known = ["clock_reset", *["newer"] * 7]  # where the laps begin is known now
    assert judged(*lap, *lap, *lap, *lap) == ["newer"] * 8 + second + known + known


def test_a_loop_of_three_frames_goes_on() -> None:
    lap = [0, 1, 2]
    assert judged(*lap, *lap, *lap)[3:] == ["out_of_order", "out_of_order", *["clock_reset"] * 2, "newer", "newer"]


def test_a_loop_of_two_frames_goes_on() -> None:
    lap = [4, 5]
    assert judged(*lap, *lap, *lap, *lap)[2:] == ["out_of_order", "duplicate", *["clock_reset", "newer"] * 2]


def test_frames_already_dropped_are_of_the_new_clock() -> None:
    clock = FrameClock(10)
    for stamp, dropped in ((9, 0), (4, 0), (5, 0), (6, 2), (9, 0), (4, 0)):
        if clock.judge(stamp) == "clock_reset":
            assert clock.already_dropped == dropped


@pytest.mark.parametrize(
    "stamps",
    [
        (5, 4, 3, 2, 6),  # falling
        (5, 5, 5, 5, 6),  # the same again and again
        (5, 4, 4, 4, 6),
        (5, 3, 4, 2, 3, 6),  # not where they began before
        (5, 3, 6, 4, 7, 5, 8),  # each overtaken by the next
    ],
)
def test_older_frames_that_do_not_rise_are_no_new_clock(stamps: tuple[int, ...]) -> None:
    assert "clock_reset" not in judged(*stamps)
    assert judged(*stamps)[-1] == "newer"


def test_a_jump_back_of_more_than_the_limit_is_a_new_clock_at_once() -> None:
    assert judged(20, 10, 21) == ["newer", "out_of_order", "newer"]
    assert judged(20, 9, 10) == ["newer", "clock_reset", "newer"]


def test_after_a_reset_any_stamp_is_the_first() -> None:
    clock = FrameClock(TENTH_NS)
    clock.judge(50)
    clock.reset()
    assert clock.newest_ns is None
    assert clock.judge(10) == "newer"
