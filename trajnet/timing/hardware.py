"""What a measurement was taken on: a latency without its hardware says nothing."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from trajnet.inference import GpuOptions
from trajnet.inference.base import Predictor
from trajnet.inference.onnx.session import PROVIDERS

#: What runs predictors without a graph.
NO_PROVIDER = "none (numpy)"
#: What x86 processors call the vectors for which ONNX Runtime has matrix products of their own, the widest first.
_VECTORS = {"avx512f": "AVX-512", "avx2": "AVX2"}


def describe_hardware() -> dict[str, Any]:
    """CPU model, NVIDIA GPUs and the board, as far as the machine names them, cores (of the machine, and usable by this
    process), how many processes wanted one in the last minute, platform, versions of Python, NumPy and ONNX Runtime."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cpu": cpu_model(),
        "gpus": gpu_models(),
        "board": board_model(),
        "cores": os.cpu_count(),
        "cores_usable": usable,
        "load_average": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "platform": platform.platform(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "onnxruntime": _onnxruntime_version(),
    }


def describe_runtime(predictor: Predictor, threads: int, gpu: GpuOptions) -> dict[str, Any]:
    """describe_hardware, and what runs the predictor on it: the provider that is really in use, and its options."""
    return {
        **describe_hardware(),
        "provider": NO_PROVIDER if predictor.model_file is None else predictor.model_file.provider,
        "threads": threads,
        "engine_cache": None if gpu.engine_cache is None else str(gpu.engine_cache),
        "cuda_graph": gpu.cuda_graph,
    }


def runtime_words(runtime: dict[str, Any]) -> str:
    """The runtime of describe_runtime in a few words."""
    words = [runtime["provider"], f"{runtime['threads']} thread(s)"]
    if runtime["provider"] not in (PROVIDERS["cpu"], NO_PROVIDER):
        words[1:1] = runtime["gpus"] or [runtime["board"] or "GPU without a name"]
    words += ["engine cache"] if runtime["engine_cache"] else []
    words += ["CUDA graphs"] if runtime["cuda_graph"] else []
    return ", ".join([*words, f"ONNX Runtime {runtime['onnxruntime']}"])


def cpu_model(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's name; where it tells them, its family and model and the widest vectors that it calculates with.

    A virtual machine may name several generations alike, and from one to the next a step takes less than half the time.
    """
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    first: dict[str, str] = {}  # of the first core that says so: all are alike, or the name says what is not
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if value.strip():
            first.setdefault(key.strip(), value.strip())
    name = next((first[key] for key in ("model name", "Model", "Hardware") if key in first), None)
    details = [f"{what} {first[key]}" for what, key in (("family", "cpu family"), ("model", "model")) if key in first]
    flags = first.get("flags", "").split()
    details += [next((vectors for flag, vectors in _VECTORS.items() if flag in flags), "no AVX2")] if flags else []
    return (name or platform.processor() or platform.machine()) + (f" ({', '.join(details)})" if details else "")


def gpu_models(driver: Path = Path("/proc/driver/nvidia/gpus")) -> list[str]:
    """The NVIDIA GPUs as their driver names them; none where it has no such folder, as on a Jetson."""
    found = []
    for path in sorted(driver.glob("*/information")):
        try:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            continue
        for line in lines:
            key, _, value = line.partition(":")
            if key.strip() == "Model":
                found.append(value.strip())
    return found


def board_model(device_tree: Path = Path("/proc/device-tree/model")) -> str | None:
    """The board's name in the device tree, which embedded computers have ("NVIDIA Jetson AGX Orin ...")."""
    try:
        return device_tree.read_text(encoding="utf-8", errors="replace").strip("\0 \n") or None
    except OSError:
        return None


def _onnxruntime_version() -> str | None:
    for name in ("onnxruntime", "onnxruntime-gpu"):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None
