"""Say how well the flags of a model's input tell which source of a configuration a window is from.

    python tools/check_sources.py --config configs/urban.yaml --data DATA --data GENERATED --cache OUT/windows

Prints the share of each flag by source after augmentation, and the balanced accuracy of a logistic regression on the
flags beside that of guessing. Near the latter is where it should be: see trajnet/training/source_check.py.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from trajnet.config import load_yaml
from trajnet.training.config import TrainConfig
from trajnet.training.source_check import FLAGS, augmented_flags, source_accuracy
from trajnet.training.window_store import stored_windows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, action="append")
    parser.add_argument("--cache", type=Path, required=True, help="the windows folder of a training run")
    chosen = parser.parse_args()
    config = load_yaml(TrainConfig, chosen.config)
    knots_s, requirements = np.array(config.model.time_s), config.model.requirements
    sets = [stored_windows([source], chosen.data, knots_s, requirements, chosen.cache) for source in config.train]
    flags, source = augmented_flags(sets, config.augment)
    print("source, windows looked at: " + ", ".join(FLAGS))
    for number, each in enumerate(config.train):
        rows = source == number
        shares = ", ".join(f"{100 * share:.0f} %" for share in flags[rows].mean(axis=0))
        print(f"{each.kind} {each.path or each.split}, {rows.sum()}: {shares}")
    print(f"found by the flags: {100 * source_accuracy(flags, source):.1f} %, by guessing: {100 / len(sets):.1f} %")


if __name__ == "__main__":
    main()
