"""trajnet benchmark: benchmarks that take more than one model or more than one place, each with one command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trajnet.cli.benchmark_sites import sites
from trajnet.cli.files import STDOUT, emit_json, require_outputs
from trajnet.datasets.eth_ucy import ETH_UCY_SCENES

if TYPE_CHECKING:
    from rich.table import Table

app = typer.Typer(no_args_is_help=True, help="Benchmarks of several models or places.")
app.command("sites")(sites)


@app.callback()
def benchmarks() -> None:
    """Run benchmarks that take more than one model or more than one place."""


@app.command("eth-ucy")
def eth_ucy(
    data: Annotated[Path, typer.Option(envvar="TRAJNET_DATA", help="Folder that holds eth_ucy.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="A folder for each scene: checkpoint, model, report.")],
    config: Annotated[
        Path, typer.Option(metavar="FILE", help="What to train, with SCENE for the one left out.")
    ] = Path("configs/eth_ucy.yaml"),
    scenes: Annotated[str, typer.Option(help="Which scenes to leave out, one after the other.")] = ",".join(
        ETH_UCY_SCENES
    ),
    epochs: Annotated[int, typer.Option(help="Instead of the configuration's; 0 leaves those.")] = 0,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the table here too; - prints it.")
    ] = None,
    threads: Annotated[int, typer.Option(help="CPU threads of torch; 0 leaves torch's own choice.")] = 0,
    progress: Annotated[bool, typer.Option(help="Show progress bars.")] = True,
) -> None:
    """ETH/UCY, leave one scene out, best of 20: train five models, test each on the scene it has not seen.

    Killed at any moment, the same command goes on where it was:

        trajnet benchmark eth-ucy --config configs/eth_ucy.yaml --data ../data --out out/eth_ucy --json eth_ucy.json
    """
    from dataclasses import replace

    from trajnet.cli.logs import show_warnings
    from trajnet.cli.terminal import Console
    from trajnet.config import load_yaml
    from trajnet.protocols.leave_one_out import leave_one_out
    from trajnet.training.config import TrainConfig

    show_warnings()
    require_outputs([config, data], json=json_file)
    loaded = load_yaml(TrainConfig, config)
    if epochs:
        loaded = replace(loaded, optimizer=replace(loaded.optimizer, epochs=epochs))
    names = [name.strip() for name in scenes.split(",") if name.strip()]
    report = leave_one_out(loaded, data, out, names, threads=threads, progress=progress)
    if json_file is not None:
        emit_json(json_file, report)
    Console(stderr=json_file == STDOUT).print(_table(report))


def _table(report: dict[str, Any]) -> Table:
    """Return a row for each method, a column for each scene: ADE/FDE in m, best of 20 (cv: its one path)."""
    from rich import box
    from rich.table import Table

    scenes = list(report["scenes"])
    table = Table(title="ETH/UCY best of 20, ADE/FDE in m", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("method", no_wrap=True)
    for scene in scenes:
        table.add_column(f"{scene} ({report['scenes'][scene]['windows']:,})", justify="right", no_wrap=True)
    table.add_column("mean", justify="right", no_wrap=True)

    def row(name: str, pairs: list[tuple[float, float] | None]) -> None:
        table.add_row(name, *("-" if pair is None else f"{pair[0]:.2f}/{pair[1]:.2f}" for pair in pairs))

    for label, who in (("constant velocity", "cv"), (report["config"]["name"], "model")):
        of = [*(report["scenes"][scene][who] for scene in scenes), report["mean"][who]]
        row(label, [(m["minADE_20"], m["minFDE_20"]) for m in of])
    for name, figures in report["published"].items():
        row(name, [*(figures[s] for s in scenes), figures["mean"] if len(scenes) == len(ETH_UCY_SCENES) else None])
    return table
