"""The figures of docs/recurrent.json as SVG, legible on light and on dark pages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

#: Placeholder for the page's text colour in matplotlib's output; a style sheet in the file sets it by the theme.
INK = "#24292f"
STYLE = "<style>svg{--ink:#24292f}@media(prefers-color-scheme:dark){svg{--ink:#d0d7de}}</style>"
BLUE, ORANGE, GREEN, RED, PURPLE, GREY = "#3987e5", "#d9822b", "#2f9e5b", "#e5534b", "#9a6cf0", "#8b949e"
#: Lines of networks in every picture.
LOOK: dict[str, dict[str, Any]] = {
    "LSTM": {"color": BLUE},
    "LSTM, forget bias 0": {"color": BLUE, "linestyle": ":"},
    "GRU": {"color": GREEN},
    "ReLU RNN, identity start": {"color": ORANGE},
    "ReLU RNN, ordinary start": {"color": ORANGE, "linestyle": ":"},
    "tanh RNN": {"color": RED},
}
RC: dict[str, Any] = {
    "svg.fonttype": "none", "svg.hashsalt": "trajnet", "font.family": "sans-serif", "font.size": 9.0,
    "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": INK, "xtick.color": INK, "ytick.color": INK,
    "axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 9.0, "axes.titlelocation": "left",
    "lines.linewidth": 1.6, "legend.frameon": False, "legend.fontsize": 8.0, "path.simplify_threshold": 0.5,
}  # fmt: skip


@contextmanager
def picture(path: Path, panels: int, *, height_in: float = 3.0, shared_y: bool = False) -> Iterator[list[Axes]]:
    """Yield panels side by side and save them without a date, so that the same figures make the same file."""
    with mpl.rc_context(RC):  # type: ignore[arg-type]
        figure = Figure(figsize=(8.4, height_in), layout="constrained")
        axes = list(np.atleast_1d(figure.subplots(1, panels, sharey=shared_y)))
        yield axes
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, transparent=True, metadata={"Date": None})
    text = path.read_text(encoding="utf-8").replace(INK, "var(--ink)")
    head = text.index(">", text.index("<svg")) + 1
    lines = (line.rstrip() for line in (text[:head] + STYLE + text[head:]).splitlines())
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def thinned(count: int, most: int = 50) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the indices of at most ``most`` points of a curve, its ends among them, to keep files small."""
    return np.unique(np.linspace(0, count - 1, min(most, count)).round().astype(np.int64))


def legend_below(axes: list[Axes]) -> None:
    figure = axes[0].figure
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)


def draw_gradients(found: dict[str, Any], path: Path) -> None:
    with picture(path, len(found["panels"]), height_in=3.4, shared_y=True) as axes:
        for axis, panel in zip(axes, found["panels"], strict=True):
            for name, curve in panel["curves"].items():
                median = np.array(curve["median"])
                at = thinned(len(median))
                axis.plot(at, median[at], label=name, **LOOK[name])
            axis.set(title=panel["title"], xlabel=f"steps back (k), {panel['step_s']:g} s each", yscale="log")
        axes[0].set(ylabel="|dL/dstate(t-k)| / |dL/dstate(t)|", ylim=(1e-12, 10))
        legend_below(axes)


def draw_explosion(found: dict[str, Any], path: Path) -> None:
    """Draw the first seed at the higher of the two learning rates."""
    rate = max(run["learning_rate"] for run in found["runs"])
    with picture(path, 2, height_in=3.4) as axes:
        for run in found["runs"]:
            if run["learning_rate"] == rate and run["seed"] == 0:
                name = f"{run['network']}, {'clipped' if run['clips'] else 'not clipped'}"
                look = {**LOOK[run["network"]], "linestyle": "-" if run["clips"] else ":", "linewidth": 1.2}
                for axis, key in zip(axes, ("gradient_norm", "loss"), strict=True):
                    axis.plot([np.nan if v is None else v for v in run[key]], label=name, **look)
        axes[0].axhline(found["gradient_clip"], color=GREY, linewidth=1.0, linestyle="--")
        axes[0].text(0, found["gradient_clip"], " gradient_clip", color=GREY, va="bottom", fontsize=8)
        axes[0].set(title="norm of the gradient before clipping", xlabel="training step", yscale="log")
        axes[1].set(title="training loss", xlabel="training step", yscale="log")
        legend_below(axes)


