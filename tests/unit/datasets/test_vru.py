"""VRU files: what is read, how they are split, and one clear sentence for each kind of bad input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.unit.datasets.text_files import VRU_LINE, write
from trajnet.datasets import vru
from trajnet.datasets.files import load_scene
from trajnet.datasets.folders import part_files
from trajnet.datasets.own_split import OWN_SPLITS
from trajnet.datasets.vru import VRU
from trajnet.errors import InputError
from trajnet.types import DEFAULT_SIZE_M, ObjectClass


def test_vru_columns_and_what_the_folders_say(tmp_path: Path) -> None:
    rows = "0,0.02,-2.3,1.0\n1,0.04,-2.2,1.1\n2,0.04,9.0,9.0\n4,0.08,-2.0,1.2\n"
    scene = load_scene(write(tmp_path / "pedestrians" / "starting" / "1179_4.csv", VRU_LINE + rows))
    assert (scene.scene_id, scene.track_id) == ("pedestrians/starting/1179_4", ("1179_4",))
    assert scene.timestamp_ns.tolist() == [20_000_000, 40_000_000, 80_000_000]  # no second row at one time
    assert scene.frame_number.tolist() == [0, 1, 4]
    assert scene.position_m.tolist() == [[-2.3, 1.0], [-2.2, 1.1], [-2.0, 1.2]]
    assert scene.object_class.tolist() == [ObjectClass.PEDESTRIAN]
    assert scene.size_m.tolist() == [DEFAULT_SIZE_M[ObjectClass.PEDESTRIAN].tolist()]
    assert not scene.yaw_valid.any()
    rider = load_scene(write(tmp_path / "cyclists" / "waiting" / "7.csv", VRU_LINE + "0,0.0,1,2\n"))
    assert rider.object_class.tolist() == [ObjectClass.BICYCLE]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "an empty file"),
        ("time;x;y\n", "expected id, got a table with time, x, y; state them with columns id=NAME"),
        (VRU_LINE, "expected rows of 4 columns below the first line, got none"),
        (VRU_LINE + "0,0.0,1\n", "line 2: expected 4 columns, got 3"),
        (VRU_LINE + "0,0.0,1,2\n1,zero,1,2\n", r"line 3: expected a number as timestamp \(column 1\), got 'zero'"),
        (VRU_LINE + "0,0.0,inf,2\n", r"line 2: expected a finite x \(column 2\)"),
        (VRU_LINE + "0,0.1,1,2\n1,0.0,1,2\n", "line 3: expected rows in the order of time, got 0.0 s"),
        (VRU_LINE + "1,0.1,1,2\n1,0.2,1,2\n", "line 3: expected rows in the order of time"),
        (VRU_LINE.encode() + b"0,0.1,1,\xff\n", "expected UTF-8 text, got byte 0xff"),
    ],
)
def test_bad_vru_files_are_one_clear_sentence(tmp_path: Path, content: str | bytes, said: str) -> None:
    path = write(tmp_path / "cyclists" / "moving" / "7.csv", content)
    with pytest.raises(InputError, match=said) as raised:
        load_scene(path)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_vru_file_elsewhere_does_not_say_what_it_shows(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected a file in a folder pedestrians\|cyclists/moving\|starting"):
        load_scene(write(tmp_path / "7.csv", VRU_LINE + "0,0.0,1,2\n"))
    with pytest.raises(InputError, match=r"line 1: expected the columns ',timestamp,x,y', got '0 1 2 3'"):
        load_scene(write(tmp_path / "cyclists" / "moving" / "7.csv", "0 1 2 3\n"), "vru")


def test_vru_is_split_by_person_and_motion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "vru_aschaffenburg"
    (folder / "pedestrians").mkdir(parents=True)
    for person in range(40):
        for motion in ("moving", "starting") if person % 2 else ("waiting",):
            write(folder / "cyclists" / motion / f"{person}_{motion[0]}.csv", VRU_LINE + "0,0.0,1,2\n")
    monkeypatch.setattr(vru, "FILES", {"cyclists": 60, "pedestrians": 1})
    parts = {split: part_files(VRU, [tmp_path], f"cyclists/{split}") for split in OWN_SPLITS}
    assert sum(map(len, parts.values())) == 60
    persons = {split: {f.stem.split("_")[0] for f in files} for split, files in parts.items()}
    assert {split: len(p) for split, p in persons.items()} == {"train": 28, "val": 4, "test": 8}
    assert not persons["train"] & persons["test"]
    assert sum(int(p) % 2 for p in persons["test"]) == 4  # as many of those who wait as of the others
    with pytest.raises(InputError, match=r"VRU split: expected one of pedestrians/train, .* got 'dogs/train'"):
        part_files(VRU, [tmp_path], "dogs/train")
    with pytest.raises(InputError, match="VRU pedestrians: expected the 1 files of the data set, got 0"):
        part_files(VRU, [tmp_path], "pedestrians/train")


def test_a_stride_is_four_tenths_of_a_second_at_both_rates() -> None:
    for road_user, frames in vru.STRIDE.items():
        step_s = float(np.diff(vru.HISTORY_S[road_user])[0])
        assert frames * step_s == pytest.approx(0.4)
