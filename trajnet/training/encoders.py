"""The parts of the model that read: the recurrent layer, the map around objects, their neighbours."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from trajnet.context.map_field import INT8_MAX, MapView
from trajnet.inference.contract import Cell
from trajnet.training.feature_layouts import NEIGHBOUR_FEATURES, PRODUCTS
from trajnet.training.features import direction_matrices, neighbour_matrices


def recurrent(cell: Cell, inputs: int, hidden: int, layers: int) -> nn.RNNBase:
    """Return the recurrent layer. Each kind has its own remedy for vanishing and exploding gradients.

    lstm, gru: gates and an additive state, through which gradients neither vanish nor explode for long contexts; the
    forget gate of the LSTM starts open (bias 1: Jozefowicz et al. 2015). rnn-relu: the recurrent matrix starts as the
    identity with zero bias, so at first the state is simply carried on (Le, Jaitly, Hinton 2015). rnn-tanh: the plain
    network, without a remedy. The trainer clips the gradient's norm for all of them.
    """
    if cell == "lstm":
        lstm = nn.LSTM(inputs, hidden, layers)
        for layer in range(layers):
            with torch.no_grad():
                getattr(lstm, f"bias_ih_l{layer}")[hidden : 2 * hidden].fill_(1.0)
                getattr(lstm, f"bias_hh_l{layer}").zero_()
        return lstm
    if cell == "gru":
        return nn.GRU(inputs, hidden, layers)
    if cell == "rnn-tanh":
        return nn.RNN(inputs, hidden, layers, nonlinearity="tanh")
    relu = nn.RNN(inputs, hidden, layers, nonlinearity="relu")
    for layer in range(layers):
        nn.init.eye_(getattr(relu, f"weight_hh_l{layer}"))
        nn.init.normal_(getattr(relu, f"weight_ih_l{layer}"), std=0.01)
        nn.init.zeros_(getattr(relu, f"bias_hh_l{layer}"))
        nn.init.zeros_(getattr(relu, f"bias_ih_l{layer}"))
    return relu


class MapEncoder(nn.Module):
    """Encode the map around objects: (N, *view.shape, 4) int8 -> (N, width).

    A first layer encodes each patch; with more than one number of channels, each further layer joins 2 x 2 patches into
    one; a last layer takes all of them. Patches that do not overlap are one matrix product; convolutions with so few
    channels cost several times as much. Directions of traffic are seen in the object's own axes: the weights of the
    first layer are turned instead of the points, because there are far fewer of them.
    """

    def __init__(self, view: MapView, channels: tuple[int, ...], width: int, dropout: float) -> None:
        super().__init__()
        rows, columns, points = view.shape
        # Without directions the fourth number of a point is always 0: leaving it out would cost more than taking it.
        self.patch = nn.Linear(points * 4, channels[0])
        self.patches, self.directions = rows * columns, view.directions
        self.to_map_axes: Tensor
        if view.directions:
            self.register_buffer("to_map_axes", direction_matrices(points), persistent=False)
        self.larger = nn.ModuleList(nn.Linear(4 * few, many) for few, many in pairwise(channels))
        self.grids = [(rows >> i, columns >> i) for i in range(len(channels))]
        self.flat = self.grids[-1][0] * self.grids[-1][1] * channels[-1]
        self.out = nn.Sequential(nn.Dropout(dropout), nn.Linear(self.flat, width), nn.ReLU())

    def forward(self, map_distance: Tensor, axes: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return (N, width), and the patches (N, P, channels[0]), for map_distance (N, *view.shape, 4).

        axes (N, PRODUCTS): those of FeatureSet; unused in a model without directions.
        """
        # Scaled weights instead of scaled inputs: a constant in the exported graph.
        weight, wide = self.patch.weight.t() * (1.0 / INT8_MAX), self.patch.in_features  # (wide, channels)
        if self.directions:
            assert axes is not None  # a model with directions makes them
            channels = self.patch.out_features
            of_axes = torch.matmul(self.to_map_axes, weight).reshape(len(PRODUCTS), -1)  # (PRODUCTS, wide * channels)
            turned = torch.matmul(axes, of_axes).reshape(-1, wide, channels)  # (N, wide, channels)
            points = map_distance.reshape(-1, self.patches, wide).to(torch.float32)  # (N, patches, wide)
            # The bias is added to all patches in one row: sums of longer rows are cheaper.
            seen = torch.matmul(points, turned).reshape(-1, self.patches * channels)  # (N, patches * channels)
            seen = torch.relu(seen + self.patch.bias.repeat(self.patches)).reshape(-1, channels)  # (N * patches, ch.)
        else:
            points = map_distance.reshape(-1, wide).to(torch.float32)  # (N * patches, wide)
            seen = torch.relu(torch.matmul(points, weight) + self.patch.bias)  # (N * patches, channels)
        patches = seen.reshape(-1, self.patches, self.patch.out_features)
        for layer, (rows, columns) in zip(self.larger, self.grids[1:], strict=True):
            # 2 x 2 patches side by side: (N, rows, 2, columns, 2 * channels) -> (N, rows, columns, 2, 2 * channels)
            squares = seen.reshape(-1, rows, 2, columns, 2 * seen.shape[-1]).transpose(2, 3)
            seen = torch.relu(layer(squares.reshape(-1, 4 * seen.shape[-1])))  # (N * rows * columns, next channels)
        out: Tensor = self.out(seen.reshape(-1, self.flat))  # (N, width)
        return out, patches


