"""Measure what it brings that predictions judge themselves: the tables of docs/self-judging.md.

    python tools/self_judging.py --data DATA --models trajnet/models/trajnet-urban.onnx --sites mini,east,changchun

Every scene is streamed frame by frame: as the model predicts / with self-judging; coverage also with weighing only, in
between. A site is one stream, whose tracks are forgotten between scenes. All are asked about the same objects, those of
every stride-th frame whose next 6 s are recorded whole. Rows: objects that stand (within 1 m of here for the next 6 s)
and that move, all of them and those that were seen for at least 1 s before.
Columns: mean displacement in m over 6 s of the most probable path and of the best mode, how many of the standing ones
are predicted to end more than 0.5 and 2 m away, and how many true positions lie in the 90 and the 50 % region at 1, 2,
3, 4 and 6 s.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from trajnet.arrays import concat
from trajnet.context.surroundings import InputRequirements
from trajnet.datasets.files import load_scene
from trajnet.datasets.folders import part_files
from trajnet.datasets.registry import dataset_named
from trajnet.datasets.windows import Windows, windows_of_scene
from trajnet.evaluate.paths import ScoredPaths
from trajnet.evaluate.units import played
from trajnet.inference import NO_JUDGING, JudgingOptions, Predictor, Stream, load_predictor
from trajnet.inference.base import BasePredictor
from trajnet.metrics.gaussian import mixture_share
from trajnet.tracking.store import Observations
from trajnet.types import BoolArray, FloatArray, IntArray, Prediction, Scene

TIME_S: FloatArray = np.arange(1, 13, dtype=np.float64) * 0.5
HISTORY_S: FloatArray = np.array([-1.0, 0.0])
REGION_KNOTS = [1, 3, 5, 7, 11]


class Site(NamedTuple):
    """A part of a data set. stride: frames from one that is scored to the next. frames: of each scene, the first."""

    dataset: str
    part: str
    stride: int
    scenes: int | None = None
    frames: int | None = None


#: The last three are those on which the constants were chosen.
SITES = {
    "mini": Site("nuscenes_mini", "all", 10),
    "east": Site("mona", "east", 5, scenes=8),
    "changchun": Site("sind", "changchun", 10, frames=3000),
    "agents": Site("nuscenes_agents", "train_val", 2, scenes=25),
    "west": Site("mona", "west", 5, scenes=16),
    "chongqing": Site("sind", "chongqing", 10, frames=1500),
}


def scenes_of(site: Site, data: Path) -> Iterator[Scene]:
    """Read the site's scenes with their maps. Raises InputError if the data is missing."""
    dataset = dataset_named(site.dataset)
    for path in islice(part_files(dataset, [data], site.part), site.scenes):
        yield dataset.read(path, True) if dataset.read is not None else load_scene(path, with_map=True)


class Found(NamedTuple):
    """Of W objects: top, best, end (W,) in m; share (W, H) of the mixture that is denser than the truth."""

    top: FloatArray
    best: FloatArray
    end: FloatArray
    share: FloatArray


def measured(windows: Windows, paths: ScoredPaths) -> Found:
    """Return what is measured of the objects of these windows."""
    error_m = np.linalg.norm(paths.position_m - windows.future_m[:, None], axis=-1).mean(axis=2)
    share = mixture_share(
        paths.position_m[:, :, REGION_KNOTS], paths.covariance_m2[:, :, REGION_KNOTS], paths.probability,
        windows.future_m[:, REGION_KNOTS],
    )  # fmt: skip
    end_m = np.linalg.norm(paths.position_m[:, 0, -1] - windows.position_m[:, -1], axis=-1)
    return Found(error_m[:, 0], error_m.min(axis=1), end_m, share)


class Remembering(BasePredictor):
    """The predictor's answers for one scene, so that it is run once for all ways to judge them."""

    def __init__(self, inner: Predictor) -> None:
        self._inner, self._told, self._next = inner, list[Prediction](), 0
        self.name, self.time_s, self.modes = inner.name, inner.time_s, inner.modes
        self.requirements = inner.requirements

    def begin(self, first: bool) -> None:
        """Start the scene anew; first: with answers of its own, which need the surroundings."""
        self._next = 0
        self.requirements = self._inner.requirements if first else InputRequirements()
        if first:
            self._told = []

    def predict(self, observations: Observations) -> Prediction:
        """Return the predictor's answer, or what it was."""
        self._next += 1
        if self._next > len(self._told):
            self._told.append(self._inner.predict(observations))
        return self._told[self._next - 1]

    def forget(self, slots: IntArray) -> None:
        """Have the predictor forget."""
        self._inner.forget(slots)


