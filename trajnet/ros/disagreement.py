"""How far the predictions of two nodes for the same objects are apart. Needs no ROS.

Both are PredictedObjects, so what is compared is what a planner sees: at each of HORIZONS_S the paths of an object with
their confidences are a distribution over points, and trajnet.metrics.energy says how far two of these are apart (m).
Covariances do not enter: the message has none, so only one side would have them.

What cannot be compared is NaN: a horizon that not every path of both reaches. Work per object is constant: at most
MAX_PATHS of each side, the likeliest, are compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajnet.metrics.energy import half_energy_distance_m
from trajnet.ros.cdr import PredictedObjects
from trajnet.types import BoolArray, FloatArray, IntArray

HORIZONS_S = (1.0, 3.0, 5.0)
MAX_PATHS = 16


class Compared(IntEnum):
    """What became of an object of ours in the comparison."""

    BOTH = 0
    #: The other node does not have the object.
    ABSENT = 1
    #: The other node has the object, without any path that can be used.
    WITHOUT_PATHS = 2


@dataclass(frozen=True, eq=False)
class PathsAt:
    """Where the paths of N objects are at H horizons, at most K each, the likeliest first.

    position_m (N, K, H, 2), probability (N, K): rows sum to 1, or to 0 for an object without paths. reached (N, H):
    whether the object has paths and all of them last so long.
    """

    position_m: FloatArray
    probability: FloatArray
    reached: BoolArray


@dataclass(frozen=True, eq=False)
class Disagreement:
    """The comparison of one message of ours, row for row. distance_m (N, H): NaN where there is nothing to compare.

    state (N,): see Compared. position_m (N, 3): where our objects are now. object_id (N, 16).
    """

    stamp_ns: int
    frame_id: str
    object_id: NDArray[np.uint8]
    position_m: FloatArray
    distance_m: FloatArray
    state: NDArray[np.uint8]


def paths_at(objects: PredictedObjects, horizons_s: tuple[float, ...] = HORIZONS_S) -> PathsAt:
    """Return where the paths are at the horizons, linear between their poses; paths that are not finite are left out.

    A confidence that is not above 0 leaves its path out, too; the others are scaled to sum to 1.
    """
    owner = np.repeat(np.arange(len(objects)), objects.path_count)
    at_m, reached = _positions(objects, np.asarray(horizons_s))
    weight = objects.path_confidence.astype(np.float64)
    usable = np.isfinite(weight) & (weight > 0) & np.isfinite(at_m).all(axis=(1, 2)) & (objects.pose_count > 0)
    order = np.lexsort((-weight, owner))
    order = order[usable[order]]
    owner = owner[order]
    rank = np.arange(len(order)) - np.searchsorted(owner, owner)
    kept = rank < MAX_PATHS
    order, owner, rank = order[kept], owner[kept], rank[kept]
    most = int(rank.max(initial=0)) + 1
    position_m = np.zeros((len(objects), most, len(horizons_s), 2))
    probability, all_reach = np.zeros((len(objects), most)), np.ones((len(objects), most, len(horizons_s)), np.bool_)
    position_m[owner, rank], probability[owner, rank], all_reach[owner, rank] = (
        at_m[order],
        weight[order],
        reached[order],
    )
    total = probability.sum(axis=1, keepdims=True)
    probability = np.divide(probability, total, out=np.zeros_like(probability), where=total > 0)
    return PathsAt(position_m, probability, all_reach.all(axis=1) & (total > 0))


def _positions(objects: PredictedObjects, horizons_s: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Return each path's position (P, H, 2) at the horizons, and whether the path lasts so long (P, H)."""
    if not len(objects.path_pose):
        return np.zeros((len(objects.pose_count), len(horizons_s), 2)), np.zeros(
            (len(objects.pose_count), len(horizons_s)), np.bool_
        )
    count = objects.pose_count[:, None]
    step_s = np.maximum(objects.path_step_ns, 0)[:, None] * 1e-9
    place = np.divide(horizons_s[None], step_s, out=np.full((len(count), len(horizons_s)), np.inf), where=step_s > 0)
    reached = place <= count - 1 + 1e-6
    place = np.minimum(place, np.maximum(count - 1, 0))
    low = np.floor(place).astype(np.int64)
    first = (np.cumsum(objects.pose_count) - objects.pose_count)[:, None]
    last = len(objects.path_pose) - 1
    before, after = (np.minimum(first + np.minimum(i, np.maximum(count - 1, 0)), last) for i in (low, low + 1))
    share = (place - low)[..., None]
    at_m: FloatArray = (1 - share) * objects.path_pose[before, :2] + share * objects.path_pose[after, :2]
    return at_m, reached


def compare(ours: PredictedObjects, theirs: PredictedObjects) -> Disagreement:
    """Compare the paths of both for every object of ours, by UUID. Messages of one coordinate frame."""
    row_of = {key: row for row, key in reversed(list(enumerate(_keys(theirs))))}  # of a UUID that is there twice: first
    match: IntArray = np.array([row_of.get(key, -1) for key in _keys(ours)], dtype=np.int64)
    mine, other = paths_at(ours), paths_at(theirs)
    has_paths = other.probability.sum(axis=1) > 0
    state = np.full(len(ours), Compared.ABSENT, dtype=np.uint8)
    found = np.flatnonzero(match >= 0)
    state[found] = np.where(has_paths[match[found]], Compared.BOTH, Compared.WITHOUT_PATHS)
    distance_m = np.full((len(ours), len(HORIZONS_S)), np.nan)
    for index in range(len(HORIZONS_S)):
        rows = found[mine.reached[found, index] & other.reached[match[found], index]]
        distance_m[rows, index] = half_energy_distance_m(
            mine.position_m[rows, :, index],
            mine.probability[rows],
            other.position_m[match[rows], :, index],
            other.probability[match[rows]],
        )
    return Disagreement(ours.stamp_ns, ours.frame_id, ours.object_id, ours.pose[:, :3], distance_m, state)


def _keys(objects: PredictedObjects) -> list[bytes]:
    data = np.ascontiguousarray(objects.object_id).tobytes()
    return [data[i : i + 16] for i in range(0, len(data), 16)]


#: One record per object of ours. x, y, z come first, so that RViz draws it; it can be coloured by a distance. x and y
#: are relative to the origin of the cloud, x_m and y_m are those of the predictions.
CLOUD: np.dtype[Any] = np.dtype(
    [("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("object", "<u4"), ("x_m", "<f8"), ("y_m", "<f8"), ("state", "<u4")]
    + [(f"distance_{horizon_s:g}s_m", "<f4") for horizon_s in HORIZONS_S]
)


def disagreement_records(found: Disagreement) -> NDArray[Any]:
    """Return (N,) records of CLOUD; x, y: left to trajnet.ros.visual.encode_cloud."""
    records = np.zeros(len(found.state), dtype=CLOUD)
    records["x_m"], records["y_m"], records["z"] = found.position_m.T
    records["object"], records["state"] = np.arange(len(records)), found.state
    for index, horizon_s in enumerate(HORIZONS_S):
        records[f"distance_{horizon_s:g}s_m"] = found.distance_m[:, index]
    return records
