"""Predicted paths on the times that a benchmark scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trajnet.arrays import StructOfArrays
from trajnet.errors import ContractError
from trajnet.inference.resample import SLACK_S, Resampler
from trajnet.types import FloatArray, IntArray, Prediction

#: Standard deviation of the present position, from which interpolated covariances grow; that of exported graphs.
PRESENT_SIGMA_M = 0.1


@dataclass(frozen=True, eq=False)
class ScoredPaths(StructOfArrays):
    """What was predicted for N objects: K modes, most probable first, at the T times of the benchmark.

    position_m (N, K, T, 2): map frame. covariance_m2 (N, K, T, 2, 2). probability (N, K).
    source (N,), expert (N,): as in Prediction, the expert that of the most probable mode.
    """

    position_m: FloatArray
    covariance_m2: FloatArray
    probability: FloatArray
    source: NDArray[np.int8]
    expert: NDArray[np.int8] | None = None


def horizon_steps(time_s: FloatArray) -> list[int]:
    """How many steps each reported horizon takes: the whole seconds among time_s, and the last time."""
    whole = np.abs(time_s - np.round(time_s)) < 1e-6
    whole[-1] = True
    return [int(i) + 1 for i in np.flatnonzero(whole)]


def require_horizon(name: str, model_time_s: FloatArray, time_s: FloatArray) -> None:
    """Raise ContractError if a predictor with these times does not reach the last time that is scored."""
    if model_time_s[-1] < time_s[-1] - SLACK_S:
        raise ContractError(
            f"model {name}: predicts {model_time_s[-1]:g} s ahead, {time_s[-1]:g} s are scored; "
            "use a model with a longer horizon (for scenes, --horizon also sets a shorter one)"
        )


def paths_at(prediction: Prediction, rows: slice | IntArray, current_m: FloatArray, time_s: FloatArray) -> ScoredPaths:
    """Return the rows of the prediction at time_s (T,), which lie within its own times.

    current_m (N, 2): where the objects of these rows are at time 0. Where a predictor has other times, its paths are
    resampled (trajnet.inference.resample), with covariances from PRESENT_SIGMA_M at time 0: what an exported graph does
    for times of its own.
    """
    best = prediction.best_first()
    at = Resampler(prediction.time_s, time_s)
    present_m2 = np.broadcast_to(PRESENT_SIGMA_M**2 * np.eye(2), (len(current_m), 2, 2))
    return ScoredPaths(
        at.positions(current_m, best.position_m[rows]),
        at.covariances(present_m2, best.covariance_m2[rows]),
        best.probability[rows],
        best.source[rows],
        None if best.expert is None else best.expert[rows, 0],
    )
