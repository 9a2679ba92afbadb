"""Training refuses data that must not be trained on before it reads anything, and starts from other runs' weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from trajnet import config as configs
from trajnet.columns import INPUT_COLUMNS
from trajnet.errors import ConfigError, ContractError
from trajnet.training.batches import Batches
from trajnet.training.checkpoint import CHECKPOINT_VERSION, start_from
from trajnet.training.config import SourceConfig, TrainConfig
from trajnet.training.learner import WindowsDataModule
from trajnet.training.model import TrajectoryModel
from trajnet.training.model_config import ModelConfig
from trajnet.training.tensors import ContextTensors
from trajnet.training.train import train
from trajnet.types import IntArray


@pytest.mark.parametrize(
    ("source", "non_commercial", "told"),
    [
        (SourceConfig("apolloscape", split="train"), False, "got apolloscape"),
        (SourceConfig("scenes", path="apolloscape/prediction_train"), False, "got apolloscape"),
        (SourceConfig("scenes", path="nuscenes_mini"), True, "nuscenes_mini, which is held out"),
    ],
)
def test_data_that_must_not_be_trained_on_is_refused(
    source: SourceConfig, non_commercial: bool, told: str, tmp_path: Path
) -> None:
    config = TrainConfig("made", "none", non_commercial, (source,), (source,))
    with pytest.raises(ConfigError, match=told):
        train(config, [tmp_path], tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()


def checkpoint(path: Path, config: TrainConfig, model: TrajectoryModel) -> Path:
    """Write what a finished run leaves."""
    stored = {
        "state_dict": {f"model.{name}": value for name, value in model.state_dict().items()},
        "trajnet": {"version": CHECKPOINT_VERSION, "config": configs.to_dict(config)},
    }
    torch.save(stored, path)
    return path


def test_a_run_starts_from_the_weights_of_another_and_from_no_calibration(tmp_path: Path) -> None:
    source = SourceConfig("scenes", path="made")
    config = TrainConfig("made", "none", False, (source,), (source,), model=ModelConfig(hidden=8, modes=3))
    trained, fresh = TrajectoryModel(config.model), TrajectoryModel(config.model)
    trained.spread.fill_(2.0)
    assert not torch.equal(trained.heads.weight, fresh.heads.weight)
    start_from(fresh, checkpoint(tmp_path / "last.ckpt", config, trained))
    for (name, wanted), got in zip(trained.named_parameters(), fresh.parameters(), strict=True):
        assert torch.equal(wanted, got), name
    assert torch.equal(fresh.spread, torch.ones_like(fresh.spread))


def test_weights_start_a_model_that_predicts_further(tmp_path: Path) -> None:
    """Before it is trained on, its first knots are those of before."""
    source = SourceConfig("scenes", path="made")
    config = TrainConfig("made", "none", False, (source,), (source,), model=ModelConfig(hidden=8, modes=3))
    further = replace(config.model, knots=16)
    trained, fresh = TrajectoryModel(config.model), TrajectoryModel(further)
    start_from(fresh, checkpoint(tmp_path / "last.ckpt", config, trained))
    wanted, got = trained.knot_code, fresh.knot_code
    assert torch.equal(got[: len(wanted)], wanted)
    assert torch.equal(got[len(wanted) :], wanted[-1:].expand(16 // further.decoder_stride - len(wanted), -1, -1))


def test_weights_start_a_model_that_predicts_less_far(tmp_path: Path) -> None:
    """Its paths are the first knots of those of before."""
    source = SourceConfig("scenes", path="made")
    config = TrainConfig("made", "none", False, (source,), (source,), model=ModelConfig(hidden=8, modes=3, knots=16))
    trained, fresh = TrajectoryModel(config.model), TrajectoryModel(replace(config.model, knots=12))
    start_from(fresh, checkpoint(tmp_path / "last.ckpt", config, trained))
    length = torch.full((2,), 3)
    history = 0.5 + torch.rand(3, 2, len(INPUT_COLUMNS), generator=torch.Generator().manual_seed(1))  # sizes above 0
    nothing = ContextTensors(map_distance=torch.zeros(0), neighbours=torch.zeros(0))
    with torch.no_grad():
        whole, less = (model.eval()(history, length, nothing) for model in (trained, fresh))
    assert torch.allclose(less.x_m, whole.x_m[:, :12], atol=1e-6)
    assert torch.allclose(less.y_m, whole.y_m[:, :12], atol=1e-6)


def test_the_configuration_for_fine_tuning_fits_the_shipped_weights() -> None:
    root = Path(__file__).resolve().parents[3]
    config = configs.load_yaml(TrainConfig, root / "configs" / "finetune.yaml")
    start_from(TrajectoryModel(config.model), root / "trajnet" / "models" / "trajnet-urban.ckpt", non_commercial=False)
    shipped = configs.load_yaml(TrainConfig, root / "configs" / "urban.yaml")
    assert config.model == shipped.model


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (ModelConfig(hidden=16, modes=3), "hidden: 8 in the weights, 16 here;"),
        (ModelConfig(hidden=8, modes=3, knots=16, knot_step_s=0.4), "other sizes"),
        (ModelConfig(hidden=8, modes=3, neighbours=2), "neighbours: 0 in the weights, 2 here;"),
        (ModelConfig(cell="gru", hidden=8, modes=3), "other"),
    ],
    ids=["wider", "other-steps", "neighbours", "cell"],
)
def test_weights_of_another_network_are_refused(other: ModelConfig, told: str, tmp_path: Path) -> None:
    source = SourceConfig("scenes", path="made")
    config = TrainConfig("made", "none", False, (source,), (source,), model=ModelConfig(hidden=8, modes=3))
    path = checkpoint(tmp_path / "last.ckpt", config, TrajectoryModel(config.model))
    with pytest.raises(ContractError, match=told):
        start_from(TrajectoryModel(other), path)


def test_weights_that_do_not_fit_are_refused_before_any_window_is_built(tmp_path: Path) -> None:
    source = SourceConfig("scenes", path="no such folder")
    config = TrainConfig("made", "none", False, (source,), (source,), model=ModelConfig(hidden=8, modes=3))
    path = checkpoint(tmp_path / "before.ckpt", config, TrajectoryModel(config.model))
    other = replace(config, model=replace(config.model, hidden=16, knots=16, dropout=0.1, sets=(1, 3)))
    with pytest.raises(ContractError, match="configuration's: hidden: 8 in the weights, 16 here; set them"):
        train(other, [tmp_path], tmp_path / "out", progress=False, init=path)
    research = replace(config, non_commercial=True)
    path = checkpoint(tmp_path / "research.ckpt", research, TrajectoryModel(config.model))
    with pytest.raises(ContractError, match="non-commercial use only"):
        train(config, [tmp_path], tmp_path / "out", progress=False, init=path)


class Fifty:
    """Windows that are only counted and shuffled."""

    def __len__(self) -> int:
        return 50

    def shuffled(self, draw: np.random.Generator) -> IntArray:
        return draw.permutation(50)


def test_a_later_cycle_has_batches_of_its_own() -> None:
    """Those of an unbroken count of epochs: batches of the first cycle would be learned twice in the same order."""
    source = SourceConfig("scenes", path="made")
    config = TrainConfig("made", "none", False, (source,), (source,))
    windows: Any = Fifty()
    data = WindowsDataModule(config, windows, windows, before=3)
    data.trainer = SimpleNamespace(current_epoch=1, global_rank=0, world_size=1)  # type: ignore[assignment]
    loaded: Any = data.train_dataloader().dataset
    orders = [
        Batches(windows, 8, augment=config.augment, seed=config.seed, epoch=epoch).order.tolist() for epoch in (1, 4)
    ]
    assert loaded.order.tolist() == orders[1] != orders[0]
