"""The model files that come with trajnet are what their cards say."""

import json
from pathlib import Path

import numpy as np
import pytest

from trajnet.evaluate import evaluate
from trajnet.models import default_model, nuscenes_model
from trajnet.predictors import OnnxPredictor, Stream, load_predictor
from trajnet.scenes import load_scene

SCENES = Path(__file__).resolve().parents[2] / "sim" / "scenes"
MODELS = (default_model(), nuscenes_model())


@pytest.mark.parametrize("path", MODELS, ids=lambda p: p.stem)
def test_a_shipped_model_is_small_described_and_passed_its_gate(path: Path) -> None:
    assert path.stat().st_size < 3_000_000
    predictor = OnnxPredictor(path)
    contract = predictor.contract
    assert contract.name == path.stem
    assert contract.parity_max_error_m <= 1e-3
    assert contract.training.non_commercial == (path == nuscenes_model())
    assert contract.metrics
    card = path.with_suffix(".md").read_text(encoding="utf-8")
    assert predictor.card == card
    assert "trajnet train --config" in card
    for name in ("minADE_1", "minFDE_1"):
        assert f"{contract.metrics[name]:.2f}" in card


@pytest.mark.parametrize("path", MODELS, ids=lambda p: p.stem)
@pytest.mark.parametrize("scene", sorted(SCENES.glob("*.parquet")), ids=lambda p: p.stem)
def test_a_shipped_model_serves_every_bundled_scene_without_a_fall_back(path: Path, scene: Path) -> None:
    stream = Stream(load_predictor(path))
    for frame in load_scene(scene).frames():
        stream.update(frame, frame.timestamp_ns).validate()
    assert stream.guard.physics_rows == 0
    assert stream.guard.failures == 0


def test_the_default_model_beats_constant_velocity_on_the_bundled_scenes() -> None:
    """Seeds that it was not trained on; the figures are in its card."""
    report = evaluate("scenes", SCENES, None, [str(default_model())], stride=10)
    ours, physics = report["models"][0]["metrics"], report["models"][1]["metrics"]
    assert report["models"][1]["model"] == "cv"
    assert ours["minADE_1"] < physics["minADE_1"]
    assert ours["minFDE_1"] < physics["minFDE_1"]


def test_nuscenes_val_as_the_card_says(data_dir: Path) -> None:
    report = evaluate("nuscenes", data_dir, "val", [str(nuscenes_model())], jobs=2)
    metrics = report["models"][0]["metrics"]
    assert report["counts"]["whole"] == 9_041
    assert metrics["minADE_5"] <= 2.0
    assert metrics["minADE_10"] <= 1.35
    stored = OnnxPredictor(nuscenes_model()).contract.metrics
    assert stored["objects"] == 9_041
    for name, value in metrics.items():
        if isinstance(value, float) and name in stored:
            np.testing.assert_allclose(value, stored[name], rtol=1e-3, err_msg=json.dumps(name))
