"""nuScenes label files and ETH/UCY text: what is read, and one clear sentence for each kind of bad input."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from trajnet.errors import InputError
from trajnet.scenes import eth_ucy_split, find_scenes, load_scene, nuscenes_split, scene_kind
from trajnet.scenes.nuscenes import CLASSES
from trajnet.types import ObjectClass

UNUSED = "-1.0 " * 7


def nuscenes_line(frame: float, track: float, kind: str, x: float, y: float, yaw: float = 0.5, target: int = 0) -> str:
    """One label: 1.9 m wide, 1.5 m high, 4.6 m long."""
    return f"{frame} {track} {kind} {UNUSED}1.9 1.5 4.6 {x} 0.7 {y} {yaw} {target}.0"


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str | bytes], Path]:
    def to_file(content: str | bytes) -> Path:
        path = tmp_path / "scene-0042.txt"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return to_file


def test_nuscenes_columns_frames_and_targets(write: Callable[[str], Path]) -> None:
    path = write(
        "\n".join(
            [
                nuscenes_line(7.0, 3.0, "Truck", 410.5, 1183.25, yaw=-3.0, target=1),
                nuscenes_line(4.0, 3.0, "Truck", 400.0, 1180.0),
                nuscenes_line(7.0, 12.0, "Emergency", 1.0, 2.0),
            ]
        )
    )
    scene = load_scene(path)
    assert scene.scene_id == "scene-0042"
    assert scene.track_id == ("3", "12")
    assert scene.object_class.tolist() == [ObjectClass.TRUCK, ObjectClass.CAR]
    assert scene.frame_number.tolist() == [4, 7]
    assert scene.timestamp_ns.tolist() == [2_000_000_000, 3_500_000_000]
    assert scene.size_m.tolist() == [[4.6, 1.9], [4.6, 1.9]]
    assert scene.position_m.tolist() == [[400.0, 1180.0], [410.5, 1183.25], [1.0, 2.0]]
    assert scene.yaw_rad.tolist() == [0.5, -3.0, 0.5]
    assert scene.is_target.tolist() == [False, True, False]
    assert scene.yaw_valid.all()
    assert not scene.velocity_valid.any()
    assert "non-commercial" in scene.licence


def test_nuscenes_every_class_of_the_files_has_one_of_ours() -> None:
    assert set(CLASSES) == {"Car", "Bus", "Truck", "Emergency", "Construction"}


def test_nuscenes_raster_is_indexed_by_x_then_y(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    (tmp_path / "label" / "test").mkdir(parents=True)
    (tmp_path / "map_0.1").mkdir()
    label = tmp_path / "label" / "test" / "scene-0001.txt"
    label.write_text(nuscenes_line(0, 0, "Car", 101.0, 202.5))
    pixels = np.zeros((30, 60, 3), np.uint8)  # 10 m along x, 20 m along y
    pixels[3:6, 6:9, 2] = 255  # drivable: x 101..102, y 202..203
    pixels[:, 5, 0] = 255
    pixels[7, :, 1] = 255
    image.fromarray(pixels).save(tmp_path / "map_0.1" / "scene-0001.png")
    (tmp_path / "map_0.1" / "meta_scene-0001.txt").write_text("100.00\n200.00\n3.00\n")
    assert load_scene(label).raster is None
    raster = load_scene(label, with_map=True).raster
    assert raster is not None
    points_m = np.array([[101.0, 202.5], [101.9, 202.9], [102.1, 202.5], [101.0, 203.1], [99.0, 202.5], [109.9, 219.9]])
    assert raster.is_drivable(points_m).tolist() == [True, True, False, False, False, False]
    assert raster.lane_divider is not None
    assert raster.road_divider is not None
    assert np.argwhere(raster.lane_divider).tolist() == [[x, 5] for x in range(30)]
    assert np.argwhere(raster.road_divider).tolist() == [[7, y] for y in range(60)]


def test_a_missing_map_folder_is_said(write: Callable[[str], Path]) -> None:
    with pytest.raises(InputError, match=r"no map_0\.1 folder"):
        load_scene(write(nuscenes_line(0, 0, "Car", 1, 2)), with_map=True)


def test_eth_ucy_frames_are_four_tenths_of_a_second_apart(write: Callable[[str], Path]) -> None:
    scene = load_scene(write("800\t2.0\t3.5\t-1\n780\t1.0\t1.25\t2\n780\t2.0\t3.0\t-1\n"))
    assert scene.timestamp_ns.tolist() == [31_200_000_000, 32_000_000_000]
    assert scene.frame_number.tolist() == [780, 800]
    assert sorted(scene.track_id) == ["1", "2"]
    assert set(scene.object_class.tolist()) == {ObjectClass.PEDESTRIAN}
    assert not scene.yaw_valid.any()
    assert not scene.velocity_valid.any()
    last = scene.frame(1)
    assert last.track_id == ("2",)
    assert last.position_m.tolist() == [[3.5, -1.0]]


def test_ids_that_are_one_number_are_one_track(write: Callable[[str], Path]) -> None:
    assert load_scene(write("0 7 0 0\n10 7.0 1 0\n")).track_id == ("7",)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "an empty file"),
        (" \n\n", "an empty file"),
        ("1 2 3\n", "got 3 columns"),
        ("frame ped x y\n", "expected a number first .* got 4 columns, the first of them 'frame'"),
        ("0 1 2.0 3.0\n10 1 2.0\n", r"line 2: expected 4 columns, got 3"),
        ("0 1 2.0 3.0\n10 1 x 3.0\n", r"line 2: expected a number as x \(column 2\), got 'x'"),
        ("0 1 2.0 3.0\n\n10 1 2.0 nan\n", r"line 3: expected a finite y"),
        ("0 1 2.0 inf\n", r"line 1: expected a finite y"),
        ("nan 1 2.0 3.0\n", r"line 1: expected a finite frame"),
        ("0.5 1 2.0 3.0\n", r"line 1: expected a whole number as frame"),
        ("1e300 1 2.0 3.0\n", r"line 1: expected a whole number as frame"),
        ("0 1 2.0 3.0\n6 1 2.0 3.0\n", r"line 2: expected frame numbers 10 apart"),
        ("0 1 2.0 3.0\n0 1.0 2.5 3.0\n", "'1' twice in frame 0"),
        (b"0 1 2.0 3.0\n10 1 \xff 3.0\n", "expected UTF-8 text, got byte 0xff at offset 17"),
        (nuscenes_line(0, 0, "Car", 1, 2) + "\n" + nuscenes_line(0, 0, "Car", 3, 4), "'0' twice in frame 0"),
        (nuscenes_line(0, 0, "Boat", 1, 2), "line 1: expected a class of Car, Bus, .* got 'Boat'"),
        (nuscenes_line(0, 0, "Car", float("nan"), 2), r"line 1: expected a finite x \(column 13\)"),
        (nuscenes_line(0, 0, "Car", 1, 2).replace("4.6", "0"), "length and width above 0 m"),
        (nuscenes_line(0, 0, "Car", 1, 2) + "\n0 1 Car", "line 2: expected 18 columns, got 3"),
    ],
)
def test_bad_text_is_one_clear_sentence(write: Callable[[str | bytes], Path], content: str | bytes, said: str) -> None:
    path = write(content)
    with pytest.raises(InputError, match=said) as raised:
        load_scene(path)
    assert "scene-0042" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_missing_files_and_folders_are_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        load_scene(tmp_path / "none.txt")
    with pytest.raises(InputError, match="got a folder"):
        load_scene(tmp_path)
    with pytest.raises(InputError, match="no such file or folder"):
        find_scenes(tmp_path / "none")
    with pytest.raises(InputError, match="found none"):
        find_scenes(tmp_path)


def test_kinds_are_told_by_content_and_named_when_wrong(write: Callable[[str], Path], tmp_path: Path) -> None:
    assert scene_kind(write("0 1 2 3\n")) == "eth_ucy"
    assert scene_kind(write("\n" + nuscenes_line(0, 0, "Car", 1, 2))) == "nuscenes"
    with pytest.raises(
        InputError, match="expected auto, table, nuscenes, eth_ucy, apolloscape, vru, commonroad, got 'csv'"
    ):
        load_scene(write("0 1 2 3\n"), kind="csv")
    with pytest.raises(InputError, match="expected 18 columns, got 4"):
        load_scene(write("0 1 2 3\n"), kind="nuscenes")
    other = tmp_path / "scene.json"
    other.write_text("{}")
    with pytest.raises(InputError, match=r"expected a scene as \.parquet, \.txt, \.xml"):
        load_scene(other)


def test_find_scenes_sorts_and_passes_over_notes(tmp_path: Path) -> None:
    for name in ("b/2.txt", "b/10.txt", "a.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("0 1 2 3\n")
    (tmp_path / "NOTES.txt").write_text("where this comes from\n")
    (tmp_path / "c.txt").write_text(nuscenes_line(0, 0, "Car", 1, 2))
    names = [str(f.relative_to(tmp_path)) for f in find_scenes(tmp_path)]
    assert names == ["a.txt", "b/10.txt", "b/2.txt", "c.txt"]
    assert [f.name for f in find_scenes(tmp_path, "nuscenes")] == ["c.txt"]


def test_splits_have_their_official_names(tmp_path: Path) -> None:
    for folder in ("train", "val", "test"):
        (tmp_path / "nuscenes_pred" / "label" / folder).mkdir(parents=True)
        (tmp_path / "nuscenes_pred" / "label" / folder / f"{folder}.txt").touch()
    (tmp_path / "eth_ucy" / "zara1" / "test").mkdir(parents=True)
    found = {split: nuscenes_split(tmp_path, split)[0].stem for split in ("train", "train_val", "val")}
    assert found == {"train": "train", "train_val": "val", "val": "test"}
    assert nuscenes_split(tmp_path / "nuscenes_pred", "val") == nuscenes_split(tmp_path, "val")
    with pytest.raises(InputError, match="expected one of train, train_val, val, got 'test'"):
        nuscenes_split(tmp_path, "test")
    with pytest.raises(InputError, match="expected one of eth, hotel, univ, zara1, zara2, got 'zara3'"):
        eth_ucy_split(tmp_path, "zara3", "test")
    with pytest.raises(InputError, match="expected one of train, val, test, got 'dev'"):
        eth_ucy_split(tmp_path, "zara1", "dev")
    with pytest.raises(InputError, match="found none; is the data complete"):
        eth_ucy_split(tmp_path, "zara1", "test")
    with pytest.raises(InputError, match="no such data folder"):
        nuscenes_split(tmp_path / "none", "val")
    with pytest.raises(InputError, match="give the folder that holds eth_ucy"):
        eth_ucy_split(tmp_path / "nuscenes_pred", "eth", "test")
