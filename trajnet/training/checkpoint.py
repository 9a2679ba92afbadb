"""Checkpoints of training runs: written whole, read strictly, and used as the start of other runs."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from trajnet import config as configs
from trajnet.errors import ContractError
from trajnet.training.config import TrainConfig
from trajnet.training.model import TrajectoryModel
from trajnet.training.model_config import ModelConfig
from trajnet.whole_file import whole_file

#: Raised when a checkpoint written before can no longer be read.
CHECKPOINT_VERSION = 4
#: Entries of a checkpoint's weights that are fitted after training.
CALIBRATION = ("spread", "sharpness")
#: What the names of a second look's weights begin with.
NEW_PART = "refinement."
#: Settings of a model that may differ from those of the weights that it starts from.
FREE = ("knots", "dropout", "sets", "all_agents", "early_knots")


class WholeFiles(TorchCheckpointIO):
    """Writes checkpoints beside their place and renames them; Lightning's own way may copy from another disk."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write the checkpoint whole or not at all. Raises InputError if it cannot be written."""
        del storage_options  # of remote file systems
        save_whole(checkpoint, Path(path))


def save_whole(values: dict[str, Any], path: Path) -> None:
    """Save values as torch does, whole or not at all. Raises InputError if the file cannot be written."""
    memory = io.BytesIO()  # on a full disk torch raises RuntimeErrors without the reason
    torch.save(values, memory)
    with whole_file(path) as part:
        part.write_bytes(memory.getbuffer())


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint of this program into a dictionary on the CPU. Raises ContractError for anything else."""
    if not path.is_file():
        raise ContractError(f"{path}: expected a checkpoint written by `trajnet train`, got no such file")
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises a dozen types for a file that is none of its own
        raise ContractError(
            f"{path}: expected a checkpoint written by `trajnet train`, got {_kind(path, error)}"
        ) from error
    about = stored.get("trajnet") if isinstance(stored, dict) else None
    if not isinstance(about, dict):
        raise ContractError(f"{path}: expected a checkpoint written by `trajnet train`, got one of another program")
    if about.get("version") != CHECKPOINT_VERSION:
        raise ContractError(
            f"{path}: checkpoint version: this trajnet reads {CHECKPOINT_VERSION}, got {about.get('version')!r}; "
            "train again"
        )
    weights = stored.get("state_dict")
    if not isinstance(weights, dict) or not all(isinstance(name, str) for name in weights):
        raise ContractError(f"{path}: expected a checkpoint with weights by name under 'state_dict', got none")
    return dict(stored)


def _kind(path: Path, error: Exception) -> str:
    if path.suffix == ".onnx":
        return "a model file, which is exported already; its checkpoint is the .ckpt of the run"
    return f"a file that torch does not read ({type(error).__name__})"


def checkpoint_model(path: Path) -> tuple[TrajectoryModel, TrainConfig, dict[str, Any]]:
    """Return the trained model in evaluation mode, its configuration, and what the checkpoint says of the run."""
    stored = read_checkpoint(path)
    about = stored["trajnet"]
    config = configs.from_dict(TrainConfig, about.get("config"), str(path))
    model = TrajectoryModel(config.model)
    weights = {k.removeprefix("model."): v for k, v in stored["state_dict"].items()}
    try:
        model.load_state_dict(weights)
    except (RuntimeError, AttributeError, TypeError) as error:  # the last two for weights that are no tensors
        raise ContractError(
            f"{path}: its weights do not fit this version's model: {' '.join(str(error).split())}"
        ) from error
    return model.eval(), config, about


def _differences(trained: ModelConfig, wanted: ModelConfig) -> str:
    """Return in words which settings of two models differ that shape their weights."""
    values = [configs.to_dict(each) for each in (trained, wanted)]
    free = FREE if trained.refine else (*FREE, "refine")  # a second look may be new
    names = [name for name in values[0] if name not in free and values[0][name] != values[1][name]]
    return "; ".join(f"{name}: {values[0][name]} in the weights, {values[1][name]} here" for name in names)


def start_from(model: TrajectoryModel, path: Path, *, non_commercial: bool = True) -> None:
    """Give the model the weights of a checkpoint, without its calibration.

    A second look (ModelConfig.refine) that the trained model lacks starts as a new one, which changes nothing.
    A model that predicts further, in the same steps of time, starts the codes of its further knots as the last one's;
    one that predicts less far leaves out those that it has no use for.
    non_commercial: what the new model's configuration says; it must not say less than that of the weights.
    Raises ContractError for a checkpoint of a network of other sizes, and for one whose licence forbids the use.
    """
    trained, config, _ = checkpoint_model(path)
    if config.non_commercial and not non_commercial:
        raise ContractError(
            f"{path}: its weights are for non-commercial use only ({config.licence}), and so is what is trained from "
            "them: set non_commercial: true and name that licence, or start from others"
        )
    weights = {name: value for name, value in trained.state_dict().items() if name not in CALIBRATION}
    if config.model.knot_step_s == model.config.knot_step_s:
        code, wanted = weights["knot_code"], len(model.knot_code)
        further = code[-1:].expand(max(wanted - len(code), 0), -1, -1)
        weights["knot_code"] = torch.cat([code[:wanted], further])
    try:
        missing, unexpected = model.load_state_dict(weights, strict=False)
    except RuntimeError as error:
        told = _differences(config.model, model.config) or " ".join(str(error).split())
        raise ContractError(
            f"{path}: its model has other sizes than the configuration's: {told}; set them in the section model as "
            "they are in the weights"
        ) from error
    missing = [name for name in missing if name not in CALIBRATION and not name.startswith(NEW_PART)]
    if unexpected or missing:
        names = sorted({*unexpected, *missing})
        raise ContractError(f"{path}: its model has other parts than the configuration's: {', '.join(names)}")
