"""The model files bundled with trajnet, each with its model card beside it."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).resolve().parent


def default_model() -> Path:
    """Return the model for cars, lorries, cyclists and pedestrians, trained on open data and generated traffic."""
    return FOLDER / "trajnet-urban.onnx"


def nuscenes_model() -> Path:
    """Return the model for the vehicles of the nuScenes challenge. Non-commercial use only, as its training data."""
    return FOLDER / "trajnet-nuscenes.onnx"


def universal_model() -> Path:
    """Return the model trained on all data sets. Non-commercial use only, as some of its training data."""
    return FOLDER / "trajnet-universal.onnx"
