"""What a run is besides its weights: its cycles, how far it is, its best epoch, and where its weights came from.

The learning rate rises and falls once in a cycle, and its shape depends on the number of epochs, so a cycle cannot be
made longer. A finished run that is asked for more epochs begins another cycle from its weights (a warm restart:
Loshchilov and Hutter 2017), and its checkpoints say so.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from trajnet import config as configs
from trajnet.errors import InputError
from trajnet.training.config import TrainConfig


@dataclass(frozen=True)
class Best:
    """The epoch (from 1, over all cycles) with the lowest validation loss."""

    epoch: int
    loss: float


@dataclass(frozen=True)
class RunState:
    """A run as its checkpoint tells it.

    cycles: epochs of each cycle, the last of them the present one. done: epochs that are done, over all cycles.
    seconds_before: of training, in processes before this one. init: checkpoint whose weights it began with, or empty.
    """

    cycles: tuple[int, ...]
    done: int = 0
    seconds_before: float = 0.0
    best: Best | None = None
    init: str = ""

    @property
    def epochs(self) -> int:
        """All epochs, of all cycles."""
        return sum(self.cycles)

    @property
    def before(self) -> int:
        """Epochs of the cycles before the present one."""
        return sum(self.cycles[:-1])

    @property
    def finished(self) -> bool:
        """Whether nothing is left to train."""
        return self.done >= self.epochs

    def to_dict(self) -> dict[str, Any]:
        """Return what a checkpoint stores of it."""
        return {
            "cycles": list(self.cycles),
            "epochs_done": self.done,
            "duration_s": self.seconds_before,
            "best": None if self.best is None else {"epoch": self.best.epoch, "loss": self.best.loss},
            "init": self.init,
        }

    @classmethod
    def of(cls, about: dict[str, Any]) -> RunState:
        """Return the state that a checkpoint's ``trajnet`` entry stores; older ones lack cycles, best and init."""
        best = about.get("best")
        return cls(
            cycles=tuple(about.get("cycles") or (about["config"]["optimizer"]["epochs"],)),
            done=int(about["epochs_done"]),
            seconds_before=float(about["duration_s"]),
            best=None if best is None else Best(int(best["epoch"]), float(best["loss"])),
            init=str(about.get("init", "")),
        )


def continued_run(about: dict[str, Any], config: TrainConfig, path: Path) -> RunState:
    """Return the run of this checkpoint as the configuration continues it, with another cycle where it wants more.

    about: the checkpoint's ``trajnet`` entry, path: its file, for errors. Raises InputError for a configuration that
    differs in anything but a number of epochs beyond a finished run's.
    """
    state, wanted = RunState.of(about), config.optimizer.epochs
    # Keys that a checkpoint of before lacks have their defaults.
    stored = configs.from_dict(TrainConfig, about["config"], str(path))
    stored = replace(stored, optimizer=replace(stored.optimizer, epochs=wanted))
    before, now = configs.to_dict(stored), configs.to_dict(config)
    changed = sorted(k for k in now if now[k] != before.get(k))
    if changed:
        raise InputError(
            f"{path}: is of another run ({', '.join(changed)} differ); "
            "give another --out, or the same configuration to resume"
        )
    if wanted == state.epochs:
        return state
    other = f"or start another run from its weights with --init {path} and another --out"
    if not state.finished:
        raise InputError(
            f"{path}: has {state.done} of {state.epochs} epochs, and their learning rate depends on that number; "
            f"got {wanted}; finish it with --epochs {state.epochs} and ask for more then, {other}"
        )
    if wanted < state.epochs:
        raise InputError(
            f"{path}: has {state.epochs} epochs already, got {wanted}; ask for more to train on, name --epochs "
            f"{state.epochs} to leave it as it is, {other}"
        )
    return replace(state, cycles=(*state.cycles, wanted - state.epochs))


def start_name(path: Path) -> str:
    """Return what a run stores of the checkpoint that it begins with: its file's name and the content's hash."""
    return f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()[:16]}"


def require_same_start(about: dict[str, Any], init: Path | None, path: Path) -> None:
    """Raise InputError where a run that goes on is given other weights to begin with than it had."""
    if init is None or "init" not in about or about["init"] == start_name(init):
        return
    raise InputError(
        f"{path}: is of another run (it began with {about['init'] or 'new weights'}, got {start_name(init)}); "
        "give another --out, or no --init to resume"
    )
