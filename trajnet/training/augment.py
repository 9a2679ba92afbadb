"""What the road does to windows: lower rates, lost observations, noise, another pace, a mirror, missing inputs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from trajnet.columns import INPUT_COLUMNS, NEIGHBOUR_COLUMNS
from trajnet.training.config import AugmentConfig
from trajnet.types import DEFAULT_SIZE_M


def thinned(keep: Tensor, augment: AugmentConfig, draw: torch.Generator) -> Tensor:
    """(N, H) observations that remain after a random frame rate, drops and a shorter history; the last always does."""
    count, steps = keep.shape
    back = torch.arange(steps - 1, -1, -1)
    chosen = torch.randint(len(augment.strides), (1 if augment.stride_of_batch else count, 1), generator=draw)
    stride = torch.tensor(augment.strides)[chosen]
    keep = keep & (back % stride == 0)
    probability = augment.drop * torch.rand(count, 1, generator=draw)
    keep = keep & (torch.rand(count, steps, generator=draw) >= probability)
    limit = 1 + (torch.rand(count, 1, generator=draw) * steps).long()
    cut = torch.rand(count, 1, generator=draw) < augment.short
    keep = keep & (~cut | (back < limit))
    keep[:, -1] = True
    return keep


def disturbed(window: dict[str, Tensor], augment: AugmentConfig, draw: torch.Generator) -> dict[str, Tensor]:
    """Return the windows at another pace, with a tracker's noise, half of them mirrored."""
    window = dict(window)
    count = len(window["yaw_rad"])
    if augment.pace > 0:
        window = paced(window, (1.0 + augment.pace) ** (2.0 * torch.rand(count, generator=draw) - 1.0))
    for name, limit in (
        ("position_m", augment.position_noise_m),
        ("yaw_rad", augment.yaw_noise_rad),
        ("velocity_mps", augment.velocity_noise_mps),
    ):
        if limit > 0:
            window[name] = window[name] + noise(window[name].shape, window["time_s"], limit, augment, draw)
    window = resized(window, augment, draw)
    if augment.borrow:
        window = borrowed(window, draw)
    if augment.hide_velocity > 0:
        shown = torch.rand(count, 1, generator=draw) >= augment.hide_velocity
        window["velocity_valid"] = window["velocity_valid"] & shown
    if augment.hide_map > 0:
        window["map_valid"] = window["map_valid"] & (torch.rand(count, generator=draw) >= augment.hide_map)
    if augment.hide_directions > 0:
        shown = torch.rand(count, generator=draw) >= augment.hide_directions
        window["map_distance"] = window["map_distance"].clone()
        window["map_distance"][~shown, ..., 2:] = 0
    if augment.hide_neighbours > 0:
        shown = torch.rand(count, 1, generator=draw) >= augment.hide_neighbours
        window["neighbours"] = window["neighbours"] * shown.unsqueeze(-1)
    return mirrored(window, torch.rand(count, generator=draw) < 0.5) if augment.mirror else window


def noise(shape: Sequence[int], time_s: Tensor, limit: float, augment: AugmentConfig, draw: torch.Generator) -> Tensor:
    """Return noise of shape (N, H, ...) at time_s (N, H), its level drawn for each window; half have a memory.

    The correlation of two successive steps is exp(-dt / memory); the variance is the same at every step.
    """
    count, rest = shape[0], [1] * (len(shape) - 2)
    sigma = limit * torch.rand(count, 1, *rest, generator=draw) ** augment.noise_power
    values = torch.randn(tuple(shape), generator=draw)
    if augment.noise_memory_s > 0:
        memory_s = augment.noise_memory_s * torch.rand(count, 1, generator=draw)
        remembers = torch.rand(count, 1, generator=draw) < 0.5
        kept = torch.exp(-(time_s[:, 1:] - time_s[:, :-1]).clamp(min=0.0) / memory_s.clamp(min=1e-6))
        kept = torch.where(remembers, kept, torch.zeros(())).reshape(count, -1, *rest)
        fresh = torch.sqrt(1.0 - kept * kept)
        for step in range(1, shape[1]):
            values[:, step] = kept[:, step - 1] * values[:, step - 1] + fresh[:, step - 1] * values[:, step]
    return sigma * values


def resized(window: dict[str, Tensor], augment: AugmentConfig, draw: torch.Generator) -> dict[str, Tensor]:
    """Return the windows, a share of them with the size of their class, all with noise on the size."""
    size_m = window["size_m"]
    if augment.hide_size > 0:
        shown = torch.rand(len(size_m), 1, generator=draw) >= augment.hide_size
        of_class = torch.from_numpy(DEFAULT_SIZE_M).to(size_m.dtype)[window["object_class"].long()]
        size_m = torch.where(shown, size_m, of_class)
    if augment.size_noise > 0:
        size_m = size_m * torch.exp(augment.size_noise * torch.randn(size_m.shape, generator=draw))
    return dict(window, size_m=size_m)


