"""What one predictor gave for each scored object, as scalars: paths are not kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trajnet import metrics
from trajnet.arrays import StructOfArrays
from trajnet.evaluate.paths import ScoredPaths
from trajnet.protocols.sites.objects import last_second_mps
from trajnet.types import FloatArray

#: Best of so many most probable paths.
BEST_OF = 6
#: Horizons at which likelihood and coverage are judged, as far as a site reaches.
HORIZONS_S = (1.0, 2.0, 3.0, 4.0, 6.0)


@dataclass(frozen=True, eq=False)
class Scores(StructOfArrays):
    """Of N objects: errors in m of the most probable path and of the best of the BEST_OF most probable. All (N,).

    top_ade_m, best_ade_m: mean displacement; top_fde_m, best_fde_m: at the horizon. top_end_m: how far from the
    object's recorded place the most probable path ends. top_last_mps: its speed in its last second.
    share, nll (N, H): at the horizons of knots_of: the share of the mixture that is more probable than the truth, and
    the negative log-likelihood in nats.
    """

    top_ade_m: FloatArray
    top_fde_m: FloatArray
    best_ade_m: FloatArray
    best_fde_m: FloatArray
    top_end_m: FloatArray
    top_last_mps: FloatArray
    share: FloatArray
    nll: FloatArray


def knots_of(time_s: FloatArray) -> list[int]:
    """Return the indices of HORIZONS_S among the scored times, and that of the last time."""
    index = [int(np.flatnonzero(np.abs(time_s - h) < 1e-6)[0]) for h in HORIZONS_S if h <= time_s[-1] + 1e-6]
    return sorted({*index, len(time_s) - 1})


def scores_of(paths: ScoredPaths, here_m: FloatArray, future_m: FloatArray, time_s: FloatArray) -> Scores:
    """Return the scores of paths, most probable mode first, against the recorded future_m (N, T, 2).

    here_m (N, 2): where the objects are recorded to be now. time_s (T,).
    """
    displacement_m, probability = metrics.displacement(paths.position_m, future_m), paths.probability
    knots = knots_of(time_s)
    mixture = paths.position_m[:, :, knots], paths.covariance_m2[:, :, knots], probability, future_m[:, knots]
    top_m = paths.position_m[:, 0]
    end_m = top_m[:, -1] - here_m
    return Scores(
        top_ade_m=metrics.min_ade(displacement_m, probability, 1),
        top_fde_m=metrics.min_fde(displacement_m, probability, 1),
        best_ade_m=metrics.min_ade(displacement_m, probability, BEST_OF),
        best_fde_m=metrics.min_fde(displacement_m, probability, BEST_OF),
        top_end_m=np.hypot(end_m[:, 0], end_m[:, 1]),
        top_last_mps=last_second_mps(here_m, top_m, time_s),
        share=metrics.mixture_share(*mixture),
        nll=-np.maximum(metrics.mixture_log_density(*mixture), metrics.LOG_DENSITY_FLOOR),
    )
