"""Priority of objects when there are more than the model may serve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trajnet.errors import InputError
from trajnet.inference.physics import observed_velocity
from trajnet.tracking.store import Observations
from trajnet.types import BoolArray, FloatArray, IntArray, ObjectClass

#: Look-ahead for the distance to the ego, s.
AHEAD_S = 3.0
#: Pedestrians and riders are ranked as if this much closer: they change direction suddenly and are most at risk.
VULNERABLE_CLOSER_M = 10.0
#: So are objects that the model served so far: alternating between model and physics would make their paths chatter.
SERVED_CLOSER_M = 5.0
#: Without an ego, each m/s of speed ranks an object this much closer: physics is accurate enough for slow objects.
FASTER_CLOSER_S = 3.0

_VULNERABLE: BoolArray = np.isin(
    np.arange(len(ObjectClass)), [ObjectClass.PEDESTRIAN, ObjectClass.BICYCLE, ObjectClass.MOTORCYCLE]
)


@dataclass(frozen=True, eq=False)
class Ego:
    """State of the ego vehicle: position_m (2,) and velocity_mps (2,) in the map frame."""

    position_m: FloatArray
    velocity_mps: FloatArray

    def __post_init__(self) -> None:
        for name in ("position_m", "velocity_mps"):
            value = np.asarray(getattr(self, name), dtype=np.float64)
            if value.shape != (2,) or not np.isfinite(value).all():
                raise InputError(f"Ego.{name}: expected two finite numbers, got {getattr(self, name)}")
            object.__setattr__(self, name, value)


def most_important(observations: Observations, limit: int, served: BoolArray, ego: Ego | None = None) -> IntArray:
    """Return the rows (limit,) of highest priority in ascending order; observations has more than limit rows.

    served (N,): rows that the model has served so far. With an ego, objects are ranked by the smaller of their present
    distance to it and the one in AHEAD_S at the present closing speed. Without one they are ranked by speed. Vulnerable
    road users and objects served so far get a bonus in both cases. Ties are broken by the order of the rows.
    """
    velocity_mps = observed_velocity(observations)
    if ego is None:
        rank_m = -FASTER_CLOSER_S * np.hypot(velocity_mps[:, 0], velocity_mps[:, 1])
    else:
        offset_m = observations.position_m - ego.position_m
        distance_m = np.hypot(offset_m[:, 0], offset_m[:, 1])
        relative_mps = velocity_mps - ego.velocity_mps
        closing_mps = -(offset_m * relative_mps).sum(axis=1) / np.maximum(distance_m, 1e-9)
        rank_m = np.minimum(distance_m, distance_m - AHEAD_S * closing_mps)
    rank_m = rank_m - VULNERABLE_CLOSER_M * _VULNERABLE[observations.object_class] - SERVED_CLOSER_M * served
    return np.sort(np.argsort(rank_m, kind="stable")[:limit])
