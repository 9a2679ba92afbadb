"""The tables of trajnet evaluate: a row for each metric or part, a column for each model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def table(title: str, models: list[str], *, first: str = "metric") -> Table:
    """Return an empty table with a column for each model."""
    from rich import box
    from rich.table import Table

    made = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    made.add_column(first, no_wrap=True)
    for name in models:
        made.add_column(name, justify="right", no_wrap=True)
    return made


def row(made: Table, label: str, values: list[float | None]) -> None:
    """Add a row of numbers; a dash where there is none."""
    made.add_row(label, *("-" if v is None else f"{v:.3f}" for v in values))


def whole_table(title: str, models: list[dict[str, Any]], part: str, metrics: Iterable[str]) -> Table:
    """Return the metrics over all objects. part: of a model's entry, where they are."""
    made = table(title, [m["model"] for m in models])
    for metric in metrics:
        row(made, metric, [m[part].get(metric) for m in models])
    return made


def horizon_table(models: list[dict[str, Any]], counts: dict[str, int], metrics: Iterable[str]) -> Table:
    """Return the metrics up to each horizon. counts: horizon in s, as a key of the report -> objects."""
    made = table("by horizon (objects)", [m["model"] for m in models])
    for metric in metrics:
        for key, count in counts.items():
            row(made, f"{metric} {key} s ({count:,})", [m["per_horizon"][key].get(metric) for m in models])
    return made


def class_table(title: str, models: list[dict[str, Any]], counts: dict[str, int], metrics: Iterable[str]) -> Table:
    """Return the metrics of each class. counts: class -> objects."""
    made = table(title, [m["model"] for m in models])
    for metric in metrics:
        for key, count in counts.items():
            row(made, f"{metric} {key} ({count:,})", [m["per_class"][key]["metrics"].get(metric) for m in models])
    return made


def scene_table(title: str, models: list[dict[str, Any]], counts: dict[str, int], metrics: Iterable[str]) -> Table:
    """Return the metrics of each scene. counts: scene -> objects."""
    made = table(title, [m["model"] for m in models])
    for metric in metrics:
        for key, count in counts.items():
            row(made, f"{metric} {key} ({count:,})", [m["per_scene"][key].get(metric) for m in models])
    return made


def show_womd(models: list[dict[str, Any]], console: Console) -> None:
    """Print the figures of Waymo's challenge, where there are any: their mean, and two of them divided."""
    if not all("womd" in entry for entry in models):
        return
    names = [entry["model"] for entry in models]
    made = table("Waymo's challenge, mean over classes and 3, 5 and 8 s", names)
    for metric in models[0]["womd"]["mean"]:
        row(made, metric, [entry["womd"]["mean"][metric] for entry in models])
    for name, horizons in models[0]["womd"]["by_class"].items():
        for horizon, counted in horizons.items():
            found = [entry["womd"]["by_class"][name][horizon] for entry in models]
            for metric in ("minADE", "soft_mAP"):
                row(made, f"{metric} {name} {horizon} s ({counted['objects']:,})", [each[metric] for each in found])
    console.print(made)


def show_calibration_lines(models: list[dict[str, Any]], console: Console) -> None:
    """One line for each model: expected calibration error and the worst coverage."""
    for entry in models:
        found = entry["calibration"]
        if found["ECE_top_mode"] is None:
            continue
        worst = " and ".join(_deviation(w) for w in (found["worst"], found["worst_of_classes"]) if w is not None)
        console.print(
            f"{entry['model']}: calibration error {found['ECE_top_mode']:.3f}, coverage furthest from nominal {worst}",
            highlight=False, markup=False, soft_wrap=True,
        )  # fmt: skip


def _deviation(worst: dict[str, Any]) -> str:
    who = "over all" if worst["class"] == "all" else f"for {worst['class']}"
    return (
        f"{who} at {worst['horizon_s']:g} s: {worst['covered']:.1f} % in the {worst['level']:.0f} % region "
        f"({worst['deviation_points']:+.1f} points)"
    )


