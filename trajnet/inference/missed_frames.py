"""What a predictor was not shown of the tracks, so that a frame kept from it is a gap for it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from trajnet.arrays import StructOfArrays, grown
from trajnet.tracking.store import Observations
from trajnet.types import BoolArray, FloatArray, IntArray

#: What a predictor missed for longer than this is no history any more: the track is born for it again.
MAX_MISSED_S = 1.0


@dataclass(frozen=True, eq=False)
class _Slots(StructOfArrays):
    """Per slot: whether the predictor knows the track, whether it has missed frames of it (behind), for how long
    (missed_s), the pose that it saw last, and whether it was told a heading."""

    known: BoolArray
    behind: BoolArray
    missed_s: FloatArray
    position_m: FloatArray
    yaw_rad: FloatArray
    yaw_valid: BoolArray
    heading_known: BoolArray


class Gaps:
    """What the predictor knows of the track in each slot, and what it has missed.

    As long as it is shown all there is, which is nearly always, this costs two look-ups a frame.
    """

    def __init__(self) -> None:
        self._any_behind = False
        none = np.zeros(0, np.bool_)
        self._slots = _Slots(none, none, np.zeros(0), np.zeros((0, 2)), np.zeros(0), none, none)

    def in_step(self, observations: Observations) -> BoolArray:
        """(N,): rows of tracks that the predictor knows and has missed nothing of."""
        self._grow(observations.slot)
        slot = observations.slot
        return np.asarray(self._slots.known[slot] & ~self._slots.behind[slot] & ~observations.reset)

    def steps(self, observations: Observations) -> Observations:
        """The observations with reset, dt_s and previous_* as the predictor knows them."""
        self._grow(observations.slot)
        slot = observations.slot
        known = self._slots.known[slot]
        if not self._any_behind and (known | observations.reset).all():
            return observations
        behind = self._slots.behind[slot] & ~observations.reset
        reset = observations.reset | ~known | (behind & (self._slots.missed_s[slot] > MAX_MISSED_S))
        behind &= ~reset
        previous_m = np.where(behind[:, None], self._slots.position_m[slot], observations.previous_position_m)
        heading_rad = np.where(self._slots.heading_known[slot], self._slots.yaw_rad[slot], observations.yaw_rad)
        previous_rad = np.where(behind, heading_rad, observations.previous_yaw_rad)
        previous_valid = np.where(behind, self._slots.yaw_valid[slot], observations.previous_yaw_valid)
        dt_s = observations.dt_s + np.where(behind, self._slots.missed_s[slot], 0.0)
        return replace(
            observations,
            reset=reset,
            dt_s=np.where(reset, 0.0, dt_s),
            previous_position_m=np.where(reset[:, None], observations.position_m, previous_m),
            previous_yaw_rad=np.where(reset, observations.yaw_rad, previous_rad),
            previous_yaw_valid=np.where(reset, observations.yaw_valid, previous_valid),
        )

    def seen(self, observations: Observations) -> None:
        """The predictor was given these."""
        slot = observations.slot
        self._slots.known[slot] = True
        self._slots.heading_known[slot] = observations.heading_known
        if self._any_behind:
            self._slots.behind[slot] = False
            self._any_behind = bool(self._slots.behind.any())

    def missed(self, observations: Observations) -> None:
        """The predictor was not given these."""
        self._grow(observations.slot)
        slot, reset = observations.slot, observations.reset
        self._slots.known[slot[reset]] = False
        self._slots.behind[slot[reset]] = False
        later = self._slots.behind[slot]
        self._slots.missed_s[slot[later]] += observations.dt_s[later]
        first = ~later & self._slots.known[slot]
        begun = slot[first]
        self._slots.behind[begun] = True
        self._slots.missed_s[begun] = observations.dt_s[first]
        self._slots.position_m[begun] = observations.previous_position_m[first]
        self._slots.yaw_rad[begun] = observations.previous_yaw_rad[first]
        self._slots.yaw_valid[begun] = observations.previous_yaw_valid[first]
        self._any_behind = self._any_behind or len(begun) > 0

    def forget(self, slots: IntArray) -> None:
        """Whatever track is in these slots is born for the predictor with its next observation."""
        slots = np.asarray(slots, dtype=np.int64)
        self._slots.known[slots[slots < len(self._slots.known)]] = False

    def _grow(self, slot: IntArray) -> None:
        if len(slot):
            self._slots = grown(self._slots, int(slot.max()) + 1)
