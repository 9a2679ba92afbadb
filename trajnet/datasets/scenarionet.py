"""ScenarioNet: scenarios of Waymo, nuScenes, nuPlan, Argoverse 2 and others in one form, for MetaDrive and UniTraj."""

from __future__ import annotations

from trajnet.datasets.description import Dataset
from trajnet.scenes.formats import SceneFormat
from trajnet.scenes.scenarionet import LICENCE, read_scenarionet

SCENARIONET = Dataset(
    name="scenarionet",
    title="ScenarioNet",
    licence=LICENCE,
    download="https://github.com/metadriverse/scenarionet, its converters",
    note="scenarios are pickles: they are read as plain data, and nothing in them is run",
    format=SceneFormat("scenarionet", (), read_scenarionet, names=("sd_*.pkl",)),
)
