"""Covariances that adapt to the traffic: conformal tracking of how many true positions their regions hold.

Adaptive conformal inference (Gibbs and Candes 2021) with the decaying steps of Angelopoulos, Barber and Bates (2024,
Online conformal prediction with decaying step sizes): for each group of objects and each horizon, the logarithm of a
factor on the standard deviations rises by 0.9 steps for a position outside the region of the stream's own earlier
prediction, and falls by 0.1 steps for one inside, so that in the long run one in ten lies outside, whatever comes.
That is for the 90 % region. One factor cannot make two regions right: another one, of the most probable mode alone,
follows the 50 % region in the same way, rising and falling by half a step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trajnet.arrays import StructOfArrays, all_true, grown
from trajnet.inference.judging.kept_paths import points_at
from trajnet.inference.judging.region import held_by
from trajnet.inference.judging.ring import Ring, flat
from trajnet.tracking.store import Observations
from trajnet.types import BoolArray, FloatArray, IntArray, ObjectClass, Prediction

#: The regions whose coverage is tracked: the first by a factor of all modes, the second by one more of the most
#: probable mode, which is most of what is dense. One mode has one factor.
LEVELS = (0.9, 0.5)
#: Shares are sums of probabilities, which need not be 1 to the last digit.
_ROUNDING = 1e-6
#: Ages at which predictions are judged (s), as far as they reach; in between, the logarithm of the factor is linear in
#: time, and beyond the last it stays.
HORIZONS_S = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0)
#: A prediction of each track is kept so often (s).
CADENCE_S = 2.0
#: At most so many judgements in a frame, evenly chosen by place from those that are due: the work has a bound.
MAX_JUDGEMENTS = 12
#: The golden section: its multiples, without what is before the point, are spread evenly however many there are.
GOLDEN_SHARE = 0.618034
#: Frames are taken to be so far apart before there were two (s).
FRAMES_APART_S = 0.1
#: Factors that a stream begins with, and at which horizons (s): a model errs more at places that it has not seen, the
#: more the longer ahead. Their logarithms are linear in time between these, and constant before and after them.
START_HORIZONS_S, START_FACTORS = (1.0, 6.0), (1.0, 1.16)
#: Limits of the factors on standard deviations, of all modes and of the most probable one in addition.
SMALLEST, LARGEST = (0.5, 0.5), (3.0, 1.5)
_LOWEST, _HIGHEST = np.log(SMALLEST).tolist(), np.log(LARGEST).tolist()
#: The first step and the smallest one, and after how many judgements a step is half the first.
FIRST_STEP, LAST_STEP, HALF_AFTER = 0.35, 0.03, 50.0
#: Objects slower than this stand (m/s): their errors are of another kind.
STANDS_MPS = 0.5

#: Group of each class: vehicles, riders, people and what is unknown; each moving or standing.
CLASS_GROUP: IntArray = np.array(
    [
        1 if kind in (ObjectClass.MOTORCYCLE, ObjectClass.BICYCLE) else 2 * (kind in (0, ObjectClass.PEDESTRIAN))
        for kind in ObjectClass
    ]
)
GROUPS = 6


@dataclass(frozen=True, eq=False)
class _Kept(StructOfArrays):
    """The kept predictions of each slot, in a ring of L.

    path (S, L, T + 1, 5, K): x, y and the covariance's xx, xy, yy; begins with the observed position and no covariance.
    probability (S, L, K). group (S, L).
    """

    path: FloatArray
    probability: FloatArray
    group: NDArray[np.int8]


class AdaptiveSpread:
    """Keeps predictions as they left but for the factors, and tracks the factors of each group and horizon."""

    def __init__(self, modes: int, time_s: FloatArray) -> None:
        """Start with START_FACTORS. modes, time_s (T,): those of all predictions."""
        horizons_s = tuple(h for h in HORIZONS_S if h <= time_s[-1])
        self._knot_s = np.concatenate([[0.0], time_s])
        self._ring = Ring(CADENCE_S, horizons_s, horizons_s[-1] + 1.0)
        self._horizons_s = horizons_s
        self._levels = LEVELS[: min(modes, len(LEVELS))]
        self._log_factor = np.zeros((len(self._levels), GROUPS, len(horizons_s)))
        self._log_factor[0] = np.interp(horizons_s, START_HORIZONS_S, np.log(START_FACTORS))
        self._evidence = np.zeros(GROUPS * len(horizons_s))
        self._between = np.stack([np.interp(time_s, horizons_s, one) for one in np.eye(len(horizons_s))])
        self._twice_between = np.repeat(2.0 * self._between, 4, axis=1)  # of squares, for each element of a covariance
        # Of the last group are the rows that are not scaled.
        self._squared = np.ones((len(self._levels), GROUPS + 1, 4 * len(time_s)))
        np.exp(self._log_factor @ self._twice_between, out=self._squared[:, :GROUPS])
        self._begun, self._phase = 0.0, 0.0
        self._last_ns: int | None = None  # None before the first frame: 0 is a time like any other
        self.judgements = 0
        length = self._ring.length
        self._kept = _Kept(
            np.zeros((0, length, len(time_s) + 1, 5, modes)), np.zeros((0, length, modes)),
            np.zeros((0, length), np.int8),
        )  # fmt: skip

    @property
    def factors(self) -> FloatArray:
        """Factors (L, GROUPS, T) on the standard deviations; group: class group, plus 3 for objects that stand.

        L: of all modes, and where there are several, what the most probable one has in addition.
        """
        factors: FloatArray = np.exp(self._log_factor @ self._between)
        return factors

    def observe(self, observations: Observations) -> None:
        """Judge the kept predictions whose time has come by the positions of this frame."""
        slot = observations.slot
        self._ring.begin(observations.slots, observations.begun, self._first_ns(observations))
        if self._ring.capacity > len(self._kept.group):
            self._kept = grown(self._kept, self._ring.capacity)
        due = self._ring.due(slot, observations.timestamp_ns)
        if not len(due.row):
            return
        row, entry, horizon, age_s = due
        if len(row) > MAX_JUDGEMENTS:
            self._phase = (self._phase + GOLDEN_SHARE) % 1.0  # no row is always among them and none never
            some = ((np.arange(MAX_JUDGEMENTS) + self._phase) * (len(row) / MAX_JUDGEMENTS)).astype(np.int64)
            some = _by_place(observations.position_m.take(row, axis=0), age_s).take(some)
            row, entry, horizon, age_s = row.take(some), entry.take(some), horizon.take(some), age_s.take(some)
        factor = flat(self._kept.group).take(entry) * len(self._horizons_s) + horizon
        said = points_at(flat(self._kept.path), entry, self._knot_s, age_s)
        probability = flat(self._kept.probability).take(entry, axis=0)
        squared = np.exp(2.0 * self._log_factor.reshape(len(self._levels), -1).take(factor, axis=1))
        said[:, 2:] *= squared[0, :, None, None]
        if len(squared) > 1:
            said[np.arange(len(row)), 2:, probability.argmax(axis=1)] *= squared[1, :, None]
        share = held_by(
            said[:, :2].swapaxes(1, 2), said[:, 2:].swapaxes(1, 2), probability,
            observations.position_m.take(row, axis=0),
        )  # fmt: skip
        self._track(factor, share)

    def _first_ns(self, observations: Observations) -> IntArray:
        """Return when the first prediction of each track that begins may be kept (B,).

        Within the cadence, and in this frame as often as it is of the cadence: so predictions of every age are judged
        as often as they are published. Those of objects just seen err in ways of their own.
        """
        now_ns, cadence_ns = observations.timestamp_ns, round(CADENCE_S * 1e9)
        step_ns = 0 if self._last_ns is None else now_ns - self._last_ns
        if not 0 < step_ns <= cadence_ns:
            step_ns = round(FRAMES_APART_S * 1e9)
        self._last_ns = now_ns
        if not len(observations.begun):
            return observations.begun
        share = (self._begun + GOLDEN_SHARE * np.arange(1, len(observations.begun) + 1)) % 1.0
        self._begun = float(share[-1])
        first_ns = np.empty_like(observations.begun)
        place = _by_place(observations.position_m[observations.reset])
        first_ns[place] = now_ns - step_ns + np.rint(share * cadence_ns).astype(np.int64)
        return first_ns

    def _track(self, factor: IntArray, share: FloatArray) -> None:
        """Move the factors by J judgements. factor (J,): flat index. share (J,): of the mixture that is denser."""
        self.judgements += len(factor)
        step = np.maximum(LAST_STEP, FIRST_STEP / (1.0 + self._evidence / HALF_AFTER))
        self._evidence += np.bincount(factor, minlength=len(step))
        for log_factor, level, lowest, highest in zip(self._log_factor, self._levels, _LOWEST, _HIGHEST, strict=False):
            outside = share > level + _ROUNDING
            log_factor += (step * np.bincount(factor, outside - (1.0 - level), len(step))).reshape(log_factor.shape)
            np.minimum(np.maximum(log_factor, lowest), highest, out=log_factor)
        np.exp(self._log_factor @ self._twice_between, out=self._squared[:, :GROUPS])

    def keep(self, observations: Observations, prediction: Prediction, group: IntArray, model: BoolArray) -> None:
        """Keep the predictions, not scaled yet, of the rows whose turn it is.

        group (N,): see groups_of. model (N,): rows that the model answered; only they are kept and scaled.
        """
        kept = self._ring.keep(observations.slot, observations.timestamp_ns, model)
        if not len(kept.row):
            return
        path = np.zeros((len(kept.row), *self._kept.path.shape[2:]))  # (M, T + 1, 5, K)
        path[:, 0, :2] = observations.position_m.take(kept.row, axis=0)[..., None]
        path[:, 1:, :2] = prediction.position_m.take(kept.row, axis=0).transpose(0, 2, 3, 1)
        covariance_m2 = prediction.covariance_m2.take(kept.row, axis=0).transpose(0, 2, 3, 4, 1)
        path[:, 1:, 2:4], path[:, 1:, 4] = covariance_m2[:, :, 0], covariance_m2[:, :, 1, 1]
        flat(self._kept.path)[kept.entry] = path
        flat(self._kept.probability)[kept.entry] = prediction.probability.take(kept.row, axis=0)
        flat(self._kept.group)[kept.entry] = group.take(kept.row)

    def scale(self, prediction: Prediction, group: IntArray, model: BoolArray) -> None:
        """Multiply the covariances of the model's rows by the squared factors, in place. See keep."""
        scaled = group if all_true(model) else np.where(model, group, GROUPS)
        count, modes, times = prediction.covariance_m2.shape[:3]
        long_rows = prediction.covariance_m2.reshape(count, modes, times * 4)  # NumPy is slow along axes of two
        long_rows *= self._squared[0].take(scaled, axis=0)[:, None]
        if len(self._levels) > 1:
            top = prediction.probability.argmax(axis=1)
            long_rows[np.arange(count), top] *= self._squared[1].take(scaled, axis=0)


def _by_place(position_m: FloatArray, *then: FloatArray) -> IntArray:
    """Return the order of positions (R, 2) by x, y, then others (R,): it does not depend on that of the rows."""
    return np.lexsort((*then, position_m[:, 1], position_m[:, 0]))


def groups_of(observations: Observations, speed_mps: FloatArray) -> IntArray:
    """Return the group of each row (N,): its class group, plus 3 if it stands. speed_mps (N,): of the objects."""
    group: IntArray = CLASS_GROUP.take(observations.object_class) + 3 * (speed_mps < STANDS_MPS)
    return group
