"""Neighbours by name: what the columns of a neighbour hold, and the columns that named numbers make."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from trajnet.columns import NEIGHBOUR_COLUMNS
from trajnet.context.surroundings import CLOSEST_M2


class Named(NamedTuple):
    """Of (N, k) neighbours: yaw in (-pi, pi], the squared distance without what is added for its logarithm."""

    offset_m: NDArray[np.float64]
    velocity_mps: NDArray[np.float64]
    yaw_rad: NDArray[np.float64]
    size_m: NDArray[np.float64]
    squared_m2: NDArray[np.float64]
    valid: NDArray[np.bool_]


def named(neighbours: ArrayLike) -> Named:
    columns = np.asarray(neighbours, dtype=np.float64)
    assert columns.shape[-1] == len(NEIGHBOUR_COLUMNS)
    heading_x, heading_y = np.moveaxis(columns[..., NEIGHBOUR_COLUMNS.heading], -1, 0)
    return Named(
        columns[..., NEIGHBOUR_COLUMNS.offset_m],
        columns[..., NEIGHBOUR_COLUMNS.velocity_mps],
        np.arctan2(heading_y, heading_x),
        np.exp(columns[..., NEIGHBOUR_COLUMNS.log_size]),
        np.exp(columns[..., NEIGHBOUR_COLUMNS.log_distance.start]) - CLOSEST_M2,
        columns[..., NEIGHBOUR_COLUMNS.valid.start] > 0,
    )


def packed(
    offset_m: ArrayLike, velocity_mps: ArrayLike, yaw_rad: ArrayLike, size_m: ArrayLike, valid: ArrayLike
) -> torch.Tensor:
    """float32 (N, k, columns of a neighbour); 0 where not valid."""
    offset_m, yaw_rad = np.asarray(offset_m), np.asarray(yaw_rad)
    columns = [
        offset_m, np.asarray(velocity_mps), np.stack([np.cos(yaw_rad), np.sin(yaw_rad)], -1),
        np.log(np.asarray(size_m)), np.log((offset_m**2).sum(-1, keepdims=True) + CLOSEST_M2),
        np.ones((*yaw_rad.shape, 1)),
    ]  # fmt: skip
    return torch.tensor(np.concatenate(columns, -1) * np.asarray(valid)[..., None], dtype=torch.float32)
