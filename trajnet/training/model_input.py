"""Observations by name, and as the one tensor that the model takes."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from trajnet.inference.contract import OBSERVATION
from trajnet.types import CLASS_NAMES


class ModelInput(NamedTuple):
    """What the columns of contract.OBSERVATION hold, with any leading dimensions (...): vectors (..., 2), masks as 0
    and 1, object_class (...) int64."""

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
        """(..., columns of an observation); what was not measured or not seen before is 0, as the contract wants it."""
        seen = 1.0 - self.reset
        columns = (
            self.displacement_m * seen.unsqueeze(-1),
            self.velocity_mps * self.velocity_valid.unsqueeze(-1),
            self.steady_velocity_mps,
            self.yaw_rad,
            torch.where(self.reset > 0, self.yaw_rad, self.previous_yaw_rad),
            self.dt_s * seen,
            self.reset,
            self.velocity_valid,
            self.size_m,
            self.map_valid,
            torch.nn.functional.one_hot(self.object_class, len(CLASS_NAMES)).to(self.yaw_rad.dtype),
        )
        whole = self.yaw_rad.dim() + 1
        return torch.cat([c if c.dim() == whole else c.unsqueeze(-1) for c in columns], -1)


def unpacked(observed: Tensor) -> ModelInput:
    """The parts of observations (..., columns of an observation)."""
    widths = [2, 2, 2, 1, 1, 1, 1, 1, 2, 1, len(CLASS_NAMES)]
    assert sum(widths) == len(OBSERVATION) == observed.shape[-1]
    *parts, of_class = torch.split(observed, widths, -1)
    values = [p.squeeze(-1) for p in parts]
    return ModelInput(*values, of_class.argmax(-1))  # type: ignore[call-arg]  # as many as widths says
