"""trajnet train: from recorded scenes to a checkpoint."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trajnet.cli.files import require_unread
from trajnet.cli.own import MapFile
from trajnet.cli.workers import Jobs, RayAddress
from trajnet.datasets.scenes import SCENES
from trajnet.errors import ConfigError
from trajnet.scenes.rows import require_file

if TYPE_CHECKING:
    from trajnet.training.config import SourceConfig, TrainConfig


def train(
    config: Annotated[Path, typer.Option(metavar="FILE", help="What to train: see configs/*.yaml.")],
    data: Annotated[
        list[Path],
        typer.Option(envvar="TRAJNET_DATA", help="Folder with the data sets that FILE names; repeat for several."),
    ],
    out: Annotated[
        Path,
        typer.Option(metavar="DIR", help="For last.ckpt, best.ckpt, metrics.csv, the configuration, logs and windows."),
    ],
    epochs: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Instead of the configuration's. More than a finished run has: it goes on with another cycle of the "
            "learning rate.",
        ),
    ] = None,
    init: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="Start from these weights (fine-tuning): urban, nuscenes, universal (bundled) or a checkpoint.",
        ),
    ] = None,
    map_file: MapFile = None,
    accelerator: Annotated[str, typer.Option(help="auto, cpu or gpu.")] = "auto",
    devices: Annotated[int, typer.Option(help="Devices on each machine.")] = 1,
    nodes: Annotated[int, typer.Option(help="Machines; start the same command on each with torchrun's variables.")] = 1,
    strategy: Annotated[str, typer.Option(help="Lightning's strategy: auto, ddp, ...")] = "auto",
    threads: Annotated[int, typer.Option(help="CPU threads of torch; 0 leaves torch's own choice.")] = 0,
    progress: Annotated[
        bool, typer.Option(help="Show bars on a terminal; without, and elsewhere, a line for each epoch.")
    ] = True,
    jobs: Jobs = 0,
    ray: RayAddress = None,
    workers: Annotated[
        int, typer.Option(help="Processes that read and augment batches meanwhile. The result does not depend on it.")
    ] = 0,
    windows: Annotated[
        str,
        typer.Option(
            metavar="FOLDER",
            help="Folder or URL of finished windows that several runs or machines share: taken from there where they "
            "are, given there where they are built.",
        ),
    ] = "",
) -> None:
    """Train a model. Killed at any moment, the same command goes on from the last epoch with the same result.

        trajnet train --config configs/nuscenes.yaml --data ../data --out out/nuscenes

    From the weights of a shipped model, on recordings of your own:

        trajnet train --config configs/finetune.yaml --data ../data --init urban --out out/tuned

    Watch it with `tensorboard --logdir out/nuscenes`; then `trajnet export out/nuscenes/best.ckpt --out MODEL.onnx`.
    """
    from trajnet.cli.logs import show_warnings
    from trajnet.cli.progress import progress_items
    from trajnet.cli.terminal import Console
    from trajnet.config import load_yaml
    from trajnet.timing.hardware import usable_cores
    from trajnet.training.config import TrainConfig
    from trajnet.training.run_files import BEST, LAST
    from trajnet.training.train import train as run
    from trajnet.training.window_store import DataWorkers

    show_warnings()
    start = None if init is None else checkpoint_file(init)
    require_unread([("out", out / name) for name in (LAST, BEST)], [start])
    loaded = with_map(with_epochs(load_yaml(TrainConfig, config), epochs), map_file)
    console = Console(stderr=True)
    with progress_items(console) as report:
        try:
            checkpoint = run(
                loaded, data, out, accelerator=accelerator, devices=devices, nodes=nodes, strategy=strategy,
                threads=threads, progress=progress and sys.stdout.isatty(), init=start,
                given=config.read_text(encoding="utf-8"), report=report,
                workers=DataWorkers(jobs or (usable_cores() if ray is None else 0), ray, workers, windows),
            )  # fmt: skip
        except KeyboardInterrupt:
            raise KeyboardInterrupt(how_to_go_on(out, loaded.optimizer.epochs)) from None
    print(what_is_there(checkpoint, loaded.name))


def what_is_there(last: Path, name: str) -> str:
    """Return which checkpoints a finished run has left, and what to do next."""
    from trajnet.training.checkpoint import read_checkpoint
    from trajnet.training.run_files import BEST
    from trajnet.training.run_state import RunState

    best, run = last.parent / BEST, RunState.of(read_checkpoint(last)["trajnet"])
    lines = [f"checkpoint {last} (epoch {run.done})"]
    if run.best is not None and best.is_file():
        lines.append(f"checkpoint {best} (epoch {run.best.epoch}, the lowest validation loss)")
        last = best
    return "\n".join([*lines, f"next: trajnet export {last} --out {name}.onnx"])


def checkpoint_file(name: str) -> Path:
    """Return the checkpoint of a bundled model by its name, or the file of this path. Raises ConfigError for others."""
    from trajnet.models import checkpoint_named, checkpoint_names

    path = checkpoint_named(name) or Path(name)
    if path.suffix == ".onnx" or not path.is_file():
        got = "a model file, which has no weights to train on" if path.suffix == ".onnx" else "no such file"
        raise ConfigError(
            f"init: expected {' or '.join(checkpoint_names())}, the bundled models with a checkpoint, or the path of a "
            f"checkpoint (last.ckpt, best.ckpt), got {name!r}: {got}"
        )
    return path


def with_epochs(config: TrainConfig, epochs: int | None) -> TrainConfig:
    """Return the configuration with this number of epochs; None leaves its own. Raises ConfigError for none at all."""
    if epochs is None:
        return config
    return dataclasses.replace(config, optimizer=dataclasses.replace(config.optimizer, epochs=epochs))


def with_map(config: TrainConfig, map_file: Path | None) -> TrainConfig:
    """Return the configuration with this map for its sources of kind scenes that name none; None leaves it.

    Raises InputError for a file that is not there, ConfigError where no source takes it.
    """
    if map_file is None:
        return config
    require_file(map_file)

    def mapped(sources: tuple[SourceConfig, ...]) -> tuple[SourceConfig, ...]:
        path = str(map_file.resolve())
        takes = [source.kind == SCENES.name and not (source.map or source.without_map) for source in sources]
        return tuple(dataclasses.replace(s, map=path) if t else s for s, t in zip(sources, takes, strict=True))

    changed = dataclasses.replace(config, train=mapped(config.train), validation=mapped(config.validation))
    if changed == config:
        raise ConfigError("map: expected a source of kind scenes without a map of its own to take it, got none")
    return changed


def how_to_go_on(out: Path, epochs: int) -> str:
    """Return what an interrupted training has and how it is continued."""
    from trajnet.training.checkpoint import read_checkpoint
    from trajnet.training.run_files import LAST

    last = out / LAST
    if not last.is_file():
        return "no epoch was finished; run the same command again to begin anew, with the windows built so far"
    done = read_checkpoint(last)["trajnet"]["epochs_done"]
    return f"{done} of {epochs} epochs are in {last}; run the same command again to go on from there"
