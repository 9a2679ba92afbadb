"""The check, frame by frame, whether objects are inside a model's domain."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from trajnet.arrays import all_true, any_true, grown
from trajnet.inference.domain import Domain
from trajnet.tracking.store import Observations
from trajnet.types import CLASS_NAMES, BoolArray, IntArray

#: Weight of the newest interval in a track's mean interval: single gaps and doubled frames are no other rate.
NEWEST_WEIGHT = 0.2


class Outside(IntEnum):
    """Why an object is outside of a domain; the first reason that holds."""

    NO = 0
    CLASS = 1
    RATE = 2
    SPEED = 3


#: As plain numbers: NumPy looks up an enumeration each time.
INSIDE, _CLASS, _RATE, _SPEED = (np.int8(int(reason)) for reason in Outside)


class DomainCheck:
    """Tells, per object, why it is outside of a domain.

    Class: fewer than Domain.min_windows windows in training. Rate: the mean interval between the track's observations
    is outside of the served rates. Speed: measured, else steady, above the served one; the object is served again once
    its speed is within the trained range, so that paths do not alternate at the limit.
    """

    def __init__(self, domain: Domain) -> None:
        self._untrained: BoolArray = np.isin(CLASS_NAMES, domain.untrained_classes)
        self._served_mps2 = np.array([domain.served_speed_mps(name) for name in CLASS_NAMES]) ** 2
        self._trained_mps2 = np.array([domain.trained_speed_mps(name) for name in CLASS_NAMES]) ** 2
        lowest_hz, highest_hz = domain.served_rates_hz
        self._any_rate = lowest_hz <= 0.0
        shortest_s, longest_s = (0.0, 0.0) if self._any_rate else (1.0 / highest_hz, 1.0 / lowest_hz)
        self._middle_s, self._reach_s = 0.5 * (shortest_s + longest_s), 0.5 * (longest_s - shortest_s)
        # Per slot: mean time between observations, s (NaN: unknown), and whether the object was too fast before.
        self._interval_s, self._fast = np.zeros(0), np.zeros(0, np.bool_)
        self._any_fast = self._any_unknown = False

    def reasons(self, observations: Observations) -> NDArray[np.int8] | None:
        """Return an Outside for each row, (N,); None where all rows are inside."""
        slot = observations.slot
        if not len(slot):
            return None
        slots = observations.slots
        if slots > len(self._fast):
            self._interval_s, self._fast = grown(self._interval_s, slots), grown(self._fast, slots)
        outside_rate = None if self._any_rate else self._outside_rate(observations, slot)
        fast = self._too_fast(observations, slot)
        untrained = self._untrained.take(observations.object_class)
        any_rate = outside_rate is not None and any_true(outside_rate)
        if not (any_rate or self._any_fast or any_true(untrained)):
            return None
        reasons: NDArray[np.int8] = fast * _SPEED
        if any_rate:
            reasons[outside_rate] = _RATE
        reasons[untrained] = _CLASS
        return reasons

    def _outside_rate(self, observations: Observations, slot: IntArray) -> BoolArray:
        """Return whether each track's mean interval is outside of the served ones, (N,).

        New tracks are judged as most of the others are: they come from the same tracker.
        """
        dt_s, reset = observations.dt_s, observations.reset
        mean_s = self._interval_s.take(slot)
        mean_s += NEWEST_WEIGHT * (dt_s - mean_s)
        any_reset = len(observations.begun) > 0
        if any_reset:
            mean_s[reset] = np.nan
        if any_reset or self._any_unknown:
            second = np.isnan(mean_s) & ~reset
            mean_s[second] = dt_s[second]
            self._interval_s[slot] = mean_s
            self._any_unknown = any_true(np.isnan(self._interval_s))
        else:
            self._interval_s[slot] = mean_s
        mean_s -= self._middle_s
        outside: BoolArray = np.abs(mean_s) > self._reach_s
        if any_reset:
            outside[reset] = 2 * np.count_nonzero(outside) > len(reset) - np.count_nonzero(reset)
        return outside

    def _too_fast(self, observations: Observations, slot: IntArray) -> BoolArray:
        """Return whether each object is too fast, (N,)."""
        velocity_mps, valid = observations.velocity_mps, observations.velocity_valid
        if not all_true(valid):
            velocity_mps = np.where(valid[:, None], velocity_mps, observations.steady_velocity_mps)
        object_class = observations.object_class
        limit_mps2 = self._served_mps2.take(object_class)
        if self._any_fast:
            before = self._fast.take(slot) & ~observations.reset
            limit_mps2 = np.where(before, self._trained_mps2.take(object_class), limit_mps2)
        x_mps, y_mps = velocity_mps.T
        fast: BoolArray = x_mps * x_mps + y_mps * y_mps > limit_mps2
        any_fast = any_true(fast)
        if any_fast or self._any_fast:
            self._fast[slot] = fast
            any_fast = any_true(self._fast)  # also of tracks that this frame does not report
        self._any_fast = any_fast
        return fast
