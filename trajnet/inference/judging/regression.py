"""Least squares that go on with the stream: few features, errors with heavy tails, and a memory that fades.

Recursive least squares with exponential forgetting (Ljung 1999, System Identification, section 11.2) and two changes: a
ridge, so that little evidence says little, and a weight for each observation that falls with its error (Huber 1964,
Robust estimation of a location parameter), because one driver who turns off says nothing about those who go on.
"""

from __future__ import annotations

import math

import numpy as np

from trajnet.types import FloatArray


class Regression:
    """The weights of F features."""

    def __init__(self, features: int, *, ridge: float, tolerance: float, memory_s: float) -> None:
        """Start with weights of 0. ridge: evidence for 0, as a sum of squares of each feature.

        tolerance: errors up to this count fully, larger ones tolerance / error. memory_s: what was taken counts 1 / e
        after so long.
        """
        self.weight: FloatArray = np.zeros(features)
        self.taken = 0
        self._ridge = ridge * np.eye(features)
        self._tolerance, self._memory_s = tolerance, memory_s
        self._squares, self._products = np.zeros((features, features)), np.zeros(features)

    def take(self, feature: FloatArray, value: FloatArray, count: FloatArray, dt_s: float) -> None:
        """Learn from J observations of value (J,) = feature @ weight + error, dt_s after the last ones.

        feature (J, F). count (J,): how much each counts.
        """
        error = value - feature @ self.weight
        counted = feature.T * (count * self._tolerance / np.maximum(np.abs(error), self._tolerance))
        kept = math.exp(-dt_s / self._memory_s)
        self._squares = kept * self._squares + counted @ feature
        self._products = kept * self._products + counted @ value
        self.weight[...] = np.linalg.solve(self._squares + self._ridge, self._products)
        self.taken += len(value)
