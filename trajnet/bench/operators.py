"""Time and floating point operations of a model's operators, from ONNX Runtime's profiler."""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

from trajnet.inference.contract import read_contract
from trajnet.inference.onnx.engine import Bucket
from trajnet.inference.onnx.session import PROVIDERS, GpuOptions, open_session

_GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
_MOVING = {
    "Cast", "Concat", "Expand", "Flatten", "Gather", "GatherElements", "GatherND", "Pad", "Reshape", "ScatterElements",
    "ScatterND", "Shape", "Slice", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze",
}  # fmt: skip


@dataclass(frozen=True)
class Operators:
    """Operators of one step of ``tracks`` rows. flops: those of recurrent operators and matrix products.

    by_type, by_category: name -> (operators in the graph, share of the time from 0 to 1), most expensive first.
    Categories: recurrent, matrix (products and convolutions), moving (copies, reshapes and casts) and arithmetic (all
    others). uncounted: types of products whose operations cannot be derived from the profile.
    """

    tracks: int
    flops: int
    by_type: dict[str, tuple[int, float]]
    by_category: dict[str, tuple[int, float]]
    uncounted: tuple[str, ...]


def profile_operators(
    path: Path,
    tracks: int,
    *,
    provider: str = "cpu",
    threads: int = 1,
    gpu: GpuOptions = GpuOptions(),
    runs: int = 50,
) -> Operators:
    """Profile ``runs`` runs of the model for this many rows. Profiling costs time itself: only shares are meaningful.

    CUDA graphs are switched off: the profiler cannot tell the operators in them apart. Raises the errors of
    open_session and read_contract.
    """
    apart = replace(gpu, cuda_graph=False)
    with tempfile.TemporaryDirectory(prefix="trajnet-profile-") as folder:
        profile = str(Path(folder) / "steps")
        session = open_session(path, provider=provider, threads=threads, profile=profile, gpu=apart)
        contract = read_contract(session.get_modelmeta().custom_metadata_map, str(path))
        bucket = Bucket(session, contract, tracks, "cpu" if provider == next(iter(PROVIDERS)) else "cuda")
        for _ in range(runs):
            bucket.run(0)  # rows of padding: the time does not depend on the values
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    return summarise_operators(events, tracks, runs)


def summarise_operators(events: list[dict[str, Any]], tracks: int, runs: int) -> Operators:
    """Summarise the events of a profile over this many runs of the graph."""
    time_us: dict[str, float] = defaultdict(float)
    count: dict[str, int] = defaultdict(int)
    flops, uncounted = 0, set()
    for event in events:
        if event.get("cat") != "Node" or not event["name"].endswith("_kernel_time"):
            continue
        name = event["args"]["op_name"]
        time_us[name] += event["dur"]
        count[name] += 1
        done = _flops(name, _shapes(event, "input_type_shape"), _shapes(event, "output_type_shape"))
        if done is None:
            uncounted.add(name)
        flops += done or 0
    category_us: dict[str, float] = defaultdict(float)
    category_count: dict[str, int] = defaultdict(int)
    for name in time_us:
        category_us[_category(name)] += time_us[name]
        category_count[_category(name)] += count[name]
    return Operators(
        tracks,
        flops // runs,
        _shares(time_us, count, runs),
        _shares(category_us, category_count, runs),
        tuple(sorted(uncounted)),
    )


def _shares(time_us: dict[str, float], count: dict[str, int], runs: int) -> dict[str, tuple[int, float]]:
    total = sum(time_us.values()) or 1.0
    order = sorted(time_us, key=lambda name: -time_us[name])
    return {name: (count[name] // runs, time_us[name] / total) for name in order}


def _category(name: str) -> str:
    if any(cell in name for cell in _GATES):
        return "recurrent"
    if any(part in name for part in ("MatMul", "Gemm", "Conv")):
        return "matrix"
    return "moving" if name in _MOVING else "arithmetic"


def _shapes(event: dict[str, Any], key: str) -> list[list[int]]:
    return [shape for entry in event["args"].get(key, []) for shape in entry.values()]


def _flops(name: str, inputs: list[list[int]], outputs: list[list[int]]) -> int | None:
    """Return the operations of one call; None where its shapes do not suffice, as with prepacked weights."""
    if _category(name) not in ("recurrent", "matrix"):
        return 0
    if not inputs or not outputs:
        return None
    first, result = inputs[0], outputs[0]
    if _category(name) == "recurrent":
        steps, rows, width = first
        hidden = result[-1]
        gates = next(gates for cell, gates in _GATES.items() if cell in name)
        return 2 * steps * rows * gates * hidden * (width + hidden)
    if "Conv" in name:
        return 2 * prod(result) * prod(inputs[1][1:]) if len(inputs) > 1 and len(inputs[1]) == len(first) else None
    inner = prod(first) // max(result[0], 1) if "Gemm" in name else first[-1]
    return 2 * prod(result) * inner
