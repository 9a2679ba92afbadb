"""Argoverse 2's figures of a real scenario, computed a second time from the raw files by the formulas of av2-api."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from trajnet.evaluate import evaluate
from trajnet.models import default_model

pq = pytest.importorskip("pyarrow.parquet")
pa = pytest.importorskip("pyarrow")

SCENARIO = "0a1e6f0a-1817-4a98-b02e-db8c9327d151"


@pytest.fixture
def data(data_dir: Path, tmp_path: Path) -> Path:
    """A data root with the sample scenario twice, once under another name and without its map."""
    found = data_dir / "samples" / "av2" / f"scenario_{SCENARIO}.parquet"
    if not found.is_file():
        pytest.skip(f"no {found}")
    val = tmp_path / "argoverse2" / "val"
    (val / SCENARIO).mkdir(parents=True)
    for name in (found.name, f"log_map_archive_{SCENARIO}.json"):
        shutil.copyfile(found.with_name(name), val / SCENARIO / name)
    table = pq.read_table(found)
    place = table.column_names.index("scenario_id")
    other = table.set_column(place, "scenario_id", pa.array(["other"] * table.num_rows))
    (val / "other").mkdir()
    pq.write_table(other, val / "other" / "scenario_other.parquet")
    return tmp_path


def truth_m(path: Path) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Return the focal track's positions (110, 2) by timestep, straight from the file."""
    table = pq.read_table(path).to_pylist()
    rows = sorted((row for row in table if row["track_id"] == row["focal_track_id"]), key=lambda row: row["timestep"])
    assert [row["timestep"] for row in rows] == list(range(110))
    return np.array([[row["position_x"], row["position_y"]] for row in rows])


def test_the_figures_are_those_of_av2_api(data: Path, tmp_path: Path) -> None:
    saved = tmp_path / "paths.parquet"
    model = str(default_model())
    report = evaluate("argoverse2", data, "val", [model], save=saved)
    assert report["counts"]["whole"] == 2
    future_m = truth_m(data / "argoverse2" / "val" / SCENARIO / f"scenario_{SCENARIO}.parquet")[50:]
    paths = pq.read_table(saved).to_pylist()
    found = []
    for scene in (SCENARIO, "other"):
        rows = [row for row in paths if row["scene_id"] == scene]
        modes = max(row["mode"] for row in rows) + 1
        forecast_m, probability = np.zeros((modes, 60, 2)), np.zeros(modes)
        for row in rows:
            forecast_m[row["mode"], row["step"] - 1] = row["x_m"], row["y_m"]
            probability[row["mode"]] = row["probability"]
        top = np.argsort(-probability, kind="stable")[:6]
        forecast_m, probability = forecast_m[top], probability[top] / probability[top].sum()
        ade_m = np.linalg.norm(forecast_m - future_m, axis=2).mean(axis=1)  # compute_ade
        fde_m = np.linalg.norm((forecast_m - future_m)[:, -1], axis=-1)  # compute_fde
        brier_m = fde_m + np.square(1 - probability)  # compute_brier_fde
        found.append(
            [ade_m[0], fde_m[0], ade_m.min(), fde_m.min(), float((fde_m > 2.0).all()), brier_m[fde_m.argmin()]]
        )
    names = ("minADE_1", "minFDE_1", "minADE_6", "minFDE_6", "Argoverse2_MissRate_6", "Argoverse2_brier_minFDE_6")
    metrics = report["models"][0]["metrics"]
    np.testing.assert_allclose([metrics[name] for name in names], np.mean(found, axis=0), rtol=1e-9)
    assert found[0] != found[1]  # the scenario with its map, and without


def test_constant_velocity_from_the_raw_columns(data: Path) -> None:
    path = data / "argoverse2" / "val" / SCENARIO / f"scenario_{SCENARIO}.parquet"
    table = [row for row in pq.read_table(path).to_pylist() if row["track_id"] == row["focal_track_id"]]
    last = next(row for row in table if row["timestep"] == 49)
    step_s = (last["end_timestamp"] - last["start_timestamp"]) * 1e-9 / (last["num_timestamps"] - 1)
    assert step_s == pytest.approx(0.1, abs=1e-3)
    ahead_s = np.arange(1, 61)[:, None] * 0.1
    straight_m = np.array([last["position_x"], last["position_y"]]) + ahead_s * [last["velocity_x"], last["velocity_y"]]
    error_m = np.linalg.norm(straight_m - truth_m(path)[50:], axis=1)
    report = evaluate("argoverse2", data, "val", [])
    metrics = next(model["metrics"] for model in report["models"] if model["model"] == "cv")
    assert metrics["minADE_6"] == pytest.approx(error_m.mean(), abs=2e-3)
    assert metrics["Argoverse2_brier_minFDE_6"] == pytest.approx(error_m[-1], abs=5e-3)  # one mode of probability 1
