"""The program that takes the mean of weights: the mean is one, calibrated anew, and other models are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from tools.mean_weights import main
from trajnet.config import to_dict
from trajnet.models import default_model
from trajnet.training.checkpoint import CALIBRATION, checkpoint_model, read_checkpoint, save_whole

ROOT = Path(__file__).resolve().parents[3]
SHIPPED = default_model().with_suffix(".ckpt")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped weights, each larger by 2 %."""
    stored = read_checkpoint(SHIPPED)
    stored["state_dict"] = {name: 1.02 * value for name, value in stored["state_dict"].items()}
    path = tmp_path_factory.mktemp("weights") / "other.ckpt"
    save_whole(stored, path)
    return path


def run(paths: list[Path], folder: Path, **changes: Any) -> int:
    _, config, _ = checkpoint_model(SHIPPED)
    scene = {"kind": "scenes", "path": "scenes/crossing_small.parquet", "history_s": 1.0, "stride": 5}
    settings = to_dict(config) | {"train": [scene], "validation": [scene], "teachers": []}
    settings["model"] |= changes
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))
    given = ("--config", folder / "config.yaml", "--data", ROOT / "sim", "--out", folder / "mean.ckpt")
    return main([str(one) for one in (*paths, *given)])


def test_the_mean_lies_in_the_middle_and_is_calibrated(other: Path, tmp_path: Path) -> None:
    assert run([other, SHIPPED], tmp_path) == 0
    (model, config, about), (shipped, expected, told) = (
        checkpoint_model(tmp_path / "mean.ckpt"),
        checkpoint_model(SHIPPED),
    )
    assert (config, about["domain"]) == (expected, told["domain"])
    weights, before = model.state_dict(), shipped.state_dict()
    for name in set(weights) - set(CALIBRATION):
        torch.testing.assert_close(weights[name], 1.01 * before[name])
    assert not torch.allclose(weights["spread"], 1.01 * before["spread"])


def test_one_checkpoint_and_other_models_are_refused(
    other: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([other], tmp_path) == 2
    assert "expected two checkpoints or more, got 1" in capsys.readouterr().err
    assert run([other, SHIPPED], tmp_path, dropout=0.3) == 2
    assert "expected the model of the checkpoints, got another" in capsys.readouterr().err
    universal = SHIPPED.with_name("trajnet-universal.ckpt")
    assert run([universal, SHIPPED], tmp_path) == 2
    assert "trajnet-universal.ckpt: expected the model and the licence of" in capsys.readouterr().err
    assert not (tmp_path / "mean.ckpt").exists()
