#!/usr/bin/env python3
"""Check whether this machine is ready to predict: every step of the guide in export/README.md, as far as possible.

python3 export/check_device.py --model MODEL.onnx --provider cuda --budget-ms 10 --json check.json

Needs what a vehicle has: numpy, onnxruntime and trajnet without extras. Each step is reported as ok, failed (and what
to do next) or cannot be checked here (and why). Exit code 1 if and only if a step failed; 2 for invalid arguments.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trajnet.bench.startup import StartUp
    from trajnet.inference import GpuOptions, OnnxPredictor

OK, FAILED, UNCHECKED = "ok", "failed", "cannot be checked here"

#: Raised when a key of the JSON changes its meaning.
DOCUMENT_VERSION = 1
#: The oldest versions that trajnet's pyproject.toml allows.
OLDEST = {"numpy": (1, 21, 6), "onnxruntime": (1, 18)}
#: Targets of docs/realtime.md: time from the start of the interpreter to the first prediction, and memory then.
START_S, MEMORY_MB = 1.0, 250.0
STARTS = 3
TRACKS = 64
#: Frames come faster than in real time, but not back to back.
PERIOD_S = 0.02
#: The largest difference between two ways to run the same graph.
SAME_M = 1e-3


@dataclass(frozen=True)
class Result:
    """The result of a step. detail: measured values, or why it could not be checked. next: what to do if it failed."""

    status: str
    detail: str
    next: str = ""


@dataclass(frozen=True)
class Request:
    """The parameters of the check. figures: filled by the steps that measure."""

    model: Path
    provider: str
    budget_ms: float
    frames: int
    engine_cache: Path | None
    cuda_graph: bool
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def gpu(self) -> GpuOptions:
        """The options of the GPU providers."""
        from trajnet.inference import GpuOptions

        return GpuOptions(cuda_graph=self.cuda_graph, engine_cache=self.engine_cache)

    def predictor(self, **changes: Any) -> OnnxPredictor:
        """Open the model as the vehicle would. Raises a TrajnetError for one that cannot be served."""
        from trajnet.inference import OnnxPredictor

        return OnnxPredictor(self.model, **{"provider": self.provider, "gpu": self.gpu, **changes})


def packages(request: Request) -> Result:
    """Check the versions of Python, NumPy and trajnet, and show the release of a Jetson."""
    import numpy as np

    import trajnet

    if sys.version_info < (3, 10):  # noqa: UP036 - this check is the purpose of the step
        return Result(FAILED, f"Python {platform.python_version()}", "install Python 3.10 or newer; JetPack 6 has 3.10")
    if _numbers(np.__version__) < OLDEST["numpy"]:
        return Result(FAILED, f"NumPy {np.__version__}", "pip install 'numpy>=1.21.6'")
    words = [f"trajnet {trajnet.__version__}", f"Python {platform.python_version()}", f"NumPy {np.__version__}"]
    words += [platform.machine(), _cpu(), _jetson_release() or "no Jetson"]
    return Result(OK, ", ".join(words))


def runtime(request: Request) -> Result:
    """Check that exactly one package of ONNX Runtime is installed, new enough and with the provider."""
    from trajnet.errors import DependencyError
    from trajnet.inference.onnx.session import PROVIDERS, import_onnxruntime

    try:
        onnxruntime = import_onnxruntime()
    except DependencyError as error:
        return Result(FAILED, str(error), "on a Jetson take the onnxruntime-gpu wheel made for its JetPack")
    version, available = onnxruntime.__version__, onnxruntime.get_available_providers()
    if _numbers(version) < OLDEST["onnxruntime"]:
        return Result(FAILED, f"ONNX Runtime {version}", "install onnxruntime or onnxruntime-gpu 1.18 or newer")
    detail = f"ONNX Runtime {version} with {', '.join(available)}"
    if PROVIDERS[request.provider] not in available:
        return Result(
            FAILED,
            f"{detail}; {request.provider} is not among them",
            "pip uninstall -y onnxruntime onnxruntime-gpu, then install the onnxruntime-gpu of this machine's CUDA",
        )
    return Result(OK, detail)


def model(request: Request) -> Result:
    """Check that the file loads on the CPU and that this trajnet serves its contract."""
    from trajnet.inference import GpuOptions

    contract = request.predictor(provider="cpu", gpu=GpuOptions()).model_file.contract
    return Result(
        OK,
        f"{contract.name} {contract.model_id}, {contract.precision}, {contract.flavour}, {contract.modes} modes, "
        f"{contract.time_s[-1]:g} s",
    )


def provider(request: Request) -> Result:
    """Check that the requested provider is in use. With TensorRT this builds the engines, once for each cache."""
    begin_s = time.monotonic()
    served = request.predictor()
    return Result(OK, f"{served.model_file.provider}, all sizes run once in {time.monotonic() - begin_s:.1f} s")


def start(request: Request) -> Result:
    """Check that a new process predicts soon, without PyTorch in memory."""
    found = _started(request, STARTS)
    seconds, torch = found.median_s, found.torch_loaded
    request.figures.update(start_s=seconds, memory_mb=found.resident_mb)
    detail = f"{seconds:.2f} s to the first prediction (median of {STARTS}), PyTorch {'' if torch else 'not '}in memory"
    if torch:
        return Result(FAILED, detail, "find what imports torch (python -X importtime) and keep it off the vehicle")
    if seconds > START_S:
        return Result(
            FAILED,
            f"{detail}; expected at most {START_S:g} s{_busy()}",
            "stop other work and try again; with tensorrt give --engine-cache; then set the clocks (step clocks)",
        )
    return Result(OK, detail)


def memory(request: Request) -> Result:
    """Check the resident memory of a process that predicts."""
    memory_mb = request.figures["memory_mb"] if "memory_mb" in request.figures else _started(request, 1).resident_mb
    if math.isnan(memory_mb):
        return Result(UNCHECKED, "this system has no /proc/self/status")
    request.figures["memory_mb"] = memory_mb
    if request.provider != "cpu":
        return Result(OK, f"{memory_mb:.0f} MB resident, of it what CUDA's libraries take; the limit is for the CPU")
    if memory_mb > MEMORY_MB:
        return Result(
            FAILED, f"{memory_mb:.0f} MB resident, expected at most {MEMORY_MB:g} MB", "look for other imports"
        )
    return Result(OK, f"{memory_mb:.0f} MB resident")


def latency(request: Request) -> Result:
    """Check that 99 of 100 frames of 64 objects are predicted within the budget, from tracks to output."""
    import numpy as np

    from trajnet.bench.synthetic_traffic import synthetic_frames, synthetic_lanes, synthetic_map
    from trajnet.inference import GuardOptions, Stream

    served = request.predictor()
    field, every_row = synthetic_map(served.requirements), GuardOptions(domain=False)
    stream = Stream(served, guard=every_row, map_field=field, lanes=synthetic_lanes(TRACKS))
    frames = synthetic_frames(TRACKS)
    taken_ms = []
    for index in range(-50, request.frames):
        frame, begin_s = next(frames), time.perf_counter()
        stream.update(frame, frame.timestamp_ns)
        spent_s = time.perf_counter() - begin_s
        if index >= 0:
            taken_ms.append(1e3 * spent_s)
        time.sleep(max(0.0, PERIOD_S - spent_s))
    p50, p99, worst = (float(np.percentile(taken_ms, q)) for q in (50, 99, 100))
    request.figures.update(p50_ms=p50, p99_ms=p99, max_ms=worst, frames=request.frames, tracks=TRACKS)
    detail = f"{TRACKS} objects: p50 {p50:.2f}, p99 {p99:.2f}, max {worst:.2f} ms of {request.frames} frames"
    if stream.guard.counters.physics_rows:
        return Result(
            FAILED, f"{detail}; {stream.guard.counters.physics_rows} rows without a usable path", "try --provider cpu"
        )
    if p99 > request.budget_ms:
        return Result(
            FAILED,
            f"{detail}; budget {request.budget_ms:g} ms{_busy()}",
            "set clocks and a core of its own (steps clocks, power), compare with --provider cpu",
        )
    return Result(OK, f"{detail}; budget {request.budget_ms:g} ms{_busy()}")


def clocks(request: Request, cpus: Path = Path("/sys/devices/system/cpu")) -> Result:
    """Show the governor of the cores' clocks, which belongs to every figure, and how many cores may be used."""
    cores = f"may use {len(_affinity())} of {os.cpu_count()} cores"
    found = {}
    for file in sorted(cpus.glob("cpu[0-9]*/cpufreq/scaling_governor")):
        try:
            current = file.with_name("scaling_cur_freq").read_text().strip()
            found[file.parts[-3]] = (file.read_text().strip(), float(current) / 1e6)
        except (OSError, ValueError):
            continue
    if not found:
        return Result(UNCHECKED, f"no cpufreq in {cpus}: a virtual machine, or a kernel without it; {cores}")
    governors = sorted({governor for governor, _ in found.values()})
    request.figures["governors"] = governors
    slowest, fastest = (bound(f for _, f in found.values()) for bound in (min, max))
    hint = "" if governors == ["performance"] else "; for figures: sudo jetson_clocks, or cpupower frequency-set"
    return Result(OK, f"governor {', '.join(governors)}, now {slowest:.2f} to {fastest:.2f} GHz, {cores}{hint}")


