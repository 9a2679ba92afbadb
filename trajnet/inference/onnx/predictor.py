"""An exported model behind the Predictor interface, served by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trajnet.arrays import any_true
from trajnet.columns import INPUT_COLUMNS, PATH_PLANES
from trajnet.inference.base import ModelFile
from trajnet.inference.onnx.engine import BUCKETS, Arrays, Engine
from trajnet.inference.onnx.session import GpuOptions
from trajnet.tracking.store import Observations
from trajnet.types import CLASS_NAMES, BoolArray, IntArray, Prediction, Source

#: One-hot rows of the classes.
_CLASSES = np.eye(len(CLASS_NAMES), dtype=np.float32)
#: As a plain number: NumPy looks up an enumeration each time.
_MODEL = int(Source.MODEL)


class OnnxPredictor:
    """Serves one model file: keeps the recurrent state of every slot and runs one step per observation.

    provider: cpu, cuda or tensorrt; never falls back silently, as the provider really in use is checked.
    threads: intra-op threads. buckets: prepared numbers of tracks, see engine.py. gpu: see GpuOptions.
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
        contract = self._engine.contract
        self.model_file = ModelFile(contract, self._engine.card, self._engine.provider)
        self.name = contract.name
        self.modes = contract.modes
        self.requirements = contract.needs
        self.time_s = np.array(contract.time_s)
        self.state_owner: object | None = object()
        self._forgotten: set[int] = set()

    @property
    def max_tracks(self) -> int:
        """Largest number of rows per step; larger frames take several steps."""
        return self._engine.max_tracks

    @property
    def graph_ns(self) -> int:
        """Total time of ONNX Runtime for all steps so far, ns; the rest of predict's time is this package's."""
        return self._engine.graph_ns

    def predict(self, observations: Observations) -> Prediction:
        count, modes, steps = len(observations), self.modes, len(self.time_s)
        answer = Prediction.unchecked(
            timestamp_ns=observations.timestamp_ns, track_id=observations.track_id, time_s=self.time_s,
            position_m=np.empty((count, modes, steps, 2)), yaw_rad=np.empty((count, modes, steps)),
            covariance_m2=np.empty((count, modes, steps, 2, 2)), probability=np.empty((count, modes)),
            source=np.empty(count, np.int8), age_s=np.zeros(count),
        )  # fmt: skip
        answer.source.fill(_MODEL)
        reset = observations.reset
        if self._forgotten:
            reset = reset | np.isin(observations.slot, list(self._forgotten))
        for begin in range(0, count, self.max_tracks):
            self._step(observations, reset, slice(begin, begin + self.max_tracks), answer)
        if self._forgotten:
            self._forgotten.difference_update(observations.slot.tolist())
        return answer

    def _step(self, observations: Observations, reset: BoolArray, rows: slice, answer: Prediction) -> None:
        slot = observations.slot[rows]
        # Huge values overflow to infinity, and some rows of it mean nothing: the guard rejects them.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            outputs = self._engine.step(slot, reset[rows], lambda inputs: fill(inputs, observations, reset, rows))
            read_paths(outputs, observations.position_m[rows], answer, rows)

    def forget(self, slots: IntArray) -> None:
        self._forgotten.update(int(s) for s in slots)


def fill(inputs: Arrays, observations: Observations, reset: BoolArray, rows: slice) -> None:
    """Write these rows of the observations into the graph's input arrays.

    Positions enter only as differences, so that float32 is precise enough far from the map's origin, too.
    """
    surroundings, first = observations.surroundings, reset[rows]
    if "map_distance" in inputs:
        inputs["map_distance"][...] = 0 if surroundings is None else surroundings.map_distance[rows]
    if "neighbours" in inputs:
        inputs["neighbours"][...] = 0 if surroundings is None else surroundings.neighbours[rows]
    out, seen = inputs["observation"], observations
    covered = np.zeros(len(first)) if surroundings is None else surroundings.map_valid[rows]
    # In the order of INPUT_COLUMNS: one call instead of one for each.
    columns = (
        seen.position_m[rows] - seen.previous_position_m[rows], seen.velocity_mps[rows],
        seen.steady_velocity_mps[rows], seen.yaw_rad[rows, None], seen.previous_yaw_rad[rows, None],
        seen.dt_s[rows, None], first[:, None], seen.velocity_valid[rows, None], seen.size_m[rows], covered[:, None],
        _CLASSES.take(seen.object_class[rows], axis=0),
    )  # fmt: skip
    np.concatenate(columns, axis=1, out=out, casting="same_kind")
    if any_true(first):  # also tracks whose state the predictor dropped
        born = np.flatnonzero(first)
        out[born, INPUT_COLUMNS.displacement_m] = 0.0
        out[born, INPUT_COLUMNS.dt_s] = 0.0
        out[born, INPUT_COLUMNS.previous_yaw_rad] = out[born, INPUT_COLUMNS.yaw_rad]


def read_paths(outputs: Arrays, origin_m: NDArray[np.float64], answer: Prediction, rows: slice) -> None:
    """Convert mode-major float32 planes of the graph to these rows of object-major float64 arrays in the map frame."""
    count, points = len(origin_m), answer.modes * len(answer.time_s)
    # Plane by plane, (n, K * T) each: fewer axes transpose faster.
    planes = outputs["paths"].reshape(len(PATH_PLANES), points, count).swapaxes(1, 2)
    position_m = answer.position_m[rows].reshape(count, points, 2)
    position_m[..., 0], position_m[..., 1] = planes[PATH_PLANES.position_m]
    # Both axes at once, as complex numbers: NumPy is slow along axes of two elements.
    moved_m = position_m.view(np.complex128).reshape(count, points)
    moved_m += origin_m.view(np.complex128)
    answer.yaw_rad[rows].reshape(count, points)[...] = planes[PATH_PLANES.yaw_rad.start]
    covariance_m2 = answer.covariance_m2[rows].reshape(count, points, 4)
    xx_m2, xy_m2, yy_m2 = planes[PATH_PLANES.covariance_m2]
    for element, plane in enumerate((xx_m2, xy_m2, xy_m2, yy_m2)):
        covariance_m2[..., element] = plane
    probability = answer.probability[rows]
    probability[...] = outputs["probability"]
    probability /= np.add.reduce(probability, axis=1, keepdims=True)
