"""A map that is ready for use."""

from __future__ import annotations

from dataclasses import dataclass

from trajnet.context.map_field import MapField


@dataclass(frozen=True, eq=False)
class LoadedMap:
    """field: what predictors see. lanelets: how many the map has. broken: of these, left out for their borders."""

    field: MapField
    lanelets: int
    broken: int = 0

    @property
    def words(self) -> str:
        """How large the map is."""
        return f"{self.lanelets} lanelets" + (f" ({self.broken} broken ones left out)" if self.broken else "")
