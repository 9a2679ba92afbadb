"""Predicted paths on the times that a benchmark scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from trajnet.errors import ContractError
from trajnet.geometry import interpolation_matrix
from trajnet.types import FloatArray, IntArray, Prediction

_SLACK_S = 1e-6

#: Standard deviation of the present position, from which interpolated covariances grow; that of exported graphs.
PRESENT_SIGMA_M = 0.1


@dataclass(frozen=True, eq=False)
class Paths:
    """What was predicted for N objects: K modes, most probable first, at the T times of the benchmark.

    position_m (N, K, T, 2): map frame. covariance_m2 (N, K, T, 2, 2). probability (N, K).
    """

    position_m: FloatArray
    covariance_m2: FloatArray
    probability: FloatArray

    def __len__(self) -> int:
        return len(self.probability)


def horizon_steps(time_s: FloatArray) -> list[int]:
    """How many steps each reported horizon takes: the whole seconds among time_s, and the last time."""
    whole = np.abs(time_s - np.round(time_s)) < 1e-6
    whole[-1] = True
    return [int(i) + 1 for i in np.flatnonzero(whole)]


def require_horizon(name: str, model_time_s: FloatArray, time_s: FloatArray) -> None:
    """Raise ContractError if a predictor with these times does not reach the last time that is scored."""
    if model_time_s[-1] < time_s[-1] - _SLACK_S:
        raise ContractError(
            f"model {name}: predicts {model_time_s[-1]:g} s ahead, {time_s[-1]:g} s are scored; "
            "use a model with a longer horizon (for scenes, --horizon also sets a shorter one)"
        )


def paths_at(prediction: Prediction, rows: slice | IntArray, current_m: FloatArray, time_s: FloatArray) -> Paths:
    """The rows of the prediction at time_s (T,), which lie within its own times.

    current_m (N, 2): where the objects of these rows are at time 0. Where a predictor has other times, positions are
    interpolated by Catmull-Rom through the current position and the predicted ones, covariances linearly from
    PRESENT_SIGMA_M at time 0, which keeps them positive definite: what an exported graph does for times of its own.
    """
    chosen = prediction.best_first()
    position_m, covariance_m2 = chosen.position_m[rows], chosen.covariance_m2[rows]
    place = np.abs(prediction.time_s[:, None] - time_s).argmin(axis=0)
    if np.abs(prediction.time_s[place] - time_s).max() <= _SLACK_S:
        return Paths(position_m[:, :, place], covariance_m2[:, :, place], chosen.probability[rows])
    knot_s = np.concatenate([[0.0], prediction.time_s])
    moved_m = position_m - current_m[:, None, None]
    moved_m = np.concatenate([np.zeros_like(moved_m[:, :, :1]), moved_m], axis=2)
    present_m2 = np.broadcast_to(PRESENT_SIGMA_M**2 * np.eye(2), covariance_m2[:, :, :1].shape)
    spread_m2 = np.concatenate([present_m2, covariance_m2], axis=2)
    linear = _linear_matrix(knot_s, time_s)
    return Paths(
        current_m[:, None, None] + interpolation_matrix(knot_s, time_s) @ moved_m,
        np.einsum("tm,nkmij->nktij", linear, spread_m2),
        chosen.probability[rows],
    )


def joined(parts: Sequence[Paths]) -> Paths:
    """The rows of all parts, which have the same modes and times."""
    return Paths(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Paths)))


def _linear_matrix(knot_s: FloatArray, time_s: FloatArray) -> FloatArray:
    """(T, M) weights of linear interpolation between knot_s (M,)."""
    return np.stack([np.interp(time_s, knot_s, unit) for unit in np.eye(len(knot_s))], axis=1)
