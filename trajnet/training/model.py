"""The model: an LSTM encoder, an LSTM decoder over future knots, and a unicycle that turns its outputs into paths.

In the order of the data, for N objects at one time:

1. Input (N, INPUT_COLUMNS), map axes: displacement since the last observation, yaw, dt, velocity, size, class.
2. ``features`` (no weights): the same in the object's own axes, of order one. They contain no absolute position or
   heading, so the model predicts the same wherever an object is and whichever way it points.
3. ``embed`` and ``encoder``: an LSTM whose state (layers, N, hidden) lives as long as the track.
4. ``map_encoder``: distances to edges and dividers, and directions, at points around the object -> (N, map_width).
   ``attention``: its k nearest neighbours -> (N, attention).
5. ``fuse``: encoder output, features, map and neighbours -> context (N, context).
6. ``decoder``: an LSTM started from the context. Each of its R steps gives S = decoder_stride of the T = R S knots.
7. ``heads``: for each of K modes and each knot an acceleration, a turn, two variances and a correlation.
8. ``unicycle``: integrates accelerations and turns, within the limits of the class, to positions and course.
9. ``covariance``: variances along and across the path, turned into map axes.
10. ``classify``: one logit for each mode.

``step`` is one observation of all tracks, and what is exported; ``forward`` runs steps 1 to 3 over whole histories
(H, N, ...) and the others at their last observation, for training. The decoder's outputs are (K, T, N): every operation
on them runs along the objects, and none needs a slice or a copy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from trajnet.columns import INPUT_COLUMNS, PATH_PLANES
from trajnet.config import require
from trajnet.context.map_field import INT8_MAX, MapView
from trajnet.context.surroundings import InputRequirements
from trajnet.inference.contract import Cell, state_names
from trajnet.training.features import (
    CLASSES,
    FEATURE_COLUMNS,
    NEIGHBOUR_FEATURES,
    PRODUCTS,
    Features,
    FeatureSet,
    direction_matrices,
    neighbour_matrices,
    of_class,
    picking,
)
from trajnet.types import WHEELED

#: Numbers for each knot and mode: acceleration, turn, logarithms of the variances along and across, correlation.
HEADS = 5

#: Limits of the unicycle for wheeled classes: what a road vehicle can do, with a margin for noise, and the largest
#: angle between its heading and its first direction of motion.
MAX_ACCELERATION_MPS2 = 8.0
MAX_CURVATURE_PER_M = 0.25
MAX_COURSE_OFFSET_RAD = 0.3
#: Limits of the other classes: they turn on the spot this fast, and start off within this angle of their heading.
MAX_TURN_RATE_RADPS = 2.0
MAX_FREE_OFFSET_RAD = 1.2
#: Turn between knots for an output of 1, before the limit is applied: it keeps the outputs of order one.
TURN_SCALE_RAD = 0.1
#: Relative margin of the product of variances over the squared covariance: some tens of float32's rounding errors.
ROUNDING = 4e-6


@dataclass(frozen=True)
class ModelConfig:
    """The sizes of the model.

    cell: the recurrent cell of encoder and decoder. hidden, decoder_hidden, embedding: widths. modes: K.
    decoder_stride: knots for each step of the decoder, which is most of the computation of a step of the model.
    sets: growing numbers of modes, the last of them K. The first sets[0] modes are a set that covers the future by
    itself, the first sets[1] are the next larger one, and so on; the probability of a mode of a later set is never
    above that of an earlier one. So the first few paths by probability are as good as a model with so few modes.
    knots, knot_step_s: the future grid. uses_velocity: whether the tracker's measured velocity is a feature.
    map: the sample points of the map around an object, or None. Each patch of them becomes map_channels[0] numbers,
    each 2 x 2 patches map_channels[1], and so on; all patches of the last level together become map_width.
    neighbours: number of nearest objects in the attention, attention: its width. context: width of what the decoder
    starts from. dropout: in training, of the context, the map and the decoder's outputs.
    Raises ConfigError for sizes out of range.
    """

    cell: Cell = "lstm"
    hidden: int = 128
    decoder_hidden: int = 64
    decoder_embedding: int = 32
    decoder_stride: int = 1
    layers: int = 1
    embedding: int = 64
    context: int = 128
    modes: int = 6
    sets: tuple[int, ...] = ()
    knots: int = 12
    knot_step_s: float = 0.5
    uses_velocity: bool = False
    map: MapView | None = None
    map_channels: tuple[int, ...] = (16,)
    map_width: int = 96
    neighbours: int = 0
    attention: int = 32
    dropout: float = 0.0

    def __post_init__(self) -> None:
        for name in (
            "hidden", "decoder_hidden", "decoder_embedding", "decoder_stride", "layers", "embedding", "context",
            "modes", "knots", "knot_step_s", "map_width", "attention",
        ):  # fmt: skip
            require(getattr(self, name) > 0, f"model.{name}: expected a number above 0, got {getattr(self, name)}")
        require(
            self.knots % self.decoder_stride == 0,
            f"model.decoder_stride: expected a divisor of knots ({self.knots}), got {self.decoder_stride}",
        )
        require(self.neighbours >= 0, f"model.neighbours: expected at least 0, got {self.neighbours}")
        require(
            bool(self.map_channels) and min(self.map_channels) > 0,
            f"model.map_channels: expected numbers above 0, got {list(self.map_channels)}",
        )
        squares = 2 ** (len(self.map_channels) - 1)
        require(
            self.map is None or not any(patches % squares for patches in self.map.shape[:2]),
            f"model.map_channels: {len(self.map_channels)} levels need numbers of patches that {squares} divides, got "
            f"{self.map and self.map.shape[:2]}",
        )
        require(0 <= self.dropout < 1, f"model.dropout: expected [0, 1), got {self.dropout}")
        sizes = (0, *self.sets)
        require(
            all(a < b for a, b in pairwise(sizes)) and (not self.sets or sizes[-1] == self.modes),
            f"model.sets: expected growing numbers up to modes ({self.modes}), got {list(self.sets)}",
        )

    @property
    def set_sizes(self) -> tuple[int, ...]:
        """The numbers of modes in the nested sets; one set of all modes by default."""
        return self.sets or (self.modes,)

    @property
    def requirements(self) -> InputRequirements:
        """The surroundings that the model needs."""
        return InputRequirements(self.map, self.neighbours)

    @property
    def time_s(self) -> tuple[float, ...]:
        """The future times of the knots (T,)."""
        return tuple(round(self.knot_step_s * (i + 1), 9) for i in range(self.knots))


class ContextTensors(NamedTuple):
    """The tensors of contract.surroundings_tensors; those that the model does not need may be empty."""

    map_distance: Tensor
    neighbours: Tensor


class PathTensors(NamedTuple):
    """K modes at T knots: planes (6, K, T, N) of PATH_PLANES, each (K, T, N) by its name; logits (N, K)."""

    planes: Tensor
    logits: Tensor

    @property
    def x_m(self) -> Tensor:
        return self.planes[PATH_PLANES.index("x_m")]

    @property
    def y_m(self) -> Tensor:
        return self.planes[PATH_PLANES.index("y_m")]

    @property
    def yaw_rad(self) -> Tensor:
        return self.planes[PATH_PLANES.index("yaw_rad")]

    @property
    def cov_xx_m2(self) -> Tensor:
        return self.planes[PATH_PLANES.index("cov_xx_m2")]

    @property
    def cov_xy_m2(self) -> Tensor:
        return self.planes[PATH_PLANES.index("cov_xy_m2")]

    @property
    def cov_yy_m2(self) -> Tensor:
        return self.planes[PATH_PLANES.index("cov_yy_m2")]


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

    def forward(self, map_distance: Tensor, axes: Tensor | None) -> Tensor:
        """Return (N, width) for map_distance (N, *view.shape, 4).

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
        for layer, (rows, columns) in zip(self.larger, self.grids[1:], strict=True):
            # 2 x 2 patches side by side: (N, rows, 2, columns, 2 * channels) -> (N, rows, columns, 2, 2 * channels)
            squares = seen.reshape(-1, rows, 2, columns, 2 * seen.shape[-1]).transpose(2, 3)
            seen = torch.relu(layer(squares.reshape(-1, 4 * seen.shape[-1])))  # (N * rows * columns, next channels)
        out: Tensor = self.out(seen.reshape(-1, self.flat))  # (N, width)
        return out


