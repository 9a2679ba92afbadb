"""nuPlan: hours of driving in four cities with all tracked road users at 20 Hz, as tables of some 20 s."""

from __future__ import annotations

from trajnet.datasets.description import Dataset, Part
from trajnet.datasets.folders import files_in
from trajnet.scenes.formats import SceneFormat
from trajnet.scenes.nuplan import LICENCE, read_nuplan, read_nuplan_scenes

NUPLAN = Dataset(
    name="nuplan",
    title="nuPlan",
    licence=LICENCE,
    download="https://www.nuscenes.org/nuplan, the logs (.db); then `trajnet convert --from nuplan`",
    note="20 Hz, tracked by machine; the maps (GeoPackage) and traffic lights are not read",
    folder="nuplan",
    marker="val",
    parts=tuple(Part(name) for name in ("train", "val", "test", "mini")),
    files=lambda folder, part: files_in(folder / part, "**/*.parquet"),
    format=SceneFormat("nuplan", (".db",), read_nuplan, read_many=read_nuplan_scenes),
)
