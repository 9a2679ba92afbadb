"""Frames that a predictor was not given, so that its next step spans the time since the last one that it was."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from trajnet.arrays import StructOfArrays, all_true, any_true, grown
from trajnet.tracking.store import Observations
from trajnet.types import BoolArray, FloatArray, IntArray

#: A track whose frames the predictor missed for longer than this starts anew: its history is too old to be used.
MAX_MISSED_S = 1.0


@dataclass(frozen=True, eq=False)
class _Slots(StructOfArrays):
    """Per slot: state of the predictor's knowledge of the track.

    has_state: the predictor has a state of it; outdated, missed_s: the state lags behind, and by how much time.
    position_m, yaw_rad, yaw_valid: the pose that the predictor was given last; heading_known: that it had a heading.
    """

    has_state: BoolArray
    outdated: BoolArray
    missed_s: FloatArray
    position_m: FloatArray
    yaw_rad: FloatArray
    yaw_valid: BoolArray
    heading_known: BoolArray


class MissedFrames:
    """Tracks, per slot, whether the predictor has a state of the track and how long it has missed its frames.

    A track is outdated if the predictor has a state of it but was not given its newest frames: its next step then
    starts from the last observation that the predictor was given. In the usual case of no missed frame this costs two
    look-ups per frame.
    """

    def __init__(self) -> None:
        self._any_outdated = False
        none = np.zeros(0, np.bool_)
        self._slots = _Slots(none, none, np.zeros(0), np.zeros((0, 2)), np.zeros(0), none, none)

    def up_to_date(self, observations: Observations) -> BoolArray:
        """Return the rows (N,) of tracks of which the predictor was given every frame."""
        self._slots = grown(self._slots, observations.slots)
        slot = observations.slot
        return np.asarray(self._slots.has_state[slot] & ~self._slots.outdated[slot] & ~observations.reset)

    def since_shown(self, observations: Observations) -> Observations:
        """Return the observations with reset, dt_s and previous_* relative to the last ones given to the predictor."""
        if observations.slots > len(self._slots.has_state):
            self._slots = grown(self._slots, observations.slots)
        slot = observations.slot
        has_state = self._slots.has_state.take(slot)
        if not self._any_outdated and all_true(has_state | observations.reset):
            return observations
        outdated = self._slots.outdated[slot] & ~observations.reset
        reset = observations.reset | ~has_state | (outdated & (self._slots.missed_s[slot] > MAX_MISSED_S))
        outdated &= ~reset
        previous_m = np.where(outdated[:, None], self._slots.position_m[slot], observations.previous_position_m)
        heading_rad = np.where(self._slots.heading_known[slot], self._slots.yaw_rad[slot], observations.yaw_rad)
        previous_rad = np.where(outdated, heading_rad, observations.previous_yaw_rad)
        previous_valid = np.where(outdated, self._slots.yaw_valid[slot], observations.previous_yaw_valid)
        dt_s = observations.dt_s + np.where(outdated, self._slots.missed_s[slot], 0.0)
        return replace(
            observations,
            reset=reset,
            dt_s=np.where(reset, 0.0, dt_s),
            previous_position_m=np.where(reset[:, None], observations.position_m, previous_m),
            previous_yaw_rad=np.where(reset, observations.yaw_rad, previous_rad),
            previous_yaw_valid=np.where(reset, observations.yaw_valid, previous_valid),
        )

    def mark_shown(self, observations: Observations) -> None:
        """Record that the predictor was given these rows."""
        slot = observations.slot
        self._slots.has_state[slot] = True
        self._slots.heading_known[slot] = observations.heading_known
        if self._any_outdated:
            self._slots.outdated[slot] = False
            self._any_outdated = any_true(self._slots.outdated)

    def mark_missed(self, observations: Observations) -> None:
        """Record that the predictor was not given these rows."""
        self._slots = grown(self._slots, observations.slots)
        slot = observations.slot
        if len(observations.begun):
            self._slots.has_state[observations.begun] = self._slots.outdated[observations.begun] = False
        has_state = self._slots.has_state.take(slot)
        if not any_true(has_state):  # nearly always: rows outside of the model's domain, frame after frame
            return
        later = self._slots.outdated.take(slot)
        self._slots.missed_s[slot[later]] += observations.dt_s[later]
        first = ~later & has_state
        begun = slot[first]
        self._slots.outdated[begun] = True
        self._slots.missed_s[begun] = observations.dt_s[first]
        self._slots.position_m[begun] = observations.previous_position_m[first]
        self._slots.yaw_rad[begun] = observations.previous_yaw_rad[first]
        self._slots.yaw_valid[begun] = observations.previous_yaw_valid[first]
        self._any_outdated = self._any_outdated or len(begun) > 0

    def forget(self, slots: IntArray) -> None:
        """Drop these slots' states: the next observation of each starts a new track."""
        slots = np.asarray(slots, dtype=np.int64)
        self._slots.has_state[slots[slots < len(self._slots.has_state)]] = False
