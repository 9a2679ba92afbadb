"""Clocks that a replay can run on: the machine's, or one that tests move by hand."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """A monotonic time in integer nanoseconds whose zero means nothing."""

    def now_ns(self) -> int:
        """The present."""

    def sleep_until_ns(self, due_ns: int) -> None:
        """Return at due_ns or as soon after it as possible; at once if it has passed."""


class WallClock:
    """Real time. How late the operating system wakes us is part of what a replay measures, so nothing spins here."""

    def now_ns(self) -> int:
        return time.perf_counter_ns()

    def sleep_until_ns(self, due_ns: int) -> None:
        remaining_ns = due_ns - self.now_ns()
        if remaining_ns > 0:
            time.sleep(remaining_ns * 1e-9)


class VirtualClock:
    """Time that passes only when somebody sleeps or says that work took a while (advance_ns)."""

    def __init__(self, start_ns: int = 0) -> None:
        self._now_ns = start_ns

    def now_ns(self) -> int:
        return self._now_ns

    def sleep_until_ns(self, due_ns: int) -> None:
        self._now_ns = max(self._now_ns, due_ns)

    def advance_ns(self, cost_ns: int) -> None:
        """Let cost_ns (0 or more) pass."""
        self._now_ns += cost_ns
