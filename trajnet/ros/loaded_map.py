"""A map that is ready for use, and the file in which the process that drew it hands it over."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from trajnet.context.crosswalks import Crosswalks
from trajnet.context.lane_paths import LanePaths
from trajnet.context.map_field import MapField, MapView
from trajnet.inference.crossing.modes import Crossing


@dataclass(frozen=True, eq=False)
class LoadedMap:
    """field: what predictors see. lanelets: how many the map has. broken: of these, left out for their borders.

    crosswalks: those of the map; None where it has none. lane_paths: its lanes, to which paths of vehicles keep.
    crossing: what puts crosswalks among the paths of people, once it has been prepared.
    """

    field: MapField
    lanelets: int
    broken: int = 0
    crosswalks: Crosswalks | None = None
    lane_paths: LanePaths | None = None
    crossing: Crossing | None = None

    @property
    def words(self) -> str:
        """How large the map is."""
        crosswalks = "" if self.crosswalks is None else f", {len(self.crosswalks.length_m)} crosswalks"
        broken = f" ({self.broken} broken ones left out)" if self.broken else ""
        return f"{self.lanelets} lanelets{broken}{crosswalks}"

    def prepared(self, view: MapView | None) -> LoadedMap:
        """Return the map with everything made that its first frame would have to wait for."""
        if view is not None:
            self.field.prepare(view)
        return self if self.crosswalks is None else replace(self, crossing=Crossing(self.crosswalks))

    def save(self, path: Path) -> None:
        """Write the map to an .npz file."""
        arrays: dict[str, Any] = {
            "origin_m": self.field.origin_m,
            "pixels_per_m": np.array(self.field.pixels_per_m),
            "distance": self.field.distance,
            "counts": np.array([self.lanelets, self.broken]),
        }
        if self.field.direction is not None:
            arrays["direction"] = self.field.direction
        if self.crosswalks is not None:
            arrays |= {f"crosswalks.{each.name}": getattr(self.crosswalks, each.name) for each in fields(Crosswalks)}
        if self.lane_paths is not None:
            arrays |= {f"lanes.{name}": values for name, values in self.lane_paths.tables().items()}
        np.savez(path, **arrays)

    @staticmethod
    def load(path: Path) -> LoadedMap:
        """Return the map that save wrote."""
        with np.load(path, allow_pickle=False) as file:
            scale = float(file["pixels_per_m"])
            field = MapField(file["origin_m"], scale, file["distance"], file.get("direction"))
            lanelets, broken = file["counts"].tolist()
            found = {each.name: file.get(f"crosswalks.{each.name}") for each in fields(Crosswalks)}
            tables = {name.removeprefix("lanes."): file[name] for name in file.files if name.startswith("lanes.")}
        crosswalks = None if any(each is None for each in found.values()) else Crosswalks(**found)
        return LoadedMap(field, lanelets, broken, crosswalks, LanePaths.restored(tables) if tables else None)
