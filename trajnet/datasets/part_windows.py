"""The windows of a benchmark's part, cut by its own rule and counted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path

from trajnet.arrays import concat
from trajnet.datasets.description import Dataset, Part
from trajnet.datasets.files import load_scene
from trajnet.datasets.folders import part_files, part_named
from trajnet.datasets.registry import dataset_named
from trajnet.datasets.windows import Windows, windows_of_scene
from trajnet.engine import Executor
from trajnet.errors import InputError
from trajnet.types import FloatArray

#: Files whose windows are cut as one task.
FILES = 64


def part_windows(
    dataset: Dataset,
    roots: Sequence[Path],
    name: str,
    future_time_s: FloatArray | None = None,
    *,
    executor: Executor | None = None,
) -> Windows:
    """Return the windows of the part of this name, in the order of its files.

    future_time_s (T,): other times than the benchmark's; the choice of windows does not depend on them.
    executor: cuts the files of a registered data set; by default this process.
    Raises InputError if the benchmark has no windows of its own, if their number is not the one that it states, or if a
    future that it scores is not recorded.
    """
    part = part_named(dataset, name)
    if dataset.windows is None or part.history_time_s is None:
        raise InputError(f"{dataset.title}: expected windows of a benchmark, its scenes are streamed as they are")
    times_s = dataset.windows.future_time_s if future_time_s is None else future_time_s
    files = part_files(dataset, roots, name)
    tasks = [files[begin : begin + FILES] for begin in range(0, len(files), FILES)]
    cut: Iterator[list[Windows]] = (
        map(partial(_windows_of, dataset, part, times_s), tasks)
        if executor is None or len(tasks) < 2  # a worker takes a while to start
        else executor.map(partial(_windows_of_named, dataset.name, name, times_s), tasks)
    )
    windows = concat([found for found in chain.from_iterable(cut) if len(found)], what="windows")
    _require_count(dataset, part, windows, whole=future_time_s is None)
    return windows


def _windows_of_named(dataset: str, part: str, times_s: FloatArray, files: Sequence[Path]) -> list[Windows]:
    """Return the windows of each file; the data set by its name, as its functions cannot go to another process."""
    return _windows_of(dataset_named(dataset), part_named(dataset_named(dataset), part), times_s, files)


def _windows_of(dataset: Dataset, part: Part, times_s: FloatArray, files: Sequence[Path]) -> list[Windows]:
    assert dataset.windows is not None and part.history_time_s is not None  # noqa: PT018 - part_windows looked
    own, found = dataset.format, []
    for file in files:
        kind = own.name if own is not None and own.fits(file) else "auto"  # of a converted data set: tables
        scene = load_scene(file, kind)
        found.append(windows_of_scene(scene, dataset.windows.rows(scene, part), part.history_time_s, times_s))
    return found


def _require_count(dataset: Dataset, part: Part, windows: Windows, *, whole: bool) -> None:
    """Raise InputError for another number of windows than the benchmark states: figures could not be compared.

    whole: whether the whole future of every window has to be recorded.
    """
    if part.window_count is None:
        return
    known = int(windows.future_valid.all(axis=1).sum()) if whole else len(windows)
    if len(windows) != part.window_count or known != part.window_count:
        raise InputError(
            f"{dataset.title} {part.name}: expected the {part.window_count:,} windows of the benchmark with their "
            f"whole future, got {known:,} of {len(windows):,}; is the data folder complete?"
        )
