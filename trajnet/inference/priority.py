"""Which objects a model serves where there are more than it has room for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trajnet.errors import InputError
from trajnet.inference.physics import observed_velocity
from trajnet.tracking.store import Observations
from trajnet.types import BoolArray, FloatArray, IntArray, ObjectClass

#: How far ahead the distance to the ego counts.
AHEAD_S = 3.0
#: Pedestrians and riders count as this much closer: they change their minds at once, and are hurt most.
VULNERABLE_CLOSER_M = 10.0
#: So do objects that the model serves already: a path that changes between model and physics chatters.
SERVED_CLOSER_M = 5.0
#: Without an ego, an object counts as this much closer for each m/s: where one stands still, physics loses least.
FASTER_CLOSER_S = 3.0

_VULNERABLE: BoolArray = np.isin(
    np.arange(len(ObjectClass)), [ObjectClass.PEDESTRIAN, ObjectClass.BICYCLE, ObjectClass.MOTORCYCLE]
)


@dataclass(frozen=True, eq=False)
class Ego:
    """Where the vehicle that asks is and how it moves: position_m (2,), velocity_mps (2,) in the map frame."""

    position_m: FloatArray
    velocity_mps: FloatArray

    def __post_init__(self) -> None:
        for name in ("position_m", "velocity_mps"):
            value = np.asarray(getattr(self, name), dtype=np.float64)
            if value.shape != (2,) or not np.isfinite(value).all():
                raise InputError(f"Ego.{name}: expected two finite numbers, got {getattr(self, name)}")
            object.__setattr__(self, name, value)


def most_important(observations: Observations, limit: int, served: BoolArray, ego: Ego | None = None) -> IntArray:
    """The rows (limit,) that matter most, in their order; there are more than limit. served (N,): by the model so far.

    With an ego, those count that are close to it or will be: the smaller of the distance now and in AHEAD_S at the
    present closing speed. Without one nothing is known about who matters to whom: those that move come first. Either
    way vulnerable road users and those that are served already have an advantage. Equal ranks go by their order.
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
