"""When which frame of a scene is due: the scene player's clock. Time is an argument."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from trajnet.config import require
from trajnet.errors import InputError
from trajnet.types import IntArray


@dataclass
class Playback:
    """Plays frames at their recorded distances. timestamp_ns (F,) strictly increasing.

    rate: times faster than recorded. loop: start again one mean frame distance after the last frame. paused: time
    stands still. start_s, stop_s: the part that is played, in seconds from the first frame.
    """

    timestamp_ns: IntArray
    rate: float = 1.0
    loop: bool = False
    paused: bool = False
    start_s: float = 0.0
    stop_s: float = math.inf
    now_ns: int = field(init=False)

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
        steps = len(times_ns) - 1
        self._end_ns = int(times_ns[-1]) + (int(times_ns[-1] - times_ns[0]) // steps if steps else 100_000_000)
        self._next = 0
        self.now_ns = self._first_ns

    @property
    def done(self) -> bool:
        """Whether every frame has been played, and none will be again."""
        return not self.loop and self._next >= len(self._frames)

    def advance(self, elapsed_ns: int) -> list[int]:
        """Let elapsed_ns of real time pass; the indices of the frames that are due now, in order.

        At the end of a loop the scene's time goes back to its start, as a bag's does.
        """
        if not self.paused:
            self.now_ns += int(elapsed_ns * self.rate)
        due = self._due()
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
