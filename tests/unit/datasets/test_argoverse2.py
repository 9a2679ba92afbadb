"""Argoverse 2's protocol: the focal track alone, at the last observed step, 6 s ahead."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.replay_scenes import straight_scene
from trajnet.datasets.files import load_scene
from trajnet.errors import InputError
from trajnet.evaluate import evaluate
from trajnet.scenes import write_scene


def scenario(path: Path, targets: int) -> None:
    """Write 11 s of three cars at a constant velocity; the first `targets` are scored at step 49, track 0 is focal."""
    scene = straight_scene(np.ones((110, 3), np.bool_))
    write_scene(replace(scene, is_target=(scene.row_frame == 49) & (scene.row_track < targets)), path)


def test_the_focal_track_alone_is_scored(tmp_path: Path) -> None:
    scenario(tmp_path / "argoverse2" / "val" / "a" / "scenario_a.parquet", targets=2)
    report = evaluate("argoverse2", tmp_path, "val", ["cv"])
    assert report["counts"]["whole"] == 1
    assert (report["time_s"][0], report["time_s"][-1], len(report["time_s"])) == (0.1, 6.0, 60)
    metrics = report["models"][0]["metrics"]
    for name in ("minADE_6", "minFDE_6", "Argoverse2_MissRate_6", "Argoverse2_brier_minFDE_6"):
        assert metrics[name] == pytest.approx(0.0, abs=1e-6)


def test_a_scenario_without_a_focal_track_is_refused(tmp_path: Path) -> None:
    scenario(tmp_path / "none.parquet", targets=0)
    assert not load_scene(tmp_path / "none.parquet").is_target.any()
    with pytest.raises(InputError, match=r"none\.parquet: expected one focal track, .* got 0"):
        load_scene(tmp_path / "none.parquet", "argoverse2")


def test_a_column_of_argoverse_2_that_is_missing_is_named(tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "a.parquet"
    scenario(path, targets=1)
    table = pq.read_table(path).drop_columns(["timestamp_ns", "object_class"])
    for name in ("timestep", "object_type"):
        renamed = ["renamed" if each == name else each for each in table.column_names]
        pq.write_table(table.rename_columns(renamed), path)
        with pytest.raises(InputError, match=rf"a\.parquet: .* a table without .*nor Argoverse 2's {name}"):
            load_scene(path, "argoverse2")
