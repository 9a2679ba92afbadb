"""The size of a gradient on its way back through the encoder's time steps."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from trajnet.training.batches import Batch
from trajnet.training.loss import winner_takes_all
from trajnet.training.loss_config import LossConfig
from trajnet.training.model import TrajectoryModel
from trajnet.training.tensors import ContextTensors


def state_gradients(encoder: nn.RNNBase, embedded: Tensor, gradient: Tensor) -> Tensor:
    """Return the norm (H, N) of dL/d(state after step t), the state being h, or h and c of an LSTM together.

    embedded (H, N, inputs): input of the encoder. gradient (N, hidden): dL/dh after the last step, which is all that
    the decoder gets of the history. Exact: back-propagation through every single step.
    """
    states: list[tuple[Tensor, ...]] = []
    carried = None
    for step in embedded.split(1):
        _, carried = encoder(step, carried)
        state = carried if isinstance(carried, tuple) else (carried,)
        for part in state:
            part.retain_grad()
        states.append(state)
    (states[-1][0][-1] * gradient).sum().backward()

    def squared(part: Tensor) -> Tensor:
        return part.new_zeros(part.shape[1]) if part.grad is None else part.grad.square().sum(dim=(0, 2))

    return torch.stack([torch.stack([squared(part) for part in state]).sum(0).sqrt() for state in states])


def loss_gradients(model: TrajectoryModel, batch: Batch, loss: LossConfig) -> NDArray[np.float64]:
    """Return the norm (H, N) of d(training loss)/d(encoder's state) k steps before the last, relative to k = 0.

    Every history must be of the batch's length. In float64: float32 would end at 1e-38. NaN where k = 0 gives 0.
    """
    model = model.double()
    around = ContextTensors(*(v.double() if v.is_floating_point() else v for v in batch.surroundings))
    seen: dict[str, Tensor] = {}

    def keep(_: nn.Module, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> None:
        seen["embedded"], seen["output"] = inputs[0].detach(), outputs[0]
        outputs[0].retain_grad()

    hook = model.encoder.register_forward_hook(keep)
    try:
        paths = model(batch.history.double(), batch.length, around)
        winner_takes_all(paths, batch.future_m.double(), batch.valid.double(), loss)[0].backward()
    finally:
        hook.remove()
    assert seen["output"].grad is not None  # retained above, and the loss depends on it
    norm = state_gradients(model.encoder, seen["embedded"], seen["output"].grad[-1]).flip(0).numpy()
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(norm / norm[0])
