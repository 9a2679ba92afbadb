"""The trainer: seeded, resumable after a kill with the same result, on one device or on many."""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging, ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

from trajnet.datasets.registry import require_trainable
from trajnet.engine import executor_for
from trajnet.training.batches import Batches
from trajnet.training.checkpoint import WholeFiles, read_checkpoint, start_from
from trajnet.training.config import SourceConfig, TrainConfig
from trajnet.training.domain import training_domain
from trajnet.training.epoch_records import EpochRecords, KeepBest
from trajnet.training.finish import Report, finish, is_finished
from trajnet.training.learner import Learner, WindowsDataModule
from trajnet.training.model import TrajectoryModel
from trajnet.training.run_files import BEST, LAST, LOCK, METRICS, WINDOWS, keep_configuration
from trajnet.training.run_state import RunState, continued_run, require_same_start, start_name
from trajnet.training.window_store import DataWorkers, StoredWindows, stored_windows
from trajnet.whole_file import only_process

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Way:
    """How a run is carried out; none of it changes the configuration. See train()."""

    hardware: dict[str, Any]
    threads: int
    progress: bool
    init: Path | None
    given: str
    report: Report
    callbacks: Sequence[Callback]
    workers: DataWorkers


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
    given: str = "",
    report: Report = lambda what, done, total: None,
    callbacks: Sequence[Callback] = (),
    workers: DataWorkers = DataWorkers(),
) -> Path:
    """Train to the end and return the last checkpoint. A run that was killed goes on from out/last.ckpt.

    A finished run stays as it is; with more epochs in its configuration it goes on with another cycle of the learning
    rate from its weights (see trajnet.training.run_state). out/best.ckpt is the epoch with the lowest validation loss.

    roots: data folders. accelerator, devices, nodes, strategy: Lightning's own (``ddp`` for several devices).
    threads: CPU threads of torch; 0 leaves its own choice. progress: a bar on standard output instead of a line of the
    log for each epoch. init: checkpoint whose weights a new run starts from; a run that goes on has its own.
    given: the configuration as its author wrote it, kept beside the run. report: called while windows are built and
    the model is calibrated. workers: who makes the data.
    Raises TrajnetError for data or a checkpoint that does not fit, and where another process trains in ``out``;
    KeyboardInterrupt on Ctrl-C.
    """
    used = (*config.train, *config.validation)  # the calibration in the model file is fitted on the latter
    require_trainable([(s.kind, s.path) for s in used], non_commercial=config.non_commercial)
    first = getattr(rank_zero_only, "rank", 0) == 0  # the other processes of one run share its folder
    hardware = {"accelerator": accelerator, "devices": devices, "num_nodes": nodes, "strategy": strategy}
    way = _Way(hardware, threads, progress, init, given, report, callbacks, workers)
    with only_process(out / LOCK, "is training here") if first else contextlib.nullcontext():
        return _train(config, roots, out, way, first=first)


def _train(config: TrainConfig, roots: Sequence[Path], out: Path, way: _Way, *, first: bool) -> Path:
    """Train as train() does, in a folder that is this run's own. first: whether this process writes its files."""
    lightning.seed_everything(config.seed, verbose=False)
    if way.threads > 0:
        torch.set_num_threads(way.threads)
    last = out / LAST
    run = _run(config, last, way.init)
    if run.finished and is_finished(out):
        log.info("%s has its %d epochs; --epochs with a larger number trains on", last, run.epochs)
        return last
    if first:
        keep_configuration(out, config, way.given)
    train_set, validation = _windows(config, roots, out / WINDOWS, way)
    devices = way.hardware["devices"]
    ranks = (devices if isinstance(devices, int) else 1) * int(way.hardware["num_nodes"])
    steps = run.cycles[-1] * len(Batches(train_set, config.optimizer.batch, ranks=max(ranks, 1)))
    learner = Learner(config, len(train_set), steps, run)
    log.info("%d windows, %d parameters, %d steps", len(train_set), learner.model.parameter_count, steps)
    resumes = run.done > run.before
    if not resumes and run.before:
        log.info("%d epochs are done; a new cycle of %d begins from their weights", run.before, run.cycles[-1])
        start_from(learner.model, last)
    elif not resumes and way.init is not None:
        start_from(learner.model, way.init, non_commercial=config.non_commercial)
    trainer = _trainer(config, out, learner, way)
    with _interruptible():
        data = WindowsDataModule(config, train_set, validation, run.before, way.workers)
        trainer.fit(learner, data, ckpt_path=str(last) if resumes else None)
    if trainer.is_global_zero and trainer.current_epoch >= run.cycles[-1]:
        domain = training_domain(train_set.chunks(), config, train_set.source_windows)
        finish(out, validation, domain, way.report)
    return last


