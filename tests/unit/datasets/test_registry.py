"""What holds for every description in the registry, and what a description refuses."""

from __future__ import annotations

import re

import numpy as np
import pytest

from trajnet.datasets.description import Dataset, Part
from trajnet.datasets.nuscenes import NUSCENES
from trajnet.datasets.registry import DATASETS, dataset_named, dataset_names, format_names
from trajnet.errors import ConfigError, InputError
from trajnet.evaluate.scoring import DEFINITIONS, DISTANCE_METRICS, SOCIAL_GAN


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