def show_self_judging(models: list[dict[str, Any]], console: Console) -> None:
    """One line for each model that judges itself: how often its own past errors put another expert first."""
    for entry in models:
        found = entry.get("self_judging")
        if found is None or not found["evident_rows"]:
            continue
        share = {name: found[f"{name}_rows"] / found["evident_rows"] for name in ("velocity", "standing")}
        console.print(
            f"{entry['model']}: of {found['evident_rows']:,} rows with past errors, constant velocity led "
            f"{share['velocity']:.1%} and standing {share['standing']:.1%}",
            highlight=False, markup=False, soft_wrap=True,
        )  # fmt: skip


def show_all_agents(models: list[dict[str, Any]], console: Console) -> None:
    """One line for each model that learned from all agents: for how many objects they are its neighbours here."""
    for entry in models:
        if found := entry.get("all_agents"):
            console.print(
                f"{entry['model']}: its neighbours are all agents for {found['objects']:,} of {found['of']:,} objects, "
                "for the others those that the data's own files list",
                highlight=False, markup=False, soft_wrap=True,
            )  # fmt: skip


def show_calibration(models: list[dict[str, Any]], console: Console) -> None:
    """Print coverage next to nominal for each class and horizon, and the reliability of the most probable mode."""
    for entry in models:
        if entry["calibration"]["coverage"]:
            console.print(_coverage_table(entry))
            console.print(_reliability_table(entry))


def _coverage_table(entry: dict[str, Any]) -> Table:
    rows = entry["calibration"]["coverage"]
    levels = [key for key in rows[0] if key.isdigit()]
    title = f"{entry['model']}: % covered by the mixture's region of each level, and points from it"
    made = table(title, ["objects", *(f"{level} %" for level in levels)], first="class, horizon")
    for r in rows:
        cells = [f"{r[level]:.1f} {r[level] - float(level):+5.1f}" for level in levels]
        made.add_row(f"{r['class']} {r['horizon_s']:g} s", f"{r['objects']:,}", *cells)
    return made


def _reliability_table(entry: dict[str, Any]) -> Table:
    title = f"{entry['model']}: reliability of the most probable mode"
    made = table(title, ["objects", "stated", "happened"], first="probability")
    for r in entry["calibration"]["reliability"]:
        made.add_row(
            f"{r['from']:.1f} to {r['to']:.1f}", f"{r['objects']:,}", f"{r['stated']:.3f}", f"{r['happened']:.3f}"
        )
    return made


def show_breakdown(models: list[dict[str, Any]], console: Console) -> None:
    """For each part its share of the objects, and for each model the mean and the part's share of the whole error."""
    for division, parts in models[0]["breakdown"].items():
        metrics = [key for key in next(iter(parts.values()), {}) if key.startswith("minADE")]
        made = table(f"by {division}: mean in m, share of the whole error (objects)", [m["model"] for m in models])
        for metric in metrics:
            for part, found in parts.items():
                of = f"{part} s" if division == "second" else f"{part} ({found['share_of_objects']:.0%})"
                cells = [m["breakdown"][division][part][metric] for m in models]
                made.add_row(f"{metric} {of}", *(f"{c['mean']:.3f} {c['share_of_error']:4.0%}" for c in cells))
        console.print(made)


def show_consistency(models: list[dict[str, Any]], console: Console) -> None:
    """How steady the predictions of scenes were from frame to frame."""
    if not any("consistency" in m for m in models):
        return
    made = table("from frame to frame", [m["model"] for m in models])
    for key, label in (
        ("jump_m", "best path jumps, mean m"),
        ("jump_m_p95", "best path jumps, p95 m"),
        ("end_jump_m", "its end jumps, mean m"),
        ("flip_share", "best mode flips, share"),
        ("flips_per_object_minute", "flips per object and minute"),
    ):
        row(made, label, [m.get("consistency", {}).get("all", {}).get(key) for m in models])
    console.print(made)


def show_robustness(found: dict[str, Any], metrics: tuple[str, ...], console: Console) -> None:
    """Print a row for each rate and share of losses."""
    cells = found["cells"]
    names = list(cells[0]["models"])
    made = table(f"rates and losses, on the same {cells[0]['objects']:,} objects", names)
    for metric in metrics:
        for cell in cells:
            rate = "as recorded" if cell["rate_hz"] is None else f"{cell['rate_hz']:g} Hz"
            lost = "" if cell["kind"] == "none" else f", {cell['drop']:.0%} of {cell['kind']} lost"
            row(made, f"{metric} {rate}{lost}", [cell["models"][name].get(metric) for name in names])
    console.print(made)
