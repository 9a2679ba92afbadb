"""nuScenes label files: what is read, and one clear sentence for each kind of bad input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.unit.datasets.text_files import nuscenes_line, write
from trajnet.errors import InputError
from trajnet.scenes.nuscenes import CLASSES, read_nuscenes
from trajnet.types import ObjectClass


def test_nuscenes_columns_frames_and_targets(tmp_path: Path) -> None:
    path = write(
        tmp_path / "scene-0042.txt",
        "\n".join(
            [
                nuscenes_line(7.0, 3.0, "Truck", 410.5, 1183.25, yaw=-3.0, target=1),
                nuscenes_line(4.0, 3.0, "Truck", 400.0, 1180.0),
                nuscenes_line(7.0, 12.0, "Emergency", 1.0, 2.0),
            ]
        ),
    )
    scene = read_nuscenes(path)
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
    assert read_nuscenes(label).raster is None
    raster = read_nuscenes(label, with_map=True).raster
    assert raster is not None
    points_m = np.array([[101.0, 202.5], [101.9, 202.9], [102.1, 202.5], [101.0, 203.1], [99.0, 202.5], [109.9, 219.9]])
    assert raster.is_drivable(points_m).tolist() == [True, True, False, False, False, False]
    assert raster.lane_divider is not None
    assert raster.road_divider is not None
    assert np.argwhere(raster.lane_divider).tolist() == [[x, 5] for x in range(30)]
    assert np.argwhere(raster.road_divider).tolist() == [[7, y] for y in range(60)]


def test_a_missing_map_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no map_0\.1 folder"):
        read_nuscenes(write(tmp_path / "scene-0042.txt", nuscenes_line(0, 0, "Car", 1, 2)), with_map=True)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("0 1 2 3\n", "line 1: expected 18 columns, got 4"),
        (nuscenes_line(0, 0, "Car", 1, 2) + "\n" + nuscenes_line(0, 0, "Car", 3, 4), "'0' twice in frame 0"),
        (nuscenes_line(0, 0, "Boat", 1, 2), "line 1: expected a class of Car, Bus, .* got 'Boat'"),
        (nuscenes_line(0, 0, "Car", float("nan"), 2), r"line 1: expected a finite x \(column 13\)"),
        (nuscenes_line(0, 0, "Car", 1, 2).replace("4.6", "0"), "length and width above 0 m"),
        (nuscenes_line(0, 0, "Car", 1, 2) + "\n0 1 Car", "line 2: expected 18 columns, got 3"),
    ],
)
def test_bad_labels_are_one_clear_sentence(tmp_path: Path, content: str, said: str) -> None:
    path = write(tmp_path / "scene-0042.txt", content)
    with pytest.raises(InputError, match=said) as raised:
        read_nuscenes(path)
    assert "scene-0042" in str(raised.value)
    assert "\n" not in str(raised.value)
