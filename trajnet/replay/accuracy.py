"""How far the paths of a replay were from what the recorded objects did next."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from trajnet.datasets.windows import windows_of_scene
from trajnet.metrics import closest_mode, min_ade, min_fde, ranked
from trajnet.replay.replay import Replay
from trajnet.types import CLASS_NAMES, FloatArray, IntArray

#: An object counts as moving if it ends up this far from where it is now; the rest is parked or waits.
MOVING_M = 2.0


@dataclass(frozen=True)
class PathErrors:
    """Errors of one predictor over every observed object whose whole future is recorded.

    horizon_s: up to where paths are compared: the predictor's own horizon, but not beyond half the scene.
    groups: "all", "moving" (ends MOVING_M or more away) and each class -> {"count", "minADE_1", "minFDE_1", "minADE_K",
    "minFDE_K"} in metres, as trajnet.metrics defines them, K the number of modes.
    time_s (T,), error_1_m (T,), error_k_m (T,): mean error at each future time of the most probable mode, and of the
    mode whose mean error is lowest.
    """

    predictor: str
    modes: int
    horizon_s: float
    groups: dict[str, dict[str, float]] = field(default_factory=dict)
    time_s: tuple[float, ...] = ()
    error_1_m: tuple[float, ...] = ()
    error_k_m: tuple[float, ...] = ()


def path_errors(replay: Replay) -> PathErrors:
    """Compare every kept path with the recorded future (linear between observations, no gap above 1 s)."""
    scene, time_s = replay.scene, replay.time_s
    limit_s = max(0.5 * scene.duration_s, float(time_s[0]))
    steps = int((time_s <= limit_s + 1e-9).sum())
    rows = _rows(replay)
    windows = windows_of_scene(scene, rows, np.zeros(1), time_s[:steps])
    known = windows.future_valid.all(axis=1)
    true_m = windows.future_m - scene.position_m[rows][:, None]
    distance_m = _distances(replay, true_m)[known]
    probability = np.concatenate([p.probability for p in replay.paths])[known].astype(np.float64)
    if not known.any():
        return PathErrors(replay.predictor_name, replay.modes, float(time_s[steps - 1]))
    kinds = scene.object_class[scene.row_track[rows]][known]
    groups = {"all": np.ones(len(kinds), dtype=np.bool_), "moving": np.hypot(*true_m[known, -1].T) >= MOVING_M}
    groups |= {CLASS_NAMES[c]: kinds == c for c in np.unique(kinds)}
    row = np.arange(len(kinds))
    return PathErrors(
        predictor=replay.predictor_name,
        modes=replay.modes,
        horizon_s=float(time_s[steps - 1]),
        groups={name: _group(distance_m[mask], probability[mask]) for name, mask in groups.items() if mask.any()},
        time_s=tuple(time_s[:steps].tolist()),
        error_1_m=tuple(distance_m[row, ranked(probability)[:, 0]].mean(axis=0).tolist()),
        error_k_m=tuple(distance_m[row, closest_mode(distance_m)].mean(axis=0).tolist()),
    )


def _rows(replay: Replay) -> IntArray:
    """Return the scene's rows that the kept paths belong to, in their order."""
    return np.concatenate([replay.scene.rows_of_frame(p.frame).start + np.arange(len(p.track)) for p in replay.paths])


def _distances(replay: Replay, true_m: FloatArray) -> FloatArray:
    """(rows, K, T): how far each mode is from the recorded future."""
    steps = true_m.shape[1]
    distance_m = np.empty((len(true_m), replay.modes, steps))
    begin = 0
    for paths in replay.paths:
        end = begin + len(paths.track)
        off = paths.offset_m[:, :, :steps] - true_m[begin:end, None]
        distance_m[begin:end] = np.hypot(off[..., 0], off[..., 1])
        begin = end
    return distance_m


def _group(distance_m: FloatArray, probability: FloatArray) -> dict[str, float]:
    errors: dict[str, float] = {"count": len(distance_m)}
    for k in sorted({1, distance_m.shape[1]}):
        errors[f"minADE_{k}"] = float(min_ade(distance_m, probability, k).mean())
        errors[f"minFDE_{k}"] = float(min_fde(distance_m, probability, k).mean())
    return errors
