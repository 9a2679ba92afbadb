"""Whom to trust: the weights of the model, of constant velocity and of standing still, from their own past errors.

A Bayesian mixture of experts with forgetting (Raftery et al. 2010, Online prediction under model uncertainty via
dynamic model averaging): the log weight of an expert is its log prior and the sum of the log likelihoods of where the
object really went, which fade with the time constant memory_s. The likelihood of a position at a distance e from the
one that was predicted age_s before is a Laplace one, exp(-e / s) with s = scale_floor_m + scale_mps * age_s: heavy
tails, so that one outlier decides nothing, and a floor, because the measured position is itself noisy.

Of the weights the share ``doubt`` is always the prior's (the fixed share of Herbster and Warmuth 1998, Tracking the
best expert): an object may behave anew at any moment, and the paths of the model for that case must keep a probability.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trajnet.arrays import grown
from trajnet.config import require, require_number
from trajnet.inference.judging.limits import clearly_beyond
from trajnet.types import BoolArray, Expert, FloatArray, IntArray

#: Number of experts that are weighed; arrays of weights have the order of Expert, whose last value is not one of them.
EXPERTS = int(Expert.UNKNOWN)
#: Where a velocity changes by so much, half of the weight of constant velocity is the model's (m/s^2).
CHANGES_MPS2 = 0.2
#: Where an object leaves its place with this speed, half of the weight of standing still is (m/s).
LEAVES_MPS = 0.7
#: Lower limit of a log likelihood: a leap of the tracker must not decide for good.
FLOOR = -12.0
#: The largest time and scale of the options (s, m): times are counted in 64 bits of ns.
LONGEST_S = 1e6
#: The most answers of each track that are kept.
MOST_ANSWERS = 1000


@dataclass(frozen=True)
class JudgingOptions:
    """How predictions judge themselves.

    weigh: whether their errors weigh the experts. adapt_spread: whether the covariances adapt to the traffic (see
    spread.py). combine: whether the most probable path is drawn towards constant velocity (see combination.py). heed:
    whether that of a vehicle is drawn towards what the one ahead will do, and that of who walks towards who walks along
    (see following.py, company.py). learn: whether that of a vehicle is drawn by what the stream has learned about its
    traffic (see learning.py). keep_lanes: whether all paths of vehicles are drawn towards the lanes of the map, where
    it has any (see lane_keeping.py). Each of the six can be left out. cadence_s: an answer of each track is kept so
    often. horizons_s: ages at which each is judged; those beyond the predictor's last time are left out. prior: of
    model, constant velocity, standing.
    scale_floor_m, scale_mps: the scale of an error. memory_s, doubt: see above. The defaults were chosen on recordings
    other than those of docs/self-judging.md. Raises ConfigError for what is out of range.
    """

    weigh: bool = True
    adapt_spread: bool = True
    combine: bool = True
    heed: bool = True
    learn: bool = True
    keep_lanes: bool = True
    cadence_s: float = 0.5
    horizons_s: tuple[float, ...] = (1.0, 2.0, 3.0)
    prior: tuple[float, float, float] = (0.97999, 0.00001, 0.02)
    scale_floor_m: float = 0.15
    scale_mps: float = 0.2
    memory_s: float = 5.0
    doubt: float = 0.2

    def __post_init__(self) -> None:
        for name in ("cadence_s", "scale_floor_m", "scale_mps", "memory_s"):
            require_number(name, getattr(self, name), most=LONGEST_S)
        for name, values in (("horizons_s", self.horizons_s), ("prior", self.prior)):
            for value in values:
                require_number(name, value, most=LONGEST_S)
        require(0.0 <= self.doubt < 1.0, f"doubt: expected a share from 0 to below 1, got {self.doubt}")
        rising = all(a < b for a, b in zip((0.0, *self.horizons_s), self.horizons_s, strict=False))
        require(
            len(self.horizons_s) > 0 and rising, f"horizons_s: expected rising times above 0, got {self.horizons_s}"
        )
        require(
            self.horizons_s[-1] <= MOST_ANSWERS * self.cadence_s,
            f"cadence_s: expected at least 1/{MOST_ANSWERS} of the last horizon, {self.horizons_s[-1]:g} s, "
            f"got {self.cadence_s}",
        )
        proper = len(self.prior) == EXPERTS and min(self.prior) > 0 and abs(sum(self.prior) - 1.0) < 1e-9
        require(proper, f"prior: expected three numbers above 0 whose sum is 1, got {self.prior}")

    @property
    def changes_nothing(self) -> bool:
        """Whether every part is left out."""
        parts = (self.weigh, self.adapt_spread, self.combine, self.heed, self.learn, self.keep_lanes)
        return not any(parts)


#: Predictions leave as the predictor gave them.
NO_JUDGING = JudgingOptions(weigh=False, adapt_spread=False, combine=False, heed=False, learn=False, keep_lanes=False)


def log_likelihoods(
    truth_m: FloatArray, said_m: FloatArray, probability: FloatArray, scale_m: FloatArray
) -> FloatArray:
    """Return the log likelihood of J true positions under each expert, (J, EXPERTS), without common constants.

    truth_m (J, 2). said_m (J, 2, K + EXPERTS - 1): x and y of the model's modes, then of the other experts.
    probability (J, K), scale_m (J,).
    """
    off_m = said_m - truth_m[:, :, None]
    log_density = np.hypot(off_m[:, 0], off_m[:, 1])
    log_density /= -scale_m[:, None]
    np.maximum(log_density, FLOOR, out=log_density)
    modes = probability.shape[1]
    found: FloatArray = np.empty((len(truth_m), EXPERTS))
    found[:, 0] = np.log((probability * np.exp(log_density[:, :modes])).sum(axis=1))
    found[:, 1:] = log_density[:, modes:]
    return found


def pass_on(weight: FloatArray, change_mps2: FloatArray, leaving_mps: FloatArray) -> None:
    """Give the weights of constant velocity and of standing still to the model where they have just ended, in place.

    weight (N, EXPERTS). change_mps2 (2, N): how velocities change, see speed_change. leaving_mps (N,): how fast an
    object leaves where it has stood, 0 where it does not. Who begins to brake has gone on at constant velocity for as
    long as it was judged, and who sets off has stood: what they do now says more than how that did.
    """
    ended = np.stack([np.hypot(change_mps2[0], change_mps2[1]) / CHANGES_MPS2, leaving_mps / LEAVES_MPS], axis=1)
    passed = weight[:, 1:] * clearly_beyond(ended, 1.0)
    weight[:, 1:] -= passed
    weight[:, 0] += passed[:, 0] + passed[:, 1]


class Posterior:
    """The fading log likelihoods of the experts for each slot."""

    def __init__(self, options: JudgingOptions) -> None:
        self._prior = np.array(options.prior)
        self._doubt = options.doubt
        self._memory_s = options.memory_s
        # (EXPERTS + 1, S); the last row: how much has been judged, 0 at first. NumPy is slow along short rows.
        self._evidence = np.zeros((EXPERTS + 1, 0))

    def begin(self, slot: IntArray, dt_s: FloatArray, slots: int, begun: IntArray) -> None:
        """Fade what is known of the rows of a frame, (N,) each, and forget the slots whose track begins, (B,).

        slots: for how many there must be room.
        """
        self._evidence = grown(self._evidence, slots, axis=1)
        self._evidence[:, slot] = self._evidence.take(slot, axis=1) * np.exp(dt_s / -self._memory_s)
        if len(begun):
            self._evidence[:, begun] = 0.0

    def add(self, slot: IntArray, log_likelihood: FloatArray, weight: FloatArray) -> None:
        """Add J judgements: slot (J,), of which some may be the same, log_likelihood (J, EXPERTS), weight (J,)."""
        part = np.empty((EXPERTS + 1, len(slot)))
        np.multiply(log_likelihood.T, weight, out=part[:EXPERTS])
        part[EXPERTS] = weight
        place = slot + np.arange(0, self._evidence.size, self._evidence.shape[1])[:, None]
        np.add.at(self._evidence.reshape(-1), place.reshape(-1), part.reshape(-1))  # one axis is the fastest

    def weights(self, slot: IntArray, moved: FloatArray | float = 0.0) -> tuple[FloatArray, BoolArray]:
        """Return the probability of each expert (N, EXPERTS), the prior where nothing was judged, and where it was.

        moved (N,): the share of the model's prior that is constant velocity's there.
        """
        evidence = self._evidence.take(slot, axis=1)
        prior = np.empty((EXPERTS, len(slot)))
        prior[...] = self._prior[:, None]
        passed = self._prior[0] * moved
        prior[0] -= passed
        prior[1] += passed
        weight: FloatArray = np.log(prior)
        weight += evidence[:EXPERTS]
        weight -= np.maximum.reduce(weight)
        np.exp(weight, out=weight)
        weight *= (1.0 - self._doubt) / np.add.reduce(weight)
        prior *= self._doubt
        weight += prior
        return weight.T, evidence[EXPERTS] > 0
