#!/usr/bin/env python3
"""Is this machine ready to predict? Every step of the guide in export/README.md, checked as far as it can be here.

python3 export/check_device.py --model MODEL.onnx --provider cuda --budget-ms 10 --json check.json

Needs what a vehicle has: numpy, onnxruntime and trajnet without extras. For each step it says ok, failed (and what to
do next) or cannot be checked here (and why). Exit code 1 if a step failed, and only then; 2 for arguments that make no
sense.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trajnet.maps import MapField
    from trajnet.predictors import GpuOptions, OnnxPredictor
    from trajnet.types import TrackFrame

OK, FAILED, UNCHECKED = "ok", "failed", "cannot be checked here"

#: Raised when a key of the JSON changes its meaning.
DOCUMENT_VERSION = 1
#: The oldest that trajnet's pyproject.toml takes.
OLDEST = {"numpy": (1, 21, 6), "onnxruntime": (1, 18)}
#: From the start of the interpreter to the first prediction, and memory then: the targets of docs/realtime.md.
START_S, MEMORY_MB = 1.0, 250.0
STARTS = 3
TRACKS = 64
#: Frames are this far apart in time; they are offered faster than that, but not back to back.
FRAME_S, PERIOD_S = 0.1, 0.02
#: The most by which two ways to run the same graph may differ.
SAME_M = 1e-3


@dataclass(frozen=True)
class Result:
    """What a step found. detail: measured values, or why it could not be checked; next: what to do where it failed."""

    status: str
    detail: str
    next: str = ""


@dataclass(frozen=True)
class Request:
    """What to check. figures: filled by the steps that measure."""

    model: Path
    provider: str
    budget_ms: float
    frames: int
    engine_cache: Path | None
    cuda_graph: bool
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def gpu(self) -> GpuOptions:
        from trajnet.predictors import GpuOptions

        return GpuOptions(cuda_graph=self.cuda_graph, engine_cache=self.engine_cache)

    def predictor(self, **changes: Any) -> OnnxPredictor:
        """The model as the vehicle would open it. Raises a TrajnetError for one that cannot be served."""
        from trajnet.predictors import OnnxPredictor

        return OnnxPredictor(self.model, **{"provider": self.provider, "gpu": self.gpu, **changes})


def packages(request: Request) -> Result:
    """Python, NumPy, trajnet and, on a Jetson, its release."""
    import numpy as np

    import trajnet

    if sys.version_info < (3, 10):  # noqa: UP036 - to say so is what this is for
        return Result(FAILED, f"Python {platform.python_version()}", "install Python 3.10 or newer; JetPack 6 has 3.10")
    if _numbers(np.__version__) < OLDEST["numpy"]:
        return Result(FAILED, f"NumPy {np.__version__}", "pip install 'numpy>=1.21.6'")
    words = [f"trajnet {trajnet.__version__}", f"Python {platform.python_version()}", f"NumPy {np.__version__}"]
    words += [platform.machine(), _cpu(), _jetson_release() or "no Jetson"]
    return Result(OK, ", ".join(words))


def runtime(request: Request) -> Result:
    """Exactly one flavour of ONNX Runtime, new enough, with the provider in it."""
    from trajnet.errors import DependencyError
    from trajnet.predictors.session import PROVIDERS, import_onnxruntime

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
    """The file loads, on the CPU, and this trajnet serves its contract."""
    from trajnet.predictors import GpuOptions

    contract = request.predictor(provider="cpu", gpu=GpuOptions()).contract
    return Result(
        OK,
        f"{contract.name} {contract.model_id}, {contract.precision}, {contract.flavour}, {contract.modes} modes, "
        f"{contract.time_s[-1]:g} s",
    )


def provider(request: Request) -> Result:
    """The provider that was asked for is the one in use. With TensorRT this builds the engines, once for each cache."""
    begin_s = time.monotonic()
    served = request.predictor()
    return Result(OK, f"{served.provider}, all sizes run once in {time.monotonic() - begin_s:.1f} s")


def start(request: Request) -> Result:
    """A new process predicts soon, without PyTorch in memory."""
    found = [_started(request) for _ in range(STARTS)]
    seconds = statistics.median(f["seconds"] for f in found)
    request.figures.update(start_s=seconds, memory_mb=statistics.median(f["memory_mb"] for f in found))
    torch = any(f["torch"] for f in found)
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
    """Resident memory of a process that predicts."""
    memory_mb = request.figures["memory_mb"] if "memory_mb" in request.figures else _started(request)["memory_mb"]
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
    """99 of 100 frames of 64 objects are answered within the budget; tracks, surroundings, model and output."""
    import numpy as np

    from trajnet.predictors import Stream

    served = request.predictor()
    stream, frames = Stream(served, map_field=_map(served)), _crowd(TRACKS)
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
    if stream.guard.physics_rows:
        return Result(FAILED, f"{detail}; {stream.guard.physics_rows} rows without a usable path", "try --provider cpu")
    if p99 > request.budget_ms:
        return Result(
            FAILED,
            f"{detail}; budget {request.budget_ms:g} ms{_busy()}",
            "set clocks and a core of its own (steps clocks, power), compare with --provider cpu",
        )
    return Result(OK, f"{detail}; budget {request.budget_ms:g} ms{_busy()}")


def clocks(request: Request, cpus: Path = Path("/sys/devices/system/cpu")) -> Result:
    """How the cores' clocks are governed, which has to be stated with every figure, and how many cores may be used."""
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
    """The power mode of a Jetson, which has to be stated with every figure."""
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
    """The folder in which TensorRT keeps its engines can be written."""
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
    """The provider cuda can record a step and start it as a whole, with the same results."""
    import numpy as np

    from trajnet.predictors import GpuOptions, Stream
    from trajnet.predictors.session import PROVIDERS, import_onnxruntime

    if PROVIDERS["cuda"] not in import_onnxruntime().get_available_providers():
        return Result(UNCHECKED, "this ONNX Runtime has no CUDA provider")
    answers = []
    for gpu in (GpuOptions(), GpuOptions(cuda_graph=True)):
        stream, frames = Stream(request.predictor(provider="cuda", gpu=gpu)), _crowd(TRACKS)
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
    """The step's result; what it raises is a failure of it."""
    try:
        return STEPS[name](request)
    except ImportError as error:
        return Result(
            FAILED,
            f"{error.name} cannot be imported by {sys.executable}",
            "install trajnet, see step packages in export/README.md",
        )
    except Exception as error:  # whatever is wrong with this machine, the other steps are worth knowing
        said = " ".join(str(error).split()) or type(error).__name__
        return Result(FAILED, said, f"see step {name} in export/README.md")


