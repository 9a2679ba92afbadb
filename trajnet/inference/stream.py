"""Streaming prediction: frames in, predictions of all live tracks out. Node, replay and evaluation all run this."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from trajnet.arrays import all_true, concat
from trajnet.context.crosswalks import Crosswalks, crosswalks_of
from trajnet.context.lane_paths import LanePaths, scene_lane_paths
from trajnet.context.map_field import MapField
from trajnet.context.surroundings import Surroundings, scene_map
from trajnet.errors import InputError
from trajnet.inference.base import Predictor, StateOwner
from trajnet.inference.crossing.modes import Crossing
from trajnet.inference.guard import Guard, GuardOptions, MakeSurroundings, late_call_of
from trajnet.inference.judging.posterior import NO_JUDGING, JudgingOptions
from trajnet.inference.judging.self_judge import SelfJudge
from trajnet.inference.priority import Ego
from trajnet.inference.stale_paths import PathMemory
from trajnet.tracking.store import Coasting, FrameStatus, Observations, TrackPolicy, TrackStore
from trajnet.types import Prediction, Scene, TrackFrame

log = logging.getLogger(__name__)


class Stream:
    """Combines a TrackStore and a guarded predictor behind one call per frame.

    predictor: one that keeps state (model files, the Kalman filter) serves one stream at a time. A new stream takes it
    over; the earlier one then raises InputError if it goes on, until its reset. A late call of the earlier one may
    still run: the new stream waits for its end, or answers by the fall-back until then if it has a budget.
    guard: deadline, limit and fall-back; by default constant velocity without a deadline.
    map_field: the map, for predictors that use one; see for_scene. Without it they run without a map, which is logged
    once unless warn_without_map is False (the caller reports it).
    crosswalks: those of the map; people near one get crossings among their modes, whatever the predictor, if it has
    several modes and the policy does not forbid it.
    lanes: those of the map; paths of vehicles keep to them, if predictions judge themselves.
    judging: how predictions judge themselves (docs/self-judging.md); None: as JudgingOptions has it for predictors with
    a model file, not at all for others.
    clock_ns: measures the stages of an update (stages_ns); without it they stay zero. Nothing else depends on it.
    """

    def __init__(
        self,
        predictor: Predictor,
        policy: TrackPolicy | None = None,
        *,
        guard: GuardOptions = GuardOptions(),
        map_field: MapField | None = None,
        warn_without_map: bool = True,
        crosswalks: Crosswalks | None = None,
        lanes: LanePaths | None = None,
        judging: JudgingOptions | None = None,
        clock_ns: Callable[[], int] | None = None,
    ) -> None:
        if not callable(getattr(predictor, "predict", None)):
            named = repr(str(predictor)) if isinstance(predictor, (str, Path)) else ""
            raise InputError(f"Stream: expected a predictor, got {predictor!r}; trajnet.load_model({named}) loads one")
        self.predictor = predictor
        self.guard = Guard(predictor, guard)
        self._stateful = tuple(p for p in (predictor, self.guard.fallback) if p.state_owner is not None)
        self._owners: tuple[StateOwner, ...] = ()  # of self._stateful
        self.store = TrackStore(policy or TrackPolicy())
        self.status: FrameStatus = "used"
        self.stages_ns: dict[str, int] = {"tracks": 0, "model": 0, "output": 0}
        self._clock_ns = clock_ns or (lambda: 0)
        self.judge = self_judge(predictor, judging)
        self._memory = PathMemory(
            predictor.modes, predictor.time_s, with_experts=self.judge is not None and self.judge.weighs
        )
        self._latest: Prediction | None = None
        self._warn_without_map = warn_without_map
        #: Why the map of a scene is not used; "" where it is, and where there is none.
        self.map_problem = ""
        self.crossing: Crossing | None = None
        self.use_map(map_field)
        self._use_crosswalks(crosswalks)
        self.use_lanes(lanes)

    @classmethod
    def for_scene(
        cls,
        scene: Scene,
        predictor: Predictor,
        policy: TrackPolicy | None = None,
        *,
        guard: GuardOptions = GuardOptions(),
        judging: JudgingOptions | None = None,
        clock_ns: Callable[[], int] | None = None,
    ) -> Stream:
        """Return a new stream with the scene's map, if the predictor uses one and the scene has one."""
        stream = cls(predictor, policy, guard=guard, judging=judging, clock_ns=clock_ns)
        stream.use_map_of(scene)
        return stream

    def use_map_of(self, scene: Scene) -> None:
        """Use the scene's map from now on, if the predictor uses one and the scene has one; and its crosswalks.

        A map that cannot be drawn is not used: map_problem says why.
        """
        view = self.predictor.requirements.view
        field, problem = (None, "") if view is None else scene_map(scene, view)
        self.use_map(field)
        self.map_problem = f"scene {scene.scene_id}: {problem}" if problem else ""
        self._use_crosswalks(crosswalks_of(scene.lanes))
        self.use_lanes(scene_lane_paths(scene) if self.keeps_lanes else None)

    def use_map(self, map_field: MapField | None) -> None:
        """Use this map from the next frame on, if the predictor uses one; None: none. Tracks go on."""
        view = self.predictor.requirements.view
        if map_field is not None and view is not None:
            map_field.prepare(view)  # now, so that the first frame does not pay for it
        self.map_field, self.map_problem = map_field, ""

    def _use_crosswalks(self, crosswalks: Crosswalks | None) -> None:
        self.use_crossing(Crossing(crosswalks) if crosswalks is not None and self.takes_crossings else None)

    @property
    def keeps_lanes(self) -> bool:
        """Whether paths of vehicles are drawn towards lanes, where a map has any."""
        return self.judge is not None and self.judge.keeps_lanes

    def use_lanes(self, lanes: LanePaths | None) -> None:
        """Draw the paths of vehicles towards these lanes from the next frame on; None: towards none."""
        if self.judge is not None:
            self.judge.use_lanes(lanes)

    @property
    def takes_crossings(self) -> bool:
        """Whether people near a crosswalk get crossings, where a map has any."""
        return self.store.policy.crossings and self.predictor.modes > 1

    def use_crossing(self, crossing: Crossing | None) -> None:
        """Use the crosswalks of another map from the next frame on; the counters go on. None: of no map."""
        if crossing is not None and self.crossing is not None:
            crossing.counters = self.crossing.counters
        self.crossing = crossing if self.takes_crossings else None
        weighs = self.judge is not None and self.judge.weighs
        self._memory.with_experts = weighs or self.crossing is not None

    def update(
        self,
        frame: TrackFrame,
        now_ns: int,
        ego: Ego | None = None,
        *,
        surroundings: Surroundings | None = None,
        begin_ns: int | None = None,
    ) -> Prediction:
        """Return paths of the frame's tracks in order, then of live tracks that it does not report (Source.STALE).

        A frame that the policy drops (see ``status``) changes nothing and returns the previous prediction again.
        The arrays are to be read only until the stream's next frame, which moves the paths of missing tracks on from
        them; copy what you change earlier.
        Raises InputError if another stream has used the predictor, or the fall-back, and its state since, or if a late
        call of another stream still runs on the fall-back.
        ego: the ego vehicle; sets the priorities where the guard's max_objects is exceeded.
        surroundings: those of the frame's rows, for frames whose rows are no common instant (benchmark windows fed in
        lockstep); by default they are computed from the frame and the map.
        begin_ns: the guard's start_ns when work on the frame began; None: now. The deadline is counted from there.
        """
        if not isinstance(frame, TrackFrame):
            raise InputError(f"Stream.update: expected a TrackFrame, got {type(frame).__name__}; see Scene.frames()")
        begin, asked_ns = self._clock_ns(), self.guard.start_ns() if begin_ns is None else begin_ns
        if self._stateful:
            self._require_states()  # before the frame counts as used
        self.status, observations = self.store.update(frame, now_ns)
        tracked = self._clock_ns()
        if observations is None:
            predicted = tracked
            nothing = Coasting((), np.zeros(0, np.int64), np.zeros(0))
            answer = self._memory.recall(nothing, frame.timestamp_ns) if self._latest is None else self._latest
        else:
            if self._stateful and not self._owners:
                self._own_states()
            if surroundings is not None:
                observations = observations.with_surroundings(surroundings)
            make = None if surroundings is not None else self._surroundings_maker()
            if self.judge is not None:
                self.judge.observe(observations)
            fresh = self.guard.answer(observations, ego, surroundings=make, begin_ns=asked_ns)
            hold_undirected(observations, fresh)
            if self.judge is not None:
                fresh = self.judge.judged(observations, fresh)
            if self.crossing is not None:
                fresh = self.crossing.added(observations, fresh)
            predicted = self._clock_ns()
            self._memory.keep(observations, fresh)
            answer = fresh
            if self.store.any_coasting:
                coasting = self.store.coasting()
                self.guard.counters.stale_rows += len(coasting.track_id)
                answer = concat([fresh, self._memory.recall(coasting, frame.timestamp_ns)])
        self._latest = answer
        end = self._clock_ns()
        self.stages_ns = {"tracks": tracked - begin, "model": predicted - tracked, "output": end - predicted}
        return answer

    def _require_states(self) -> None:
        """Raise InputError if another stream has the states; before they are taken over, if the fall-back is busy."""
        if not self._owners:
            self._require_fallback()
            return
        for stateful, owner in zip(self._stateful, self._owners, strict=True):
            if stateful.state_owner is not owner:
                raise InputError(
                    f"{stateful.name}: expected one stream at a time, as it keeps the state of every track, got frames "
                    "of another stream in between; load one predictor for each stream (or reset this stream)"
                )

    def _require_fallback(self) -> None:
        """Refuse a fall-back that is not free: it answers at once, so there is nothing to answer with meanwhile."""
        if late_call_of(self.guard.fallback.state_owner) is not None:
            raise InputError(
                f"fallback {self.guard.fallback.name}: expected one that is free, got one on which a late call of "
                "another stream still runs; load one predictor for each stream"
            )

    def _own_states(self) -> None:
        """Take over the predictors that keep state; the stream that had them may not go on."""
        owner = self.guard.take_over()
        self._owners = tuple(owner if stateful is self.predictor else StateOwner() for stateful in self._stateful)
        for stateful, owner in zip(self._stateful, self._owners, strict=True):
            stateful.state_owner = owner

    def _surroundings_maker(self) -> MakeSurroundings | None:
        """Return the function that computes surroundings of observations; None if the predictor uses none."""
        requirements = self.predictor.requirements
        if not requirements:
            return None
        if self._warn_without_map and requirements.view is not None and self.map_field is None:
            self._warn_without_map = False
            name = self.predictor.name
            if self.map_problem:
                log.warning("%s uses a map and predicts without one: %s", name, self.map_problem)
            else:
                log.warning("%s uses a map and is given none: it predicts without one", name)
        return partial(Observations.make_surroundings, requirements=requirements, field=self.map_field)

    def close(self) -> None:
        """Stop the thread of a guard with a budget, after its running call."""
        self.guard.close()

    def reset(self) -> None:
        """Forget all tracks; keep the counters. The predictor may have served another stream meanwhile."""
        self.store.reset()
        self._owners = ()
        self._memory.clear()
        self._latest = None


def self_judge(predictor: Predictor, judging: JudgingOptions | None) -> SelfJudge | None:
    """Return what judges the predictor's answers; None where nothing does. judging: see Stream."""
    if judging is None:
        judging = JudgingOptions() if predictor.model_file is not None else NO_JUDGING
    if judging.changes_nothing or judging.horizons_s[0] > predictor.time_s[-1]:
        return None
    return SelfJudge(predictor.modes, predictor.time_s, judging)


def hold_undirected(observations: Observations, prediction: Prediction) -> None:
    """Let objects of unknown direction stay in place, with isotropic covariance; the prediction's arrays change.

    The direction is unknown for an object that was observed once or has never moved, if neither yaw nor velocity is
    measured: its path would just follow the map's axes. Modes keep their probabilities and the trace of the covariance.
    """
    if all_true(observations.direction_known):
        return
    row = (~observations.direction_known).nonzero()[0]
    prediction.position_m[row] = observations.position_m[row, None, None]
    prediction.yaw_rad[row] = observations.yaw_rad[row, None, None]
    variance = 0.5 * np.trace(prediction.covariance_m2[row], axis1=-2, axis2=-1)
    prediction.covariance_m2[row] = variance[..., None, None] * np.eye(2)
