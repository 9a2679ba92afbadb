"""The model, whole, in this file: an LSTM encoder whose state lives as long as the track, and an LSTM decoder over
future knots whose outputs are driven through a unicycle.

One call of ``step`` is one observation of all N tracks; ``forward`` runs the same weights over whole histories for
training. Everything is frame-free inside: displacement and turn as seen from the object's own pose, with the real dt.
Shapes: T knots, N objects, K modes, H history steps, F features, k neighbours. Histories are time-major; what the
decoder makes is (K, T, N): every operation on it runs along the objects, none needs a slice or a copy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from trajnet.config import require
from trajnet.contract import Cell, state_names
from trajnet.maps import CHANNELS, FULL, MapView
from trajnet.surroundings import Needs
from trajnet.types import WHEELED, ObjectClass

CLASSES = len(ObjectClass)
FEATURES = 13 + CLASSES + 2
NEIGHBOUR_FEATURES = 10
#: Numbers for each knot and mode: acceleration, turn, spread along and across, correlation.
HEADS = 5

#: Limits of the unicycle: what a road vehicle can do, with a margin for its noise.
MAX_ACCELERATION_MPS2 = 8.0
MAX_CURVATURE_PER_M = 0.25
#: What the others can do: turn on the spot this fast, and start off in any direction within this of their heading.
MAX_TURN_RATE_RADPS = 2.0
MAX_COURSE_OFFSET_RAD = 0.3
#: Turn between knots that an output of one stands for, at any speed, before the limit bends it: outputs of order one.
TURN_SCALE_RAD = 0.1
#: Some tens of float32's roundings: what the product of variances has to be larger than the square of the covariance.
ROUNDING = 4e-6
#: Two observations closer in time than this count as this far apart, or noise would be a speed.
MIN_STEP_S = 0.01


@dataclass(frozen=True)
class ModelConfig:
    """cell: the recurrent cell of encoder and decoder. hidden, decoder_hidden, embedding: widths. modes: K.

    The decoder runs once for every decoder_stride knots, the encoder once: the decoder is what a step costs.

    sets: growing numbers of modes, the last of them K. The first sets[0] modes are a set that covers the future by
    itself, the first sets[1] are the next larger one, and so on; the probability of a mode of a later set is never
    above that of an earlier one. So the first few paths by probability are as good as a model with so few modes.
    knots, knot_step_s: the future grid. uses_velocity: whether the tracker's measured velocity is a feature.
    map: the sample points of the map around an object, or none; each patch of them becomes map_channels
    numbers, all patches together map_width. neighbours: how many of the nearest objects are attended to,
    attention: the width of that. context: width of what the decoder starts from. dropout: in training, of the context,
    the map and the decoder's outputs.
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
    map_channels: int = 16
    map_width: int = 96
    neighbours: int = 0
    attention: int = 32
    dropout: float = 0.0

    def __post_init__(self) -> None:
        for name in (
            "hidden", "decoder_hidden", "decoder_embedding", "decoder_stride", "layers", "embedding", "context",
            "modes", "knots", "knot_step_s", "map_channels", "map_width", "attention",
        ):  # fmt: skip
            require(getattr(self, name) > 0, f"model.{name}: expected a number above 0, got {getattr(self, name)}")
        require(
            self.knots % self.decoder_stride == 0,
            f"model.decoder_stride: expected a divisor of knots ({self.knots}), got {self.decoder_stride}",
        )
        require(self.neighbours >= 0, f"model.neighbours: expected at least 0, got {self.neighbours}")
        require(0 <= self.dropout < 1, f"model.dropout: expected [0, 1), got {self.dropout}")
        sizes = (0, *self.sets)
        require(
            all(a < b for a, b in pairwise(sizes)) and (not self.sets or sizes[-1] == self.modes),
            f"model.sets: expected growing numbers up to modes ({self.modes}), got {list(self.sets)}",
        )

    @property
    def set_sizes(self) -> tuple[int, ...]:
        return self.sets or (self.modes,)

    @property
    def needs(self) -> Needs:
        return Needs(self.map, self.neighbours)

    @property
    def time_s(self) -> tuple[float, ...]:
        return tuple(round(self.knot_step_s * (i + 1), 9) for i in range(self.knots))


