"""A predictor that keeps what it was shown."""

from __future__ import annotations

import numpy as np

from trajnet.context.surroundings import InputRequirements
from trajnet.inference import ConstantVelocity
from trajnet.inference.base import BasePredictor
from trajnet.tracking.store import Observations
from trajnet.types import FloatArray, Prediction


class Onlooker(BasePredictor):
    """Constant velocity that keeps the observations, with their surroundings as these requirements say."""

    name, modes = "onlooker", 1
    time_s: FloatArray = np.arange(1.0, 13.0) * 0.5

    def __init__(self, requirements: InputRequirements) -> None:
        self.requirements = requirements
        self.seen: list[Observations] = []

    def predict(self, observations: Observations) -> Prediction:
        self.seen.append(observations)
        return ConstantVelocity(self.time_s).predict(observations)
