"""Training data: windows as float32 arrays, built once and cached, and batches of them as the model takes them."""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trajnet.arrays import StructOfArrays, concat
from trajnet.columns import NEIGHBOUR_COLUMNS
from trajnet.context.surroundings import InputRequirements, Surroundings
from trajnet.datasets.files import find_scenes, load_scene
from trajnet.datasets.folders import part_files
from trajnet.datasets.part_windows import part_windows
from trajnet.datasets.window_context import scene_surroundings, window_surroundings
from trajnet.datasets.windows import Windows, sliding_windows
from trajnet.errors import InputError
from trajnet.tracking.motion import causal_heading, steady_velocity
from trajnet.tracking.store import TrackPolicy
from trajnet.training.config import AugmentConfig, SourceConfig
from trajnet.training.model import ContextTensors
from trajnet.training.model_input import ModelInput
from trajnet.types import BoolArray, FloatArray
from trajnet.whole_file import whole_file

log = logging.getLogger(__name__)

#: Part of every cache key: raise it when the code below makes other arrays of the same files.
CACHE_VERSION = 6
Float32Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class TrainingSet(StructOfArrays):
    """W windows of H history steps and T knots, positions relative to the window's last observation, map axes.

    time_s (W, H), observed (W, H), position_m (W, H, 2), yaw_rad (W, H) with yaw_valid (W, H): as measured,
    velocity_mps (W, H, 2), velocity_valid (W, H), object_class (W,), size_m (W, 2), future_m (W, T, 2),
    future_valid (W, T). What was around at the last observation, as Surroundings has it: map_distance
    (W, *view.shape, 4), map_valid (W,), neighbours (W, k, columns of a neighbour).
    """

    time_s: Float32Array
    observed: BoolArray
    position_m: Float32Array
    yaw_rad: Float32Array
    yaw_valid: BoolArray
    velocity_mps: Float32Array
    velocity_valid: BoolArray
    object_class: NDArray[np.int8]
    size_m: Float32Array
    future_m: Float32Array
    future_valid: BoolArray
    map_distance: NDArray[np.int8]
    map_valid: BoolArray
    neighbours: Float32Array


#: Arrays of a TrainingSet that are about the history, with its steps in the second dimension.
HISTORY = ("time_s", "observed", "position_m", "yaw_rad", "yaw_valid", "velocity_mps", "velocity_valid")


def training_set(windows: Windows, surroundings: Surroundings) -> TrainingSet:
    """Return the windows and their surroundings as training arrays."""
    count, steps = windows.observed.shape
    origin = windows.position_m[:, -1:]
    return TrainingSet(
        time_s=np.broadcast_to(windows.history_time_s.astype(np.float32), (count, steps)).copy(),
        observed=windows.observed,
        position_m=np.where(windows.observed[..., None], windows.position_m - origin, 0.0).astype(np.float32),
        yaw_rad=windows.yaw_rad.astype(np.float32),
        yaw_valid=windows.yaw_valid,
        velocity_mps=windows.velocity_mps.astype(np.float32),
        velocity_valid=windows.velocity_valid,
        object_class=windows.object_class,
        size_m=windows.size_m.astype(np.float32),
        future_m=np.where(windows.future_valid[..., None], windows.future_m - origin, 0.0).astype(np.float32),
        future_valid=windows.future_valid,
        map_distance=surroundings.map_distance,
        map_valid=surroundings.map_valid,
        neighbours=surroundings.neighbours,
    )


def joined(parts: Sequence[TrainingSet]) -> TrainingSet:
    """Return the windows of all parts, shorter histories padded in front as not observed."""
    steps = max((part.observed.shape[1] for part in parts), default=0)
    return concat([_padded(part, steps) for part in parts], what="training windows")


def _padded(part: TrainingSet, steps: int) -> TrainingSet:
    """Return the windows with this many steps of history."""
    missing = steps - part.observed.shape[1]
    if not missing:
        return part
    history = {name: getattr(part, name) for name in HISTORY}
    longer: dict[str, Any] = {
        name: np.pad(value, ((0, 0), (missing, 0), *((0, 0),) * (value.ndim - 2))) for name, value in history.items()
    }
    return replace(part, **longer)


def source_files(source: SourceConfig, roots: Sequence[Path]) -> list[Path]:
    """Return the files a source reads, from the first of the data folders that has them. Raises InputError."""
    dataset = source.dataset
    if dataset.windows is not None:
        return part_files(dataset, roots, source.split)
    files = part_files(dataset, roots, source.split) if dataset.parts else find_scenes(_path_below(roots, source.path))
    chosen = files[source.first : source.first + source.count] if source.count else files[source.first :]
    if not chosen:
        raise InputError(
            f"{source.path or source.kind}: expected more than {source.first} scene files, got {len(files)}"
        )
    return chosen


def _path_below(roots: Sequence[Path], path: str) -> Path:
    for root in roots:
        if (root / path).exists():
            return root / path
    raise InputError(
        f"data: expected a folder {path!r} under {' or '.join(map(str, roots))}; give its parent with --data"
    )