def borrowed(window: dict[str, Tensor], draw: torch.Generator) -> dict[str, Tensor]:
    """Return the windows; those without a map or without neighbours take those of another window.

    The others are drawn from those of the batch that have what is missing; where none has, nothing is borrowed.
    """
    window = dict(window)
    for names, there in (
        (("map_distance", "map_valid"), window["map_valid"]),
        (("neighbours",), window["neighbours"][..., NEIGHBOUR_COLUMNS.index("valid")].any(dim=1)),
    ):
        owners, without = torch.nonzero(there).squeeze(1), torch.nonzero(~there).squeeze(1)
        if not len(owners) or not len(without):
            continue
        chosen = owners[torch.randint(len(owners), (len(without),), generator=draw)]
        for name in names:
            window[name] = window[name].clone()
            window[name][without] = window[name][chosen]
    return window


def paced(window: dict[str, Tensor], slower: Tensor) -> dict[str, Tensor]:
    """Return the windows played this many times slower (N,): the same path at another speed, neighbours too.

    The future between knots is linear; where it would have to go on after the recorded knots it is not valid.
    """
    window = dict(window)
    window["time_s"] = window["time_s"] * slower.unsqueeze(1)
    window["velocity_mps"] = window["velocity_mps"] / slower.reshape(-1, 1, 1)
    speeds = torch.zeros(len(NEIGHBOUR_COLUMNS), dtype=torch.bool)
    speeds[NEIGHBOUR_COLUMNS.velocity_mps] = True
    window["neighbours"] = torch.where(speeds, window["neighbours"] / slower.reshape(-1, 1, 1), window["neighbours"])
    future_m, valid = window["future_m"], window["future_valid"]
    knots = valid.shape[1]
    path_m = torch.cat([torch.zeros_like(future_m[:, :1]), future_m], 1)
    known = torch.cat([torch.ones_like(valid[:, :1]), valid], 1)
    ask = torch.arange(1, knots + 1) / slower.unsqueeze(1)  # in knots of the recording
    left = ask.long().clamp(max=knots - 1)
    share = ask - left
    chosen = left.unsqueeze(-1).expand(-1, -1, 2)
    before_m, after_m = path_m.gather(1, chosen), path_m.gather(1, chosen + 1)
    here, there = known.gather(1, left) | (share == 1.0), known.gather(1, left + 1) | (share == 0.0)
    window["future_valid"] = here & there & (share <= 1.0)
    between_m = before_m + share.unsqueeze(-1) * (after_m - before_m)
    window["future_m"] = torch.where(window["future_valid"].unsqueeze(-1), between_m, torch.zeros(()))
    return window


def mirrored(window: dict[str, Tensor], chosen: Tensor) -> dict[str, Tensor]:
    """Return the windows with left and right swapped where chosen (N,), map axes and map grid included."""
    window = dict(window)
    sign = torch.where(chosen, -1.0, 1.0)
    flip = torch.stack([torch.ones_like(sign), sign], -1).unsqueeze(1)
    for name in ("position_m", "velocity_mps", "future_m"):
        window[name] = window[name] * flip
    window["yaw_rad"] = window["yaw_rad"] * sign.unsqueeze(1)
    window["neighbours"] = torch.where(
        chosen.reshape(-1, 1, 1), mirrored_neighbours(window["neighbours"]), window["neighbours"]
    )
    distance = window["map_distance"]
    window["map_distance"] = torch.where(chosen.reshape(-1, 1, 1, 1, 1), mirrored_map(distance), distance)
    return window


def mirrored_neighbours(neighbours: Tensor) -> Tensor:
    """Return neighbours (N, k, columns of a neighbour) with left and right swapped."""
    sign = torch.ones(len(NEIGHBOUR_COLUMNS), device=neighbours.device)
    for vector in (NEIGHBOUR_COLUMNS.offset_m, NEIGHBOUR_COLUMNS.velocity_mps, NEIGHBOUR_COLUMNS.heading):
        sign[vector.stop - 1] = -1.0  # its y
    return neighbours * sign


def mirrored_map(distance: Tensor) -> Tensor:
    """Return the map around objects (N, A, B, patch * patch, 4) with left and right swapped."""
    patch = math.isqrt(distance.shape[3])
    squares = (*distance.shape[:3], patch, patch, distance.shape[4])
    flipped = distance.reshape(squares).flip(2, 4).reshape(distance.shape)
    flipped[..., 3].neg_()  # a direction along y, or nothing
    return flipped


def mirrored_inputs(history: Tensor) -> Tensor:
    """Return inputs (..., columns of INPUT_COLUMNS) with left and right swapped."""
    sign = torch.ones(len(INPUT_COLUMNS), device=history.device)
    for vector in (INPUT_COLUMNS.displacement_m, INPUT_COLUMNS.velocity_mps, INPUT_COLUMNS.steady_velocity_mps):
        sign[vector.stop - 1] = -1.0  # its y
    sign[INPUT_COLUMNS.yaw_rad] = sign[INPUT_COLUMNS.previous_yaw_rad] = -1.0
    return history * sign