WAYS = (NO_JUDGING, JudgingOptions(adapt_spread=False), JudgingOptions())


def streamed(
    model: str, scenes: list[Scene], site: Site, ways: Sequence[JudgingOptions]
) -> tuple[list[Found], Windows]:
    """Stream the scenes of a site one after the other in each of these ways, and measure."""
    predictor = Remembering(load_predictor(model))
    streams = [Stream(predictor, judging=way, warn_without_map=False) for way in ways]
    found, seen = [list[Found]() for _ in ways], list[Windows]()
    for scene in scenes:
        first = np.arange(scene.frame_count) < (site.frames or scene.frame_count)
        rows = np.flatnonzero((scene.row_frame % site.stride == 0) & first[scene.row_frame])
        windows = windows_of_scene(scene, rows, HISTORY_S, TIME_S)
        whole: BoolArray = np.asarray(windows.future_valid.all(axis=1))
        rows, windows = rows[whole], windows.select(whole)
        everything = first, np.ones(len(scene.row_frame), np.bool_)
        for way, stream in enumerate(streams):
            predictor.begin(first=way == 0)
            stream.reset()  # the spread stays adapted to the site
            for part, paths in played(stream, scene, rows, windows, TIME_S, *everything):
                found[way].append(measured(part, paths))
                seen += [part] if way == 0 else []
    return [Found(*(np.concatenate(v) for v in zip(*parts, strict=True))) for parts in found], concat(seen)


def table(name: str, off: Found, weighed: Found, on: Found, windows: Windows) -> str:
    """Return the rows of one model at one site in Markdown."""
    stands = np.linalg.norm(windows.future_m - windows.position_m[:, -1:], axis=-1).max(axis=1) < 1.0
    evidence = windows.observed[:, 0]
    groups: dict[str, BoolArray] = {
        "all": np.ones_like(stands),
        "stands": stands,
        "moves": ~stands,
        "stands, seen 1 s": stands & evidence,
        "moves, seen 1 s": ~stands & evidence,
    }
    lines = []
    for group, rows in groups.items():
        if np.count_nonzero(rows) < 20:
            continue
        cells = [name, group, f"{np.count_nonzero(rows):,}"]
        cells += [
            f"{getattr(off, key)[rows].mean():.3f} / {getattr(on, key)[rows].mean():.3f}" for key in ("top", "best")
        ]
        for limit_m in (0.5, 2.0):
            both = [f"{100 * np.mean(found.end[rows] > limit_m):.1f}" for found in (off, on)]
            cells.append(" / ".join(both) if group.startswith("stands") else "")
        for level in (0.9, 0.5):
            shares = [
                " ".join(f"{100 * s:.0f}" for s in (f.share[rows] < level).mean(axis=0)) for f in (off, weighed, on)
            ]
            cells.append(" / ".join(shares))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--models", required=True, help="model files, with commas between them")
    parser.add_argument("--sites", default="mini,east,changchun")
    parser.add_argument("--without-map", action="store_true")
    parser.add_argument(
        "--without",
        choices=("weigh", "combine", "heed", "learn", "keep_lanes"),
        help="a part of self-judging to leave out",
    )
    chosen = parser.parse_args()
    off_too: dict[str, Any] = {chosen.without: False} if chosen.without else {}
    ways = [replace(way, **off_too) for way in WAYS]
    print("| model, site | objects | n | top | best | end > 0.5 m, % | > 2 m, % | in 90 %, 1 to 6 s | in 50 % |")
    print("|---" * 9 + "|")
    for name in chosen.sites.split(","):
        scenes = list(scenes_of(SITES[name], chosen.data))
        if chosen.without_map:
            scenes = [replace(scene, lanes=(), raster=None) for scene in scenes]
        for model in chosen.models.split(","):
            (off, weighed, on), windows = streamed(model, scenes, SITES[name], ways)
            label = f"{Path(model).stem.removeprefix('trajnet-')}, {name}" + (" no map" if chosen.without_map else "")
            print(table(label, off, weighed, on, windows), flush=True)


if __name__ == "__main__":
    main()
