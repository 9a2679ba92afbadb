"""The trainer: seeded, resumable after a kill with the same result, on one device or on many."""

from __future__ import annotations

import contextlib
import io
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging, ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.plugins.io import TorchCheckpointIO
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor
from torch.utils.data import DataLoader

from trajnet import config as configs
from trajnet.datasets.registry import require_trainable
from trajnet.engine import executor_for
from trajnet.errors import ContractError, InputError
from trajnet.inference.domain import Domain
from trajnet.revision import git_revision
from trajnet.training.config import TrainConfig
from trajnet.training.data import Batch, Batches, WindowSource
from trajnet.training.domain import training_domain
from trajnet.training.fit_calibration import calibrate
from trajnet.training.loss import displacement, mean_over_knots, winner_takes_all
from trajnet.training.model import ContextTensors, PathTensors, TrajectoryModel
from trajnet.training.window_store import stored_windows
from trajnet.whole_file import only_process, whole_file

log = logging.getLogger(__name__)

#: Raised when a checkpoint written before can no longer be read.
CHECKPOINT_VERSION = 4
LAST = "last.ckpt"
#: Folder of the windows, in shards.
WINDOWS = "windows"
#: Entries of a checkpoint's weights that are fitted after training.
CALIBRATION = ("spread", "sharpness")
#: Held while a run writes into its folder; the kernel frees it when the process ends, even by kill -9.
LOCK = ".training.lock"


@dataclass(frozen=True)
class DataWorkers:
    """Who makes the data. Neither windows nor batches depend on it.

    jobs: processes that build the windows; ray: address of a Ray cluster that builds them instead (see executor_for).
    count: processes that read and augment batches while the model is trained; 0 does it in between.
    """

    jobs: int = 1
    ray: str | None = None
    count: int = 0

    def __post_init__(self) -> None:
        if self.count < 0:
            raise InputError(f"workers: expected at least 0, got {self.count}")


class WholeFiles(TorchCheckpointIO):
    """Writes checkpoints beside their place and renames them; Lightning's own way may copy from another disk."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write the checkpoint whole or not at all. Raises InputError if it cannot be written."""
        del storage_options  # of remote file systems
        save_whole(checkpoint, Path(path))


def save_whole(values: dict[str, Any], path: Path) -> None:
    """Save values as torch does, whole or not at all. Raises InputError if the file cannot be written."""
    memory = io.BytesIO()  # on a full disk torch raises RuntimeErrors without the reason
    torch.save(values, memory)
    with whole_file(path) as part:
        part.write_bytes(memory.getbuffer())


