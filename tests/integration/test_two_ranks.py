"""Two processes that train together take the steps that one takes with batches twice as large."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from tests.tiny_training import ROOT, tiny_config, train_arguments
from trajnet.training.checkpoint import read_checkpoint


@pytest.mark.slow
def test_two_ranks_give_the_weights_of_one(tmp_path: Path) -> None:
    """Without augmentation, which each rank draws for itself; the second run also reads its batches in a worker."""
    weights = []
    for ranks, batch in ((1, 32), (2, 16)):
        config = tiny_config(tmp_path, epochs=1, batch=batch)
        values = yaml.safe_load(config.read_text())
        values["augment"] = {"mirror": False, "drop": 0.0, "short": 0.0}
        config.write_text(yaml.safe_dump(values))
        words = [*train_arguments(config, tmp_path / f"ranks{ranks}"), "--devices", str(ranks)]
        words += ["--strategy", "ddp", "--workers", "1"] if ranks > 1 else []
        done = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        weights.append(read_checkpoint(tmp_path / f"ranks{ranks}" / "last.ckpt")["state_dict"])
    one, two = weights
    assert one.keys() == two.keys()
    for name, value in one.items():
        assert torch.allclose(two[name], value, rtol=1e-4, atol=1e-4), name
