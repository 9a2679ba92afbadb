"""The networks that are compared: trajnet's four cells as they are, and two that start as textbooks warn against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import nn

from trajnet.inference.contract import Cell
from trajnet.training.model import ModelConfig, TrajectoryModel


def ordinary_start(encoder: nn.RNNBase) -> None:
    """PyTorch's own initialisation in place of the identity: uniform in +-1 / sqrt(hidden), the biases too."""
    encoder.reset_parameters()


def closed_forget_gate(encoder: nn.RNNBase) -> None:
    """A forget bias of 0 in place of 1: the gate starts half open."""
    hidden = encoder.hidden_size
    with torch.no_grad():
        for layer in range(encoder.num_layers):
            getattr(encoder, f"bias_ih_l{layer}")[hidden : 2 * hidden].zero_()


@dataclass(frozen=True)
class Network:
    """A cell of configs/*.yaml (model.cell), and what is done to the encoder's weights before training, if anything."""

    name: str
    cell: Cell
    start: Callable[[nn.RNNBase], None] | None = None

    def prepare(self, model: TrajectoryModel) -> TrajectoryModel:
        if self.start is not None:
            self.start(model.encoder)
        return model

    def make(self, config: ModelConfig, seed: int) -> TrajectoryModel:
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
    """The configuration with this cell whose encoder and decoder are as wide as the parameters allow, both in step."""

    def wider(hidden: int) -> ModelConfig:
        narrow = max(1, round(hidden * config.decoder_hidden / config.hidden))
        return replace(config, cell=network.cell, hidden=hidden, decoder_hidden=narrow)

    hidden = 1
    while TrajectoryModel(wider(hidden + 1)).parameter_count <= parameters:
        hidden += 1
    return wider(hidden)
