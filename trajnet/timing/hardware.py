"""Description of the hardware and runtime of a measurement, without which a latency is meaningless."""

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

#: Provider reported for predictors without a graph.
NO_PROVIDER = "none (numpy)"
#: CPU flags of the x86 vector extensions for which ONNX Runtime has its own matrix products, the widest first.
_VECTORS = {"avx512f": "AVX-512", "avx2": "AVX2"}


def usable_cores() -> int:
    """Return how many cores this process may use, at least 1."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def describe_hardware() -> dict[str, Any]:
    """Return the hardware and software of this machine, ready for JSON.

    CPU model, NVIDIA GPUs and board (as far as known), cores of the machine and those usable by this process, load
    average of the last minute, platform, versions of Python, NumPy and ONNX Runtime.
    """
    return {
        "cpu": cpu_model(),
        "gpus": gpu_models(),
        "board": board_model(),
        "cores": os.cpu_count(),
        "cores_usable": usable_cores(),
        "load_average": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "platform": platform.platform(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "onnxruntime": _onnxruntime_version(),
    }


def describe_runtime(predictor: Predictor, threads: int, gpu: GpuOptions) -> dict[str, Any]:
    """Return describe_hardware together with the provider really in use by the predictor and its options."""
    return {
        **describe_hardware(),
        "provider": NO_PROVIDER if predictor.model_file is None else predictor.model_file.provider,
        "threads": threads,
        "engine_cache": None if gpu.engine_cache is None else str(gpu.engine_cache),
        "cuda_graph": gpu.cuda_graph,
    }


def runtime_words(runtime: dict[str, Any]) -> str:
    """Return a short description of the runtime from describe_runtime."""
    words = [runtime["provider"], f"{runtime['threads']} thread(s)"]
    if runtime["provider"] not in (PROVIDERS["cpu"], NO_PROVIDER):
        words[1:1] = runtime["gpus"] or [runtime["board"] or "GPU without a name"]
    words += ["engine cache"] if runtime["engine_cache"] else []
    words += ["CUDA graphs"] if runtime["cuda_graph"] else []
    return ", ".join([*words, f"ONNX Runtime {runtime['onnxruntime']}"])


def cpu_model(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return the processor's name and, where known, its family, model and widest vector extension.

    Virtual machines may report the same name for several generations, of which one can be more than twice as fast.
    """
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    first: dict[str, str] = {}  # of the first core with that key: the others are alike
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
    """Return the driver's names of the NVIDIA GPUs; empty where it has no such folder, as on a Jetson."""
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
    """Return the board's name from the device tree of embedded computers ("NVIDIA Jetson AGX Orin ..."), or None."""
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
