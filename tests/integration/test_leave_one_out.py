"""One fold of ETH/UCY with a tiny model, from the recorded data to the table."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from trajnet.config import load_yaml
from trajnet.protocols.leave_one_out import KEPT, leave_one_out
from trajnet.training.config import OptimizerConfig, TrainConfig
from trajnet.training.model_config import ModelConfig

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.data, pytest.mark.slow]


def test_a_fold_is_trained_exported_and_tested(data_dir: Path, tmp_path: Path) -> None:
    config = dataclasses.replace(
        load_yaml(TrainConfig, ROOT / "configs" / "eth_ucy.yaml"),
        model=ModelConfig(hidden=8, decoder_hidden=8, embedding=8, modes=20, knots=12, knot_step_s=0.4),
        optimizer=OptimizerConfig(epochs=1, batch=4096),
    )
    report = leave_one_out(config, data_dir, tmp_path, ["eth"], threads=1, progress=False)
    fold = report["scenes"]["eth"]
    assert (fold["windows"], fold["train_windows"]) == (181, 29_809)
    assert set(fold["model"]) == set(KEPT)
    assert fold["cv"]["minADE_20"] == pytest.approx(1.00, abs=0.005)
    assert fold["model"]["minADE_20"] < fold["cv"]["minADE_20"]
    assert report["mean"]["model"] == fold["model"]
    assert {p.name for p in (tmp_path / "eth").iterdir()} >= {"last.ckpt", "model.onnx", "report.json"}
    again = leave_one_out(config, data_dir, tmp_path, ["eth"], threads=1, progress=False)  # trains nothing anew
    assert again["scenes"]["eth"]["model"] == fold["model"]
