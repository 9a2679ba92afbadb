"""What a run leaves of each epoch: a line of metrics.csv, a line of the log, and the best checkpoint."""

from __future__ import annotations

import csv
import logging
import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from trajnet.errors import InputError
from trajnet.training.learner import Learner
from trajnet.training.run_state import Best
from trajnet.whole_file import whole_file

log = logging.getLogger(__name__)

#: What decides which epoch is the best: what training minimises, on windows that it does not see, as they are.
BEST_BY = "validation/loss"


class KeepBest(Callback):
    """Saves a checkpoint whenever the validation loss is lower than in every epoch before.

    It is written before the last checkpoint, which stores what the best loss is: a run that is killed between the two
    repeats the epoch and writes the same file again.
    """

    def __init__(self, path: Path, learner: Learner) -> None:
        self._path, self._learner = path, learner

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        learner, loss = self._learner, float(trainer.callback_metrics[BEST_BY])
        best = learner.run.best
        if math.isfinite(loss) and (best is None or loss < best.loss):
            learner.run = replace(learner.run, best=Best(learner.epoch + 1, loss))
            trainer.save_checkpoint(self._path)


class EpochRecords(Callback):
    """Appends a line to metrics.csv after each epoch, and logs one where no bar is shown.

    The file is written before the last checkpoint. Lines beyond that checkpoint, of an epoch that a resumed run
    repeats, are dropped when the run goes on.
    """

    def __init__(self, path: Path, learner: Learner, *, logs: bool) -> None:
        """Take up the lines of the epochs that are done. Raises InputError for a file of another kind."""
        self._path, self._learner, self._logs = path, learner, logs
        self._rows = read_metrics(path, learner.run.done)
        self._seconds: list[float] = []
        self._began = time.monotonic()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._began = time.monotonic()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._seconds.append(time.monotonic() - self._began)
        row = {**epoch_row(trainer, self._learner), "seconds": round(self._seconds[-1], 3)}
        self._rows.append(row)
        if not trainer.is_global_zero:
            return
        write_metrics(self._path, self._rows)
        if self._logs:
            run = self._learner.run
            left_s = (run.epochs - row["epoch"]) * sum(self._seconds) / len(self._seconds)
            log.info("%s", epoch_line(row, run.epochs, left_s, best=run.best))


def epoch_row(trainer: Trainer, learner: Learner) -> dict[str, Any]:
    """Return the figures of the epoch that ends: numbers by their names in metrics.csv."""
    values = {f"train_{name}": value for name, value in learner.train_means().items()}
    for name, value in trainer.callback_metrics.items():
        if name.startswith("validation/"):
            values[name.replace("/", "_")] = float(value)
    return {
        "epoch": learner.epoch + 1,
        "cycle": len(learner.run.cycles),
        "step": learner.steps_before + trainer.global_step,
        "learning_rate": trainer.optimizers[0].param_groups[0]["lr"],
        **values,
    }


def epoch_line(row: dict[str, Any], epochs: int, left_s: float, *, best: Best | None) -> str:
    """Return one line about an epoch: loss in training and validation, errors in m, time, and what is left."""
    errors = [f"{name.removeprefix('validation_')} {row[name]:.3f} m" for name in row if "_minADE_" in name]
    parts = [
        f"epoch {row['epoch']} of {epochs}: loss {row['train_loss']:.4f}",
        f"validation {row['validation_loss']:.4f}{' (best)' if best and best.epoch == row['epoch'] else ''}",
        *errors,
        f"{duration(row['seconds'])}, {duration(left_s)} left",
    ]
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """Return a time in words: 0.4 s, 12 s, 3 min 05 s, 2 h 04 min."""
    whole = round(seconds)
    if whole < 10:
        return f"{seconds:.1f} s"
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def read_metrics(path: Path, epochs: int) -> list[dict[str, Any]]:
    """Return the lines of the first epochs; none where there is no file. Raises InputError for another file."""
    if not epochs or not path.is_file():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows: list[dict[str, Any]] = [{**row, "epoch": int(row["epoch"])} for row in csv.DictReader(file)]
    except (KeyError, ValueError, TypeError, csv.Error) as error:
        raise InputError(
            f"{path}: expected the lines of `trajnet train`, got another file ({error}); move it away"
        ) from error
    return [row for row in rows if row["epoch"] <= epochs]


def write_metrics(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write the lines, whole or not at all. Raises InputError if the file cannot be written."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    with whole_file(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, names, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
