"""What holds for every description in the registry, and what a description refuses."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from trajnet.datasets.description import Dataset, Part
from trajnet.datasets.nuscenes import NUSCENES
from trajnet.datasets.registry import DATASETS, dataset_named, dataset_names, format_names, require_trainable
from trajnet.errors import ConfigError, InputError
from trajnet.evaluate.scoring import DEFINITIONS, DISTANCE_METRICS, SOCIAL_GAN

#: Data sets whose parts a configuration can name as a source of training.
TRAINED_BY_NAME = [dataset for dataset in DATASETS if dataset.parts and not dataset.held_out]


def test_names_are_unique_and_found() -> None:
    assert len(set(dataset_names())) == len(DATASETS)
    assert len(set(format_names())) == len(format_names())
    assert dataset_named("nuscenes") is NUSCENES
    with pytest.raises(InputError, match=r"dataset: expected one of nuscenes, .*, got 'nope'"):
        dataset_named("nope")


@pytest.mark.parametrize("dataset", DATASETS, ids=dataset_names())
def test_a_description_is_complete(dataset: Dataset) -> None:
    for text in (dataset.title, dataset.licence, dataset.download):
        assert text
    scored = {*DISTANCE_METRICS, *SOCIAL_GAN}
    assert set(dataset.metrics) | set(dataset.divided) | {dataset.headline} <= scored
    for k in dataset.ranks:
        assert {f"minADE_{k}", f"minFDE_{k}"} <= scored
    for metric in dataset.metrics:
        assert {metric, re.sub(r"\d+$", "k", metric)} & set(DEFINITIONS), metric
    if dataset.windows is not None:
        assert (np.diff(dataset.windows.future_time_s) > 0).all()
        for part in dataset.parts:
            assert part.history_time_s is not None
            assert part.history_time_s[-1] == 0


def test_the_grid_of_nuscenes() -> None:
    assert NUSCENES.windows is not None
    assert NUSCENES.windows.future_time_s.tolist() == [0.5 * i for i in range(1, 13)]
    counts = {p.name: p.window_count for p in NUSCENES.parts}
    assert counts == {"train": 32_186, "train_val": 8_560, "val": 9_041}
    assert NUSCENES.parts[0].history_time_s is not None
    assert NUSCENES.parts[0].history_time_s.tolist() == [-2.0, -1.5, -1.0, -0.5, 0.0]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"splits": {"val": ("dev",)}}, "data set x: split 'val' names parts that it does not have: dev"),
        ({"parts": (Part("a"),), "folder": "x"}, "data set x: parts and files go together"),
        ({"parts": (Part("a"),), "files": lambda _folder, _part: []}, "data set x: parts and folder go together"),
        (
            {"parts": (Part("a", np.zeros(1)),), "files": lambda _folder, _part: [], "folder": "x"},
            "data set x: expected history_time_s in every part if it has windows, else in none",
        ),
        ({"headline": "minADE_5"}, r"data set x: headline: expected minADE_k with k of \(1, 6\), got 'minADE_5'"),
    ],
)
def test_a_description_that_contradicts_itself_is_refused(fields: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Dataset(name="x", title="X", licence="none", download="none", **fields)  # type: ignore[arg-type]


def test_what_the_descriptions_allow() -> None:
    assert {d.name for d in DATASETS if d.use == "any"} == {"sind"}
    assert {d.name for d in DATASETS if d.use == "mixed"} == {"eth_ucy", "scenes"}
    assert {d.name for d in DATASETS if d.held_out} == {"nuscenes_mini"}


@pytest.mark.parametrize("dataset", TRAINED_BY_NAME, ids=lambda dataset: str(dataset.name))
def test_a_commercial_model_is_trained_on_free_data_only(dataset: Dataset) -> None:
    require_trainable([(dataset.name, "")], non_commercial=True)
    if dataset.use == "any":
        require_trainable([("scenes", "own"), (dataset.name, "")], non_commercial=False)
    else:
        said = rf"expected data that may be used commercially.*got {dataset.name} \({re.escape(dataset.licence)}\)"
        with pytest.raises(ConfigError, match=said):
            require_trainable([("scenes", "own"), (dataset.name, "")], non_commercial=False)


@pytest.mark.parametrize("path", ["nuscenes_pred/label/train", "/data/nuscenes_pred/label/train", "mona/MONA-East"])
def test_the_folder_of_a_non_commercial_data_set_is_no_way_round(path: str) -> None:
    require_trainable([("scenes", path)], non_commercial=True)
    with pytest.raises(ConfigError, match=r"got (nuscenes|mona) \(.*; set non_commercial: true"):
        require_trainable([("scenes", path)], non_commercial=False)


def test_chosen_files_of_a_mixed_data_set_and_other_folders_are_the_configurations_to_answer_for() -> None:
    paths = ["eth_ucy/raw/train", "generated/train", "own_mona"]  # only whole names of folders count
    require_trainable([("scenes", path) for path in paths], non_commercial=False)


@pytest.mark.parametrize("non_commercial", [False, True])
@pytest.mark.parametrize(
    "source", [("nuscenes_mini", ""), ("scenes", "nuscenes_mini"), ("scenes", "a/nuscenes_mini/b")]
)
def test_nuscenes_mini_is_never_trained_on(source: tuple[str, str], non_commercial: bool) -> None:
    with pytest.raises(ConfigError, match=r"got nuscenes_mini, which is held out \(for tests, not for training"):
        require_trainable([source], non_commercial=non_commercial)


def test_the_shipped_configurations_may_be_trained() -> None:
    files = sorted((Path(__file__).parents[3] / "configs").glob("*.yaml"))
    assert len(files) >= 6
    for file in files:
        config = yaml.safe_load(file.read_text(encoding="utf-8"))
        sources = [(s["kind"], s.get("path", "")) for s in (*config["train"], *config["validation"])]
        require_trainable(sources, non_commercial=config["non_commercial"])
