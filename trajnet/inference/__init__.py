"""Predictors behind one interface: model files, physics and recorded predictions."""

from __future__ import annotations

from pathlib import Path

from trajnet.errors import ContractError
from trajnet.inference.base import Predictor
from trajnet.inference.guard import Guard, GuardOptions
from trajnet.inference.guard_counters import GuardCounters
from trajnet.inference.judging.posterior import NO_JUDGING, JudgingOptions
from trajnet.inference.judging.self_judge import JudgingCounters
from trajnet.inference.onnx.predictor import OnnxPredictor
from trajnet.inference.onnx.session import GpuOptions
from trajnet.inference.physics import DEFAULT_TIME_S, ConstantTurnRate, ConstantVelocity, KalmanConstantVelocity
from trajnet.inference.recorded import RecordedPredictor, save_recorded
from trajnet.inference.stream import Stream
from trajnet.models import default_model, model_named, model_names
from trajnet.types import FloatArray

PHYSICS = {p.name: p for p in (ConstantVelocity, ConstantTurnRate, KalmanConstantVelocity)}


def load_predictor(
    spec: str | Path | None = None,
    *,
    time_s: FloatArray | None = None,
    provider: str = "cpu",
    threads: int = 1,
    gpu: GpuOptions = GpuOptions(),
) -> Predictor:
    """Load a predictor by name or by the path of a model file or of recorded predictions; None: the default model.

    Names are those of physics (cv, ctrv, kalman) and of the bundled models (urban, nuscenes, ...).
    time_s (T,): the future times of the physics predictors; files bring their own. provider, threads, gpu: used for
    model files only. Raises ContractError for any other name or path.
    """
    if str(spec) in PHYSICS:
        return PHYSICS[str(spec)](DEFAULT_TIME_S if time_s is None else time_s)
    file = default_model() if spec is None else model_named(str(spec)) or Path(spec)
    if file.suffix == ".onnx":
        return OnnxPredictor(file, provider=provider, threads=threads, gpu=gpu)
    if file.suffix == ".npz":
        return RecordedPredictor(file)
    raise ContractError(
        f"model: expected {', '.join(PHYSICS)} or the path of an .onnx file, got {str(spec)!r}; "
        f"bundled models go by name: {', '.join(model_names())}"
    )


__all__ = [
    "DEFAULT_TIME_S",
    "NO_JUDGING",
    "PHYSICS",
    "ConstantTurnRate",
    "ConstantVelocity",
    "GpuOptions",
    "Guard",
    "GuardCounters",
    "GuardOptions",
    "JudgingCounters",
    "JudgingOptions",
    "KalmanConstantVelocity",
    "OnnxPredictor",
    "Predictor",
    "RecordedPredictor",
    "Stream",
    "load_predictor",
    "save_recorded",
]
