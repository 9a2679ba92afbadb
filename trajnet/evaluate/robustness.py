"""The same recordings at lower rates and with observations lost: how errors grow when the model sees less.

Every cell of the experiment scores the same objects at the same instants, whose own observation is always shown; only
what came before differs. The future that is compared with is never thinned. Losses are nested: what is lost at 10 % is
lost at 30 % too, and a frame of a lower rate is lost in every rate, so differences between cells are not luck.
"""

from __future__ import annotations

import functools
import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from trajnet.config import require
from trajnet.datasets.files import load_scene
from trajnet.datasets.windows import Windows, windows_of_scene
from trajnet.errors import InputError
from trajnet.evaluate.evaluation_set import EvaluationSet
from trajnet.evaluate.paths import ScoredPaths, horizon_steps
from trajnet.evaluate.runner import ModelResult
from trajnet.evaluate.units import SceneUnit, Unit, WindowUnit, played
from trajnet.inference import Stream
from trajnet.types import BoolArray, FloatArray, IntArray, Scene

#: What is lost: whole frames, or single objects of frames.
Kind = Literal["frames", "objects"]
KINDS: tuple[Kind, ...] = get_args(Kind)

#: Scored instants of a scene are at least this far apart, and so far from its begin: in between everything may be lost.
INSTANT_S = 2.0

#: Rates are told apart to this many frames per 1000 s.
_RATE_UNITS = 1000

DEFINITION = (
    f"scenes: objects at instants at least {INSTANT_S:g} s apart that every rate has, the same in every cell; "
    "windows: the dataset's own. The observation at the instant is always shown; drop is the chance that an earlier "
    "one is lost, as whole frames or as single objects, drawn once per frame or observation, so that losses are nested"
)


@dataclass(frozen=True)
class Cell:
    """One way to show a recording: thinned to rate_hz (None: as recorded), a share of frames or objects lost."""

    rate_hz: float | None = None
    drop: float = 0.0
    kind: Kind = "frames"

    def __post_init__(self) -> None:
        require(
            self.rate_hz is None or (math.isfinite(self.rate_hz) and self.rate_hz > 0),
            f"rates: expected numbers above 0 in Hz, got {self.rate_hz}",
        )
        require(0 <= self.drop < 1, f"drops: expected shares from 0 to below 1, got {self.drop}")

    @property
    def key(self) -> str:
        rate = "recorded" if self.rate_hz is None else f"{self.rate_hz:g}Hz"
        return f"{rate}|{self.kind if self.drop else 'none'}|{self.drop:g}"


def cells(rates_hz: Sequence[float], drops: Sequence[float]) -> list[Cell]:
    """Every rate (as recorded where there are none) with every drop, of both kinds where something is lost."""
    return [
        Cell(rate, drop, kind)
        for rate in (dict.fromkeys(rates_hz) or [None])
        for drop in (dict.fromkeys(drops) or [0.0])
        for kind in (KINDS if drop else KINDS[:1])
    ]


def robustness_set(
    opened: EvaluationSet, rates_hz: Sequence[float], drops: Sequence[float], seed: int
) -> EvaluationSet:
    """Return the units of an evaluation set once for each cell, which is the group of their scores.

    InputError for rates with a dataset of fixed windows.
    """
    if rates_hz and opened.dataset.windows is not None:
        raise InputError(f"rates: expected none for {opened.name}, whose windows have a fixed rate; drops work there")
    units: list[Unit] = []
    for unit in opened.units:  # all cells of a scene after each other: it is read once
        for cell in cells(rates_hz, drops):
            if isinstance(unit, WindowUnit):
                units.append(replace(unit, windows=_with_losses(unit.windows, cell, seed), group=cell.key))
            elif isinstance(unit, SceneUnit):
                units.append(ThinnedUnit(unit.path, unit.targets_only, tuple(rates_hz), cell, seed))
    return replace(opened, units=tuple(units))


@dataclass(frozen=True)
class ThinnedUnit:
    """A scene shown as a cell says. rates_hz: of all cells, which decide about the instants that are scored."""

    path: Path
    targets_only: bool
    rates_hz: tuple[float, ...]
    cell: Cell
    seed: int

    @property
    def group(self) -> str:
        return self.cell.key

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.path,)

    def run(self, stream: Stream, time_s: FloatArray) -> Iterator[tuple[Windows, ScoredPaths]]:
        scene = _scene(self.path)
        instants = scored_frames(scene, self.rates_hz)
        if not len(instants):
            return
        rows = np.flatnonzero(np.isin(scene.row_frame, instants) & (scene.is_target | (not self.targets_only)))
        windows = windows_of_scene(scene, rows, np.zeros(1), time_s)
        known_rows: BoolArray = np.all(windows.future_valid[:, : horizon_steps(time_s)[0]], axis=1)
        rows, windows = rows[known_rows], windows.select(known_rows)
        frames, shown = shown_rows(scene, self.cell, rows, instants, self.seed)
        yield from played(stream, scene, rows, windows, time_s, frames, shown)


