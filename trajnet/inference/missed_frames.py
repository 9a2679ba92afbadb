"""What a predictor was not shown of the tracks, so that a frame kept from it is a gap for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from trajnet.tracking.store import Observations
from trajnet.types import BoolArray, IntArray

#: What a predictor missed for longer than this is no history any more: the track is born for it again.
MAX_MISSED_S = 1.0


class Gaps:
    """Per slot: whether the predictor knows the track (known), and since when it has missed its frames (behind).

    As long as it is shown all there is, which is nearly always, this costs two look-ups a frame.
    """

    def __init__(self) -> None:
        self._any_behind = False
        self._known = np.zeros(0, dtype=np.bool_)
        self._behind = np.zeros(0, dtype=np.bool_)
        self._missed_s = np.zeros(0)
        self._position_m = np.zeros((0, 2))
        self._yaw_rad = np.zeros(0)
        self._yaw_valid = np.zeros(0, dtype=np.bool_)
        self._heading_known = np.zeros(0, dtype=np.bool_)

    def in_step(self, observations: Observations) -> BoolArray:
        """(N,): rows of tracks that the predictor knows and has missed nothing of."""
        self._grow(observations.slot)
        slot = observations.slot
        return np.asarray(self._known[slot] & ~self._behind[slot] & ~observations.reset)

    def steps(self, observations: Observations) -> Observations:
        """The observations with reset, dt_s and previous_* as the predictor knows them."""
        self._grow(observations.slot)
        slot = observations.slot
        known = self._known[slot]
        if not self._any_behind and (known | observations.reset).all():
            return observations
        behind = self._behind[slot] & ~observations.reset
        reset = observations.reset | ~known | (behind & (self._missed_s[slot] > MAX_MISSED_S))
        behind &= ~reset
        previous_m = np.where(behind[:, None], self._position_m[slot], observations.previous_position_m)
        heading_rad = np.where(self._heading_known[slot], self._yaw_rad[slot], observations.yaw_rad)
        previous_rad = np.where(behind, heading_rad, observations.previous_yaw_rad)
        previous_valid = np.where(behind, self._yaw_valid[slot], observations.previous_yaw_valid)
        dt_s = observations.dt_s + np.where(behind, self._missed_s[slot], 0.0)
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
        self._known[slot] = True
        self._heading_known[slot] = observations.heading_known
        if self._any_behind:
            self._behind[slot] = False
            self._any_behind = bool(self._behind.any())

    def missed(self, observations: Observations) -> None:
        """The predictor was not given these."""
        self._grow(observations.slot)
        slot, reset = observations.slot, observations.reset
        self._known[slot[reset]] = False
        self._behind[slot[reset]] = False
        later = self._behind[slot]
        self._missed_s[slot[later]] += observations.dt_s[later]
        first = ~later & self._known[slot]
        begun = slot[first]
        self._behind[begun] = True
        self._missed_s[begun] = observations.dt_s[first]
        self._position_m[begun] = observations.previous_position_m[first]
        self._yaw_rad[begun] = observations.previous_yaw_rad[first]
        self._yaw_valid[begun] = observations.previous_yaw_valid[first]
        self._any_behind = self._any_behind or len(begun) > 0

    def forget(self, slots: IntArray) -> None:
        """Whatever track is in these slots is born for the predictor with its next observation."""
        slots = np.asarray(slots, dtype=np.int64)
        self._known[slots[slots < len(self._known)]] = False

    def _grow(self, slot: IntArray) -> None:
        count = int(slot.max()) + 1 if len(slot) else 0
        if count <= len(self._known):
            return
        for name in ("_known", "_behind", "_missed_s", "_position_m", "_yaw_rad", "_yaw_valid", "_heading_known"):
            old = getattr(self, name)
            new = np.zeros((max(32, 2 * count), *old.shape[1:]), dtype=old.dtype)
            new[: len(old)] = old
            setattr(self, name, new)
