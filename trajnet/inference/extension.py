"""Paths beyond the model's horizon: straight on at the velocity of their end, with a covariance that widens.

Chosen on paths from 6 to 8 and 10 s (tools/path_extension.py; docs/ros.md has them from 8 s on): turning on at a rate
that fades within 0.5 to 2 s was no better for any class; slowing down over 20 s was 1 to 4 % nearer on average, and
would let objects arrive later than they do. The rates of widening are those with which the 90 % regions of each class
contain about 90 % of the true positions over all recordings.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trajnet.types import FloatArray, ObjectClass

#: The latest time that may be asked for, s. Beyond 10 s nothing was measured.
LONGEST_S = 15.0

#: By ObjectClass: how fast the standard deviation that is added in every direction grows, m/s.
WIDENING_MPS: FloatArray = np.full(len(ObjectClass), 1.5)
WIDENING_MPS[[ObjectClass.MOTORCYCLE, ObjectClass.BICYCLE]] = 1.0
WIDENING_MPS[ObjectClass.PEDESTRIAN] = 0.5


class Extension:
    """Continues predictions from their last time to later ones. time_s (T,): the later times; it may be empty."""

    def __init__(self, predicted_s: FloatArray, time_s: FloatArray) -> None:
        knot_s = np.concatenate([[0.0], predicted_s])
        self.after_s: FloatArray = np.asarray(time_s, dtype=np.float64) - knot_s[-1]
        self.last_step_s = float(knot_s[-1] - knot_s[-2])

    def __len__(self) -> int:
        return len(self.after_s)

    def positions(self, present_m: FloatArray, path_m: FloatArray) -> FloatArray:
        """Return positions (N, K, T, 2) from the present ones (N, 2) and the predicted ones (N, K, M, 2)."""
        before = path_m[:, :, -2] if path_m.shape[2] > 1 else present_m[:, None]
        velocity_mps = (path_m[:, :, -1] - before) / self.last_step_s
        later_m: FloatArray = path_m[:, :, -1:] + velocity_mps[:, :, None] * self.after_s[:, None]
        return later_m

    def yaws(self, last_rad: FloatArray) -> FloatArray:
        """Return headings (N, K, T): the last ones (N, K) stay."""
        return np.repeat(last_rad[:, :, None], len(self), axis=2)

    def covariances(self, last_m2: FloatArray, object_class: NDArray[np.int8]) -> FloatArray:
        """Return covariances (N, K, T, 2, 2) from the last ones (N, K, 2, 2) and the objects' classes (N,)."""
        added_m2 = (WIDENING_MPS[object_class][:, None] * self.after_s) ** 2  # (N, T)
        wider: FloatArray = last_m2[:, :, None] + added_m2[:, None, :, None, None] * np.eye(2)
        return wider