class NeighbourAttention(nn.Module):
    """Attention of each object over its neighbours by their pose and motion, with a null option of score 0."""

    def __init__(self, query_width: int, width: int) -> None:
        super().__init__()
        first = nn.Linear(len(NEIGHBOUR_FEATURES), width)
        self.embed = nn.Sequential(first, nn.ReLU(), nn.Linear(width, width), nn.ReLU())
        self.query = nn.Linear(query_width, width)
        self.scale = width**-0.5
        self.to_products: Tensor
        self.to_known: Tensor
        for name, values in neighbour_matrices().items():
            self.register_buffer(name, values, persistent=False)

    def forward(self, neighbours: Tensor, axes: Tensor, own: Tensor) -> Tensor:
        """Return (N, width) for neighbours (N, k, NEIGHBOUR_COLUMNS), axes (N, PRODUCTS) and own (N, query_width).

        axes: those of FeatureSet. The embeddings serve as keys and as values: the layer that takes the result is linear
        and can learn the value projection itself.
        """
        count = neighbours.shape[1]
        products = torch.matmul(neighbours, self.to_products) * axes.unsqueeze(1)  # (N, k, PRODUCTS)
        _, valid = torch.split(products, [PRODUCTS.valid.start, 1], -1)  # (N, k, 1)
        # The sums and scales are applied to the weights instead of the inputs: constants in the exported graph.
        first = self.embed[0]
        assert isinstance(first, nn.Linear)
        weight = torch.matmul(first.weight, self.to_known)  # (width, PRODUCTS)
        seen = nn.functional.linear(products.reshape(-1, len(PRODUCTS)), weight, first.bias)  # (N * k, width)
        seen = self.embed[1:](seen).reshape(-1, count, self.query.out_features)  # (N, k, width)
        # Scaled weights instead of scaled scores: a constant in the exported graph.
        query = nn.functional.linear(own, self.query.weight * self.scale, self.query.bias * self.scale)  # (N, width)
        score = torch.matmul(seen, query.unsqueeze(2))  # (N, k, width) @ (N, width, 1) -> (N, k, 1)
        share = torch.exp(torch.clamp(score, -20.0, 20.0)) * valid
        share = share / (1.0 + share.sum(dim=1, keepdim=True))  # the 1 is the null option, with a score of 0
        out: Tensor = torch.matmul(share.reshape(-1, 1, count), seen).squeeze(1)  # (N, 1, k) @ (N, k, width)
        return out


