"""Tells which frames are in order, and when stamps that go back mean a new clock. Reads no clock itself."""

from __future__ import annotations

from typing import Literal

StampStatus = Literal["newer", "duplicate", "out_of_order", "clock_reset"]

#: This many older frames in a row, each later than the one before, mean a new clock: a single frame stamped too far
#: ahead, or a recording that loops, must not cause all following frames to be dropped.
RISING_FRAMES = 3


class FrameClock:
    """Classifies the stamps of frames one by one. newest_ns: the latest stamp in order, None before the first.

    A recording that loops begins anew at one stamp. That is told by three older frames that rise, and in a loop of two
    frames by the second time that they begin. From then on the stamp itself tells.
    already_dropped: how many frames right before the last clock_reset were of the new clock, too.
    """

    def __init__(self, reset_jump_ns: int) -> None:
        """Start without a stamp. A stamp that goes back by more than reset_jump_ns means a new clock at once."""
        self.newest_ns: int | None = None
        self.already_dropped = 0
        self._reset_jump_ns = reset_jump_ns
        self._older_ns = self._first_older_ns = 0
        self._rising = 0
        self._loop_begin_ns: int | None = None

    def judge(self, timestamp_ns: int) -> StampStatus:
        """Classify one stamp. It becomes the newest unless it is a duplicate or out of order."""
        newest_ns = self.newest_ns
        if newest_ns is None or timestamp_ns > newest_ns:
            return self._go_on("newer", timestamp_ns)
        begins_again = self._rising > 1 and timestamp_ns == self._first_older_ns
        begins_as_before = timestamp_ns == self._loop_begin_ns and timestamp_ns < newest_ns
        if begins_again or begins_as_before or newest_ns - timestamp_ns > self._reset_jump_ns:
            return self._new_clock(timestamp_ns, timestamp_ns, 0)
        later = self._rising > 0 and timestamp_ns > self._older_ns
        self._rising = self._rising + 1 if later else 1
        self._first_older_ns = self._first_older_ns if later else timestamp_ns
        self._older_ns = timestamp_ns
        if self._rising >= RISING_FRAMES:
            return self._new_clock(timestamp_ns, self._first_older_ns, RISING_FRAMES - 1)
        return "duplicate" if timestamp_ns == newest_ns else "out_of_order"

    def reset(self) -> None:
        """Forget every stamp."""
        self.newest_ns, self._rising, self._loop_begin_ns = None, 0, None

    def _new_clock(self, timestamp_ns: int, begin_ns: int, already_dropped: int) -> StampStatus:
        self._loop_begin_ns, self.already_dropped = begin_ns, already_dropped
        return self._go_on("clock_reset", timestamp_ns)

    def _go_on(self, status: StampStatus, timestamp_ns: int) -> StampStatus:
        self.newest_ns, self._rising = timestamp_ns, 0
        return status
