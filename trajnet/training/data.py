"""Training data: windows as float32 arrays, built once and cached, and batches of them as the model takes them."""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trajnet.arrays import StructOfArrays, concat
from trajnet.columns import NEIGHBOUR_COLUMNS
from trajnet.context.map_field import MapField
from trajnet.context.surroundings import InputRequirements, Surroundings, scene_field
from trajnet.datasets.files import find_scenes, load_scene
from trajnet.datasets.folders import part_files
from trajnet.datasets.part_windows import part_windows
from trajnet.datasets.window_context import scene_surroundings, window_surroundings
from trajnet.datasets.windows import Windows, sliding_windows
from trajnet.errors import InputError
from trajnet.scenes.densify import densified
from trajnet.tracking.motion import causal_heading, steady_velocity
from trajnet.tracking.store import TrackPolicy
from trajnet.training.config import AugmentConfig, SourceConfig
from trajnet.training.model import ContextTensors
from trajnet.training.model_input import ModelInput
from trajnet.types import DEFAULT_SIZE_M, BoolArray, FloatArray, IntArray, Scene
from trajnet.whole_file import whole_file

log = logging.getLogger(__name__)

#: Part of every cache key: raise it when the code below makes other arrays of the same files.
CACHE_VERSION = 7
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


#: A velocity that is derived of positions is that of a displacement over at least and at most this long (s).
DERIVED_S = (0.3, 1.0)


def with_derived_velocities(data: TrainingSet) -> TrainingSet:
    """Return the windows in which a velocity that was not measured is that of the last displacement.

    A source without velocities must not be told by that. What fills the gap is what a tracker could have said: from
    observations up to that time, over the shortest displacement that is at least DERIVED_S[0] long. Where there is
    none, at the start of a track and behind long gaps, the velocity stays unknown.
    """
    velocity_mps, valid = data.velocity_mps.copy(), data.velocity_valid.copy()
    shortest_s, longest_s = DERIVED_S
    for step in range(data.observed.shape[1]):
        for before in range(step - 1, -1, -1):
            passed_s = data.time_s[:, step] - data.time_s[:, before]
            filled = data.observed[:, step] & data.observed[:, before] & ~valid[:, step]
            filled &= (passed_s >= shortest_s - 1e-3) & (passed_s <= longest_s + 1e-3)
            if filled.any():
                moved_m = data.position_m[filled, step] - data.position_m[filled, before]
                velocity_mps[filled, step], valid[filled, step] = moved_m / passed_s[filled, None], True
            if passed_s.min() > longest_s:
                break
    return replace(data, velocity_mps=velocity_mps, velocity_valid=valid)


def joined(parts: Sequence[TrainingSet]) -> TrainingSet:
    """Return the windows of all parts, shorter histories padded in front as not observed."""
    steps = max((part.observed.shape[1] for part in parts), default=0)
    return concat([padded(part, steps) for part in parts], what="training windows")


def padded(part: TrainingSet, steps: int) -> TrainingSet:
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
    unknown = set(source.without) - {file.stem for file in files}
    if unknown:
        raise InputError(f"{source.path or source.kind}: without: no scene is called {', '.join(sorted(unknown))}")
    files = [file for file in files if file.stem not in source.without]
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
    """Return the sliding windows of every scene of these files, each with the map that the source gives it."""
    parts = [part for path in files if (part := scene_set(source, path, future_time_s, requirements)) is not None]
    if not parts:
        raise InputError(
            f"{source.path or source.kind}: expected objects with {source.min_future_s:g} s of recorded future, "
            f"got none in {len(files)} files"
        )
    return joined(parts)


def scene_set(
    source: SourceConfig, path: Path, future_time_s: FloatArray, requirements: InputRequirements
) -> TrainingSet | None:
    """Return the sliding windows of one scene with the map that the source gives it; None where there are none."""
    step_s = 1.0 / source.rate_hz
    history_s: FloatArray = np.linspace(-source.history_s, 0.0, round(source.history_s / step_s) + 1)
    read = source.dataset.read or (lambda path, with_map: load_scene(path, with_map=with_map))
    scene = densified(read(path, requirements.view is not None), source.densify)
    windows = sliding_windows(scene, history_s, future_time_s, stride=source.stride, min_future_s=source.min_future_s)
    if not len(windows):
        return None
    draw = _draw_of(path)
    field = _map_field(source, scene, requirements, draw)
    shift_m = _map_shift_m(source, len(windows), draw)
    around = scene_surroundings(scene, windows.row, requirements, field, map_shift_m=shift_m)
    return training_set(windows, around)


