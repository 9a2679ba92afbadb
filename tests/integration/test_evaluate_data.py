"""Evaluation on the recorded data: official counts, and constant velocity as others measured it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trajnet.errors import InputError
from trajnet.evaluate import evaluate, open_dataset
from trajnet.evaluate.runner import run_unit
from trajnet.evaluate.units import WindowUnit
from trajnet.inference import ConstantVelocity
from trajnet.inference.physics import growing_covariance, single_mode
from trajnet.tracking.store import Observations
from trajnet.types import Prediction

pytestmark = pytest.mark.data

COUNTS = {"eth": 181, "hotel": 1_053, "univ": 24_334, "zara1": 2_253, "zara2": 5_833}
#: ADE and FDE of constant velocity in m, the row of the ETH/UCY table that the project is measured against.
CONSTANT_VELOCITY = {"eth": (1.00, 2.23), "hotel": (0.32, 0.62), "univ": (0.52, 1.17), "zara1": (0.43, 0.96)}
CONSTANT_VELOCITY |= {"zara2": (0.33, 0.73)}


class UnsignedSpeed(ConstantVelocity):
    """Speed of the last displacement along the yaw, also for what moves backwards: how the reference was measured."""

    name = "unsigned"

    def predict(self, observations: Observations) -> Prediction:
        moved_m = observations.position_m - observations.previous_position_m
        speed = np.hypot(moved_m[:, 0], moved_m[:, 1]) / np.where(observations.reset, 1.0, observations.dt_s)
        yaw = observations.yaw_rad
        path_m = (speed[:, None] * self.time_s)[..., None] * np.stack([np.cos(yaw), np.sin(yaw)], -1)[:, None]
        return single_mode(
            observations, self.time_s, observations.position_m[:, None] + path_m,
            np.repeat(yaw[:, None], len(self.time_s), axis=1), growing_covariance(self.time_s, yaw),
        )  # fmt: skip


def row(report: dict[str, Any], model: str) -> dict[str, Any]:
    found: dict[str, Any] = next(entry for entry in report["models"] if entry["model"] == model)
    return found


def test_nuscenes_val_is_the_official_split_and_gives_the_known_numbers(data_dir: Path) -> None:
    report = evaluate("nuscenes", data_dir, "val", [])
    assert report["counts"]["whole"] == report["counts"]["objects"] == 9_041
    assert sum(report["counts"]["by_class"].values()) == 9_041
    found = row(report, "cv")["metrics"]
    assert found["minADE_1"] == pytest.approx(4.71, abs=0.005)
    # 11.36 was measured with the speed's sign left out: 355 of the targets roll backwards.
    assert found["minFDE_1"] == pytest.approx(11.36, abs=0.015)
    assert found["minADE_10"] == found["minADE_1"]
    assert row(report, "cv")["rows"]["physics_rows"] == 0


def test_constant_unsigned_speed_gives_the_reference_to_the_centimetre(data_dir: Path) -> None:
    dataset = open_dataset("nuscenes", data_dir, "val")
    parts = [run_unit(u, UnsignedSpeed(dataset.time_s), dataset.time_s).scores for u in dataset.units]
    ade = np.concatenate([p.values["minADE_1"][:, -1] for p in parts if p is not None])
    fde = np.concatenate([p.values["minFDE_1"][:, -1] for p in parts if p is not None])
    assert len(ade) == 9_041
    assert round(float(ade.mean()), 2) == 4.71
    assert round(float(fde.mean()), 2) == 11.36


def test_nuscenes_train_val_is_complete(data_dir: Path) -> None:
    dataset = open_dataset("nuscenes", data_dir, "train_val")
    assert sum(len(u.windows) for u in dataset.units if isinstance(u, WindowUnit)) == 8_560


def test_eth_ucy_has_the_official_windows_and_the_known_row(data_dir: Path) -> None:
    report = evaluate("eth_ucy", data_dir, "all", [])
    assert report["counts"]["by_scene"] == COUNTS
    cv = row(report, "cv")
    for scene, (ade, fde) in CONSTANT_VELOCITY.items():
        assert round(cv["per_scene"][scene]["minADE_20"], 2) == ade, scene
        assert round(cv["per_scene"][scene]["minFDE_20"], 2) == fde, scene
        # With one mode the best of 20 is the same for a pedestrian alone and for all of a window.
        assert cv["per_scene"][scene]["SocialGAN_best_of_20_ADE"] == pytest.approx(cv["per_scene"][scene]["minADE_1"])
    assert round(cv["mean_over_scenes"]["minADE_20"], 2) == 0.52
    assert round(cv["mean_over_scenes"]["minFDE_20"], 2) == 1.14


def test_a_model_with_knots_of_its_own_is_scored_on_the_benchmarks_times(data_dir: Path) -> None:
    dataset = open_dataset("eth_ucy", data_dir, "eth")
    (unit,) = dataset.units
    same = run_unit(unit, ConstantVelocity(dataset.time_s), dataset.time_s).scores
    knots = run_unit(unit, ConstantVelocity(np.arange(1.0, 13.0) * 0.5), dataset.time_s).scores
    assert same is not None
    assert knots is not None
    assert knots.values["minADE_1"] == pytest.approx(same.values["minADE_1"], abs=1e-9)


def test_an_incomplete_copy_is_refused(data_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "nuscenes_pred" / "label" / "test"
    folder.mkdir(parents=True)
    for path in sorted((data_dir / "nuscenes_pred" / "label" / "test").glob("*.txt"))[:3]:
        (folder / path.name).symlink_to(path)
    with pytest.raises(InputError, match="expected the 9,041 windows"):
        evaluate("nuscenes", tmp_path, "val", ["cv"])


def test_a_recorded_scene_is_streamed(data_dir: Path) -> None:
    path = data_dir / "commonroad_ngsim" / "US101" / "USA_US101-10_1_T-1.xml"
    report = evaluate("scenes", path, None, ["kalman"], stride=5, horizon_s=3.0)
    assert report["counts"]["whole"] > 100
    errors = [row(report, "kalman")["per_horizon"][s]["minFDE_1"] for s in ("1", "2", "3")]
    assert 0 < errors[0] < errors[1] < errors[2] < 20


def test_apolloscape_and_vru_are_scored_by_class_and_motion(data_dir: Path) -> None:
    report = evaluate("apolloscape", data_dir, "val", [])
    assert report["counts"]["whole"] == report["counts"]["objects"] == 4_279
    assert report["time_s"][-1] == 3.0
    assert set(report["counts"]["by_class"]) == {"unknown", "car", "truck", "bicycle", "pedestrian"}
    by_class = row(report, "cv")["per_class"]
    assert by_class["pedestrian"]["metrics"]["minADE_1"] < by_class["car"]["metrics"]["minADE_1"]
    report = evaluate("vru", data_dir, "val", [])
    assert report["counts"]["by_class"] == {"bicycle": 1_938, "pedestrian": 951}
    assert set(report["counts"]["by_scene"]) == {
        f"{who} {what}" for who in ("pedestrians", "cyclists") for what in ("moving", "starting", "stopping", "waiting")
    }
    # At 50 and 12.5 Hz the last displacement is noise for the most part; a filter of all of them is not.
    assert row(report, "kalman")["metrics"]["minADE_1"] < 0.6 * row(report, "cv")["metrics"]["minADE_1"]
