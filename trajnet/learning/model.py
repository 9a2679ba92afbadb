"""The model, whole, in this file: an LSTM encoder whose state lives as long as the track, and an LSTM decoder over
future knots whose outputs are driven through a unicycle.

One call of ``step`` is one observation of all N tracks; ``forward`` runs the same weights over whole histories for
training. Everything is frame-free inside: displacement and turn as seen from the object's own pose, with the real dt.
Shapes: T knots, N objects, K modes, H history steps, F features. Time leads wherever it occurs: no slices, no copies.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from trajnet.config import require
from trajnet.contract import Cell, state_names
from trajnet.types import WHEELED, ObjectClass

CLASSES = len(ObjectClass)
FEATURES = 13 + CLASSES + 2

#: Limits of the unicycle: what a road vehicle can do, with a margin for its noise.
MAX_ACCELERATION_MPS2 = 8.0
MAX_CURVATURE_PER_M = 0.25
#: What the others can do: turn on the spot this fast, and start off in any direction within this of their heading.
MAX_TURN_RATE_RADPS = 2.0
MAX_COURSE_OFFSET_RAD = 0.3
#: Turn between knots that an output of one stands for, at any speed, before the limit bends it: outputs of order one.
TURN_SCALE_RAD = 0.1


@dataclass(frozen=True)
class ModelConfig:
    """cell: the recurrent cell of encoder and decoder. hidden, decoder_hidden, embedding: widths. modes: K.

    The decoder runs once for every knot, the encoder once: the decoder's width is what a step costs.

    knots, knot_step_s: the future grid. uses_velocity: whether the tracker's measured velocity is a feature.
    """

    cell: Cell = "lstm"
    hidden: int = 128
    decoder_hidden: int = 64
    layers: int = 1
    embedding: int = 64
    modes: int = 6
    knots: int = 12
    knot_step_s: float = 0.5
    uses_velocity: bool = False

    def __post_init__(self) -> None:
        for name in ("hidden", "decoder_hidden", "layers", "embedding", "modes", "knots", "knot_step_s"):
            require(getattr(self, name) > 0, f"model.{name}: expected a number above 0, got {getattr(self, name)}")

    @property
    def time_s(self) -> tuple[float, ...]:
        return tuple(round(self.knot_step_s * (i + 1), 9) for i in range(self.knots))


class Observation(NamedTuple):
    """The tensors of contract.observation_tensors, with any leading dimensions (...) in the place of N."""

    position_m: Tensor
    yaw_rad: Tensor
    previous_position_m: Tensor
    previous_yaw_rad: Tensor
    dt_s: Tensor
    reset: Tensor
    velocity_mps: Tensor
    velocity_valid: Tensor
    object_class: Tensor
    size_m: Tensor


class Paths(NamedTuple):
    """Knots of K modes: x, y, yaw and covariance (T, N, K) in the axes of the input; logits (N, K)."""

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


class TrajectoryModel(nn.Module):
    """Encoder state -> K paths with covariances and probabilities."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        width, hidden, modes = config.embedding, config.hidden, config.modes
        narrow = config.decoder_hidden
        self.embed = nn.Sequential(nn.Linear(FEATURES, width), nn.ReLU())
        self.encoder = recurrent(config.cell, width, hidden, config.layers)
        self.knot_code = nn.Parameter(0.1 * torch.randn(config.knots, 1, width))
        self.context = nn.Linear(hidden + FEATURES, width)
        self.start = nn.ModuleDict({s: nn.Linear(hidden, narrow) for s in state_names(config.cell)})
        self.decoder = recurrent(config.cell, width, narrow, 1)
        self.acceleration = nn.Linear(narrow, modes)
        self.turn = nn.Linear(narrow, modes)
        self.log_sigma_along = nn.Linear(narrow, modes)
        self.log_sigma_across = nn.Linear(narrow, modes)
        self.correlation = nn.Linear(narrow, modes)
        self.speed_offset = nn.Linear(hidden, modes)
        self.course_offset = nn.Linear(hidden, modes)
        self.classify = nn.Sequential(nn.Linear(hidden + FEATURES, width), nn.ReLU(), nn.Linear(width, modes))
        self.wheeled: Tensor
        self.prefix_sum: Tensor
        self.sigma_scale_m: Tensor
        self.register_buffer("wheeled", torch.tensor(WHEELED, dtype=torch.float32), persistent=False)
        self.register_buffer("prefix_sum", torch.tril(torch.ones(config.knots, config.knots)), persistent=False)
        time_s = torch.tensor(config.time_s, dtype=torch.float32)
        self.register_buffer("sigma_scale_m", (0.1 + 0.3 * time_s).reshape(-1, 1, 1), persistent=False)

    def features(self, seen: Observation) -> Tensor:
        """(..., F) of order one, the same wherever the object is and whichever way it points."""
        known = 1.0 - seen.reset
        rate = known / (seen.dt_s + seen.reset)  # 1 / dt, and 0 where there is no observation before
        moved = (seen.position_m - seen.previous_position_m) * rate.unsqueeze(-1)
        cos, sin = torch.cos(seen.previous_yaw_rad), torch.sin(seen.previous_yaw_rad)
        before_x, before_y = rotated(moved[..., 0], moved[..., 1], cos, -sin)
        now_x, now_y = self.own_velocity(seen)
        turn = seen.yaw_rad - seen.previous_yaw_rad
        used = seen.velocity_valid * float(self.config.uses_velocity)
        cos, sin = torch.cos(seen.yaw_rad), torch.sin(seen.yaw_rad)
        measured_x, measured_y = rotated(seen.velocity_mps[..., 0], seen.velocity_mps[..., 1], cos, -sin)
        speed = torch.sqrt(now_x * now_x + now_y * now_y + 1e-6)
        columns = [
            0.1 * before_x, before_y * 0.3, 0.1 * now_x, 0.3 * now_y, torch.log1p(speed), known * torch.sin(turn),
            torch.sin(turn) * rate, known * seen.dt_s, torch.log1p(10.0 * known * seen.dt_s), known,
            0.1 * measured_x * used, 0.3 * measured_y * used, used,
        ]  # fmt: skip
        one_hot = nn.functional.one_hot(seen.object_class, CLASSES).to(moved.dtype)
        return torch.cat([torch.stack(columns, -1), one_hot, torch.log(seen.size_m)], -1)

    def own_velocity(self, seen: Observation) -> tuple[Tensor, Tensor]:
        """(...) forward and (...) leftward m/s from the last displacement, or as measured for a first observation."""
        known = 1.0 - seen.reset
        rate = (known / (seen.dt_s + seen.reset)).unsqueeze(-1)
        used = (seen.reset * seen.velocity_valid * float(self.config.uses_velocity)).unsqueeze(-1)
        velocity = (seen.position_m - seen.previous_position_m) * rate + seen.velocity_mps * used
        return rotated(velocity[..., 0], velocity[..., 1], torch.cos(seen.yaw_rad), -torch.sin(seen.yaw_rad))

    def encode(self, features: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """features (H, N, F), state (layers, N, hidden) each -> outputs (H, N, hidden), next state."""
        embedded = self.embed(features)
        if self.config.cell == "lstm":
            output, (h, c) = self.encoder(embedded, (state[0], state[1]))
            return output, (h, c)
        output, h = self.encoder(embedded, state[0])
        return output, (h,)

    def decode(self, summary: Tensor, features: Tensor, seen: Observation) -> Paths:
        """summary (N, hidden), the last features (N, F) and observation -> paths in the axes of the observation."""
        enriched = torch.cat([summary, features], -1)
        knots = torch.relu(self.context(enriched) + self.knot_code)
        start = tuple(torch.tanh(layer(summary)).unsqueeze(0) for layer in self.start.values())
        hidden, _ = self.decoder(knots, start if self.config.cell == "lstm" else start[0])
        x, y, course = self.unicycle(hidden, summary, seen)
        yaw = seen.yaw_rad.reshape(1, -1, 1)
        cos, sin = torch.cos(yaw), torch.sin(yaw)
        map_x, map_y = rotated(x, y, cos, sin)
        cov_xx, cov_xy, cov_yy = self.covariance(hidden, (course + yaw).detach())  # the spread must not bend the path
        origin_x, origin_y = seen.position_m[:, 0].reshape(1, -1, 1), seen.position_m[:, 1].reshape(1, -1, 1)
        return Paths(
            map_x + origin_x, map_y + origin_y, course + yaw, cov_xx, cov_xy, cov_yy, self.classify(enriched)
        )  # fmt: skip

    def sums(self, values: Tensor) -> Tensor:
        """Prefix sums over the knots of (T, N, K), as one matrix product."""
        return torch.matmul(self.prefix_sum, values.flatten(1)).reshape(values.shape)

    def unicycle(self, hidden: Tensor, summary: Tensor, seen: Observation) -> tuple[Tensor, Tensor, Tensor]:
        """Knots (T, N, K) in the object's own frame: x, y and course, from accelerations and curvatures.

        Wheeled classes turn by curvature times way, so they cannot turn on the spot; the others by a turn rate. Nothing
        moves backward that is not seen moving backward.
        """
        step_s = self.config.knot_step_s
        forward, leftward = self.own_velocity(seen)
        wheeled = self.wheeled[seen.object_class].reshape(1, -1, 1)
        along = wheeled.reshape(-1)
        observed = along * forward + (1.0 - along) * torch.sqrt(forward * forward + leftward * leftward + 1e-6)
        first_speed = observed.unsqueeze(-1) + self.speed_offset(summary)
        acceleration = MAX_ACCELERATION_MPS2 * torch.tanh(self.acceleration(hidden) / MAX_ACCELERATION_MPS2)
        floor = torch.clamp(observed, max=0.0).reshape(1, -1, 1)
        speed = torch.maximum(first_speed + step_s * self.sums(acceleration), floor)
        way = step_s * torch.maximum(speed - 0.5 * step_s * acceleration, floor)
        limit = wheeled * (MAX_CURVATURE_PER_M * torch.abs(way)) + (1.0 - wheeled) * (MAX_TURN_RATE_RADPS * step_s)
        limit = torch.clamp(limit, min=1e-5)
        angle = limit * torch.tanh(TURN_SCALE_RAD * self.turn(hidden) / limit)
        offset = MAX_COURSE_OFFSET_RAD * torch.tanh(self.course_offset(summary))
        course = offset + self.sums(angle)
        middle = course - 0.5 * angle
        return self.sums(way * torch.cos(middle)), self.sums(way * torch.sin(middle)), course

    def covariance(self, hidden: Tensor, course: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """xx, xy, yy (T, N, K) in m^2: spread along and across the course, correlated, turned into the axes."""
        along = self.sigma_scale_m * torch.exp(torch.clamp(self.log_sigma_along(hidden), -4.0, 4.0))
        across = self.sigma_scale_m * torch.exp(torch.clamp(self.log_sigma_across(hidden), -4.0, 4.0))
        both = 0.95 * torch.tanh(self.correlation(hidden)) * along * across
        cos, sin = torch.cos(course), torch.sin(course)
        a, b = along * along, across * across
        xx = cos * cos * a - 2.0 * cos * sin * both + sin * sin * b
        yy = sin * sin * a + 2.0 * cos * sin * both + cos * cos * b
        xy = cos * sin * (a - b) + (cos * cos - sin * sin) * both
        return xx, xy, yy

    def step(self, seen: Observation, state: tuple[Tensor, ...]) -> tuple[Paths, tuple[Tensor, ...]]:
        """One observation of N tracks: (N, ...) and state (layers, N, hidden) -> paths and the next state."""
        features = self.features(seen)
        kept = (1.0 - seen.reset).reshape(1, -1, 1)
        output, state = self.encode(features.unsqueeze(0), tuple(s * kept for s in state))
        return self.decode(output.squeeze(0), features, seen), state

    def forward(self, history: Observation, length: Tensor) -> Paths:
        """Whole histories (H, N, ...), oldest first, padded at the end; length (N,) observations each are real.

        The encoder is causal, so padding behind the last observation changes nothing.
        """
        features = self.features(history)
        count = length.shape[0]
        zeros = features.new_zeros(self.config.layers, count, self.config.hidden)
        output, _ = self.encode(features, tuple(zeros for _ in state_names(self.config.cell)))
        last, row = length - 1, torch.arange(count, device=length.device)
        seen = Observation(*(values[last, row] for values in history))
        return self.decode(output[last, row], features[last, row], seen)

    @property
    def parameter_count(self) -> int:
        return sum(p.numel() for p in self.parameters())


def gaussian_nll(error_x: Tensor, error_y: Tensor, xx: Tensor, xy: Tensor, yy: Tensor) -> Tensor:
    """-log N(error; 0, C) in nats for planar errors; all of one shape."""
    determinant = torch.clamp(xx * yy - xy * xy, min=1e-8)
    squared = (yy * error_x * error_x - 2.0 * xy * error_x * error_y + xx * error_y * error_y) / determinant
    return 0.5 * (squared + torch.log(determinant)) + math.log(2.0 * math.pi)
