"""Take the mean of the weights of runs that began with the same ones, and fit its calibration.

    python tools/mean_weights.py out/first/last.ckpt out/second/last.ckpt --config configs/urban.yaml --data DATA \\
        --data GENERATED --out out/mean.ckpt

Runs from one start stay in one valley of the loss (Wortsman et al. 2022, Model soups); here the middle lies between
them at most places and is a start for a student. Runs from different starts have no common valley: their mean is
no model. The calibration is fitted on the configuration's validation data; what else the checkpoint says, its domain
too, is that of the last one. Then `trajnet export` it, or give it to `trajnet train --init`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from trajnet.config import load_yaml
from trajnet.errors import InputError, TrajnetError
from trajnet.training.batches import Batches
from trajnet.training.checkpoint import checkpoint_model, read_checkpoint, save_whole
from trajnet.training.config import TrainConfig
from trajnet.training.fit_calibration import calibrate
from trajnet.training.model import TrajectoryModel
from trajnet.training.window_store import stored_windows


def mean_of(paths: list[Path]) -> TrajectoryModel:
    """Return the model with the mean of the checkpoints' weights. Raises InputError for fewer than two, or others."""
    if len(paths) < 2:
        raise InputError(f"expected two checkpoints or more, got {len(paths)}")
    models, configs = zip(*((model, config) for model, config, _ in map(checkpoint_model, paths)), strict=True)
    for path, config in zip(paths, configs, strict=True):
        if (config.model, config.non_commercial) != (configs[-1].model, configs[-1].non_commercial):
            raise InputError(f"{path}: expected the model and the licence of {paths[-1]}, got others")
    states = [model.state_dict() for model in models]
    mean: TrajectoryModel = models[-1]
    mean.load_state_dict({name: torch.stack([state[name] for state in states]).mean(dim=0) for name in states[0]})
    return mean


def main(arguments: list[str] | None = None) -> int:
    """Write the checkpoint; return 2, with one line, where that cannot be done."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", type=Path, nargs="+", help="of runs that began with the same weights")
    parser.add_argument("--config", type=Path, required=True, help="configuration with the validation data")
    parser.add_argument("--data", type=Path, action="append", required=True, help="folder of its data; repeat it")
    parser.add_argument("--out", type=Path, required=True, help="the checkpoint to write")
    parser.add_argument("--cache", type=Path, help="the windows folder of a training run; by default none is kept")
    given = parser.parse_args(arguments)
    try:
        config, model = load_yaml(TrainConfig, given.config), mean_of(given.checkpoints)
        if config.model != model.config:
            raise InputError(f"{given.config}: expected the model of the checkpoints, got another")
        with tempfile.TemporaryDirectory(prefix="trajnet-mean-") as folder:
            knots_s, cache = np.array(config.model.time_s), given.cache or Path(folder)
            windows = stored_windows(config.validation, given.data, knots_s, config.model.requirements, cache)
            calibrate(model, Batches(windows, 512))
        stored = read_checkpoint(given.checkpoints[-1])
        stored["state_dict"] = {f"model.{name}": value for name, value in model.state_dict().items()}
        save_whole(stored, given.out)
    except TrajnetError as error:
        print(f"mean_weights: {error}", file=sys.stderr)
        return 2
    print(f"{given.out}: the mean of {len(given.checkpoints)}; sharpness {float(model.sharpness):.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
