"""Clocks that a replay can run on: the machine's, or one that tests move by hand."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Protocol

#: Of the words of a core's line in /proc/stat, the one with the stolen time.
_STEAL = 8


class Clock(Protocol):
    """A monotonic time in integer nanoseconds whose zero means nothing."""

    def now_ns(self) -> int:
        """The present."""

    def sleep_until_ns(self, due_ns: int) -> None:
        """Return at due_ns or as soon after it as possible; at once if it has passed."""

    def stolen_s(self) -> float | None:
        """Time of ours that others were given, since a start that means nothing; None where nobody counts it."""


def stolen_since(before_s: float | None, clock: Clock) -> float | None:
    """Seconds that were stolen since the clock gave this, or None."""
    now_s = clock.stolen_s()
    return None if now_s is None or before_s is None else now_s - before_s


class WallClock:
    """Real time. How late the operating system wakes us is part of what a replay measures, so nothing spins here."""

    def now_ns(self) -> int:
        return time.perf_counter_ns()

    def sleep_until_ns(self, due_ns: int) -> None:
        remaining_ns = due_ns - self.now_ns()
        if remaining_ns > 0:
            time.sleep(remaining_ns * 1e-9)

    def stolen_s(self, stat: Path = Path("/proc/stat")) -> float | None:
        """For how long this process's cores were to run and a hypervisor let other guests run instead, to a tick of the
        system, 10 ms mostly (proc_stat(5), "steal"). None where the system does not say."""
        if not hasattr(os, "sched_getaffinity"):
            return None
        names = {f"cpu{core}" for core in os.sched_getaffinity(0)}
        try:
            lines = [line.split() for line in stat.read_text(encoding="ascii", errors="replace").splitlines()]
            ticks = [int(words[_STEAL]) for words in lines if words and words[0] in names]
        except (OSError, ValueError, IndexError):
            return None
        return sum(ticks) / os.sysconf("SC_CLK_TCK") if len(ticks) == len(names) else None


class VirtualClock:
    """Time that passes only when somebody sleeps or says that work took a while (advance_ns)."""

    def __init__(self, start_ns: int = 0) -> None:
        self._now_ns = start_ns

    def now_ns(self) -> int:
        return self._now_ns

    def sleep_until_ns(self, due_ns: int) -> None:
        self._now_ns = max(self._now_ns, due_ns)

    def stolen_s(self) -> float | None:
        return None

    def advance_ns(self, cost_ns: int) -> None:
        """Let cost_ns (0 or more) pass."""
        self._now_ns += cost_ns
