"""The data sets that trajnet knows, as a tuple of their descriptions."""

from __future__ import annotations

from trajnet.datasets.apolloscape import APOLLOSCAPE
from trajnet.datasets.argoverse2 import ARGOVERSE2
from trajnet.datasets.description import Dataset
from trajnet.datasets.dut import DUT
from trajnet.datasets.eth_ucy import ETH_UCY
from trajnet.datasets.mona import MONA
from trajnet.datasets.nuscenes import NUSCENES
from trajnet.datasets.nuscenes_agents import NUSCENES_AGENTS
from trajnet.datasets.nuscenes_mini import NUSCENES_MINI
from trajnet.datasets.scenes import SCENES
from trajnet.datasets.sind import SIND
from trajnet.datasets.vru import VRU
from trajnet.errors import InputError
from trajnet.scenes.formats import COMMONROAD, TABLE, SceneFormat

DATASETS: tuple[Dataset, ...] = (
    NUSCENES,
    ETH_UCY,
    APOLLOSCAPE,
    VRU,
    ARGOVERSE2,
    NUSCENES_AGENTS,
    NUSCENES_MINI,
    MONA,
    DUT,
    SIND,
    SCENES,
)


def dataset_names() -> list[str]:
    """Return the names of all data sets."""
    return [dataset.name for dataset in DATASETS]


def dataset_named(name: str) -> Dataset:
    """Return the data set of this name. Raises InputError."""
    for dataset in DATASETS:
        if dataset.name == name:
            return dataset
    raise InputError(f"dataset: expected one of {', '.join(dataset_names())}, got {name!r}")


def scene_formats() -> list[SceneFormat]:
    """Return every file format of scenes: tables, those of the data sets, CommonRoad."""
    return [TABLE, *(dataset.format for dataset in DATASETS if dataset.format is not None), COMMONROAD]


def format_names() -> list[str]:
    """Return the names of all file formats of scenes."""
    return [found.name for found in scene_formats()]
