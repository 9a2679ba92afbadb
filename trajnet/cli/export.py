"""trajnet export: a checkpoint becomes one self-describing ONNX file."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import typer

from trajnet.errors import InputError


def export(
    checkpoint: Annotated[Path, typer.Argument(metavar="CHECKPOINT", help="last.ckpt of a training run.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The model file to write.")],
    step_s: Annotated[
        float,
        typer.Option(
            "--step-s", help="Path step; 0 keeps the model's knots. Others are interpolated inside the graph."
        ),
    ] = 0.0,
    card: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Model card in Markdown, stored in the file.")
    ] = None,
    metrics: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="JSON of `trajnet evaluate`, whose metrics are stored in the file."),
    ] = None,
) -> None:
    """Export a checkpoint and hold it to torch: N = 1..256 tracks and 500 recurrent steps.

    Exit code 1 if any path point differs by more than 1e-3 m; the file is then not written.

        trajnet export out/nuscenes/last.ckpt --out nuscenes.onnx
    """
    import json

    import numpy as np
    from rich.console import Console
    from rich.table import Table

    from trajnet.cli.logs import show_warnings
    from trajnet.config import require
    from trajnet.export import check_graph, export_model, parity
    from trajnet.export.graph import make_contract, write_model
    from trajnet.export.parity import MAX_ERROR_M
    from trajnet.learning.train import checkpoint_model

    show_warnings()
    console, status = Console(), Console(stderr=True)
    require(step_s >= 0, f"--step-s: expected seconds above 0, or 0 for the model's knots, got {step_s}")
    model, config, about = checkpoint_model(checkpoint)
    horizon_s = config.model.time_s[-1]
    require(step_s <= horizon_s, f"--step-s: expected at most the model's horizon of {horizon_s} s, got {step_s}")
    time_s = np.round(np.arange(1, int(horizon_s / step_s + 1e-6) + 1) * step_s, 9) if step_s else None
    try:
        card_text = card.read_text(encoding="utf-8") if card else ""
        measured = json.loads(metrics.read_text(encoding="utf-8")) if metrics else {}
    except (OSError, ValueError) as error:
        raise InputError(f"--card, --metrics: expected readable text and JSON, got {error}") from error
    with status.status("exporting") as line:
        graph, proto = export_model(model, time_s)
        operators = check_graph(proto, graph)
        found = parity(graph, proto, progress=lambda text: line.update(f"torch against ONNX Runtime, {text}"))
    contract = make_contract(graph, config, about, proto.SerializeToString())
    contract = dataclasses.replace(contract, parity_max_error_m=found.max_error_m, metrics=headline(measured))
    table = Table(title=f"{contract.name} {contract.model_id}", title_justify="left")
    table.add_column("gate")
    table.add_column("result", justify="right")
    recurrent = ", ".join(f"{operators[o]} {o}" for o in ("LSTM", "GRU", "RNN") if operators[o])
    table.add_row("operators", f"{sum(operators.values())}, of them {recurrent}")
    table.add_row("control flow", "none")
    table.add_row(f"largest error, N = 1..{found.batches}", f"{found.batch_max_error_m:.2e} m")
    table.add_row(f"largest error, {found.steps} steps", f"{found.recurrent_max_error_m:.2e} m")
    table.add_row("limit", f"{MAX_ERROR_M:.0e} m")
    console.print(table)
    if not found.passed:
        status.print(
            f"trajnet: parity: expected at most {MAX_ERROR_M} m, got {found.max_error_m:.2e} m; {out} is not written"
        )
        raise typer.Exit(1)
    write_model(proto, contract, card_text, out)
    console.print(f"written {out} ({out.stat().st_size / 1e6:.2f} MB)", soft_wrap=True)


def headline(report: dict[str, Any]) -> dict[str, Any]:
    """The overall metrics of an evaluation report's first model, with what they were measured on."""
    if not report:
        return {}
    try:
        first = report["models"][0]
        about = {"dataset": report["dataset"], "split": report["split"], "objects": report["counts"]["whole"]}
        return {**about, **first["metrics"]}
    except (KeyError, IndexError, TypeError) as error:
        raise InputError(
            f"--metrics: expected a report of `trajnet evaluate --json`, got one without {error}"
        ) from error
