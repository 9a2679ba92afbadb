"""nuScenes from its own tables: all annotated objects at 2 Hz with vector maps, for `trajnet convert`."""

from __future__ import annotations

from trajnet.datasets.description import Dataset, Part
from trajnet.datasets.folders import files_in
from trajnet.scenes.formats import SceneFormat
from trajnet.scenes.nuscenes_tables import (
    ANNOTATIONS,
    LICENCE,
    other_tables,
    read_nuscenes_scenes,
    read_nuscenes_tables,
)

NUSCENES_TABLES = Dataset(
    name="nuscenes_tables",
    title="nuScenes, its own tables",
    licence=LICENCE,
    download="https://www.nuscenes.org, metadata and map expansion; then `trajnet convert --from nuscenes_tables`",
    note="2 Hz, no measured velocities; its scenes are those of nuscenes, nuscenes_agents and nuscenes_mini",
    folder="nuscenes_tables",
    marker="v1.0-trainval",
    parts=(Part("v1.0-trainval"), Part("v1.0-mini")),
    files=lambda folder, part: files_in(folder / part, "**/*.parquet"),
    format=SceneFormat(
        "nuscenes_tables",
        (),
        read_nuscenes_tables,
        names=(ANNOTATIONS,),
        read_many=read_nuscenes_scenes,
        companions=other_tables,
    ),
)
