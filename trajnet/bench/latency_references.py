"""What a latency is compared with, measured in between, in the same process: equal work, and the core by itself."""

from __future__ import annotations

import numpy as np

from trajnet.timing.clock import Clock

#: Rounds of a loop that are timed at once to learn what one costs, and how often.
_ROUNDS, _TIMES = 2000, 9


class EqualProduct:
    """A square matrix product, timed as if it had exactly this many floating point operations (float32)."""

    def __init__(self, flops: float, clock: Clock) -> None:
        self._clock = clock
        side = max(8, round((flops / 2) ** (1 / 3)))
        self._scale: float = flops / (2 * side**3)
        self._square = np.random.default_rng(0).normal(size=(side, side)).astype(np.float32)
        self._result = np.empty_like(self._square)

    def time_ns(self) -> float:
        begin_ns = self._clock.now_ns()
        np.matmul(self._square, self._square, out=self._result)
        return float(self._clock.now_ns() - begin_ns) * self._scale


class SameLength:
    """A loop that touches no memory and takes about this long: what makes it late is the machine, not what it does.

    Clocks that slow down, others on the same core, a host that takes it away: a frame of the same length meets all of
    that as well. So its p99 over its p50 says about how much of a frame's tail is the machine's. Not exactly: there are
    fewer loops than frames, and a loop's p50 is that of warm caches.
    """

    def __init__(self, length_ns: float, clock: Clock) -> None:
        self._clock = clock
        round_ns = float(np.median([self._timed(_ROUNDS) for _ in range(_TIMES)])) / _ROUNDS
        self.rounds = max(1, round(length_ns / round_ns)) if round_ns > 0 else 1

    def time_ns(self) -> int:
        return self._timed(self.rounds)

    def _timed(self, rounds: int) -> int:
        begin_ns = self._clock.now_ns()
        for _ in range(rounds):
            pass
        return self._clock.now_ns() - begin_ns
