"""An exported model behind the Predictor interface, served by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trajnet.predictors.engine import BUCKETS, PADDING, Arrays, Engine
from trajnet.predictors.session import GpuOptions
from trajnet.surroundings import Surroundings
from trajnet.tracks import Observations
from trajnet.types import BoolArray, IntArray, Prediction, Source

_INPUTS_AS_THEY_ARE = (
    "yaw_rad", "previous_yaw_rad", "dt_s", "velocity_mps", "velocity_valid", "steady_velocity_mps",
    "object_class", "size_m",
)  # fmt: skip
_SURROUNDINGS = tuple(f.name for f in fields(Surroundings))


class OnnxPredictor:
    """Serves one model file. The recurrent state of every slot lives here, one step is run for each observation.

    provider: cpu, cuda or tensorrt. The one that ONNX Runtime really uses is checked: no silent fall-back.
    threads: intra-op threads. buckets: numbers of tracks that are prepared for, see engine.py. gpu: see GpuOptions.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        provider: str = "cpu",
        threads: int = 1,
        buckets: Sequence[int] = BUCKETS,
        gpu: GpuOptions = GpuOptions(),
    ) -> None:
        self._engine = Engine(Path(path), provider=provider, threads=threads, buckets=buckets, gpu=gpu)
        self.contract = self._engine.contract
        self.card = self._engine.card
        self.provider = self._engine.provider
        self.name = self.contract.name
        self.modes = self.contract.modes
        self.needs = self.contract.needs
        self.time_s = np.array(self.contract.time_s)
        self._forgotten: set[int] = set()

    @property
    def max_tracks(self) -> int:
        """As many rows as one step takes; a frame with more costs several."""
        return self._engine.max_tracks

    def predict(self, observations: Observations) -> Prediction:
        count, modes, steps = len(observations), self.modes, len(self.time_s)
        answer = Prediction(
            observations.timestamp_ns, observations.track_id, self.time_s, np.empty((count, modes, steps, 2)),
            np.empty((count, modes, steps)), np.empty((count, modes, steps, 2, 2)), np.empty((count, modes)),
            np.full(count, Source.MODEL, np.int8), np.zeros(count),
        )  # fmt: skip
        reset = observations.reset
        if self._forgotten:
            reset = reset | np.isin(observations.slot, list(self._forgotten))
        for begin in range(0, count, self.max_tracks):
            self._step(observations, reset, slice(begin, begin + self.max_tracks), answer)
        self._forgotten.difference_update(observations.slot.tolist())
        return answer

    def _step(self, observations: Observations, reset: BoolArray, rows: slice, answer: Prediction) -> None:
        slot = observations.slot[rows]
        outputs = self._engine.step(slot, reset[rows], lambda inputs: fill(inputs, observations, reset, rows))
        read_paths(outputs, observations.position_m[rows], answer, rows)

    def forget(self, slots: IntArray) -> None:
        self._forgotten.update(int(s) for s in slots)


def fill(inputs: Arrays, observations: Observations, reset: BoolArray, rows: slice) -> None:
    """Write these rows of the observations into the graph's inputs, one array for each of the contract's.

    Only differences of positions go in: float32 keeps its precision wherever an object is.
    """
    around = observations.surroundings
    with np.errstate(over="ignore", invalid="ignore"):  # absurd values become infinite, and the row's result unusable
        before_m, now_m = observations.previous_position_m[rows], observations.position_m[rows]
        np.subtract(now_m, before_m, out=inputs["displacement_m"], casting="same_kind")
        inputs["displacement_m"][reset[rows]] = 0.0
        inputs["reset"][...] = reset[rows]
        for name in _INPUTS_AS_THEY_ARE:
            inputs[name][...] = getattr(observations, name)[rows]
        for name in _SURROUNDINGS:
            if name in inputs and around is not None:
                inputs[name][...] = getattr(around, name)[rows]
            elif name in inputs:
                inputs[name].fill(PADDING.get(name, 0))


def read_paths(outputs: Arrays, origin_m: NDArray[np.float64], answer: Prediction, rows: slice) -> None:
    """Mode-major float32 planes of the graph -> these rows of the object-major float64 arrays, in the map frame."""
    count, points = len(origin_m), answer.modes * len(answer.time_s)

    def plane(name: str) -> NDArray[np.float32]:
        """(n, K * T): as few dimensions as there may be are the fastest to turn round."""
        values: NDArray[np.float32] = outputs[name].reshape(points, count).T
        return values

    position_m = answer.position_m[rows].reshape(count, points, 2)
    for axis, name in enumerate(("x_m", "y_m")):
        np.add(plane(name), origin_m[:, axis, None], out=position_m[..., axis])
    covariance_m2 = answer.covariance_m2[rows].reshape(count, points, 4)
    for element, name in enumerate(("cov_xx_m2", "cov_xy_m2", "cov_xy_m2", "cov_yy_m2")):
        covariance_m2[..., element] = plane(name)
    answer.yaw_rad[rows].reshape(count, points)[...] = plane("path_yaw_rad")
    probability = answer.probability[rows]
    probability[...] = outputs["probability"]
    with np.errstate(invalid="ignore", divide="ignore"):  # whoever calls looks for unusable rows
        probability /= probability.sum(axis=1, keepdims=True)
