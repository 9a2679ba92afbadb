"""What every status of the diagnostics is made of: levels, limits, what was judged, and hysteresis. No ROS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from trajnet.config import require


class Level(IntEnum):
    """The levels of diagnostic_msgs/DiagnosticStatus that are used here."""

    OK = 0
    WARN = 1
    ERROR = 2


@dataclass(frozen=True)
class Limit:
    """A value above warn is WARN, above error is ERROR. warn = 0 means that any occurrence warns."""

    warn: float
    error: float

    def __post_init__(self) -> None:
        require(0 <= self.warn <= self.error, f"limit: expected 0 <= warn <= error, got {self.warn} and {self.error}")

    def level(self, value: float) -> Level:
        return Level.ERROR if value > self.error else Level.WARN if value > self.warn else Level.OK


@dataclass(frozen=True)
class Status:
    """One diagnostic_msgs/DiagnosticStatus without its types."""

    name: str
    level: Level
    message: str
    values: tuple[tuple[str, str], ...]


@dataclass
class Held:
    """A level that rises at once and falls when it has been lower for recover_ns."""

    recover_ns: int
    level: Level = Level.OK
    message: str = "fine"
    _lower_since_ns: int | None = None

    def update(self, level: Level, message: str, now_ns: int) -> None:
        if level >= self.level:
            self.level, self.message, self._lower_since_ns = level, message, None
            return
        if self._lower_since_ns is None or now_ns < self._lower_since_ns:
            self._lower_since_ns = now_ns
        if now_ns - self._lower_since_ns >= self.recover_ns:
            self.level, self.message, self._lower_since_ns = level, message, None
        elif not self.message.startswith("recovering: "):
            self.message = f"recovering: {self.message}"


@dataclass
class Judged:
    """What several checks found, with the values that led to it."""

    problems: list[tuple[Level, str]] = field(default_factory=list)
    values: list[tuple[str, str]] = field(default_factory=list)

    def check(self, limit: Limit, value: float, message: str) -> None:
        self.raise_to(limit.level(value), message)

    def raise_to(self, level: Level, message: str) -> None:
        if level > Level.OK:
            self.problems.append((level, message))

    @property
    def level(self) -> Level:
        return max((level for level, _ in self.problems), default=Level.OK)

    @property
    def message(self) -> str:
        """Every problem, the worst first."""
        return "; ".join(m for _, m in sorted(self.problems, key=lambda p: -p[0])) or "fine"

    def add(self, key: str, value: str) -> Judged:
        self.values.append((key, value))
        return self

    def add_totals(self, totals: Any, names: Sequence[str]) -> Judged:
        """Add counts since the start, by the names of their attributes."""
        for name in names:
            self.add(f"{name}_total", str(getattr(totals, name)))
        return self
