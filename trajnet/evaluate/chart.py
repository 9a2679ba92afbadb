"""Small charts as SVG text, drawn without any library."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 420, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 14, 10, 40


@dataclass(frozen=True)
class Line:
    """A named line through points (x, y)."""

    name: str
    colour: str
    x: Sequence[float]
    y: Sequence[float]
    dashed: bool = False


def lines(
    drawn: Sequence[Line],
    ideal: Line | None,
    *,
    x: str,
    y: str,
    low: tuple[float | None, float | None] = (None, None),
    high: tuple[float | None, float | None] = (None, None),
) -> str:
    """Return a chart of lines, and an ideal one in grey. x, y: the axes' labels. low, high: fixed ends of the axes."""
    every = [*drawn, *([] if ideal is None else [ideal])]
    xs, ys = [v for one in every for v in one.x], [v for one in every for v in one.y]
    x_ticks, y_ticks = ticks(xs, low[0], high[0]), ticks(ys, low[1], high[1])

    def at(px: float, py: float) -> str:
        across = (px - x_ticks[0]) / (x_ticks[-1] - x_ticks[0])
        up = (py - y_ticks[0]) / (y_ticks[-1] - y_ticks[0])
        return (
            f"{_LEFT + across * (WIDTH - _LEFT - _RIGHT):.1f},{HEIGHT - _BOTTOM - up * (HEIGHT - _TOP - _BOTTOM):.1f}"
        )

    parts = []
    for tick in y_ticks:
        (left, height), (right, _) = at(x_ticks[0], tick).split(","), at(x_ticks[-1], tick).split(",")
        parts.append(f'<line class="axis" x1="{left}" y1="{height}" x2="{right}" y2="{height}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{float(height) + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for tick in x_ticks:
        place = at(tick, y_ticks[0]).split(",")[0]
        parts.append(f'<text x="{place}" y="{HEIGHT - _BOTTOM + 16}" text-anchor="middle">{tick:g}</text>')
    parts.append(f'<text x="{WIDTH / 2:g}" y="{HEIGHT - 6}" text-anchor="middle">{html.escape(x)}</text>')
    parts.append(
        f'<text x="12" y="{HEIGHT / 2 - 15:g}" text-anchor="middle" transform="rotate(-90 12 {HEIGHT / 2 - 15:g})">'
        f"{html.escape(y)}</text>"
    )
    if ideal is not None:
        parts.append(f'<polyline class="line ideal" points="{_points(ideal, at)}"/>')
    for one in drawn:
        style = f'class="line{" dashed" if one.dashed else ""}" style="stroke: {one.colour}"'
        parts.append(f'<polyline {style} points="{_points(one, at)}"/>')
    return _svg(HEIGHT, parts)


def bars(rows: Sequence[tuple[str, float, float, str]], colours: tuple[str, str]) -> str:
    """For each row its label, two shares from 0 to 1 as bars of the two colours, and a text behind them."""
    step, left, right = 30, 96, 110
    parts = []
    for i, (label, first, second, text) in enumerate(rows):
        top = i * step + 4
        parts.append(f'<text x="{left - 8}" y="{top + 15}" text-anchor="end">{html.escape(label)}</text>')
        room = WIDTH - left - right
        for share, colour, offset in ((first, colours[0], 0), (second, colours[1], 11)):
            width = max(share * room, 1.0)
            parts.append(
                f'<rect x="{left}" y="{top + offset}" width="{width:.1f}" height="9" rx="2" style="fill: {colour}"/>'
            )
        end = left + max(first, second, 0.01) * room + 8
        parts.append(f'<text x="{end:.1f}" y="{top + 15}">{second:.0%} · {html.escape(text)}</text>')
    return _svg(len(rows) * step + 4, parts)


def key(entries: Sequence[tuple[str, str]]) -> str:
    """Return what the colours mean: (colour, name)."""
    inside = "".join(f'<span><i style="background: {c}"></i>{html.escape(n)}</span>' for c, n in entries)
    return f'<div class="key">{inside}</div>'


def key_of(drawn: Sequence[Line]) -> str:
    """Return the key of a chart of lines."""
    return key([(one.colour, f"{one.name} (dashed)" if one.dashed else one.name) for one in drawn])


def ticks(values: Sequence[float], low: float | None = None, high: float | None = None) -> list[float]:
    """Four to eight round numbers that hold all finite values; at least two."""
    finite = [v for v in values if math.isfinite(v)] or [0.0, 1.0]
    low = min(finite) if low is None else low
    high = max(max(finite) if high is None else high, low + 1e-9)
    raw = (high - low) / 5
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(unit * m for m in (1, 2, 2.5, 5, 10) if unit * m >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 12) for i in range(first, max(last, first + 1) + 1)]


def _points(line: Line, at: Callable[[float, float], str]) -> str:
    return " ".join(at(px, py) for px, py in zip(line.x, line.y, strict=True) if math.isfinite(py))


def _svg(height: int, parts: Sequence[str]) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img">{"".join(parts)}</svg>'
