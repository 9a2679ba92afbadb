"""An exported model behind the Predictor interface, served by ONNX Runtime."""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajnet.contract import CARD_KEY, check_tensors, read_contract, state_names
from trajnet.errors import ConfigError, ContractError, DependencyError
from trajnet.tracks import Observations
from trajnet.types import IntArray, Prediction, Source

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}
_DTYPES = {"tensor(float)": "float32", "tensor(int64)": "int64"}


def import_onnxruntime() -> Any:
    """The onnxruntime module, or DependencyError where none is installed or both flavours are."""
    installed = set()
    for name in ("onnxruntime", "onnxruntime-gpu"):
        try:
            importlib.metadata.version(name)
            installed.add(name)
        except importlib.metadata.PackageNotFoundError:
            pass
    if len(installed) == 2:
        raise DependencyError(
            "ONNX Runtime: onnxruntime and onnxruntime-gpu are both installed and overwrite each other; "
            "run `pip uninstall -y onnxruntime onnxruntime-gpu`, then install trajnet[cpu] or trajnet[gpu]"
        )
    try:
        import onnxruntime
    except ImportError as error:
        raise DependencyError(
            f"ONNX Runtime is needed to run a model and cannot be imported by {sys.executable} ({error}); "
            "install trajnet[cpu], or trajnet[gpu] for NVIDIA GPUs"
        ) from error
    return onnxruntime


