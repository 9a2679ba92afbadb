"""The table of epochs is continued without double lines, and a line of the log says what is left."""

from __future__ import annotations

import csv
import logging
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from lightning.pytorch.callbacks import Callback

from trajnet.errors import InputError
from trajnet.training.epoch_records import (
    BEST_BY,
    EpochRecords,
    KeepBest,
    duration,
    epoch_line,
    read_metrics,
    write_metrics,
)
from trajnet.training.run_state import Best, RunState

ROW = {
    "epoch": 3, "cycle": 1, "train_loss": 1.5, "validation_loss": 1.25, "validation_minADE_1": 0.8,
    "validation_nll": 2.0, "seconds": 12.2,
}  # fmt: skip


def test_lines_beyond_the_last_checkpoint_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    write_metrics(path, [{"epoch": epoch, "loss": epoch / 2} for epoch in (1, 2, 3)])
    assert path.read_text() == "epoch,loss\n1,0.5\n2,1.0\n3,1.5\n"
    rows = read_metrics(path, 2)
    write_metrics(path, [*rows, {"epoch": 3, "loss": 7.0}])
    assert path.read_text() == "epoch,loss\n1,0.5\n2,1.0\n3,7.0\n"


def test_a_new_run_begins_a_new_table(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("epoch,loss\n1,0.5\n")
    assert read_metrics(tmp_path / "metrics.csv", 0) == []
    assert read_metrics(tmp_path / "none.csv", 3) == []


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "epoch\nx\n", "epoch,loss\n,1\n"])
def test_another_file_of_that_name_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text(text)
    with pytest.raises(InputError, match="move it away"):
        read_metrics(path, 3)


class Trainer:
    """A run of a few epochs whose losses are given."""

    def __init__(self, *, is_global_zero: bool = True) -> None:
        self.is_global_zero, self.callback_metrics = is_global_zero, dict[str, float]()
        self.global_step, self.saved = 0, list[tuple[Path, int, Best | None]]()
        self.optimizers = [SimpleNamespace(param_groups=[{"lr": 0.5}])]
        self.learner: Any = SimpleNamespace(
            run=RunState((2, 5), done=2), epoch=1, steps_before=20, train_means=lambda: {"loss": 7.0}
        )

    def save_checkpoint(self, path: Path) -> None:
        self.saved.append((path, self.learner.epoch + 1, self.learner.run.best))

    def epoch(self, loss: float, *callbacks: Callback) -> None:
        self.learner.epoch += 1
        self.global_step += 10
        self.callback_metrics = {BEST_BY: loss, "validation/minADE_1": 0.5}
        for callback in callbacks:
            callback.on_train_epoch_start(self, self.learner)  # type: ignore[arg-type]
            callback.on_validation_end(self, self.learner)  # type: ignore[arg-type]


def test_the_best_epoch_is_kept_and_no_other(tmp_path: Path) -> None:
    trainer = Trainer()
    keep = KeepBest(tmp_path / "best.ckpt", trainer.learner)
    for loss in (3.0, 2.0, 4.0, math.nan, 2.0, -math.inf, 1.0):
        trainer.epoch(loss, keep)
    bests = [Best(3, 3.0), Best(4, 2.0), Best(9, 1.0)]
    assert trainer.saved == [(tmp_path / "best.ckpt", best.epoch, best) for best in bests]  # which know it themselves
    assert trainer.learner.run.best == bests[-1]


def test_the_table_goes_on_behind_the_epochs_of_earlier_cycles(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "metrics.csv"
    write_metrics(path, [{"epoch": epoch, "train_loss": 9.0} for epoch in (1, 2, 3)])
    trainer = Trainer()
    records = EpochRecords(path, trainer.learner, logs=True)
    with caplog.at_level(logging.INFO):
        trainer.epoch(1.25, records)
        trainer.epoch(1.5, records)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    assert [row["cycle"] for row in rows] == ["", "", "2", "2"]
    assert [row["step"] for row in rows[2:]] == ["30", "40"]
    assert [row["validation_loss"] for row in rows[2:]] == ["1.25", "1.5"]
    assert (rows[2]["train_loss"], rows[2]["learning_rate"], rows[2]["validation_minADE_1"]) == ("7.0", "0.5", "0.5")
    assert [message.split(":")[0] for message in caplog.messages] == ["epoch 3 of 7", "epoch 4 of 7"]


def test_other_processes_of_a_run_write_no_table(tmp_path: Path) -> None:
    trainer = Trainer(is_global_zero=False)
    trainer.epoch(1.0, EpochRecords(tmp_path / "metrics.csv", trainer.learner, logs=True))
    assert list(tmp_path.iterdir()) == []


def test_a_line_of_the_log_has_losses_errors_and_what_is_left() -> None:
    line = "epoch 3 of 12: loss 1.5000, validation 1.2500{}, minADE_1 0.800 m, 12 s, 1 min 50 s left"
    assert epoch_line(ROW, 12, 109.8, best=Best(3, 1.25)) == line.format(" (best)")
    assert epoch_line(ROW, 12, 109.8, best=Best(1, 1.0)) == line.format("")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.44, "0.4 s"), (12.4, "12 s"), (59.6, "1 min 00 s"), (185, "3 min 05 s"), (7440, "2 h 04 min")],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words
