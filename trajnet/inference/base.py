"""The one interface of everything that predicts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from trajnet.context.surroundings import InputRequirements
from trajnet.inference.contract import Contract
from trajnet.tracking.store import Observations
from trajnet.types import FloatArray, IntArray, Prediction


@dataclass(frozen=True)
class ModelFile:
    """The model file behind a predictor. card: Markdown; provider: the one in use, as ONNX Runtime names it."""

    contract: Contract
    card: str
    provider: str


class Predictor(Protocol):
    """Turns one frame's observations into paths and keeps its own state per slot.

    A predictor reads no clock for its results and draws nothing at random: the same calls give the same bytes.
    """

    @property
    def name(self) -> str:
        """What reports call it: ``cv``, ``ctrv``, ``kalman`` or the model's name."""

    @property
    def time_s(self) -> FloatArray:
        """(T,) future times of every prediction."""

    @property
    def modes(self) -> int:
        """K."""

    @property
    def requirements(self) -> InputRequirements:
        """What it takes of the surroundings, in Observations.surroundings."""

    @property
    def model_file(self) -> ModelFile | None:
        """The model file that it serves; None for physics and for recorded predictions."""

    @property
    def graph_ns(self) -> int:
        """Time that the model's graph has taken for all calls so far; 0 where there is none."""

    def predict(self, observations: Observations) -> Prediction:
        """Return one path set for each row of observations, in their order, relative to observations.timestamp_ns."""

    def forget(self, slots: IntArray) -> None:
        """Drop the state of these slots, as if their tracks were born with their next observation."""


class BasePredictor:
    """The defaults of a predictor that serves no model file, ignores the surroundings and keeps no state."""

    requirements: InputRequirements = InputRequirements()
    model_file: ModelFile | None = None
    graph_ns: int = 0

    def forget(self, slots: IntArray) -> None:
        """Do nothing: there is no state."""
