"""The compared networks: trajnet's four cells, and two with the initialisation that textbooks warn against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import nn

from trajnet.inference.contract import Cell
from trajnet.training.model import TrajectoryModel
from trajnet.training.model_config import ModelConfig


def ordinary_start(encoder: nn.RNNBase) -> None:
    """Replace the identity by PyTorch's own initialisation: uniform in +-1 / sqrt(hidden), the biases too."""
    encoder.reset_parameters()


def closed_forget_gate(encoder: nn.RNNBase) -> None:
    """Set the forget bias to 0 instead of 1: the gate starts half open."""
    hidden = encoder.hidden_size
    with torch.no_grad():
        for layer in range(encoder.num_layers):
            getattr(encoder, f"bias_ih_l{layer}")[hidden : 2 * hidden].zero_()


@dataclass(frozen=True)
class Network:
    """A cell of configs/*.yaml (model.cell), and a change of the encoder's weights before training, or None."""

    name: str
    cell: Cell
    start: Callable[[nn.RNNBase], None] | None = None

    def prepare(self, model: TrajectoryModel) -> TrajectoryModel:
        """Change the encoder's weights for the start of training; return the same model."""
        if self.start is not None:
            self.start(model.encoder)
        return model

    def make(self, config: ModelConfig, seed: int) -> TrajectoryModel:
        """Return a new model with this cell, drawn from the seed."""
        torch.manual_seed(seed)
        return self.prepare(TrajectoryModel(replace(config, cell=self.cell)))


LSTM, GRU = Network("LSTM", "lstm"), Network("GRU", "gru")
TANH, RELU = Network("tanh RNN", "rnn-tanh"), Network("ReLU RNN, identity start", "rnn-relu")
CELLS = (LSTM, GRU, TANH, RELU)
NETWORKS = (
    LSTM,
    Network("LSTM, forget bias 0", "lstm", closed_forget_gate),
    GRU,
    RELU,
    Network("ReLU RNN, ordinary start", "rnn-relu", ordinary_start),
    TANH,
)


def width_for(network: Network, config: ModelConfig, parameters: int) -> ModelConfig:
    """Return the configuration with this cell and the widest encoder and decoder, in proportion, within parameters."""

    def wider(hidden: int) -> ModelConfig:
        narrow = max(1, round(hidden * config.decoder_hidden / config.hidden))
        return replace(config, cell=network.cell, hidden=hidden, decoder_hidden=narrow)

    hidden = 1
    while TrajectoryModel(wider(hidden + 1)).parameter_count <= parameters:
        hidden += 1
    return wider(hidden)
