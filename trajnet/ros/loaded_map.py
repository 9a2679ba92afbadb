"""A map that is ready for use, and the file in which the process that drew it hands it over."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from trajnet.context.crosswalks import Crosswalks
from trajnet.context.map_field import MapField

#: What the names of the crosswalks' arrays in the file begin with.
WALKS = "crosswalks_"


@dataclass(frozen=True, eq=False)
class LoadedMap:
    """field: what predictors see. lanelets: how many the map has. broken: of these, left out for their borders.

    crosswalks: None where it has none.
    """

    field: MapField
    lanelets: int
    broken: int = 0
    crosswalks: Crosswalks | None = None

    @property
    def words(self) -> str:
        """How large the map is."""
        return f"{self.lanelets} lanelets" + (f" ({self.broken} broken ones left out)" if self.broken else "")

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
            arrays |= {f"{WALKS}{each.name}": getattr(self.crosswalks, each.name) for each in fields(Crosswalks)}
        np.savez(path, **arrays)

    @staticmethod
    def load(path: Path) -> LoadedMap:
        """Return the map that save wrote."""
        with np.load(path, allow_pickle=False) as file:
            scale = float(file["pixels_per_m"])
            field = MapField(file["origin_m"], scale, file["distance"], file.get("direction"))
            lanelets, broken = file["counts"].tolist()
            walks = {each.name: file.get(f"{WALKS}{each.name}") for each in fields(Crosswalks)}
        crosswalks = None if walks["begin_m"] is None else Crosswalks(**walks)
        return LoadedMap(field, lanelets, broken, crosswalks)
