"""What has come of the map that Autoware publishes. No ROS."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class VectorMapState:
    """What has come so far. words: the map in use; empty before there is one. problem: why the last one is not.

    received: messages. repeated: of these, of the map in use. skipped: a newer one came before they were in use.
    failed: could not be used. used: maps that were taken into use.
    """

    words: str = ""
    problem: str = ""
    received: int = 0
    repeated: int = 0
    skipped: int = 0
    failed: int = 0
    used: int = 0

    def counts(self) -> tuple[tuple[str, int], ...]:
        """Return the counters by name."""
        names = ("received", "repeated", "skipped", "failed", "used")
        return tuple((name, int(getattr(self, name))) for name in names)
