"""Recurrent layers as matrix products and gates, with the same weights.

For runtimes with slow recurrent operators, above all TensorRT. The number of steps is a constant of our graphs: one in
the encoder, a few in the decoder.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from trajnet.training.model import TrajectoryModel

#: Weights of one layer: for inputs and for the state, (gates * hidden, width) each, and the biases of both.
Weights = tuple[Tensor, Tensor, Tensor, Tensor]
#: A layer: inputs (steps, N, width), state (N, hidden) each -> the state after every step, h first.
States = list[tuple[Tensor, ...]]
Layer = Callable[[Tensor, tuple[Tensor, ...], Weights], States]


def unrolled(model: TrajectoryModel) -> TrajectoryModel:
    """Return a copy that computes the same without recurrent operators."""
    made = copy.deepcopy(model)
    for name in ("encoder", "decoder"):
        setattr(made, name, Unrolled(getattr(made, name)))
    return made.eval()


class Unrolled(nn.Module):
    """An nn.LSTM, nn.GRU or nn.RNN, time first and in one direction, with the same call."""

    def __init__(self, recurrent: nn.RNNBase) -> None:
        super().__init__()
        self.recurrent = recurrent

    def forward(
        self, sequence: Tensor, state: Tensor | tuple[Tensor, ...]
    ) -> tuple[Tensor, Tensor | tuple[Tensor, ...]]:
        """Return outputs (H, N, hidden) and the next state.

        sequence (H, N, F), state (layers, N, hidden) each.
        """
        parts = state if isinstance(state, tuple) else (state,)
        step, lasts = _layer(self.recurrent), []
        for layer, start in enumerate(zip(*(part.unbind(0) for part in parts), strict=True)):
            names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            w_ih, w_hh, b_ih, b_hh = (getattr(self.recurrent, f"{name}_l{layer}") for name in names)
            states = step(sequence, start, (w_ih, w_hh, b_ih, b_hh))
            sequence = torch.stack([s[0] for s in states])
            lasts.append(states[-1])
        following = tuple(torch.stack(part) for part in zip(*lasts, strict=True))
        return sequence, following if isinstance(state, tuple) else following[0]


def _layer(recurrent: nn.RNNBase) -> Layer:
    if isinstance(recurrent, nn.LSTM):
        return _lstm
    if isinstance(recurrent, nn.GRU):
        return _gru
    return _plain(torch.relu if recurrent.mode == "RNN_RELU" else torch.tanh)


def _lstm(inputs: Tensor, state: tuple[Tensor, ...], weights: Weights) -> States:
    """Run Hochreiter and Schmidhuber 1997 with forget gates, as torch.nn.LSTM defines it; gate order i, f, g, o."""
    w_ih, w_hh, b_ih, b_hh = weights
    h, c = state
    states: States = []
    for given in functional.linear(inputs, w_ih, b_ih + b_hh).unbind(0):  # inputs of all steps at once
        i, f, g, o = (given + torch.matmul(h, w_hh.t())).chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        states.append((h, c))
    return states


def _gru(inputs: Tensor, state: tuple[Tensor, ...], weights: Weights) -> States:
    """Run Cho et al. 2014 with the reset gate after the product, as torch.nn.GRU defines it; gate order r, z, n."""
    w_ih, w_hh, b_ih, b_hh = weights
    (h,) = state
    states: States = []
    for given in functional.linear(inputs, w_ih, b_ih).unbind(0):
        r_given, z_given, n_given = given.chunk(3, 1)
        r_kept, z_kept, n_kept = functional.linear(h, w_hh, b_hh).chunk(3, 1)
        r, z = torch.sigmoid(r_given + r_kept), torch.sigmoid(z_given + z_kept)
        n = torch.tanh(n_given + r * n_kept)
        h = n + z * (h - n)
        states.append((h,))
    return states


def _plain(activation: Callable[[Tensor], Tensor]) -> Layer:
    """Return Elman's network with this activation, as torch.nn.RNN defines it."""

    def layer(inputs: Tensor, state: tuple[Tensor, ...], weights: Weights) -> States:
        w_ih, w_hh, b_ih, b_hh = weights
        (h,) = state
        states: States = []
        for given in functional.linear(inputs, w_ih, b_ih + b_hh).unbind(0):
            h = activation(given + torch.matmul(h, w_hh.t()))
            states.append((h,))
        return states

    return layer
