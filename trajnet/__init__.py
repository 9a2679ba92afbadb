"""Trajectory prediction for automated vehicles. Names in __all__ are stable (docs/python.md) and load on first use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from trajnet.api import (
        ObjectClass,
        Prediction,
        Scene,
        Stream,
        TrackFrame,
        TrajnetError,
        check_scene,
        load_model,
        load_scene,
        plot,
        predict,
        predict_frames,
        write_scene,
    )

__all__ = [
    "ObjectClass",
    "Prediction",
    "Scene",
    "Stream",
    "TrackFrame",
    "TrajnetError",
    "check_scene",
    "load_model",
    "load_scene",
    "plot",
    "predict",
    "predict_frames",
    "write_scene",
]


def __getattr__(name: str) -> Any:
    """Load what is asked for. Raises AttributeError for any name that is not in __all__."""
    if name not in __all__:
        raise AttributeError(f"module 'trajnet' has no attribute {name!r}")
    from trajnet import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
