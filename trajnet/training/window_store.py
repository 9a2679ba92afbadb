"""Training windows on the disk: built in shards by any number of processes, read batch by batch.

A source is cut into groups of files (see trajnet.shards). A group is named by its files' sizes and times and by the
settings, so only what changed is built again, and a build that was stopped goes on.
"""

from __future__ import annotations

import hashlib
import logging
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trajnet.arrays import concat
from trajnet.context.surroundings import InputRequirements
from trajnet.datasets.files import agents_file, companions_of
from trajnet.engine import Executor, InProcess, stamp_of
from trajnet.errors import InputError
from trajnet.shards import Group, Piece, Shard, ShardReader, build_groups
from trajnet.shards.build import Progress
from trajnet.training.block_order import BLOCK_WINDOWS, shuffled_rows
from trajnet.training.config import SourceConfig
from trajnet.training.scene_pieces import as_they_are, read_windows, scene_pieces
from trajnet.training.sources import CACHE_VERSION, build_set, map_files, scene_windows, source_files
from trajnet.training.training_set import TrainingSet, padded, thinned_rows, with_derived_velocities
from trajnet.types import FloatArray, IntArray

log = logging.getLogger(__name__)

#: A group has at most so many files, and no second file beyond so many bytes of files: a worker holds its windows.
GROUP_FILES, GROUP_BYTES = 128, 16_000_000
#: Windows that are looked at together where all are asked for.
CHUNK = 16_384
#: Windows that are kept after reading, for those of the same pieces that are asked for next: a block and what of the
#: next one a batch already has. One of the default model takes 2.9 kB.
CACHED_WINDOWS = BLOCK_WINDOWS + BLOCK_WINDOWS // 4


@dataclass(frozen=True)
class _Recipe:
    """How the windows of some files of a source are made; files None: all of a benchmark's part, by its own rule.

    maps: one for each of the files, or none.
    """

    source: SourceConfig
    roots: tuple[Path, ...]
    files: tuple[Path, ...] | None
    maps: tuple[Path, ...]
    future_time_s: tuple[float, ...]
    requirements: InputRequirements


@dataclass(frozen=True)
class DataWorkers:
    """Who makes the data. Neither windows nor batches depend on it.

    jobs: processes that build the windows; ray: address of a Ray cluster that builds them instead (see executor_for).
    count: processes that read and augment batches while the model is trained; 0 does it in between.
    shared: folder or URL of windows that several machines build together, see trajnet.shards.shared.
    """

    jobs: int = 1
    ray: str | None = None
    count: int = 0
    shared: str = ""

    def __post_init__(self) -> None:
        if self.count < 0:
            raise InputError(f"workers: expected at least 0, got {self.count}")


class StoredWindows:
    """Windows of several sources in shards. Only what is asked for is read; shorter histories are padded in front.

    source_windows: number of windows of each source. A piece that was read is kept, up to CACHED_WINDOWS of them.
    """

    def __init__(self, sources: Sequence[Sequence[Shard]], requirements: InputRequirements) -> None:
        """Look at the first window of each source. Raises InputError for a source without shards."""
        self._readers = [ShardReader(shards) for shards in sources]
        self.source_windows = [len(reader) for reader in self._readers]
        self._end = np.cumsum(self.source_windows)
        self._requirements, self._steps = requirements, 0
        self._cache: OrderedDict[tuple[int, int], TrainingSet] = OrderedDict()  # of source and piece, oldest use first
        self._cached = 0
        self._steps = max(self._piece(source, 0).observed.shape[1] for source in range(len(sources)))
        self._cache.clear()  # those were not padded
        self._cached = 0

    def __len__(self) -> int:
        """Return the number of windows."""
        return int(self._end[-1])

    def __getstate__(self) -> dict[str, Any]:
        """Leave what was read out of copies for other processes."""
        return {**self.__dict__, "_cache": OrderedDict(), "_cached": 0}

    def select(self, rows: IntArray) -> TrainingSet:
        """Return copies of these windows, in their order. Raises IndexError if one does not exist."""
        rows = np.asarray(rows, np.int64)
        source = np.searchsorted(self._end, rows, side="right")
        parts, places = [], []
        for number in np.unique(source).tolist() if len(rows) else ():
            if number >= len(self._readers):
                raise IndexError(f"rows: expected 0 to {len(self) - 1}, got {rows.max()}")
            first = int(self._end[number]) - self.source_windows[number]
            own = np.flatnonzero(source == number)
            for found in self._readers[number].find(rows[own] - first):
                parts.append(self._piece(number, found.piece).select(found.inside))
                places.append(own[found.place])
        if not parts:
            return self.select(np.zeros(1, np.int64)).select(slice(0, 0))
        order = np.empty(len(rows), np.int64)
        order[np.concatenate(places)] = np.arange(len(rows))
        return concat(parts, what="training windows").select(order)

    def _piece(self, source: int, number: int) -> TrainingSet:
        """Return the windows of a piece."""
        found = self._cache.get((source, number))
        if found is None:
            reader = self._readers[source]
            found = read_windows(reader.arrays(number), np.arange(reader.piece_rows[number]), self._requirements)
            found = padded(found, max(self._steps, found.observed.shape[1]))
            self._cache[source, number] = found
            self._cached += len(found)
            while self._cached > CACHED_WINDOWS and len(self._cache) > 1:
                self._cached -= len(self._cache.popitem(last=False)[1])
        self._cache.move_to_end((source, number))
        return found

    def shuffled(self, draw: np.random.Generator) -> IntArray:
        """Return all rows in a random order that reads each piece in one stretch; see block_order."""
        return shuffled_rows(np.concatenate([reader.piece_rows for reader in self._readers]), draw)

    def everything(self) -> TrainingSet:
        """Return copies of all windows, in their order."""
        return self.select(np.arange(len(self)))

    def chunks(self) -> Iterator[TrainingSet]:
        """Yield all windows in their order, so many at once that they need little memory."""
        for begin in range(0, len(self), CHUNK):
            yield self.select(np.arange(begin, min(begin + CHUNK, len(self))))


