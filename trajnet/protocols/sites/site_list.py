"""The places that models are judged at: held-out recordings of the known data sets, and folders of scenes by name.

Where a data set has parts that are trained on, a site takes parts that are not. Whether a model was trained on the same
recordings, or on others of the same data set, follows from what its model file says.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import trajnet
from trajnet.datasets.eth_ucy import ETH_UCY
from trajnet.datasets.files import find_scenes, load_scene
from trajnet.datasets.folders import dataset_folder, files_in, part_files
from trajnet.datasets.registry import dataset_named
from trajnet.errors import InputError
from trajnet.types import Scene

#: Whether a model was trained on a site: on the same recordings, on others of the same data set, on neither, or nobody
#: knows (the model file does not say).
Trained = Literal["no", "same data set", "same recordings", "unknown"]


@dataclass(frozen=True)
class Site:
    """A place with recordings.

    name: as ``--sites`` takes it. title: what it shows. files: its scenes. dataset: the registry's name, "" where there
    is none. every_s: time between scored frames. shared_ids: a track id is the same object in all of its files.
    """

    name: str
    title: str
    files: tuple[Path, ...]
    dataset: str = ""
    every_s: float = 1.0
    shared_ids: bool = False

    def read(self, path: Path) -> Scene:
        """Return the scene of one of its files with its map, as training would read it. Raises InputError."""
        reader = dataset_named(self.dataset).read if self.dataset else None
        return load_scene(path, with_map=True) if reader is None else reader(path, True)


@dataclass(frozen=True)
class KnownSite:
    """A site before it is looked for.

    find: (data roots) -> its files; raises InputError where it is not at hand. same, family: parts of a training
    source, as model files name it ("mona west", "scenes commonroad_ngsim/Lankershim"), that stand for the same
    recordings and for others of the same data set.
    """

    name: str
    title: str
    find: Callable[[Sequence[Path]], list[Path]]
    same: tuple[str, ...]
    family: tuple[str, ...]
    dataset: str = ""
    every_s: float = 1.0
    shared_ids: bool = False

    def site(self, roots: Sequence[Path]) -> Site:
        """Return the site. Raises InputError where it is not at hand."""
        files = tuple(self.find(roots))
        return Site(self.name, self.title, files, self.dataset, self.every_s, self.shared_ids)


def _parts(dataset: str, *parts: str) -> Callable[[Sequence[Path]], list[Path]]:
    return partial(_files_of_parts, dataset, parts)


def _files_of_parts(dataset: str, parts: Sequence[str], roots: Sequence[Path]) -> list[Path]:
    return [path for part in parts for path in part_files(dataset_named(dataset), roots, part)]


def _later_pedestrians(roots: Sequence[Path]) -> list[Path]:
    """Return the last stretch of every ETH/UCY recording: the shipped models were trained on the first."""
    return files_in(dataset_folder(ETH_UCY, roots) / "raw" / "val", "*.txt")


def _us101(roots: Sequence[Path]) -> list[Path]:
    """Return one recording of each US-101 scenario: USA_US101-2_3_T-1.xml shows what USA_US101-2_1_T-1.xml shows."""
    folder = next((root / "commonroad_ngsim" / "US101" for root in roots if (root / "commonroad_ngsim").is_dir()), None)
    if folder is None:
        raise InputError(f"{' or '.join(map(str, roots))}: expected a folder commonroad_ngsim/US101, found none")
    first: dict[str, Path] = {}
    for path in files_in(folder, "*_T-*.xml"):
        first.setdefault(re.split(r"_\d+_T-", path.name)[0], path)
    return list(first.values())


def _bundled(_roots: Sequence[Path]) -> list[Path]:
    folder = Path(trajnet.__file__).resolve().parents[1] / "sim" / "scenes"
    if not folder.is_dir():
        raise InputError(f"{folder}: expected the bundled scenes of a checkout, got no such folder")
    return find_scenes(folder)


_NUSCENES = ("nuscenes", "nuscenes_pred", "nuscenes_agents", "nuscenes_mini")

KNOWN_SITES: tuple[KnownSite, ...] = (
    KnownSite(
        "nuscenes_mini", "eight streets in Boston and Singapore, every annotated object, lanes, 10 Hz",
        _parts("nuscenes_mini", "all"),
        ("nuscenes_mini", "nuscenes_pred/label/train", "nuscenes_pred/label/val", "nuscenes train"), _NUSCENES,
        dataset="nuscenes_mini",
    ),
    KnownSite(
        "nuscenes_agents", "streets in Boston and Singapore, tracked detections, rasters, 2 Hz (part val)",
        _parts("nuscenes_agents", "val"),
        ("nuscenes_agents val", "nuscenes_pred/label/test", "nuscenes val"), _NUSCENES,
        dataset="nuscenes_agents", every_s=2.0,
    ),
    KnownSite(
        "mona_east", "motorway and arterial road in Munich, lanes, 5 Hz (part east)",
        _parts("mona", "east"), ("mona east", "MONA-East"), ("mona",), dataset="mona",
    ),
    KnownSite(
        "sind_changchun", "pedestrians at a signalised intersection in Changchun, lanes, 10 Hz",
        _parts("sind", "changchun"), ("sind changchun", "Changchun"), ("sind",), dataset="sind",
    ),
    KnownSite(
        "dut", "students and cars on a campus street in Dalian, no map, 12 Hz",
        _parts("dut", "intersection", "roundabout"), ("dut",), ("dut",), dataset="dut",
    ),
    KnownSite(
        "apolloscape", "streets in Beijing, tracked without velocities, no map, 2 Hz (our test recordings)",
        _parts("apolloscape", "test"), ("apolloscape test",), ("apolloscape",), dataset="apolloscape", every_s=2.0,
    ),
    KnownSite(
        "vru", "people and cyclists at a crossing in Aschaffenburg, each alone, no map, 50 and 12.5 Hz (ours to test)",
        _parts("vru", "pedestrians/test", "cyclists/test"), ("vru pedestrians/test", "vru cyclists/test"), ("vru",),
        dataset="vru",
    ),
    KnownSite(
        "eth_ucy", "pedestrians, no map, 2.5 Hz (the last stretch of each recording)", _later_pedestrians,
        ("eth_ucy/raw/val", "eth_ucy/raw/all_data"), ("eth_ucy",), dataset="eth_ucy",
    ),
    KnownSite(
        "us101", "motorway in Los Angeles, lanes, 10 Hz", _us101,
        ("commonroad_ngsim/US101",), ("commonroad_ngsim",), shared_ids=True,
    ),
    KnownSite(
        "sim", "the bundled scenes: generated traffic, lanes, 10 Hz", _bundled, ("sim/scenes",), ("generated", "sim"),
    ),
)  # fmt: skip


def sites_at_hand(
    roots: Sequence[Path], own: Sequence[tuple[str, Path]] = (), names: Sequence[str] = ()
) -> tuple[list[Site], dict[str, str]]:
    """Return the sites found below the data roots and those of own folders, and the absent ones -> why.

    own: (name, folder or file of scenes). names: only these; all where there are none. Raises InputError for a name
    that no site has, for one given twice, and for an own folder without scenes.
    """
    known = [site.name for site in KNOWN_SITES]
    every = [*known, *(name for name, _ in own)]
    twice = next((name for name in every if every.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"site: expected a name that no other site has, got {twice!r} again")
    unknown = [name for name in names if name not in every]
    if unknown:
        raise InputError(f"sites: expected some of {', '.join(every)}, got {', '.join(unknown)}")
    found, absent = list[Site](), dict[str, str]()
    for site in KNOWN_SITES:
        if names and site.name not in names:
            continue
        try:
            found.append(site.site(roots))
        except InputError as error:
            absent[site.name] = str(error)
    for name, folder in own:
        if not names or name in names:
            found.append(Site(name, str(folder), tuple(find_scenes(folder))))
    return found, absent


def trained_on(site: Site, sources: Sequence[str] | None) -> tuple[Trained, list[str]]:
    """Return whether a model was trained on the site, and the sources that say so.

    sources: what the model was trained on, as its file names it; None where nobody knows.
    A source is matched by its words and by the folders of its paths; of a site given by path, by whether its files lie
    in the folders that a source names.
    """
    if sources is None:
        return "unknown", []
    known = next((k for k in KNOWN_SITES if k.name == site.name), None)
    if known is None:
        matching = [source for source in sources if any(_lies_in(path, source) for path in site.files)]
        return ("same recordings" if matching else "no"), matching
    same = [source for source in sources if any(_names(source, name) for name in known.same)]
    if same:
        return "same recordings", same
    family = [source for source in sources if any(_names(source, name) for name in known.family)]
    return ("same data set" if family else "no"), family


def _lies_in(file: Path, source: str) -> bool:
    """Return whether a file is in the folder, or is the file, that a source "scenes FOLDER" names."""
    wanted = Path(source.partition(" ")[2]).parts
    parts = file.resolve().parts
    return bool(wanted) and any(parts[i : i + len(wanted)] == wanted for i in range(len(parts)))


def _names(source: str, name: str) -> bool:
    """Return whether a source has the name in whole words and folders: "nuscenes val" is not in "nuscenes val_2"."""
    return re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", source) is not None
