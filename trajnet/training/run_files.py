"""The files of a run's folder, beside its logs for TensorBoard."""

from __future__ import annotations

from pathlib import Path

import yaml

from trajnet import config as configs
from trajnet.training.config import TrainConfig
from trajnet.whole_file import write_text

#: Folder of the windows, in shards.
WINDOWS = "windows"
#: The newest epoch; a run that goes on begins here.
LAST = "last.ckpt"
#: The epoch with the lowest validation loss.
BEST = "best.ckpt"
#: A line for each epoch.
METRICS = "metrics.csv"
#: The configuration as its author wrote it, and with every value that holds: defaults and options of the command.
GIVEN, RESOLVED = "config.yaml", "config.resolved.yaml"
#: Held while a run writes into its folder; the kernel frees it when the process ends, even by kill -9.
LOCK = ".training.lock"


def keep_configuration(out: Path, config: TrainConfig, given: str) -> None:
    """Write both configurations into the folder; both can be trained with. given: empty where there is no such text.

    Raises InputError if they cannot be written.
    """
    if given:
        write_text(out / GIVEN, given)
    values = yaml.safe_dump(configs.to_dict(config), sort_keys=False, allow_unicode=True, width=120)
    write_text(out / RESOLVED, f"# What this run trains with: every value, defaults and options included.\n{values}")
