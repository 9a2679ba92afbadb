"""The data sets that trajnet knows, as a tuple of their descriptions."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath

from trajnet.datasets.apolloscape import APOLLOSCAPE
from trajnet.datasets.argoverse2 import ARGOVERSE2
from trajnet.datasets.av2_sensor import AV2_SENSOR
from trajnet.datasets.description import Dataset
from trajnet.datasets.dlr_ut import DLR_UT
from trajnet.datasets.dut import DUT
from trajnet.datasets.eth_ucy import ETH_UCY
from trajnet.datasets.highd import HIGHD
from trajnet.datasets.interaction import INTERACTION
from trajnet.datasets.levelx import LEVELX
from trajnet.datasets.mona import MONA
from trajnet.datasets.nuplan import NUPLAN
from trajnet.datasets.nuscenes import NUSCENES
from trajnet.datasets.nuscenes_agents import NUSCENES_AGENTS
from trajnet.datasets.nuscenes_mini import NUSCENES_MINI
from trajnet.datasets.nuscenes_tables import NUSCENES_TABLES
from trajnet.datasets.scenarionet import SCENARIONET
from trajnet.datasets.scenes import SCENES
from trajnet.datasets.sind import SIND
from trajnet.datasets.tgsim import TGSIM
from trajnet.datasets.trajdata import TRAJDATA
from trajnet.datasets.vru import VRU
from trajnet.datasets.womd import WOMD
from trajnet.errors import ConfigError, InputError
from trajnet.scenes.formats import COMMONROAD, OWN, TABLE, SceneFormat

DATASETS: tuple[Dataset, ...] = (
    NUSCENES,
    ETH_UCY,
    APOLLOSCAPE,
    VRU,
    ARGOVERSE2,
    AV2_SENSOR,
    WOMD,
    NUPLAN,
    NUSCENES_AGENTS,
    NUSCENES_MINI,
    NUSCENES_TABLES,
    MONA,
    DUT,
    SIND,
    INTERACTION,
    LEVELX,
    HIGHD,
    TGSIM,
    DLR_UT,
    SCENARIONET,
    TRAJDATA,
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


def require_trainable(sources: Iterable[tuple[str, str]], *, non_commercial: bool) -> None:
    """Raise ConfigError, naming the data set, if one of these sources must not be trained on.

    sources: name of a data set and, for scene files, their path; a path counts as the data set whose folder it names.
    non_commercial: whether the model may be non-commercial. Files of a data set of mixed use are accepted by path
    only, where the configuration chooses them and has to answer for their licence; so are folders that no description
    names.
    """
    for name, path in sources:
        named = dataset_named(name)
        found = [d for d in DATASETS if d.folder and d.folder in PurePath(path).parts] if path else [named]
        for dataset in found:
            _require_trainable(dataset, non_commercial=non_commercial, chosen_files=bool(path))


def _require_trainable(dataset: Dataset, *, non_commercial: bool, chosen_files: bool) -> None:
    if dataset.held_out:
        raise ConfigError(
            f"source: expected a data set to train on, got {dataset.name}, which is held out ({dataset.note})"
        )
    allowed = dataset.use == "any" or (dataset.use == "mixed" and chosen_files)
    if not (non_commercial or allowed):
        raise ConfigError(
            f"source: expected data that may be used commercially, as non_commercial: false says, "
            f"got {dataset.name} ({dataset.licence}); set non_commercial: true or leave it out"
        )


def scene_formats() -> list[SceneFormat]:
    """Return every file format of scenes: tables, those of the data sets, CommonRoad, one's own."""
    return [TABLE, *(dataset.format for dataset in DATASETS if dataset.format is not None), COMMONROAD, OWN]


def format_names() -> list[str]:
    """Return the names of all file formats of scenes."""
    return [found.name for found in scene_formats()]
