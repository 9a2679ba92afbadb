"""Measure claims about recurrent networks on recorded data: docs/recurrent.json, its pictures and tables.

    python -m tools.recurrent_claims --data DATA          # everything, about ten minutes on one core
    python -m tools.recurrent_claims --only pictures                # draw docs/recurrent.json again
    python -m tools.recurrent_claims --smoke --out out/smoke        # bundled scenes, seconds: does it still run?

Needs: pip install trajnet-av[train] matplotlib. docs/recurrent.md explains the figures.
"""

from __future__ import annotations

import argparse
import json
import logging
import re
import sys
import time
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch

from tools.recurrent_claims import experiments, histories
from tools.recurrent_claims.experiments import Budget
from tools.recurrent_claims.networks import LSTM, NETWORKS
from tools.recurrent_claims.pictures import draw_all
from tools.recurrent_claims.tables import filled_in
from tools.recurrent_claims.training import fit
from trajnet.context.surroundings import InputRequirements
from trajnet.errors import InputError, TrajnetError
from trajnet.timing.hardware import describe_hardware
from trajnet.training.config import SourceConfig
from trajnet.training.training_set import TrainingSet
from trajnet.training.window_store import stored_windows

ROOT = Path(__file__).resolve().parents[2]
#: Numbers of observations of a 10 Hz history that the model is given: up to 5 s.
NGSIM_LENGTHS = (1, 2, 3, 4, 6, 11, 21, 31, 51)


@dataclass(frozen=True)
class Data:
    """The folder of the recordings. root None: the bundled scenes replace all of them (--smoke)."""

    root: Path | None
    cache: Path

    def load(self, source: SourceConfig) -> TrainingSet:
        """Return the windows of a source."""
        if self.root is not None:
            return self._stored(source, self.root)
        stand_in = SourceConfig("scenes", path="scenes/crossing_small.parquet", history_s=2.0, stride=5)
        whole = self._stored(stand_in, ROOT / "sim")
        return histories.recent(whole, 5) if source.kind == "nuscenes" else whole

    def _stored(self, source: SourceConfig, root: Path) -> TrainingSet:
        return stored_windows([source], [root], histories.FUTURE_S, InputRequirements(), self.cache).everything()

    def pedestrians(self, most: int) -> TrainingSet:
        """Return at most so many windows of pedestrians at 50 Hz."""
        if self.root is not None:
            return histories.pedestrians(self.root, history_s=6.0, rate_hz=50.0, most=most)
        return histories.complete(self.load(histories.NGSIM_TRAIN), most)


def nuscenes(data: Data, budget: Budget) -> tuple[TrainingSet, TrainingSet, dict[str, Any]]:
    """Return windows for training and for measuring, five observations at 2 Hz, and their names."""
    train = histories.spread_out(data.load(histories.NUSCENES_TRAIN), budget.nuscenes_windows)
    validation = histories.complete(data.load(histories.NUSCENES_VALIDATION), budget.validation_windows)
    windows = {"train": len(train), "validation": len(validation)}
    names = {"train": "nuScenes train", "validation": "nuScenes train_val", "step_s": 0.5, "windows": windows}
    return train, validation, names


def on_cells(data: Data, budget: Budget) -> dict[str, Any]:
    """Measure every cell at one budget."""
    train, validation, names = nuscenes(data, budget)
    recipe = budget.nuscenes()
    rows = experiments.cells(train, validation, recipe, budget.seeds)
    return {**names, "metrics": [f"minADE_{recipe.model.modes}", "minADE_1"], "rows": rows}


def on_order(data: Data, budget: Budget) -> dict[str, Any]:
    """Measure the effect of order and context at 2 Hz."""
    train, validation, names = nuscenes(data, budget)
    recipe = budget.nuscenes()
    ordered = experiments.trained_in("in order", train, recipe, budget.seeds)
    shuffled = experiments.trained_in("all motions shuffled", train, recipe, budget.seeds)
    return {
        **names,
        "order": experiments.order_matters(ordered, shuffled, validation),
        "context": experiments.context_matters(ordered, validation, range(1, 6), 0.5),
    }


