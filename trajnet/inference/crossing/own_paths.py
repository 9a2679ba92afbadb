"""The predictor's own paths onto a crosswalk: which they are, and what traffic lights say of them."""

from __future__ import annotations

import numpy as np

from trajnet.context.crosswalks import Crosswalks
from trajnet.inference.crossing.approach import STATES, Approach
from trajnet.inference.crossing.signals import ODDS, UNKNOWN, SignalMemory
from trajnet.types import BoolArray, FloatArray, IntArray, Prediction

#: Crossings count where they happen within this time (s).
WITHIN_S = 6.0
#: The most probable path stays the most probable one: others are no more probable than this share of it.
BELOW_FIRST = 0.999
#: Lights say something of those who move towards a crosswalk and are no farther than this distance bin (4 m).
FARTHEST_BIN = 2
_FACING = STATES.index("facing")


def enters(walks: Crosswalks, pair: Approach, prediction: Prediction, row: IntArray) -> BoolArray:
    """Return which modes (P, K) of rows (P,) lead onto the crosswalks of pairs (P,) in time."""
    path_m = prediction.position_m[row, :, : np.searchsorted(prediction.time_s, WITHIN_S, side="right")]
    entering: BoolArray = np.asarray(pair.entered(walks, path_m).any(axis=-1))
    return entering


def weigh_by_lights(
    walks: Crosswalks, signals: SignalMemory, found: Approach, prediction: Prediction, row: IntArray, now_ns: int
) -> None:
    """Multiply the odds of own paths onto crosswalks whose lights are known, in place; paths stay as they are.

    found: of the rows (N,) of the prediction. The most probable path stays the most probable one.
    """
    state = signals.states(now_ns)
    if (state == UNKNOWN).all():
        return
    told = found.valid & (found.state == _FACING) & (found.distance_bin <= FARTHEST_BIN)
    told &= state[found.crosswalk] != UNKNOWN
    which, column = np.nonzero(told)
    if not len(which):
        return
    pair = found.at(which, column)
    factor: FloatArray = np.ones((len(row), prediction.modes))
    entering = enters(walks, pair, prediction, row[which])
    np.multiply.at(factor, which, np.where(entering, ODDS[state[pair.crosswalk]][:, None], 1.0))
    before = prediction.probability[row]
    first, place = before.argmax(axis=1), np.arange(len(row))
    after = before * factor
    others = after.copy()
    others[place, first] = 0.0
    after[place, first] = np.maximum(after[place, first], others.max(axis=1) / BELOW_FIRST)
    changed = np.unique(which)
    prediction.probability[row[changed]] = (after / after.sum(axis=1, keepdims=True))[changed]
