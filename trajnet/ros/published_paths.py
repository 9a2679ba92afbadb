"""Predictions on the grid of times that is published: evenly spaced, from the present on, the likeliest paths first."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trajnet.config import require
from trajnet.context.lane_paths import LanePaths
from trajnet.inference.extension import LONGEST_S, Extension
from trajnet.inference.lane_extension import along_lanes
from trajnet.inference.resample import Resampler
from trajnet.types import BoolArray, Expert, FloatArray, Prediction


@dataclass(frozen=True, eq=False)
class PublishedPaths:
    """The published paths of N objects: K each, T points; the first point is the present (time 0).

    time_s (T,), position_m (N, K, T, 2), yaw_rad (N, K, T), covariance_m2 (N, K, T, 2, 2), probability (N, K) in
    falling order, summing to 1, source (N,), age_s (N,), expert (N, K): as in trajnet.types.Prediction. z_m (N,):
    height of the object, which its paths keep. predicted_until_s: what is later is an extension
    (trajnet.inference.extension). on_lane (N, K): whether the extension follows a lane of the map; None: none does.
    """

    time_s: FloatArray
    position_m: FloatArray
    yaw_rad: FloatArray
    covariance_m2: FloatArray
    probability: FloatArray
    z_m: FloatArray
    source: NDArray[np.int8]
    age_s: FloatArray
    expert: NDArray[np.int8] | None = None
    predicted_until_s: float = math.inf
    on_lane: BoolArray | None = None

    def __len__(self) -> int:
        return len(self.probability)


@dataclass(frozen=True, eq=False)
class PresentObjects:
    """Where N objects are now: position_m (N, 2), yaw_rad, yaw_valid (N,), covariance_m2 (N, 2, 2), z_m (N,).

    object_class (N,): ObjectClass values, for paths beyond the predicted ones; None takes every object for unknown.
    """

    position_m: FloatArray
    yaw_rad: FloatArray
    yaw_valid: BoolArray
    covariance_m2: FloatArray
    z_m: FloatArray
    object_class: NDArray[np.int8] | None = None


class PathGrid:
    """From a predictor's times to 0, step_s, 2 step_s, ... horizon_s.

    Between the predicted points as trajnet.inference.resample has it, the same as in the evaluation; beyond them as
    trajnet.inference.extension has it, for vehicles along the lanes of the map where there are any.

    Raises ConfigError where the horizon is beyond the predictor's last time and what may be added to it.
    """

    def __init__(
        self, predicted_s: FloatArray, horizon_s: float, step_s: float, lanes: LanePaths | None = None
    ) -> None:
        last_s = float(predicted_s[-1])
        require(
            horizon_s <= max(last_s, LONGEST_S) + 1e-9,
            f"horizon_s: expected at most {max(last_s, LONGEST_S):g} s (the model predicts {last_s:g} s), "
            f"got {horizon_s:g}",
        )
        points = int(horizon_s / step_s + 1e-9) + 1
        self.time_s: FloatArray = np.arange(points, dtype=np.float64) * step_s
        inside = self.time_s <= last_s + 1e-9
        self.predicted_until_s = last_s
        self._resampler = Resampler(predicted_s, self.time_s[inside])
        self._extension = Extension(predicted_s, self.time_s[~inside])
        self._lanes = lanes

    def paths(self, prediction: Prediction, present: PresentObjects, max_paths: int) -> PublishedPaths:
        """Return the likeliest max_paths of each object, led by its present pose.

        Where the yaw is not known, a path begins with its first predicted one instead of turning from a wrong one.
        """
        kept = min(max_paths, prediction.modes)
        best = _likeliest_first(prediction, kept)
        probability = best.probability[:, :kept]
        probability = probability / probability.sum(axis=1, keepdims=True)

        yaw_later = best.yaw_rad[:, :kept]
        yaw_now = np.where(present.yaw_valid, present.yaw_rad, yaw_later[:, 0, 0])
        at, path_m, covariance_m2 = self._resampler, best.position_m[:, :kept], best.covariance_m2[:, :kept]
        position_m = at.positions(present.position_m, path_m)
        yaw_rad, wider_m2 = at.yaws(yaw_now, yaw_later), at.covariances(present.covariance_m2, covariance_m2)
        beyond, on_lane = self._extension, None
        if len(beyond):
            classes = present.object_class
            classes = np.zeros(len(best), dtype=np.int8) if classes is None else classes
            later_m2 = beyond.covariances(covariance_m2[:, :, -1], classes)
            later_m, later_rad = beyond.positions(present.position_m, path_m), beyond.yaws(yaw_later[:, :, -1])
            if self._lanes is not None:
                ends_rad = yaw_later[:, :, -1]
                on_lane = along_lanes(self._lanes, beyond, path_m, ends_rad, classes, later_m, later_rad)
            position_m = np.concatenate([position_m, later_m], axis=2)
            yaw_rad = np.concatenate([yaw_rad, later_rad], axis=2)
            wider_m2 = np.concatenate([wider_m2, later_m2], axis=2)
        return PublishedPaths(
            time_s=self.time_s,
            position_m=position_m,
            yaw_rad=yaw_rad,
            covariance_m2=wider_m2,
            probability=probability,
            z_m=present.z_m,
            source=best.source,
            age_s=best.age_s,
            expert=None if best.expert is None else best.expert[:, :kept],
            predicted_until_s=self.predicted_until_s,
            on_lane=on_lane,
        )


def _likeliest_first(prediction: Prediction, kept: int) -> Prediction:
    """Return the modes of each object, the likeliest first; of several kept ones, crossings are never cut.

    A planner that is shown at most kept modes of somebody at a crosswalk still sees the way across.
    """
    best = prediction.best_first()
    if best.expert is None or not 1 < kept < best.modes:
        return best
    wanted = (best.expert == int(Expert.CROSSING)) & (best.probability > 0)
    if not wanted[:, kept:].any():
        return best
    wanted[:, 0] = True
    order = np.argsort(~wanted, axis=1, kind="stable")
    order[:, :kept].sort(axis=1)
    return best.in_order(order)
