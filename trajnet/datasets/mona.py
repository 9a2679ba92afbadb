"""MONA: motorway and arterial road in Munich from a camera on a mast, with lanelets, at 5 Hz, as scene tables."""

from __future__ import annotations

from trajnet.datasets.description import Dataset, Part
from trajnet.datasets.folders import files_in

MONA = Dataset(
    name="mona",
    title="MONA",
    licence="not stated: research only",
    download="https://commonroad.in.tum.de/datasets, as CommonRoad scenarios, by `trajnet convert`",
    note="scenes of one site show the same road: train and test on different sites",
    folder="mona",
    marker="MONA-East",
    parts=(Part("east"), Part("west")),
    splits={"east": ("east",), "west": ("west",), "all": ("east", "west")},
    files=lambda folder, part: files_in(folder / f"MONA-{part.capitalize()}", "*.parquet"),
)