def on_ngsim(data: Data, budget: Budget) -> dict[str, Any]:
    """Measure gradients, order and context on 5 s at 10 Hz; gradients also on 10 s and at 50 Hz."""
    recipe = budget.ngsim()
    train = histories.spread_out(data.load(histories.NGSIM_TRAIN), budget.ngsim_windows)
    elsewhere = data.load(histories.NGSIM_VALIDATION)
    validation = histories.complete(histories.recent(elsewhere, NGSIM_LENGTHS[-1]), budget.validation_windows)
    ordered = experiments.trained_in("in order", train, recipe, budget.seeds)
    trained = {n.name: ordered[0] if n is LSTM else fit(n, recipe, train, 0).model for n in NETWORKS}
    long, walkers = histories.complete(elsewhere, budget.gradient_tracks), data.pedestrians(budget.gradient_tracks)
    panels = [
        ("pedestrians at 50 Hz, untrained", 0.02, walkers, experiments.initial_gradients(walkers, recipe, 0)),
        ("cars at 10 Hz, untrained", 0.1, long, experiments.initial_gradients(long, recipe, 0)),
        ("cars at 10 Hz, trained", 0.1, long, experiments.trained_gradients(trained, long, recipe)),
    ]
    lengths = [n for n in NGSIM_LENGTHS if n <= validation.observed.shape[1]]
    return {
        "train": "NGSIM Lankershim",
        "validation": "NGSIM US-101",
        "step_s": 0.1,
        "windows": {"train": len(train), "validation": len(validation)},
        "gradients": {
            "forgotten_below": experiments.FORGOTTEN,
            "panels": [{"title": t, "step_s": s, "tracks": len(d), "curves": curves} for t, s, d, curves in panels],
        },
        "order": experiments.order_matters(ordered, [], validation),
        "context": experiments.context_matters(ordered, validation, lengths, 0.1),
    }


def on_explosion(data: Data, budget: Budget) -> dict[str, Any]:
    """Train on whole histories of 5 s at 10 Hz, with and without clipping."""
    train = histories.complete(data.load(histories.NGSIM_TRAIN), budget.explosion_windows)
    return {"train": "NGSIM Lankershim", "windows": {"train": len(train)}, **experiments.explosion(train, budget)}


PARTS = {"cells": on_cells, "order": on_order, "ngsim": on_ngsim, "explosion": on_explosion}
SMOKE = Budget(seeds=1, hidden=8, nuscenes_epochs=1, ngsim_epochs=1, explosion_epochs=1, gradient_tracks=4)


def measured(path: Path) -> dict[str, Any]:
    """Return the content of the file; empty if there is none."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def store(found: dict[str, Any], path: Path) -> None:
    """Write JSON with each innermost list on one line: a curve is one line of a diff."""
    text = json.dumps(found, indent=1)
    text = re.sub(r"\[[^][{}]*\]", lambda match: " ".join(match[0].split()), text)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", encoding="utf-8")


def run(parts: list[str], data: Data, budget: Budget, out: Path) -> None:
    """Measure these parts and store each as soon as it is known; the other parts of the file stay."""
    torch.set_num_threads(1)
    for part in parts:
        began = time.monotonic()
        found = PARTS[part](data, budget)
        about = {
            "command": f"python -m tools.recurrent_claims --data {data.root} --only {part}",
            "measured": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
            "duration_s": round(time.monotonic() - began),
            "hardware": {k: v for k, v in describe_hardware().items() if k in ("cpu", "cores", "python")},
            "torch": torch.__version__,
            "budget": asdict(budget),
        }
        store({**measured(out), part: {"about": about, **found}}, out)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="the folder with nuscenes_pred, commonroad_ngsim, vru_aschaffenburg")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "docs", help="gets recurrent.json, images/recurrent/, tables in recurrent.md"
    )
    parser.add_argument(
        "--only", action="append", choices=[*PARTS, "pictures"], help="measure only this, the rest stays"
    )
    parser.add_argument("--cache", type=Path, default=ROOT / "out" / "recurrent_claims", help="gets the windows")
    parser.add_argument("--smoke", action="store_true", help="bundled scenes and next to no training")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    chosen = given.only or [*PARTS]
    parts = [part for part in PARTS if part in chosen]
    if parts and given.data is None and not given.smoke:
        raise InputError("--data: expected the folder of the recorded data, got none (or ask for --smoke)")
    found = given.out / "recurrent.json"
    run(parts, Data(None if given.smoke else given.data, given.cache), SMOKE if given.smoke else Budget(), found)
    figures = measured(found)
    missing = [part for part in PARTS if part not in figures]
    if missing:
        raise InputError(
            f"{found}: expected figures of every part, got none of {', '.join(missing)}; measure them first"
        )
    draw_all(figures, given.out / "images" / "recurrent")
    document = given.out / "recurrent.md"
    if document.is_file():
        document.write_text(filled_in(document.read_text(encoding="utf-8"), figures), encoding="utf-8")
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except TrajnetError as error:
        print(f"recurrent_claims: {error}", file=sys.stderr)
        raise SystemExit(2) from None