class Learner(lightning.LightningModule):
    """The model with its loss and its optimiser, as Lightning wants it."""

    def __init__(self, config: TrainConfig, windows: int, steps: int) -> None:
        super().__init__()
        self.config = config
        self.model = TrajectoryModel(config.model)
        self._windows = windows
        self._steps = steps
        self._seconds_before = 0.0
        self._began = time.monotonic()

    def training_step(self, batch: Batch, index: int) -> Tensor:
        # What dropout draws depends on the batch alone, or a resumed run would not go on as an unbroken one.
        entropy = np.random.SeedSequence([self.config.seed, self.current_epoch, self.global_rank, index])
        torch.manual_seed(int(entropy.generate_state(1, np.uint64)[0] >> np.uint64(1)))
        paths = self.model(batch.history, batch.length, batch.surroundings)
        loss, terms = self._loss(paths, batch)
        self.log("train/loss", loss, prog_bar=True)
        self.log_dict({f"train/{name}": value for name, value in terms.items()})
        return loss

    def validation_step(self, batch: Batch, index: int) -> None:
        paths = self.model(batch.history, batch.length, batch.surroundings)
        count = batch.length.shape[0]
        loss, terms = self._loss(paths, batch)
        self.log("validation/loss", loss, batch_size=count, sync_dist=True)
        for top in sorted({1, min(5, self.config.model.modes), *self.config.model.set_sizes}):
            value = min_ade(paths, batch.future_m, batch.valid, top)
            self.log(f"validation/minADE_{top}", value, batch_size=count, prog_bar=True, sync_dist=True)
        self.log("validation/nll", terms["nll"], batch_size=count, sync_dist=True)

    def _loss(self, paths: PathTensors, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        return winner_takes_all(paths, batch.future_m, batch.valid, self.config.loss, self.config.model.set_sizes)

    def configure_optimizers(self) -> Any:
        chosen = self.config.optimizer
        decayed = [p for p in self.parameters() if p.dim() > 1]
        plain = [p for p in self.parameters() if p.dim() <= 1]
        groups = [{"params": decayed, "weight_decay": chosen.weight_decay}, {"params": plain, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, lr=chosen.learning_rate)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, chosen.learning_rate, total_steps=self._steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        surroundings = ContextTensors(*(t.to(device) for t in batch.surroundings))
        history, length, future_m = (t.to(device) for t in (batch.history, batch.length, batch.future_m))
        return Batch(history, length, surroundings, future_m, batch.valid.to(device))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["trajnet"] = {
            "version": CHECKPOINT_VERSION,
            "config": configs.to_dict(self.config),
            "git_revision": git_revision(),
            "windows": self._windows,
            "duration_s": self._seconds_before + time.monotonic() - self._began,
            "epochs_done": int(self.current_epoch) + 1,
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self._seconds_before = float(checkpoint["trajnet"]["duration_s"])


class WindowsDataModule(lightning.LightningDataModule):
    """Hands Lightning the batches of the epoch that it is in."""

    def __init__(
        self, config: TrainConfig, train: WindowSource, validation: WindowSource, workers: DataWorkers
    ) -> None:
        super().__init__()
        self._config, self._train, self._validation, self._workers = config, train, validation, workers

    def _loader(self, batches: Batches) -> DataLoader[Batch]:
        count = self._workers.count
        # Ray's threads, half-way copied by a fork, would stop a worker for good.
        start = "spawn" if count and self._workers.ray is not None else None
        return DataLoader(batches, batch_size=None, shuffle=False, num_workers=count, multiprocessing_context=start)

    def train_dataloader(self) -> DataLoader[Batch]:
        trainer, config = self.trainer, self._config
        assert trainer is not None  # Lightning calls this with a trainer attached
        return self._loader(
            Batches(
                self._train, config.optimizer.batch, augment=config.augment, seed=config.seed,
                epoch=trainer.current_epoch, rank=trainer.global_rank, ranks=trainer.world_size,
            )
        )  # fmt: skip

    def val_dataloader(self) -> DataLoader[Batch]:
        return self._loader(Batches(self._validation, 512))


def min_ade(paths: PathTensors, future_m: Tensor, valid: Tensor, top: int) -> Tensor:
    """Mean over the objects of the least ADE among the most probable ``top`` modes, over recorded knots."""
    ade = mean_over_knots(displacement(paths, future_m), valid).t()
    best = paths.logits.topk(top, dim=1).indices
    return ade.gather(1, best).min(dim=1).values.mean()


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
    workers: DataWorkers = DataWorkers(),
) -> Path:
    """Train to the end and return the last checkpoint. A run that was killed goes on from out/last.ckpt.

    roots: data folders. accelerator, devices, nodes, strategy: Lightning's own (``ddp`` for several devices).
    threads: CPU threads of torch; 0 leaves its own choice. init: checkpoint whose weights a new run starts from; a run
    that goes on has its own. workers: who makes the data.
    Raises TrajnetError for data or a checkpoint that does not fit, and where another process trains in ``out``.
    """
    used = (*config.train, *config.validation)  # the calibration in the model file is fitted on the latter
    require_trainable([(s.kind, s.path) for s in used], non_commercial=config.non_commercial)
    first = getattr(rank_zero_only, "rank", 0) == 0  # the other processes of one run share its folder
    with only_process(out / LOCK, "is training here") if first else contextlib.nullcontext():
        hardware = {"accelerator": accelerator, "devices": devices, "num_nodes": nodes, "strategy": strategy}
        return _train(config, roots, out, hardware, threads, progress, init, callbacks, workers)


def _train(
    config: TrainConfig,
    roots: Sequence[Path],
    out: Path,
    hardware: dict[str, Any],
    threads: int,
    progress: bool,
    init: Path | None,
    callbacks: Sequence[Callback],
    workers: DataWorkers,
) -> Path:
    """Train as train() does, in a folder that is this run's own. hardware: for Lightning's trainer."""
    lightning.seed_everything(config.seed, verbose=False)
    if threads > 0:
        torch.set_num_threads(threads)
    future_time_s = np.array(config.model.time_s)
    executor = executor_for(workers.jobs, workers.ray)
    train_set, validation_set = (
        stored_windows(sources, roots, future_time_s, config.model.requirements, out / WINDOWS, executor=executor)
        for sources in (config.train, config.validation)
    )
    devices = hardware["devices"]
    ranks = (devices if isinstance(devices, int) else 1) * int(hardware["num_nodes"])
    epochs = config.optimizer.epochs
    steps = epochs * len(Batches(train_set, config.optimizer.batch, ranks=max(ranks, 1)))
    learner = Learner(config, len(train_set), steps)
    log.info("%d windows, %d parameters, %d steps", len(train_set), learner.model.parameter_count, steps)
    last = out / LAST
    if last.is_file():
        _require_same_run(read_checkpoint(last), config, last)
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
    data = WindowsDataModule(config, train_set, validation_set, workers)
    trainer.fit(learner, data, ckpt_path=str(last) if last.is_file() else None)
    if trainer.is_global_zero and trainer.current_epoch >= epochs:
        domain = training_domain(train_set.chunks(), config, train_set.source_windows)
        _finish(last, validation_set, domain)
    return last


def _finish(path: Path, validation: WindowSource, domain: Domain) -> None:
    """Put into a finished run's checkpoint its domain and the calibration of its model, fitted on validation data."""
    model, _, _ = checkpoint_model(path)
    calibrate(model, Batches(validation, 512))
    stored = read_checkpoint(path)
    stored["state_dict"].update({"model.spread": model.spread, "model.sharpness": model.sharpness})
    stored["trajnet"]["domain"] = configs.to_dict(domain)
    save_whole(stored, path)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint of this program into a dictionary on the CPU. Raises ContractError for anything else."""
    if not path.is_file():
        raise ContractError(f"{path}: expected a checkpoint written by `trajnet train`, got no such file")
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises a dozen types for a file that is none of its own
        raise ContractError(
            f"{path}: expected a checkpoint written by `trajnet train`, got: {type(error).__name__}"
        ) from error
    about = stored.get("trajnet") if isinstance(stored, dict) else None
    if not isinstance(about, dict):
        raise ContractError(f"{path}: expected a checkpoint written by `trajnet train`, got one of another program")
    if about.get("version") != CHECKPOINT_VERSION:
        raise ContractError(
            f"{path}: checkpoint version: this trajnet reads {CHECKPOINT_VERSION}, got {about.get('version')!r}; "
            "train again"
        )
    weights = stored.get("state_dict")
    if not isinstance(weights, dict) or not all(isinstance(name, str) for name in weights):
        raise ContractError(f"{path}: expected a checkpoint with weights by name under 'state_dict', got none")
    return dict(stored)


def checkpoint_model(path: Path) -> tuple[TrajectoryModel, TrainConfig, dict[str, Any]]:
    """Return the trained model in evaluation mode, its configuration, and what the checkpoint says of the run."""
    stored = read_checkpoint(path)
    about = stored["trajnet"]
    config = configs.from_dict(TrainConfig, about.get("config"), str(path))
    model = TrajectoryModel(config.model)
    weights = {k.removeprefix("model."): v for k, v in stored["state_dict"].items()}
    try:
        model.load_state_dict(weights)
    except (RuntimeError, AttributeError, TypeError) as error:  # the last two for weights that are no tensors
        raise ContractError(
            f"{path}: its weights do not fit this version's model: {' '.join(str(error).split())}"
        ) from error
    return model.eval(), config, about


def start_from(model: TrajectoryModel, path: Path) -> None:
    """Give the model the weights of a checkpoint, without its calibration.

    Raises ContractError for a checkpoint of a network of other sizes.
    """
    trained, _, _ = checkpoint_model(path)
    weights = {name: value for name, value in trained.state_dict().items() if name not in CALIBRATION}
    try:
        missing, unexpected = model.load_state_dict(weights, strict=False)
    except RuntimeError as error:
        raise ContractError(f"{path}: its model has other sizes: {' '.join(str(error).split())}") from error
    if unexpected or set(missing) - set(CALIBRATION):
        names = sorted({*unexpected, *missing} - set(CALIBRATION))
        raise ContractError(f"{path}: its model has other parts than the configuration's: {', '.join(names)}")


def _require_same_run(stored: dict[str, Any], config: TrainConfig, path: Path) -> None:
    # Keys that a checkpoint of before lacks have their defaults.
    before = configs.to_dict(configs.from_dict(TrainConfig, stored["trajnet"]["config"], str(path)))
    now = configs.to_dict(config)
    changed = sorted(k for k in now if now[k] != before.get(k))
    if changed:
        raise InputError(
            f"{path}: is of another run ({', '.join(changed)} differ); "
            "give another --out, or the same configuration to resume"
        )
