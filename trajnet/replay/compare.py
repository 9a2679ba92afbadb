"""Several models on the same scene: their figures in one table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

#: (label, value of each model, digits after the point; None for counts, where no value is better than another).
Row = tuple[str, list[float | None], int | None]

CONSTANT_VELOCITY = "constant velocity"


def compared(documents: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return models (names, those of a kind told apart), rows (see Row) and a note, ready for JSON.

    documents: those of trajnet.replay.summary. Constant velocity is the last column where all models reach equally far.
    """
    names = [found["model"]["name"] for found in documents]
    ids = [found["model"]["model_id"] or f"model {place}" for place, found in enumerate(documents, start=1)]
    models = [name if names.count(name) == 1 else f"{name} {own}" for name, own in zip(names, ids, strict=True)]
    reach_s = [found["errors_m"]["model"]["horizon_s"] for found in documents]
    alike = len(set(reach_s)) == 1
    rows = [*_errors(documents, with_cv=alike), *_rest(documents)]
    width = len(models) + alike
    note = (
        "Mean (ADE) and final (FDE) displacement in m, mean over objects. Top: the most probable path, best: the "
        "closest of all. Jump and flips: of the top path from frame to frame. p50, p99: latency. Less is better."
    )
    if not alike:
        note += " The models reach differently far: see the first row."
        rows.insert(0, ("compared up to, s", list(reach_s), None))
    padded = [(label, [*values, *[None] * (width - len(values))], digits) for label, values, digits in rows]
    return {"models": [*models, *([CONSTANT_VELOCITY] if alike else [])], "rows": padded, "note": note}


def _errors(documents: Sequence[dict[str, Any]], *, with_cv: bool) -> list[Row]:
    kinds = [("top ADE", "minADE_1"), ("top FDE", "minFDE_1"), ("best ADE", "minADE"), ("best FDE", "minFDE")]
    groups = dict.fromkeys(name for found in documents for name in found["errors_m"]["model"]["groups"])
    rows: list[Row] = []
    for group in groups:
        for label, key in kinds if group in ("all", "moving") else kinds[:1]:
            values = [_error(found["errors_m"]["model"], group, key) for found in documents]
            values += [_error(documents[0]["errors_m"]["cv"], group, key)] if with_cv else []
            rows.append((f"{group}, {label}", values, 2))
    return rows


def _error(errors: dict[str, Any], group: str, key: str) -> float | None:
    found = errors["groups"].get(group)
    if found is None:
        return None
    value: float = found[key if "_" in key else f"{key}_{errors['modes']}"]
    return value


def _rest(documents: Sequence[dict[str, Any]]) -> list[Row]:
    """Return steadiness, latency, and who answered."""
    steady = [found["consistency"]["model"].get("all", {}) for found in documents]
    total = [found["latency_ms"]["total"] for found in documents]
    rows: list[Row] = [
        ("jump, m", [each.get("jump_m") for each in steady], 2),
        ("flips per minute", [each.get("flips_per_object_minute") for each in steady], 1),
        ("p50, ms", [each["p50"] for each in total], 2),
        ("p99, ms", [each["p99"] for each in total], 2),
    ]
    for label, key in (("by the model", "model_rows"), ("by physics", "physics_rows")):
        rows.append((label, [found["guard"][key] for found in documents], None))
    return rows
