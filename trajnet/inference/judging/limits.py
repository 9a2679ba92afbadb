"""Limits: how far a vehicle can be drawn back or ahead on its path, and what is clearly beyond one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trajnet.tracking.plausibility import max_speed_mps
from trajnet.types import FloatArray, ObjectClass


def clearly_beyond(size: FloatArray, half_at: float) -> FloatArray:
    """Return from 0, for sizes (N,) far below half_at, by a half there, to 1 far above it, (N,)."""
    beyond: FloatArray = np.square(np.square(size / half_at))
    beyond /= 1.0 + beyond
    return beyond


class Limits:
    """The limits at a predictor's times."""

    def __init__(self, time_s: FloatArray, slower_mps2: float, faster_mps2: float) -> None:
        """Prepare for the times (T,): nobody is drawn farther than these accelerations would take it from now on."""
        half_s2 = 0.5 * np.square(time_s)[:, None]
        self._least_m, self._faster_m = -slower_mps2 * half_s2, faster_mps2 * half_s2
        self._reach_m: FloatArray = time_s[:, None] * max_speed_mps(np.arange(len(ObjectClass), dtype=np.int8))

    def of(self, progress_m: FloatArray, object_class: NDArray[np.int8]) -> tuple[FloatArray, FloatArray]:
        """Return how far R vehicles with this progress (T, R) can be drawn, in m: least (T, 1) and most (T, R).

        No farther ahead than the class can get, if the progress itself is not beyond that. object_class (R,).
        """
        most_m = np.maximum(self._reach_m.take(object_class, axis=1) - progress_m, 0.0)
        np.minimum(most_m, self._faster_m, out=most_m)
        return self._least_m, most_m
