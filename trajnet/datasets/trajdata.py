"""trajdata's caches: nuScenes, nuPlan, Waymo, Lyft, INTERACTION, ETH/UCY, SDD and others in one form."""

from __future__ import annotations

from trajnet.datasets.description import Dataset
from trajnet.scenes.formats import SceneFormat
from trajnet.scenes.trajdata import LICENCE, TABLES, is_resampled, metadata_and_map, read_trajdata

TRAJDATA = Dataset(
    name="trajdata",
    title="trajdata's caches",
    licence=LICENCE,
    download="https://github.com/NVlabs/trajdata, whose UnifiedDataset makes them",
    note="its metadata is pickled: it is read as plain data, and nothing in it is run",
    format=SceneFormat(
        "trajdata",
        (),
        read_trajdata,
        names=(TABLES,),
        is_companion=is_resampled,
        companions=metadata_and_map,
    ),
)
