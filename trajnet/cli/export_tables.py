"""The tables and sentences of trajnet export."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from trajnet.export import Parity
    from trajnet.inference.contract import Contract
    from trajnet.protocols.precision_gate import Variant


def parity_table(contract: Contract, operators: Counter[str], found: Parity) -> Table:
    """Return what the graph consists of and how far it is from torch."""
    from rich.table import Table

    from trajnet.export.parity import MAX_ERROR_M, RECURRENT

    table = Table(title=f"{contract.name} {contract.model_id}", title_justify="left")
    table.add_column("gate")
    table.add_column("result", justify="right")
    recurrent = ", ".join(f"{operators[o]} {o}" for o in RECURRENT if operators[o]) or "none recurrent"
    table.add_row("operators", f"{sum(operators.values())}, of them {recurrent}")
    table.add_row("control flow", "none")
    table.add_row(f"largest error, N = 1..{found.batches}", f"{found.batch_max_error_m:.2e} m")
    table.add_row(f"largest error, {found.steps} steps", f"{found.recurrent_max_error_m:.2e} m")
    table.add_row("limit", f"{MAX_ERROR_M:.0e} m")
    return table


def parity_sentence(found: Parity) -> str:
    """Return what the parity gate wanted and got."""
    from trajnet.export.parity import MAX_ERROR_M

    sentence = f"parity: expected at most {MAX_ERROR_M} m, got {found.max_error_m:.2e} m"
    if found.max_error_m < 10.0 * MAX_ERROR_M:  # rounding; more than that, or no number, is a mistake in the graph
        sentence += "; the run's other checkpoint (best.ckpt, last.ckpt), or one of an epoch more, may pass"
    return sentence


def variant_table(variant: Variant) -> Table:
    """Float32 and the variant side by side: accuracy, size, time."""
    from rich.table import Table

    from trajnet.protocols.precision_gate import LATENCY_TRACKS

    gate, contract = variant.gate, variant.contract
    table = Table(title=f"{contract.precision} on {gate.data}, {gate.objects:,} objects", title_justify="left")
    table.add_column("")
    for column in ("fp32", contract.precision, "change"):
        table.add_column(column, justify="right", no_wrap=True)
    for name, before, after, digits, unit in (
        (f"minFDE_{min(contract.modes, 20)}", gate.fp32_min_fde_m, gate.min_fde_m, 4, "m"),
        ("minFDE_1", gate.fp32_min_fde_1_m, gate.min_fde_1_m, 4, "m"),
        ("file", variant.size[0] / 1e6, variant.size[1] / 1e6, 2, "MB"),
        (f"step of {LATENCY_TRACKS} tracks, p50, this machine's CPU", *variant.step_ms, 2, "ms"),
    ):
        change = (after - before) / max(before, 1e-9)
        table.add_row(name, f"{before:.{digits}f} {unit}", f"{after:.{digits}f} {unit}", f"{change:+.2%}")
    return table


def variant_sentence(variant: Variant) -> str:
    """Return what the precision gate wanted and got."""
    from trajnet.protocols.precision_gate import MAX_WORSE

    gate, precision = variant.gate, variant.contract.precision
    if gate.physics_rows > 0:
        return f"precision {precision}: expected usable paths wherever fp32 has them, {gate.physics_rows} have none"
    return f"precision {precision}: expected minFDE at most {MAX_WORSE:.0%} worse on {gate.data}, got {gate.worse:+.2%}"
