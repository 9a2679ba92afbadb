"""What a measurement was taken on: a latency without its hardware says nothing."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from trajnet.predictors import GpuOptions
from trajnet.predictors.base import Predictor
from trajnet.predictors.session import PROVIDERS

#: What runs predictors without a graph.
NO_PROVIDER = "none (numpy)"


def describe_hardware() -> dict[str, Any]:
    """CPU model, NVIDIA GPUs and the board, as far as the machine names them, cores (of the machine, and usable by this
    process), how many processes wanted one in the last minute, platform, versions of Python, NumPy and ONNX Runtime."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cpu": _cpu_model(),
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
        "provider": getattr(predictor, "provider", NO_PROVIDER),
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


def _cpu_model(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() in ("model name", "Model", "Hardware") and value.strip():
            return value.strip()
    return platform.processor() or platform.machine()


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
