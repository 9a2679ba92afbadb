"""The check, frame by frame, whether objects are inside a model's domain."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from trajnet.arrays import StructOfArrays, grown
from trajnet.inference.domain import Domain
from trajnet.tracking.store import Observations
from trajnet.types import CLASS_NAMES, BoolArray, FloatArray, IntArray

#: Weight of the newest interval in a track's mean interval: single gaps and doubled frames are no other rate.
NEWEST_WEIGHT = 0.2


class Outside(IntEnum):
    """Why an object is outside of a domain; the first reason that holds."""

    NO = 0
    CLASS = 1
    RATE = 2
    SPEED = 3


@dataclass(frozen=True, eq=False)
class _Slots(StructOfArrays):
    """Per slot: mean time between observations, s (NaN: unknown), and whether the object was too fast before."""

    interval_s: FloatArray
    fast: BoolArray


class DomainCheck:
    """Tells, per object, why it is outside of a domain.

    Class: fewer than MIN_WINDOWS windows in training. Rate: the mean interval between the track's observations is
    outside of the served rates; unknown at a first observation, which is served. Speed: measured, else steady, above
    the served one; the object is served again once its speed is within the trained range, so that paths do not
    alternate at the limit.
    """

    def __init__(self, domain: Domain) -> None:
        self._untrained: BoolArray = np.isin(CLASS_NAMES, domain.untrained_classes)
        self._served_mps: FloatArray = np.array([domain.served_speed_mps(name) for name in CLASS_NAMES])
        self._trained_mps: FloatArray = np.array([domain.trained_speed_mps(name) for name in CLASS_NAMES])
        lowest_hz, highest_hz = domain.served_rates_hz
        self._shortest_s = 1.0 / highest_hz
        self._longest_s = 1.0 / lowest_hz if lowest_hz > 0 else np.inf
        self._slots = _Slots(np.zeros(0), np.zeros(0, np.bool_))
        self._any_fast = False

    def reasons(self, observations: Observations) -> NDArray[np.int8] | None:
        """Return an Outside for each row, (N,); None where all rows are inside."""
        slot = observations.slot
        if not len(slot):
            return None
        self._slots = grown(self._slots, int(slot.max()) + 1)
        interval_s = self._intervals(observations, slot)
        fast = self._too_fast(observations, slot)
        untrained = self._untrained.take(observations.object_class)
        other_rate = interval_s < self._shortest_s
        other_rate |= interval_s > self._longest_s
        if not (fast.any() or other_rate.any() or untrained.any()):
            return None
        reasons = np.where(fast, np.int8(Outside.SPEED), np.int8(Outside.NO))
        reasons[other_rate] = Outside.RATE
        reasons[untrained] = Outside.CLASS
        return reasons

    def _intervals(self, observations: Observations, slot: IntArray) -> FloatArray:
        """Return the mean interval between the observations of each track, s; NaN where there was only one."""
        dt_s, reset = observations.dt_s, observations.reset
        mean_s = self._slots.interval_s.take(slot)
        mean_s += NEWEST_WEIGHT * (dt_s - mean_s)
        if reset.any():
            mean_s[reset] = np.nan
        unknown = np.isnan(mean_s)
        if unknown.any():
            second = unknown & ~reset
            mean_s[second] = dt_s[second]
        self._slots.interval_s[slot] = mean_s
        return mean_s

    def _too_fast(self, observations: Observations, slot: IntArray) -> BoolArray:
        velocity_mps, valid = observations.velocity_mps, observations.velocity_valid
        if not valid.all():
            velocity_mps = np.where(valid[:, None], velocity_mps, observations.steady_velocity_mps)
        object_class = observations.object_class
        speed_mps = np.hypot(velocity_mps[:, 0], velocity_mps[:, 1])
        limit_mps = self._served_mps.take(object_class)
        if self._any_fast:
            before = self._slots.fast.take(slot) & ~observations.reset
            limit_mps = np.where(before, self._trained_mps.take(object_class), limit_mps)
        fast = np.asarray(speed_mps > limit_mps)
        if self._any_fast or fast.any():
            self._slots.fast[slot] = fast
            self._any_fast = bool(self._slots.fast.any())
        return fast