def build_set(
    source: SourceConfig, roots: Sequence[Path], future_time_s: FloatArray, requirements: InputRequirements
) -> TrainingSet:
    """Return the source's windows with these future times and these surroundings. Raises InputError."""
    files, rule = source_files(source, roots), source.dataset.windows
    if rule is None:
        return _sliding_set(source, files, future_time_s, requirements)
    own_s = rule.future_time_s
    if not rule.other_futures and not (len(own_s) == len(future_time_s) and np.allclose(own_s, future_time_s)):
        raise InputError(f"{source.kind}: its future times are {own_s} s, the model's knots {future_time_s} s")
    windows = part_windows(source.dataset, roots, source.split, future_time_s if rule.other_futures else None)
    return training_set(windows, window_surroundings(windows, files, requirements))


def _sliding_set(
    source: SourceConfig, files: Sequence[Path], future_time_s: FloatArray, requirements: InputRequirements
) -> TrainingSet:
    """Sliding windows of every scene of these files."""
    step_s = 1.0 / source.rate_hz
    history_s: FloatArray = np.linspace(-source.history_s, 0.0, round(source.history_s / step_s) + 1)
    parts = []
    for path in files:
        scene = load_scene(path, with_map=requirements.view is not None)
        windows = sliding_windows(
            scene, history_s, future_time_s, stride=source.stride, min_future_s=source.min_future_s
        )
        if len(windows):
            parts.append(training_set(windows, scene_surroundings(scene, windows.row, requirements)))
    if not parts:
        raise InputError(
            f"{source.path or source.kind}: expected objects with {source.min_future_s:g} s of recorded future, "
            f"got none in {len(files)} files"
        )
    return joined(parts)


def cache_key(
    source: SourceConfig, files: Sequence[Path], future_time_s: FloatArray, requirements: InputRequirements
) -> str:
    """Return a key that changes with the settings, the code's version and every byte of the files."""
    settings = [CACHE_VERSION, asdict(source), list(map(float, future_time_s)), asdict(requirements)]
    digest = hashlib.sha256(json.dumps(settings).encode())
    for path in files:
        digest.update(path.name.encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:24]


def load_training_set(
    sources: Sequence[SourceConfig],
    roots: Sequence[Path],
    future_time_s: FloatArray,
    requirements: InputRequirements,
    cache: Path,
) -> TrainingSet:
    """Return the windows of the sources, from the cache folder where they were built before."""
    parts = []
    for source in sources:
        path = cache / f"windows-{cache_key(source, source_files(source, roots), future_time_s, requirements)}.npz"
        if path.is_file():
            try:
                with np.load(path) as stored:
                    parts.append(TrainingSet(**{f.name: stored[f.name] for f in fields(TrainingSet)}))
                continue
            except Exception as error:  # NumPy's reader raises what its parsing stumbles over
                log.warning("%s: unreadable (%s), built anew", path, error)
        part = build_set(source, roots, future_time_s, requirements)
        with whole_file(path) as unfinished:
            np.savez(unfinished, **{f.name: getattr(part, f.name) for f in fields(TrainingSet)})
        parts.append(part)
    return joined(parts)


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
        data: TrainingSet,
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
        order = np.arange(len(data))
        if augment is not None:
            np.random.default_rng([seed, epoch]).shuffle(order)
        order = order[: len(order) // ranks * ranks][rank::ranks] if ranks > 1 else order
        self._chunks = [order[i : i + batch] for i in range(0, len(order), batch)]
        self._arrays = {f.name: torch.from_numpy(getattr(data, f.name)) for f in fields(TrainingSet)}

    def __len__(self) -> int:
        return len(self._chunks)

    def __getitem__(self, index: int) -> Batch:
        rows = torch.from_numpy(self._chunks[index])
        window = {name: values[rows] for name, values in self._arrays.items()}
        keep = window["observed"]
        if self._augment is not None:
            entropy = np.random.SeedSequence([self._seed, self._epoch, self._rank, index]).generate_state(1, np.uint64)
            draw = torch.Generator().manual_seed(int(entropy[0] >> np.uint64(1)))
            keep = thinned(keep, self._augment, draw)
            window = disturbed(window, self._augment, draw)
        return as_batch(window, keep)


def thinned(keep: Tensor, augment: AugmentConfig, draw: torch.Generator) -> Tensor:
    """(N, H) observations that remain after a random frame rate, drops and a shorter history; the last always does."""
    count, steps = keep.shape
    back = torch.arange(steps - 1, -1, -1)
    stride = torch.tensor(augment.strides)[torch.randint(len(augment.strides), (count, 1), generator=draw)]
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
            values = window[name]
            sigma = limit * torch.rand(count, *[1] * (values.dim() - 1), generator=draw)
            window[name] = values + sigma * torch.randn(values.shape, generator=draw)
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
    aside = torch.zeros(len(NEIGHBOUR_COLUMNS), dtype=torch.bool)
    for vector in (NEIGHBOUR_COLUMNS.offset_m, NEIGHBOUR_COLUMNS.velocity_mps, NEIGHBOUR_COLUMNS.heading):
        aside[vector.stop - 1] = True  # its y
    window["neighbours"] = window["neighbours"] * torch.where(aside, sign.reshape(-1, 1, 1), 1.0)
    distance = window["map_distance"]
    patch = math.isqrt(distance.shape[3])
    squares = (*distance.shape[:3], patch, patch, distance.shape[4])
    flipped = distance.reshape(squares).flip(2, 4).reshape(distance.shape)
    flipped[..., 3].neg_()  # a direction along y, or nothing
    window["map_distance"] = torch.where(chosen.reshape(-1, 1, 1, 1, 1), flipped, distance)
    return window


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