def power(request: Request) -> Result:
    """Show the power mode of a Jetson, which belongs to every figure."""
    program = shutil.which("nvpmodel")
    if program is None:
        return Result(UNCHECKED, "no nvpmodel here: this is no Jetson, or it is not on the PATH (/usr/sbin)")
    try:
        done = subprocess.run([program, "-q"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Result(FAILED, f"nvpmodel -q: {error}", "run nvpmodel -q by hand")
    mode = re.search(r"Power Mode:\s*(\S+)", done.stdout)
    if done.returncode != 0 or mode is None:
        said = " ".join((done.stdout + done.stderr).split()) or "nothing"
        return Result(FAILED, f"nvpmodel -q: exit code {done.returncode}, {said}", "run sudo nvpmodel -q by hand")
    request.figures["power_mode"] = mode[1]
    return Result(OK, f"power mode {mode[1]}")


def engine_cache(request: Request) -> Result:
    """Check that the folder in which TensorRT keeps its engines can be written."""
    folder = request.engine_cache
    if folder is None:
        if request.provider == "tensorrt":
            return Result(FAILED, "no --engine-cache", "name a folder that survives a restart: --engine-cache DIR")
        return Result(UNCHECKED, f"only tensorrt has engines, and {request.provider} was asked for")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")
    except OSError as error:
        return Result(FAILED, f"{folder}: {error}", "give the user that predicts a folder of its own")
    engines = len(list(folder.glob("*.engine")))
    return Result(OK, f"{folder} can be written, {engines} engines in it")


def cuda_graph(request: Request) -> Result:
    """Check that the provider cuda can record a step as a CUDA graph, with the same results."""
    import numpy as np

    from trajnet.bench.synthetic_traffic import synthetic_frames, synthetic_map
    from trajnet.inference import NO_JUDGING, GpuOptions, GuardOptions, Stream
    from trajnet.inference.onnx.session import PROVIDERS, import_onnxruntime

    if PROVIDERS["cuda"] not in import_onnxruntime().get_available_providers():
        return Result(UNCHECKED, "this ONNX Runtime has no CUDA provider")
    answers = []
    for gpu in (GpuOptions(), GpuOptions(cuda_graph=True)):
        served = request.predictor(provider="cuda", gpu=gpu)
        field, itself = synthetic_map(served.requirements), GuardOptions(domain=False)
        stream, frames = Stream(served, guard=itself, map_field=field, judging=NO_JUDGING), synthetic_frames(TRACKS)
        for _ in range(10):
            frame = next(frames)
            answer = stream.update(frame, frame.timestamp_ns)
        answers.append(answer.position_m)
    apart_m = float(np.abs(answers[0] - answers[1]).max())
    if not apart_m <= SAME_M:
        return Result(FAILED, f"paths {apart_m:.1e} m apart", "run without --cuda-graph and report this")
    return Result(OK, f"recorded for every size, paths {apart_m:.1e} m from those without")


STEPS: dict[str, Callable[[Request], Result]] = {
    "packages": packages, "runtime": runtime, "model": model, "provider": provider, "start": start, "memory": memory,
    "latency": latency, "clocks": clocks, "power": power, "engine-cache": engine_cache, "cuda-graph": cuda_graph,
}  # fmt: skip


def checked(name: str, request: Request) -> Result:
    """Return the step's result; an exception in it is a failure."""
    try:
        return STEPS[name](request)
    except ImportError as error:
        return Result(
            FAILED,
            f"{error.name} cannot be imported by {sys.executable}",
            "install trajnet, see step packages in export/README.md",
        )
    except Exception as error:  # the other steps are worth knowing whatever this one raises
        said = " ".join(str(error).split()) or type(error).__name__
        return Result(FAILED, said, f"see step {name} in export/README.md")


def _started(request: Request, runs: int) -> StartUp:
    """Start new processes, one after the other, that predict with a map for 64 objects."""
    from trajnet.bench.startup import measure_startup

    return measure_startup(str(request.model), TRACKS, provider=request.provider, gpu=request.gpu, runs=runs)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(n) for n in re.findall(r"\d+", version)[:3])


def _cpu() -> str:
    try:
        from trajnet.timing.hardware import cpu_model
    except ImportError:  # the step ``packages`` reports it
        return platform.processor() or platform.machine()
    return cpu_model()


def _jetson_release(file: Path = Path("/etc/nv_tegra_release")) -> str:
    """Return the release of a Jetson, such as "R36 (release), REVISION: 4.3" (JetPack 6.2); empty on other machines."""
    try:
        return ",".join(file.read_text(encoding="utf-8").lstrip("# ").split(",")[:2])
    except OSError:
        return ""


def _affinity() -> set[int]:
    return set(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))