class NeighbourAttention(nn.Module):
    """Attention of each object over its neighbours by their pose and motion, with a null option of score 0.

    Each of its heads looks for something else: with several, one may be about who is ahead and another about who comes.
    """

    def __init__(self, query_width: int, width: int, heads: int = 1) -> None:
        super().__init__()
        self.width, self.heads = width, heads
        first = nn.Linear(len(NEIGHBOUR_FEATURES), width)
        self.embed = nn.Sequential(first, nn.ReLU(), nn.Linear(width, width), nn.ReLU())
        self.query = nn.Linear(query_width, heads * width)
        self.scale = width**-0.5
        self.to_products: Tensor
        self.to_known: Tensor
        for name, values in neighbour_matrices().items():
            self.register_buffer(name, values, persistent=False)

    def forward(self, neighbours: Tensor, axes: Tensor, own: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return (N, heads * width), the embeddings (N, k, width), and which neighbours are valid (N, k, 1).

        neighbours (N, k, NEIGHBOUR_COLUMNS). axes (N, PRODUCTS): those of FeatureSet.
        own (N, query_width): what is known of each object itself. The embeddings serve as
        keys and as values: the layer that takes the result is linear and can learn the value projection itself.
        """
        count = neighbours.shape[1]
        products = torch.matmul(neighbours, self.to_products) * axes.unsqueeze(1)  # (N, k, PRODUCTS)
        _, valid = torch.split(products, [PRODUCTS.valid.start, 1], -1)  # (N, k, 1)
        # The sums and scales are applied to the weights instead of the inputs: constants in the exported graph.
        first = self.embed[0]
        assert isinstance(first, nn.Linear)
        weight = torch.matmul(first.weight, self.to_known)  # (width, PRODUCTS)
        seen = nn.functional.linear(products.reshape(-1, len(PRODUCTS)), weight, first.bias)  # (N * k, width)
        seen = self.embed[1:](seen).reshape(-1, count, self.width)  # (N, k, width)
        # Scaled weights instead of scaled scores: a constant in the exported graph.
        query = nn.functional.linear(own, self.query.weight * self.scale, self.query.bias * self.scale)
        query = query.reshape(-1, self.heads, self.width).transpose(1, 2)  # (N, width, heads)
        score = torch.matmul(seen, query)  # (N, k, width) @ (N, width, heads) -> (N, k, heads)
        share = torch.exp(torch.clamp(score, -20.0, 20.0)) * valid
        share = share / (1.0 + share.sum(dim=1, keepdim=True))  # the 1 is the null option, with a score of 0
        out: Tensor = torch.matmul(share.transpose(1, 2), seen).reshape(-1, self.heads * self.width)
        return out, seen, valid
