"""Every metric of every object: a value for each horizon, NaN where the future is not recorded up to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajnet import metrics
from trajnet.arrays import StructOfArrays
from trajnet.datasets.windows import Windows
from trajnet.evaluate import manoeuvres
from trajnet.evaluate.paths import ScoredPaths, horizon_steps
from trajnet.types import BoolArray, FloatArray, IntArray

#: Each metric of displacements with its function and its k.
DISTANCE_METRICS: dict[str, tuple[Callable[[FloatArray, FloatArray, int], NDArray[Any]], int]] = {
    **{f"minADE_{k}": (metrics.min_ade, k) for k in (1, 5, 6, 10, 20)},
    **{f"minFDE_{k}": (metrics.min_fde, k) for k in (1, 5, 6, 10, 20)},
    **{f"MissRate_2_{k}": (metrics.nuscenes_miss, k) for k in (1, 5, 10)},
    "Argoverse2_MissRate_6": (metrics.argoverse2_miss, 6),
    "Argoverse2_brier_minFDE_6": (metrics.brier_min_fde, 6),
}
#: The metric of the whole distribution.
NLL = "mixture_NLL"

#: Metrics of several objects together, for benchmarks that ask for them.
SOCIAL_GAN = ("SocialGAN_best_of_20_ADE", "SocialGAN_best_of_20_FDE")

#: Ranks k of minADE_k whose error is kept step by step, for the division by seconds.
STEPWISE = (1, 5, 6, 10, 20)

#: Regions whose coverage is judged.
REGIONS = ("mixture_region", "top_mode_ellipse", "closest_mode_ellipse")

#: Every metric that is a mean of one value of each object.
METRICS = (*DISTANCE_METRICS, NLL)

#: What each name in a report means. A suffix _k counts the k most probable modes, all of them where there are fewer.
DEFINITIONS = {
    "minADE_k": "m; smallest mean displacement over the steps among the k most probable modes, mean over objects "
    "(nuScenes devkit; with k = 20 the best of 20 per pedestrian of Trajectron++, AgentFormer and others on ETH/UCY)",
    "minFDE_k": "m; smallest final displacement among the k most probable modes, mean over objects",
    "MissRate_2_k": "share of objects whose maximum pointwise displacement is 2 m or more in each of the k most "
    "probable modes (nuScenes devkit)",
    "Argoverse2_MissRate_k": "share of objects whose final displacement is over 2.0 m in each of the k most "
    "probable modes",
    "Argoverse2_brier_minFDE_k": "minFDE_k + (1 - p)^2, p the probability of the mode that ends closest after the "
    "probabilities of the k most probable modes are divided by their sum",
    "SocialGAN_best_of_20_ADE": "m; one of the 20 most probable ranks serves all pedestrians of a window of frames "
    "together, the one with the smallest sum of their ADE (Social GAN, scripts/evaluate_model.py)",
    "SocialGAN_best_of_20_FDE": "m; the same with FDE, which may choose another rank",
    NLL: "nats per step; -ln of the Gaussian mixture's density (1/m^2) at the true position, its log floored at "
    f"{metrics.LOG_DENSITY_FLOOR:g}, mean over the steps; {metrics.VARIANCE_FLOOR_M2:g} m^2 is added to each variance",
    "coverage_q_mixture_region": "share of objects whose true position at the horizon lies within the mixture's region "
    "of highest density that holds q % of it; q when calibrated",
    "coverage_q_top_mode_ellipse": "the same for the q % ellipse of the most probable mode",
    "coverage_q_closest_mode_ellipse": "the same for the q % ellipse of the mode whose mean is closest at the horizon",
    "ECE_top_mode": "expected calibration error, 10 bins of equal width: the most probable mode's probability against "
    "whether it has the smallest mean displacement of all modes",
    "ECE_all_modes": "the same over all modes of all objects",
    **manoeuvres.DEFINITIONS,
}


@dataclass(frozen=True, eq=False)
class Scores(StructOfArrays):
    """N scored objects, H horizons, K modes (most probable first).

    group, scene_id, frame, object_class (N,). known (N, H): whether the future is recorded up to the horizon.
    values: metric -> (N, H), NaN where it is unknown.
    share: region -> (N, H), the share of the prediction that is more probable than the truth.
    probability (N, K). closest (N, H): index of the closest mode; it means nothing where the future is not known.
    mean_m, final_m (N, K): ADE and FDE of every mode over all steps, NaN where unknown.
    step_error_m: "minADE_k" -> (N, T), the displacement at each step of the mode that minADE_k chose over all steps.
    speed_band, manoeuvre (N,): indices into manoeuvres.SPEED_BANDS and manoeuvres.MANOEUVRES; they mean nothing where
    the whole future is not recorded (not known[:, -1]). history_band (N,): into manoeuvres.HISTORY_BANDS.
    """

    group: NDArray[np.str_]
    scene_id: NDArray[np.str_]
    frame: IntArray
    object_class: NDArray[np.int8]
    known: BoolArray
    values: dict[str, FloatArray]
    share: dict[str, FloatArray]
    probability: FloatArray
    closest: IntArray
    mean_m: FloatArray
    final_m: FloatArray
    step_error_m: dict[str, FloatArray]
    speed_band: NDArray[np.int8]
    manoeuvre: NDArray[np.int8]
    history_band: NDArray[np.int8]


def score(windows: Windows, paths: ScoredPaths, group: str, *, whole_scene: bool) -> Scores:
    """Return every metric of paths against the futures of windows, row by row.

    whole_scene: see shown_for_s.
    """
    steps = horizon_steps(windows.future_time_s)
    count, modes = paths.probability.shape
    values = {name: np.full((count, len(steps)), np.nan) for name in METRICS}
    share = {name: np.full((count, len(steps)), np.nan) for name in REGIONS}
    closest = np.zeros((count, len(steps)), dtype=np.int64)
    known = np.zeros((count, len(steps)), dtype=np.bool_)
    mean_m, final_m = np.full((2, count, modes), np.nan)
    step_error_m = {f"minADE_{k}": np.full((count, steps[-1]), np.nan) for k in STEPWISE}
    speed_band, manoeuvre = np.zeros((2, count), dtype=np.int8)
    for column, end in enumerate(steps):
        rows = np.flatnonzero(windows.future_valid[:, :end].all(axis=1))
        truth_m, probability = windows.future_m[rows, :end], paths.probability[rows]
        predicted_m, covariance_m2 = paths.position_m[rows, :, :end], paths.covariance_m2[rows, :, :end]
        displacement_m = metrics.displacement(predicted_m, truth_m)
        for name, (function, k) in DISTANCE_METRICS.items():
            values[name][rows, column] = function(displacement_m, probability, k)
        values[NLL][rows, column] = metrics.mixture_nll(predicted_m, covariance_m2, probability, truth_m)
        here = predicted_m[:, :, -1:], covariance_m2[:, :, -1:]
        share["mixture_region"][rows, column] = metrics.mixture_share(*here, probability, truth_m[:, -1:])[:, 0]
        share["top_mode_ellipse"][rows, column] = metrics.top_mode_share(*here, probability, truth_m[:, -1:])[:, 0]
        share["closest_mode_ellipse"][rows, column] = metrics.closest_mode_share(*here, truth_m[:, -1:])[:, 0]
        closest[rows, column], known[rows, column] = metrics.closest_mode(displacement_m), True
        if end == steps[-1]:
            mean_m[rows], final_m[rows] = displacement_m.mean(axis=2), displacement_m[:, :, -1]
            for k in STEPWISE:
                step_error_m[f"minADE_{k}"][rows] = _of_best_mode(displacement_m, probability, k)
            seen = windows.position_m[rows, -1], truth_m, windows.future_time_s
            speed_band[rows], manoeuvre[rows] = manoeuvres.speed_band(*seen), manoeuvres.manoeuvre(*seen)
    return Scores(
        np.full(count, group), windows.scene_id, windows.frame, windows.object_class, known,
        values, share, paths.probability, closest, mean_m, final_m, step_error_m, speed_band, manoeuvre,
        manoeuvres.history_band(shown_for_s(windows, whole_scene=whole_scene)),
    )  # fmt: skip


def shown_for_s(windows: Windows, *, whole_scene: bool) -> FloatArray:
    """Return how long each object had been shown to a predictor (N,), in seconds.

    whole_scene: the predictor was shown the scene from its beginning; else the histories of the windows alone.
    """
    if whole_scene:
        return windows.seen_for_s
    first_s: FloatArray = windows.history_time_s[windows.observed.argmax(axis=1)]
    return -first_s


def _of_best_mode(displacement_m: FloatArray, probability: FloatArray, k: int) -> FloatArray:
    """(N, T) displacements of the mode with the smallest mean among the k most probable."""
    best = metrics.first_k(displacement_m.mean(axis=2), probability, k).argmin(axis=1)
    row = np.arange(len(best))
    chosen: FloatArray = displacement_m[row, metrics.ranked(probability)[row, best]]
    return chosen
