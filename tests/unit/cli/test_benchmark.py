"""trajnet benchmark: which configurations make a fold of each scene, and what the command refuses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from trajnet.config import load_yaml
from trajnet.datasets.eth_ucy import ETH_UCY_SCENES, FUTURE_S
from trajnet.errors import InputError
from trajnet.protocols.leave_one_out import PUBLISHED, fold_config, leave_one_out
from trajnet.training.config import TrainConfig

ROOT = Path(__file__).resolve().parents[3]
CONFIG = load_yaml(TrainConfig, ROOT / "configs" / "eth_ucy.yaml")


def test_the_configuration_fits_the_benchmark() -> None:
    np.testing.assert_allclose(CONFIG.model.time_s, FUTURE_S)
    assert CONFIG.model.modes == 20


@pytest.mark.parametrize("scene", ETH_UCY_SCENES)
def test_a_fold_sees_only_its_own_training_and_validation_files(scene: str) -> None:
    fold = fold_config(CONFIG, scene)
    assert fold.name == f"trajnet-eth-ucy-{scene}"
    assert [s.split for s in fold.train] == [f"{scene}/train"]
    assert [s.split for s in fold.validation] == [f"{scene}/val"]
    assert (fold.seed, fold.model, fold.optimizer) == (CONFIG.seed, CONFIG.model, CONFIG.optimizer)


def test_what_is_no_fold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="got kind 'eth_ucy' with split 'eth/train'"):
        fold_config(fold_config(CONFIG, "eth"), "hotel")
    with pytest.raises(InputError, match="got kind 'scenes'"):
        fold_config(load_yaml(TrainConfig, ROOT / "configs" / "nuscenes.yaml"), "eth")
    with pytest.raises(InputError, match="expected some of eth, hotel, univ, zara1, zara2, got zara3"):
        leave_one_out(CONFIG, tmp_path, tmp_path, ["eth", "zara3"])


def test_published_rows_are_complete() -> None:
    for name, row in PUBLISHED.items():
        assert len(row) == len(ETH_UCY_SCENES) + 1, name
        scenes = [pair for pair in row[:-1] if pair is not None]
        mean = row[-1]
        if scenes and mean is not None:  # authors round their means to a centimetre
            np.testing.assert_allclose(np.mean(scenes, axis=0), mean, atol=0.011)


def test_the_command_says_what_it_cannot_use() -> None:
    words = ["benchmark", "eth-ucy", "--data", ".", "--out", "out", "--scenes", "zara3"]
    done = subprocess.run(
        [sys.executable, "-m", "trajnet", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.strip() == "trajnet: scenes: expected some of eth, hotel, univ, zara1, zara2, got zara3"
