"""Draw the most probable path of who follows a vehicle towards what that vehicle will do.

The model sees who is ahead now, and the lanes; what is ahead of that one decides as well, and its own prediction knows
it. So the progress on the path is combined with the progress of the leader on its own, as combination.py does it with
that of constant velocity. A leader that is close counts for more, and the more the further one looks: who follows has
to do what the leader does, a little later. Leaders follow leaders, PASSES deep.

How the weights were chosen: docs/self-judging.md.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trajnet.arrays import any_true
from trajnet.inference.judging.leaders import Leaders, leaders_of
from trajnet.inference.judging.limits import Limits
from trajnet.inference.judging.spread import CLASS_GROUP
from trajnet.inference.judging.way import SHORTEST_M, along, top_paths, way_of
from trajnet.tracking.store import Observations
from trajnet.types import BoolArray, FloatArray, Prediction

#: For each class: whether it follows. Riders filter through; too few were seen to say what they do.
VEHICLES: BoolArray = CLASS_GROUP == 0
#: The weight of a leader without a gap: between these horizons (s) linear in time, from 0 on, after them constant.
HORIZONS_S, SHARE = (0.0, 1.0, 2.0, 6.0), (0.0, 0.2, 0.3, 0.5)
#: It falls with the gap to 1 / e at this distance: GAP_M and so many seconds' way at the present speed.
GAP_M, GAP_S = 15.0, 0.5
#: Who hardly sets off is not drawn along by a leader that goes: the whole weight from a path of this length on (m).
SETS_OFF_M = 5.0
#: Leaders are looked for along paths whose points are so far apart in time (s).
COARSE_S = 1.0
#: Nobody gets farther behind or ahead of its own prediction than this would take it from now on (m/s²).
SLOWER_MPS2, FASTER_MPS2 = 2.0, 1.0
#: How many leaders ahead of each other have their say.
PASSES = 2


class Following:
    """Draws most probable paths of vehicles towards the progress of who is ahead of them."""

    def __init__(self, time_s: FloatArray) -> None:
        """Prepare the weights for the predictor's times (T,)."""
        self._share: FloatArray = np.interp(time_s, HORIZONS_S, SHARE)[:, None]
        self._limits = Limits(time_s, SLOWER_MPS2, FASTER_MPS2)
        seconds = np.searchsorted(time_s, np.arange(COARSE_S, time_s[-1], COARSE_S) - 1e-9)
        self._coarse = np.unique(np.append(seconds, len(time_s) - 1))

    def progress(
        self, passed_m: FloatArray, leaders: Leaders, speed_mps: FloatArray, object_class: NDArray[np.int8]
    ) -> tuple[FloatArray, FloatArray]:
        """Return the progress of the followers (T, F) in m, between their own and that of their leaders, and the pull.

        passed_m (T, N): that of all objects on their paths. speed_mps, object_class (N,). The pull (T, F): how far
        leaders would draw them once more, in m, without limits.
        """
        own_m = passed_m.take(leaders.row, axis=1)
        least_m, most_m = self._limits.of(own_m, object_class.take(leaders.row))
        decay_m = GAP_M + GAP_S * speed_mps.take(leaders.row)
        weight = self._share * np.exp(-np.maximum(leaders.gap_m, 0.0) / decay_m)
        faster = weight * np.minimum(own_m[-1] / SETS_OFF_M, 1.0)
        now_m = passed_m.copy()
        for _ in range(PASSES):
            ahead_m = now_m.take(leaders.leader, axis=1)
            ahead_m -= own_m
            ahead_m *= np.where(ahead_m < 0.0, weight, faster)
            np.maximum(ahead_m, least_m, out=ahead_m)
            np.minimum(ahead_m, most_m, out=ahead_m)
            ahead_m += own_m
            now_m[:, leaders.row] = ahead_m
        progress_m: FloatArray = np.maximum.accumulate(ahead_m, axis=0)
        now_m[:, leaders.row] = progress_m
        pull_m = now_m.take(leaders.leader, axis=1)
        pull_m -= progress_m
        pull_m *= weight
        return progress_m, pull_m

    def draw(
        self, observations: Observations, prediction: Prediction, speed_mps: FloatArray, model: BoolArray
    ) -> FloatArray:
        """Move the most probable path of each follower that the model answered, model (N,), in place.

        Return the pull of each one's leader (T, N), see progress; 0 where nobody leads.

        speed_mps (N,): with which each object goes on. Whose direction is unknown leads nobody: it is predicted to stay
        where it is, for want of a direction (trajnet.inference.stream.hold_undirected).
        """
        pull_m = np.zeros((len(prediction.time_s), len(observations)))
        follows = VEHICLES.take(observations.object_class) & model
        if not any_true(follows):
            return pull_m
        paths_m, place = top_paths(prediction, np.arange(len(observations)))
        way = way_of(paths_m.take(place, axis=0), observations.position_m)
        follows &= way.passed_m[-1] >= SHORTEST_M
        here_m = np.ascontiguousarray(observations.position_m).view(np.complex128)[:, 0]
        coarse_m = way.gone_m.take(self._coarse, axis=1)
        leaders = leaders_of(
            coarse_m[0] + 1j * coarse_m[1], here_m, observations.yaw_rad, observations.heading_known,
            observations.size_m, follows, observations.wheeled & observations.direction_known,
        )  # fmt: skip
        if len(row := leaders.row):
            progress_m, pull_m[:, row] = self.progress(way.passed_m, leaders, speed_mps, observations.object_class)
            moved_m = along(way.take(row), progress_m)
            paths_m[place.take(row)] = (moved_m + observations.position_m.take(row, axis=0).T[:, None]).T
        return pull_m
