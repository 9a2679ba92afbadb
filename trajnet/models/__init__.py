"""The model files bundled with trajnet, each with its model card beside it."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).resolve().parent
PREFIX = "trajnet-"


def model_names() -> list[str]:
    """Return the names of the bundled models, the default first: urban, nuscenes, universal and others there are."""
    found = sorted(path.stem.removeprefix(PREFIX) for path in FOLDER.glob(f"{PREFIX}*.onnx"))
    return sorted(found, key=lambda name: name != default_model().stem.removeprefix(PREFIX))


def model_named(name: str) -> Path | None:
    """Return the file of a bundled model, named as ``urban`` or ``trajnet-urban``; None for any other name."""
    short = name.removeprefix(PREFIX)
    return FOLDER / f"{PREFIX}{short}.onnx" if short in model_names() else None


def checkpoint_names() -> list[str]:
    """Return the names of the bundled models whose checkpoint is there to be trained on, the default first."""
    return [name for name in model_names() if (FOLDER / f"{PREFIX}{name}.ckpt").is_file()]


def checkpoint_named(name: str) -> Path | None:
    """Return the checkpoint of a bundled model, named as ``urban`` or ``trajnet-urban``; None for any other name."""
    short = name.removeprefix(PREFIX)
    return FOLDER / f"{PREFIX}{short}.ckpt" if short in checkpoint_names() else None


def default_model() -> Path:
    """Return the model for cars, lorries, cyclists and pedestrians, trained on open data and generated traffic."""
    return FOLDER / "trajnet-urban.onnx"


def nuscenes_model() -> Path:
    """Return the model for the vehicles of the nuScenes challenge. Non-commercial use only, as its training data."""
    return FOLDER / "trajnet-nuscenes.onnx"


def universal_model() -> Path:
    """Return the model trained on all data sets. Non-commercial use only, as some of its training data."""
    return FOLDER / "trajnet-universal.onnx"
