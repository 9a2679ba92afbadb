"""The figures of docs/recurrent.json as the tables of docs/recurrent.md, so that no figure is copied by hand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from trajnet.errors import InputError

#: The part of the document between these two lines is written by the program.
BLOCK = re.compile(r"(?<=<!-- table: )(?P<name>\w+)(?P<open> -->\n).*?(?=<!-- end -->)", re.DOTALL)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table, the first column aligned to the left and the others to the right."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in [head, rule, *rows])


def share(value: float) -> str:
    """Format a share of a gradient, over many powers of ten."""
    return f"{value:.2f}" if 0.01 <= value < 100 else f"{value:.0e}"


def figures(row: dict[str, Any]) -> str:
    """Format the mean of the seeds, and their range if there are several."""
    mean = f"{row['mean']:.2f}"
    return mean if len(row["seeds"]) == 1 else f"{mean} ({min(row['seeds']):.2f}–{max(row['seeds']):.2f})"


def gradients(found: dict[str, Any]) -> str:
    """Return the table of the gradient left 1 s (50 Hz) or 5 s (10 Hz) back, and the step at which it is forgotten."""
    panels = found["ngsim"]["gradients"]["panels"]
    head = [""]
    for panel in panels:
        head += [
            f"{panel['title']}: left after 50 steps",
            f"below {found['ngsim']['gradients']['forgotten_below']} from",
        ]
    rows = []
    for name in panels[0]["curves"]:
        cells = [name]
        for panel in panels:
            curve = panel["curves"][name]
            after = curve["forgotten_after_steps"]
            cells += [share(curve["median"][min(50, len(curve["median"]) - 1)])]
            cells += ["never" if after is None else f"step {after} ({after * panel['step_s']:.1f} s)"]
        rows.append(cells)
    return table(head, rows)


def explosion(found: dict[str, Any]) -> str:
    """Return the table of the largest gradient norm and the last losses, for each network and rate, clipped or not."""
    groups: dict[tuple[str, float], dict[bool, list[dict[str, Any]]]] = {}
    for run in found["explosion"]["runs"]:
        groups.setdefault((run["network"], run["learning_rate"]), {}).setdefault(run["clips"], []).append(run)

    def largest(runs: list[dict[str, Any]]) -> str:
        norms = [run["largest_norm"] for run in runs]
        return "infinite" if None in norms else f"{max(norms):,.{0 if max(norms) >= 100 else 1}f}"

    def last(runs: list[dict[str, Any]]) -> str:
        losses = [run["last_loss"] for run in runs if not run["diverged"]]
        lost = f"{len(runs) - len(losses)} of {len(runs)} diverged" if len(losses) < len(runs) else ""
        return ", ".join([f"{v:.2f}" for v in losses] + [lost] * bool(lost))

    head = ("", "learning rate", "largest norm, free", "clipped", "loss at the end of each seed, free", "clipped")
    return table(
        head,
        [
            (name, f"{rate:g}", largest(runs[False]), largest(runs[True]), last(runs[False]), last(runs[True]))
            for (name, rate), runs in groups.items()
        ],
    )


def cells(found: dict[str, Any]) -> str:
    rows = found["cells"]["rows"]
    metrics = [key for key in next(iter(rows.values())) if key.startswith("minADE")][::-1]
    head = (
        "",
        "`model.cell`",
        "width",
        "parameters",
        "training, CPU s",
        *[f"{m} m" for m in metrics],
    )
    return table(
        head,
        [
            (
                name, f"`{row['cell']}`", str(row["hidden"]), f"{row['parameters']:,}", f"{row['cpu_s']:.0f}",
                *[figures(row[m]) for m in metrics],
            )
            for name, row in rows.items()
        ],
    )  # fmt: skip


def order(found: dict[str, Any]) -> str:
    parts = [(found[name]["validation"], found[name]["order"]) for name in ("order", "ngsim")]
    return table(
        ("trained", "measured", *[f"{validation}, {part['metric']} m" for validation, part in parts]),
        [
            (
                trained.removeprefix("trained "), measured,
                *[figures(part[trained][measured]) if measured in part.get(trained, {}) else "–" for _, part in parts],
            )
            for trained in ("trained in order", "trained on shuffled motions")
            for measured in parts[0][1][trained]
        ],
    )  # fmt: skip


def context(found: dict[str, Any], part: str) -> str:
    panel = found[part]["context"]
    return table(
        ("observations", "history s", *[f"{m} m" for m in panel["metrics"]]),
        [
            (str(row["observations"]), f"{row['history_s']:g}", *[figures(row[m]) for m in panel["metrics"]])
            for row in panel["rows"]
        ],
    )


def conditions(found: dict[str, Any]) -> str:
    """Return the table of commands, dates and amounts of data."""
    return table(
        ("part", "command", "measured", "wall s", "trained on", "windows"),
        [
            (
                name, f"`{about['command']}`", about["measured"], str(about["duration_s"]),
                found[name]["train"], f"{found[name]['windows']['train']:,}",
            )
            for name in ("cells", "order", "ngsim", "explosion")
            for about in [found[name]["about"]]
        ],
    )  # fmt: skip


def tables(found: dict[str, Any]) -> dict[str, str]:
    """Return every table of the document by the name in its marker."""
    return {
        "gradients": gradients(found),
        "explosion": explosion(found),
        "cells": cells(found),
        "order": order(found),
        "context_nuscenes": context(found, "order"),
        "context_ngsim": context(found, "ngsim"),
        "conditions": conditions(found),
    }


def filled_in(document: str, found: dict[str, Any]) -> str:
    """Return the document with its tables filled in. Raises InputError for a marker that names no table."""
    known = tables(found)

    def written(match: re.Match[str]) -> str:
        name = match["name"]
        if name not in known:
            raise InputError(f"table marker: expected one of {', '.join(known)}, got {name!r}")
        return f"{name}{match['open']}{known[name]}"

    return BLOCK.sub(written, document)
