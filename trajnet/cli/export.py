"""trajnet export: a checkpoint becomes one self-describing ONNX file."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, cast, get_args

import typer

from trajnet.cli.files import require_unread
from trajnet.cli.progress import progress_bar, progress_items
from trajnet.config import require
from trajnet.errors import InputError, in_words

if TYPE_CHECKING:
    from rich.console import Console

    from trajnet.inference.contract import Flavour, Precision
    from trajnet.protocols.precision_gate import GateData
    from trajnet.types import FloatArray


def export(
    checkpoint: Annotated[Path, typer.Argument(metavar="CHECKPOINT", help="last.ckpt or best.ckpt of a training run.")],
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
    flavour: Annotated[
        str,
        typer.Option(
            metavar="streaming|unrolled",
            help="unrolled: recurrent layers as matrix products and gates, for where their operators are slow.",
        ),
    ] = "streaming",
    precision: Annotated[
        str,
        typer.Option(
            metavar="fp32|fp16|int8",
            help="Of weights and arithmetic inside: half for GPUs, int8 in the LSTM operators for CPUs.",
        ),
    ] = "fp32",
    gate_data: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="fp16, int8: what the gate plays; a checkout's sim/scenes by default."),
    ] = None,
    gate_dataset: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Of --gate-data, as trajnet evaluate takes it; scenes by default."),
    ] = None,
    gate_split: Annotated[
        str | None, typer.Option(metavar="SPLIT", help="Of --gate-data, as for `trajnet evaluate`.")
    ] = None,
) -> None:
    """Export a checkpoint and hold it to torch: N = 1..256 tracks and 500 recurrent steps.

    Exit code 1 if any path point differs by more than 1e-3 m; the file is then not written.
    Asked about are the classes and speeds that it was trained on; physics answers others.

        trajnet export out/nuscenes/last.ckpt --out nuscenes.onnx

    Half precision and 8 bits are not held to torch but to what counts: both files, float32 and the variant, play
    recorded objects, and exit code 1 without a file if minFDE grows by more than 1 %:

        trajnet export out/nuscenes/last.ckpt --out nuscenes-fp16.onnx --precision fp16 \
            --gate-data data --gate-dataset nuscenes --gate-split train_val
    """
    from trajnet.cli import export_tables as tables
    from trajnet.cli.logs import show_warnings
    from trajnet.cli.terminal import Console
    from trajnet.export import check_graph, export_model, parity
    from trajnet.export.graph import make_contract, write_model
    from trajnet.protocols.precision_gate import make_variant
    from trajnet.training.checkpoint import checkpoint_model

    show_warnings()
    console, status = Console(), Console(stderr=True)
    shape = known_flavour(flavour)
    played = chosen_gate_data(precision, gate_data, gate_dataset, gate_split)
    require(step_s >= 0, f"--step-s: expected seconds above 0, or 0 for the model's knots, got {step_s}")
    require(
        (precision, shape) != ("int8", "unrolled"),
        "--precision int8: expected --flavour streaming, whose recurrent layers are what it converts, got unrolled",
    )
    require_unread([("out", out)], [checkpoint, card, metrics, gate_data])
    model, config, about = checkpoint_model(checkpoint)
    time_s = path_times(step_s, config.model.time_s[-1])
    if told := shorter(time_s, config.model.time_s[-1]):
        status.print(f"trajnet: {told}", soft_wrap=True)
    card_text, measured = card_and_metrics(card, metrics)
    with progress_items(status) as report:
        report("exporting the graph", 0, 1)
        graph, proto = export_model(model, time_s, flavour=shape)
        operators = check_graph(proto, graph, flavour=shape)
        report("exporting the graph", 1, 1)
        contract = make_contract(graph, config, about, proto.SerializeToString(), shape)
        found = parity(graph, proto, domain=contract.domain, progress=report)
    contract = dataclasses.replace(contract, parity_max_error_m=found.max_error_m, metrics=headline(measured))
    console.print(tables.parity_table(contract, operators, found))
    if not found.passed:
        refuse(tables.parity_sentence(found), out, status)
    if played is not None:
        with progress_bar(status, f"converting to {precision}", "playing recorded objects") as progress:
            variant = make_variant(graph, proto, contract, cast("Precision", precision), played, progress)
        console.print(tables.variant_table(variant))
        if not variant.passed:
            refuse(tables.variant_sentence(variant), out, status)
        proto, contract = variant.proto, variant.contract
    write_model(proto, contract, card_text, out)
    console.print(f"written {out} ({out.stat().st_size / 1e6:.2f} MB)", soft_wrap=True)


def known_flavour(flavour: str) -> Flavour:
    """Return the flavour that --flavour names. Raises ConfigError for another name."""
    from trajnet.inference.contract import Flavour

    flavours = get_args(Flavour)
    require(flavour in flavours, f"--flavour: expected one of {', '.join(flavours)}, got {flavour!r}")
    return cast("Flavour", flavour)


def path_times(step_s: float, horizon_s: float) -> FloatArray | None:
    """Return the times (T,) in s of paths with this step, up to the horizon; None for the model's own (step 0).

    Raises ConfigError for a step beyond the horizon.
    """
    import numpy as np

    require(step_s <= horizon_s, f"--step-s: expected at most the model's horizon of {horizon_s} s, got {step_s}")
    return np.round(np.arange(1, int(horizon_s / step_s + 1e-6) + 1) * step_s, 9) if step_s else None


def shorter(time_s: FloatArray | None, horizon_s: float) -> str:
    """Say in a sentence how far paths at time_s (T,) reach where that is less than the model does; "" elsewhere."""
    if time_s is None or time_s[-1] > horizon_s - 1e-6:
        return ""
    return f"--step-s: in these steps paths reach {time_s[-1]:g} s of the model's {horizon_s:g} s"


def card_and_metrics(card: Path | None, metrics: Path | None) -> tuple[str, Any]:
    """Read the model card and the JSON of an evaluation, each empty where there is none. Raises InputError."""
    import json

    try:
        text = card.read_text(encoding="utf-8") if card else ""
    except (OSError, ValueError) as error:
        raise InputError(f"--card: expected a Markdown file in UTF-8, got {in_words(error)}") from error
    try:
        return text, json.loads(metrics.read_text(encoding="utf-8")) if metrics else {}
    except (OSError, ValueError) as error:
        raise InputError(f"--metrics: expected the JSON of `trajnet evaluate`, got {in_words(error)}") from error


def refuse(sentence: str, out: Path, status: Console) -> NoReturn:
    """Say why the file is not written and leave with exit code 1."""
    status.print(f"trajnet: {sentence}; {out} is not written", soft_wrap=True)
    raise typer.Exit(1)


def chosen_gate_data(precision: str, data: Path | None, dataset: str | None, split: str | None) -> GateData | None:
    """Return what the gate of this precision plays; None for fp32, which needs none. Raises ConfigError."""
    from trajnet.inference.contract import Precision
    from trajnet.protocols.precision_gate import GateData, bundled

    known = get_args(Precision)
    require(precision in known, f"--precision: expected one of {', '.join(known)}, got {precision!r}")
    if precision == "fp32":
        require(
            (data, dataset, split) == (None, None, None),
            "--gate-data, --gate-dataset, --gate-split: expected none with --precision fp32, whose gate is torch",
        )
        return None
    if data is None:
        require((dataset, split) == (None, None), "--gate-dataset, --gate-split: expected --gate-data with them")
        return bundled()
    return GateData(dataset or "scenes", data, split)


def headline(report: dict[str, Any]) -> dict[str, Any]:
    """Return the overall metrics of an evaluation report's first model, with what they were measured on."""
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
