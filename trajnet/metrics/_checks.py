"""Input checks shared by all metrics."""

from __future__ import annotations

from typing import Any

import numpy as np

from trajnet.errors import InputError
from trajnet.types import FloatArray


def finite(name: str, value: Any, shape: tuple[int | None, ...]) -> FloatArray:
    """Return the value as float64; raise InputError unless it is finite and of this shape (None: any length)."""
    array = np.asarray(value, dtype=np.float64)
    fits = array.ndim == len(shape) and all(want in (None, got) for want, got in zip(shape, array.shape, strict=True))
    if not fits:
        wanted = ", ".join("any" if s is None else str(s) for s in shape)
        raise InputError(f"{name}: expected shape ({wanted}), got {array.shape}")
    bad = int((~np.isfinite(array)).sum())
    if bad:
        raise InputError(f"{name}: expected finite values, got NaN or infinity in {bad} place(s)")
    return array


def checked_probability(value: Any, objects: int, modes: int) -> FloatArray:
    probability = finite("probability", value, (objects, modes))
    if probability.size and (probability.min() < 0 or np.abs(probability.sum(axis=1) - 1.0).max() > 1e-3):
        raise InputError("probability: expected values of at least 0 whose rows sum to 1, got others")
    return probability


def checked_displacement(value: Any) -> FloatArray:
    displacement_m = finite("displacement_m", value, (None, None, None))
    if 0 in displacement_m.shape[1:]:
        raise InputError(f"displacement_m: expected at least one mode and one step, got shape {displacement_m.shape}")
    return displacement_m
