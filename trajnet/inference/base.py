"""The interface that all predictors share."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from trajnet.context.surroundings import InputRequirements
from trajnet.inference.contract import Contract
from trajnet.tracking.store import Observations
from trajnet.types import FloatArray, IntArray, Prediction


@dataclass(frozen=True)
class ModelFile:
    """The model file behind a predictor. card: Markdown; provider: ONNX Runtime's name of the one in use."""

    contract: Contract
    card: str
    provider: str


@dataclass(eq=False)
class StateOwner:
    """Key of the stream whose tracks a predictor's state is of: the stream itself would be kept alive by it.

    late_call: a call of this stream or an earlier one that may still run; until it ends nobody else may use the state.
    """

    late_call: Future[Prediction] | None = None


class Predictor(Protocol):
    """Turns one frame's observations into paths and keeps its own state per slot.

    Results depend neither on a clock nor on random numbers: the same calls give the same bytes.
    state_owner: whose tracks the state is of: a StateOwner set by the Stream that is served, a new object() before any.
    None: there is no state, and any number of streams may be served at once.
    """

    state_owner: object | None

    @property
    def name(self) -> str:
        """Name used in reports: ``cv``, ``ctrv``, ``kalman`` or the model's name."""

    @property
    def time_s(self) -> FloatArray:
        """(T,) future times of every prediction."""

    @property
    def modes(self) -> int:
        """Number of modes K."""

    @property
    def requirements(self) -> InputRequirements:
        """Parts of Observations.surroundings that the predictor needs."""

    @property
    def model_file(self) -> ModelFile | None:
        """Model file that the predictor serves; None for physics and for recorded predictions."""

    @property
    def graph_ns(self) -> int:
        """Total time spent in the model's graph so far, ns; 0 for predictors without a graph."""

    def predict(self, observations: Observations) -> Prediction:
        """Return one set of paths per row of observations, in the same order, from observations.timestamp_ns on.

        The arrays of a predictor with a model file are new ones, into which the caller may write.
        """

    def forget(self, slots: IntArray) -> None:
        """Drop the state of these slots: the next observation of each starts a new track."""


class BasePredictor:
    """Defaults for predictors without a model file, surroundings and state."""

    requirements: InputRequirements = InputRequirements()
    model_file: ModelFile | None = None
    graph_ns: int = 0
    state_owner: object | None = None

    def forget(self, slots: IntArray) -> None:
        """Do nothing: there is no state to drop."""
