"""Batches of windows as the model takes them, with what the track store would derive of what is left of a history."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from trajnet.tracking.motion import causal_heading, steady_velocity
from trajnet.tracking.store import TrackPolicy
from trajnet.training.augment import disturbed, thinned
from trajnet.training.config import AugmentConfig
from trajnet.training.model_input import ModelInput
from trajnet.training.tensors import ContextTensors
from trajnet.training.training_set import TrainingSet, WindowSource


@dataclass(frozen=True)
class Batch:
    """One batch of N windows.

    history (H, N, columns of an observation): oldest first, left-aligned; length (N,). surroundings: at the last
    observation. future_m (T, N, 2): relative to the object; valid (T, N).
    """

    history: Tensor
    length: Tensor
    surroundings: ContextTensors
    future_m: Tensor
    valid: Tensor


class Batches(torch.utils.data.Dataset[Batch]):
    """The batches of one epoch.

    The content of batch i depends on seed, epoch, rank and i alone, so that a resumed run continues as an unbroken one
    would have. Without augment: all windows in their order, untouched (validation).
    """

    def __init__(
        self,
        data: WindowSource,
        batch: int,
        *,
        augment: AugmentConfig | None = None,
        seed: int = 0,
        epoch: int = 0,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        self._augment = augment
        self._seed, self._epoch, self._rank = seed, epoch, rank
        order = np.arange(len(data)) if augment is None else data.shuffled(np.random.default_rng([seed, epoch]))
        order = order[: len(order) // ranks * ranks][rank::ranks] if ranks > 1 else order
        #: Rows of the data in the order of the batches.
        self.order = order
        self._chunks = [order[i : i + batch] for i in range(0, len(order), batch)]
        self._data = data

    def __len__(self) -> int:
        return len(self._chunks)

    def __getitem__(self, index: int) -> Batch:
        chosen = self._data.select(self._chunks[index])
        window = {f.name: torch.from_numpy(getattr(chosen, f.name)) for f in fields(TrainingSet)}
        keep = window["observed"]
        if self._augment is not None:
            entropy = np.random.SeedSequence([self._seed, self._epoch, self._rank, index]).generate_state(1, np.uint64)
            draw = torch.Generator().manual_seed(int(entropy[0] >> np.uint64(1)))
            keep = thinned(keep, self._augment, draw)
            window = disturbed(window, self._augment, draw)
        return as_batch(window, keep)


def as_batch(window: dict[str, Tensor], keep: Tensor) -> Batch:
    """Windows (N, H, ...) and the observations to keep (N, H) -> time-major batch, kept ones moved to the front."""
    length = keep.sum(dim=1)
    order = torch.argsort((~keep).to(torch.int8), dim=1, stable=True)[:, : int(length.max())]

    def arranged(values: Tensor) -> Tensor:
        index = order.reshape(*order.shape, *([1] * (values.dim() - 2))).expand(-1, -1, *values.shape[2:])
        return values.gather(1, index).transpose(0, 1).contiguous()

    def before(values: Tensor) -> Tensor:
        return torch.cat([values[:1], values[:-1]])

    time_s, position, velocity = (arranged(window[n]) for n in ("time_s", "position_m", "velocity_mps"))
    velocity_valid = arranged(window["velocity_valid"])
    yaw, previous_yaw = headings(
        position, arranged(window["yaw_rad"]), arranged(window["yaw_valid"]), velocity, velocity_valid
    )
    real = torch.arange(len(time_s)).unsqueeze(1) < length
    reset = torch.zeros_like(time_s)
    reset[0] = 1.0
    dt_s = torch.where(real & (reset == 0), time_s - before(time_s), 1.0 - reset)
    displacement = position - before(position)
    history = ModelInput(
        displacement_m=displacement,
        velocity_mps=velocity,
        steady_velocity_mps=steady_velocities(displacement, dt_s, velocity, velocity_valid),
        yaw_rad=yaw,
        previous_yaw_rad=previous_yaw,
        dt_s=dt_s,
        reset=reset,
        velocity_valid=velocity_valid.to(torch.float32),
        size_m=window["size_m"].expand(len(time_s), -1, -1),
        map_valid=window["map_valid"].to(torch.float32).expand(len(time_s), -1),
        object_class=window["object_class"].to(torch.int64).expand(len(time_s), -1),
    )
    surroundings = ContextTensors(map_distance=window["map_distance"], neighbours=window["neighbours"])
    valid = window["future_valid"].transpose(0, 1).to(torch.float32)
    # Position noise moves the last observation: the future is relative to where the object is seen.
    future_m = (window["future_m"] - window["position_m"][:, -1:]).transpose(0, 1).contiguous()
    return Batch(history.packed(), length, surroundings, future_m, valid)


def headings(
    position_m: Tensor, yaw_rad: Tensor, yaw_valid: Tensor, velocity_mps: Tensor, velocity_valid: Tensor
) -> tuple[Tensor, Tensor]:
    """(H, N) yaw and previous yaw that the track store would derive of these observations (H, N, ...), step by step.

    From what is left of a history after noise and drops: a heading that rests on a lost observation is not known.
    """
    if bool(yaw_valid.all()):
        return yaw_rad, torch.cat([yaw_rad[:1], yaw_rad[:-1]])
    position, measured, valid = (values.numpy() for values in (position_m, yaw_rad, yaw_valid))
    velocity = torch.where(velocity_valid.unsqueeze(-1), velocity_mps, torch.zeros(())).numpy()
    yaw, previous = np.zeros_like(measured), np.zeros_like(measured)
    last, known, anchor = measured[0], np.zeros_like(valid[0]), position[0]
    for i in range(len(position)):
        heading = causal_heading(
            position[i], measured[i], valid[i], velocity[i], displacement_m=position[i] - position[max(i - 1, 0)],
            last_yaw_rad=last, known_before=known, anchor_m=anchor, step_m=TrackPolicy().heading_step_m,
        )  # fmt: skip
        yaw[i], previous[i] = heading.yaw_rad, np.where(known, last, heading.yaw_rad)
        last, known, anchor = heading.yaw_rad, heading.known, heading.anchor_m
    return torch.from_numpy(yaw), torch.from_numpy(previous)


def steady_velocities(displacement_m: Tensor, dt_s: Tensor, velocity_mps: Tensor, velocity_valid: Tensor) -> Tensor:
    """(H, N, 2) steady velocity that the track store would derive of these observations (H, N, ...), step by step."""
    displacement, dt, valid = displacement_m.numpy(), dt_s.numpy(), velocity_valid.numpy()
    measured = np.where(valid[..., None], velocity_mps.numpy(), np.float32(0.0))
    steady = measured.copy()
    known = valid[0]
    for i in range(1, len(dt)):
        steady[i] = steady_velocity(displacement[i], dt[i], measured[i], last_mps=steady[i - 1], known=known)
        known = np.ones_like(known)
    return torch.from_numpy(steady)
