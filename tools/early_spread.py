"""Give trained weights a floor under the covariances of their first knots (model.early_knots), and fit these again.

    python tools/early_spread.py trajnet/models/trajnet-urban.ckpt --config configs/urban.yaml --data DATA \\
        --data GENERATED --out out/urban.ckpt

For weights that were trained before the setting: the configuration must be theirs but for it. Paths, probabilities and
the covariances of all other knots stay as they are, bit for bit; the factors on the standard deviations of the first
knots are those that give their regions the stated coverage on the configuration's validation data. Then
`trajnet export` the checkpoint. Data other than the validation sources is not read.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

from trajnet.config import from_dict, load_yaml, to_dict
from trajnet.errors import InputError, TrajnetError
from trajnet.training.batches import Batches
from trajnet.training.checkpoint import checkpoint_model, read_checkpoint, save_whole
from trajnet.training.config import TrainConfig
from trajnet.training.fit_calibration import calibrate_spread
from trajnet.training.model import TrajectoryModel
from trajnet.training.model_config import ModelConfig
from trajnet.training.window_store import stored_windows


def with_early_knots(path: Path, config: TrainConfig, roots: list[Path], cache: Path, out: Path) -> TrajectoryModel:
    """Write the checkpoint with the configuration's early_knots to out; return its model.

    Raises InputError where more than that setting differs, or where there is none.
    """
    trained, before, _ = checkpoint_model(path)
    wanted = {**to_dict(before.model), "early_knots": config.model.early_knots}
    if config.name != before.name or from_dict(ModelConfig, wanted, str(path)) != config.model:
        raise InputError(f"{path}: expected the configuration of {before.name} but for model.early_knots, got another")
    if not config.model.early_knots:
        raise InputError("expected a configuration with model.early_knots above 0, got 0: there is nothing to change")
    model = TrajectoryModel(config.model)
    model.load_state_dict(trained.state_dict())
    sources = config.validation
    windows = stored_windows(sources, roots, np.array(config.model.time_s), config.model.requirements, cache)
    calibrate_spread(model, Batches(windows, 512), range(config.model.early_knots))
    stored = read_checkpoint(path)
    stored["state_dict"]["model.spread"] = model.spread
    stored["trajnet"]["config"]["model"]["early_knots"] = config.model.early_knots
    save_whole(stored, out)
    return model


def main(arguments: list[str] | None = None) -> int:
    """Write the checkpoint and print the factors; return 2, with one line, where that cannot be done."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path, help="the weights")
    parser.add_argument("--config", type=Path, required=True, help="their configuration, with model.early_knots")
    parser.add_argument("--data", type=Path, action="append", required=True, help="folder of its data; repeat it")
    parser.add_argument("--out", type=Path, required=True, help="the checkpoint to write")
    parser.add_argument("--cache", type=Path, help="the windows folder of a training run; by default none is kept")
    given = parser.parse_args(arguments)
    try:
        config = load_yaml(TrainConfig, given.config)
        with tempfile.TemporaryDirectory(prefix="trajnet-early-") as folder:
            cache = given.cache or Path(folder)
            model = with_early_knots(given.checkpoint, config, given.data, cache, given.out)
    except TrajnetError as error:
        print(f"early_spread: {error}", file=sys.stderr)
        return 2
    print(f"{given.out}: factors on the standard deviations, one row for each knot, by class")
    for row in model.spread[: config.model.early_knots].tolist():
        print("  " + " ".join(f"{factor:5.2f}" for factor in row))
    return 0


if __name__ == "__main__":
    sys.exit(main())
