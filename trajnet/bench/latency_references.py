"""References measured between the frames in the same process: a product of equal work and an empty loop."""

from __future__ import annotations

import numpy as np

from trajnet.timing.clock import Clock

#: Calibration of the loop: rounds per timing, and number of timings.
_ROUNDS, _TIMES = 2000, 9


class EqualProduct:
    """Times a square float32 matrix product, scaled to exactly this many floating point operations."""

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
    """Times a loop of about this length that touches no memory, so that its jitter comes from the machine alone.

    Frequency scaling, other processes on the core and CPU time stolen by the hypervisor affect a frame of the same
    length as well. So p99 / p50 of the loop shows roughly how much of a frame's tail the machine causes. Only roughly:
    there are fewer loops than frames, and the loop always runs with warm caches.
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
