"""Frames in, predictions of every live track out: what the node, the replay and the evaluation all run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from trajnet.arrays import concat
from trajnet.context.map_field import MapField
from trajnet.context.surroundings import Surroundings
from trajnet.inference.base import Predictor
from trajnet.inference.guard import GuardCounters, GuardedPredictor
from trajnet.inference.physics import ConstantVelocity
from trajnet.inference.priority import Ego
from trajnet.inference.stale_paths import PathMemory
from trajnet.tracking.store import Coasting, FrameStatus, Observations, TrackPolicy, TrackStore
from trajnet.types import Prediction, TrackFrame


class Stream:
    """A TrackStore and a guarded predictor behind one call per frame.

    predictor: any Predictor; one that is not guarded yet gets constant velocity as its fall-back, without a deadline.
    map_field: the map that the objects are on, for predictors that want one; without it they see none.
    clock_ns: measures the stages of an update; without it they stay zero. Nothing else depends on it.
    """

    def __init__(
        self,
        predictor: Predictor,
        policy: TrackPolicy | None = None,
        *,
        map_field: MapField | None = None,
        clock_ns: Callable[[], int] | None = None,
    ) -> None:
        self.predictor = predictor if isinstance(predictor, GuardedPredictor) else _with_fallback(predictor)
        self.store = TrackStore(policy or TrackPolicy())
        self.map_field = map_field
        if map_field is not None and self.predictor.needs.view is not None:
            map_field.prepare(self.predictor.needs.view)  # not with the first frame
        self.status: FrameStatus = "used"
        self.stages_ns: dict[str, int] = {"tracks": 0, "model": 0, "output": 0}
        self._clock_ns = clock_ns or (lambda: 0)
        self._memory = PathMemory(self.predictor.modes, self.predictor.time_s)
        self._latest: Prediction | None = None

    @property
    def guard(self) -> GuardCounters:
        return self.predictor.counters

    def update(
        self, frame: TrackFrame, now_ns: int, ego: Ego | None = None, *, surroundings: Surroundings | None = None
    ) -> Prediction:
        """Paths for the frame's tracks in their order, then for live tracks that it does not report (Source.STALE).

        A frame that the policy drops (see ``status``) leaves everything as it is and gives the last answer again.
        ego: who asks; decides whom the model serves where a guard has a limit and there are more.
        surroundings: of the frame's rows, for frames that are no real instant (windows in lockstep); otherwise they are
        made from the frame and the map.
        """
        begin = self._clock_ns()
        self.status, observations = self.store.update(frame, now_ns)
        tracked = self._clock_ns()
        if observations is None:
            predicted = tracked
            nothing = Coasting((), np.zeros(0, np.int64), np.zeros(0))
            answer = self._memory.recall(nothing, frame.timestamp_ns) if self._latest is None else self._latest
        else:
            if surroundings is not None:
                observations = replace(observations, surroundings=surroundings)
            around = None
            if self.predictor.needs and surroundings is None:
                around = partial(Observations.around, needs=self.predictor.needs, field=self.map_field)
            fresh = undirected(observations, self.predictor.predict(observations, ego, around=around))
            predicted = self._clock_ns()
            self._memory.keep(observations, fresh)
            coasting = self.store.coasting()
            answer = fresh
            if coasting.track_id:
                self.guard.stale_rows += len(coasting.track_id)
                answer = concat([fresh, self._memory.recall(coasting, frame.timestamp_ns)])
        self._latest = answer
        end = self._clock_ns()
        self.stages_ns = {"tracks": tracked - begin, "model": predicted - tracked, "output": end - predicted}
        return answer

    def reset(self) -> None:
        """Forget every track; the counters stay."""
        self.store.reset()
        self._memory.clear()
        self._latest = None


def undirected(observations: Observations, prediction: Prediction) -> Prediction:
    """The prediction with every object that has no direction yet staying in place, equally uncertain all around.

    Nobody can say which way an object will go that was seen once, or has never moved, and whose source measures neither
    yaw nor velocity: a path for it would follow the map's axes. Its modes keep their probabilities and their spread.
    """
    row = np.flatnonzero(~observations.direction_known)
    if not len(row):
        return prediction
    position_m, covariance_m2 = prediction.position_m.copy(), prediction.covariance_m2.copy()
    yaw_rad = prediction.yaw_rad.copy()
    position_m[row] = observations.position_m[row, None, None]
    yaw_rad[row] = observations.yaw_rad[row, None, None]
    variance = 0.5 * np.trace(covariance_m2[row], axis1=-2, axis2=-1)
    covariance_m2[row] = variance[..., None, None] * np.eye(2)
    return replace(prediction, position_m=position_m, yaw_rad=yaw_rad, covariance_m2=covariance_m2)


def _with_fallback(predictor: Predictor) -> GuardedPredictor:
    return GuardedPredictor(predictor, ConstantVelocity(predictor.time_s))
