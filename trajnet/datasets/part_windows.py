"""The windows of a benchmark's part, cut by its own rule and counted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from trajnet.arrays import concat
from trajnet.datasets.description import Dataset, Part
from trajnet.datasets.files import load_scene
from trajnet.datasets.folders import part_files, part_named
from trajnet.datasets.windows import Windows, windows_of_scene
from trajnet.errors import InputError
from trajnet.types import FloatArray


def part_windows(
    dataset: Dataset, roots: Sequence[Path], name: str, future_time_s: FloatArray | None = None
) -> Windows:
    """Return the windows of the part of this name, in the order of its files.

    future_time_s (T,): other times than the benchmark's; the choice of windows does not depend on them.
    Raises InputError if the benchmark has no windows of its own, if their number is not the one that it states, or if a
    future that it scores is not recorded.
    """
    part = part_named(dataset, name)
    if dataset.windows is None or part.history_time_s is None:
        raise InputError(f"{dataset.title}: expected windows of a benchmark, its scenes are streamed as they are")
    times_s = dataset.windows.future_time_s if future_time_s is None else future_time_s
    parts = []
    for file in part_files(dataset, roots, name):
        own = dataset.format  # of a converted data set, the files are tables
        scene = load_scene(file, own.name if own is not None and own.fits(file) else "auto")
        parts.append(windows_of_scene(scene, dataset.windows.rows(scene, part), part.history_time_s, times_s))
    windows = concat([found for found in parts if len(found)], what="windows")
    _require_count(dataset, part, windows, whole=future_time_s is None)
    return windows


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
