"""Where a data set and the files of its parts are found."""

from __future__ import annotations

from pathlib import Path

import pytest

from trajnet.datasets.dut import DUT
from trajnet.datasets.eth_ucy import ETH_UCY
from trajnet.datasets.folders import dataset_folder, part_files
from trajnet.datasets.nuscenes import NUSCENES
from trajnet.datasets.scenes import SCENES
from trajnet.errors import InputError


def test_splits_have_their_official_names(tmp_path: Path) -> None:
    for folder in ("train", "val", "test"):
        (tmp_path / "nuscenes_pred" / "label" / folder).mkdir(parents=True)
        (tmp_path / "nuscenes_pred" / "label" / folder / f"{folder}.txt").touch()
    (tmp_path / "eth_ucy" / "zara1" / "test").mkdir(parents=True)
    found = {part: part_files(NUSCENES, [tmp_path], part)[0].stem for part in ("train", "train_val", "val")}
    assert found == {"train": "train", "train_val": "val", "val": "test"}
    assert part_files(NUSCENES, [tmp_path / "nuscenes_pred"], "val") == part_files(NUSCENES, [tmp_path], "val")
    with pytest.raises(InputError, match="nuScenes split: expected one of train, train_val, val, got 'test'"):
        part_files(NUSCENES, [tmp_path], "test")
    for part in ("zara3/test", "zara1/dev"):
        with pytest.raises(InputError, match=f"ETH/UCY split: expected one of eth/train, .* got '{part}'"):
            part_files(ETH_UCY, [tmp_path], part)
    with pytest.raises(InputError, match="found none; is the data complete"):
        part_files(ETH_UCY, [tmp_path], "zara1/test")
    with pytest.raises(InputError, match="no such data folder"):
        part_files(NUSCENES, [tmp_path / "none"], "val")
    with pytest.raises(InputError, match="give the folder that holds eth_ucy"):
        part_files(ETH_UCY, [tmp_path / "nuscenes_pred"], "eth/test")
    with pytest.raises(InputError, match="scene files: expected a path instead of a split, got 'train'"):
        part_files(SCENES, [tmp_path], "train")


def test_the_first_root_that_has_the_data_is_taken(tmp_path: Path) -> None:
    for root in ("b", "c"):
        (tmp_path / root / "eth_ucy" / "zara1").mkdir(parents=True)
    roots = [tmp_path / name for name in ("missing", "b", "c")]
    assert dataset_folder(ETH_UCY, roots) == tmp_path / "b" / "eth_ucy"


def test_a_folder_without_a_marker_goes_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "dut").mkdir()
    (tmp_path / "other").mkdir()
    assert dataset_folder(DUT, [tmp_path]) == dataset_folder(DUT, [tmp_path / "dut"]) == tmp_path / "dut"
    with pytest.raises(InputError, match="expected a folder 'dut', found none"):
        dataset_folder(DUT, [tmp_path / "other"])
