"""A data set is added in one file: the commands convert, evaluate and train it once it stands in the registry."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
import yaml
from typer.testing import CliRunner

from tests.unit.datasets.toy_dataset import FUTURE_S, HISTORY_S, TOY, write_toy_data
from trajnet.cli.convert import convert
from trajnet.cli.evaluate import evaluate
from trajnet.cli.train import train
from trajnet.context.surroundings import InputRequirements
from trajnet.datasets import part_windows as part_windows_module
from trajnet.datasets import registry
from trajnet.datasets.description import Part
from trajnet.datasets.files import load_scene, scene_kind
from trajnet.datasets.part_windows import part_windows
from trajnet.engine import InProcess
from trajnet.engine.base import Result, Task
from trajnet.errors import ConfigError, InputError
from trajnet.evaluate import open_dataset
from trajnet.training.config import SourceConfig
from trajnet.training.sources import build_set, source_files


class CountingExecutor(InProcess):
    """Works in this process, on copies of its tasks and of the function, as another process would have them."""

    tasks = 0

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        for task in tasks:
            self.tasks += 1
            there, what = pickle.loads(pickle.dumps((function, task)))
            yield there(what)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data root with the toy data set, which the registry knows."""
    monkeypatch.setattr(registry, "DATASETS", (*registry.DATASETS, TOY))
    write_toy_data(tmp_path / "data")
    return tmp_path / "data"


