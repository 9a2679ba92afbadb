"""The trainer: seeded, resumable after a kill with the same result, on one device or on many."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging, ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

from trajnet import config as configs
from trajnet.datasets.registry import require_trainable
from trajnet.inference.domain import Domain
from trajnet.training.checkpoint import (
    WholeFiles,
    checkpoint_model,
    read_checkpoint,
    require_same_run,
    save_whole,
    start_from,
)  # fmt: skip
from trajnet.training.config import TrainConfig
from trajnet.training.data import Batches, TrainingSet, joined, load_parts, load_training_set
from trajnet.training.domain import training_domain
from trajnet.training.fit_calibration import calibrate
from trajnet.training.learner import Learner, WindowsDataModule
from trajnet.whole_file import only_process

log = logging.getLogger(__name__)

LAST = "last.ckpt"
#: Held while a run writes into its folder; the kernel frees it when the process ends, even by kill -9.
LOCK = ".training.lock"


def train(
    config: TrainConfig,
    roots: Sequence[Path],
    out: Path,
    *,
    accelerator: str = "auto",
    devices: int | str = 1,
    nodes: int = 1,
    strategy: str = "auto",
    threads: int = 0,
    progress: bool = True,
    init: Path | None = None,
    callbacks: Sequence[Callback] = (),
) -> Path:
    """Train to the end and return the last checkpoint. A run that was killed goes on from out/last.ckpt.

    roots: data folders. accelerator, devices, nodes, strategy: Lightning's own (``ddp`` for several devices).
    threads: CPU threads of torch; 0 leaves its own choice. init: checkpoint whose weights a new run starts from; a run
    that goes on has its own.
    Raises TrajnetError for data or a checkpoint that does not fit, and where another process trains in ``out``.
    """
    used = (*config.train, *config.validation)  # the calibration in the model file is fitted on the latter
    require_trainable([(s.kind, s.path) for s in used], non_commercial=config.non_commercial)
    first = getattr(rank_zero_only, "rank", 0) == 0  # the other processes of one run share its folder
    with only_process(out / LOCK, "is training here") if first else contextlib.nullcontext():
        hardware = {"accelerator": accelerator, "devices": devices, "num_nodes": nodes, "strategy": strategy}
        return _train(config, roots, out, hardware, threads, progress, init, callbacks)


def _train(
    config: TrainConfig,
    roots: Sequence[Path],
    out: Path,
    hardware: dict[str, Any],
    threads: int,
    progress: bool,
    init: Path | None,
    callbacks: Sequence[Callback],
) -> Path:
    """Train as train() does, in a folder that is this run's own. hardware: for Lightning's trainer."""
    lightning.seed_everything(config.seed, verbose=False)
    if threads > 0:
        torch.set_num_threads(threads)
    future_time_s = np.array(config.model.time_s)
    cache = out / "cache"
    requirements = config.model.requirements
    parts = load_parts(config.train, roots, future_time_s, requirements, cache)
    source_windows, train_set = [len(part) for part in parts], joined(parts)
    del parts  # as large as train_set
    validation_set = load_training_set(config.validation, roots, future_time_s, requirements, cache)
    devices = hardware["devices"]
    ranks = (devices if isinstance(devices, int) else 1) * int(hardware["num_nodes"])
    epochs = config.optimizer.epochs
    steps = epochs * len(Batches(train_set, config.optimizer.batch, ranks=max(ranks, 1)))
    learner = Learner(config, len(train_set), steps)
    log.info("%d windows, %d parameters, %d steps", len(train_set), learner.model.parameter_count, steps)
    last = out / LAST
    if last.is_file():
        require_same_run(read_checkpoint(last), config, last)
    elif init is not None:
        start_from(learner.model, init)
    keep = ModelCheckpoint(dirpath=out, filename="last", save_top_k=1, every_n_epochs=1, enable_version_counter=False)
    averages: list[Callback] = []
    if config.optimizer.average > 0:
        averages.append(EMAWeightAveraging(decay=config.optimizer.average))
    bars: list[Callback] = [TQDMProgressBar(refresh_rate=20)] if progress else []
    trainer = lightning.Trainer(
        **hardware,
        max_epochs=epochs,
        gradient_clip_val=config.optimizer.gradient_clip,
        logger=TensorBoardLogger(str(out), name="tensorboard", version=""),
        callbacks=[*averages, keep, *bars, *callbacks],
        plugins=[WholeFiles()],
        enable_progress_bar=progress,
        enable_model_summary=False,
        reload_dataloaders_every_n_epochs=1,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        deterministic="warn",
        log_every_n_steps=20,
    )
    data = WindowsDataModule(config, train_set, validation_set)
    trainer.fit(learner, data, ckpt_path=str(last) if last.is_file() else None)
    if trainer.is_global_zero and trainer.current_epoch >= epochs:
        _finish(last, validation_set, training_domain(train_set, config, source_windows))
    return last


def _finish(path: Path, validation: TrainingSet, domain: Domain) -> None:
    """Put into a finished run's checkpoint its domain and the calibration of its model, fitted on validation data."""
    model, _, _ = checkpoint_model(path)
    calibrate(model, Batches(validation, 512))
    stored = read_checkpoint(path)
    stored["state_dict"].update({"model.spread": model.spread, "model.sharpness": model.sharpness})
    stored["trajnet"]["domain"] = configs.to_dict(domain)
    save_whole(stored, path)
