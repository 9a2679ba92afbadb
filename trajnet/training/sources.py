"""Sources of windows: which files and maps they read, and the windows of these."""

from __future__ import annotations

import functools
import hashlib
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from trajnet.context.map_field import MapField
from trajnet.context.surroundings import InputRequirements, Surroundings, map_around, scene_field
from trajnet.datasets.files import find_scenes, load_map, load_scene, with_everybody
from trajnet.datasets.folders import part_files
from trajnet.datasets.part_windows import part_windows
from trajnet.datasets.window_context import known_at, window_surroundings
from trajnet.datasets.windows import Windows, sliding_windows
from trajnet.errors import InputError
from trajnet.remote import fetched, is_remote, url_of
from trajnet.scenes.densify import densified
from trajnet.training.config import SourceConfig
from trajnet.training.scene_pieces import SceneWindows
from trajnet.training.training_set import TrainingSet, joined, training_set
from trajnet.types import CLASS_NAMES, BoolArray, FloatArray, Lane, RasterMap, Scene

log = logging.getLogger(__name__)


#: Part of the name of stored windows: raise it when the code below makes other arrays of the same files.
CACHE_VERSION = 9
#: What a map in a folder of maps ends with: see trajnet.datasets.files.load_map.
MAP_SUFFIXES = (".osm", ".xml", ".json", ".parquet")


def source_files(source: SourceConfig, roots: Sequence[Path]) -> list[Path]:
    """Return the files a source reads, from the first of the data folders that has them. Raises InputError."""
    dataset = source.dataset
    if dataset.windows is not None:
        return part_files(dataset, roots, source.split)
    files = part_files(dataset, roots, source.split) if dataset.parts else find_scenes(_path_below(roots, source.path))
    for key in ("only", "without"):
        unknown = set(getattr(source, key)) - {file.stem for file in files}
        if unknown:
            raise InputError(f"{source.name}: {key}: no scene is called {', '.join(sorted(unknown))}")
    files = [f for f in files if f.stem not in source.without and (not source.only or f.stem in source.only)]
    chosen = files[source.first : source.first + source.count] if source.count else files[source.first :]
    if not chosen:
        raise InputError(
            f"{source.path or source.kind}: expected more than {source.first} scene files, got {len(files)}"
        )
    return chosen


def map_files(source: SourceConfig, files: Sequence[Path], roots: Sequence[Path]) -> list[Path]:
    """Return the map of each of the source's files; none where the source names no map.

    Raises InputError where there is no such file, or not one map for each scene in a folder of maps.
    """
    if not source.map:
        return []
    given = _path_below(roots, source.map)
    if given.is_file():
        return [given] * len(files)
    beside: dict[str, list[Path]] = {}
    for path in sorted(given.iterdir()):
        if path.suffix.lower() in MAP_SUFFIXES and path not in files:
            beside.setdefault(path.stem, []).append(path)
    for file in files:
        found = beside.get(file.stem, [])
        if len(found) != 1:
            got = ", ".join(path.name for path in found) or "none"
            raise InputError(f"{given}: expected one map called as the scene {file.stem}, got {got}")
    return [beside[file.stem][0] for file in files]


def _path_below(roots: Sequence[Path], path: str) -> Path:
    """Return the path below the first data folder that has it; a URL needs none and is fetched."""
    if is_remote(path):
        return fetched(path)
    for root in roots:
        if is_remote(root):
            return fetched(f"{url_of(root)}/{path}")
        if (root / path).exists():
            return root / path
    raise InputError(
        f"data: expected a folder {path!r} under {' or '.join(map(str, roots))}; give its parent with --data"
    )


def build_set(
    source: SourceConfig,
    roots: Sequence[Path],
    future_time_s: FloatArray,
    requirements: InputRequirements,
) -> TrainingSet:
    """Return the source's windows with these future times and these surroundings. Raises InputError."""
    files, rule = source_files(source, roots), source.dataset.windows
    if rule is None:
        return _sliding_set(source, files, map_files(source, files, roots), future_time_s, requirements)
    own_s = rule.future_time_s
    if not rule.other_futures and not (len(own_s) == len(future_time_s) and np.allclose(own_s, future_time_s)):
        raise InputError(f"{source.kind}: its future times are {own_s} s, the model's knots {future_time_s} s")
    windows = part_windows(source.dataset, roots, source.split, future_time_s if rule.other_futures else None)
    return training_set(windows, window_surroundings(windows, files, requirements))


def _sliding_set(
    source: SourceConfig,
    files: Sequence[Path],
    maps: Sequence[Path],
    future_time_s: FloatArray,
    requirements: InputRequirements,
) -> TrainingSet:
    """Return the sliding windows of every scene of these files, each with the map that the source gives it."""
    parts = []
    for number, path in enumerate(files):
        part = scene_windows(source, path, maps[number] if maps else None, future_time_s, requirements)
        parts += [] if part is None else [part.data]
    if not parts:
        raise InputError(
            f"{source.path or source.kind}: expected objects with {source.min_future_s:g} s of recorded future, "
            f"got none in {len(files)} files"
        )
    return joined(parts)


def scene_windows(
    source: SourceConfig,
    path: Path,
    map_file: Path | None,
    future_time_s: FloatArray,
    requirements: InputRequirements,
) -> SceneWindows | None:
    """Return the sliding windows of one scene with the map that the source gives it; None where there are none.

    map_file: takes the place of the scene's own map.
    """
    step_s = 1.0 / source.rate_hz
    history_s: FloatArray = np.linspace(-source.history_s, 0.0, round(source.history_s / step_s) + 1)
    read = source.dataset.read or (lambda path, with_map: load_scene(path, with_map=with_map))
    scene = read(path, requirements.view is not None)
    if map_file is not None:
        lanes, raster = _map_of(map_file)
        scene = replace(scene, lanes=lanes, raster=raster)
    if source.without_map:
        scene = replace(scene, lanes=(), raster=None)
    listed = scene.track_id
    if requirements.all_agents:
        scene = with_everybody(scene, path)
    scene = densified(scene, source.densify)
    windows = sliding_windows(scene, history_s, future_time_s, stride=source.stride, min_future_s=source.min_future_s)
    windows = windows.select(_chosen(source, windows, listed))
    if not len(windows):
        return None
    draw = _draw_of(path)
    field = _map_field(source, scene, requirements, draw)
    seen_from_m = scene.position_m[windows.row] - _map_shift_m(source, len(windows), draw)
    yaw_rad, neighbours = known_at(scene, windows.row, requirements)
    around = Surroundings(*map_around(requirements.view, field, seen_from_m, yaw_rad), neighbours)
    data = training_set(windows, around)
    return SceneWindows(scene, history_s, future_time_s, windows.row, data, field, seen_from_m, yaw_rad)


def _chosen(source: SourceConfig, windows: Windows, listed: Sequence[str]) -> BoolArray:
    """Return the windows (W,) that the source takes: of its classes, and of the tracks that its files list, or all."""
    chosen = np.ones(len(windows), np.bool_)
    if source.classes:
        chosen &= np.isin(windows.object_class, [CLASS_NAMES.index(name) for name in source.classes])
    return chosen if source.all_agents else chosen & np.isin(windows.track_id, listed)


@functools.lru_cache(maxsize=1)  # one map may be that of all scenes
def _map_of(path: Path) -> tuple[tuple[Lane, ...], RasterMap | None]:
    return load_map(path)


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
