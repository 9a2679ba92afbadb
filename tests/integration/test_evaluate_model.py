"""Evaluation of an exported model: in several processes, with knots of its own, with a short horizon."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from trajnet.context.surroundings import InputRequirements
from trajnet.datasets.windows import windows_of_scene
from trajnet.errors import ContractError
from trajnet.evaluate import evaluate
from trajnet.evaluate.units import WindowUnit
from trajnet.export.graph import export_model, write_model
from trajnet.inference import NO_JUDGING, Stream, load_predictor
from trajnet.inference.contract import CONTRACT_VERSION, Contract, Training
from trajnet.scenes import write_scene
from trajnet.training.model import TrajectoryModel
from trajnet.training.model_config import ModelConfig
from trajnet.types import CLASS_NAMES, Scene

pytestmark = pytest.mark.slow


def wavy_scene(frames: int, hz: float) -> Scene:
    """Five cars on wavy ways; neither heading nor velocity is measured."""
    row_frame, row_track = (index.ravel() for index in np.divmod(np.arange(frames * 5), 5))
    time_s = row_frame / hz
    position_m = np.stack([(4.0 + row_track) * time_s, 20.0 * row_track + 2 * np.sin(time_s + row_track)], axis=1)
    none = np.zeros(len(row_frame), dtype=np.bool_)
    return Scene(
        scene_id="wavy",
        timestamp_ns=np.round(np.arange(frames) / hz * 1e9).astype(np.int64),
        frame_number=np.arange(frames),
        track_id=tuple("abcde"),
        object_class=np.ones(5, dtype=np.int8),
        size_m=np.full((5, 2), 2.0),
        row_frame=row_frame,
        row_track=row_track,
        position_m=position_m + np.array([400_000.0, 5_300_000.0]),
        yaw_rad=np.zeros(len(row_frame)),
        yaw_valid=none,
        velocity_mps=np.zeros((len(row_frame), 2)),
        velocity_valid=none,
        is_target=none,
    )


@pytest.fixture
def scene_file(tmp_path: Path) -> Path:
    file = tmp_path / "wavy.parquet"
    write_scene(wavy_scene(frames=90, hz=10.0), file)
    return file


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A small model with random weights, exported on its own knots and on ETH/UCY's times."""
    torch.manual_seed(4)
    config = ModelConfig(hidden=16, embedding=8, modes=3)
    model = TrajectoryModel(config)
    training = Training(("none",), "none", False, 4, 0, 0, 0.0, 2.0)
    files = {}
    for name, time_s in (("knots", None), ("times", np.arange(1.0, 13.0) * 0.4)):
        graph, proto = export_model(model, time_s)
        contract = Contract(
            CONTRACT_VERSION, "random", name, "none", "lstm", 1, 16, 3,
            tuple(np.round(graph.time_s, 9).tolist()), CLASS_NAMES, False, InputRequirements(), training,
        )  # fmt: skip
        files[name] = tmp_path_factory.mktemp("models") / f"{name}.onnx"
        write_model(proto, contract, "# random", files[name])
    return files


def test_an_exported_model_is_scored_in_processes_of_its_own(exported: dict[str, Path], scene_file: Path) -> None:
    spec = str(exported["knots"])
    reports = [evaluate("scenes", scene_file, None, [spec], jobs=jobs, stride=10) for jobs in (1, 2)]
    assert json.dumps(reports[0]) == json.dumps(reports[1])
    assert reports[0]["time_s"][-1] == 6.0
    entry = reports[0]["models"][0]
    assert (entry["model"], entry["model_id"], entry["modes"]) == ("random", "knots", 3)
    assert entry["rows"]["failures"] == entry["rows"]["physics_rows"] == 0
    assert entry["metrics"]["minADE_5"] < entry["metrics"]["minADE_1"]
    assert "onnxruntime" in reports[0]["versions"]


def test_a_model_of_a_shorter_horizon_sets_that_of_scenes(exported: dict[str, Path], scene_file: Path) -> None:
    both = [str(file) for file in exported.values()]
    report = evaluate("scenes", scene_file, None, both, stride=10)
    assert report["time_s"][-1] == 4.5
    assert [m["model"] for m in report["models"][:2]] == [f"random ({spec})" for spec in both]
    with pytest.raises(ContractError, match=r"times.onnx: predicts 4.8 s ahead, 6 s are scored"):
        evaluate("scenes", scene_file, None, both, stride=10, horizon_s=6.0)


def test_knots_are_interpolated_as_the_exported_graph_does(exported: dict[str, Path]) -> None:
    """The same weights, once interpolated by the evaluation, once inside the graph."""
    scene = wavy_scene(frames=8, hz=2.5)
    time_s = np.arange(1.0, 13.0) * 0.4
    windows = windows_of_scene(scene, scene.row_frame == 7, np.arange(-7.0, 1.0) * 0.4, time_s)
    unit = WindowUnit(windows, "", ())
    one, other = (
        next(unit.run(Stream(load_predictor(file), judging=NO_JUDGING), time_s))[1] for file in exported.values()
    )
    assert one.position_m == pytest.approx(other.position_m, abs=1e-3)
    assert one.covariance_m2 == pytest.approx(other.covariance_m2, abs=1e-3, rel=1e-3)
    assert one.probability == pytest.approx(other.probability, abs=1e-5)
