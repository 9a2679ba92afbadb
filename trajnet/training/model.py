"""The model: an LSTM encoder, an LSTM decoder over future knots, and a unicycle that turns its outputs into paths.

In the order of the data, for N objects at one time:

1. Input (N, INPUT_COLUMNS), map axes: displacement since the last observation, yaw, dt, velocity, size, class.
2. ``features`` (no weights): the same in the object's own axes, of order one. They contain no absolute position or
   heading, so the model predicts the same wherever an object is and whichever way it points.
3. ``embed`` and ``encoder``: an LSTM whose state (layers, N, hidden) lives as long as the track.
4. ``map_encoder``: distances to edges and dividers, and directions, at points around the object -> (N, map_width).
   ``attention``: its k nearest neighbours -> (N, heads * attention).
5. ``fuse``: encoder output, features, map and neighbours -> context (N, context).
6. ``decoder``: an LSTM started from the context. Each of its R steps gives S = decoder_stride of the T = R S knots.
7. ``heads``: for each of K modes and each knot an acceleration, a turn, two variances and a correlation.
   ``refinement``: in some models, corrects these by what lies at the paths that they give.
8. ``unicycle``: integrates accelerations and turns, within the limits of the class, to positions and course.
9. ``covariance``: variances along and across the path, turned into map axes.
10. ``classify``: one logit for each mode.

``step`` is one observation of all tracks, and what is exported; ``forward`` runs steps 1 to 3 over whole histories
(H, N, ...) and the others at their last observation, for training. The decoder's outputs are (K, T, N): every operation
on them runs along the objects, and none needs a slice or a copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from trajnet.inference.contract import state_names
from trajnet.training.encoders import MapEncoder, NeighbourAttention, recurrent
from trajnet.training.feature_layouts import FEATURE_COLUMNS
from trajnet.training.features import CLASSES, Features, FeatureSet, of_class
from trajnet.training.limited import at_least, within
from trajnet.training.model_config import ModelConfig
from trajnet.training.motion import HEADS, motion_matrices
from trajnet.training.refinement import Refinement
from trajnet.training.tensors import ContextTensors, PathTensors

#: Relative margin of the product of variances over the squared covariance: some tens of float32's rounding errors.
ROUNDING = 4e-6
#: Limits of the logarithms of variances, in units of those of the class.
SPREAD_LIMIT = 8.0
#: The logarithms of the variances of the early knots are at most so far below those of the first knot after them: their
#: standard deviations are at least 0.7 of its, in units of those of the class.
EARLY_MARGIN = 0.7


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
            self.attention = NeighbourAttention(known, config.attention, config.attention_heads)
        beside = config.attention * config.attention_heads if config.neighbours else 0
        joined = known + (config.map_width if config.map else 0) + beside
        self.fuse = nn.Sequential(nn.Linear(joined, context), nn.ReLU(), nn.Dropout(config.dropout))
        self.knot_code = nn.Parameter(0.1 * torch.randn(config.knots // stride, 1, inner))
        self.to_knots = nn.Linear(context, inner)
        self.start = nn.ModuleDict({s: nn.Linear(context, narrow) for s in state_names(config.cell)})
        self.decoder = recurrent(config.cell, inner, narrow, 1)
        self.dropout = nn.Dropout(config.dropout)
        self.heads = nn.Linear(narrow, HEADS * config.modes * stride)
        self.offsets = nn.Linear(context, 2 * config.modes + 1)
        self.classify = nn.Sequential(nn.Linear(context, width), nn.ReLU(), nn.Linear(width, config.modes))
        self.refinement = Refinement(config) if config.refine else None
        for name, values in motion_matrices(config).items():
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

    def encode(self, embedded: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return outputs (H, N, hidden) and the next state for embedded (H, N, embedding).

        state: (layers, N, hidden) each.
        """
        if self.config.cell == "lstm":
            output, (h, c) = self.encoder(embedded, (state[0], state[1]))
            return output, (h, c)
        output, h = self.encoder(embedded, state[0])
        return output, (h,)

    def fused(self, summary: Tensor, seen: FeatureSet, surroundings: ContextTensors) -> tuple[Tensor, Sequence[Tensor]]:
        """Return the context (N, context), what is known about each object and its surroundings, and what it is from.

        The latter as Refinement takes it: patches of the map, whether there is one, neighbours, and which are valid.
        """
        nearby: list[Tensor] = []
        known = torch.cat([summary, seen.features], -1)
        parts = [known]
        if self.map_encoder is not None:
            of_map, patches = self.map_encoder(surroundings.map_distance, seen.axes)
            parts.append(of_map * seen.map_valid)
            nearby += [patches, seen.map_valid]
        if self.attention is not None:
            assert seen.axes is not None  # a model with neighbours makes them
            of_neighbours, *embedded = self.attention(surroundings.neighbours, seen.axes, known)
            parts.append(of_neighbours)
            nearby += embedded
        out: Tensor = self.fuse(torch.cat(parts, -1))
        return out, nearby

    def decode(self, summary: Tensor, observed: Tensor, seen: FeatureSet, surroundings: ContextTensors) -> PathTensors:
        """Return the paths of N objects.

        summary (N, hidden): the encoder's last output. observed (N, INPUT_COLUMNS), with its features.
        """
        context, nearby = self.fused(summary, seen, surroundings)  # (N, context)
        begin, inputs, scored = self.decoder_inputs(context)
        hidden, _ = self.decoder(inputs, begin if self.config.cell == "lstm" else begin[0])  # (R, N, decoder_hidden)
        motion, logits = self.motion(self.dropout(hidden)), self.classify[1:](scored.squeeze(0))
        offset = torch.matmul(self.offsets.weight, context.t()) + self.offsets.bias.unsqueeze(1)  # (2 K + 1, N)
        offset = offset.reshape(2 * self.config.modes + 1, 1, -1)  # (2 K + 1, 1, N)
        start = torch.matmul(self.features.to_start.t(), seen.turned.t())  # (4, N)
        limits, half_variance_m2 = self.class_constants(observed)  # five of (1, N); (T, N)
        if self.refinement is not None:
            place_m = self.refinement.places(motion, offset, start, limits)  # (2, K, looks, N)
            correction, likelier = self.refinement(place_m, context, nearby)
            motion, logits = motion + correction, logits + likelier
        modes = self.config.modes
        acceleration, turn, spread, correlation = torch.split(motion, [modes, modes, 2 * modes, modes])
        xy_m, course, cos, sin = self.unicycle(acceleration, turn, offset, start, limits)
        # The loss of the covariance must not bend the path: its direction is a constant there.
        covariance = self.covariance(spread, correlation, cos.detach(), sin.detach(), half_variance_m2)
        planes = torch.cat([xy_m, course.unsqueeze(0), *covariance])  # (6, K, T, N) in the order of PATH_PLANES
        return PathTensors(planes, self.ranked(logits) * self.sharpness)  # logits (N, K)

    def motion(self, hidden: Tensor) -> Tensor:
        """Return acceleration, turn, two spreads and correlation of each mode (HEADS * K, T, N), without limits.

        hidden (R, N, decoder_hidden): the decoder's outputs, each of which gives S = T / R knots.
        """
        modes, knots, stride = self.config.modes, self.config.knots, self.config.decoder_stride
        hidden = hidden.reshape(-1, self.config.decoder_hidden)  # (R * N, decoder_hidden)
        # Scaled weights instead of scaled outputs: a constant in the exported graph.
        heads = torch.matmul(self.heads.weight * self.head_scale, hidden.t())  # (HEADS * K * S, R * N)
        heads = heads + self.heads.bias.unsqueeze(1) * self.head_scale
        # The S knots of a step are R apart in memory: one copy puts all knots in order of time.
        heads = heads.reshape(HEADS * modes, stride, knots // stride, -1).transpose(1, 2)  # (HEADS * K, R, S, N)
        return heads.reshape(HEADS * modes, knots, -1)  # (HEADS * K, T, N)

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
        spread = within(spread, SPREAD_LIMIT, self.training)
        if self.config.early_knots:
            early, later = torch.split(
                spread, [self.config.early_knots, self.config.knots - self.config.early_knots], 1
            )
            early = at_least(early, later[:, :1] - EARLY_MARGIN, self.training)
            spread = torch.cat([early, later], 1)
        half = torch.exp(spread) * half_variance_m2  # (2 K, T, N)
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
