"""--provider, --engine-cache and --cuda-graph of the commands: what ONNX Runtime is told, what is refused."""

from __future__ import annotations

import dataclasses
import json
import platform
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from tests.replay_scenes import crossing_scene
from trajnet.bench.latency import Bench, BenchOptions, bench_document, readme_table
from trajnet.bench.operators import profile_operators
from trajnet.bench.startup import measure_startup
from trajnet.cli import main as cli
from trajnet.errors import ContractError, TrajnetError
from trajnet.inference import ConstantVelocity, GpuOptions
from trajnet.inference.onnx.session import PROVIDERS, provider_options
from trajnet.models import default_model
from trajnet.replay.summary import document, run_replay
from trajnet.scenes import write_scene
from trajnet.timing.clock import VirtualClock
from trajnet.timing.hardware import board_model, cpu_model, describe_runtime, gpu_models, runtime_words


def fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """Run a command that must end with one line and exit code 2 -> that line."""
    monkeypatch.setattr(sys, "argv", ["trajnet", *map(str, words)])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    shown = capsys.readouterr().err
    assert stopped.value.code == 2, shown
    assert shown.count("\n") == 1
    return shown


@pytest.fixture(params=["replay", "bench"])
def command(request: pytest.FixtureRequest, tmp_path: Path) -> list[object]:
    if request.param == "bench":
        return ["bench", "--model", default_model()]
    write_scene(crossing_scene(), tmp_path / "scene.parquet")
    return ["replay", tmp_path / "scene.parquet", "--model", default_model()]


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The providers that sessions would be opened with, on a machine that has them all; none is opened."""
    seen: list[Any] = []

    def stop(path: str, options: Any, providers: list[Any]) -> None:
        seen.append(providers)
        raise RuntimeError("no GPU")

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: list(PROVIDERS.values()))
    monkeypatch.setattr(onnxruntime, "InferenceSession", stop)
    return seen


def test_the_options_reach_onnxruntime(
    command: list[object],
    passed: list[Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    engines = tmp_path / "engines"
    asked: list[tuple[str, list[object], GpuOptions]] = [
        ("cuda", ["--cuda-graph"], GpuOptions(cuda_graph=True)),
        ("cuda", [], GpuOptions()),
        ("tensorrt", ["--engine-cache", engines], GpuOptions(engine_cache=engines)),
    ]
    for provider, options, _ in asked:
        assert "no GPU" in fails(monkeypatch, capsys, *command, "--provider", provider, *options)
    assert passed == [provider_options(provider, gpu) for provider, _, gpu in asked]
    assert engines.is_dir()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--cuda-graph"], "cuda_graph, engine_cache, trt_fp16: expected none with provider cpu; drop them"),
        (["--engine-cache", "engines"], "cuda_graph, engine_cache, trt_fp16: expected none with provider cpu"),
        (["--engine-cache", "engines", "--provider", "cuda"], "expected provider tensorrt with them, got cuda"),
        (["--model", "cv", "--cuda-graph"], "engine_cache, cuda_graph: cv runs in NumPy and has neither; drop them"),
        (["--model", "cv", "--engine-cache", "engines"], "engine_cache, cuda_graph: cv runs in NumPy"),
    ],
)
def test_what_does_not_fit_is_one_sentence(
    options: list[object],
    message: str,
    command: list[object],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    named = command[: command.index("--model")] if "--model" in options else command
    assert message in fails(monkeypatch, capsys, *named, *options)
    assert not Path("engines").exists()


def test_the_profile_and_the_start_of_a_benchmark_have_the_options_too(passed: list[Any], tmp_path: Path) -> None:
    gpu = GpuOptions(cuda_graph=True, engine_cache=tmp_path / "engines")
    with pytest.raises(ContractError, match="no GPU"):
        profile_operators(default_model(), 8, provider="tensorrt", gpu=gpu)
    # Operators of a graph that is started as a whole cannot be told apart.
    assert passed == [provider_options("tensorrt", dataclasses.replace(gpu, cuda_graph=False))]
    # The start is a process of its own, with the real ONNX Runtime of this machine.
    for wrong in (GpuOptions(cuda_graph=True), GpuOptions(engine_cache=tmp_path / "engines")):
        with pytest.raises(TrajnetError, match=r"exit code 1: .*expected none with provider cpu; drop them"):
            measure_startup(str(default_model()), 8, gpu=wrong, runs=1)


def test_both_documents_name_provider_and_options() -> None:
    gpu = GpuOptions(cuda_graph=True, engine_cache=Path("engines"))
    clock, predictor = VirtualClock(), ConstantVelocity(np.array([1.0, 2.0]))
    documents = (
        bench_document(Bench(predictor, 2, BenchOptions(), gpu=gpu)),
        document(run_replay(crossing_scene(), predictor, threads=2, gpu=gpu, clock=clock)),
    )
    for found in documents:
        runtime = json.loads(json.dumps(found))["hardware"]
        assert [runtime[k] for k in ("provider", "threads", "engine_cache", "cuda_graph")] == [
            "none (numpy)", 2, "engines", True,
        ]  # fmt: skip
    words = runtime_words({**describe_runtime(predictor, 2, gpu), "onnxruntime": "1.20"})
    assert words == "none (numpy), 2 thread(s), engine cache, CUDA graphs, ONNX Runtime 1.20"
    assert "thread(s), engine cache, CUDA graphs, ONNX" in readme_table(Bench(predictor, 2, BenchOptions(), gpu=gpu))


@pytest.mark.parametrize(
    ("cpuinfo", "name"),
    [
        (
            2
            * "processor\t: 0\ncpu family\t: 26\nmodel\t\t: 2\nmodel name\t: AMD EPYC\nflags\t\t: fpu avx2 avx512f\n\n",
            "AMD EPYC (family 26, model 2, AVX-512)",
        ),
        (
            "cpu family: 25\nmodel: 1\nmodel name: AMD EPYC\nflags: fpu avx avx2\n",
            "AMD EPYC (family 25, model 1, AVX2)",
        ),
        ("model name: Intel Atom\nflags: fpu sse2\n", "Intel Atom (no AVX2)"),
        # 64-bit ARM has no name for the processor, and calls its vectors Features.
        ("processor: 0\nFeatures: fp asimd\nCPU part: 0xd42\nModel: NVIDIA Jetson\n", "NVIDIA Jetson"),
        ("", platform.processor() or platform.machine()),
    ],
)
def test_processors_of_one_name_are_told_apart(tmp_path: Path, cpuinfo: str, name: str) -> None:
    (tmp_path / "cpuinfo").write_text(cpuinfo)
    assert cpu_model(tmp_path / "cpuinfo") == name


def test_gpus_and_boards_have_names(tmp_path: Path) -> None:
    assert gpu_models(tmp_path) == []
    assert board_model(tmp_path / "model") is None
    for number, model in enumerate(("NVIDIA RTX A2000", "NVIDIA L4")):
        folder = tmp_path / f"0000:0{number}:00.0"
        folder.mkdir()
        (folder / "information").write_text(f"Model: \t\t {model}\nIRQ:   \t\t 42\n")
    assert gpu_models(tmp_path) == ["NVIDIA RTX A2000", "NVIDIA L4"]
    (tmp_path / "model").write_text("NVIDIA Jetson Orin Nano\0")
    assert board_model(tmp_path / "model") == "NVIDIA Jetson Orin Nano"


@pytest.mark.parametrize(
    ("provider", "gpus", "board", "words"),
    [
        ("CPUExecutionProvider", ["NVIDIA L4"], None, "CPUExecutionProvider, 1 thread(s), ONNX"),
        ("CUDAExecutionProvider", ["NVIDIA L4"], None, "CUDAExecutionProvider, NVIDIA L4, 1 thread(s), ONNX"),
        ("CUDAExecutionProvider", [], "Jetson", "CUDAExecutionProvider, Jetson, 1 thread(s), ONNX"),
        ("CUDAExecutionProvider", [], None, "CUDAExecutionProvider, GPU without a name, 1 thread(s), ONNX"),
    ],
)
def test_a_latency_on_a_gpu_names_it(provider: str, gpus: list[str], board: str | None, words: str) -> None:
    runtime = {"provider": provider, "threads": 1, "gpus": gpus, "board": board, "engine_cache": None}
    assert runtime_words({**runtime, "cuda_graph": False, "onnxruntime": "1.20"}).startswith(words)