class OnnxPredictor:
    """Serves one model file. The recurrent state of every slot lives here, one step is run for each observation.

    provider: cpu, cuda or tensorrt. The one that ONNX Runtime really uses is checked: no silent fall-back.
    threads: intra-op threads; more than one must not spin on a shared machine (PERFORMANCE.md).
    """

    def __init__(self, path: Path | str, *, provider: str = "cpu", threads: int = 1) -> None:
        path = Path(path)
        if provider not in PROVIDERS:
            raise ConfigError(f"provider: expected one of {', '.join(PROVIDERS)}, got {provider!r}")
        if threads < 1:
            raise ConfigError(f"threads: expected at least 1, got {threads}")
        if not path.is_file():
            raise ContractError(f"{path}: expected a model file exported by `trajnet export`, got no such file")
        onnxruntime = import_onnxruntime()
        self._session = self._open(onnxruntime, path, provider, threads)
        self.provider: str = self._session.get_providers()[0]
        metadata = self._session.get_modelmeta().custom_metadata_map
        self.contract = read_contract(metadata, str(path))
        self.card: str = metadata.get(CARD_KEY, "")
        for expected, tensors in (
            (self.contract.inputs, self._session.get_inputs()),
            (self.contract.outputs, self._session.get_outputs()),
        ):
            got = {t.name: (_DTYPES.get(t.type, t.type), tuple(str(s) for s in t.shape)) for t in tensors}
            check_tensors(expected, got, str(path))
        self.name = self.contract.name
        self.modes = self.contract.modes
        self.time_s = np.array(self.contract.time_s)
        self._states = state_names(self.contract.cell)
        self._outputs = [t.name for t in self.contract.outputs]
        self._memory = {s: np.zeros((self.contract.layers, 0, self.contract.hidden), np.float32) for s in self._states}
        self._forgotten: set[int] = set()

    @staticmethod
    def _open(onnxruntime: Any, path: Path, provider: str, threads: int) -> Any:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        if threads > 1:
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        wanted = PROVIDERS[provider]
        if wanted not in onnxruntime.get_available_providers():
            raise DependencyError(
                f"provider {provider}: this ONNX Runtime {onnxruntime.__version__} has only "
                f"{', '.join(onnxruntime.get_available_providers())}; install trajnet[gpu] instead of trajnet[cpu]"
            )
        try:
            session = onnxruntime.InferenceSession(str(path), options, providers=[wanted])
        except Exception as error:  # ONNX Runtime has no common error type
            raise ContractError(
                f"{path}: expected a model that ONNX Runtime can load, got: {' '.join(str(error).split())}"
            ) from error
        if session.get_providers()[0] != wanted:
            raise DependencyError(
                f"provider {provider}: ONNX Runtime fell back to {session.get_providers()[0]}; "
                "its CUDA libraries are missing or do not fit, see the provider's own requirements"
            )
        return session

    def predict(self, observations: Observations) -> Prediction:
        slot = observations.slot
        if not len(slot):
            return self._nothing(observations)  # ONNX Runtime's LSTM aborts the whole process on a batch of none
        self._grow(int(slot.max()) + 1)
        reset = observations.reset | np.isin(slot, list(self._forgotten)) if self._forgotten else observations.reset
        feed = self._feed(observations, reset)
        result = dict(zip(self._outputs, self._session.run(self._outputs, feed), strict=True))
        self._forgotten.difference_update(slot.tolist())
        for state in self._states:
            self._memory[state][:, slot] = result[f"{state}_next"]
        return self._prediction(observations, result)

    def _nothing(self, observations: Observations) -> Prediction:
        modes, steps = self.modes, len(self.time_s)
        return Prediction(
            observations.timestamp_ns, (), self.time_s, np.zeros((0, modes, steps, 2)), np.zeros((0, modes, steps)),
            np.zeros((0, modes, steps, 2, 2)), np.zeros((0, modes)), np.zeros(0, np.int8), np.zeros(0),
        )  # fmt: skip

    def forget(self, slots: IntArray) -> None:
        self._forgotten.update(int(s) for s in slots)

    def _grow(self, count: int) -> None:
        for state, memory in self._memory.items():
            if count > memory.shape[1]:
                larger = np.zeros((memory.shape[0], max(32, 2 * count), memory.shape[2]), np.float32)
                larger[:, : memory.shape[1]] = memory
                self._memory[state] = larger

    def _feed(self, observations: Observations, reset: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
        """The graph's inputs. Every object is its own origin: float32 keeps its precision wherever it is, and a ghost
        at the other end of the map takes nothing from the others."""

        def single(values: NDArray[Any]) -> NDArray[np.float32]:
            with np.errstate(over="ignore"):  # absurd values become infinite, and the row's result unusable
                return np.ascontiguousarray(values, dtype=np.float32)

        feed: dict[str, NDArray[Any]] = {
            "position_m": np.zeros((len(observations), 2), np.float32),
            "yaw_rad": single(observations.yaw_rad),
            "previous_position_m": single(observations.previous_position_m - observations.position_m),
            "previous_yaw_rad": single(observations.previous_yaw_rad),
            "dt_s": single(observations.dt_s),
            "reset": single(reset),
            "velocity_mps": single(observations.velocity_mps),
            "velocity_valid": single(observations.velocity_valid),
            "object_class": observations.object_class.astype(np.int64),
            "size_m": single(observations.size_m),
        }
        for state in self._states:
            feed[state] = self._memory[state][:, observations.slot]
            feed[state][:, reset] = 0.0  # the graph multiplies by 0, which would not get rid of a NaN
        return feed

    def _prediction(self, observations: Observations, result: dict[str, NDArray[Any]]) -> Prediction:
        """Time-major float32 planes of the graph -> object-major float64 arrays in the map frame."""
        origin_m = observations.position_m[:, None, None]
        count, steps = len(observations), len(self.time_s)
        position = np.empty((count, self.modes, steps, 2))
        position[..., 0] = result["x_m"].transpose(1, 2, 0) + origin_m[..., 0]
        position[..., 1] = result["y_m"].transpose(1, 2, 0) + origin_m[..., 1]
        covariance = np.empty((count, self.modes, steps, 2, 2))
        covariance[..., 0, 0] = result["cov_xx_m2"].transpose(1, 2, 0)
        covariance[..., 0, 1] = covariance[..., 1, 0] = result["cov_xy_m2"].transpose(1, 2, 0)
        covariance[..., 1, 1] = result["cov_yy_m2"].transpose(1, 2, 0)
        yaw = result["path_yaw_rad"].transpose(1, 2, 0).astype(np.float64)
        probability = result["probability"].astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):  # whoever calls looks for unusable rows
            probability /= probability.sum(axis=1, keepdims=True)
        return Prediction(
            observations.timestamp_ns, observations.track_id, self.time_s, position, yaw, covariance, probability,
            np.full(count, Source.MODEL), np.zeros(count),
        )  # fmt: skip
