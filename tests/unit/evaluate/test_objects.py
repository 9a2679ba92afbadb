"""The table of all scored objects, and which of them are the worst."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from tests.replay_scenes import crossing_scene
from tests.unit.evaluate.test_evaluate import Modes, scene_of, straight, two_walkers, wavy
from trajnet.cli.main import build
from trajnet.evaluate import evaluate
from trajnet.evaluate.mined import CRITERIA, ObjectRows, WorstKeeper, worst_rows
from trajnet.evaluate.object_table import COLUMNS, ObjectTable, map_distance
from trajnet.evaluate.runner import run_unit
from trajnet.evaluate.units import WindowUnit
from trajnet.scenes import write_scene


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A car that turns, one that goes straight, one that stands, and one that vanishes; 8 s at 10 Hz."""
    scenes = tmp_path / "scenes"
    scenes.mkdir()
    tracks = {
        "turns": wavy(range(81), 0),
        "straight": straight(range(81), 10, 20),
        "stands": straight(range(81), 0, 40),
        "leaves": straight(range(45), 5, 60),
    }
    write_scene(scene_of(tracks), scenes / "made.parquet")
    return scenes


def rows_of(**values: object) -> ObjectRows:
    """Three instants of track a and one of track b, with these values."""
    zeros = np.zeros(4)
    made = ObjectRows(
        np.array(["s"] * 4), np.array(["a", "a", "a", "b"]), np.arange(4), np.arange(4), np.ones(4, np.int8),
        np.zeros((4, 2)), zeros, zeros, np.ones(4, np.bool_), np.zeros(4, np.int8), zeros, zeros, zeros, zeros, zeros,
        zeros, zeros, zeros, np.zeros(4, np.int8), None,
    )  # fmt: skip
    return replace(made, **values)  # type: ignore[arg-type]


def test_the_table_has_every_scored_object_of_every_model_and_its_means_are_those_of_the_report(
    folder: Path, tmp_path: Path
) -> None:
    with ObjectTable(tmp_path / "objects.parquet") as table:
        report = evaluate("scenes", folder, None, ["ctrv"], horizon_s=3.0, stride=10, sink=table)
    found = pq.read_table(tmp_path / "objects.parquet")
    assert found.schema.names == list(COLUMNS)
    rows = found.to_pylist()
    assert len(rows) == table.rows == 3 * report["counts"]["objects"]
    for entry in report["models"]:
        mine = [row for row in rows if row["model"] == entry["model"]]
        whole = [row for row in mine if row["top_ade_m"] is not None]
        assert len(whole) == report["counts"]["whole"]
        for column, metric in (("top_ade_m", "minADE_1"), ("best_fde_m", "minFDE_6"), ("nll", "mixture_NLL")):
            assert np.mean([row[column] for row in whole]) == pytest.approx(entry["metrics"][metric])
    at_2_s = {row["track_id"]: row for row in rows if row["model"] == "ctrv" and row["frame"] == 120}
    assert {track: row["manoeuvre"] for track, row in at_2_s.items()} == {
        "turns": "straight", "straight": "straight", "stands": "standing", "leaves": None,
    }  # fmt: skip
    assert at_2_s["straight"]["time_s"] == pytest.approx(2.0)
    assert at_2_s["straight"]["speed_mps"] == pytest.approx(10.0)
    assert at_2_s["straight"]["true_end_m"] == pytest.approx(30.0)
    assert at_2_s["straight"]["seen_for_s"] == pytest.approx(2.0)
    assert at_2_s["straight"]["source"] == "physics"
    assert at_2_s["straight"]["expert"] is None
    assert at_2_s["straight"]["map_distance_m"] is None
    assert at_2_s["straight"]["file"] == str(folder / "made.parquet")
    assert (at_2_s["leaves"]["top_ade_m"], at_2_s["leaves"]["nll"]) == (None, None)


def test_errors_of_the_most_probable_path_and_of_the_best_by_hand() -> None:
    """Both are said to go on at 1 m/s with 0.7, or to stand; the second one stops."""
    unit, future_s = two_walkers()
    (mined,) = run_unit(unit, Modes([0.0, 1.0], [0.3, 0.7], future_s), future_s, worst=0).mined
    assert mined.worst is None
    rows = mined.rows
    for found, expected in (
        (rows.top_ade_m, [0.0, 1.25]),
        (rows.top_fde_m, [0.0, 2.0]),
        (rows.best_ade_m, [0.0, 0.0]),
        (rows.best_fde_m, [0.0, 0.0]),
        (rows.top_end_m, [2.0, 2.0]),
        (rows.true_end_m, [2.0, 0.0]),
        (rows.speed_mps, [1.0, 0.0]),
        (rows.confidence, [0.7, 0.7]),
        (rows.seen_for_s, [2.0, 2.0]),
    ):
        assert found == pytest.approx(np.array(expected), abs=1e-9)
    cut = unit.windows.future_valid.copy()
    cut[1, 2:] = False
    shorter = WindowUnit(replace(unit.windows, future_valid=cut), "", ())
    (mined,) = run_unit(shorter, Modes([0.0, 1.0], [0.3, 0.7], future_s), future_s, worst=0).mined
    assert mined.rows.whole.tolist() == [True, False]
    for found in (mined.rows.top_ade_m, mined.rows.best_fde_m, mined.rows.true_end_m, mined.rows.nll):
        assert np.isfinite(found).tolist() == [True, False]


