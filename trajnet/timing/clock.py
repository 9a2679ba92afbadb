"""Clocks for replays and benchmarks: real time, or virtual time that tests advance."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Protocol

#: Index of the stolen time among the words of a core's line in /proc/stat.
_STEAL = 8


class Clock(Protocol):
    """A monotonic clock in integer nanoseconds with an arbitrary zero."""

    def now_ns(self) -> int:
        """Return the present time, ns."""

    def sleep_until_ns(self, due_ns: int) -> None:
        """Sleep until due_ns, or return immediately if that has passed."""

    def stolen_s(self) -> float | None:
        """Return the CPU time stolen by the hypervisor since an arbitrary start, s; None where it is not counted."""


def stolen_since(before_s: float | None, clock: Clock) -> float | None:
    """Return the CPU time stolen since an earlier reading of the clock, s; None where unknown."""
    now_s = clock.stolen_s()
    return None if now_s is None or before_s is None else now_s - before_s


class WallClock:
    """Real time. A replay measures wake-up delays of the operating system, too, so sleeping does not spin."""

    def now_ns(self) -> int:
        return time.perf_counter_ns()

    def sleep_until_ns(self, due_ns: int) -> None:
        remaining_ns = due_ns - self.now_ns()
        if remaining_ns > 0:
            time.sleep(remaining_ns * 1e-9)

    def stolen_s(self, stat: Path = Path("/proc/stat")) -> float | None:
        """Return the time for which the hypervisor ran other guests on this process's cores, s.

        From proc_stat(5), "steal", with a resolution of one tick, usually 10 ms. None where the system does not report
        it.
        """
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
    """Virtual time that passes only by sleep_until_ns and advance_ns."""

    def __init__(self, start_ns: int = 0) -> None:
        self._now_ns = start_ns

    def now_ns(self) -> int:
        return self._now_ns

    def sleep_until_ns(self, due_ns: int) -> None:
        self._now_ns = max(self._now_ns, due_ns)

    def stolen_s(self) -> float | None:
        return None

    def advance_ns(self, cost_ns: int) -> None:
        """Advance the clock by cost_ns, at least 0."""
        self._now_ns += cost_ns
