"""The motion of a scene as pairs of rows: steps from one observation to the next, legs over about half a second."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from trajnet.types import WHEELED, BoolArray, FloatArray, IntArray, Scene

#: How long a leg takes, of anything and of people, who are slower (s).
LEG_S, WALKED_LEG_S = 0.5, 1.5
#: A leg is long enough to show a direction.
LEG_M = 1.0


@dataclass(frozen=True, eq=False)
class Pairs:
    """P pairs of rows of one track: first, last (P,) rows of the scene, dt_s (P,) and move_m (P, 2) between them."""

    scene: Scene
    first: IntArray
    last: IntArray

    @cached_property
    def dt_s(self) -> FloatArray:
        times_ns = self.scene.timestamp_ns[self.scene.row_frame]
        return (times_ns[self.last] - times_ns[self.first]).astype(np.float64) * 1e-9

    @cached_property
    def move_m(self) -> FloatArray:
        move: FloatArray = self.scene.position_m[self.last] - self.scene.position_m[self.first]
        return move

    @cached_property
    def distance_m(self) -> FloatArray:
        distance: FloatArray = np.hypot(*self.move_m.T)
        return distance

    @cached_property
    def speed_mps(self) -> FloatArray:
        return self.distance_m / self.dt_s

    @cached_property
    def object_class(self) -> IntArray:
        return self.scene.object_class[self.scene.row_track[self.first]].astype(np.int64)

    @cached_property
    def wheeled(self) -> BoolArray:
        """(P,): of a class that moves along its heading; unknown objects count, walkers do not."""
        along = np.array(WHEELED)
        along[0] = True
        return along[self.object_class]

    def where(self, chosen: BoolArray) -> Pairs:
        """Return the pairs of a mask (P,)."""
        return Pairs(self.scene, self.first[chosen], self.last[chosen])


def steps_of(scene: Scene) -> Pairs:
    """Return every pair of successive rows of a track."""
    return _pairs(scene, 1)


def legs_of(scene: Scene, period_s: float, leg_s: float = LEG_S) -> Pairs:
    """Return pairs of rows of a track that are about leg_s apart, at least one row, without those across a gap."""
    rows = max(1, round(leg_s / period_s)) if 0 < period_s < np.inf else 1
    found = _pairs(scene, rows)
    return found.where(found.dt_s < 1.5 * rows * period_s)


def _pairs(scene: Scene, rows: int) -> Pairs:
    order = np.lexsort((scene.row_frame, scene.row_track))
    first, last = order[:-rows], order[rows:]
    same = scene.row_track[first] == scene.row_track[last]
    return Pairs(scene, first[same], last[same])
