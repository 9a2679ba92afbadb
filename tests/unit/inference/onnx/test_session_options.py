"""What ONNX Runtime is told for a GPU: checked by what is passed, for no GPU is at hand where tests run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from trajnet.errors import ConfigError
from trajnet.export.graph import export_model, make_contract, write_model
from trajnet.inference import GpuOptions
from trajnet.inference.onnx.engine import Bucket, Engine, _graph_options
from trajnet.inference.onnx.session import open_session, provider_options
from trajnet.training.config import SourceConfig, TrainConfig
from trajnet.training.model import TrajectoryModel
from trajnet.training.model_config import ModelConfig

CUDA, TENSORRT = "CUDAExecutionProvider", "TensorrtExecutionProvider"


def test_options_are_named_as_onnxruntime_names_them() -> None:
    assert provider_options("cpu", GpuOptions()) == [("CPUExecutionProvider", {})]
    assert provider_options("cuda", GpuOptions()) == [(CUDA, {"use_tf32": "0", "enable_cuda_graph": "0"})]
    assert provider_options("cuda", GpuOptions(cuda_graph=True)) == [
        (CUDA, {"use_tf32": "0", "enable_cuda_graph": "1"})
    ]
    plain = {"trt_fp16_enable": "0", "trt_cuda_graph_enable": "0", "trt_engine_cache_enable": "0"}
    assert provider_options("tensorrt", GpuOptions()) == [(TENSORRT, plain), (CUDA, {"use_tf32": "0"})]
    everything = GpuOptions(cuda_graph=True, engine_cache=Path("engines"), trt_fp16=True)
    assert provider_options("tensorrt", everything)[0][1] == {
        "trt_fp16_enable": "1", "trt_cuda_graph_enable": "1", "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": "engines",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("provider", "options", "message"),
    [
        ("cpu", {"cuda_graph": True}, "expected none with provider cpu"),
        ("cpu", {"engine_cache": Path("x")}, "expected none with provider cpu"),
        ("cuda", {"engine_cache": Path("x")}, "expected provider tensorrt with them, got cuda"),
        ("cuda", {"trt_fp16": True}, "expected provider tensorrt with them, got cuda"),
    ],
)
def test_options_that_make_no_sense(provider: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        GpuOptions(**options).check(provider)


def test_the_folder_of_the_engine_cache_is_made_or_refused(tmp_path: Path) -> None:
    GpuOptions(engine_cache=tmp_path / "a" / "b").check("tensorrt")
    assert (tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"engine_cache: expected a folder, got .*file"):
        GpuOptions(engine_cache=tmp_path / "file").check("tensorrt")
    (tmp_path / "locked").mkdir(mode=0o500)
    if os.access(tmp_path / "locked", os.W_OK):
        pytest.skip("root may write everywhere")
    with pytest.raises(ConfigError, match="expected a folder that can be written"):
        GpuOptions(engine_cache=tmp_path / "locked").check("tensorrt")


class Opened(Exception):
    """Stops where the session would be opened."""


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The providers that a session would be opened with, on a machine that has them all."""
    seen: list[Any] = []

    def stop(path: str, options: Any, providers: list[Any]) -> None:
        seen.extend(providers)
        raise Opened

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [TENSORRT, CUDA, "CPUExecutionProvider"])
    monkeypatch.setattr(onnxruntime, "InferenceSession", stop)
    return seen


def test_a_session_is_opened_with_the_options(passed: list[Any], tmp_path: Path) -> None:
    file = tmp_path / "m.onnx"
    file.write_bytes(b"")
    gpu = GpuOptions(engine_cache=tmp_path / "engines")
    with pytest.raises(Exception, match="expected a model that ONNX Runtime can load"):
        open_session(file, provider="tensorrt", gpu=gpu)
    assert passed == provider_options("tensorrt", gpu)
    passed.clear()
    with pytest.raises(ConfigError, match="expected none with provider cpu"):
        open_session(file, gpu=gpu)
    assert passed == []


def test_tensorrt_records_one_size_only(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cuda_graph: expected one bucket with provider tensorrt, got \[8, 16\]"):
        Engine(tmp_path / "m.onnx", provider="tensorrt", buckets=(8, 16), gpu=GpuOptions(cuda_graph=True))


def test_every_bucket_is_recorded_under_a_number_of_its_own() -> None:
    assert [_graph_options(i).get_run_config_entry("gpu_graph_id") for i in (1, 2, 10)] == ["1", "2", "10"]


def test_a_bucket_runs_with_its_options(tmp_path: Path) -> None:
    torch.manual_seed(5)
    model = TrajectoryModel(ModelConfig(hidden=8, embedding=8, context=8, modes=2, knots=2)).eval()
    graph, proto = export_model(model)
    source = SourceConfig("scenes", path="scenes")
    config = TrainConfig("tiny", "Apache-2.0", False, (source,), (source,), model=model.config)
    about = {"git_revision": "abc", "epochs_done": 1, "windows": 2, "duration_s": 3.0}
    contract = make_contract(graph, config, about, proto.SerializeToString())
    write_model(proto, contract, "", tmp_path / "m.onnx")
    opened = open_session(tmp_path / "m.onnx")
    given: list[Any] = []

    class Watched:
        """The real session, whose run options are seen on the way."""

        def io_binding(self) -> Any:
            return opened.io_binding()

        def run_with_iobinding(self, binding: Any, options: Any) -> None:
            given.append(options)
            opened.run_with_iobinding(binding, options)

    plain, recorded = Bucket(Watched(), contract, 8, "cpu"), Bucket(Watched(), contract, 8, "cpu", graph_id=3)
    plain.run(0)
    recorded.run(0)  # the CPU has nothing to record and says nothing
    assert given[0] is None
    assert given[1].get_run_config_entry("gpu_graph_id") == "3"
    for name, values in plain.outputs.items():
        np.testing.assert_array_equal(recorded.outputs[name], values)
