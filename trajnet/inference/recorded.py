"""Recorded predictions of other software behind the Predictor interface, so that they can be scored alike."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trajnet.errors import InputError
from trajnet.inference.base import BasePredictor
from trajnet.inference.resample import on_times
from trajnet.tracking.store import Observations
from trajnet.types import FloatArray, Prediction, Source
from trajnet.whole_file import whole_file

_VERSION = 1


def save_recorded(predictions: Sequence[Prediction], path: Path) -> None:
    """Write predictions to an .npz file for RecordedPredictor.

    They are resampled to one time grid: its step is the most frequent first time, its end that of the longest path.
    Shorter paths are continued in a straight line. Raises InputError if there are none.
    """
    if not predictions:
        raise InputError(f"{path}: expected predictions to save, got none")
    first_s, often = np.unique([round(float(p.time_s[0]), 9) for p in predictions], return_counts=True)
    step_s = float(first_s[often.argmax()])
    reach_s = max(float(p.time_s[-1]) for p in predictions)
    time_s = np.arange(1, max(1, round(reach_s / step_s)) + 1, dtype=np.float64) * step_s
    modes = max(p.modes for p in predictions)
    alike = [on_times(p, time_s).with_modes(modes) for p in predictions]
    values: dict[str, Any] = {
        "version": np.array(_VERSION),
        "time_s": time_s,
        "timestamp_ns": np.array([p.timestamp_ns for p in alike]),
        "count": np.array([len(p) for p in alike]),
        "track_id": np.array([t for p in alike for t in p.track_id]),
        **{name: np.concatenate([getattr(p, name) for p in alike]) for name in Prediction.PER_MODE},
    }
    with whole_file(path) as part:
        np.savez(part, **values)


class RecordedPredictor(BasePredictor):
    """Returns the prediction that was recorded for each track at the frame's timestamp.

    Objects without a recorded path get NaN, which a guard replaces and counts.
    Raises InputError where the file is missing or not one of save_recorded's.
    """

    name = "recorded"

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
            self._values = {name: values[name] for name in Prediction.PER_MODE}
            end = np.cumsum(values["count"])
            self._row: dict[tuple[int, str], int] = {}
            for stamp, first, last in zip(values["timestamp_ns"].tolist(), end - values["count"], end, strict=True):
                self._row.update({(stamp, str(values["track_id"][r])): int(r) for r in range(first, last)})
        except InputError:
            raise
        except Exception as error:  # NumPy's reader raises many types on malformed files, even tokenizer errors
            raise InputError(f"{path}: expected recorded predictions, got another file: {error}") from error
        self.modes = int(self._values["probability"].shape[1])

    def predict(self, observations: Observations) -> Prediction:
        stamp = observations.timestamp_ns
        rows = [self._row.get((stamp, track_id)) for track_id in observations.track_id]
        known = np.array([row is not None for row in rows], dtype=np.bool_)
        stored_row = np.array([row for row in rows if row is not None], dtype=np.int64)

        def looked_up(name: str) -> FloatArray:
            stored = self._values[name]
            found = np.full((len(rows), *stored.shape[1:]), np.nan)
            found[known] = stored[stored_row]
            return found

        count = len(rows)
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
