"""What there is to score of a data set: the windows of its benchmark, or whole scenes streamed frame by frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trajnet.datasets.description import Dataset
from trajnet.datasets.files import find_scenes
from trajnet.datasets.folders import part_files
from trajnet.datasets.part_windows import part_windows
from trajnet.datasets.registry import dataset_named
from trajnet.engine import Executor
from trajnet.errors import InputError
from trajnet.evaluate.units import SceneUnit, Unit, window_units
from trajnet.remote import is_remote
from trajnet.types import FloatArray

#: Steps of the future that is scored in scenes.
SCENE_STEP_S = 0.5
DEFAULT_HORIZON_S = 6.0


@dataclass(frozen=True)
class EvaluationSet:
    """A split of a data set, opened.

    split: empty where there is none. time_s (T,): the future times that are scored, in s. units: the work, which
    processes share between them.
    """

    dataset: Dataset
    split: str
    time_s: FloatArray
    units: tuple[Unit, ...]

    @property
    def name(self) -> str:
        return self.dataset.name


def open_dataset(
    name: str,
    data: Path,
    split: str | None,
    *,
    horizon_s: float | None = None,
    stride: int = 1,
    targets_only: bool = False,
    executor: Executor | None = None,
) -> EvaluationSet:
    """Open the data set of this name (trajnet.datasets.registry), found in data.

    data: also a URL, see trajnet.remote.
    split: one of the data set's; None for a data set without any (scenes), where data is a scene file or a folder of
    them. horizon_s, stride and targets_only (see SceneUnit) are for data sets whose scenes are streamed.
    executor: cuts the windows of a benchmark; by default this process.
    InputError for whatever is missing or unknown, and if the windows are not those of the official split.
    """
    dataset = dataset_named(name)
    if not (is_remote(data) or data.exists()):
        wanted = "the folder of the data" if dataset.parts else "a scene file or a folder of them"
        raise InputError(f"data: expected {wanted}, got {data}, which does not exist")
    if dataset.windows is not None and (horizon_s is not None or stride != 1):
        raise InputError(
            f"horizon, stride: expected neither for {name}, whose windows are fixed; they are for streamed scenes"
        )
    if dataset.parts and split not in dataset.splits:
        raise InputError(f"split: expected one of {', '.join(dataset.splits)} for {name}, got {split!r}")
    if not dataset.parts and split is not None:
        raise InputError(f"split: expected none for {name}, got {split!r}; choose files or folders with data instead")
    parts = dataset.splits.get(split or "", ())
    if dataset.windows is not None:
        time_s = dataset.windows.future_time_s
        units = tuple(unit for part in parts for unit in _window_units(dataset, data, part, executor))
    else:
        time_s = _scene_times(DEFAULT_HORIZON_S if horizon_s is None else horizon_s, stride)
        units = tuple(_scene_units(dataset, data, parts, stride, targets_only))
    return EvaluationSet(dataset, split or "", time_s, units)


def _window_units(dataset: Dataset, data: Path, part: str, executor: Executor | None) -> Iterator[Unit]:
    """Units of windows of one part and one group: parts differ in their rates, so no unit has windows of two."""
    windows, files = part_windows(dataset, [data], part, executor=executor), part_files(dataset, [data], part)
    group = np.array([dataset.group(part, scene_id) for scene_id in windows.scene_id.tolist()])
    for name in np.unique(group).tolist():
        yield from window_units(windows.select(group == name), name, files)


def _scene_times(horizon_s: float, stride: int) -> FloatArray:
    """(T,) times up to the horizon, in s. Raises InputError for what cannot be streamed."""
    if stride < 1:
        raise InputError(f"stride: expected a number of frames of at least 1, got {stride}")
    if not np.isfinite(horizon_s) or horizon_s < SCENE_STEP_S:
        raise InputError(f"horizon: expected at least {SCENE_STEP_S} s, got {horizon_s}")
    steps = int(np.floor(horizon_s / SCENE_STEP_S + 1e-6))
    return np.arange(1, steps + 1, dtype=np.float64) * SCENE_STEP_S


def _scene_units(dataset: Dataset, data: Path, parts: Sequence[str], stride: int, targets_only: bool) -> Iterator[Unit]:
    if not parts:
        yield from (SceneUnit(path, stride, targets_only) for path in find_scenes(data))
    for part in parts:
        for path in part_files(dataset, [data], part):
            yield SceneUnit(path, stride, targets_only, dataset.group(part, path.stem))
