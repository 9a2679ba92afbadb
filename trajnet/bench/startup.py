"""Start-up time to the first prediction and resident memory, measured in a new process."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from trajnet.errors import TrajnetError
from trajnet.inference.onnx.session import GpuOptions

#: Time after which a start counts as failed, s: TensorRT without cached engines takes minutes.
TIMEOUT_S = 600.0


@dataclass(frozen=True)
class StartUp:
    """Result of ``runs`` starts.

    median_s, max_s: time from starting the interpreter to the first prediction. resident_mb: median resident memory
    after some more frames, MB. torch_loaded: whether a process had imported PyTorch.
    """

    runs: int
    median_s: float
    max_s: float
    resident_mb: float
    torch_loaded: bool


def measure_startup(
    model: str,
    agents: int,
    *,
    provider: str = "cpu",
    threads: int = 1,
    gpu: GpuOptions = GpuOptions(),
    runs: int = 3,
    frames: int = 20,
) -> StartUp:
    """Start ``runs`` interpreters one after the other, each for this many frames. Raises TrajnetError if one fails."""
    asked = [model, str(agents), provider, str(threads), str(gpu.engine_cache or ""), str(int(gpu.cuda_graph))]
    found = [_start([*asked, str(frames)]) for _ in range(runs)]
    seconds = [first for first, _, _ in found]
    return StartUp(
        runs,
        statistics.median(seconds),
        max(seconds),
        statistics.median(memory for _, memory, _ in found),
        any(loaded for *_, loaded in found),
    )


def _start(arguments: list[str]) -> tuple[float, float, bool]:
    begin_s = time.time()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "trajnet.bench.startup", *arguments],
            capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise TrajnetError(f"start-up: expected a first prediction within {TIMEOUT_S:g} s, got none") from error
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise TrajnetError(f"start-up: expected a process that predicts, got exit code {done.returncode}: {last}")
    first_s, memory_mb, torch_loaded = json.loads(done.stdout)
    return first_s - begin_s, memory_mb, torch_loaded


def resident_mb(status: Path = Path("/proc/self/status")) -> float:
    """Return the resident memory of this process, MB; NaN where the system does not report it."""
    try:
        lines = status.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return float("nan")
    return next((float(line.split()[1]) * 1.024e-3 for line in lines if line.startswith("VmRSS:")), float("nan"))


def _predict_and_tell(arguments: list[str]) -> None:
    from trajnet.bench.synthetic_traffic import synthetic_frames, synthetic_lanes, synthetic_map
    from trajnet.inference import GuardOptions, Stream, load_predictor

    model, agents, provider, threads, cache, graph, frames = arguments
    gpu = GpuOptions(cuda_graph=graph == "1", engine_cache=Path(cache) if cache else None)
    predictor = load_predictor(model, provider=provider, threads=int(threads), gpu=gpu)
    source = synthetic_frames(int(agents))
    field, lanes = synthetic_map(predictor.requirements), synthetic_lanes(int(agents))
    every_row = GuardOptions(domain=False)  # measures the model, whatever it knows
    stream = Stream(predictor, guard=every_row, map_field=field, lanes=lanes)
    frame = next(source)
    stream.update(frame, frame.timestamp_ns)
    first_s = time.time()
    for _ in range(int(frames)):
        frame = next(source)
        stream.update(frame, frame.timestamp_ns)
    print(json.dumps([first_s, resident_mb(), "torch" in sys.modules]))


if __name__ == "__main__":
    _predict_and_tell(sys.argv[1:])
