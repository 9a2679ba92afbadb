"""Which files belong to which split of the benchmarks, in the folders of the data's README."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from trajnet.errors import InputError
from trajnet.scenes.vru import MOTIONS, ROAD_USERS

#: The challenge's split -> the folder it is in. What the files call val is train_val, what they call test is val.
NUSCENES_FOLDERS: dict[str, str] = {"train": "train", "train_val": "val", "val": "test"}

#: Prediction targets in each split, as the challenge publishes them.
NUSCENES_TARGETS: dict[str, int] = {"train": 32_186, "train_val": 8_560, "val": 9_041}

ETH_UCY_SCENES: tuple[str, ...] = ("eth", "hotel", "univ", "zara1", "zara2")
ETH_UCY_SPLITS: tuple[str, ...] = ("train", "val", "test")

#: ApolloScape and VRU have no official split with futures. Ours: the groups of files (what was recorded together) are
#: ordered by a hash of SPLIT_SEED and their name; the first TEST_SHARE are test, the next VAL_SHARE val, the rest are
#: train.
OWN_SPLITS: tuple[str, ...] = ("train", "val", "test")
SPLIT_SEED = 0
TEST_SHARE = 0.2
VAL_SHARE = 0.1

#: Files of the whole data sets; others would be split in another way.
APOLLOSCAPE_FILES = 53
VRU_FILES: dict[str, int] = {"pedestrians": 1068, "cyclists": 494}


def nuscenes_split(data: Path, split: str) -> list[Path]:
    """The label files of ``train``, ``train_val`` or ``val``. data: the folder of all data, or nuscenes_pred itself."""
    if split not in NUSCENES_FOLDERS:
        raise InputError(f"nuScenes split: expected one of {', '.join(NUSCENES_FOLDERS)}, got {split!r}")
    root = _dataset_folder(data, "nuscenes_pred", "label")
    return _text_files(root / "label" / NUSCENES_FOLDERS[split])


def eth_ucy_split(data: Path, scene: str, split: str) -> list[Path]:
    """The files of one leave-one-out fold: scene is the one left out (the test files), split train, val or test."""
    if scene not in ETH_UCY_SCENES:
        raise InputError(f"ETH/UCY scene: expected one of {', '.join(ETH_UCY_SCENES)}, got {scene!r}")
    if split not in ETH_UCY_SPLITS:
        raise InputError(f"ETH/UCY split: expected one of {', '.join(ETH_UCY_SPLITS)}, got {split!r}")
    root = _dataset_folder(data, "eth_ucy", "zara1")
    return _text_files(root / scene / split)


def apolloscape_split(data: Path, split: str) -> list[Path]:
    """The files of ``train``, ``val`` or ``test`` of our own split (OWN_SPLITS); the benchmark's test has no futures.

    Pieces of one recording (``result_9051_5``, ``result_9051_7``) stay together: they show the same traffic.
    """
    files = sorted((_dataset_folder(data, "apolloscape", "prediction_train") / "prediction_train").glob("*.txt"))
    _require_files("ApolloScape", files, APOLLOSCAPE_FILES)
    return _own_split(files, split, [file.stem.rpartition("_frame")[0].rpartition("_")[0] for file in files])


def vru_split(data: Path, split: str, road_user: str) -> list[Path]:
    """The files of ``train``, ``val`` or ``test`` of our own split (OWN_SPLITS). road_user: pedestrians or cyclists.

    The pieces of one person's track (``moving/1008_27``, ``starting/1008_1``) stay together: the number before the
    underscore is taken for the person. Persons are ordered within each set of motions that they show.
    """
    if road_user not in ROAD_USERS:
        raise InputError(f"VRU road user: expected one of {', '.join(ROAD_USERS)}, got {road_user!r}")
    root = _dataset_folder(data, "vru_aschaffenburg", "pedestrians") / road_user
    files = sorted(file for motion in MOTIONS for file in (root / motion).glob("*.csv"))
    _require_files(f"VRU {road_user}", files, VRU_FILES[road_user])
    person = [file.stem.partition("_")[0] for file in files]
    shown: dict[str, set[str]] = {}
    for name, file in zip(person, files, strict=True):
        shown.setdefault(name, set()).add(file.parent.name)
    return _own_split(files, split, person, [" ".join(sorted(shown[name])) for name in person])


def _own_split(files: Sequence[Path], split: str, group: Sequence[str], stratum: Sequence[str] = ()) -> list[Path]:
    """The files of a split of ours; files of one group stay together, each stratum of groups is split by itself."""
    if split not in OWN_SPLITS:
        raise InputError(f"split: expected one of {', '.join(OWN_SPLITS)}, got {split!r}")
    chosen: set[str] = set()
    strata = list(stratum) or [""] * len(files)
    for kind in sorted(set(strata)):
        names = {name for name, other in zip(group, strata, strict=True) if other == kind}
        ordered = sorted(names, key=lambda name: hashlib.sha256(f"{SPLIT_SEED} {kind} {name}".encode()).hexdigest())
        test = round(TEST_SHARE * len(ordered))
        val = test + round(VAL_SHARE * len(ordered))
        chosen.update({"test": ordered[:test], "val": ordered[test:val], "train": ordered[val:]}[split])
    return [file for file, name in zip(files, group, strict=True) if name in chosen]


def _require_files(what: str, files: Sequence[Path], expected: int) -> None:
    if len(files) != expected:
        raise InputError(
            f"{what}: expected the {expected:,} files of the data set, got {len(files):,}; is it complete?"
        )


def _dataset_folder(data: Path, name: str, marker: str) -> Path:
    if not data.is_dir():
        raise InputError(f"{data}: no such data folder; give the folder that holds {name}")
    for root in (data / name, data):
        if (root / marker).is_dir():
            return root
    raise InputError(
        f"{data}: expected a folder {name} with {marker} in it, found none; give the folder that holds {name}"
    )


def _text_files(folder: Path) -> list[Path]:
    files = sorted(folder.glob("*.txt"))
    if not files:
        raise InputError(f"{folder}: expected .txt files of the split, found none; is the data complete?")
    return files
