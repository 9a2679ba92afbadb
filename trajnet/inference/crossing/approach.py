"""Where people are to the crosswalks around them: from which end they would enter, how far away it is, how they move.

A crosswalk is walked from its entry end (progress 0) to its far end (its length). Somebody beyond an end enters there;
somebody on the crosswalk or beside it goes on in the direction of the velocity or, standing, to the farther end.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from trajnet.context.crosswalks import REACH_M, CrosswalkGrid, Crosswalks
from trajnet.types import BoolArray, FloatArray, IntArray

#: Slower objects stand (m/s).
STANDING_MPS = 0.4
#: Who moves within 45 degrees of the way onto the crosswalk faces it; the way leads to a point so far behind its edge.
FACING_COS = 0.7071
AIM_M = 3.0
#: A crosswalk is entered when one has gone so far on it, no farther beside it than this (m).
ENTERED_M, BESIDE_M = 2.0, 1.0
#: A path on the crosswalk keeps this far from its sides where there is room (m).
SIDE_M = 0.5
#: Upper bounds of the distance bins (m): on the crosswalk, at its edge, near, within reach.
DISTANCES_M: FloatArray = np.array([0.0, 1.5, 4.0, REACH_M])
#: How an object moves: stands, moves towards the crosswalk, moves another way.
STATES = ("standing", "facing", "passing")


@dataclass(frozen=True, eq=False)
class Approach:
    """N objects and up to M crosswalks each; all arrays are (N, M), values where valid is False have no meaning.

    crosswalk: indices. ahead: +1 from begin to end of the axis, -1 back. progress_m, across_m: where the object is.
    entry_m, lateral_m: progress and place across the axis at which its path joins the crosswalk. speed_mps (N,).
    distance_bin, state: indices of DISTANCES_M and STATES.
    """

    valid: BoolArray
    crosswalk: IntArray
    ahead: FloatArray
    progress_m: FloatArray
    across_m: FloatArray
    entry_m: FloatArray
    lateral_m: FloatArray
    speed_mps: FloatArray
    distance_bin: IntArray
    state: IntArray

    def at(self, object_index: IntArray, column: IntArray) -> Approach:
        """Return chosen pairs of an object and one of its crosswalks: all arrays are (P,)."""
        picked = {f.name: getattr(self, f.name) for f in fields(self)}
        paired = {name: value[object_index, column] for name, value in picked.items() if name != "speed_mps"}
        return Approach(**paired, speed_mps=self.speed_mps[object_index])

    def entered(self, walks: Crosswalks, position_m: FloatArray) -> BoolArray:
        """Return whether positions (*shape, ..., 2) are on the crosswalks, beyond the object's own place.

        shape: of the arrays, (N, M) or (P,), where a length may be 1.
        """
        alike = (...,) + (None,) * (position_m.ndim - 1 - self.crosswalk.ndim)
        along_m, across_m = walks.local(self.crosswalk, position_m)
        back = self.ahead < 0
        along_m *= self.ahead[alike]
        along_m += np.where(back, walks.length_m[self.crosswalk], 0.0)[alike]
        gone: BoolArray = along_m >= (np.maximum(self.progress_m, 0.0) + ENTERED_M)[alike]
        gone &= np.abs(across_m) <= (walks.half_width_m[self.crosswalk] + BESIDE_M)[alike]
        return gone


def approach_of(grid: CrosswalkGrid, position_m: FloatArray, velocity_mps: FloatArray) -> Approach:
    """Return how objects at position_m (N, 2) with velocity_mps (N, 2) are to the crosswalks around them."""
    walks, index = grid.crosswalks, grid.near(position_m).astype(np.int64)
    valid = index >= 0
    index[~valid] = 0
    along_m, across_m = walks.local(index, position_m[:, None])
    length_m, half_m = walks.length_m[index], walks.half_width_m[index]
    speed_mps = np.hypot(velocity_mps[:, 0], velocity_mps[:, 1])
    standing = (speed_mps < STANDING_MPS)[:, None]
    going = np.where(standing, 0.5 * length_m - along_m, (walks.axis[index] * velocity_mps[:, None]).sum(axis=-1))
    ahead = np.where(along_m <= 0, 1.0, np.where(along_m >= length_m, -1.0, np.where(going >= 0, 1.0, -1.0)))
    progress_m = np.where(ahead > 0, along_m, length_m - along_m)
    room_m = np.maximum(half_m - SIDE_M, 0.0)
    lateral_m = np.clip(across_m, -room_m, room_m)
    outside_m = np.maximum(np.abs(across_m) - half_m, 0.0)
    distance_m = np.hypot(np.minimum(progress_m, 0.0), outside_m)
    entry_m = np.maximum(progress_m, 0.0) + np.where(progress_m > 0, outside_m, 0.0)
    valid &= (distance_m <= REACH_M) & (entry_m + ENTERED_M <= length_m)
    axis, (x_mps, y_mps) = walks.axis[index], velocity_mps.T[:, :, None]
    own_x, own_y = axis[..., 0] * x_mps + axis[..., 1] * y_mps, axis[..., 0] * y_mps - axis[..., 1] * x_mps
    aim_x, aim_y = ahead * (entry_m + AIM_M - progress_m), lateral_m - across_m
    facing = aim_x * own_x + aim_y * own_y >= FACING_COS * np.hypot(aim_x, aim_y) * speed_mps[:, None]
    return Approach(
        valid, index, ahead, progress_m, across_m, entry_m, lateral_m, speed_mps,
        np.minimum(np.searchsorted(DISTANCES_M, distance_m), len(DISTANCES_M) - 1),
        np.where(standing, 0, np.where(facing, 1, 2)),
    )  # fmt: skip
