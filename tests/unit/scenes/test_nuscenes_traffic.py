"""Which way traffic goes on nuScenes' streets, from the tracks of other training scenes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.nuscenes_scene import Agents, agents_table
from tests.unit.datasets.text_files import nuscenes_line
from trajnet.datasets.files import load_scene
from trajnet.datasets.folders import part_files
from trajnet.datasets.nuscenes import NUSCENES
from trajnet.geometry import wrap_angle
from trajnet.types import UNIT_VECTOR, FloatArray

image = pytest.importorskip("PIL.Image", reason="pillow is not installed")

CITY = np.random.default_rng(0).random((40, 40)) < 0.5  # blocks of 5 m
OTHER_CITY = np.random.default_rng(1).random((40, 40)) < 0.5
LOW_M = np.array([600.0, 900.0])


def put_scene(
    root: Path,
    name: str,
    *,
    split: str = "train",
    city: np.ndarray = CITY,
    low_m: tuple[float, float] = (600.0, 900.0),
    size_m: tuple[int, int] = (100, 80),
    drive_m: list[tuple[float, float, float]] | None = None,
) -> Path:
    """A scene in the city with one car, which drives drive_m (x, y, yaw), a place for each frame."""
    folder = root / "label" / split
    folder.mkdir(parents=True, exist_ok=True)
    (root / "map_0.1").mkdir(exist_ok=True)
    begin = ((np.array(low_m) - LOW_M) * 3).astype(int)
    whole = np.kron(city, np.ones((15, 15), np.bool_))
    drivable = whole[begin[0] : begin[0] + 3 * size_m[0], begin[1] : begin[1] + 3 * size_m[1]]
    pixels = np.zeros((*drivable.shape, 3), np.uint8)
    pixels[..., 2] = 255 * drivable
    image.fromarray(pixels).save(root / "map_0.1" / f"{name}.png")
    (root / "map_0.1" / f"meta_{name}.txt").write_text(f"{low_m[0]}\n{low_m[1]}\n3.0\n")
    lines = [nuscenes_line(i, 0, "Car", x, y, yaw) for i, (x, y, yaw) in enumerate(drive_m or [(620.0, 910.0, 0.0)])]
    path = folder / f"{name}.txt"
    path.write_text("\n".join(lines))
    return path


def north(x_m: float) -> list[tuple[float, float, float]]:
    return [(x_m, 910.0 + 6.0 * i, np.pi / 2) for i in range(8)]


def directions(path: Path, places_m: list[tuple[float, float]]) -> list[list[float]]:
    raster = load_scene(path, with_map=True).raster
    assert raster is not None
    if raster.direction is None:
        return []
    pixel = np.floor((np.array(places_m) - raster.origin_m) * raster.pixels_per_m).astype(int)
    seen: FloatArray = raster.direction[pixel[:, 0], pixel[:, 1]] / UNIT_VECTOR
    rounded: list[list[float]] = seen.round(2).tolist()
    return rounded


def test_who_drove_here_in_another_training_scene_shows_the_way(tmp_path: Path) -> None:
    put_scene(tmp_path, "scene-0100", drive_m=north(630.0))
    here = put_scene(tmp_path, "scene-0200", split="val", low_m=(610.0, 905.0), drive_m=north(650.0))
    on, aside, own = (630.5, 930.0), (633.0, 930.0), (650.0, 930.0)
    assert directions(here, [on, aside, own]) == [[0.0, 1.0], [0.0, 0.0], [0.0, 0.0]]


def test_a_scene_shows_nothing_of_itself_nor_of_its_own_drive(tmp_path: Path) -> None:
    here = put_scene(tmp_path, "scene-0100", drive_m=north(630.0))
    put_scene(tmp_path, "scene-0110", drive_m=north(640.0))
    put_scene(tmp_path, "scene-0090", drive_m=north(650.0))
    put_scene(tmp_path, "scene-0111", drive_m=north(660.0))
    put_scene(tmp_path, "scene-0500", split="val", drive_m=north(670.0))
    places = [(x, 930.0) for x in (630.0, 640.0, 650.0, 660.0, 670.0)]
    assert directions(here, places) == [[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 1.0], [0.0, 0.0]]


def test_the_same_coordinates_in_another_city_are_another_place(tmp_path: Path) -> None:
    put_scene(tmp_path, "scene-0100", city=OTHER_CITY, drive_m=north(630.0))
    put_scene(tmp_path, "scene-0101", low_m=(665.0, 900.0), drive_m=north(680.0))  # 35 m in common: cannot be told
    put_scene(tmp_path, "scene-0102", low_m=(655.0, 900.0), drive_m=north(690.0))
    here = put_scene(tmp_path, "scene-0200", split="val")
    assert directions(here, [(630.0, 930.0), (680.0, 930.0), (690.0, 930.0)]) == [[0.0, 0.0], [0.0, 0.0], [0.0, 1.0]]


@pytest.mark.parametrize(("blocks", "known"), [(4, False), (16, True)])
def test_too_little_road_cannot_tell_a_city(tmp_path: Path, blocks: int, known: bool) -> None:
    city = np.zeros((40, 40), np.bool_)
    city[6, :blocks] = True  # of 25 square metres each
    put_scene(tmp_path, "scene-0100", city=city, drive_m=north(630.0))
    here = put_scene(tmp_path, "scene-0200", split="val", city=city)
    assert directions(here, [(630.0, 930.0)]) == [[0.0, 1.0 if known else 0.0]]


def test_who_stands_leaps_or_was_lost_draws_nothing(tmp_path: Path) -> None:
    stands = [(630.0, 910.0 + 0.1 * i, 1.0) for i in range(8)]
    leaps = [(650.0, 910.0, np.pi / 2), (650.0, 935.0, np.pi / 2), (650.0, 940.0, np.pi / 2)]
    put_scene(tmp_path, "scene-0100", drive_m=stands)
    put_scene(tmp_path, "scene-0101", drive_m=leaps)
    lost = put_scene(tmp_path, "scene-0102", drive_m=north(670.0))
    lost.write_text("\n".join(line for i, line in enumerate(lost.read_text().splitlines()) if i != 3))
    here = put_scene(tmp_path, "scene-0200", split="val")
    places = [(630.0, 910.4), (650.0, 920.0), (650.0, 937.0), (670.0, 919.0), (670.0, 928.0), (670.0, 937.0)]
    nothing, up = [0.0, 0.0], [0.0, 1.0]
    assert directions(here, places) == [nothing, nothing, up, up, nothing, up]


def test_without_training_scenes_nobody_knows(tmp_path: Path) -> None:
    assert directions(put_scene(tmp_path, "scene-0200", split="val"), [(630.0, 930.0)]) == []


def test_a_training_scene_without_its_raster_is_left_out(tmp_path: Path) -> None:
    put_scene(tmp_path, "scene-0100", drive_m=north(630.0))
    put_scene(tmp_path, "scene-0101", drive_m=north(650.0))
    here = put_scene(tmp_path, "scene-0200", split="val")
    (tmp_path / "map_0.1" / "scene-0100.png").unlink()
    assert directions(here, [(630.0, 930.0), (650.0, 930.0)]) == [[0.0, 0.0], [0.0, 1.0]]


@pytest.mark.parametrize(
    ("name", "split", "known"),
    [("scene-0100", "train", True), ("scene-0061", "train", False), ("scene-0100", "train_val", False)],
)
def test_vehicles_that_were_detected_show_the_way_too(tmp_path: Path, name: str, split: str, known: bool) -> None:
    """Neither those of a scene that models are judged by (0061), nor those beside other scenes than training ones."""
    labels = tmp_path / "nuscenes_pred"
    put_scene(labels, name)
    pace_m = {905.0: ("car", 3.0), 915.0: ("motorcycle", 3.0), 925.0: ("car", 0.9), 935.0: ("car", -3.0)}
    pace_m |= {945.0: ("pedestrian", 1.5), 955.0: ("bicycle", 3.0)}
    agents: Agents = {
        f"n{y_m:.0f}": (kind, {i: (650.0 + step_m * i, y_m, 0.9) for i in range(8)})
        for y_m, (kind, step_m) in pace_m.items()
    }
    agents_table(tmp_path, agents, split, name)
    here = put_scene(labels, "scene-0200", split="val")
    seen = directions(here, [(652.0 if step_m > 0 else 648.0, y_m) for y_m, (_, step_m) in pace_m.items()])
    assert seen == [[float(known and y_m < 920.0), 0.0] for y_m in pace_m]


def test_real_vehicles_go_the_way_that_others_went(data_dir: Path) -> None:
    """Validation scenes against the training scenes' tracks: most places are known, and the way is right."""
    turns, known, asked = [], 0, 0
    for file in part_files(NUSCENES, [data_dir], "val")[::10]:
        scene = load_scene(file, with_map=True)
        assert scene.raster is not None
        assert scene.raster.direction is not None
        pixel = np.floor((scene.position_m - scene.raster.origin_m) * scene.raster.pixels_per_m).astype(int)
        inside = ((pixel >= 0) & (pixel < scene.raster.drivable.shape)).all(axis=1)
        seen = scene.raster.direction[pixel[inside, 0], pixel[inside, 1]] / UNIT_VECTOR
        there = np.hypot(*seen.T) > 0.5
        turns.append(np.abs(wrap_angle(np.arctan2(seen[there, 1], seen[there, 0]) - scene.yaw_rad[inside][there])))
        known, asked = known + int(there.sum()), asked + len(there)
    turn_rad = np.concatenate(turns)
    assert known > 0.4 * asked
    assert np.median(turn_rad) < 0.1
    assert (turn_rad < 0.5).mean() > 0.9
