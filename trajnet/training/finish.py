"""What follows the last epoch: the checkpoints get the calibration of their model and the domain of the run."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

from trajnet import config as configs
from trajnet.inference.domain import Domain
from trajnet.training.batches import Batches
from trajnet.training.checkpoint import checkpoint_model, read_checkpoint, save_whole
from trajnet.training.fit_calibration import calibrate
from trajnet.training.run_files import BEST, LAST
from trajnet.training.training_set import WindowSource

#: Told of what takes long: what it is, how many parts of it are done, and of how many.
Report = Callable[[str, int, int], None]


def is_finished(out: Path) -> bool:
    """Return whether the checkpoints of a run have what finish puts into them."""
    return all("domain" in read_checkpoint(path)["trajnet"] for path in _checkpoints(out))


def finish(out: Path, validation: WindowSource, domain: Domain, report: Report) -> None:
    """Put into the checkpoints of a run its domain and the calibration of their models, fitted on validation data."""
    for path in _checkpoints(out):
        if "domain" in read_checkpoint(path)["trajnet"]:  # of an earlier cycle, or done before a kill
            continue
        model, _, _ = checkpoint_model(path)
        calibrate(model, Batches(validation, 512), functools.partial(report, f"calibration of {path.name}, knots"))
        stored = read_checkpoint(path)
        stored["state_dict"].update({"model.spread": model.spread, "model.sharpness": model.sharpness})
        stored["trajnet"]["domain"] = configs.to_dict(domain)
        save_whole(stored, path)


def _checkpoints(out: Path) -> list[Path]:
    """Return the checkpoints there are; the last one comes last, as whose end tells that all are finished."""
    return [path for path in (out / BEST, out / LAST) if path.is_file()]
