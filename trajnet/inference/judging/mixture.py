"""Put constant velocity and standing among a prediction's modes, where their own past errors have earned it.

The weight of the model times the probability of each of its modes, and the weights of the other two, are the
probabilities of K + 2 paths. The K most probable of them leave: another expert takes the place of the model's least
probable mode where its weight exceeds that mode's share. Probabilities are divided by their sum. With one mode, the
path of the most probable expert leaves.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajnet.arrays import all_true
from trajnet.geometry import wrap_angle
from trajnet.inference.judging.experts import CONSTANT_VELOCITY, UNKNOWN, Motion, Spreads
from trajnet.inference.judging.ring import flat
from trajnet.inference.physics import arc
from trajnet.tracking.store import Observations
from trajnet.types import BoolArray, FloatArray, IntArray, Prediction, Source

#: As plain numbers: NumPy looks up each comparison with an enumeration.
_JUDGED = int(Source.JUDGED)


class Places(NamedTuple):
    """Where other experts enter: P places. row (P,), mode (P,), expert (P,): Expert values.

    rows: how many rows they are in; the first entries of row are all of these, each once.
    """

    row: IntArray
    mode: IntArray
    expert: IntArray
    rows: int


def places(share: FloatArray, others: FloatArray, allowed: BoolArray) -> Places:
    """Return the modes that give way to other experts.

    share (N, K): of the model's modes. others (N, 2): of constant velocity and standing. allowed (N,): rows that may
    change.
    """
    velocity, standing = others[:, 0], others[:, 1]
    mode, least = _least(share)
    enters = np.maximum(velocity, standing) > least
    enters &= allowed
    row = enters.nonzero()[0]
    count, modes = len(row), share.shape[1]
    if not count:
        return Places(row, row, row, 0)
    mode, expert = mode.take(row), 1 + (standing > velocity).take(row)
    if modes > 1:
        share = share.take(row, axis=0)
        share.reshape(-1)[np.arange(count) * modes + mode] = np.inf
        also = (np.minimum(velocity, standing).take(row) > _least(share)[1]).nonzero()[0]
        if len(also):
            row = np.concatenate([row, row.take(also)])
            mode = np.concatenate([mode, share.take(also, axis=0).argmin(axis=1)])
            expert = np.concatenate([expert, 3 - expert.take(also)])
    return Places(row, mode, expert, count)


def _least(share: FloatArray) -> tuple[IntArray, FloatArray]:
    """Return the column of the least value of each row of share (N, K), in C order, and the value, (N,) each."""
    column: IntArray = share.argmin(axis=1)  # NumPy is slow at the minimum of short rows
    return column, share.reshape(-1).take(np.arange(len(share)) * share.shape[1] + column)


class Mixed(NamedTuple):
    """A prediction with other experts among its modes. entered (P,): each of those. leading (R,): most probable ones.

    Both are Expert values.
    """

    prediction: Prediction
    entered: IntArray
    leading: NDArray[np.int8]


def mixed(
    prediction: Prediction,
    observations: Observations,
    motion: Motion,
    weight: FloatArray,
    model: BoolArray,
    allowed: BoolArray,
    spreads: Spreads,
) -> Mixed:
    """Put other experts among the modes of the allowed rows (N,), in the prediction's own arrays; return it labelled.

    motion: with which constant velocity goes on. weight (N, EXPERTS): of each expert. model (N,): rows that the model
    answered; the experts of others are UNKNOWN. Rows that no other expert enters keep their values. A row whose most
    probable mode is another expert's is Source.JUDGED.
    """
    share = weight[:, 0, None] * prediction.probability
    row, mode, expert, rows = places(share, weight[:, 1:], allowed)
    label = np.zeros(share.shape, np.int8)
    if not all_true(model):
        label[(~model).nonzero()[0]] = UNKNOWN
    labelled = prediction.labelled(label)
    if not rows:
        return Mixed(labelled, expert, label[:0, 0])
    place = row * share.shape[1] + mode  # one index is faster than two
    label.reshape(-1)[place] = expert
    here_m, going = observations.position_m.take(row, axis=0), motion.take(row)
    moves = expert == CONSTANT_VELOCITY
    going.speed_mps[...] *= moves
    going.rate_radps[...] *= moves
    path_m = np.empty((len(row), len(prediction.time_s), 2))
    for axis, gone_m in enumerate(arc(*going, prediction.time_s)):
        np.add(gone_m, here_m[:, axis, None], out=path_m[..., axis])  # NumPy is slow along axes of two elements
    flat(prediction.position_m)[place] = path_m
    yaw_rad = observations.yaw_rad.take(row)[:, None] + going.rate_radps[:, None] * prediction.time_s
    flat(prediction.yaw_rad)[place] = wrap_angle(yaw_rad)
    flat(prediction.covariance_m2)[place] = spreads.of(expert, observations.object_class.take(row))
    share.reshape(-1)[place] = weight[row, expert]
    changed = row[:rows]
    part = share.take(changed, axis=0)
    prediction.probability[changed] = part / part.sum(axis=1, keepdims=True)
    leading = label.reshape(-1).take(changed * share.shape[1] + part.argmax(axis=1))
    ahead = leading.nonzero()[0]
    prediction.source[changed.take(ahead)] = _JUDGED
    return Mixed(labelled, expert, leading.take(ahead))