def run(command: object, *arguments: object) -> str:
    app = typer.Typer()
    app.command()(command)  # type: ignore[type-var]
    result = CliRunner(env={"COLUMNS": "120", "TRAJNET_DATA": None}).invoke(app, [str(a) for a in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_it_is_unknown_until_it_is_registered(tmp_path: Path) -> None:
    write_toy_data(tmp_path)
    file = tmp_path / TOY.folder / "val" / "three.csv"
    with pytest.raises(InputError, match="expected time, id, got a table with frame, walker, x, y"):
        scene_kind(file)
    with pytest.raises(InputError, match=r"dataset: expected one of nuscenes, .*, scenes, bag, got 'toy'"):
        run(evaluate, "--dataset", "toy", "--data", tmp_path, "--split", "val")
    with pytest.raises(ConfigError, match=r"source: kind: expected one of nuscenes, .*, got 'toy'"):
        SourceConfig("toy", split="train")


def test_it_is_converted(data: Path, tmp_path: Path) -> None:
    output = run(convert, data, tmp_path / "tables")
    row = next(line for line in output.splitlines() if "toy" in line)
    assert [word for word in row.split() if word.isdigit()][:4] == [
        "3",
        "6",
        "36",
        "72",
    ]  # scenes, tracks, frames, rows
    back = load_scene(tmp_path / "tables" / TOY.folder / "val" / "three.parquet")
    assert back.frame(2).position_m.tolist() == [[0.0, 0.0], [2.0, 0.0]]


def test_it_is_evaluated_on_its_own_windows(data: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    output = run(evaluate, "--dataset", "toy", "--data", data, "--split", "train", "--jobs", "1", "--json", report)
    found = json.loads(report.read_text())
    assert found["counts"]["by_scene"] == {"one": 10, "two": 10}
    assert found["time_s"] == FUTURE_S.tolist()
    cv = next(model for model in found["models"] if model["model"] == "cv")
    assert cv["metrics"]["minADE_1"] == pytest.approx(0.0, abs=1e-9)  # both keep their velocity
    assert list(cv["breakdown"]["class"]["pedestrian"]) == ["objects", "share_of_objects", "minADE_1", "minFDE_1"]
    assert "toy train: 20 objects, 2 s" in output
    assert "minADE_1 two (10)" in output


def test_it_is_trained_on(data: Path, tmp_path: Path) -> None:
    config = tmp_path / "toy.yaml"
    values = {
        "name": "toy",
        "licence": "CC0",
        "non_commercial": False,
        "train": [{"kind": "toy", "split": "train"}],
        "validation": [{"kind": "toy", "split": "val"}],
        "model": {"hidden": 4, "embedding": 4, "modes": 2, "knots": 4, "knot_step_s": 0.5},
        "optimizer": {"epochs": 1, "batch": 8},
    }
    config.write_text(yaml.safe_dump(values))
    output = run(train, "--config", config, "--data", data, "--out", tmp_path / "out", "--no-progress", "--threads", 1)
    assert "next: trajnet export" in output
    assert (tmp_path / "out" / "last.ckpt").is_file()
    source = SourceConfig("toy", split="train")
    assert source.trained_history_s == -HISTORY_S[0]


def test_its_times_are_the_models_or_training_is_refused(data: Path) -> None:
    with pytest.raises(InputError, match=r"toy: its future times are .*, the model's knots"):
        build_set(SourceConfig("toy", split="val"), [data], np.arange(1.0, 4.0) * 0.5, InputRequirements())


def test_without_windows_of_its_own_it_is_cut_into_sliding_ones(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    streamed = replace(TOY, windows=None, parts=(Part("train"), Part("val")))
    monkeypatch.setattr(registry, "DATASETS", (*registry.DATASETS[:-1], streamed))
    settings: dict[str, Any] = {"history_s": 1.0, "rate_hz": 2.0, "stride": 1, "min_future_s": 1.0}
    named = SourceConfig("toy", split="train", **settings)
    by_path = SourceConfig("scenes", path=f"{TOY.folder}/train", **settings)
    found, expected = (build_set(source, [data], FUTURE_S, InputRequirements()) for source in (named, by_path))
    assert len(found) == 2 * 2 * (12 - 2)  # every frame of every walker but the last second's
    np.testing.assert_array_equal(found.future_m, expected.future_m)
    assert len(source_files(replace(named, first=1), [data])) == 1
    with pytest.raises(InputError, match="toy: expected objects with 9 s of recorded future, got none in 2 files"):
        build_set(replace(named, min_future_s=9.0), [data], np.arange(1.0, 19.0) * 0.5, InputRequirements())
    opened = open_dataset("toy", data, "val", horizon_s=1.0, stride=2)
    assert [unit.group for unit in opened.units] == ["three"]
    assert opened.time_s.tolist() == [0.5, 1.0]


def test_an_executor_cuts_the_same_windows(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = data / TOY.folder / "val" / "three.csv"
    file.with_name("two.csv").write_text(file.read_text())
    twice = replace(TOY, parts=tuple(replace(part, window_count=None) for part in TOY.parts))
    monkeypatch.setattr(registry, "DATASETS", (twice,))
    alone = part_windows(twice, [data], "val")
    monkeypatch.setattr(part_windows_module, "FILES", 1)
    executor = CountingExecutor()
    shared = part_windows(twice, [data], "val", executor=executor)
    assert executor.tasks == 2
    assert len(shared) == 20
    for field in fields(alone):
        np.testing.assert_array_equal(getattr(shared, field.name), getattr(alone, field.name), err_msg=field.name)


def test_windows_are_those_of_the_rule_and_their_number_is_checked(data: Path) -> None:
    windows = part_windows(TOY, [data], "val")
    assert len(windows) == 10
    last = windows.select(windows.track_id == "b").select(np.array([0]))
    assert last.position_m[0].tolist() == [[0, 0], [1, 0], [2, 0], [3, 0]]
    assert last.future_m[0].tolist() == [[4, 0], [5, 0], [6, 0], [7, 0]]
    file = data / TOY.folder / "val" / "three.csv"
    file.write_text("\n".join(file.read_text().splitlines()[:-2]) + "\n")
    with pytest.raises(InputError, match=r"Toy walkers val: expected the 10 windows .*, got 8 of 8"):
        part_windows(TOY, [data], "val")
