"""A worker that is killed in the middle of any kind of work changes nothing that comes out of it.

Calibration has no workers: test_train_goes_on has a run that was killed before it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.kill_nine import file_bytes
from tests.killing_pool import KillingPool
from tests.tiny_training import ROOT
from trajnet.cli.main import build
from trajnet.context.surroundings import InputRequirements
from trajnet.datasets.files import load_scene
from trajnet.engine import Executor, InProcess
from trajnet.evaluate import evaluate
from trajnet.evaluate.mined import WorstKeeper
from trajnet.scenes import write_scene
from trajnet.training import window_store
from trajnet.training.config import SourceConfig

Work = Callable[[Path, Path, Executor, pytest.MonkeyPatch], object]


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of five scenes, each the bundled one moved."""
    folder = tmp_path_factory.mktemp("data") / "scenes"
    scene = load_scene(ROOT / "sim/scenes/crossing_small.parquet", with_map=False)
    for number in range(5):
        moved = replace(scene, scene_id=str(number), position_m=scene.position_m + 3.0 * number, lanes=())
        write_scene(moved, folder / f"{number}.parquet")
    return folder


def convert(scenes: Path, out: Path, executor: Executor, patch: pytest.MonkeyPatch) -> object:
    patch.setattr("trajnet.cli.convert.chosen_executor", lambda *_, **__: executor)
    result = CliRunner().invoke(build(), ["convert", str(scenes), str(out), "--no-check"])
    assert result.exit_code == 0, result.output
    return {file.name: file.read_bytes() for file in out.glob("*.parquet")}


def build_windows(scenes: Path, out: Path, executor: Executor, patch: pytest.MonkeyPatch) -> object:
    patch.setattr(window_store, "GROUP_FILES", 1)
    source = SourceConfig("scenes", path="scenes", history_s=1.0, stride=20, min_future_s=1.0)
    times_s, nothing = np.array([0.5, 1.0]), InputRequirements()
    window_store.stored_windows([source], [scenes.parent], times_s, nothing, out, executor=executor)
    return file_bytes(out)


def score(scenes: Path, out: Path, executor: Executor, patch: pytest.MonkeyPatch) -> object:
    patch.setattr("trajnet.evaluate.runner.executor_for", lambda *_: executor)
    report = evaluate("scenes", scenes, None, ["cv"], jobs=2, horizon_s=2.0, stride=20, save=out / "paths.parquet")
    return json.dumps(report), (out / "paths.parquet").read_bytes()


def mine(scenes: Path, out: Path, executor: Executor, patch: pytest.MonkeyPatch) -> object:
    patch.setattr("trajnet.evaluate.runner.executor_for", lambda *_: executor)
    keeper = WorstKeeper(2)
    evaluate("scenes", scenes, None, ["cv"], jobs=2, horizon_s=2.0, stride=20, sink=keeper)
    assert keeper.kept is not None
    return keeper.kept.paths.position_m.tobytes(), keeper.kept.rows.top_ade_m.tobytes()


@pytest.mark.parametrize("work", [convert, build_windows, score, mine])
def test_a_killed_worker_changes_no_result(
    work: Work, scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "killed", "notes"):
        (tmp_path / name).mkdir()
    expected = work(scenes, tmp_path / "one", InProcess(), monkeypatch)
    assert work(scenes, tmp_path / "killed", KillingPool(tmp_path / "notes"), monkeypatch) == expected
    assert (tmp_path / "notes" / "died").exists()
