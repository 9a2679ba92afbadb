"""The description of a data set: one frozen object, in one file for each data set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from trajnet.config import require
from trajnet.scenes.formats import SceneFormat
from trajnet.types import FloatArray, IntArray, Scene

#: What a data set may be used for. mixed: it depends on the file.
Use = Literal["any", "mixed", "non-commercial"]

#: Metrics of streamed scenes: those of Argoverse 2 and most others, which ask for six paths.
SCENE_METRICS = (
    *(f"{m}_{k}" for m in ("minADE", "minFDE") for k in (1, 6)),
    "MissRate_2_5",
    "Argoverse2_MissRate_6",
    "Argoverse2_brier_minFDE_6",
)


@dataclass(frozen=True, eq=False)
class Part:
    """Files of a data set that belong together, and whose windows share one grid of history times.

    name: a training source's ``split``. history_time_s (H,): history times of the benchmark's windows in s, the last 0;
    None where scenes are streamed. window_count: the number of windows that the benchmark states; None: none.
    """

    name: str
    history_time_s: FloatArray | None = None
    window_count: int | None = None


@dataclass(frozen=True, eq=False)
class WindowRule:
    """How a benchmark cuts its windows.

    future_time_s (T,): the times that it scores, in s. rows: returns the scene's rows that are the last observation of
    a window in this part. other_futures: whether windows may be trained at other future times, masked where nothing was
    recorded.
    """

    future_time_s: FloatArray
    rows: Callable[[Scene, Part], IntArray]
    other_futures: bool = False


def _one_group(_part: str, _scene_id: str) -> str:
    return ""


@dataclass(frozen=True, eq=False, kw_only=True)
class Dataset:
    """One data set.

    name: as ``--dataset`` and a training source's ``kind`` take it. title: its name in texts.
    licence, download: the terms of use and where to get it. note: what a user has to know about it.
    use: what the licence allows; a new data set is non-commercial until its description says otherwise.
    held_out: for tests only, never trained on, because its recordings are part of other data sets too.
    folder: its folder below a data root. marker: a folder or file in it that identifies it under another name.
    parts: its parts; empty where any scene file or folder of them may be given by path.
    splits: values of ``--split`` -> the parts that each stands for; by default each part by its own name.
    files: (the data set's folder, the part's name) -> the part's files, sorted. Raises InputError.
    windows: how its benchmark cuts windows; None: whole scenes are streamed, and sliding windows are trained on.
    metrics: the columns of the first table of an evaluation, of evaluate.scoring.DEFINITIONS. divided: metrics shown by
    horizon, class and group. headline: the one minADE_k for pictures. ranks: the k whose minADE_k and minFDE_k are
    broken down. group: (part's name, scene's id) -> the group that reports average separately, "" for none.
    shows_groups: whether the tables have a row for each group. mean_over_groups: whether the benchmark's own figure is
    the unweighted mean of the groups.
    format: its own file format; None where its files are tables or CommonRoad.
    read: (file, with_map) -> the scene that training takes of a file; None: the one that the file's format gives.
    Raises ConfigError for a description that contradicts itself.
    """

    name: str
    title: str
    licence: str
    download: str
    metrics: tuple[str, ...] = SCENE_METRICS
    divided: tuple[str, ...] = ("minADE_6", "minFDE_6")
    headline: str = "minADE_6"
    ranks: tuple[int, ...] = (1, 6)
    use: Use = "non-commercial"
    held_out: bool = False
    note: str = ""
    folder: str = ""
    marker: str = ""
    parts: tuple[Part, ...] = ()
    splits: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    files: Callable[[Path, str], list[Path]] | None = None
    windows: WindowRule | None = None
    group: Callable[[str, str], str] = _one_group
    shows_groups: bool = False
    mean_over_groups: bool = False
    format: SceneFormat | None = None
    read: Callable[[Path, bool], Scene] | None = None

    def __post_init__(self) -> None:
        if not self.splits:
            object.__setattr__(self, "splits", {part.name: (part.name,) for part in self.parts})
        known = {part.name for part in self.parts}
        for split, names in self.splits.items():
            unknown = [name for name in names if name not in known]
            self._require(not unknown, f"split {split!r} names parts that it does not have: {', '.join(unknown)}")
        self._require(bool(self.parts) == (self.files is not None), "parts and files go together")
        self._require(bool(self.parts) == bool(self.folder), "parts and folder go together")
        ruled = [part.history_time_s is not None for part in self.parts]
        self._require(
            all(ruled) if self.windows is not None else not any(ruled),
            "expected history_time_s in every part if it has windows, else in none",
        )
        self._require(
            self.headline in {f"minADE_{k}" for k in self.ranks},
            f"headline: expected minADE_k with k of {self.ranks}, got {self.headline!r}",
        )

    def _require(self, condition: bool, message: str) -> None:
        require(condition, f"data set {self.name}: {message}")
