"""Sources take the scenes that they name, and maps beside them: one for all scenes, or one called as each scene."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from trajnet.context.map_field import MapView
from trajnet.context.surroundings import InputRequirements
from trajnet.datasets.files import load_scene
from trajnet.errors import ConfigError, InputError
from trajnet.scenes import write_scene
from trajnet.training.config import SourceConfig, TrainConfig
from trajnet.training.sources import build_set, cache_key, load_training_set, map_files, source_files

SCENE = Path(__file__).resolve().parents[3] / "sim" / "scenes" / "crossing_small.parquet"
FUTURE_S = np.array([0.5, 1.0])
WITH_MAP = InputRequirements(MapView(), 0)
SOURCE = SourceConfig("scenes", path="scenes", history_s=1.0, min_future_s=1.0)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two scenes without lanes in ``scenes``; the same with lanes in ``maps``, and one as ``map.parquet``."""
    whole = load_scene(SCENE)
    for name in ("a", "b"):
        write_scene(replace(whole, lanes=()), tmp_path / "scenes" / f"{name}.parquet")
        write_scene(whole, tmp_path / "maps" / f"{name}.parquet")
    shutil.copy(SCENE, tmp_path / "map.parquet")
    return tmp_path


def test_only_the_scenes_that_are_named_are_taken(root: Path) -> None:
    (file,) = source_files(replace(SOURCE, only=("b",)), [root])
    assert file.name == "b.parquet"
    with pytest.raises(InputError, match="only: no scene is called c"):
        source_files(replace(SOURCE, only=("b", "c")), [root])


@pytest.mark.parametrize("name", ["map.parquet", "maps"])
def test_windows_see_the_map_beside_their_scenes(name: str, root: Path) -> None:
    without = build_set(SOURCE, [root], FUTURE_S, WITH_MAP)
    assert not without.map_valid.any()
    source = replace(SOURCE, map=name)
    mapped = build_set(source, [root], FUTURE_S, WITH_MAP)
    assert mapped.map_valid.any()
    own = build_set(replace(SOURCE, path="maps"), [root], FUTURE_S, WITH_MAP)
    np.testing.assert_array_equal(mapped.map_distance, own.map_distance)
    np.testing.assert_array_equal(mapped.position_m, without.position_m)


def test_an_absolute_path_of_a_map_is_taken_as_it_is(root: Path, tmp_path: Path) -> None:
    files = source_files(SOURCE, [root])
    path = tmp_path / "map.parquet"
    assert map_files(replace(SOURCE, map=str(path)), files, [Path("elsewhere")]) == [path, path]


def test_a_scene_without_its_map_is_named(root: Path) -> None:
    (root / "maps" / "b.parquet").unlink()
    source = replace(SOURCE, map="maps")
    with pytest.raises(InputError, match="expected one map called as the scene b, got none"):
        build_set(source, [root], FUTURE_S, WITH_MAP)
    (root / "maps" / "b.xml").write_text("")
    (root / "maps" / "b.osm").write_text("")
    with pytest.raises(InputError, match=r"scene b, got b\.osm, b\.xml"):
        build_set(source, [root], FUTURE_S, WITH_MAP)
    with pytest.raises(InputError, match="'no_map'"):
        build_set(replace(SOURCE, map="no_map"), [root], FUTURE_S, WITH_MAP)


def test_windows_with_another_map_are_built_anew_and_those_of_before_stay(root: Path) -> None:
    files = source_files(SOURCE, [root])
    key = cache_key(SOURCE, files, FUTURE_S, WITH_MAP)
    mapped = cache_key(SOURCE, files, FUTURE_S, WITH_MAP, [root / "map.parquet"] * 2)
    (root / "map.parquet").write_bytes(b"another")
    assert len({key, mapped, cache_key(SOURCE, files, FUTURE_S, WITH_MAP, [root / "map.parquet"] * 2)}) == 3
    # Keys of the configuration that only choose files or maps are not part of it.
    assert key == cache_key(replace(SOURCE, only=("a", "b"), map="maps"), files, FUTURE_S, WITH_MAP)


def test_each_source_tells_how_many_of_its_files_are_done(root: Path) -> None:
    told: list[tuple[str, int, int]] = []

    def report(what: str, done: int, total: int) -> None:
        told.append((what, done, total))

    for _ in range(2):
        load_training_set([SOURCE], [root], FUTURE_S, WITH_MAP, root / "cache", report)
    name = "windows of scenes, files"
    first = [(name, 0, 2), (name, 0, 2), (name, 1, 2), (name, 2, 2)]
    assert told == [*first, (name, 0, 2), (f"{name} built before", 2, 2)]


def test_maps_are_for_scenes_and_for_models_that_see_them() -> None:
    with pytest.raises(ConfigError, match="map belongs to kind scenes"):
        SourceConfig("eth_ucy", split="eth/train", map="map.osm")
    source = replace(SOURCE, map="map.osm")
    with pytest.raises(ConfigError, match="a model that sees no map"):
        TrainConfig("made", "none", False, (source,), (source,))
