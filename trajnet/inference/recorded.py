"""Predictions that somebody else made and recorded, behind the interface of a predictor, to be scored like any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from trajnet.context.surroundings import Needs
from trajnet.errors import InputError
from trajnet.inference.guard import widened
from trajnet.tracking.store import Observations
from trajnet.types import FloatArray, IntArray, Prediction, Source

_VERSION = 1
_PER_ROW = ("position_m", "yaw_rad", "covariance_m2", "probability")


def save_recorded(predictions: Sequence[Prediction], path: Path) -> None:
    """Write predictions to an .npz file for RecordedPredictor.

    They are put on one grid: the commonest first time as step, as far as the longest goes. Paths that end earlier go
    straight on.
    """
    if not predictions:
        raise InputError(f"{path}: expected predictions to save, got none")
    first_s, often = np.unique([round(float(p.time_s[0]), 9) for p in predictions], return_counts=True)
    step_s = float(first_s[often.argmax()])
    reach_s = max(float(p.time_s[-1]) for p in predictions)
    time_s = np.arange(1, max(1, round(reach_s / step_s)) + 1, dtype=np.float64) * step_s
    modes = max(p.modes for p in predictions)
    alike = [widened(_on_times(p, time_s), modes) for p in predictions]
    values: dict[str, Any] = {
        "version": np.array(_VERSION),
        "time_s": time_s,
        "timestamp_ns": np.array([p.timestamp_ns for p in alike]),
        "count": np.array([len(p) for p in alike]),
        "track_id": np.array([t for p in alike for t in p.track_id]),
        **{name: np.concatenate([getattr(p, name) for p in alike]) for name in _PER_ROW},
    }
    np.savez(path, **values)


def _on_times(prediction: Prediction, time_s: FloatArray) -> Prediction:
    """Linear between the prediction's times; straight on, with the last heading and spread, beyond them."""
    own_s = prediction.time_s
    if np.array_equal(own_s, time_s):
        return prediction
    inside = np.stack([np.interp(time_s, own_s, one) for one in np.eye(len(own_s))], axis=1)
    straight = inside.copy()
    if len(own_s) > 1:
        beyond = np.maximum(time_s - own_s[-1], 0.0) / (own_s[-1] - own_s[-2])
        before = np.minimum(time_s - own_s[0], 0.0) / (own_s[1] - own_s[0])
        straight[:, -1] += beyond
        straight[:, -2] -= beyond
        straight[:, 1] += before
        straight[:, 0] -= before
    return replace(
        prediction,
        time_s=time_s,
        position_m=straight @ prediction.position_m,
        yaw_rad=prediction.yaw_rad @ inside.T,
        covariance_m2=np.einsum("tm,nkmij->nktij", inside, prediction.covariance_m2),
    )


class RecordedPredictor:
    """Looks up what was predicted for a track at a time. An object without a recorded path gets NaN, which a guard
    replaces and counts.

    Raises InputError where the file is missing or not one of save_recorded's.
    """

    name = "recorded"
    needs = Needs()

    def __init__(self, path: Path | str) -> None:
        path = Path(path)
        if not path.is_file():
            raise InputError(f"{path}: expected recorded predictions, got no such file")
        try:
            with np.load(path, allow_pickle=False) as file:
                values = {name: file[name] for name in file.files}
            if int(values["version"]) != _VERSION:
                raise InputError(
                    f"{path}: expected version {_VERSION} of recorded predictions, got {values['version']}"
                )
            self.time_s: FloatArray = values["time_s"]
            self._values = {name: values[name] for name in _PER_ROW}
            end = np.cumsum(values["count"])
            self._row: dict[tuple[int, str], int] = {}
            for stamp, first, last in zip(values["timestamp_ns"].tolist(), end - values["count"], end, strict=True):
                self._row.update({(stamp, str(values["track_id"][r])): int(r) for r in range(first, last)})
        except InputError:
            raise
        except Exception as error:  # NumPy's reader raises what its parsing stumbles over, a tokenizer's errors too
            raise InputError(f"{path}: expected recorded predictions, got another file: {error}") from error
        self.modes = int(self._values["probability"].shape[1])

    def predict(self, observations: Observations) -> Prediction:
        stamp = observations.timestamp_ns
        row = np.array([self._row.get((stamp, t), -1) for t in observations.track_id], dtype=np.int64)
        known = row >= 0

        def looked_up(name: str) -> FloatArray:
            stored = self._values[name]
            found = np.full((len(row), *stored.shape[1:]), np.nan)
            found[known] = stored[row[known]]
            return found

        count = len(row)
        return Prediction(
            timestamp_ns=stamp,
            track_id=observations.track_id,
            time_s=self.time_s,
            position_m=looked_up("position_m"),
            yaw_rad=looked_up("yaw_rad"),
            covariance_m2=looked_up("covariance_m2"),
            probability=looked_up("probability"),
            source=np.full(count, Source.MODEL, np.int8),
            age_s=np.zeros(count),
        )

    def forget(self, slots: IntArray) -> None:
        """Nothing to forget."""