def test_the_command_writes_the_table(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "objects.parquet"
    arguments = ["evaluate", "--dataset", "scenes", "--data", str(folder), "--horizon", "2", "--stride", "20"]
    result = CliRunner().invoke(build(), [*arguments, "--jobs", "1", "--objects", str(file)])
    assert result.exit_code == 0, result.output
    assert set(pq.read_table(file).column("model").to_pylist()) == {"cv", "ctrv", "kalman"}


def test_the_distance_to_the_edge_of_the_roads_is_positive_on_them() -> None:
    scene = crossing_scene()  # lanes of 3.5 m on both sides of two axes that cross at (400000, 5300000)
    points_m = np.array([[40.0, 0.0], [40.0, 6.5], [40.0, 40.0], [5000.0, 0.0]]) + np.array([400_000.0, 5_300_000.0])
    distance_m = map_distance(scene, points_m)
    assert distance_m[:2] == pytest.approx([3.5, -3.0], abs=1.0)
    assert distance_m[2] == -8.0
    assert np.isnan(distance_m[3])
    assert np.isnan(map_distance(replace(scene, lanes=()), points_m)).all()


def test_of_each_track_only_the_worst_instant_counts() -> None:
    rows = rows_of(top_ade_m=np.array([1.0, 5.0, 4.0, 2.0]))
    assert worst_rows(rows, "error", 10).tolist() == [1, 3]
    assert worst_rows(rows, "error", 1).tolist() == [1]
    assert worst_rows(replace(rows, top_ade_m=np.full(4, np.nan)), "error", 10).tolist() == []


def test_false_motion_is_that_of_objects_that_stand() -> None:
    rows = rows_of(top_end_m=np.array([9.0, 1.0, 2.0, 3.0]), manoeuvre=np.array([6, 0, 0, 6], np.int8))
    assert worst_rows(rows, "false_motion", 10).tolist() == [2]


def test_the_keeper_ignores_all_but_the_first_model() -> None:
    unit, future_s = two_walkers()
    fine, worse = (
        run_unit(unit, Modes([factor], [1.0], future_s), future_s, worst=2).mined[0] for factor in (1.0, 50.0)
    )
    keeper = WorstKeeper(2)
    for model, mined in (("fine", fine), ("worse", worse), ("fine", fine)):
        keeper.add(model, unit, mined)
    assert keeper.kept is not None
    assert keeper.kept.rows.top_ade_m.max() == pytest.approx(1.25)


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_keeper_has_the_worst_of_the_whole_data_whatever_the_processes(
    folder: Path, tmp_path: Path, jobs: int
) -> None:
    write_scene(scene_of({"wild": wavy(range(81), 0), "calm": straight(range(81), 3, 9)}), folder / "other.parquet")
    keeper = WorstKeeper(2)
    with ObjectTable(tmp_path / "objects.parquet") as table:
        evaluate("scenes", folder, None, ["ctrv"], horizon_s=3.0, sink=table, jobs=1)
    evaluate("scenes", folder, None, ["ctrv"], horizon_s=3.0, sink=keeper, jobs=jobs)
    assert keeper.model == "ctrv"
    assert keeper.kept is not None
    everything = [row for row in pq.read_table(tmp_path / "objects.parquet").to_pylist() if row["model"] == "ctrv"]
    for criterion, column in (("error", "top_ade_m"), ("surprise", "nll")):
        chosen = worst_rows(keeper.kept.rows, criterion, 2)
        worst: dict[str, float] = {}
        for row in everything:
            if row[column] is not None:
                worst[row["track_id"]] = max(row[column], worst.get(row["track_id"], -np.inf))
        assert keeper.kept.rows.measured(criterion)[chosen] == pytest.approx(sorted(worst.values())[::-1][:2])
    standing = keeper.kept.rows.measured("false_motion")
    assert np.nanmax(standing) == pytest.approx(
        max(row["top_end_m"] for row in everything if row["manoeuvre"] == "standing"), abs=1e-9
    )
    assert len(keeper.units) == len(keeper.kept) <= 2 * len(CRITERIA)
    assert keeper.kept.paths.position_m.shape[1:] == (1, 6, 2)
