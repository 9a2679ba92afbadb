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
from trajnet.training.sources import build_set, map_files, source_files
from trajnet.training.window_store import stored_windows

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
    def named(source: SourceConfig) -> set[str]:
        stored_windows([source], [root], FUTURE_S, WITH_MAP, root / "windows", by_content=True)
        return {path.name for path in (root / "windows").iterdir()}

    first = named(SOURCE)
    mapped = named(replace(SOURCE, map="map.parquet"))
    write_scene(replace(load_scene(SCENE), lanes=load_scene(SCENE).lanes[:1]), root / "map.parquet")
    assert len(first) < len(mapped) < len(named(replace(SOURCE, map="map.parquet")))
    assert first < mapped
    # Keys of the configuration that only choose files are not part of it.
    before = named(SOURCE)
    assert named(replace(SOURCE, only=("a", "b"))) == before


def test_maps_are_for_scenes_and_for_models_that_see_them() -> None:
    with pytest.raises(ConfigError, match="map belongs to kind scenes"):
        SourceConfig("eth_ucy", split="eth/train", map="map.osm")
    source = replace(SOURCE, map="map.osm")
    with pytest.raises(ConfigError, match="a model that sees no map"):
        TrainConfig("made", "none", False, (source,), (source,))
