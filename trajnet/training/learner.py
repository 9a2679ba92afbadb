"""The model with its loss, its optimiser and its batches, as Lightning wants them."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import lightning
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from trajnet import config as configs
from trajnet.revision import git_revision
from trajnet.training.batches import Batch, Batches
from trajnet.training.checkpoint import CHECKPOINT_VERSION
from trajnet.training.config import TrainConfig
from trajnet.training.loss import displacement, mean_over_knots, winner_takes_all
from trajnet.training.model import TrajectoryModel
from trajnet.training.run_state import RunState
from trajnet.training.teachers import Teachers, taught
from trajnet.training.tensors import ContextTensors, PathTensors
from trajnet.training.training_set import WindowSource
from trajnet.training.window_store import DataWorkers


class Learner(lightning.LightningModule):
    """The model with its loss and its optimiser, as Lightning wants it."""

    def __init__(self, config: TrainConfig, windows: int, steps: int, run: RunState | None = None) -> None:
        """Make a new model. steps: of the run's present cycle. run: by default one of the configuration's epochs."""
        super().__init__()
        self.config = config
        self.model = TrajectoryModel(config.model)
        #: The run so far; whoever finds a better epoch replaces it.
        self.run = run or RunState((config.optimizer.epochs,))
        #: None without any; no module of this one, so that neither checkpoints nor the optimiser know them.
        self._teachers = (
            Teachers.load(config.teachers, config.model, non_commercial=config.non_commercial)
            if config.teachers
            else None
        )
        self._windows = windows
        self._steps = steps
        self._began = time.monotonic()
        self._train_sums: dict[str, Tensor] = {}
        self._train_batches = 0

    @property
    def epoch(self) -> int:
        """The epoch it is in, from 0, over all cycles of the run."""
        return self.run.before + int(self.current_epoch)

    @property
    def steps_before(self) -> int:
        """Steps of the cycles before the present one."""
        return self.run.before * (self._steps // self.run.cycles[-1])

    def train_means(self) -> dict[str, float]:
        """Return the means over this epoch's batches so far, of the loss and its terms (of this process)."""
        return {name: float(value) / self._train_batches for name, value in self._train_sums.items()}

    def on_train_epoch_start(self) -> None:
        self._train_sums, self._train_batches = {}, 0

    def training_step(self, batch: Batch, index: int) -> Tensor:
        # What dropout draws depends on the batch alone, or a resumed run would not go on as an unbroken one.
        entropy = np.random.SeedSequence([self.config.seed, self.epoch, self.global_rank, index])
        torch.manual_seed(int(entropy.generate_state(1, np.uint64)[0] >> np.uint64(1)))
        paths = self.model(batch.history, batch.length, batch.surroundings)
        loss, terms = self._loss(paths, batch)
        if self._teachers is not None:
            config = self.config
            # Half of the windows, where mirror images are windows too: over the epochs, both answers to each.
            mirror = torch.rand(len(batch.length)).to(batch.length.device) < 0.5 * config.augment.mirror
            blind = torch.rand(len(batch.length)).to(batch.length.device) < config.loss.taught_blind
            futures = self._teachers.futures(batch, mirror, blind, config.loss.taught_spread)
            regression, classification = taught(paths, futures, config.model.set_sizes, config.loss.set_weights)
            loss = loss + config.loss.taught * (regression + config.loss.classification * classification)
            terms = {**terms, "taught_ade_m": regression, "taught_classification": classification}
        self.log("train/loss", loss, prog_bar=True)
        self.log_dict({f"train/{name}": value for name, value in terms.items()})
        for name, value in {"loss": loss, **terms}.items():
            self._train_sums[name] = self._train_sums.get(name, 0.0) + value.detach().double()
        self._train_batches += 1
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
        seconds = self.run.seconds_before + time.monotonic() - self._began
        checkpoint["trajnet"] = {
            "version": CHECKPOINT_VERSION,
            "config": configs.to_dict(self.config),
            "git_revision": git_revision(),
            "windows": self._windows,
            **replace(self.run, done=self.epoch + 1, seconds_before=seconds).to_dict(),
        }


class WindowsDataModule(lightning.LightningDataModule):
    """Hands Lightning the batches of the epoch that it is in."""

    def __init__(
        self,
        config: TrainConfig,
        train: WindowSource,
        validation: WindowSource,
        before: int = 0,
        workers: DataWorkers = DataWorkers(),
    ) -> None:
        """Take the windows of both. before: epochs of earlier cycles of the run, which had other batches."""
        super().__init__()
        self._workers = workers
        self._before = before
        self._config, self._train, self._validation = config, train, validation

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
                epoch=self._before + trainer.current_epoch, rank=trainer.global_rank, ranks=trainer.world_size,
            )
        )  # fmt: skip

    def val_dataloader(self) -> DataLoader[Batch]:
        return self._loader(Batches(self._validation, 512))


def min_ade(paths: PathTensors, future_m: Tensor, valid: Tensor, top: int) -> Tensor:
    """Mean over the objects of the least ADE among the most probable ``top`` modes, over recorded knots."""
    ade = mean_over_knots(displacement(paths, future_m), valid).t()
    best = paths.logits.topk(top, dim=1).indices
    return ade.gather(1, best).min(dim=1).values.mean()
