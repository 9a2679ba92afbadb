"""Compare the answers of shipped models and physics with tests/golden, byte for byte on the machine they came from."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from trajnet.datasets.files import load_scene
from trajnet.inference import NO_JUDGING, PHYSICS, GuardOptions, Stream, load_predictor
from trajnet.timing.hardware import cpu_model
from trajnet.tracking.store import TrackPolicy

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden"
MODELS = ("trajnet-urban", "trajnet-nuscenes", "trajnet-universal", *PHYSICS)
SCENES = ("crossing_small", "intersection", "motorway")
#: Rows of the sampled frames that are kept as numbers.
ROWS = 6
#: Other kernels and library versions round float32 differently over a whole scene.
TOLERANCE_M = 2e-3


def played(model: str, scene_name: str) -> tuple[str, dict[str, NDArray[np.float64]]]:
    """Stream one scene through one predictor. Return the hash of all answers, and rows of two frames by name."""
    scene = load_scene(ROOT / "sim" / "scenes" / f"{scene_name}.parquet", with_map=True)
    predictor = load_predictor(model if model in PHYSICS else ROOT / "trajnet" / "models" / f"{model}.onnx")
    # Whether the network may be asked is another question: trajnet-nuscenes, say, was never shown 10 Hz.
    policy = TrackPolicy(filter_positions=False)
    stream = Stream.for_scene(scene, predictor, policy, guard=GuardOptions(domain=False), judging=NO_JUDGING)
    digest, kept = hashlib.sha256(), {}
    for index, frame in enumerate(scene.frames()):
        answer = stream.update(frame, frame.timestamp_ns)
        for name in ("position_m", "yaw_rad", "covariance_m2", "probability", "source", "age_s"):
            digest.update(np.ascontiguousarray(getattr(answer, name)).tobytes())
        digest.update("\0".join(answer.track_id).encode())
        if index in (scene.frame_count // 2, scene.frame_count - 1):
            prefix = f"{model}/{scene_name}/{index}"
            kept[f"{prefix}/position_m"] = answer.position_m[:ROWS][:, :, [0, -1]]
            kept[f"{prefix}/probability"] = answer.probability[:ROWS].astype(np.float32)
            kept[f"{prefix}/covariance_m2"] = answer.covariance_m2[:ROWS, :, -1].astype(np.float32)
    return digest.hexdigest(), kept


def machine() -> dict[str, str]:
    """Return what decides the rounding."""
    return {"cpu": cpu_model(), "numpy": np.__version__, "onnxruntime": onnxruntime.__version__}


@pytest.mark.parametrize("scene_name", SCENES)
@pytest.mark.parametrize("model", MODELS)
def test_answers_are_those_of_the_golden_file(model: str, scene_name: str) -> None:
    golden = json.loads((GOLDEN / "predictions.json").read_text(encoding="utf-8"))
    digest, kept = played(model, scene_name)
    with np.load(GOLDEN / "predictions.npz") as samples:
        assert len(kept) == 6
        for name, values in kept.items():
            np.testing.assert_allclose(values, samples[name], rtol=1e-3, atol=TOLERANCE_M, err_msg=name)
    if machine() == golden["machine"]:
        assert digest == golden["sha256"][f"{model}/{scene_name}"]


def main() -> None:
    """Write the golden files anew."""
    digests: dict[str, str] = {}
    samples: dict[str, NDArray[np.float64]] = {}
    for model in MODELS:
        for scene_name in SCENES:
            digests[f"{model}/{scene_name}"], kept = played(model, scene_name)
            samples.update(kept)
    text = json.dumps({"machine": machine(), "sha256": digests}, indent=1)
    (GOLDEN / "predictions.json").write_text(text + "\n", encoding="utf-8")
    np.savez_compressed(GOLDEN / "predictions.npz", **samples)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
