"""Which files belong to which split of the benchmarks, in the folders of the data's README."""

from __future__ import annotations

from pathlib import Path

from trajnet.errors import InputError

#: The challenge's split -> the folder it is in. What the files call val is train_val, what they call test is val.
NUSCENES_FOLDERS: dict[str, str] = {"train": "train", "train_val": "val", "val": "test"}

#: Prediction targets in each split, as the challenge publishes them.
NUSCENES_TARGETS: dict[str, int] = {"train": 32_186, "train_val": 8_560, "val": 9_041}

ETH_UCY_SCENES: tuple[str, ...] = ("eth", "hotel", "univ", "zara1", "zara2")
ETH_UCY_SPLITS: tuple[str, ...] = ("train", "val", "test")


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
