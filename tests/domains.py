"""A made-up domain, and a predictor whose model file states it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.unit.inference.test_contract import CONTRACT
from trajnet.inference import ConstantVelocity
from trajnet.inference.base import ModelFile
from trajnet.inference.domain import ClassDomain, Domain
from trajnet.tracking.store import Observations
from trajnet.types import FloatArray, Prediction, Source

#: Cars up to 20 m/s and pedestrians up to 2 m/s, at 10 Hz and, hardly ever, at 2 Hz; bicycles hardly ever.
DOMAIN = Domain(
    classes={
        "car": ClassDomain(1_000, (0.0, 20.0), (400, 600)),
        "bicycle": ClassDomain(99, (0.0, 6.0), (50, 49)),
        "pedestrian": ClassDomain(100, (0.0, 2.0), (70, 30)),
    },
    rates_hz=((2.0, 20), (10.0, 1_179)),
    driving_sides={"left": 199, "unknown": 1_000},
    map_share=0.5,
    neighbours_share=0.25,
    velocity_share=1.0,
    speed_edges_mps=(0.0, 1.0),
)


class Stated(ConstantVelocity):
    """Constant velocity that calls itself a model and has a model file with this domain; keeps what it is asked."""

    def __init__(self, time_s: FloatArray, domain: Domain | None = DOMAIN, **contract: Any) -> None:
        super().__init__(time_s)
        self.model_file = ModelFile(replace(CONTRACT, domain=domain, **contract), "", "CPUExecutionProvider")
        self.asked: list[Observations] = []

    def predict(self, observations: Observations) -> Prediction:
        self.asked.append(observations)
        answer = super().predict(observations)
        return replace(answer, source=answer.source * 0 + Source.MODEL)