def _busy() -> str:
    """Return a remark if other processes use the cores too."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return f"; the machine is busy, load {load:.1f}" if load > 0.75 * len(_affinity()) else ""


def table_row(request: Request) -> str:
    """Return the measured figures as a row of the table of results in export/README.md."""
    figures = request.figures
    device = ", ".join(filter(None, (_cpu(), _jetson_release(), figures.get("power_mode", ""))))
    shown = [f"{figures[k]:.2f}" if k in figures else "-" for k in ("p50_ms", "p99_ms", "start_s")]
    memory_mb = f"{figures['memory_mb']:.0f}" if "memory_mb" in figures else "-"
    return f"| {device} | {request.provider} | {request.model.name} | {' | '.join(shown)} | {memory_mb} |"


def main(words: list[str]) -> int:
    """Run the steps, show and write the results, return the exit code."""
    parser = argparse.ArgumentParser(description="Check each step of export/README.md on this machine.")
    parser.add_argument("--model", type=Path, required=True, help="a model file made by `trajnet export`")
    parser.add_argument("--provider", choices=("cpu", "cuda", "tensorrt"), default="cpu")
    parser.add_argument("--budget-ms", type=float, default=10.0, help="for the 99th percentile at 64 objects")
    parser.add_argument("--frames", type=int, default=500, help="that the latency is measured with")
    parser.add_argument("--engine-cache", type=Path, metavar="DIR", help="where TensorRT keeps its engines")
    parser.add_argument("--cuda-graph", action="store_true", help="run the provider cuda with recorded graphs")
    parser.add_argument("--only", metavar="STEP,...", help=f"of {', '.join(STEPS)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything here")
    parser.add_argument("--row", action="store_true", help="end with the row for the README's table of results")
    given = parser.parse_args(words)
    names = given.only.split(",") if given.only else list(STEPS)
    unknown = [name for name in names if name not in STEPS]
    if unknown:
        parser.error(f"--only: expected some of {', '.join(STEPS)}, got {', '.join(unknown)}")
    if given.frames < 1 or not given.budget_ms > 0:
        parser.error(f"--frames, --budget-ms: expected numbers above 0, got {given.frames} and {given.budget_ms}")
    request = Request(given.model, given.provider, given.budget_ms, given.frames, given.engine_cache, given.cuda_graph)
    results = {}
    for name in names:
        results[name] = found = checked(name, request)
        print(f"{name:13} {found.status}: {found.detail}", flush=True)
        if found.next:
            print(f"{'':13} next: {found.next}", flush=True)
    if given.row:
        print(table_row(request))
    if given.json is not None:
        document = {
            "version": DOCUMENT_VERSION, "model": str(request.model), "provider": request.provider, "cpu": _cpu(),
            "budget_ms": request.budget_ms, "figures": {k: v for k, v in request.figures.items() if not math.isnan(v)},
            "steps": [{"step": name, **asdict(found)} for name, found in results.items()],
        }  # fmt: skip
        try:
            given.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            parser.error(f"--json: expected a file that can be written, got {error}")
    return int(any(found.status == FAILED for found in results.values()))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
