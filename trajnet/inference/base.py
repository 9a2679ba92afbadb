"""The one interface of everything that predicts."""

from __future__ import annotations

from typing import Protocol

from trajnet.context.surroundings import InputRequirements
from trajnet.tracking.store import Observations
from trajnet.types import FloatArray, IntArray, Prediction


class Predictor(Protocol):
    """Turns one frame's observations into paths and keeps its own state per slot.

    A predictor reads no clock and draws nothing at random: the same calls give the same bytes.
    """

    @property
    def name(self) -> str:
        """What reports call it: ``cv``, ``ctrv``, ``kalman`` or the model's id."""

    @property
    def time_s(self) -> FloatArray:
        """(T,) future times of every prediction."""

    @property
    def modes(self) -> int:
        """K."""

    @property
    def requirements(self) -> InputRequirements:
        """What it wants to know of the surroundings, in Observations.surroundings."""

    def predict(self, observations: Observations) -> Prediction:
        """One path set for each row of observations, in their order, relative to observations.timestamp_ns."""

    def forget(self, slots: IntArray) -> None:
        """Drop the state of these slots, as if their tracks were born with their next observation."""