@functools.lru_cache(maxsize=1)
def _scene(path: Path) -> Scene:
    return load_scene(path)


def scored_frames(scene: Scene, rates_hz: Sequence[float]) -> IntArray:
    """Frames that every rate shows, INSTANT_S or more apart and from the begin; of all frames without rates."""
    if scene.frame_count < 2:  # nothing came before what would be scored
        return np.zeros(0, dtype=np.int64)
    if not rates_hz:
        step_s = max(float(np.median(np.diff(_time_s(scene)))), 1e-3)
        every = math.ceil(INSTANT_S / step_s - 1e-6)
        return np.arange(every, scene.frame_count, every)
    whole = [Fraction(round(rate * _RATE_UNITS), _RATE_UNITS) for rate in rates_hz]
    common = Fraction(
        math.gcd(*(f.numerator * (_RATE_UNITS // f.denominator) for f in whole)), _RATE_UNITS
    )  # Hz of the instants that all rates have
    period_s = float(1 / common)
    period_s *= math.ceil(INSTANT_S / period_s - 1e-9)
    ask_s = np.arange(1, math.floor(_time_s(scene)[-1] / period_s + 1e-6) + 1) * period_s
    return np.unique(_nearest(scene, ask_s, max(rates_hz)))


def shown_rows(
    scene: Scene, cell: Cell, scored: IntArray, instants: IntArray, seed: int
) -> tuple[BoolArray, BoolArray]:
    """Which frames (F,) and which rows (R,) of the scene are shown; scored rows and their frames always are."""
    kept = np.ones(scene.frame_count, dtype=np.bool_)
    if cell.rate_hz is not None:
        ask_s = np.arange(math.floor(_time_s(scene)[-1] * cell.rate_hz + 1e-6) + 1) / cell.rate_hz
        kept[:] = False
        kept[_nearest(scene, ask_s, cell.rate_hz)] = True
    name = zlib.crc32(scene.scene_id.encode())
    of_frames, of_rows = (np.random.default_rng([seed, name, what]) for what in range(2))
    lost_frame: BoolArray = of_frames.random(scene.frame_count) < (cell.drop if cell.kind == "frames" else 0.0)
    lost_row: BoolArray = of_rows.random(len(scene.row_frame)) < (cell.drop if cell.kind == "objects" else 0.0)
    lost_frame[instants] = False
    lost_row[scored] = False
    frames: BoolArray = kept & ~lost_frame
    rows: BoolArray = frames[scene.row_frame] & ~lost_row
    return frames, rows


def _time_s(scene: Scene) -> FloatArray:
    since: FloatArray = (scene.timestamp_ns - scene.timestamp_ns[0]) * 1e-9
    return since


def _nearest(scene: Scene, ask_s: FloatArray, rate_hz: float) -> IntArray:
    """Return the frame nearest to each asked time; InputError if the scene has fewer frames than the rate asks for."""
    time_s = _time_s(scene)
    own_hz = 1.0 / float(np.median(np.diff(time_s)))
    if rate_hz > 1.1 * own_hz:
        raise InputError(
            f"rates: scene {scene.scene_id!r} is recorded at {own_hz:.3g} Hz, got {rate_hz:g} Hz; ask for lower rates"
        )
    right = np.clip(np.searchsorted(time_s, ask_s), 0, len(time_s) - 1)
    left = np.maximum(right - 1, 0)
    return np.where(np.abs(time_s[left] - ask_s) <= np.abs(time_s[right] - ask_s), left, right)


def _with_losses(windows: Windows, cell: Cell, seed: int) -> Windows:
    """Return the windows with earlier observations lost: per window, or for all windows of an instant at once."""
    lost = np.zeros_like(windows.observed)
    for row, key in enumerate(_instants(windows, cell.kind)):
        random = np.random.default_rng([seed, zlib.crc32(key.encode())])
        lost[row, :-1] = random.random(windows.observed.shape[1] - 1) < cell.drop
    return replace(windows, observed=windows.observed & ~lost)


def _instants(windows: Windows, kind: Kind) -> Iterator[str]:
    """Return what shares its losses: an instant of a scene, or one object of it."""
    for scene, frame, track in zip(windows.scene_id, windows.frame.tolist(), windows.track_id, strict=True):
        yield f"{scene}/{frame}" if kind == "frames" else f"{scene}/{frame}/{track}"


def robustness_report(
    results: dict[str, ModelResult], labels: dict[str, str], rates_hz: Sequence[float], drops: Sequence[float]
) -> list[dict[str, Any]]:
    """Return a row for each cell: rate_hz (None: as recorded), drop, kind, objects, and each model's metrics."""
    rows = []
    for cell in cells(rates_hz, drops):
        row: dict[str, Any] = {"rate_hz": cell.rate_hz, "drop": cell.drop, "kind": cell.kind if cell.drop else "none"}
        for spec, result in results.items():
            sums = result.tally.by_group.get(cell.key)
            row["objects"] = 0 if sums is None else int(sums.count[0])
            row.setdefault("models", {})[labels[spec]] = {} if sums is None else sums.means(0)
        rows.append(row)
    return rows
