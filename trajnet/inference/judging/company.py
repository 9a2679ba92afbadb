"""Draw the most probable path of who walks towards those of the people who walk along.

People walk in groups, with streams and across with the lights, and share what the model cannot see of each: where they
are going, and how fast. How much another one counts falls with the distance and with the difference of velocities, and
the mean of several counts for more than that of one.

How the weights were chosen: docs/self-judging.md.
"""

from __future__ import annotations

import numpy as np

from trajnet.inference.judging.way import top_paths
from trajnet.tracking.store import Observations
from trajnet.types import BoolArray, FloatArray, ObjectClass, Prediction

#: The weight of many who walk along: between these horizons (s) linear in time, after them constant.
HORIZONS_S, SHARE = (0.0, 2.0, 6.0), (0.0, 0.42, 0.6)
#: Another one counts exp(-(distance / NEAR_M)^2 - (difference of velocities / ALIKE_MPS)^2).
NEAR_M, ALIKE_MPS = 3.0, 0.8
#: Who is slower stands (m/s).
WALKS_MPS = 0.3
#: So much of others counts half of what many do.
HALF = 1.0
#: Numbers that are multiplied at once: NumPy's library spreads more over threads, which costs milliseconds where the
#: model's own threads are at work.
_AT_ONCE = 200_000

_PEDESTRIAN = int(ObjectClass.PEDESTRIAN)


def companions(position_m: FloatArray, velocity_mps: FloatArray) -> FloatArray:
    """Return how much each of N people counts for each other one, (N, N), 0 for itself. Both (N, 2)."""
    found: FloatArray = np.zeros((len(position_m), len(position_m)))
    with np.errstate(over="ignore"):  # positions without sense: whoever is infinitely far away counts nothing
        for values, scale in ((position_m, NEAR_M), (velocity_mps, ALIKE_MPS)):
            for column in values.T / scale:
                found -= np.square(column[:, None] - column)
    np.exp(found, out=found)
    np.fill_diagonal(found, 0.0)
    return found


class Company:
    """Draws most probable paths of people who walk towards those of who walks along."""

    def __init__(self, time_s: FloatArray) -> None:
        """Prepare the weights for the predictor's times (T,)."""
        self._share: FloatArray = np.interp(time_s, HORIZONS_S, SHARE)

    def draw(
        self, observations: Observations, prediction: Prediction, velocity_mps: FloatArray, speed_mps: FloatArray,
        model: BoolArray,
    ) -> None:  # fmt: skip
        """Move the most probable path of each who walks and whom the model answered, model (N,), in place.

        velocity_mps (N, 2), speed_mps (N,): with which each object goes on.
        """
        walks = (observations.object_class == _PEDESTRIAN) & (speed_mps > WALKS_MPS) & model
        row = walks.nonzero()[0]
        if len(row) < 2:
            return
        begin_m = observations.position_m.take(row, axis=0)
        weight = companions(begin_m, velocity_mps.take(row, axis=0))
        paths_m, place = top_paths(prediction, row)
        gone_m = paths_m.take(place, axis=0) - begin_m[:, None]
        total = np.add.reduce(weight, axis=1)
        towards_m = _product(weight, gone_m.reshape(len(row), -1)).reshape(gone_m.shape)
        towards_m -= total[:, None, None] * gone_m
        towards_m *= (self._share / (total + HALF)[:, None])[..., None]
        paths_m[place] += towards_m


def _product(left: FloatArray, right: FloatArray) -> FloatArray:
    """Return the matrix product, computed in as many parts as keep it to one thread."""
    rows = max(_AT_ONCE // right.size, 1)
    if len(left) <= rows:
        return left @ right
    return np.concatenate([left[begin : begin + rows] @ right for begin in range(0, len(left), rows)])
