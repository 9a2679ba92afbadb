"""The scene player's clock: which frames are due. Time is an argument."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from trajnet.config import require
from trajnet.errors import InputError
from trajnet.types import IntArray

#: A gap between two frames is played for at most this long: one stamp of zero would mean a wait of 54 years.
MAX_WAIT_NS = 10_000_000_000


@dataclass
class Playback:
    """Plays frames at their recorded distances, gaps cut to MAX_WAIT_NS. timestamp_ns (F,) strictly increasing.

    rate: times faster than recorded. loop: start again one median frame distance after the last frame. paused: time
    stands still. start_s, stop_s: the part that is played, in seconds from the first frame.
    now_ns: the scene's time; it jumps over what is cut from a gap. skipped_ns: what was cut from the part, in all.
    """

    timestamp_ns: IntArray
    rate: float = 1.0
    loop: bool = False
    paused: bool = False
    start_s: float = 0.0
    stop_s: float = math.inf
    now_ns: int = field(init=False)
    skipped_ns: int = field(init=False)

    def __post_init__(self) -> None:
        require(math.isfinite(self.rate) and self.rate > 0, f"rate: expected a number above 0, got {self.rate}")
        from_ns = self.timestamp_ns[:1] + int(self.start_s * 1e9)
        inside = self.timestamp_ns >= from_ns
        if math.isfinite(self.stop_s):
            inside &= self.timestamp_ns <= self.timestamp_ns[:1] + int(self.stop_s * 1e9)
        self._frames = np.flatnonzero(inside)
        if not len(self._frames):
            raise InputError(f"player: expected frames between {self.start_s:g} s and {self.stop_s:g} s, found none")
        times_ns = self.timestamp_ns[self._frames]
        self._first_ns = int(times_ns[0])
        steps_ns = np.diff(times_ns)
        self._end_ns = int(times_ns[-1]) + (int(np.median(steps_ns)) if len(steps_ns) else 100_000_000)
        self.skipped_ns = int(np.maximum(steps_ns - MAX_WAIT_NS, 0).sum())
        self._next = 0
        self.now_ns = self._first_ns

    @property
    def done(self) -> bool:
        """Return whether every frame has been played, and none will be again."""
        return not self.loop and self._next >= len(self._frames)

    def advance(self, elapsed_ns: int) -> list[int]:
        """Let elapsed_ns of real time pass; the indices of the frames that are due now, in order.

        At the end of a loop the scene's time goes back to its start, as a bag's does.
        """
        if not self.paused:
            self.now_ns += int(elapsed_ns * self.rate)
        due = self._due()
        if 0 < self._next < len(self._frames):
            self.now_ns = max(self.now_ns, int(self.timestamp_ns[self._frames[self._next]]) - MAX_WAIT_NS)
        if self.loop and self.now_ns >= self._end_ns:
            self.now_ns = self._first_ns + (self.now_ns - self._end_ns) % (self._end_ns - self._first_ns)
            self._next = 0
            due += self._due()
        return due

    def _due(self) -> list[int]:
        until = int(np.searchsorted(self.timestamp_ns[self._frames], self.now_ns, side="right"))
        due = [int(i) for i in self._frames[self._next : until]]
        self._next = max(self._next, until)
        return due