def draw_bars(axis: Axes, rows: dict[str, dict[str, Any]], colors: Iterable[str]) -> None:
    """Draw means as bars with their values, and each seed as a dot."""
    places = np.arange(len(rows))[::-1]
    axis.barh(places, [row["mean"] for row in rows.values()], color=list(colors), height=0.6, alpha=0.85)
    for place, row in zip(places, rows.values(), strict=True):
        axis.plot(row["seeds"], [place] * len(row["seeds"]), ".", color=INK, markersize=4)
        label = f"{row['mean']:.2f}"
        axis.annotate(label, (max(row["seeds"]), place), (5, 0), textcoords="offset points", va="center", fontsize=8)
    axis.set_yticks(places, list(rows))
    axis.margins(x=0.14)


def draw_cells(found: dict[str, Any], path: Path) -> None:
    with picture(path, 2, height_in=2.2, shared_y=True) as axes:
        for axis, metric in zip(axes, found["metrics"], strict=True):
            rows = {name: row[metric] for name, row in found["rows"].items()}
            draw_bars(axis, rows, [LOOK[name]["color"] for name in rows])
            axis.set(title=f"{metric} in m, {found['validation']}")


def draw_order(parts: list[dict[str, Any]], path: Path) -> None:
    colors = {"trained in order": BLUE, "trained on shuffled motions": PURPLE}
    with picture(path, len(parts), height_in=2.6) as axes:
        for axis, part in zip(axes, parts, strict=True):
            found = {name: part["order"].get(name, {}) for name in colors}
            rows = {
                f"{trained.removeprefix('trained ')}\n→ {order}": row
                for trained, orders in found.items()
                for order, row in orders.items()
            }
            draw_bars(axis, rows, [colors[trained] for trained, orders in found.items() for _ in orders])
            axis.set(title=f"{part['order']['metric']} in m, {part['validation']}")
            axis.tick_params(axis="y", labelsize=7)


def draw_context(parts: list[dict[str, Any]], path: Path) -> None:
    with picture(path, len(parts)) as axes:
        for axis, part in zip(axes, parts, strict=True):
            panel = part["context"]
            history = [row["observations"] for row in panel["rows"]]
            for name, color in zip(panel["metrics"], (BLUE, ORANGE), strict=True):
                axis.plot(history, [row[name]["mean"] for row in panel["rows"]], "-", color=color, label=name)
                for row in panel["rows"]:
                    values = row[name]["seeds"]
                    axis.plot([row["observations"]] * len(values), values, ".", color=color, markersize=4)
            axis.set(title=part["validation"], xlabel=f"observations, {part['step_s']:g} s apart", ylabel="m")
            axis.set_xscale("log", base=2)
            axis.set_yscale("log", base=2)
            axis.set_xticks(history, [str(h) for h in history])
            low, high = axis.get_ylim()
            ticks = [v for v in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50) if low <= v <= high]
            axis.set_yticks(ticks, [f"{v:g}" for v in ticks])
            axis.minorticks_off()
            axis.legend()


def draw_all(found: dict[str, Any], folder: Path) -> None:
    """Draw every picture of docs/recurrent.md."""
    both = [found["order"], found["ngsim"]]
    draw_gradients(found["ngsim"]["gradients"], folder / "gradients.svg")
    draw_explosion(found["explosion"], folder / "explosion.svg")
    draw_cells(found["cells"], folder / "cells.svg")
    draw_order(both, folder / "order.svg")
    draw_context(both, folder / "context.svg")