def _draw_of(path: Path) -> np.random.Generator:
    """Return a generator that depends on the file's name alone, so that a set is the same whenever it is built."""
    return np.random.default_rng(list(hashlib.sha256(path.stem.encode()).digest()))


def _map_field(
    source: SourceConfig, scene: Scene, requirements: InputRequirements, draw: np.random.Generator
) -> MapField | None:
    """Return the scene's map; of a share of the scenes only where traffic was recorded counts as drivable."""
    raster, driven = scene.raster, draw.random() < source.driven_share
    if driven and raster is not None and raster.direction is not None and raster.direction.any():
        on: BoolArray = np.any(raster.direction != 0, axis=-1)
        scene = replace(scene, raster=replace(raster, drivable=on))
    return scene_field(scene, requirements)


def _map_shift_m(source: SourceConfig, windows: int, draw: np.random.Generator) -> FloatArray:
    """(W, 2): by how much each window's map is moved; 0 for half of the scenes."""
    moved = source.map_shift_m if draw.random() < 0.5 else 0.0
    shift_m: FloatArray = draw.uniform(-moved, moved, (windows, 2))
    return shift_m


def cache_key(
    source: SourceConfig, files: Sequence[Path], future_time_s: FloatArray, requirements: InputRequirements
) -> str:
    """Return a key that changes with the settings, the code's version and every byte of the files."""
    shown = {name: value for name, value in asdict(source).items() if name != "driving_side"}  # changes no window
    settings = [CACHE_VERSION, shown, list(map(float, future_time_s)), asdict(requirements)]
    digest = hashlib.sha256(json.dumps(settings).encode())
    for path in files:
        digest.update(path.name.encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:24]


#: An object whose recorded history and future stay this close to the present stands (m).
STANDS_WITHIN_M = 1.0


def thinned_set(
    whole: TrainingSet, every: int, standing_every: int = 1, *, first: int = 0, first_standing: int = 0
) -> TrainingSet:
    """Return every ``every``-th window; of those of objects that stand, every ``standing_every``-th of these.

    Most of what a street shows is parked, and one window of it is much like the next. first, first_standing: where the
    counts begin, below ``every`` and ``standing_every``.
    """
    rows = np.arange(len(whole))[first::every]
    away_m = np.linalg.norm(np.concatenate([whole.position_m[rows], whole.future_m[rows]], axis=1), axis=-1)
    recorded = np.concatenate([whole.observed[rows], whole.future_valid[rows]], axis=1)
    stands = ~(recorded & (away_m >= STANDS_WITHIN_M)).any(axis=1)
    kept = ~stands | ((np.cumsum(stands) - 1) % standing_every == first_standing)
    return whole.select(rows[kept])


def load_training_set(
    sources: Sequence[SourceConfig],
    roots: Sequence[Path],
    future_time_s: FloatArray,
    requirements: InputRequirements,
    cache: Path,
) -> TrainingSet:
    """Return the windows of the sources, from the cache folder where they were built before."""
    return joined(load_parts(sources, roots, future_time_s, requirements, cache))


def load_parts(
    sources: Sequence[SourceConfig],
    roots: Sequence[Path],
    future_time_s: FloatArray,
    requirements: InputRequirements,
    cache: Path,
) -> list[TrainingSet]:
    """Return the windows of each source; see load_training_set."""
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
        part = thinned_set(build_set(source, roots, future_time_s, requirements), source.every, source.standing_every)
        if source.derive_velocity:
            part = with_derived_velocities(part)
        with whole_file(path) as unfinished:
            np.savez(unfinished, **{f.name: getattr(part, f.name) for f in fields(TrainingSet)})
        parts.append(part)
    return parts


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


class WindowSource(Protocol):
    """Windows from which batches are taken: a TrainingSet in memory, or shards on the disk."""

    def __len__(self) -> int:
        """Return the number of windows."""

    def select(self, rows: IntArray) -> TrainingSet:
        """Return copies of these windows, in their order."""


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
        order = np.arange(len(data))
        if augment is not None:
            np.random.default_rng([seed, epoch]).shuffle(order)
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
