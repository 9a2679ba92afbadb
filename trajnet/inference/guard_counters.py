"""What a guard counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trajnet.inference.domain_check import Outside

_REASONS = len(Outside)


@dataclass
class GuardCounters:
    """Sources of the rows since the start, and the reasons why the model was not used.

    failures: calls that raised. deadline_misses: calls that exceeded the budget, or were skipped because an earlier one
    was still running. non_finite_rows: rows of the model that were rejected (see servable_rows): NaN, probabilities
    that do not sum to 1, an invalid covariance, a path faster than the object's class can move, a source that a
    predictor may not give (unknown, or JUDGED).
    model_rows: rows that the model answered, whatever self-judging made of them: those of Source.JUDGED are among them.
    over_limit_rows: rows beyond max_objects, which the model was not given. outside_domain_rows: rows outside of what
    the model was trained on, which it was not given either; of them outside_class_rows by their class,
    outside_rate_rows by their rate, outside_speed_rows by their speed, the first that holds (see domain_check).
    """

    calls: int = 0
    model_rows: int = 0
    physics_rows: int = 0
    stale_rows: int = 0
    failures: int = 0
    deadline_misses: int = 0
    non_finite_rows: int = 0
    over_limit_rows: int = 0
    outside_domain_rows: int = 0
    outside_class_rows: int = 0
    outside_rate_rows: int = 0
    outside_speed_rows: int = 0
    last_failure: str = ""

    def count_outside(self, reasons: NDArray[np.int8]) -> None:
        """Count the rows of a frame that are outside of the domain; reasons (N,): an Outside for each row."""
        _, by_class, by_rate, by_speed = np.bincount(reasons, minlength=_REASONS).tolist()
        self.outside_domain_rows += by_class + by_rate + by_speed
        self.outside_class_rows += by_class
        self.outside_rate_rows += by_rate
        self.outside_speed_rows += by_speed