class Observation(NamedTuple):
    """The tensors of contract.observation_tensors, with any leading dimensions (...) in the place of N."""

    displacement_m: Tensor
    yaw_rad: Tensor
    previous_yaw_rad: Tensor
    dt_s: Tensor
    reset: Tensor
    velocity_mps: Tensor
    velocity_valid: Tensor
    object_class: Tensor
    size_m: Tensor


class Around(NamedTuple):
    """The tensors of contract.surroundings_tensors; those that the model does not need may be empty."""

    map_distance: Tensor
    map_valid: Tensor
    neighbour_offset_m: Tensor
    neighbour_yaw_rad: Tensor
    neighbour_velocity_mps: Tensor
    neighbour_size_m: Tensor
    neighbour_valid: Tensor


class Paths(NamedTuple):
    """Knots of K modes: x and y relative to the object, yaw and covariance (K, T, N), map axes; logits (N, K)."""

    x_m: Tensor
    y_m: Tensor
    yaw_rad: Tensor
    cov_xx_m2: Tensor
    cov_xy_m2: Tensor
    cov_yy_m2: Tensor
    logits: Tensor


def recurrent(cell: Cell, inputs: int, hidden: int, layers: int) -> nn.RNNBase:
    """The recurrent layer. Each kind is an answer to what goes wrong with gradients through time:

    lstm, gru: gates and an additive state, through which gradients neither vanish nor explode for long contexts; the
    forget gate starts open (bias 1: Jozefowicz et al. 2015). rnn-relu: the recurrent matrix starts as the identity with
    zero bias, so at first the state is simply carried on (Le, Jaitly, Hinton 2015). rnn-tanh: the plain network.
    Clipping of the gradient's norm, for all of them, is the trainer's.
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


def rotated(x: Tensor, y: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor]:
    """The vector (x, y) turned by the angle whose cosine and sine are given."""
    return cos * x - sin * y, sin * x + cos * y


class MapEncoder(nn.Module):
    """Distances around an object (N, *view.shape, 4) int8 -> (N, width): a layer for each patch, one for them all.

    Patches that do not overlap are one matrix product; convolutions of so few channels cost several times as much.
    """

    def __init__(self, view: MapView, channels: int, width: int, dropout: float) -> None:
        super().__init__()
        rows, columns, points = view.shape
        # The fourth number of a point is always 0: to leave it out would cost more than to take it along.
        self.patch = nn.Linear(points * (len(CHANNELS) + 1), channels)
        self.flat = rows * columns * channels
        self.out = nn.Sequential(nn.Dropout(dropout), nn.Linear(self.flat, width), nn.ReLU())

    def forward(self, distance: Tensor) -> Tensor:
        points = distance.reshape(-1, self.patch.in_features).to(torch.float32)
        # Scaled weights instead of scaled inputs: a constant in the exported graph.
        seen = torch.relu(nn.functional.linear(points, self.patch.weight * (1.0 / FULL), self.patch.bias))
        out: Tensor = self.out(seen.reshape(-1, self.flat))
        return out


class NeighbourAttention(nn.Module):
    """What the neighbours mean for an object: attention over them by pose and motion, or to nobody."""

    def __init__(self, query_width: int, width: int) -> None:
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(NEIGHBOUR_FEATURES, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
        self.query = nn.Linear(query_width, width)
        self.scale = width**-0.5

    def forward(self, features: Tensor, valid: Tensor, own: Tensor) -> Tensor:
        """features (N, k, NEIGHBOUR_FEATURES), valid (N, k), own (N, query_width) -> (N, width).

        The neighbours' values are what they are embedded as: the layer that takes the result in is linear anyway.
        """
        count = features.shape[1]
        seen = self.embed(features.reshape(-1, NEIGHBOUR_FEATURES)).reshape(-1, count, self.query.out_features)
        score = (seen * self.query(own).unsqueeze(1)).sum(dim=2) * self.scale
        weight = torch.exp(torch.clamp(score, -20.0, 20.0)) * valid
        weight = weight / (1.0 + weight.sum(dim=1, keepdim=True))  # the 1 is nobody, with a score of 0
        return (weight.unsqueeze(2) * seen).sum(dim=1)


class TrajectoryModel(nn.Module):
    """Encoder state and surroundings -> K paths with covariances and probabilities."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        width, narrow, context = config.embedding, config.decoder_hidden, config.context
        stride, inner = config.decoder_stride, config.decoder_embedding
        self.embed = nn.Sequential(nn.Linear(FEATURES, width), nn.ReLU())
        self.encoder = recurrent(config.cell, width, config.hidden, config.layers)
        known = config.hidden + FEATURES
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
        self.offsets = nn.Linear(context, 2 * config.modes)
        self.classify = nn.Sequential(nn.Linear(context, width), nn.ReLU(), nn.Linear(width, config.modes))
        self.wheeled: Tensor
        self.prefix_sum: Tensor
        self.sigma_scale_m: Tensor
        self.spread: Tensor
        self.sharpness: Tensor
        self.register_buffer("wheeled", torch.tensor(WHEELED, dtype=torch.float32), persistent=False)
        prefix_sum = config.knot_step_s * torch.tril(torch.ones(config.knots, config.knots))
        self.register_buffer("prefix_sum", prefix_sum, persistent=False)
        time_s = torch.tensor(config.time_s, dtype=torch.float32)
        self.register_buffer("sigma_scale_m", (0.1 + 0.3 * time_s).reshape(-1, 1), persistent=False)
        # Calibration, fitted after training: factors of the standard deviations, and of the logits.
        self.register_buffer("spread", torch.ones(config.knots, CLASSES))
        self.register_buffer("sharpness", torch.ones(()))

    def features(self, seen: Observation) -> Tensor:
        """(..., F) of order one, the same wherever the object is and whichever way it points."""
        known = 1.0 - seen.reset
        rate = known / torch.clamp(seen.dt_s, min=MIN_STEP_S)  # 0 where there is no observation before
        moved = seen.displacement_m * rate.unsqueeze(-1)
        cos, sin = torch.cos(seen.previous_yaw_rad), torch.sin(seen.previous_yaw_rad)
        before_x, before_y = rotated(moved[..., 0], moved[..., 1], cos, -sin)
        now_x, now_y = self.own_velocity(seen)
        turn = torch.sin(seen.yaw_rad - seen.previous_yaw_rad)
        used = seen.velocity_valid * float(self.config.uses_velocity)
        cos, sin = torch.cos(seen.yaw_rad), torch.sin(seen.yaw_rad)
        measured_x, measured_y = rotated(seen.velocity_mps[..., 0], seen.velocity_mps[..., 1], cos, -sin)
        speed = torch.sqrt(now_x * now_x + now_y * now_y + 1e-6)
        dt_s = known * seen.dt_s
        columns = [
            0.1 * before_x, before_y * 0.3, 0.1 * now_x, 0.3 * now_y, torch.log1p(speed), known * turn,
            turn * rate, dt_s, torch.log1p(10.0 * dt_s), known, 0.1 * measured_x * used, 0.3 * measured_y * used, used,
        ]  # fmt: skip
        one_hot = nn.functional.one_hot(seen.object_class, CLASSES).to(moved.dtype)
        return torch.cat([torch.stack(columns, -1), one_hot, torch.log(seen.size_m)], -1)

    def own_velocity(self, seen: Observation) -> tuple[Tensor, Tensor]:
        """(...) forward and (...) leftward m/s from the last displacement, or as measured for a first observation."""
        known = 1.0 - seen.reset
        rate = (known / torch.clamp(seen.dt_s, min=MIN_STEP_S)).unsqueeze(-1)
        used = (seen.reset * seen.velocity_valid * float(self.config.uses_velocity)).unsqueeze(-1)
        velocity = seen.displacement_m * rate + seen.velocity_mps * used
        return rotated(velocity[..., 0], velocity[..., 1], torch.cos(seen.yaw_rad), -torch.sin(seen.yaw_rad))

    def neighbour_features(self, seen: Observation, around: Around) -> Tensor:
        """(N, k, NEIGHBOUR_FEATURES): where each neighbour is, which way it points and moves, in the object's frame."""
        cos, sin = torch.cos(seen.yaw_rad).unsqueeze(-1), torch.sin(seen.yaw_rad).unsqueeze(-1)
        x, y = rotated(around.neighbour_offset_m[..., 0], around.neighbour_offset_m[..., 1], cos, -sin)
        fast_x, fast_y = rotated(
            around.neighbour_velocity_mps[..., 0], around.neighbour_velocity_mps[..., 1], cos, -sin
        )
        turn = around.neighbour_yaw_rad - seen.yaw_rad.unsqueeze(-1)
        near = torch.log(torch.sqrt(x * x + y * y + 1e-2))
        columns = [0.1 * x, 0.1 * y, near, torch.cos(turn), torch.sin(turn), 0.2 * fast_x, 0.2 * fast_y]
        size = torch.log(around.neighbour_size_m)
        return torch.cat([torch.stack(columns, -1), size, around.neighbour_valid.unsqueeze(-1)], -1)

    def encode(self, features: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """features (H, N, F), state (layers, N, hidden) each -> outputs (H, N, hidden), next state."""
        embedded = self.embed(features)
        if self.config.cell == "lstm":
            output, (h, c) = self.encoder(embedded, (state[0], state[1]))
            return output, (h, c)
        output, h = self.encoder(embedded, state[0])
        return output, (h,)

    def fused(self, summary: Tensor, features: Tensor, seen: Observation, around: Around) -> Tensor:
        """(N, context): what is known of each object and of what is around it."""
        known = torch.cat([summary, features], -1)
        parts = [known]
        if self.map_encoder is not None:
            parts.append(self.map_encoder(around.map_distance) * around.map_valid.unsqueeze(-1))
        if self.attention is not None:
            parts.append(self.attention(self.neighbour_features(seen, around), around.neighbour_valid, known))
        out: Tensor = self.fuse(torch.cat(parts, -1))
        return out

    def decode(self, summary: Tensor, features: Tensor, seen: Observation, around: Around) -> Paths:
        """summary (N, hidden), the last features (N, F), observation and surroundings -> paths, map axes."""
        modes, knots = self.config.modes, self.config.knots
        context = self.fused(summary, features, seen, around)
        inputs = torch.relu(self.to_knots(context) + self.knot_code)
        start = tuple(torch.tanh(layer(context)).unsqueeze(0) for layer in self.start.values())
        hidden, _ = self.decoder(inputs, start if self.config.cell == "lstm" else start[0])
        hidden = self.dropout(hidden).reshape(-1, self.config.decoder_hidden)
        planes = torch.matmul(self.heads.weight, hidden.t()) + self.heads.bias.unsqueeze(1)
        # (5, K, stride, steps, N): a step's knots lie strided, so the fifth and the knots are put in order by one copy.
        stride = self.config.decoder_stride
        planes = (
            planes.reshape(HEADS * modes, stride, knots // stride, -1).transpose(1, 2).reshape(HEADS, modes, knots, -1)
        )
        acceleration, turn, along, across, correlation = planes.unbind(0)
        offset = torch.matmul(self.offsets.weight, context.t()) + self.offsets.bias.unsqueeze(1)
        x, y, course = self.unicycle(acceleration, turn, offset.reshape(2, modes, 1, -1), seen)
        # The spread must not bend the path: its course is a constant to it.
        spread = self.covariance(along, across, correlation, course.detach(), seen.object_class)
        return Paths(x, y, course, *spread, self.ranked(self.classify(context)) * self.sharpness)

    def ranked(self, logits: Tensor) -> Tensor:
        """(N, K) logits in which no mode of a later set is above one of an earlier set."""
        sizes = (0, *self.config.set_sizes)
        groups = [logits[:, : sizes[1]]]
        for begin, end in pairwise(sizes[1:]):
            lowest = groups[-1].min(dim=1, keepdim=True).values
            groups.append(lowest - nn.functional.softplus(logits[:, begin:end]))
        return torch.cat(groups, 1) if len(groups) > 1 else logits

    def unicycle(
        self, acceleration: Tensor, turn: Tensor, offset: Tensor, seen: Observation
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Knots (K, T, N): x, y from the object and course, map axes. offset (2, K, 1, N): of speed and of course.

        Wheeled classes turn by curvature times way, so they cannot turn on the spot; the others by a turn rate. Nothing
        moves backward that is not seen moving backward.
        """
        step_s = self.config.knot_step_s
        forward, leftward = self.own_velocity(seen)
        wheeled = self.wheeled[seen.object_class]
        free = 1.0 - wheeled
        observed = wheeled * forward + free * torch.sqrt(forward * forward + leftward * leftward + 1e-6)
        acceleration = MAX_ACCELERATION_MPS2 * torch.tanh(acceleration / MAX_ACCELERATION_MPS2)
        floor = torch.clamp(observed, max=0.0)
        first_speed = observed + offset[0]
        speed = torch.maximum(first_speed + torch.matmul(self.prefix_sum, acceleration), floor)
        pace = torch.maximum(speed - 0.5 * step_s * acceleration, floor)
        limit = (step_s * MAX_CURVATURE_PER_M * wheeled) * torch.abs(pace) + (MAX_TURN_RATE_RADPS * step_s * free)
        limit = torch.clamp(limit, min=1e-5)
        angle = limit * torch.tanh(TURN_SCALE_RAD * turn / limit)
        start = seen.yaw_rad + MAX_COURSE_OFFSET_RAD * torch.tanh(offset[1])
        course = start + torch.matmul(self.prefix_sum / step_s, angle)
        middle = course - 0.5 * angle
        x = torch.matmul(self.prefix_sum, pace * torch.cos(middle))
        y = torch.matmul(self.prefix_sum, pace * torch.sin(middle))
        return x, y, course

    def covariance(
        self, along: Tensor, across: Tensor, correlation: Tensor, course: Tensor, object_class: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """xx, xy, yy (K, T, N) in m^2: spread along and across the course, correlated, turned into the axes.

        Built from a triangular factor, its diagonal larger by ROUNDING, so it is positive definite in float32 too.
        """
        scale = (self.sigma_scale_m * self.spread)[:, object_class]
        along, across = (scale * torch.exp(torch.clamp(s, -4.0, 4.0)) for s in (along, across))
        related = 0.95 * torch.tanh(correlation)
        # The factor's columns in the object's axes: (along, related * across) and (0, rest * across).
        both, rest = related * across, torch.sqrt(1.0 - related * related) * across
        cos, sin = torch.cos(course), torch.sin(course)
        first_x, first_y = rotated(along, both, cos, sin)
        second_x, second_y = -sin * rest, cos * rest
        return (
            (first_x * first_x + second_x * second_x) * (1.0 + ROUNDING),
            first_x * first_y + second_x * second_y,
            (first_y * first_y + second_y * second_y) * (1.0 + ROUNDING),
        )

    def step(self, seen: Observation, around: Around, state: tuple[Tensor, ...]) -> tuple[Paths, tuple[Tensor, ...]]:
        """One observation of N tracks: (N, ...) and state (layers, N, hidden) -> paths and the next state."""
        features = self.features(seen)
        kept = (1.0 - seen.reset).reshape(1, -1, 1)
        output, state = self.encode(features.unsqueeze(0), tuple(s * kept for s in state))
        return self.decode(output.squeeze(0), features, seen, around), state

    def forward(self, history: Observation, length: Tensor, around: Around) -> Paths:
        """Whole histories (H, N, ...), oldest first, padded at the end; length (N,) observations each are real;
        around: the surroundings at the last of them.

        The encoder is causal, so padding behind the last observation changes nothing.
        """
        features = self.features(history)
        count = length.shape[0]
        zeros = features.new_zeros(self.config.layers, count, self.config.hidden)
        output, _ = self.encode(features, tuple(zeros for _ in state_names(self.config.cell)))
        last, row = length - 1, torch.arange(count, device=length.device)
        seen = Observation(*(values[last, row] for values in history))
        return self.decode(output[last, row], features[last, row], seen, around)

    @property
    def parameter_count(self) -> int:
        return sum(p.numel() for p in self.parameters())


def gaussian_nll(error_x: Tensor, error_y: Tensor, xx: Tensor, xy: Tensor, yy: Tensor) -> Tensor:
    """-log N(error; 0, C) in nats for planar errors; all of one shape."""
    determinant = torch.clamp(xx * yy - xy * xy, min=1e-8)
    squared = (yy * error_x * error_x - 2.0 * xy * error_x * error_y + xx * error_y * error_y) / determinant
    return 0.5 * (squared + torch.log(determinant)) + math.log(2.0 * math.pi)
