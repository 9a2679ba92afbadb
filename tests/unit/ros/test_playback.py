"""The scene player's clock, moved by hand."""

from __future__ import annotations

import numpy as np
import pytest

from trajnet.errors import ConfigError, InputError
from trajnet.ros.playback import Playback

MS = 1_000_000
TIMES = np.array([1000, 1100, 1200, 1300]) * MS


def test_frames_come_at_their_recorded_distances() -> None:
    play = Playback(TIMES)
    assert [play.advance(ms * MS) for ms in (0, 50, 49, 1, 100, 100)] == [[0], [], [], [1], [2], [3]]
    assert play.done
    assert play.now_ns == 1300 * MS


@pytest.mark.parametrize(("rate", "steps_ms"), [(2.0, (0, 50, 50, 50)), (0.5, (0, 200, 200, 200))])
def test_the_rate_scales_time(rate: float, steps_ms: tuple[int, ...]) -> None:
    play = Playback(TIMES, rate=rate)
    assert [play.advance(ms * MS) for ms in steps_ms] == [[0], [1], [2], [3]]


def test_a_stall_is_caught_up_with_every_frame_in_order() -> None:
    play = Playback(TIMES)
    assert play.advance(250 * MS) == [0, 1, 2]


def test_pausing_stops_time() -> None:
    play = Playback(TIMES)
    play.advance(100 * MS)
    play.paused = True
    assert play.advance(10_000 * MS) == []
    play.paused = False
    assert play.advance(100 * MS) == [2]


def test_a_loop_starts_again_one_frame_after_the_last() -> None:
    play = Playback(TIMES, loop=True)
    got = [play.advance(100 * MS) for _ in range(9)]
    assert got == [[0, 1], [2], [3], [0], [1], [2], [3], [0], [1]]
    assert play.now_ns == 1100 * MS
    assert not play.done


def test_a_part_of_the_scene() -> None:
    play = Playback(TIMES, start_s=0.1, stop_s=0.2)
    assert (play.now_ns, play.advance(1000 * MS), play.done) == (1100 * MS, [1, 2], True)


def test_one_frame_loops_too() -> None:
    play = Playback(TIMES[:1], loop=True)
    assert [play.advance(50 * MS) for _ in range(4)] == [[0], [0], [], [0]]


def test_a_gap_of_years_is_cut_to_ten_seconds() -> None:
    times = np.array([0, 1_700_000_000_000, 1_700_000_000_100]) * MS
    play = Playback(times)
    assert play.advance(0) == [0]
    assert play.advance(9_999 * MS) == []
    assert [play.advance(ms * MS) for ms in (1, 100)] == [[1], [2]]
    assert play.done
    assert play.skipped_ns == times[1] - 10_000 * MS


def test_a_gap_does_not_lengthen_the_pause_between_laps() -> None:
    play = Playback(np.array([0, 100, 200, 60_200, 60_300]) * MS, loop=True)
    got = [play.advance(100 * MS) for _ in range(5)]
    assert got[:2] == [[0, 1], [2]]
    assert play.advance(10_000 * MS)[:2] == [3, 4]


def test_gaps_of_ten_seconds_are_played_as_they_are() -> None:
    play = Playback(np.array([0, 10_000]) * MS)
    assert [play.advance(ms * MS) for ms in (0, 9_999, 1)] == [[0], [], [1]]
    assert play.skipped_ns == 0


def test_nonsense_is_refused() -> None:
    with pytest.raises(ConfigError, match="rate: expected a number above 0, got 0"):
        Playback(TIMES, rate=0.0)
    with pytest.raises(InputError, match=r"expected frames between 5 s and inf s, found none"):
        Playback(TIMES, start_s=5.0)
    with pytest.raises(InputError, match="found none"):
        Playback(TIMES[:0])
