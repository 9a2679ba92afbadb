"""A finished run trains on in another cycle; its best epoch, its table and its configuration are beside it."""

from __future__ import annotations

import csv
import logging
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from tests.tiny_training import ROOT, tiny_config
from trajnet.config import load_yaml
from trajnet.errors import ContractError
from trajnet.training.checkpoint import CALIBRATION, checkpoint_model, read_checkpoint
from trajnet.training.config import TrainConfig
from trajnet.training.train import train


def tiny(folder: Path, epochs: int, *, average: float = 0.9) -> TrainConfig:
    config = load_yaml(TrainConfig, tiny_config(folder, epochs=epochs, batch=64))
    return replace(config, optimizer=replace(config.optimizer, average=average))


def run(config: TrainConfig, out: Path, init: Path | None = None, *watching: Callback) -> Path:
    return train(
        config, [ROOT / "sim"], out, accelerator="cpu", progress=False, init=init, given="# as given\n",
        callbacks=watching,
    )  # fmt: skip


class Start(Callback):
    """Keeps the weights that a run starts from."""

    weights: dict[str, torch.Tensor]

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.weights = {name: value.clone() for name, value in pl_module.state_dict().items()}


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_finished_run_goes_on_in_another_cycle(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    out = tmp_path / "out"
    first = read_checkpoint(run(tiny(tmp_path, 3), out))
    assert (first["trajnet"]["cycles"], first["trajnet"]["epochs_done"]) == ([3], 3)
    start = Start()
    with caplog.at_level(logging.INFO):
        last = run(tiny(tmp_path, 5), out, None, start)
    for name, value in start.weights.items():
        if name.rpartition(".")[2] not in CALIBRATION:
            torch.testing.assert_close(value, first["state_dict"][name], rtol=0, atol=0)
    assert "3 epochs are done; a new cycle of 2 begins from their weights" in caplog.text
    assert "epoch 4 of 5: " in caplog.text
    second = read_checkpoint(last)
    assert (second["trajnet"]["cycles"], second["trajnet"]["epochs_done"]) == ([3, 2], 5)
    assert second["trajnet"]["config"]["optimizer"]["epochs"] == 5
    assert second["trajnet"]["duration_s"] > first["trajnet"]["duration_s"]
    table = rows(out)
    steps = int(table[0]["step"])
    assert [(int(row["epoch"]), int(row["cycle"]), int(row["step"])) for row in table] == [
        (1, 1, steps), (2, 1, 2 * steps), (3, 1, 3 * steps), (4, 2, 4 * steps), (5, 2, 5 * steps),
    ]  # fmt: skip
    assert float(table[2]["learning_rate"]) < float(table[3]["learning_rate"])  # it rises again
    _is_the_best(out)
    other = read_checkpoint(run(tiny(tmp_path, 1), tmp_path / "other", out / "last.ckpt"))
    assert other["trajnet"]["init"].startswith("last.ckpt ")  # what it began with is on record


def _is_the_best(out: Path) -> None:
    losses = [float(row["validation_loss"]) for row in rows(out)]
    best = read_checkpoint(out / "best.ckpt")["trajnet"]
    assert best["epochs_done"] == best["best"]["epoch"] == losses.index(min(losses)) + 1
    assert best["best"]["loss"] == pytest.approx(min(losses))
    assert read_checkpoint(out / "last.ckpt")["trajnet"]["best"] == best["best"]
    assert best["domain"] == read_checkpoint(out / "last.ckpt")["trajnet"]["domain"]
    model, _, _ = checkpoint_model(out / "best.ckpt")
    assert not torch.equal(model.spread, torch.ones_like(model.spread))


def test_a_run_that_was_killed_before_its_calibration_gets_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    out = tmp_path / "out"
    with caplog.at_level(logging.INFO):
        whole = read_checkpoint(run(tiny(tmp_path, 1), out))
    assert "(best)" in caplog.text
    best = read_checkpoint(out / "best.ckpt")
    for name, value in whole["state_dict"].items():  # of both the averaged weights
        torch.testing.assert_close(value, best["state_dict"][name], rtol=0, atol=0)
    for name in ("last.ckpt", "best.ckpt"):
        stored = read_checkpoint(out / name)
        del stored["trajnet"]["domain"]
        stored["state_dict"]["model.spread"] = torch.ones_like(stored["state_dict"]["model.spread"])
        torch.save(stored, out / name)
    again = read_checkpoint(run(tiny(tmp_path, 1), out))
    assert again["trajnet"]["domain"] == whole["trajnet"]["domain"]
    torch.testing.assert_close(again["state_dict"]["model.spread"], whole["state_dict"]["model.spread"])
    assert "domain" in read_checkpoint(out / "best.ckpt")["trajnet"]


def test_the_configuration_that_is_kept_trains_the_same(tmp_path: Path) -> None:
    config, out = tiny(tmp_path, 1), tmp_path / "out"
    last = run(config, out)
    before = last.read_bytes()
    assert (out / "config.yaml").read_text() == "# as given\n"
    assert load_yaml(TrainConfig, out / "config.resolved.yaml") == config
    run(load_yaml(TrainConfig, out / "config.resolved.yaml"), out)
    assert last.read_bytes() == before


def test_weights_for_non_commercial_use_stay_so(tmp_path: Path) -> None:
    config = tiny(tmp_path, 1)
    begin = run(replace(config, non_commercial=True), tmp_path / "begin")
    with pytest.raises(ContractError, match="non-commercial use only"):
        run(config, tmp_path / "out", begin)