def _run(config: TrainConfig, last: Path, init: Path | None) -> RunState:
    """Return the run of the last checkpoint as it goes on, or a new one.

    Raises InputError where it does not fit, ContractError for weights that a new one cannot start from.
    """
    if last.is_file():
        about = read_checkpoint(last)["trajnet"]
        require_same_start(about, init, last)
        return continued_run(about, config, last)
    if init is not None:  # before windows are built, which takes long
        with torch.random.fork_rng(devices=()):
            start_from(TrajectoryModel(config.model), init, non_commercial=config.non_commercial)
    return RunState((config.optimizer.epochs,), init="" if init is None else start_name(init))


def _windows(
    config: TrainConfig, roots: Sequence[Path], folder: Path, way: _Way
) -> tuple[StoredWindows, StoredWindows]:
    """Return the windows of training and of validation, built in the folder where they are not there yet."""
    knots_s, requirements = np.array(config.model.time_s), config.model.requirements
    executor = executor_for(way.workers.jobs, way.workers.ray)

    def of(sources: Sequence[SourceConfig], what: str) -> StoredWindows:
        def progress(done: int, total: int) -> None:
            way.report(f"windows of {what}, groups of files", done, total)

        return stored_windows(
            sources, roots, knots_s, requirements, folder,
            executor=executor, progress=progress, shared=way.workers.shared,
        )  # fmt: skip

    return of(config.train, "training"), of(config.validation, "validation")


def _trainer(config: TrainConfig, out: Path, learner: Learner, way: _Way) -> lightning.Trainer:
    """Return Lightning's trainer of the present cycle."""
    averages: list[Callback] = []
    if config.optimizer.average > 0:
        averages.append(EMAWeightAveraging(decay=config.optimizer.average))
    bars: list[Callback] = [TQDMProgressBar(refresh_rate=20)] if way.progress else []
    records = [KeepBest(out / BEST, learner), EpochRecords(out / METRICS, learner, logs=not way.progress)]
    keep = ModelCheckpoint(dirpath=out, filename="last", save_top_k=1, every_n_epochs=1, enable_version_counter=False)
    run = learner.run
    cycle = len(run.cycles)
    return lightning.Trainer(
        **way.hardware,
        max_epochs=run.cycles[-1],
        gradient_clip_val=config.optimizer.gradient_clip,
        logger=TensorBoardLogger(str(out), name="tensorboard", version="" if cycle == 1 else f"cycle_{cycle}"),
        callbacks=[*averages, *records, keep, *bars, *way.callbacks],
        plugins=[WholeFiles()],
        enable_progress_bar=way.progress,
        enable_model_summary=False,
        reload_dataloaders_every_n_epochs=1,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        deterministic="warn",
        log_every_n_steps=20,
    )


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C end the block as KeyboardInterrupt; Lightning makes SystemExit of it and ignores the next ones."""
    try:
        yield
    except SystemExit as stop:
        if not isinstance(stop.__context__, KeyboardInterrupt):
            raise
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, signal.default_int_handler)
        raise KeyboardInterrupt from None
