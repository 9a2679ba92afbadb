"""DUT: students and cars that share a campus street without lanes, from a drone, as scene tables of 12 Hz."""

from __future__ import annotations

from trajnet.datasets.description import Dataset, Part
from trajnet.datasets.folders import files_in

DUT = Dataset(
    name="dut",
    title="DUT",
    licence="none stated: research only",
    download="https://github.com/dongfang-steven-yang/vci-dataset-dut",
    note="no map; pedestrians of two clips may be missing",
    folder="dut",
    parts=(Part("intersection"), Part("roundabout")),
    splits={
        "intersection": ("intersection",),
        "roundabout": ("roundabout",),
        "all": ("intersection", "roundabout"),
    },
    files=lambda folder, part: files_in(folder, f"{part}_*.parquet"),
)
