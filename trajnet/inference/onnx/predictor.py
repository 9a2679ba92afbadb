"""An exported model behind the Predictor interface, served by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trajnet.inference.contract import OBSERVATION, PATH
from trajnet.inference.onnx.engine import BUCKETS, Arrays, Engine
from trajnet.inference.onnx.session import GpuOptions
from trajnet.tracking.store import Observations
from trajnet.types import CLASS_NAMES, BoolArray, IntArray, Prediction, Source

#: For each class 1 in its own column.
_CLASSES = np.eye(len(CLASS_NAMES), dtype=np.float32)
_UNKNOWN_AT_FIRST = [OBSERVATION.index(name) for name in ("displacement_x_m", "displacement_y_m", "dt_s")]
_YAW, _PREVIOUS_YAW = OBSERVATION.index("yaw_rad"), OBSERVATION.index("previous_yaw_rad")


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
        self.requirements = self.contract.needs
        self.time_s = np.array(self.contract.time_s)
        self._forgotten: set[int] = set()

    @property
    def max_tracks(self) -> int:
        """As many rows as one step takes; a frame with more costs several."""
        return self._engine.max_tracks

    @property
    def graph_ns(self) -> int:
        """Time that ONNX Runtime has taken for all steps so far: what is left of predict's is ours."""
        return self._engine.graph_ns

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
    for name in inputs.keys() & {"map_distance", "neighbours"}:
        inputs[name][...] = 0 if around is None else getattr(around, name)[rows]
    observed, seen, first = inputs["observation"], observations, reset[rows, None]
    map_valid = np.zeros_like(first) if around is None else around.map_valid[rows, None]
    with np.errstate(over="ignore", invalid="ignore"):  # absurd values become infinite, and the row's result unusable
        columns = (
            seen.position_m[rows] - seen.previous_position_m[rows], seen.velocity_mps[rows],
            seen.steady_velocity_mps[rows], seen.yaw_rad[rows, None], seen.previous_yaw_rad[rows, None],
            seen.dt_s[rows, None], first, seen.velocity_valid[rows, None], seen.size_m[rows], map_valid,
            _CLASSES.take(seen.object_class[rows], axis=0),
        )  # fmt: skip
        np.concatenate(columns, axis=1, out=observed, casting="same_kind")
    if first.any():  # not only new tracks: what the predictor forgot begins anew as well
        born = np.flatnonzero(first)
        observed[born[:, None], _UNKNOWN_AT_FIRST] = 0.0
        observed[born, _PREVIOUS_YAW] = observed[born, _YAW]


def read_paths(outputs: Arrays, origin_m: NDArray[np.float64], answer: Prediction, rows: slice) -> None:
    """Mode-major float32 planes of the graph -> these rows of the object-major float64 arrays, in the map frame."""
    count, points = len(origin_m), answer.modes * len(answer.time_s)
    # One plane after the other, (n, K * T) each: as few dimensions as there may be are the fastest to turn round.
    planes = outputs["paths"].reshape(len(PATH), points, count).swapaxes(1, 2)
    x_m, y_m, yaw_rad, cov_xx_m2, cov_xy_m2, cov_yy_m2 = planes
    position_m = answer.position_m[rows].reshape(count, points, 2)
    np.add(x_m, origin_m[:, :1], out=position_m[..., 0])
    np.add(y_m, origin_m[:, 1:], out=position_m[..., 1])
    answer.yaw_rad[rows].reshape(count, points)[...] = yaw_rad
    covariance_m2 = answer.covariance_m2[rows].reshape(count, points, 4)
    for element, plane in enumerate((cov_xx_m2, cov_xy_m2, cov_xy_m2, cov_yy_m2)):
        covariance_m2[..., element] = plane
    probability = answer.probability[rows]
    probability[...] = outputs["probability"]
    with np.errstate(invalid="ignore", divide="ignore"):  # whoever calls looks for unusable rows
        probability /= probability.sum(axis=1, keepdims=True)
