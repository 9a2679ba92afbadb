"""Tells which frames are in order, and when stamps that go back mean a new clock. Reads no clock itself."""

from __future__ import annotations

from typing import Literal

StampStatus = Literal["newer", "duplicate", "out_of_order", "clock_reset"]

#: This many older frames in a row, each later than the one before, mean a new clock: a single frame stamped too far
#: ahead, or a recording that loops, must not cause all following frames to be dropped.
RISING_FRAMES = 3


class FrameClock:
    """Classifies the stamps of frames one by one. newest_ns: the latest stamp in order, None before the first."""

    def __init__(self, reset_jump_ns: int) -> None:
        """Start without a stamp. A stamp that goes back by more than reset_jump_ns means a new clock at once."""
        self.newest_ns: int | None = None
        self._reset_jump_ns = reset_jump_ns
        self._older_ns = 0
        self._rising = 0

    def judge(self, timestamp_ns: int) -> StampStatus:
        """Classify one stamp. It becomes the newest unless it is a duplicate or out of order."""
        newest_ns = self.newest_ns
        if newest_ns is None or timestamp_ns > newest_ns:
            return self._go_on("newer", timestamp_ns)
        later = self._rising > 0 and timestamp_ns > self._older_ns
        self._rising = self._rising + 1 if later else 1
        self._older_ns = timestamp_ns
        if newest_ns - timestamp_ns > self._reset_jump_ns or self._rising >= RISING_FRAMES:
            return self._go_on("clock_reset", timestamp_ns)
        return "duplicate" if timestamp_ns == newest_ns else "out_of_order"

    def reset(self) -> None:
        """Forget every stamp."""
        self.newest_ns, self._rising = None, 0

    def _go_on(self, status: StampStatus, timestamp_ns: int) -> StampStatus:
        self.newest_ns, self._rising = timestamp_ns, 0
        return status
