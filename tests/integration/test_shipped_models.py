"""The model files that come with trajnet are what their cards say."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from trajnet.datasets.files import load_scene
from trajnet.evaluate import evaluate
from trajnet.export.graph import StepGraph
from trajnet.export.parity import parity
from trajnet.inference import GuardOptions, OnnxPredictor, Stream
from trajnet.models import default_model, nuscenes_model, universal_model
from trajnet.training.checkpoint import checkpoint_model
from trajnet.types import CLASS_NAMES, Source

SCENES = Path(__file__).resolve().parents[2] / "sim" / "scenes"
MODELS = (default_model(), nuscenes_model(), universal_model())


@pytest.mark.parametrize("path", MODELS, ids=lambda p: p.stem)
def test_a_shipped_model_is_small_described_and_passed_its_gate(path: Path) -> None:
    assert path.stat().st_size < 4_000_000
    predictor = OnnxPredictor(path)
    contract = predictor.model_file.contract
    assert contract.name == path.stem
    assert contract.parity_max_error_m <= 1e-3
    assert contract.training.non_commercial == (path != default_model())
    assert contract.metrics
    card = path.with_suffix(".md").read_text(encoding="utf-8")
    assert predictor.model_file.card == card
    assert "trajnet train --config" in card
    for name in ("minADE_1", "minFDE_1"):
        assert f"{contract.metrics[name]:.2f}" in card


@pytest.mark.parametrize("path", MODELS, ids=lambda p: p.stem)
@pytest.mark.parametrize("scene", sorted(SCENES.glob("*.parquet")), ids=lambda p: p.stem)
def test_a_shipped_model_serves_every_bundled_scene_without_a_fall_back(path: Path, scene: Path) -> None:
    """Classes that it was never shown are asked about, too; what it says of those may be refused."""
    recorded, predictor = load_scene(scene, with_map=True), OnnxPredictor(path)
    domain = predictor.model_file.contract.domain
    assert domain is not None
    class_of = dict(zip(recorded.track_id, recorded.object_class, strict=True))
    stream, rows = Stream.for_scene(recorded, predictor, guard=GuardOptions(domain=False)), 0
    for frame in recorded.frames():
        answer = stream.update(frame, frame.timestamp_ns)
        answer.validate()
        refused = [class_of[answer.track_id[row]] for row in np.flatnonzero(answer.source == Source.PHYSICS)]
        assert not {CLASS_NAMES[number] for number in refused} & set(domain.classes)
        rows += len(refused)
    assert stream.guard.counters.physics_rows == rows
    assert stream.guard.counters.failures == 0


@pytest.fixture(scope="module")
def bundled() -> dict[str, dict[str, Any]]:
    """The default model, as its file predicts, and physics on the bundled scenes, by name."""
    report = evaluate("scenes", SCENES, None, [str(default_model())], stride=10, self_judging=False)
    return {entry["model"]: entry for entry in report["models"]}


def test_the_default_model_beats_constant_velocity_on_the_bundled_scenes(bundled: dict[str, dict[str, Any]]) -> None:
    """Seeds that it was not trained on; the figures are in its card."""
    ours, physics = bundled["trajnet-urban"]["metrics"], bundled["cv"]["metrics"]
    assert ours["minADE_1"] < physics["minADE_1"]
    assert ours["minFDE_1"] < physics["minFDE_1"]


@pytest.mark.parametrize("seen", ["1-2 s", "2-4 s", "4-8 s", "8-16 s", "from 16 s"])
def test_the_default_model_is_a_fifth_better_than_physics_however_long_it_has_seen_an_object(
    seen: str, bundled: dict[str, dict[str, Any]]
) -> None:
    """Trained on histories of 3 s, it was no longer from 8 s on: its state is as old as the track."""
    ours, physics = (
        bundled[name]["breakdown"]["history"][seen]["minADE_1"]["mean"] for name in ("trajnet-urban", "cv")
    )
    assert ours < 0.8 * physics


def test_nuscenes_val_as_the_cards_say(data_dir: Path) -> None:
    models = nuscenes_model(), universal_model()
    report = evaluate("nuscenes", data_dir, "val", [str(path) for path in models], jobs=2)
    assert report["counts"]["whole"] == 9_041
    for path, found in zip(models, report["models"], strict=False):  # physics comes after
        metrics = found["metrics"]
        assert metrics["minADE_5"] <= 2.0
        assert metrics["minADE_10"] <= 1.35
        stored = OnnxPredictor(path).model_file.contract.metrics
        assert stored["objects"] == 9_041
        for name, value in metrics.items():
            if isinstance(value, float) and name in stored:
                np.testing.assert_allclose(value, stored[name], rtol=1e-3, err_msg=f"{path.stem} {name}")


@pytest.mark.parametrize("path", [default_model(), nuscenes_model(), universal_model()], ids=lambda p: p.stem)
def test_the_checkpoint_that_a_card_names_is_shipped_and_is_this_model(path: Path) -> None:
    checkpoint = path.with_suffix(".ckpt")
    assert f"`{checkpoint.name}` beside this file" in path.with_suffix(".md").read_text(encoding="utf-8")
    model, config, about = checkpoint_model(checkpoint)
    contract = OnnxPredictor(path).model_file.contract
    assert (config.name, about["windows"]) == (contract.name, contract.training.windows)
    # The code of today makes of its weights what the file says, also where the network was written anew since.
    graph = StepGraph(model, np.array(contract.time_s)).eval()
    assert parity(graph, onnx.load(path), batches=[1, 64], steps=20).passed
