"""The program of the embedded guide: what it says of this machine, of a broken one, and of one that is a Jetson."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from tests.unit.test_architecture import NOT_AT_RUNTIME
from trajnet.bench.startup import StartUp
from trajnet.context.map_field import MapView
from trajnet.export.graph import export_model, make_contract, write_model
from trajnet.training.config import SourceConfig, TrainConfig
from trajnet.training.model import TrajectoryModel
from trajnet.training.model_config import ModelConfig

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = ROOT / "export" / "check_device.py"


@pytest.fixture(scope="module")
def check() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_device", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules["check_device"] = made  # dataclasses look there
    spec.loader.exec_module(made)
    return made


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(5)
    view = MapView(ahead_m=8.0, behind_m=4.0, side_m=4.0, step_m=2.0)
    config = ModelConfig(hidden=8, embedding=8, context=8, modes=2, knots=2, map=view, map_channels=(2,), neighbours=2)
    model = TrajectoryModel(config).eval()
    graph, proto = export_model(model)
    source = SourceConfig("scenes", path="scenes")
    train = TrainConfig("tiny", "Apache-2.0", False, (source,), (source,), model=config)
    about = {"git_revision": "abc", "epochs_done": 1, "windows": 2, "duration_s": 3.0}
    path = tmp_path_factory.mktemp("model") / "tiny.onnx"
    write_model(proto, make_contract(graph, train, about, proto.SerializeToString()), "", path)
    return path


@pytest.fixture
def request_for(check: ModuleType, model_file: Path) -> Callable[..., Any]:
    def made(**changes: Any) -> Any:
        plain = {"provider": "cpu", "budget_ms": 1e6, "frames": 5, "engine_cache": None, "cuda_graph": False}
        return check.Request(**{"model": model_file, **plain, **changes})

    return made


def test_what_this_machine_can_say(
    check: ModuleType, model_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(check, "START_S", 1e6)  # how fast this machine is, is no matter of a test
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    file = tmp_path / "check.json"
    words = ["--model", str(model_file), "--budget-ms", "1000000", "--frames", "5", "--json", str(file), "--row"]
    assert check.main(words) == 0
    shown = capsys.readouterr().out
    document = json.loads(file.read_text())
    by_step = {s["step"]: s for s in document["steps"]}
    assert list(by_step) == list(check.STEPS)
    assert document["version"] == 1
    for name in ("packages", "runtime", "model", "provider", "start", "memory", "latency"):
        assert by_step[name]["status"] == "ok", by_step[name]
    assert {s["status"] for s in document["steps"]} <= {"ok", "cannot be checked here"}
    assert "PyTorch not in memory" in by_step["start"]["detail"]
    assert "tiny" in by_step["model"]["detail"]
    assert "fp32, streaming, 2 modes, 1 s" in by_step["model"]["detail"]
    assert by_step["engine-cache"]["detail"].startswith("only tensorrt has engines")
    assert document["figures"]["p50_ms"] <= document["figures"]["p99_ms"] <= document["figures"]["max_ms"]
    assert document["figures"]["frames"] == 5
    row = shown.splitlines()[-1]
    header = next(line for line in (ROOT / "export" / "README.md").read_text().splitlines() if line.startswith("| dev"))
    assert row.count("|") == header.count("|")
    assert f"| cpu | tiny.onnx | {document['figures']['p50_ms']:.2f} |" in row


def test_it_loads_nothing_that_the_vehicle_does_not_have(model_file: Path) -> None:
    code = (
        "import json, runpy, sys\n"
        f"check = runpy.run_path({str(PROGRAM)!r})\n"
        "only = 'packages,runtime,model,provider,latency,clocks,power,engine-cache,cuda-graph'\n"
        f"check['main'](['--model', {str(model_file)!r}, '--frames', '2', '--only', only])\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert "trajnet.inference.onnx.predictor" in loaded
    # The objects that it plays come from trajnet.replay, of which it takes what needs no extra either.
    assert loaded & NOT_AT_RUNTIME <= {"trajnet.replay"}


def test_a_failed_step_says_what_to_do_next(
    check: ModuleType, model_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--model", str(tmp_path / "none.onnx"), "--only", "model,clocks"]
    assert check.main(words) == 1
    shown = capsys.readouterr().out
    assert "got no such file" in shown
    assert "next: see step model in export/README.md" in shown
    assert "clocks" in shown  # and goes on
    assert check.main(["--model", str(model_file), "--only", "latency", "--frames", "3", "--budget-ms", "1e-9"]) == 1
    assert re.search(r"latency +failed: 64 objects: p50 .* budget 1e-09 ms", capsys.readouterr().out)
    for wrong in (["--only", "fast"], ["--frames", "0"], ["--budget-ms", "nan"]):
        with pytest.raises(SystemExit) as stopped:
            check.main(["--model", str(model_file), *wrong])
        assert stopped.value.code == 2


def test_a_provider_that_is_not_there(check: ModuleType, request_for: Callable[..., Any]) -> None:
    import onnxruntime

    if "TensorrtExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has TensorRT")
    asked = request_for(provider="tensorrt")
    for step in ("runtime", "provider"):
        found = check.checked(step, asked)
        assert (found.status, bool(found.next)) == ("failed", True)
        assert "tensorrt" in found.detail
    assert check.checked("engine-cache", asked).status == "failed"
    assert check.checked("model", asked).status == "ok"  # the file itself is right


def test_the_folder_of_engines(check: ModuleType, request_for: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "engines").mkdir()
    (tmp_path / "engines" / "a.engine").write_bytes(b"")
    found = check.checked("engine-cache", request_for(provider="tensorrt", engine_cache=tmp_path / "engines"))
    assert found.status == "ok"
    assert "can be written, 1 engines in it" in found.detail
    assert [p.name for p in (tmp_path / "engines").iterdir()] == ["a.engine"]
    (tmp_path / "file").write_text("")
    assert check.checked("engine-cache", request_for(engine_cache=tmp_path / "file")).status == "failed"


def test_clocks_of_a_jetson(check: ModuleType, request_for: Callable[..., Any], tmp_path: Path) -> None:
    for core, (governor, kilohertz) in enumerate([("schedutil", "729600"), ("schedutil", "1510400")]):
        folder = tmp_path / f"cpu{core}" / "cpufreq"
        folder.mkdir(parents=True)
        (folder / "scaling_governor").write_text(f"{governor}\n")
        (folder / "scaling_cur_freq").write_text(f"{kilohertz}\n")
    asked = request_for()
    found = check.clocks(asked, tmp_path)
    assert found.status == "ok"
    assert found.detail.startswith("governor schedutil, now 0.73 to 1.51 GHz, may use ")
    assert "sudo jetson_clocks" in found.detail
    assert asked.figures["governors"] == ["schedutil"]
    assert check.clocks(asked, tmp_path / "none").status == "cannot be checked here"


@pytest.mark.parametrize(
    ("script", "status", "detail"),
    [
        ("echo 'NV Power Mode: MAXN_SUPER'; echo 2", "ok", "power mode MAXN_SUPER"),
        ("echo 'no permission' >&2; exit 3", "failed", "exit code 3, no permission"),
        ("echo something else", "failed", "something else"),
    ],
)
def test_the_power_mode_of_a_jetson(
    script: str, status: str, detail: str, check: ModuleType, request_for: Callable[..., Any], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    program = tmp_path / "nvpmodel"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    found = check.checked("power", request_for())
    assert (found.status, detail in found.detail) == (status, True), found
    monkeypatch.setenv("PATH", str(tmp_path / "none"))
    assert check.checked("power", request_for()).status == "cannot be checked here"


def test_a_start_that_is_slow_or_brings_torch_along(
    check: ModuleType, request_for: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for seconds, torch_there, memory_mb, status, said in (
        (0.4, False, 90.0, "ok", "0.40 s to the first prediction (median of 3), PyTorch not in memory"),
        (1.4, False, 90.0, "failed", "expected at most 1 s"),
        (0.4, True, 90.0, "failed", "PyTorch in memory"),
        (0.4, False, 300.0, "ok", "PyTorch not in memory"),
    ):
        found = StartUp(3, seconds, 2.0 * seconds, memory_mb, torch_there)
        monkeypatch.setattr(check, "_started", lambda request, runs, found=found: found)
        asked = request_for()
        result = check.start(asked)
        assert (result.status, said in result.detail) == (status, True), result
        assert check.memory(asked).status == ("ok" if memory_mb < 250 else "failed")
    assert check.memory(request_for(provider="cuda")).status == "ok"  # of which CUDA's libraries are most


def test_every_step_is_in_the_guide() -> None:
    guide = (ROOT / "export" / "README.md").read_text()
    steps = re.findall(r'"([a-z-]+)": \w+', PROGRAM.read_text().partition("STEPS: dict")[2].partition("}")[0])
    assert len(steps) == 11
    for name in steps:
        assert f"**{name}**" in guide, name
