"""Opening a model file in ONNX Runtime: on the provider that was asked for, or not at all."""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path
from typing import Any

from trajnet.contract import Contract, check_tensors
from trajnet.errors import ConfigError, ContractError, DependencyError

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}
_DTYPES = {"tensor(float)": "float32", "tensor(int64)": "int64", "tensor(int8)": "int8"}


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


def open_session(path: Path, *, provider: str = "cpu", threads: int = 1, profile: str = "") -> Any:
    """A session of the model, on exactly this provider.

    Threads never spin: on cores that others use, too, spinning ones make the slowest steps slower (PERFORMANCE.md).
    profile: prefix of the file that ONNX Runtime writes the times of its operators into; empty: none.
    Raises ContractError for a file that cannot be loaded, ConfigError for arguments that make no sense, DependencyError
    for a provider that cannot be had.
    """
    if provider not in PROVIDERS:
        raise ConfigError(f"provider: expected one of {', '.join(PROVIDERS)}, got {provider!r}")
    if threads < 1:
        raise ConfigError(f"threads: expected at least 1, got {threads}")
    if not path.is_file():
        raise ContractError(f"{path}: expected a model file exported by `trajnet export`, got no such file")
    onnxruntime = import_onnxruntime()
    wanted, available = PROVIDERS[provider], onnxruntime.get_available_providers()
    if wanted not in available:
        raise DependencyError(
            f"provider {provider}: this ONNX Runtime {onnxruntime.__version__} has only "
            f"{', '.join(available)}; install trajnet[gpu] instead of trajnet[cpu]"
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if profile:
        options.enable_profiling = True
        options.profile_file_prefix = profile
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


def check_session(session: Any, contract: Contract, where: str) -> None:
    """Raise ContractError unless the session has the contract's tensors."""
    for expected, tensors in ((contract.inputs, session.get_inputs()), (contract.outputs, session.get_outputs())):
        got = {t.name: (_DTYPES.get(t.type, t.type), tuple(str(s) for s in t.shape)) for t in tensors}
        check_tensors(expected, got, where)