class TrajectoryModel(nn.Module):
    """The whole model, see the head of this file: observations and surroundings -> K paths with covariances."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        width, narrow, context = config.embedding, config.decoder_hidden, config.context
        stride, inner = config.decoder_stride, config.decoder_embedding
        turning = config.neighbours > 0 or (config.map is not None and config.map.directions)
        self.features = Features(uses_velocity=config.uses_velocity, axes=turning)
        self.embed = nn.Sequential(nn.Linear(len(FEATURE_COLUMNS), width), nn.ReLU())
        self.encoder = recurrent(config.cell, width, config.hidden, config.layers)
        known = config.hidden + len(FEATURE_COLUMNS)
        self.map_encoder: MapEncoder | None = None
        if config.map is not None:
            self.map_encoder = MapEncoder(config.map, config.map_channels, config.map_width, config.dropout)
        self.attention: NeighbourAttention | None = None
        if config.neighbours:
            self.attention = NeighbourAttention(known, config.attention)
        joined = known + (config.map_width if config.map else 0) + (config.attention if config.neighbours else 0)
        self.fuse = nn.Sequential(nn.Linear(joined, context), nn.ReLU(), nn.Dropout(config.dropout))
        self.knot_code = nn.Parameter(0.1 * torch.randn(config.knots // stride, 1, inner))
        self.to_knots = nn.Linear(context, inner)
        self.start = nn.ModuleDict({s: nn.Linear(context, narrow) for s in state_names(config.cell)})
        self.decoder = recurrent(config.cell, inner, narrow, 1)
        self.dropout = nn.Dropout(config.dropout)
        self.heads = nn.Linear(narrow, HEADS * config.modes * stride)
        self.offsets = nn.Linear(context, 2 * config.modes + 1)
        self.classify = nn.Sequential(nn.Linear(context, width), nn.ReLU(), nn.Linear(width, config.modes))
        for name, values in self._constants().items():
            self.register_buffer(name, values, persistent=False)
        self.head_scale: Tensor
        self.to_limits: Tensor
        self.to_gained_mps: Tensor
        self.to_course: Tensor
        self.to_way_s: Tensor
        self.quarter_turns: Tensor
        self.sigma_scale_m: Tensor
        self.spread: Tensor
        self.sharpness: Tensor
        # Calibration, fitted after training: factors of the standard deviations, and of the logits.
        self.register_buffer("spread", torch.ones(config.knots, CLASSES))
        self.register_buffer("sharpness", torch.ones(()))

    def _constants(self) -> dict[str, Tensor]:
        """Return the constant matrices, with the scales that keep the outputs of order one."""
        config = self.config
        wheeled = torch.tensor(WHEELED, dtype=torch.float32)
        sums = torch.tril(torch.ones(config.knots, config.knots))
        middles = sums - 0.5 * torch.eye(config.knots)
        heads = torch.ones(HEADS, config.modes * config.decoder_stride, 1)
        heads[0], heads[1], heads[2:4] = 1.0 / MAX_ACCELERATION_MPS2, TURN_SCALE_RAD, 2.0
        rates = [MAX_CURVATURE_PER_M * wheeled, MAX_TURN_RATE_RADPS * (1.0 - wheeled)]
        offset_rad = torch.where(wheeled > 0, MAX_COURSE_OFFSET_RAD, MAX_FREE_OFFSET_RAD)
        limit_rad = config.knot_step_s * torch.stack(rates) + torch.tensor([[0.0], [1e-5]])
        by_class = torch.cat([torch.stack([wheeled, offset_rad]), limit_rad])
        return {
            "head_scale": heads.reshape(-1, 1),
            # From an observation to: whether its class is wheeled, the largest angle between first direction and
            # heading, the largest turn between knots for each m/s, the largest turn at any speed, and the yaw.
            "to_limits": torch.cat([of_class(by_class), picking(INPUT_COLUMNS.yaw_rad).t()]),
            "to_gained_mps": MAX_ACCELERATION_MPS2 * config.knot_step_s * middles,
            # From turns between knots to the course in the middle of each step, then at its end.
            "to_course": torch.cat([middles, sums]),
            "to_way_s": config.knot_step_s * sums,
            # Added to an angle, their sines are the cosine and the sine of the angle.
            "quarter_turns": torch.tensor([math.pi / 2, 0.0]).reshape(2, 1, 1, 1),
            "sigma_scale_m": (0.1 + 0.3 * torch.tensor(config.time_s, dtype=torch.float32)).reshape(-1, 1),
        }

    def encode(self, embedded: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return outputs (H, N, hidden) and the next state for embedded (H, N, embedding).

        state: (layers, N, hidden) each.
        """
        if self.config.cell == "lstm":
            output, (h, c) = self.encoder(embedded, (state[0], state[1]))
            return output, (h, c)
        output, h = self.encoder(embedded, state[0])
        return output, (h,)

    def fused(self, summary: Tensor, seen: FeatureSet, surroundings: ContextTensors) -> Tensor:
        """Return the context (N, context): what is known about each object and its surroundings."""
        known = torch.cat([summary, seen.features], -1)
        parts = [known]
        if self.map_encoder is not None:
            parts.append(self.map_encoder(surroundings.map_distance, seen.axes) * seen.map_valid)
        if self.attention is not None:
            assert seen.axes is not None  # a model with neighbours makes them
            parts.append(self.attention(surroundings.neighbours, seen.axes, known))
        out: Tensor = self.fuse(torch.cat(parts, -1))
        return out

    def decode(self, summary: Tensor, observed: Tensor, seen: FeatureSet, surroundings: ContextTensors) -> PathTensors:
        """Return the paths of N objects.

        summary (N, hidden): the encoder's last output. observed (N, INPUT_COLUMNS), with its features.
        """
        context = self.fused(summary, seen, surroundings)  # (N, context)
        begin, inputs, scored = self.decoder_inputs(context)
        hidden, _ = self.decoder(inputs, begin if self.config.cell == "lstm" else begin[0])  # (R, N, decoder_hidden)
        acceleration, turn, spread, correlation = self.motion(self.dropout(hidden))  # (K, T, N); spread (2 K, T, N)
        offset = torch.matmul(self.offsets.weight, context.t()) + self.offsets.bias.unsqueeze(1)  # (2 K + 1, N)
        offset = offset.reshape(2 * self.config.modes + 1, 1, -1)  # (2 K + 1, 1, N)
        start = torch.matmul(self.features.to_start.t(), seen.turned.t())  # (4, N)
        limits, half_variance_m2 = self.class_constants(observed)  # five of (1, N); (T, N)
        xy_m, course, cos, sin = self.unicycle(acceleration, turn, offset, start, limits)
        # The loss of the covariance must not bend the path: its direction is a constant there.
        covariance = self.covariance(spread, correlation, cos.detach(), sin.detach(), half_variance_m2)
        planes = torch.cat([xy_m, course.unsqueeze(0), *covariance])  # (6, K, T, N) in the order of PATH_PLANES
        return PathTensors(planes, self.ranked(self.classify[1:](scored.squeeze(0))) * self.sharpness)  # logits (N, K)

    def motion(self, hidden: Tensor) -> tuple[Tensor, ...]:
        """Return acceleration and turn (K, T, N) each, spread (2 K, T, N) and correlation (K, T, N), without limits.

        hidden (R, N, decoder_hidden): the decoder's outputs, each of which gives S = T / R knots.
        """
        modes, knots, stride = self.config.modes, self.config.knots, self.config.decoder_stride
        hidden = hidden.reshape(-1, self.config.decoder_hidden)  # (R * N, decoder_hidden)
        # Scaled weights instead of scaled outputs: a constant in the exported graph.
        heads = torch.matmul(self.heads.weight * self.head_scale, hidden.t())  # (HEADS * K * S, R * N)
        heads = heads + self.heads.bias.unsqueeze(1) * self.head_scale
        # The S knots of a step are R apart in memory: one copy puts all knots in order of time.
        heads = heads.reshape(HEADS * modes, stride, knots // stride, -1).transpose(1, 2)  # (HEADS * K, R, S, N)
        ordered = heads.reshape(HEADS * modes, knots, -1)  # (HEADS * K, T, N)
        return torch.split(ordered, [modes, modes, 2 * modes, modes])

    def class_constants(self, observed: Tensor) -> tuple[Sequence[Tensor], Tensor]:
        """Return the five limits of to_limits (1, N) each, and half of the unit variances (T, N) in m^2, by class."""
        half_variance = of_class(0.5 * torch.square(self.sigma_scale_m * self.spread))  # (T, INPUT_COLUMNS)
        of_each = torch.matmul(torch.cat([self.to_limits, half_variance]), observed.t())  # (5 + T, N)
        *limits, half_variance_m2 = torch.split(of_each, [1] * len(self.to_limits) + [self.config.knots])
        return limits, half_variance_m2

    def decoder_inputs(self, context: Tensor) -> tuple[tuple[Tensor, ...], Tensor, Tensor]:
        """Return start states (1, N, decoder_hidden) each, inputs (R, N, decoder_embedding), and (1, N, embedding).

        context (N, context). The last is the first layer of classify, before its activation. All three come from one
        product: one wide product costs less than several narrow ones.
        """
        layers = (self.to_knots, *self.start.values(), self.classify[0])
        weight, bias = (torch.cat([getattr(layer, name) for layer in layers]) for name in ("weight", "bias"))
        states, narrow = len(self.start), self.config.decoder_hidden
        made = nn.functional.linear(context, weight, bias).unsqueeze(0)  # (1, N, sum of the layers' widths)
        widths = [self.to_knots.out_features, states * narrow, self.config.embedding]
        begun, started, scored = torch.split(made, widths, -1)  # (1, N, width) each
        inputs = torch.relu(begun + self.knot_code)  # (1, N, E) + (R, 1, E) -> (R, N, E)
        start = tuple(state.contiguous() for state in torch.split(torch.tanh(started), narrow, -1))
        return start, inputs, scored

    def ranked(self, logits: Tensor) -> Tensor:
        """Return logits (N, K) in which no mode of a later set is above one of an earlier set."""
        sizes = (0, *self.config.set_sizes)
        groups = [logits[:, : sizes[1]]]
        for begin, end in pairwise(sizes[1:]):
            lowest = groups[-1] if groups[-1].shape[1] == 1 else groups[-1].min(dim=1, keepdim=True).values
            groups.append(lowest - nn.functional.softplus(logits[:, begin:end]))
        return torch.cat(groups, 1) if len(groups) > 1 else logits

    def unicycle(
        self, acceleration: Tensor, turn: Tensor, offset: Tensor, start: Tensor, limits: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Integrate speed and course over the knots.

        Return x and y relative to the object (2, K, T, N) in m, course (K, T, N) in rad, both in map axes, and cosine
        and sine of twice the direction of the way to each knot (1, K, T, N).

        acceleration (K, T, N) in MAX_ACCELERATION_MPS2 and turn (K, T, N) in rad, both still without limits.
        offset (2 K + 1, 1, N): of the speed of each mode, of its course, and the trust in the last displacement: paths
        start between the steady velocity (for noisy positions) and that of the last displacement (for exact ones).
        start (4, N): these two velocities, as to_start gives them. limits (1, N) each, as to_limits gives them.
        Wheeled classes turn by curvature times way, so they cannot turn on the spot; the others turn by a rate.
        Only objects that are seen moving backward are predicted to move backward.
        """
        steady, gap = torch.split(start, 2)  # (2, N) each
        wheeled, offset_rad, turn_per_mps, turn_at_rest, yaw_rad = limits  # (1, N) each
        faster, aside, trust = torch.split(offset, [self.config.modes, self.config.modes, 1])  # (K, 1, N), (1, 1, N)
        velocity = steady + torch.sigmoid(trust.squeeze(0)) * gap  # (2, N)
        speed = torch.sqrt((velocity * velocity).sum(dim=0, keepdim=True) + 1e-6)  # (1, N)
        observed = speed + wheeled * (velocity[:1] - speed)  # (1, N): of wheeled classes the speed forward, signed
        gained = torch.matmul(self.to_gained_mps, torch.tanh(acceleration))  # (T, T) @ (K, T, N) -> (K, T, N)
        pace = torch.maximum(observed + faster + gained, torch.clamp(observed, max=0.0))  # (K, T, N)
        limit = turn_per_mps * torch.abs(pace) + turn_at_rest  # (K, T, N)
        angle = limit * torch.tanh(turn / limit)  # (K, T, N)
        way = yaw_rad + offset_rad * torch.tanh(aside) + torch.matmul(self.to_course, angle)  # (K, 2 T, N)
        middle, course = torch.split(way, self.config.knots, 1)  # (K, T, N) each
        direction = torch.sin(middle + self.quarter_turns)  # cosine and sine: (2, K, T, N)
        # sin 2a = 2 sin a cos a, cos 2a = 1 - 2 sin a sin a: products are cheaper than two more sines.
        _, sine = torch.split(direction, 1)  # (1, K, T, N) each
        sin, versed = torch.split(direction * (sine + sine), 1)  # (1, K, T, N) each
        return torch.matmul(self.to_way_s, pace * direction), course, 1.0 - versed, sin

    def covariance(
        self, spread: Tensor, correlation: Tensor, cos: Tensor, sin: Tensor, half_variance_m2: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return xx, xy, yy (1, K, T, N) in m^2, map axes.

        spread (2 K, T, N): logarithms of the variances along the way to each knot, then across it, in units of those of
        the class, half of which are half_variance_m2 (T, N). correlation (K, T, N): still without limits. cos, sin
        (1, K, T, N): of twice the direction of the way.

        With a and b the variances along and across, and g their covariance:
        xx, yy = (a + b +- ((a - b) cos - 2 g sin)) / 2, xy = ((a - b) sin + 2 g cos) / 2.
        a + b is made larger by ROUNDING, so that the matrix is positive definite in float32 too.
        """
        half = torch.exp(torch.clamp(spread, -8.0, 8.0)) * half_variance_m2  # (2 K, T, N)
        along, across = torch.split(half, self.config.modes)  # (K, T, N) each
        related = torch.tanh(correlation) * torch.sqrt(along * across) * 1.9
        whole, more = (along + across) * (1.0 + ROUNDING), along - across
        turned = more * cos - related * sin
        return whole + turned, more * sin + related * cos, whole - turned

    def step(
        self, observed: Tensor, surroundings: ContextTensors, state: tuple[Tensor, ...]
    ) -> tuple[PathTensors, tuple[Tensor, ...]]:
        """Take one observation (N, INPUT_COLUMNS) of N tracks; return paths and the next state.

        state: (layers, N, hidden) each, 0 for new tracks.
        """
        seen = self.features(observed)
        _, state = self.encode(self.embed(seen.features).unsqueeze(0), state)  # (1, N, embedding)
        return self.decode(state[0][-1], observed, seen, surroundings), state

    def forward(self, history: Tensor, length: Tensor, surroundings: ContextTensors) -> PathTensors:
        """Return the paths at the last observation of each history.

        history (H, N, INPUT_COLUMNS): oldest first, padded at the end. length (N,): the number of observations that are
        no padding. surroundings: those at the last observation. The encoder is causal, so padding after the last
        observation changes nothing.
        """
        seen = self.features(history)
        count = length.shape[0]
        zeros = history.new_zeros(self.config.layers, count, self.config.hidden)
        output, _ = self.encode(self.embed(seen.features), tuple(zeros for _ in state_names(self.config.cell)))
        last, row = length - 1, torch.arange(count, device=length.device)
        axes = None if seen.axes is None else seen.axes[last, row]
        at_last = FeatureSet(seen.features[last, row], seen.turned[last, row], axes, seen.map_valid[last, row])
        return self.decode(output[last, row], history[last, row], at_last, surroundings)

    @property
    def parameter_count(self) -> int:
        """The number of trained weights."""
        return sum(p.numel() for p in self.parameters())


def gaussian_nll(error_x: Tensor, error_y: Tensor, xx: Tensor, xy: Tensor, yy: Tensor) -> Tensor:
    """Return -log N(error; 0, C) in nats for planar errors; all arguments have one shape."""
    determinant = torch.clamp(xx * yy - xy * xy, min=1e-8)
    squared = (yy * error_x * error_x - 2.0 * xy * error_x * error_y + xx * error_y * error_y) / determinant
    return 0.5 * (squared + torch.log(determinant)) + math.log(2.0 * math.pi)