def _started(request: Request) -> dict[str, Any]:
    """Start a process that predicts: seconds to its first prediction, then memory in MB, and whether torch is there."""
    begin_s = time.time()
    asked = [str(request.model), request.provider, str(request.engine_cache or ""), str(int(request.cuda_graph))]
    done = subprocess.run(
        [sys.executable, str(Path(__file__).resolve()), "--child", *asked],
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise RuntimeError(f"a process that predicts ended with exit code {done.returncode}: {said}")
    found: dict[str, Any] = json.loads(done.stdout)
    return {**found, "seconds": found["first_s"] - begin_s}


def _predict_and_tell(words: list[str]) -> None:
    """What the new process does."""
    from trajnet.predictors import Stream

    path, name, cache, graph = words
    request = Request(Path(path), name, 0.0, 0, Path(cache) if cache else None, graph == "1")
    served, frames = request.predictor(), _crowd(TRACKS)
    stream = Stream(served)
    first_s = 0.0
    for _ in range(20):
        frame = next(frames)
        stream.update(frame, frame.timestamp_ns)
        first_s = first_s or time.time()
    print(json.dumps({"first_s": first_s, "memory_mb": _resident_mb(), "torch": "torch" in sys.modules}))


def _crowd(count: int) -> Iterator[TrackFrame]:
    """Frames of this many objects of every class on circles, for ever."""
    import numpy as np

    from trajnet.types import DEFAULT_SIZE_M, ObjectClass, TrackFrame

    draw = np.random.default_rng(0)
    radius_m, speed_mps = draw.uniform(20.0, 100.0, count), draw.uniform(0.0, 15.0, count)
    centre_m, phase_rad = draw.uniform(-200.0, 200.0, (count, 2)), draw.uniform(0.0, 2.0 * np.pi, count)
    object_class = draw.integers(1, len(ObjectClass), count).astype(np.int8)
    known, ids = np.ones(count, np.bool_), tuple(str(i) for i in range(count))
    for index in range(sys.maxsize):
        angle_rad = phase_rad + speed_mps / radius_m * index * FRAME_S
        outward = np.stack([np.cos(angle_rad), np.sin(angle_rad)], axis=1)
        ahead = np.stack([-outward[:, 1], outward[:, 0]], axis=1)
        yield TrackFrame(
            round(index * FRAME_S * 1e9), ids, object_class, centre_m + radius_m[:, None] * outward,
            np.arctan2(ahead[:, 1], ahead[:, 0]), known, speed_mps[:, None] * ahead, known,
            DEFAULT_SIZE_M[object_class],
        )  # fmt: skip


def _map(served: OnnxPredictor) -> MapField | None:
    """A map under the crowd for a model that wants one; its numbers mean nothing, sampling it costs the same."""
    import numpy as np

    from trajnet.maps import FIELD_PIXELS_PER_M, FULL, MapField

    if served.needs.view is None:
        return None
    reach_m = 350.0
    pixels = round(2 * reach_m * FIELD_PIXELS_PER_M)
    distance = np.random.default_rng(0).integers(-FULL, FULL + 1, (pixels, pixels, 4)).astype(np.int8)
    distance[..., 3] = 0
    return MapField(np.full(2, -reach_m), FIELD_PIXELS_PER_M, distance)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(n) for n in re.findall(r"\d+", version)[:3])


