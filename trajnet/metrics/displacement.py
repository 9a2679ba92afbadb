"""Metrics of displacement and of mode probabilities; the package describes shapes, units and the ranking of modes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajnet.errors import InputError
from trajnet.metrics._checks import checked_displacement, checked_probability, finite
from trajnet.types import BoolArray, FloatArray, IntArray


def displacement(predicted_m: FloatArray, truth_m: FloatArray) -> FloatArray:
    """Return distances in m between predicted_m (N, K, T, 2) and truth_m (N, T, 2), both in one frame -> (N, K, T)."""
    predicted_m = finite("predicted_m", predicted_m, (None, None, None, 2))
    objects, _, steps, _ = predicted_m.shape
    offset_m = predicted_m - finite("truth_m", truth_m, (objects, steps, 2))[:, None]
    distance_m: FloatArray = np.hypot(offset_m[..., 0], offset_m[..., 1])
    return distance_m


def ranked(probability: FloatArray) -> IntArray:
    """Return mode indices (N, K) by decreasing probability (N, K); ties keep their order."""
    return np.argsort(-np.asarray(probability, dtype=np.float64), axis=1, kind="stable")


def first_k(values: FloatArray, probability: FloatArray, k: int) -> FloatArray:
    """Select values (N, K) of the k most probable modes, most probable first -> (N, min(k, K))."""
    if k < 1:
        raise InputError(f"k: expected a number of modes of at least 1, got {k}")
    values = finite("values", values, (None, None))
    return np.take_along_axis(values, ranked(checked_probability(probability, *values.shape))[:, :k], axis=1)


def min_ade(displacement_m: FloatArray, probability: FloatArray, k: int) -> FloatArray:
    """Return minADE_k in m: the smallest mean displacement over time among the k most probable modes -> (N,).

    nuScenes devkit, eval/prediction (MinADEK); ETH/UCY's best of 20 per pedestrian is this with k = 20.
    """
    minimum: FloatArray = first_k(checked_displacement(displacement_m).mean(axis=2), probability, k).min(axis=1)
    return minimum


def min_fde(displacement_m: FloatArray, probability: FloatArray, k: int) -> FloatArray:
    """Return minFDE_k in m: the smallest final displacement among the k most probable modes -> (N,).

    nuScenes devkit, eval/prediction (MinFDEK); the mode may differ from minADE_k's.
    """
    minimum: FloatArray = first_k(checked_displacement(displacement_m)[:, :, -1], probability, k).min(axis=1)
    return minimum


def nuscenes_miss(
    displacement_m: FloatArray, probability: FloatArray, k: int, *, threshold_m: float = 2.0
) -> BoolArray:
    """Return MissRate_2_k's misses: MAXIMUM displacement >= threshold_m in all k most probable modes -> (N,).

    nuScenes devkit, eval/prediction (MissRateTopK).
    """
    nearest_m = first_k(checked_displacement(displacement_m).max(axis=2), probability, k).min(axis=1)
    missed: BoolArray = nearest_m >= threshold_m
    return missed


def argoverse2_miss(
    displacement_m: FloatArray, probability: FloatArray, k: int, *, threshold_m: float = 2.0
) -> BoolArray:
    """Return Argoverse 2's misses: FINAL displacement > threshold_m in all k most probable modes -> (N,).

    Argoverse 2 API, motion_forecasting/eval/metrics.py (compute_is_missed_prediction).
    """
    missed: BoolArray = min_fde(displacement_m, probability, k) > threshold_m
    return missed


def brier_min_fde(displacement_m: FloatArray, probability: FloatArray, k: int) -> FloatArray:
    """Return Argoverse 2's brier-minFDE: minFDE_k + (1 - p)^2, p the probability of the best mode -> (N,).

    Argoverse 2 API (compute_brier_fde), which also adds metres and a number without unit. Its submissions have six
    modes whose probabilities sum to 1, so the probabilities of the k most probable modes are normalised here.
    """
    final_m = first_k(checked_displacement(displacement_m)[:, :, -1], probability, k)
    kept = first_k(probability, probability, k)
    kept = kept / kept.sum(axis=1, keepdims=True)
    best = final_m.argmin(axis=1)[:, None]
    score: FloatArray = (np.take_along_axis(final_m, best, 1) + (1.0 - np.take_along_axis(kept, best, 1)) ** 2)[:, 0]
    return score


def social_gan_best_of(error_m: FloatArray, sequence: NDArray[Any]) -> float:
    """Return the best-of-K error in m as defined by Social GAN's evaluate_model.py.

    error_m (N, K): ADE or FDE of each pedestrian under each joint sample. sequence (N,): the window of frames that
    a pedestrian belongs to. For each sequence the errors of its pedestrians are summed per sample and the smallest sum
    is taken; the total over all sequences is divided by N. So all pedestrians of a sequence share one sample, while ADE
    and FDE may use different ones. Later papers take the minimum per pedestrian: min_ade and min_fde with k = 20, which
    is never larger.
    """
    error_m = finite("error_m", error_m, (None, None))
    if np.shape(sequence) != (len(error_m),) or not error_m.size:
        raise InputError(f"sequence: expected one for each of {len(error_m)} pedestrians, got {np.shape(sequence)}")
    names, index = np.unique(sequence, return_inverse=True)
    total_m = np.zeros((len(names), error_m.shape[1]))
    np.add.at(total_m, index.ravel(), error_m)
    return float(total_m.min(axis=1).sum() / len(error_m))


def closest_mode(displacement_m: FloatArray) -> IntArray:
    """Return the index of the mode with the smallest mean displacement -> (N,); the first one on ties."""
    closest: IntArray = checked_displacement(displacement_m).mean(axis=2).argmin(axis=1)
    return closest


def expected_calibration_error(confidence: FloatArray, correct: BoolArray, *, bins: int = 10) -> float:
    """Return the expected calibration error: sum over bins of n_b / n |mean confidence - share correct|.

    confidence (n,) in [0, 1], correct (n,). Bins have equal width and include their upper edge; empty bins count as 0.
    Guo et al. 2017, "On Calibration of Modern Neural Networks", equation 3.
    For mode probabilities: confidence is the most probable mode's, correct says whether it is closest_mode (the "top
    mode" error); or all modes of all objects with whether each is closest (the "all modes" error).
    """
    if not np.size(confidence):
        raise InputError("confidence: expected at least one, got none")
    return calibration_error_of(reliability_sums(confidence, correct, bins=bins))


def calibration_error_of(sums: FloatArray) -> float:
    """Return the expected calibration error from reliability_sums (3, bins) of some objects."""
    count, mean, share = reliability_of(sums)
    filled = count > 0
    return float((count[filled] * np.abs(mean[filled] - share[filled])).sum() / count.sum())


def reliability_sums(confidence: FloatArray, correct: BoolArray, *, bins: int = 10) -> FloatArray:
    """Return the count, the sum of confidences and the number correct of each bin, (3, bins), to be added up.

    confidence, correct and the bins as in expected_calibration_error.
    """
    confidence = finite("confidence", confidence, (None,))
    correct = np.asarray(correct, dtype=np.bool_)
    if correct.shape != confidence.shape:
        raise InputError(f"correct: expected one for each of {len(confidence)} confidences, got shape {correct.shape}")
    if confidence.min(initial=0.0) < 0 or confidence.max(initial=0.0) > 1 + 1e-6:
        raise InputError(f"confidence: expected values in [0, 1], got {confidence.min()} to {confidence.max()}")
    # The small offset keeps 0.3 in (0.2, 0.3] although 0.3 * 10 rounds to above 3.
    place = np.clip(np.ceil(confidence * bins - 1e-9).astype(np.int64) - 1, 0, bins - 1)
    weights = (None, confidence, correct)
    return np.array([np.bincount(place, weights=w, minlength=bins) for w in weights], dtype=np.float64)


def reliability_of(sums: FloatArray) -> tuple[IntArray, FloatArray, FloatArray]:
    """Return a reliability table: count, mean confidence and share correct of each bin, each (bins,).

    sums: reliability_sums (3, bins). mean and share are NaN for an empty bin.
    """
    with np.errstate(invalid="ignore"):
        mean, share = sums[1:] / sums[0]
    return sums[0].astype(np.int64), mean, share
