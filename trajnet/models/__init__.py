"""The model files that come with trajnet, each with its model card beside it."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).resolve().parent


def default_model() -> Path:
    """Cars, lorries, cyclists and pedestrians; trained on open data and generated traffic."""
    return FOLDER / "trajnet-urban.onnx"


def nuscenes_model() -> Path:
    """The nuScenes challenge's vehicles. Non-commercial use only: its training data is."""
    return FOLDER / "trajnet-nuscenes.onnx"


def universal_model() -> Path:
    """Every data set in one model. Non-commercial use only: some of its training data is."""
    return FOLDER / "trajnet-universal.onnx"
