"""Log-log plot of latency against the number of objects, as SVG."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from trajnet.bench.latency import SizeResult

_WIDTH, _HEIGHT = 720, 460
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 190, 48, 52
_RIGHT_EDGE, _BOTTOM_EDGE = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
_FONT = 'font-family="sans-serif" font-size="13"'
_LINES: tuple[tuple[str, str, str], ...] = (
    ("total p99", "#b2182b", ""),
    ("total p50", "#2166ac", ""),
    ("model p50", "#67a9cf", ""),
    ("constant velocity p50", "#4d4d4d", "6 4"),
    ("equal matrix product p50", "#1b7837", "2 3"),
)


@dataclass(frozen=True)
class _Axes:
    """Mapping from values to SVG coordinates; both axes are logarithmic to base 10."""

    x_low: float
    x_high: float
    y_low: int
    y_high: int

    @classmethod
    def around(cls, sizes: Sequence[SizeResult], values_ms: Sequence[float]) -> _Axes:
        """Return axes from the smallest to the largest size and over whole decades of these times."""
        agents = [s.agents for s in sizes]
        return cls(
            math.log10(min(agents)), math.log10(max(agents)),
            math.floor(math.log10(min(values_ms))), math.ceil(math.log10(max(values_ms))),
        )  # fmt: skip

    def x(self, agents: float) -> float:
        across = (math.log10(agents) - self.x_low) / max(self.x_high - self.x_low, 1e-9)
        return _LEFT + across * (_WIDTH - _LEFT - _RIGHT)

    def y(self, ms: float) -> float:
        up = (math.log10(ms) - self.y_low) / max(self.y_high - self.y_low, 1)
        return _HEIGHT - _BOTTOM - up * (_HEIGHT - _TOP - _BOTTOM)


def latency_picture(sizes: Sequence[SizeResult], title: str) -> str:
    """Return the SVG for two or more sizes; lines without values (no model, no references) are left out."""
    series = {name: [(s.agents, _value(s, name)) for s in sizes] for name, *_ in _LINES}
    series = {name: [p for p in points if p[1] > 0] for name, points in series.items()}
    axes = _Axes.around(sizes, [ms for points in series.values() for _, ms in points])
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" {_FONT}>',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
        f'<text x="{_LEFT}" y="26" font-size="15">{html.escape(title)}</text>',
        *_time_grid(axes),
        *_size_grid(axes, sizes),
        f'<text x="{(_LEFT + _RIGHT_EDGE) / 2}" y="{_HEIGHT - 12}" text-anchor="middle">objects</text>',
        f'<text x="16" y="{_TOP - 8}">ms</text>',
    ]
    drawn = [(name, colour, dash) for name, colour, dash in _LINES if series[name]]
    for row, (name, colour, dash) in enumerate(drawn):
        parts += _line(axes, series[name], colour, dash)
        parts += _key(row, name, colour, dash)
    return "\n".join([*parts, "</svg>", ""])


def _time_grid(axes: _Axes) -> Iterator[str]:
    """Draw horizontal lines at 1, 2, ... 9 times each power of ten up to the last, and label the powers."""
    for decade in range(axes.y_low, axes.y_high + 1):
        for times in range(1, 10 if decade < axes.y_high else 2):
            shade = "#bbb" if times == 1 else "#eee"
            y = axes.y(times * 10.0**decade)
            yield f'<path d="M{_LEFT} {y:.1f}H{_RIGHT_EDGE}" stroke="{shade}"/>'
        y = axes.y(10.0**decade)
        yield f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{10.0**decade:g}</text>'


def _size_grid(axes: _Axes, sizes: Sequence[SizeResult]) -> Iterator[str]:
    for size in sizes:
        x = axes.x(size.agents)
        yield f'<path d="M{x:.1f} {_TOP}V{_BOTTOM_EDGE}" stroke="#ddd"/>'
        yield f'<text x="{x:.1f}" y="{_BOTTOM_EDGE + 18}" text-anchor="middle">{size.agents}</text>'


def _line(axes: _Axes, points: Sequence[tuple[int, float]], colour: str, dash: str) -> Iterator[str]:
    """Draw a line with a dot at each (number of objects, ms)."""
    places = [(axes.x(agents), axes.y(ms)) for agents, ms in points]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    yield f'<polyline points="{line}" fill="none" stroke-width="2" {_stroke(colour, dash)}/>'
    for x, y in places:
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>'


def _key(row: int, name: str, colour: str, dash: str) -> Iterator[str]:
    y = _TOP + 10 + 22 * row
    yield f'<path d="M{_RIGHT_EDGE + 14} {y}h24" stroke-width="2" {_stroke(colour, dash)}/>'
    yield f'<text x="{_RIGHT_EDGE + 44}" y="{y + 4}">{name}</text>'


def _stroke(colour: str, dash: str) -> str:
    return f'stroke="{colour}" stroke-dasharray="{dash}"'


def _value(size: SizeResult, name: str) -> float:
    """Return the value of a line in ms; NaN or 0 where it was not measured."""
    return {
        "total p99": size.latency["total"].p99_ms,
        "total p50": size.latency["total"].p50_ms,
        "model p50": size.latency["model"].p50_ms,
        "constant velocity p50": size.cv_ms,
        "equal matrix product p50": size.product_ms,
    }[name]
