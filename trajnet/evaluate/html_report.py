"""The report of an evaluation as one self-contained HTML page: break-down, calibration, rates and losses."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Sequence
from importlib import resources
from typing import Any

from trajnet.evaluate import chart
from trajnet.evaluate.chart import Line
from trajnet.evaluate.report import dataset_of_report

#: Colours of the style sheet, in the order in which they are taken.
COLOURS = ("var(--a)", "var(--b)", "var(--c)", "var(--d)")


def page(report: dict[str, Any], *, first: Iterable[str] = ()) -> str:
    """Return the page of a report of ``evaluate``; nothing in it asks the network for anything.

    first: sections of HTML that come before the others.
    """
    headline = dataset_of_report(report).headline
    counts, last_s = report["counts"], list(report["counts"]["by_horizon"])[-1]
    return filled(
        f"{report['dataset']} {report['split']}".strip() + " · trajnet evaluate",
        f"{counts['whole']:,} objects whose next {last_s} s are recorded. Errors in m; {headline}: mean "
        f"displacement of the best of the {headline.rpartition('_')[2]} most probable paths.",
        [*first, *_sections(report, headline)],
    )


def filled(title: str, subtitle: str, sections: Iterable[str]) -> str:
    """Return a self-contained page of these sections of HTML."""
    template = (resources.files("trajnet.evaluate") / "page.html").read_text(encoding="utf-8")
    parts = {"title": html.escape(title), "subtitle": html.escape(subtitle), "body": "\n".join(sections)}
    return re.sub(r"\{\{(\w+)\}\}", lambda mark: parts[mark[1]], template)


def _sections(report: dict[str, Any], headline: str) -> Iterator[str]:
    yield section("Models", "", [_models(report["models"], headline)])
    if "robustness" in report:
        found = report["robustness"]
        cards = [_robustness(found["cells"], name, metric) for name in found["cells"][0]["models"]
                 for metric in dict.fromkeys(("minADE_1", headline))]  # fmt: skip
        note = f"The same {found['cells'][0]['objects']:,} objects in every point; {found['definition']}."
        yield section("Rates and losses", note, cards)
    for entry in report["models"]:
        yield section(
            f"Where the error of {entry['model']} sits",
            f"{report['definitions']['speed'].capitalize()}. {report['definitions']['manoeuvre'].capitalize()}. "
            f"History: {report['definitions']['history']}.",
            [_division(name, parts, headline) for name, parts in entry["breakdown"].items() if parts],
        )
        yield section(
            f"Calibration of {entry['model']}",
            "",
            [_reliability(entry["calibration"]), _coverage(entry["calibration"])],
        )


def section(title: str, note: str, cards: Sequence[str]) -> str:
    """Return a heading, a note below it, and cards of HTML."""
    text = f"<p>{html.escape(note)}</p>" if note else ""
    inside = "".join(f'<div class="card">{card}</div>' for card in cards)
    return f'<h2>{html.escape(title)}</h2>{text}<div class="cards">{inside}</div>'


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of texts, which are escaped."""
    top = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{top}</tr>{body}</table>"


def _models(models: list[dict[str, Any]], headline: str) -> str:
    rows = []
    for metric in dict.fromkeys(("minADE_1", "minFDE_1", headline, headline.replace("ADE", "FDE"), "mixture_NLL")):
        rows.append([metric, *(f"{m['metrics'][metric]:.3f}" for m in models)])
    rows.append(["ECE_top_mode", *(f"{m['metrics']['ECE_top_mode']:.3f}" for m in models)])
    for key, label in (("jump_m", "best path jumps between frames, m"), ("flip_share", "best mode flips, share")):
        if all("consistency" in m for m in models):
            rows.append([label, *(f"{m['consistency']['all'][key]:.3f}" for m in models)])
    return table(["", *(m["model"] for m in models)], rows)


def _division(name: str, parts: dict[str, Any], headline: str) -> str:
    """Bars: each part's share of the objects (of the time, for seconds) in grey, of the error in colour."""
    steps = sum(p.get("steps", 0) for p in parts.values())
    bars = [
        (
            f"{part} s" if steps else part,
            found["steps"] / steps if steps else found["share_of_objects"],
            found[headline]["share_of_error"],
            f"{found[headline]['mean']:.2f} m",
        )
        for part, found in parts.items()
    ]
    key = chart.key([("var(--grey)", "share of the time" if steps else "share of objects"),
                     (COLOURS[0], f"share of {headline}, and its mean")])  # fmt: skip
    return f"<h3>By {html.escape(name)}</h3>{chart.bars(bars, ('var(--grey)', COLOURS[0]))}{key}"


def _reliability(found: dict[str, Any]) -> str:
    rows = found["reliability"]
    line = Line("most probable mode", COLOURS[0], [r["stated"] for r in rows], [r["happened"] for r in rows])
    ideal = Line("ideal", "", [0.0, 1.0], [0.0, 1.0])
    picture = chart.lines([line], ideal, x="stated probability", y="share that is closest", low=(0, 0), high=(1, 1))
    error = "" if found["ECE_top_mode"] is None else f"Expected calibration error {found['ECE_top_mode']:.3f}"
    return f"<h3>Reliability of the most probable mode</h3>{picture}<p>{error}</p>"


def _coverage(found: dict[str, Any]) -> str:
    rows = [r for r in found["coverage"] if r["class"] == "all"]
    levels = [key for key in rows[0] if key.isdigit()] if rows else []
    drawn = [
        Line(f"{level} %", COLOURS[i % 4], [r["horizon_s"] for r in rows], [r[level] - float(level) for r in rows])
        for i, level in enumerate(levels)
    ]
    end = max((r["horizon_s"] for r in rows), default=1.0)
    picture = chart.lines(drawn, Line("", "", [0.0, end], [0.0, 0.0]), x="horizon in s", y="covered − nominal, points")
    return f"<h3>Coverage of the mixture's regions</h3>{picture}{chart.key_of(drawn)}"


def _robustness(cells: list[dict[str, Any]], model: str, metric: str) -> str:
    """Return a line for each rate over the share that is lost: whole for frames, dashed for single objects."""
    drawn = []
    for i, rate in enumerate(dict.fromkeys(c["rate_hz"] for c in cells)):
        of_rate = [c for c in cells if c["rate_hz"] == rate]
        name = "as recorded" if rate is None else f"{rate:g} Hz"
        for kind in ("frames", "objects"):
            points = [c for c in of_rate if c["kind"] in (kind, "none")]
            shares, errors = [c["drop"] for c in points], [c["models"][model][metric] for c in points]
            drawn.append(Line(f"{name}, {kind} lost", COLOURS[i % 4], shares, errors, dashed=kind == "objects"))
    picture = chart.lines(drawn, None, x="share lost", y=f"{metric} in m", low=(0, 0))
    return f"<h3>{html.escape(model)}: {metric}</h3>{picture}{chart.key_of(drawn)}"
