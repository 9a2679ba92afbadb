"""How paths move: the limits of the unicycle, and the matrices that integrate its accelerations and turns."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from trajnet.columns import INPUT_COLUMNS
from trajnet.training.features import of_class, picking
from trajnet.training.model_config import ModelConfig
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
#: The scales of the HEADS numbers, which keep the network's own outputs of order one.
OUTPUT_SCALE = (1.0 / MAX_ACCELERATION_MPS2, TURN_SCALE_RAD, 2.0, 2.0, 1.0)


def motion_matrices(config: ModelConfig) -> dict[str, Tensor]:
    """Return the constant matrices of TrajectoryModel, with the scales that keep the outputs of order one."""
    wheeled = torch.tensor(WHEELED, dtype=torch.float32)
    sums = torch.tril(torch.ones(config.knots, config.knots))
    middles = sums - 0.5 * torch.eye(config.knots)
    heads = torch.ones(HEADS, config.modes * config.decoder_stride, 1)
    heads = heads * torch.tensor(OUTPUT_SCALE).reshape(-1, 1, 1)
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
