"""All agents of nuScenes scenes, from public detections, transformed into the map frame and tracked, as scene tables.

The noise is that of a real detector. In frames in which a target's label does not list it, its vehicle can appear as a
track ``n...``.
"""

from __future__ import annotations

from trajnet.datasets.description import Dataset, Part
from trajnet.datasets.folders import files_in

NUSCENES_AGENTS = Dataset(
    name="nuscenes_agents",
    title="nuScenes, all agents",
    licence="CC BY-NC-SA 4.0 (nuScenes) and AB3DMOT's academic, non-commercial licence: research only",
    download="made from nuScenes' labels and the detections of https://github.com/xinshuoweng/AB3DMOT",
    note="2 Hz, no map; the challenge's splits, as far as there are detections",
    folder="nuscenes_agents",
    marker="train_val",
    parts=(Part("train"), Part("train_val"), Part("val")),
    files=lambda folder, part: files_in(folder / part, "*.parquet"),
)
