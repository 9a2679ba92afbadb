"""Which frames of a track a predictor was not shown, so that its next step spans the time since the last one it saw."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from trajnet.tracking.store import Observations
from trajnet.types import BoolArray, IntArray

#: A track that a predictor missed for longer than this starts anew: what came before is no history any more.
MAX_MISSED_S = 1.0


class MissedFrames:
    """Per slot: whether the predictor has a state of the track, and how long it has missed its frames.

    A track is outdated where the predictor has a state of it but was not shown its newest frames: the next step of that
    track starts from the last observation that the predictor was shown. As long as it is shown every frame, which is
    nearly always so, this costs two look-ups a frame.
    """

    def __init__(self) -> None:
        self._any_outdated = False
        self._has_state = np.zeros(0, dtype=np.bool_)
        self._outdated = np.zeros(0, dtype=np.bool_)
        self._missed_s = np.zeros(0)
        self._position_m = np.zeros((0, 2))
        self._yaw_rad = np.zeros(0)
        self._yaw_valid = np.zeros(0, dtype=np.bool_)
        self._heading_known = np.zeros(0, dtype=np.bool_)

    def up_to_date(self, observations: Observations) -> BoolArray:
        """Return (N,): which rows are of tracks whose every frame the predictor was shown."""
        self._grow(observations.slot)
        slot = observations.slot
        return np.asarray(self._has_state[slot] & ~self._outdated[slot] & ~observations.reset)

    def since_shown(self, observations: Observations) -> Observations:
        """Return the observations with reset, dt_s and previous_* counted from what the predictor was shown last."""
        self._grow(observations.slot)
        slot = observations.slot
        has_state = self._has_state[slot]
        if not self._any_outdated and (has_state | observations.reset).all():
            return observations
        outdated = self._outdated[slot] & ~observations.reset
        reset = observations.reset | ~has_state | (outdated & (self._missed_s[slot] > MAX_MISSED_S))
        outdated &= ~reset
        previous_m = np.where(outdated[:, None], self._position_m[slot], observations.previous_position_m)
        heading_rad = np.where(self._heading_known[slot], self._yaw_rad[slot], observations.yaw_rad)
        previous_rad = np.where(outdated, heading_rad, observations.previous_yaw_rad)
        previous_valid = np.where(outdated, self._yaw_valid[slot], observations.previous_yaw_valid)
        dt_s = observations.dt_s + np.where(outdated, self._missed_s[slot], 0.0)
        return replace(
            observations,
            reset=reset,
            dt_s=np.where(reset, 0.0, dt_s),
            previous_position_m=np.where(reset[:, None], observations.position_m, previous_m),
            previous_yaw_rad=np.where(reset, observations.yaw_rad, previous_rad),
            previous_yaw_valid=np.where(reset, observations.yaw_valid, previous_valid),
        )

    def mark_shown(self, observations: Observations) -> None:
        """Note that the predictor was given these."""
        slot = observations.slot
        self._has_state[slot] = True
        self._heading_known[slot] = observations.heading_known
        if self._any_outdated:
            self._outdated[slot] = False
            self._any_outdated = bool(self._outdated.any())

    def mark_missed(self, observations: Observations) -> None:
        """Note that the predictor was not given these."""
        self._grow(observations.slot)
        slot, reset = observations.slot, observations.reset
        self._has_state[slot[reset]] = False
        self._outdated[slot[reset]] = False
        later = self._outdated[slot]
        self._missed_s[slot[later]] += observations.dt_s[later]
        first = ~later & self._has_state[slot]
        begun = slot[first]
        self._outdated[begun] = True
        self._missed_s[begun] = observations.dt_s[first]
        self._position_m[begun] = observations.previous_position_m[first]
        self._yaw_rad[begun] = observations.previous_yaw_rad[first]
        self._yaw_valid[begun] = observations.previous_yaw_valid[first]
        self._any_outdated = self._any_outdated or len(begun) > 0

    def forget(self, slots: IntArray) -> None:
        """Treat the tracks in these slots as born with their next observation."""
        slots = np.asarray(slots, dtype=np.int64)
        self._has_state[slots[slots < len(self._has_state)]] = False

    def _grow(self, slot: IntArray) -> None:
        count = int(slot.max()) + 1 if len(slot) else 0
        if count <= len(self._has_state):
            return
        for name in ("_has_state", "_outdated", "_missed_s", "_position_m", "_yaw_rad", "_yaw_valid", "_heading_known"):
            old = getattr(self, name)
            new = np.zeros((max(32, 2 * count), *old.shape[1:]), dtype=old.dtype)
            new[: len(old)] = old
            setattr(self, name, new)
