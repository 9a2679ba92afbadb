"""ONNX Runtime sessions of model files, on exactly the requested provider."""

from __future__ import annotations

import importlib.metadata
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trajnet.config import require_whole
from trajnet.errors import ConfigError, ContractError, DependencyError
from trajnet.inference.contract import Contract, check_tensors

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}
_DTYPES = {"tensor(float)": "float32", "tensor(int8)": "int8"}


@dataclass(frozen=True)
class GpuOptions:
    """Options of the providers cuda and tensorrt; cpu has none.

    cuda_graph: record the kernel launches of a step once per bucket and replay them as a CUDA graph. Several buckets
    need ONNX Runtime 1.18 and the provider cuda; tensorrt supports one only. engine_cache: folder for the engines that
    TensorRT builds at the first start, which takes minutes. trt_fp16: let TensorRT use half precision wherever it is
    faster, including kinematics and covariances, without any check of the accuracy: prefer `trajnet export --precision
    fp16`.
    """

    cuda_graph: bool = False
    engine_cache: Path | None = None
    trt_fp16: bool = False

    def check(self, provider: str) -> None:
        """Raise ConfigError for options that the provider does not support; create the engine cache's folder."""
        if provider == "cpu" and self != GpuOptions():
            raise ConfigError("cuda_graph, engine_cache, trt_fp16: expected none with provider cpu; drop them")
        if provider != "tensorrt" and (self.engine_cache is not None or self.trt_fp16):
            raise ConfigError(f"engine_cache, trt_fp16: expected provider tensorrt with them, got {provider}")
        if self.engine_cache is None:
            return
        try:
            self.engine_cache.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"engine_cache: expected a folder, got {self.engine_cache} ({error})") from error
        if not os.access(self.engine_cache, os.W_OK | os.X_OK):
            raise ConfigError(f"engine_cache: expected a folder that can be written, got {self.engine_cache}")


#: CUDA provider: true float32 products. Its default, TF32, would round input angles to 10 bits.
_EXACT = {"use_tf32": "0"}


def provider_options(provider: str, gpu: GpuOptions) -> list[tuple[str, dict[str, str]]]:
    """Return the providers in order of preference, with their options under ONNX Runtime's names.

    CUDA follows TensorRT for operators that TensorRT does not support, which would run on the CPU otherwise.
    TensorRT itself uses TF32 where it is faster, unless NVIDIA_TF32_OVERRIDE=0 is set in the environment.
    https://onnxruntime.ai/docs/execution-providers/TensorRT-ExecutionProvider.html, CUDA-ExecutionProvider.html
    """
    if provider == "cpu":
        return [(PROVIDERS["cpu"], {})]
    if provider == "cuda":
        return [(PROVIDERS["cuda"], {**_EXACT, "enable_cuda_graph": _flag(gpu.cuda_graph)})]
    options = {"trt_fp16_enable": _flag(gpu.trt_fp16), "trt_cuda_graph_enable": _flag(gpu.cuda_graph)}
    options["trt_engine_cache_enable"] = _flag(gpu.engine_cache is not None)
    if gpu.engine_cache is not None:
        options["trt_engine_cache_path"] = str(gpu.engine_cache)
    return [(PROVIDERS["tensorrt"], options), (PROVIDERS["cuda"], _EXACT)]


def _flag(value: bool) -> str:
    return "1" if value else "0"


def import_onnxruntime() -> Any:
    """Import onnxruntime; raise DependencyError if it is missing or both of its packages are installed."""
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
            "run `pip uninstall -y onnxruntime onnxruntime-gpu`, then install trajnet-av[cpu] or trajnet-av[gpu]"
        )
    try:
        import onnxruntime
    except ImportError as error:
        raise DependencyError(
            f"ONNX Runtime is needed to run a model and cannot be imported by {sys.executable} ({error}); "
            "install trajnet-av[cpu], or trajnet-av[gpu] for NVIDIA GPUs"
        ) from error
    return onnxruntime


def open_session(
    path: Path, *, provider: str = "cpu", threads: int = 1, profile: str = "", gpu: GpuOptions = GpuOptions()
) -> Any:
    """Open a session of the model on exactly this provider.

    Threads never spin: on cores shared with other processes spinning makes the slowest steps slower.
    profile: prefix of the file for ONNX Runtime's operator times; empty: no profile.
    Raises ContractError for a file that cannot be loaded, ConfigError for invalid arguments, DependencyError for an
    unavailable provider.
    """
    if provider not in PROVIDERS:
        raise ConfigError(f"provider: expected one of {', '.join(PROVIDERS)}, got {provider!r}")
    require_whole("threads", threads)
    gpu.check(provider)
    if not path.is_file():
        raise ContractError(f"{path}: expected a model file exported by `trajnet export`, got no such file")
    onnxruntime = import_onnxruntime()
    wanted, available = PROVIDERS[provider], onnxruntime.get_available_providers()
    if wanted not in available:
        raise DependencyError(
            f"provider {provider}: this ONNX Runtime {onnxruntime.__version__} has only "
            f"{', '.join(available)}; install trajnet-av[gpu] instead of trajnet-av[cpu]"
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(threads)
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if profile:
        options.enable_profiling = True
        options.profile_file_prefix = profile
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=provider_options(provider, gpu))
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
