"""A training run of seconds on a bundled scene, for tests of what surrounds training."""

from __future__ import annotations

from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]


def tiny_config(folder: Path, *, epochs: int, batch: int) -> Path:
    """Write the configuration of such a run to the folder and return its path."""
    scenes = {
        "kind": "scenes", "path": "scenes/crossing_small.parquet", "history_s": 1.0, "stride": 3, "min_future_s": 1.0,
    }  # fmt: skip
    values = {
        "name": "tiny",
        "licence": "Apache-2.0",
        "non_commercial": False,
        "train": [scenes],
        "validation": [{**scenes, "stride": 20}],
        "model": {"hidden": 8, "embedding": 8, "modes": 3, "uses_velocity": True},
        "augment": {"strides": [1, 2], "position_noise_m": 0.05, "hide_velocity": 0.5},
        "optimizer": {"epochs": epochs, "batch": batch},
    }
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def train_arguments(config: Path, out: Path) -> list[str]:
    """Return Python's arguments that train with this configuration on the bundled scenes."""
    words = ["-m", "trajnet", "train", "--config", config, "--data", ROOT / "sim", "--out", out]
    return [*map(str, words), "--no-progress", "--threads", "1", "--accelerator", "cpu"]