def stored_windows(
    sources: Sequence[SourceConfig],
    roots: Sequence[Path],
    future_time_s: FloatArray,
    requirements: InputRequirements,
    folder: Path,
    *,
    executor: Executor | None = None,
    progress: Progress | None = None,
    by_content: bool = False,
    shared: str = "",
) -> StoredWindows:
    """Return the windows of the sources, built in the folder where they are not there yet.

    executor: by default this process. progress: called with the groups of all sources done and their number.
    shared: see build_groups. by_content: know files by every byte instead of size and time.
    Raises InputError as source_files and build_set do.
    """
    recipes = [_recipes(source, roots, future_time_s, requirements) for source in sources]
    groups = [Group(_stamp(recipe, by_content), recipe) for source in recipes for recipe in source]
    found = iter(build_groups(groups, folder, _windows_of, executor or InProcess(), progress=progress, shared=shared))
    shards = [[shard for _ in source for shard in next(found)] for source in recipes]
    for source, of_source in zip(sources, shards, strict=True):
        if not of_source:
            raise InputError(
                f"{source.path or source.kind}: expected objects with {source.min_future_s:g} s of recorded future, "
                f"got none in {len(source_files(source, roots))} files"
            )
    return StoredWindows(shards, requirements)


def _recipes(
    source: SourceConfig, roots: Sequence[Path], future_time_s: FloatArray, requirements: InputRequirements
) -> list[_Recipe]:
    """Return the groups of a source: of its files, or one of all where a benchmark has its own windows."""
    files, future = source_files(source, roots), tuple(map(float, future_time_s))
    if source.dataset.windows is not None:
        return [_Recipe(source, tuple(roots), None, (), future, requirements)]
    groups: list[list[Path]] = [[]]
    size = 0
    for file in files:
        size += file.stat().st_size
        if groups[-1] and (len(groups[-1]) >= GROUP_FILES or size > GROUP_BYTES):
            groups.append([])
            size = file.stat().st_size
        groups[-1].append(file)
    map_of = dict(zip(files, map_files(source, files, roots), strict=False))  # empty where the source names none
    return [
        _Recipe(source, (), tuple(group), tuple(map_of[file] for file in group if map_of), future, requirements)
        for group in groups
    ]


def _stamp(recipe: _Recipe, by_content: bool) -> str:
    source = recipe.source
    files = recipe.files if recipe.files is not None else source_files(source, recipe.roots)
    format_name = "auto" if source.dataset.format is None else source.dataset.format.name
    beside = [*recipe.maps, *(other for file in files for other in companions_of(file, format_name))]
    if recipe.requirements.all_agents:
        beside += [agents for file in files if (agents := agents_file(file)) is not None]
    # Which files are chosen shows in the files themselves; the driving side changes no window.
    chosen = ("driving_side", "path", "first", "count", "only", "without", "map")
    shown = {name: value for name, value in asdict(source).items() if name not in chosen}
    settings = (CACHE_VERSION, shown, recipe.future_time_s, asdict(recipe.requirements))
    return stamp_of([*files, *dict.fromkeys(beside)], settings, content=by_content)


def _windows_of(recipe: _Recipe) -> list[Piece]:
    """Return the pieces of the windows of a group, file by file."""
    source, future_time_s = recipe.source, np.array(recipe.future_time_s)
    if recipe.files is None:
        whole = build_set(source, recipe.roots, future_time_s, recipe.requirements)
        return list(as_they_are(_finished(whole.select(_kept(whole, source, 0, 0)), source)))
    pieces: list[Piece] = []
    for number, file in enumerate(recipe.files):
        map_file = recipe.maps[number] if recipe.maps else None
        made = scene_windows(source, file, map_file, future_time_s, recipe.requirements)
        if made is not None:
            kept = _kept(made.data, source, *_begin_of(source, file.stem))
            pieces += scene_pieces(made, kept, _finished(made.data.select(kept), source), recipe.requirements)
    return pieces


def _begin_of(source: SourceConfig, name: str) -> tuple[int, int]:
    """Return where thinning begins to count in a file, drawn from its name.

    Counting from 0 everywhere, many short files would give more than their share.
    """
    draw = np.random.default_rng(list(hashlib.sha256(f"thinned {name}".encode()).digest()))
    return int(draw.integers(source.every)), int(draw.integers(source.standing_every))


def _kept(whole: TrainingSet, source: SourceConfig, first: int, first_standing: int) -> IntArray:
    return thinned_rows(whole, source.every, source.standing_every, first=first, first_standing=first_standing)


def _finished(part: TrainingSet, source: SourceConfig) -> TrainingSet:
    """Return the windows with the velocities that the source asks for."""
    return with_derived_velocities(part) if source.derive_velocity else part
