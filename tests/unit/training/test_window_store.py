"""Windows in shards are those in memory; batches depend neither on the shards nor on who reads them."""

from __future__ import annotations

import os
import shutil
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from trajnet.context.map_field import MapView
from trajnet.context.surroundings import InputRequirements
from trajnet.datasets.files import load_scene
from trajnet.engine import InProcess, ProcessPool
from trajnet.errors import InputError
from trajnet.scenes import write_scene
from trajnet.shards import ShardReader
from trajnet.training import block_order, scene_pieces, window_store
from trajnet.training.batches import Batch, Batches
from trajnet.training.config import AugmentConfig, SourceConfig
from trajnet.training.sources import build_set
from trajnet.training.training_set import TrainingSet, joined, with_derived_velocities
from trajnet.training.window_store import StoredWindows, stored_windows

SCENES = Path(__file__).resolve().parents[3] / "sim" / "scenes"
FUTURE_S = np.array([0.5, 1.0])
REQUIREMENTS = InputRequirements(MapView(ahead_m=16.0, behind_m=6.0, side_m=11.0, step_m=2.0, patch=3), 3)
SOURCE = SourceConfig("scenes", path="roads", history_s=1.0, stride=20, min_future_s=1.0)
SHORT = replace(SOURCE, path="more", history_s=0.5, stride=30, derive_velocity=True)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sources of several scenes: bundled ones, moved along x."""
    folder = tmp_path_factory.mktemp("data")
    scene = load_scene(SCENES / "crossing_small.parquet")
    for name, count in (("roads", 5), ("more", 2)):
        for number in range(count):
            moved = replace(scene, position_m=scene.position_m + np.array([3.0 * number, 0.0]))
            write_scene(moved, folder / name / f"{number}.parquet")
    return folder


@pytest.fixture
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window_store, "GROUP_FILES", 2)


def build(root: Path, folder: Path, *sources: SourceConfig) -> StoredWindows:
    return stored_windows(sources, [root], FUTURE_S, REQUIREMENTS, folder)


def in_memory(root: Path) -> TrainingSet:
    """Return the windows of SOURCE and SHORT, built without a store."""
    one, other = (build_set(source, [root], FUTURE_S, REQUIREMENTS) for source in (SOURCE, SHORT))
    return joined([one, with_derived_velocities(other)])


def test_a_group_has_no_second_file_beyond_its_size(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    largest = max(file.stat().st_size for file in (root / "roads").iterdir())
    for groups, size in ((5, 1), (3, 2 * largest), (1, 5 * largest)):
        monkeypatch.setattr(window_store, "GROUP_BYTES", size)
        build(root, tmp_path / str(groups), SOURCE)
        assert len(list((tmp_path / str(groups)).glob("*.json"))) == groups


def test_windows_are_built_anew_where_a_file_beside_a_scene_changed_also_with_a_map_of_their_own(
    root: Path, tmp_path: Path
) -> None:
    shutil.copytree(SCENES.parents[1] / "tests" / "golden" / "trajdata_cache" / "nuplan_mini", tmp_path / "cache")
    short = replace(SOURCE, path="cache", history_s=0.2, stride=2, min_future_s=0.5, map="roads/0.parquet")
    groups = []
    for time_ns in (1, 2, 2):
        os.utime(tmp_path / "cache" / "log=1" / "scene_metadata_dt0.10.dill", ns=(time_ns, time_ns))
        stored_windows([short], [tmp_path, root], FUTURE_S, REQUIREMENTS, tmp_path / "windows")
        groups.append(len(list((tmp_path / "windows").glob("*.json"))))
    assert groups == [1, 2, 2]


@pytest.mark.usefixtures("small_groups")
def test_what_was_read_is_kept_up_to_a_number_of_windows(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = build(root, tmp_path / "windows", SOURCE)
    stored.select(np.array([0]))
    (piece,) = stored._cache.values()
    monkeypatch.setattr(window_store, "CACHED_WINDOWS", 2 * len(piece))
    stored.everything()
    assert len(stored) > 2 * len(piece)
    assert stored._cached == sum(map(len, stored._cache.values())) <= 2 * len(piece)


@pytest.mark.usefixtures("small_groups")
def test_stored_windows_are_those_in_memory(root: Path, tmp_path: Path) -> None:
    memory = in_memory(root)
    stored = build(root, tmp_path / "windows", SOURCE, SHORT)
    assert len(stored) == len(memory) == sum(stored.source_windows)
    rows = np.random.default_rng(0).permutation(len(memory))
    expected, got = memory.select(rows), stored.select(rows)
    assert memory.map_valid.all()
    assert memory.neighbours[..., -1].any()
    (whole,) = stored.chunks()
    np.testing.assert_array_equal(stored.everything().position_m, memory.position_m)
    for f in fields(TrainingSet):
        np.testing.assert_array_equal(getattr(got, f.name), getattr(expected, f.name), err_msg=f.name)
        np.testing.assert_array_equal(getattr(whole, f.name), getattr(memory, f.name), err_msg=f.name)
        assert getattr(got, f.name).dtype == getattr(memory, f.name).dtype
    assert len(stored.select(rows[:0])) == 0
    with pytest.raises(IndexError, match="expected 0 to"):
        stored.select(np.array([len(stored)]))


@pytest.mark.usefixtures("small_groups")
def test_several_processes_build_the_same_bytes(root: Path, tmp_path: Path) -> None:
    for name, executor in (("one", InProcess()), ("two", ProcessPool(2))):
        stored_windows([SOURCE], [root], FUTURE_S, REQUIREMENTS, tmp_path / name, executor=executor)
    files = [sorted((tmp_path / name).iterdir()) for name in ("one", "two")]
    assert [file.name for file in files[0]] == [file.name for file in files[1]]
    assert [file.read_bytes() for file in files[0]] == [file.read_bytes() for file in files[1]]
    assert sum(file.suffix == ".json" for file in files[0]) == 3  # of two, two and one scene


@pytest.mark.usefixtures("small_groups")
def test_only_groups_of_changed_files_or_settings_are_built_again(tmp_path: Path, root: Path) -> None:
    own = tmp_path / "data"
    for file in (root / "roads").iterdir():
        (own / "roads").mkdir(parents=True, exist_ok=True)
        (own / "roads" / file.name).write_bytes(file.read_bytes())
    build(own, tmp_path / "w", SOURCE)
    before = {file.name for file in (tmp_path / "w").iterdir()}
    os.utime(own / "roads" / "3.parquet", (1, 1))
    build(own, tmp_path / "w", replace(SOURCE, driving_side="left"))
    added = {file.name for file in (tmp_path / "w").iterdir()} - before
    assert sorted(Path(name).suffix for name in added) == [".bin", ".json"]
    build(own, tmp_path / "w", replace(SOURCE, stride=40))
    assert len({file.name for file in (tmp_path / "w").iterdir()}) == len(before) + 2 + 6
    for _ in range(2):
        stored_windows([SOURCE], [own], FUTURE_S, REQUIREMENTS, tmp_path / "c", by_content=True)
        os.utime(own / "roads" / "3.parquet", (2, 2))
    assert len(list((tmp_path / "c").iterdir())) == 6


def test_other_inputs_of_the_model_are_other_windows(root: Path, tmp_path: Path) -> None:
    """What the old windows are named by changes with all that their arrays depend on."""
    build(root, tmp_path / "w", SOURCE)
    finer = InputRequirements(replace(MapView(), step_m=1.0), 3)
    for source, requirements in (
        (replace(SOURCE, history_s=2.0), REQUIREMENTS), (SOURCE, replace(REQUIREMENTS, neighbours=4)), (SOURCE, finer),
    ):  # fmt: skip
        before = len(list((tmp_path / "w").iterdir()))
        stored_windows([source], [root], FUTURE_S, requirements, tmp_path / "w")
        assert len(list((tmp_path / "w").iterdir())) == before + 2


@pytest.mark.usefixtures("small_groups")
def test_building_tells_how_many_groups_are_done(root: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    for _ in range(2):  # the second time there is nothing to do
        stored_windows(
            [SOURCE], [root], FUTURE_S, REQUIREMENTS, tmp_path / "w", progress=lambda *done: told.append(done)
        )
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_a_shard_that_was_cut_is_named(root: Path, tmp_path: Path) -> None:
    build(root, tmp_path / "w", SOURCE)
    (shard,) = (tmp_path / "w").glob("*.bin")
    shard.write_bytes(shard.read_bytes()[:1000])
    with pytest.raises(InputError, match=shard.name):
        build(root, tmp_path / "w", SOURCE).everything()


def test_thinning_takes_its_share_of_many_short_files(root: Path, tmp_path: Path) -> None:
    whole = build(root, tmp_path / "w", SOURCE)
    fifth = build(root, tmp_path / "w", replace(SOURCE, every=5))
    assert abs(len(fifth) - len(whole) / 5) <= 5  # of each file one at most
    again = build(root, tmp_path / "again", replace(SOURCE, every=5))
    np.testing.assert_array_equal(fifth.select(np.arange(5)).future_m, again.select(np.arange(5)).future_m)


def test_a_source_without_windows_is_named(root: Path, tmp_path: Path) -> None:
    late = replace(SOURCE, min_future_s=1000.0)
    with pytest.raises(InputError, match=r"roads: expected objects with 1000 s of recorded future, got none in 5"):
        stored_windows([late], [root], np.array([1000.0]), REQUIREMENTS, tmp_path / "w")


def tensors(batch: Batch) -> list[torch.Tensor]:
    return [batch.history, batch.length, *batch.surroundings, batch.future_m, batch.valid]


def test_batches_are_the_same_whoever_makes_them(root: Path, tmp_path: Path) -> None:
    augment = AugmentConfig(strides=(1, 2), position_noise_m=0.1, hide_map=0.3, noise_memory_s=1.0, pace=0.2)
    memory = in_memory(root)
    stored = build(root, tmp_path / "w", SOURCE, SHORT)
    expected = all_batches(memory, augment, 0)
    assert len(expected) > 8
    for workers in (0, 1, 3):
        got = all_batches(stored, augment, workers)
        assert len(got) == len(expected)
        for one, two in zip(got, expected, strict=True):
            assert all(torch.equal(a, b) for a, b in zip(tensors(one), tensors(two), strict=True))


def test_batches_of_several_blocks_are_the_same_whoever_makes_them(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scene_pieces, "WINDOWS", 8)
    monkeypatch.setattr(block_order, "BLOCK_WINDOWS", 64)
    monkeypatch.setattr(window_store, "CACHED_WINDOWS", 80)
    augment = AugmentConfig(strides=(1, 2), position_noise_m=0.1, hide_map=0.3)
    memory, stored = in_memory(root), build(root, tmp_path / "w", SOURCE, SHORT)
    assert len(memory) > 128
    order = Batches(stored, 16, augment=augment, seed=1, epoch=2).order
    np.testing.assert_array_equal(np.sort(order), np.arange(len(memory)))
    np.testing.assert_array_equal(stored.select(order).position_m, memory.select(order).position_m)
    read, arrays = list[int](), ShardReader.arrays

    def noted(reader: ShardReader, number: int) -> dict[str, Any]:
        read.append(number)
        return arrays(reader, number)

    monkeypatch.setattr(ShardReader, "arrays", noted)
    expected = all_batches(stored, augment, 0)
    pieces = -(-len(memory) // 8) + 7  # the last piece of each of the seven scenes may have less
    assert len(read) <= 1.2 * pieces  # once, and again what a batch shares with the next block
    for workers in (1, 3):
        for one, two in zip(all_batches(stored, augment, workers), expected, strict=True):
            assert all(torch.equal(a, b) for a, b in zip(tensors(one), tensors(two), strict=True))


def all_batches(data: TrainingSet | StoredWindows, augment: AugmentConfig, workers: int) -> list[Batch]:
    batches = Batches(data, 16, augment=augment, seed=1, epoch=2)
    return list(DataLoader(batches, batch_size=None, num_workers=workers))
