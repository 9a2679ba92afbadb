"""What a check says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

#: mistake: predictions would be wrong. doubt: worth a look; the data may be so.
Severity = Literal["mistake", "doubt"]


@dataclass(frozen=True)
class Finding:
    """One finding. check: its name. sentence: what was seen, in numbers. cause: the likely one, and what to do."""

    severity: Severity
    check: str
    sentence: str
    cause: str

    def __str__(self) -> str:
        end = "" if self.cause.endswith("?") else "."
        return f"{self.severity}: {self.sentence}. {self.cause}{end}"


@dataclass(frozen=True)
class SceneCheck:
    """The result for one scene. facts: name -> value in SI units, None where it could not be measured."""

    scene_id: str
    facts: Mapping[str, Any]
    findings: tuple[Finding, ...]

    @property
    def mistakes(self) -> int:
        return sum(finding.severity == "mistake" for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON takes it."""
        return {
            "scene_id": self.scene_id,
            "mistakes": self.mistakes,
            "facts": dict(self.facts),
            "findings": [asdict(finding) for finding in self.findings],
        }
