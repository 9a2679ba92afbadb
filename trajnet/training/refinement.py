"""A second look: each mode reads the map and the neighbours where its path leads, and is corrected by what is there.

The decoder makes all modes from one context, which cannot hold what lies along each of ten paths. So its paths are
drafts: the patches of the map around some places of each, and the neighbours, correct its outputs.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from trajnet.context.map_field import MapView
from trajnet.training.model_config import LOOK_KNOTS, ModelConfig
from trajnet.training.motion import HEADS, OUTPUT_SCALE, motion_matrices

#: Width of the weights with which a place reads the patches around it at first, in patches.
NEAR_PATCHES = 0.7
#: Brings places in m to order one.
PLACE_SCALE = 0.05


class PatchReader(nn.Module):
    """Read the patches of the map at places in the object's axes, with weights along x times weights along y.

    At first both are Gaussians around the place; training may change them.
    """

    def __init__(self, view: MapView) -> None:
        super().__init__()
        centre_m = torch.from_numpy(view.points_m().mean(axis=2)).to(torch.float32)  # (A, B, 2)
        width_m = NEAR_PATCHES * view.patch * view.step_m
        self.along, self.across = (_near(c, width_m) for c in (centre_m[:, 0, 0], centre_m[0, :, 1]))

    def forward(self, place_m: Tensor, patches: Tensor) -> Tensor:
        """Return (N, Q, C) at place_m (N, Q, 2) of patches (N, A * B, C)."""
        rows, columns = len(self.along.bias), len(self.across.bias)
        # One softmax over the sums of both scores is the product of two; this weight is a constant in the graph.
        weight = torch.cat([self.along.weight.repeat_interleave(columns, 0), self.across.weight.repeat(rows, 1)], 1)
        bias = (self.along.bias.unsqueeze(1) + self.across.bias).flatten()
        score = nn.functional.linear(place_m.reshape(-1, 2), weight, bias)  # (N * Q, A * B)
        share = torch.softmax(score, -1).reshape(place_m.shape[0], -1, rows * columns)
        return torch.matmul(share, patches)


def _near(centre_m: Tensor, width_m: float) -> nn.Linear:
    """Return the layer whose softmax is that of -(place - centre)^2 / (2 width^2)."""
    layer = nn.Linear(1, len(centre_m))
    with torch.no_grad():
        layer.weight.copy_((centre_m / width_m**2).unsqueeze(1))
        layer.bias.copy_(-0.5 * (centre_m / width_m) ** 2)
    return layer


class Refinement(nn.Module):
    """Corrections of the decoder's outputs of each mode, from what lies at its draft.

    At first they are 0, so a model that was trained without this part can be gone on with.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        assert config.map is not None  # as ModelConfig requires
        self.modes, self.knots = config.modes, config.knots
        looks, width, attention = config.knots // LOOK_KNOTS, config.refine, config.attention
        self.reader = PatchReader(config.map)
        self.seen = nn.Linear(looks * (config.map_channels[0] + 2), width)
        self.context = nn.Linear(config.context, width, bias=False)
        self.mode = nn.Parameter(0.1 * torch.randn(config.modes, width))
        self.query = nn.Linear(width, attention)
        self.scale = attention**-0.5
        self.more = nn.Linear(width + attention, width)
        self.dropout = nn.Dropout(config.dropout)
        self.out = nn.Linear(width, HEADS * config.knots + 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        self.out_scale: Tensor
        self.seen_scale: Tensor
        self.to_gained_mps: Tensor
        self.to_course: Tensor
        self.to_way_s: Tensor
        self.to_places: Tensor
        self.quarter_turns: Tensor
        for name, values in self._constants(config).items():
            self.register_buffer(name, values, persistent=False)

    @staticmethod
    def _constants(config: ModelConfig) -> dict[str, Tensor]:
        """Return the constant matrices of places: as for paths, but LOOK_KNOTS knots are one straight stretch."""
        matrices, looks = motion_matrices(config), config.knots // LOOK_KNOTS
        stretch = torch.eye(looks).repeat_interleave(LOOK_KNOTS, 1)  # (looks, T)
        return {
            "seen_scale": torch.cat(
                [torch.ones(looks * config.map_channels[0]), torch.full((2 * looks,), PLACE_SCALE)]
            ),
            "out_scale": torch.cat([torch.tensor(OUTPUT_SCALE).repeat_interleave(config.knots), torch.ones(1)]),
            "to_gained_mps": matrices["to_gained_mps"],
            "to_course": stretch @ matrices["to_course"][: config.knots] / LOOK_KNOTS,
            "to_way_s": config.knot_step_s * stretch,
            "to_places": torch.tril(torch.ones(looks, looks)),
            "quarter_turns": matrices["quarter_turns"],
        }

    def places(self, motion: Tensor, offset: Tensor, start: Tensor, limits: Sequence[Tensor]) -> Tensor:
        """Return places of each path before it is corrected (2, K, looks, N) in m, in the object's axes.

        motion (HEADS * K, T, N): the decoder's outputs. The others as TrajectoryModel.unicycle takes them. Nothing
        drives backward here, and stretches are straight: it is about where to look, and sines are dear.
        """
        _, _, turn_per_mps, turn_at_rest, _ = limits
        acceleration, turn, _ = torch.split(motion, [self.modes, self.modes, (HEADS - 2) * self.modes])
        steady, gap = torch.split(start, 2)
        faster, _, trust = torch.split(offset, [self.modes, self.modes, 1])
        forward, _ = torch.split(steady + torch.sigmoid(trust.squeeze(0)) * gap, 1)  # (1, N)
        pace = torch.relu(forward + faster + torch.matmul(self.to_gained_mps, torch.tanh(acceleration)))  # (K, T, N)
        limit = turn_per_mps * pace + turn_at_rest
        course = torch.matmul(self.to_course, limit * torch.tanh(turn / limit))  # (K, looks, N)
        direction = torch.sin(course + self.quarter_turns)  # (2, K, looks, N)
        return torch.matmul(self.to_places, torch.matmul(self.to_way_s, pace) * direction)

    def forward(self, place_m: Tensor, context: Tensor, nearby: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Return what is added to the decoder's outputs (HEADS * K, T, N) and to the logits (N, K).

        place_m (2, K, looks, N): of places. context (N, context). nearby: the patches of the map (N, A * B, channels),
        whether there is one (N, 1), the neighbours (N, k, attention), and which of them are valid (N, k, 1).
        """
        patches, map_valid, neighbours, valid = nearby
        count, modes = context.shape[0], self.modes
        place_m = place_m.permute(3, 1, 2, 0).reshape(count, -1, 2)  # (N, K * looks, 2)
        # What is read is 0 without a map; that is less to multiply than the patches are.
        read = self.reader(place_m, patches).reshape(count, -1) * map_valid  # (N, K * looks * channels)
        read = torch.cat([read.reshape(count * modes, -1), place_m.reshape(count * modes, -1)], 1)
        of_modes = self.context(context).unsqueeze(1) + (self.mode + self.seen.bias)  # (N, K, width)
        # Scaled weights instead of scaled inputs or outputs, here and below: constants in the exported graph.
        known = torch.addmm(of_modes.reshape(count * modes, -1), read, (self.seen.weight * self.seen_scale).t())
        known = torch.relu(known)  # (N * K, width)
        query = nn.functional.linear(known, self.query.weight * self.scale, self.query.bias * self.scale)
        query = query.reshape(count, modes, -1)
        score = torch.matmul(query, neighbours.transpose(1, 2))  # (N, K, k)
        share = torch.exp(torch.clamp(score, -20.0, 20.0)) * valid.transpose(1, 2)
        share = share / (1.0 + share.sum(dim=2, keepdim=True))  # the 1 is a null option, as in NeighbourAttention
        beside = torch.matmul(share, neighbours).reshape(count * modes, -1)  # (N * K, attention)
        hidden = self.dropout(torch.relu(self.more(torch.cat([known, beside], 1))))  # (N * K, width)
        # One copy puts the objects last: (N, K, width) -> (K * N, width).
        hidden = hidden.reshape(count, modes, -1).transpose(0, 1).reshape(modes * count, -1)
        out = torch.matmul(self.out.weight * self.out_scale.unsqueeze(1), hidden.t())  # (HEADS * T + 1, K * N)
        out = out + (self.out.bias * self.out_scale).unsqueeze(1)
        correction, likelier = torch.split(out, [HEADS * self.knots, 1])
        correction = correction.reshape(HEADS, self.knots, self.modes, -1).transpose(1, 2)  # (HEADS, K, T, N)
        return correction.reshape(HEADS * self.modes, self.knots, -1), likelier.reshape(self.modes, -1).t()