def _cpu(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    named = re.search(r"^(?:model name|Model|Hardware)\s*:\s*(.+)$", text, re.MULTILINE)
    return named[1].strip() if named else platform.processor() or platform.machine()


def _jetson_release(file: Path = Path("/etc/nv_tegra_release")) -> str:
    """Such as "R36 (release), REVISION: 4.3": JetPack 6.2. Empty on other machines."""
    try:
        return ",".join(file.read_text(encoding="utf-8").lstrip("# ").split(",")[:2])
    except OSError:
        return ""


def _affinity() -> set[int]:
    return set(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))


def _busy() -> str:
    """A remark where others want the cores, too."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return f"; the machine is busy, load {load:.1f}" if load > 0.75 * len(_affinity()) else ""


def _resident_mb(status: Path = Path("/proc/self/status")) -> float:
    try:
        found = re.search(r"^VmRSS:\s*(\d+)", status.read_text(encoding="ascii", errors="replace"), re.MULTILINE)
    except OSError:
        found = None
    return float(found[1]) * 1.024e-3 if found else math.nan


def table_row(request: Request) -> str:
    """The row of the README's results for what was measured."""
    figures = request.figures
    device = ", ".join(filter(None, (_cpu(), _jetson_release(), figures.get("power_mode", ""))))
    shown = [f"{figures[k]:.2f}" if k in figures else "-" for k in ("p50_ms", "p99_ms", "start_s")]
    memory_mb = f"{figures['memory_mb']:.0f}" if "memory_mb" in figures else "-"
    return f"| {device} | {request.provider} | {request.model.name} | {' | '.join(shown)} | {memory_mb} |"


def main(words: list[str]) -> int:
    """Check, show, write; the exit code."""
    if words[:1] == ["--child"]:
        _predict_and_tell(words[1:])
        return 0
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
            "budget_ms": request.budget_ms, "figures": {k: v for k, v in request.figures.items() if v == v},
            "steps": [{"step": name, **asdict(found)} for name, found in results.items()],
        }  # fmt: skip
        try:
            given.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            parser.error(f"--json: expected a file that can be written, got {error}")
    return int(any(found.status == FAILED for found in results.values()))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
