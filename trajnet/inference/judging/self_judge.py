"""Each track's own earlier answers, held against where it went, weigh what leaves for it now."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trajnet.arrays import StructOfArrays, any_true, grown
from trajnet.config import require
from trajnet.context.lane_paths import LanePaths
from trajnet.inference.judging.combination import Combination
from trajnet.inference.judging.company import Company
from trajnet.inference.judging.derived_velocity import DerivedVelocity, goes_by_filter
from trajnet.inference.judging.experts import CONSTANT_VELOCITY, STANDING, Motion, Spreads, velocity_of
from trajnet.inference.judging.following import Following
from trajnet.inference.judging.kept_paths import points_at
from trajnet.inference.judging.lane_keeping import LaneKeeping
from trajnet.inference.judging.learning import HORIZONS_S as LEARNING_HORIZONS_S
from trajnet.inference.judging.learning import Learning
from trajnet.inference.judging.limits import clearly_beyond
from trajnet.inference.judging.mean_course import MeanCourse
from trajnet.inference.judging.mixture import mixed
from trajnet.inference.judging.posterior import EXPERTS, JudgingOptions, Posterior, log_likelihoods, pass_on
from trajnet.inference.judging.ring import Ring, flat
from trajnet.inference.judging.speed_change import SpeedChange
from trajnet.inference.judging.spread import HORIZONS_S as SPREAD_HORIZONS_S
from trajnet.inference.judging.spread import STANDS_MPS, AdaptiveSpread, groups_of
from trajnet.inference.judging.standing_time import StandingTime
from trajnet.inference.judging.turn_rate import TurnRate
from trajnet.inference.physics import SPARSE_S, arc
from trajnet.tracking.store import Observations
from trajnet.types import BoolArray, FloatArray, Prediction, Source

#: An answer is judged up to so long after the last horizon: an object that comes back later has other answers.
REACH_S = 1.0
#: Of the model's prior, the share that is constant velocity's where an object clearly turns: it may be on a roundabout,
#: a ramp or in a car park, and go on.
TURNING_PRIOR = 0.05
#: The rate from which it does: that of a circle of 60 m at 9 m/s, or of 15 m at 2.3.
TURNS_RADPS = 0.15
#: The same where it stands: how people on one spot sway is as good as the model's guess.
STANDING_PRIOR = 0.001
#: As a plain number: NumPy looks up each comparison with an enumeration.
_MODEL = int(Source.MODEL)


@dataclass
class JudgingCounters:
    """What came of the judging since the start.

    judgements: answers held against a later position. evident_rows: rows of the model with evidence.
    velocity_rows, standing_rows: of those, rows whose most probable mode is that of constant velocity or of standing.
    velocity_modes, standing_modes: their modes that left, most probable or not. learned_errors: errors of fast vehicles
    along their paths that were learned from. lane_rows: rows whose most probable path was drawn towards a lane.
    """

    judgements: int = 0
    evident_rows: int = 0
    velocity_rows: int = 0
    standing_rows: int = 0
    velocity_modes: int = 0
    standing_modes: int = 0
    learned_errors: int = 0
    lane_rows: int = 0


@dataclass(frozen=True, eq=False)
class _Answers(StructOfArrays):
    """The kept answers of each slot, in a ring of L.

    path_m (S, L, P, 2, K + 2): of the model's modes, of constant velocity and of standing; they begin with the position
    observed then. probability (S, L, K): of the modes. weight (S, L): of a judgement.
    """

    path_m: FloatArray
    probability: FloatArray
    weight: FloatArray


class SelfJudge:
    """Keeps answers of the model and of physics for every slot, and mixes them by how they did.

    observe takes a frame's positions before the predictor is asked; judged takes the predictor's answer. Only rows that
    the model answered are kept and changed. Positions of later frames are never used: an answer is judged with what has
    been observed, and counts from the next answer on.
    """

    def __init__(self, modes: int, time_s: FloatArray, options: JudgingOptions) -> None:
        """Start empty. modes, time_s (T,): those of all predictions; they must reach the first of the horizons."""
        self.counters = JudgingCounters()
        self._options = options
        horizons_s = tuple(h for h in options.horizons_s if h <= time_s[-1])
        require(
            len(horizons_s) > 0,
            f"horizons_s: expected one up to the predictor's last time, {time_s[-1]:g} s, got {options.horizons_s}",
        )
        reach_s = horizons_s[-1] + REACH_S
        self._ring = Ring(options.cadence_s, horizons_s, reach_s)
        self._posterior = Posterior(options)
        adapts = options.adapt_spread and SPREAD_HORIZONS_S[0] <= time_s[-1]
        self.spread = AdaptiveSpread(modes, time_s) if adapts else None
        self._points = min(len(time_s), int(np.searchsorted(time_s, reach_s - 1e-9)) + 1)
        self._knot_s = np.concatenate([[0.0], time_s[: self._points]])
        self._spreads = Spreads(time_s)
        self._combination = Combination(time_s) if options.combine else None
        self._lane_keeping = LaneKeeping(time_s) if options.keep_lanes else None
        self._heeding = (Following(time_s), Company(time_s)) if options.heed else None
        learns = options.learn and LEARNING_HORIZONS_S[0] <= time_s[-1] + 1e-9
        self.learning = Learning(time_s) if learns else None
        self._standing_time = StandingTime()
        self._derived_velocity = DerivedVelocity()
        self._speed_change = SpeedChange()
        self._turn_rate = TurnRate()
        self._mean_course = MeanCourse()
        length = self._ring.length
        self._answers = _Answers(
            np.zeros((0, length, len(self._knot_s), 2, modes + 2)), np.zeros((0, length, modes)), np.zeros((0, length))
        )

    @property
    def weighs(self) -> bool:
        """Whether predictions leave with Prediction.expert."""
        return self._options.weigh

    @property
    def keeps_lanes(self) -> bool:
        """Whether paths are drawn towards lanes, where there are any."""
        return self._lane_keeping is not None

    @property
    def lane_trust(self) -> float | None:
        """How far lanes are trusted (LaneTrust.share); None where there are none, and before it is known."""
        return None if self._lane_keeping is None else self._lane_keeping.known_trust

    def use_lanes(self, lanes: LanePaths | None) -> None:
        """Draw paths towards these lanes from the next frame on; None: towards none."""
        if self._lane_keeping is not None:
            self._lane_keeping.use(lanes)

    def observe(self, observations: Observations) -> None:
        """Judge the kept answers whose time has come by the positions of this frame."""
        if self.spread is not None:
            self.spread.observe(observations)
        if self.learning is not None:
            self.learning.observe(observations)
            self.counters.learned_errors = self.learning.regression.taken
        if self._lane_keeping is not None:
            self._lane_keeping.observe(observations)
        self._standing_time.observe(observations)
        if self._options.weigh:
            self._weigh(observations)

    def _weigh(self, observations: Observations) -> None:
        slot = observations.slot
        slots, begun = observations.slots, observations.begun
        self._ring.begin(slots, begun)
        self._posterior.begin(slot, observations.dt_s, slots, begun)
        if self._ring.capacity > len(self._answers.weight):
            self._answers = grown(self._answers, self._ring.capacity)
        due = self._ring.due(slot, observations.timestamp_ns)
        if not len(due.row):
            return
        found = log_likelihoods(
            observations.position_m.take(due.row, axis=0),
            points_at(flat(self._answers.path_m), due.entry, self._knot_s, due.age_s),
            flat(self._answers.probability).take(due.entry, axis=0),
            self._options.scale_floor_m + self._options.scale_mps * due.age_s,
        )
        self._posterior.add(slot.take(due.row), found, flat(self._answers.weight).take(due.entry))
        self.counters.judgements += len(due.row)

    def judged(self, observations: Observations, prediction: Prediction) -> Prediction:
        """Return the prediction with the experts that have earned it and adapted covariances; keep it for later.

        The prediction's own arrays change.
        """
        velocity_mps = velocity_of(observations, self._derived_velocity.observed(observations))
        speed_mps = np.hypot(velocity_mps[:, 0], velocity_mps[:, 1])
        rate_radps = self._turn_rate.observed(observations, speed_mps)
        model = prediction.source == _MODEL
        change_mps2 = self._speed_change.observed(observations, velocity_mps, speed_mps)
        if self._lane_keeping is not None:
            self.counters.lane_rows += len(self._lane_keeping.draw(observations, prediction, model))
        if self._combination is not None:
            stood_s, unmoved = self._standing_time.stood_s(observations), self._standing_time.unmoved(observations)
            straight, begin_m = goes_by_filter(observations, rate_radps), observations.position_m
            if any_true(straight):
                begin_m = np.where(straight[:, None], self._derived_velocity.position_m(observations), begin_m)
            self._combination.draw(
                observations, prediction, begin_m, velocity_mps, change_mps2, stood_s, unmoved, model, straight
            )
        pull_m = None
        if self._heeding is not None:
            following, company = self._heeding
            pull_m = following.draw(observations, prediction, speed_mps, model)
            company.draw(observations, prediction, velocity_mps, speed_mps, model)
        if self.learning is not None:
            self.learning.draw(observations, prediction, speed_mps, change_mps2[0], pull_m, model)
        result = prediction
        if self._options.weigh:
            course_rad = np.arctan2(velocity_mps[:, 1], velocity_mps[:, 0])
            course_rad = self._mean_course.observed(observations, speed_mps, course_rad, rate_radps)
            motion = Motion(speed_mps, course_rad, rate_radps)
            result = self._mixed(observations, prediction, motion, change_mps2, model)
        if self.spread is None:
            return result
        group = groups_of(observations, speed_mps)
        self.spread.keep(observations, result, group, model)
        self.spread.scale(result, group, model)
        return result

    def _mixed(
        self, observations: Observations, prediction: Prediction, motion: Motion, change_mps2: FloatArray,
        model: BoolArray,
    ) -> Prediction:  # fmt: skip
        """Keep the answers of rows whose turn it is; return the prediction with the experts that have earned it."""
        self._keep(observations, prediction, motion, model)
        moved = TURNING_PRIOR * clearly_beyond(motion.rate_radps, TURNS_RADPS)
        moved += STANDING_PRIOR * (motion.speed_mps < STANDS_MPS)
        weight, known = self._posterior.weights(observations.slot, moved)
        # At two frames a second one leap of a tracker is as far as an object that sets off.
        leaving = self._standing_time.leaving(observations) & (observations.dt_s < SPARSE_S)
        pass_on(weight, change_mps2, motion.speed_mps * leaving)
        known &= model
        result = mixed(prediction, observations, motion, weight, model, known, self._spreads)
        counters = self.counters
        counters.evident_rows += int(np.count_nonzero(known))
        entered = np.bincount(result.entered, minlength=EXPERTS).tolist()
        leading = np.bincount(result.leading, minlength=EXPERTS).tolist()
        counters.velocity_modes += entered[CONSTANT_VELOCITY]
        counters.standing_modes += entered[STANDING]
        counters.velocity_rows += leading[CONSTANT_VELOCITY]
        counters.standing_rows += leading[STANDING]
        return result.prediction

    def _keep(self, observations: Observations, prediction: Prediction, motion: Motion, model: BoolArray) -> None:
        kept = self._ring.keep(observations.slot, observations.timestamp_ns, model)
        if not len(kept.row):
            return
        here_m = observations.position_m.take(kept.row, axis=0)
        gone_m = arc(*motion.take(kept.row), self._knot_s)
        path_m = np.empty((len(kept.row), *self._answers.path_m.shape[2:]))  # (M, P, 2, K + 2)
        path_m[...] = here_m[:, None, :, None]
        model_m = prediction.position_m.take(kept.row, axis=0)[:, :, : self._points]
        path_m[:, 1:, :, :-2] = model_m.transpose(0, 2, 3, 1)
        for axis in (0, 1):
            path_m[:, :, axis, -2] += gone_m[axis]
        flat(self._answers.path_m)[kept.entry] = path_m
        flat(self._answers.probability)[kept.entry] = prediction.probability.take(kept.row, axis=0)
        flat(self._answers.weight)[kept.entry] = kept.weight
