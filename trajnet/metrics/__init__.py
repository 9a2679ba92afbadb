"""Metrics of predicted paths: pure functions, vectorised over N objects, K modes and T steps.

Shapes and units: displacement_m (N, K, T), distances between predicted and true positions in metres; probability
(N, K), rows that sum to 1. Metrics are returned per object, so that the caller chooses the objects to average over.
Definitions differ between benchmarks; each function names the one that it follows. Modes are ranked by decreasing
probability, ties by their index; with fewer than k modes, all of them count.

Every function raises InputError for shapes that do not match and for NaN or infinity.
"""

from trajnet.metrics.consistency import SAME_MANOEUVRE_M, common_steps, mode_flip, moved_on, path_jump
from trajnet.metrics.displacement import (
    argoverse2_miss,
    brier_min_fde,
    calibration_error_of,
    closest_mode,
    displacement,
    expected_calibration_error,
    first_k,
    min_ade,
    min_fde,
    nuscenes_miss,
    ranked,
    reliability_of,
    reliability_sums,
    social_gan_best_of,
)
from trajnet.metrics.energy import half_energy_distance_m
from trajnet.metrics.gaussian import (
    COVERAGE_LEVELS,
    LOG_DENSITY_FLOOR,
    VARIANCE_FLOOR_M2,
    closest_mode_share,
    ellipse_share,
    mixture_log_density,
    mixture_nll,
    mixture_share,
    top_mode_share,
)

__all__ = [
    "COVERAGE_LEVELS",
    "LOG_DENSITY_FLOOR",
    "SAME_MANOEUVRE_M",
    "VARIANCE_FLOOR_M2",
    "argoverse2_miss",
    "brier_min_fde",
    "calibration_error_of",
    "closest_mode",
    "closest_mode_share",
    "common_steps",
    "displacement",
    "ellipse_share",
    "expected_calibration_error",
    "first_k",
    "half_energy_distance_m",
    "min_ade",
    "min_fde",
    "mixture_log_density",
    "mixture_nll",
    "mixture_share",
    "mode_flip",
    "moved_on",
    "nuscenes_miss",
    "path_jump",
    "ranked",
    "reliability_of",
    "reliability_sums",
    "social_gan_best_of",
    "top_mode_share",
]
