"""The model's input by name, and packed into the one tensor that the model takes."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from trajnet.columns import INPUT_COLUMNS
from trajnet.errors import InputError
from trajnet.types import CLASS_NAMES


class ModelInput(NamedTuple):
    """The parts of INPUT_COLUMNS, with any leading dimensions (...).

    Vectors are (..., 2) and masks are 0 or 1; object_class (...) is int64. Positions and angles in map axes.
    """

    displacement_m: Tensor
    velocity_mps: Tensor
    steady_velocity_mps: Tensor
    yaw_rad: Tensor
    previous_yaw_rad: Tensor
    dt_s: Tensor
    reset: Tensor
    velocity_valid: Tensor
    size_m: Tensor
    map_valid: Tensor
    object_class: Tensor

    def packed(self) -> Tensor:
        """Return (..., columns of INPUT_COLUMNS); values that were not measured or not seen before are 0."""
        seen = 1.0 - self.reset
        out = self.yaw_rad.new_zeros(*self.yaw_rad.shape, len(INPUT_COLUMNS))
        out[..., INPUT_COLUMNS.displacement_m] = self.displacement_m * seen.unsqueeze(-1)
        out[..., INPUT_COLUMNS.velocity_mps] = self.velocity_mps * self.velocity_valid.unsqueeze(-1)
        out[..., INPUT_COLUMNS.steady_velocity_mps] = self.steady_velocity_mps
        out[..., INPUT_COLUMNS.yaw_rad.start] = self.yaw_rad
        out[..., INPUT_COLUMNS.previous_yaw_rad.start] = torch.where(
            self.reset > 0, self.yaw_rad, self.previous_yaw_rad
        )
        out[..., INPUT_COLUMNS.dt_s.start] = self.dt_s * seen
        out[..., INPUT_COLUMNS.reset.start] = self.reset
        out[..., INPUT_COLUMNS.velocity_valid.start] = self.velocity_valid
        out[..., INPUT_COLUMNS.size_m] = self.size_m
        out[..., INPUT_COLUMNS.map_valid.start] = self.map_valid
        out[..., INPUT_COLUMNS.object_class] = torch.nn.functional.one_hot(self.object_class, len(CLASS_NAMES)).to(out)
        return out


def unpacked(columns: Tensor) -> ModelInput:
    """Return the parts of model inputs (..., columns of INPUT_COLUMNS). Raises InputError for another width."""
    if columns.shape[-1] != len(INPUT_COLUMNS):
        raise InputError(f"model input: expected {len(INPUT_COLUMNS)} columns, got {columns.shape[-1]}")

    def number(part: slice) -> Tensor:
        return columns[..., part.start]

    return ModelInput(
        displacement_m=columns[..., INPUT_COLUMNS.displacement_m],
        velocity_mps=columns[..., INPUT_COLUMNS.velocity_mps],
        steady_velocity_mps=columns[..., INPUT_COLUMNS.steady_velocity_mps],
        yaw_rad=number(INPUT_COLUMNS.yaw_rad),
        previous_yaw_rad=number(INPUT_COLUMNS.previous_yaw_rad),
        dt_s=number(INPUT_COLUMNS.dt_s),
        reset=number(INPUT_COLUMNS.reset),
        velocity_valid=number(INPUT_COLUMNS.velocity_valid),
        size_m=columns[..., INPUT_COLUMNS.size_m],
        map_valid=number(INPUT_COLUMNS.map_valid),
        object_class=columns[..., INPUT_COLUMNS.object_class].argmax(-1),
    )
