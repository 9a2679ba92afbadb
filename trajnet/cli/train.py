"""trajnet train: from recorded scenes to a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trajnet.cli.workers import Jobs, RayAddress


def train(
    config: Annotated[Path, typer.Option(metavar="FILE", help="What to train: see configs/*.yaml.")],
    data: Annotated[
        list[Path],
        typer.Option(envvar="TRAJNET_DATA", help="Folder with the data sets that FILE names; repeat for several."),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Checkpoints, logs and the windows.")],
    accelerator: Annotated[str, typer.Option(help="auto, cpu or gpu.")] = "auto",
    devices: Annotated[int, typer.Option(help="Devices on each machine.")] = 1,
    nodes: Annotated[int, typer.Option(help="Machines; start the same command on each with torchrun's variables.")] = 1,
    strategy: Annotated[str, typer.Option(help="Lightning's strategy: auto, ddp, ...")] = "auto",
    threads: Annotated[int, typer.Option(help="CPU threads of torch; 0 leaves torch's own choice.")] = 0,
    progress: Annotated[bool, typer.Option(help="Show progress bars.")] = True,
    init: Annotated[
        Path | None, typer.Option(metavar="CKPT", help="Start from the weights of this checkpoint (fine-tuning).")
    ] = None,
    jobs: Jobs = 0,
    ray: RayAddress = None,
    workers: Annotated[
        int, typer.Option(help="Processes that read and augment batches meanwhile. The result does not depend on it.")
    ] = 0,
) -> None:
    """Train a model. Killed at any moment, the same command goes on from the last epoch with the same result.

        trajnet train --config configs/nuscenes.yaml --data ../data --out out/nuscenes

    Watch it with `tensorboard --logdir out/nuscenes`; then `trajnet export out/nuscenes/last.ckpt --out MODEL.onnx`.
    """
    from trajnet.cli.logs import show_warnings
    from trajnet.config import load_yaml
    from trajnet.timing.hardware import usable_cores
    from trajnet.training.config import TrainConfig
    from trajnet.training.train import DataWorkers
    from trajnet.training.train import train as run

    show_warnings()
    loaded = load_yaml(TrainConfig, config)
    checkpoint = run(
        loaded, data, out, accelerator=accelerator, devices=devices, nodes=nodes, strategy=strategy, threads=threads,
        progress=progress, init=init, workers=DataWorkers(jobs or (usable_cores() if ray is None else 0), ray, workers),
    )  # fmt: skip
    print(f"checkpoint {checkpoint}\nnext: trajnet export {checkpoint} --out {loaded.name}.onnx")
