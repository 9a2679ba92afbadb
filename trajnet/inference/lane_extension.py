"""Paths of vehicles beyond the model's horizon along the lanes of the map, where they end on one.

Measured from 8 to 10, 12 and 15 s (tools/lane_extension.py; table in docs/ros.md): nearer than straight on for vehicles
in every set that has lanes, by up to 3 % on average and by 2 to 11 % for the best mode. The covariance is that of
trajnet.inference.extension.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trajnet.context.lane_paths import LanePaths
from trajnet.inference.extension import Extension
from trajnet.types import BoolArray, FloatArray, ObjectClass

#: A path that ends slower than this has no direction that can be told (m/s): it goes straight on.
LEAST_SPEED_MPS = 0.5

_VEHICLES: BoolArray = np.array([kind != ObjectClass.PEDESTRIAN for kind in ObjectClass])


def along_lanes(
    lanes: LanePaths, beyond: Extension, path_m: FloatArray, yaw_rad: FloatArray, object_class: NDArray[np.int8],
    later_m: FloatArray, later_rad: FloatArray,
) -> BoolArray:  # fmt: skip
    """Let paths that end on a lane follow it at the speed of their end; return which do, (N, K).

    path_m (N, K, M, 2), yaw_rad (N, K): the predicted ones and the headings of their ends. later_m (N, K, T, 2) and
    later_rad (N, K, T): straight on; they change.
    """
    step_s = beyond.last_step_s
    end_m = path_m[:, :, -1]
    velocity_mps = (end_m - path_m[:, :, -2]) / step_s if path_m.shape[2] > 1 else np.zeros_like(end_m)
    speed_mps = np.hypot(velocity_mps[..., 0], velocity_mps[..., 1])
    follows: BoolArray = np.asarray(_VEHICLES[object_class][:, None] & (speed_mps >= LEAST_SPEED_MPS))
    row, mode = np.nonzero(follows)
    point, on_lane = lanes.under(end_m[row, mode], yaw_rad[row, mode])
    follows[row, mode] = on_lane
    row, mode, point = row[on_lane], mode[on_lane], point[on_lane]
    if len(row):
        distance_m = speed_mps[row, mode][:, None] * beyond.after_s
        later_m[row, mode], later_rad[row, mode] = lanes.follow(point, end_m[row, mode], distance_m)
    return follows
