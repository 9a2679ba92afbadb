"""Latency against the number of objects, both logarithmic, as an SVG that needs nothing but a browser."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

from trajnet.bench.latency import SizeResult

_WIDTH, _HEIGHT = 720, 460
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 190, 48, 52
_FONT = 'font-family="sans-serif" font-size="13"'
_LINES: tuple[tuple[str, str, str], ...] = (
    ("total p99", "#b2182b", ""),
    ("total p50", "#2166ac", ""),
    ("model p50", "#67a9cf", ""),
    ("constant velocity p50", "#4d4d4d", "6 4"),
    ("equal matrix product p50", "#1b7837", "2 3"),
)


def latency_picture(sizes: Sequence[SizeResult], title: str) -> str:
    """The picture of two or more sizes; lines without a figure (no model, no references) are left out."""
    series = {name: [(s.agents, _value(s, name)) for s in sizes] for name, *_ in _LINES}
    series = {name: [p for p in points if p[1] > 0] for name, points in series.items()}
    values = [ms for points in series.values() for _, ms in points]
    x_low, x_high = math.log10(min(s.agents for s in sizes)), math.log10(max(s.agents for s in sizes))
    y_low, y_high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    x_span, y_span = max(x_high - x_low, 1e-9), max(y_high - y_low, 1)

    def place(agents: float, ms: float) -> tuple[float, float]:
        across = (math.log10(agents) - x_low) / x_span
        up = (math.log10(ms) - y_low) / y_span
        return _LEFT + across * (_WIDTH - _LEFT - _RIGHT), _HEIGHT - _BOTTOM - up * (_HEIGHT - _TOP - _BOTTOM)

    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" {_FONT}>',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
        f'<text x="{_LEFT}" y="26" font-size="15">{html.escape(title)}</text>',
    ]
    for decade in range(y_low, y_high + 1):
        for times in range(1, 10 if decade < y_high else 2):
            y = place(sizes[0].agents, times * 10.0**decade)[1]
            shade = "#bbb" if times == 1 else "#eee"
            parts.append(f'<path d="M{_LEFT} {y:.1f}H{right}" stroke="{shade}"/>')
        y = place(sizes[0].agents, 10.0**decade)[1]
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{10.0**decade:g}</text>')
    for size in sizes:
        x = place(size.agents, 10.0**y_low)[0]
        parts.append(f'<path d="M{x:.1f} {_TOP}V{bottom}" stroke="#ddd"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{size.agents}</text>')
    parts.append(f'<text x="{(_LEFT + right) / 2}" y="{_HEIGHT - 12}" text-anchor="middle">objects</text>')
    parts.append(f'<text x="16" y="{_TOP - 8}">ms</text>')
    drawn = [(name, colour, dash) for name, colour, dash in _LINES if series[name]]
    for row, (name, colour, dash) in enumerate(drawn):
        points = [place(*p) for p in series[name]]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        style = f'stroke="{colour}" stroke-dasharray="{dash}"'
        parts.append(f'<polyline points="{line}" fill="none" stroke-width="2" {style}/>')
        parts.extend(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points)
        key = _TOP + 10 + 22 * row
        parts.append(f'<path d="M{right + 14} {key}h24" stroke-width="2" {style}/>')
        parts.append(f'<text x="{right + 44}" y="{key + 4}">{name}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _value(size: SizeResult, name: str) -> float:
    """The figure of a line in ms, NaN or 0 where there is none."""
    return {
        "total p99": size.latency["total"].p99_ms,
        "total p50": size.latency["total"].p50_ms,
        "model p50": size.latency["model"].p50_ms,
        "constant velocity p50": size.cv_ms,
        "equal matrix product p50": size.product_ms,
    }[name]
