"""Structs of arrays as columns, and columns as data frames of the library that the user asks for."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajnet.errors import DependencyError, InputError
from trajnet.types import CLASS_NAMES, Expert, Prediction, Scene, Source

SOURCE_NAMES: tuple[str, ...] = tuple(source.name.lower() for source in Source)
EXPERT_NAMES: tuple[str, ...] = tuple(expert.name.lower() for expert in Expert)

#: Library -> what makes a data frame of columns there.
_MAKERS: dict[str, Callable[[Any, dict[str, NDArray[Any]]], Any]] = {
    "pandas": lambda pandas, columns: pandas.DataFrame(columns),
    "polars": lambda polars, columns: polars.DataFrame({n: _listed(v) for n, v in columns.items()}),
    "pyarrow": lambda pyarrow, columns: pyarrow.table({n: _listed(v) for n, v in columns.items()}),
}


def _listed(values: NDArray[Any]) -> Any:
    """Return a column with None, not NaN, where a value is missing: Arrow and polars have nulls."""
    if values.dtype == object:
        return values.tolist()
    if values.dtype.kind == "f" and np.isnan(values).any():
        return [None if math.isnan(v) else v for v in values.tolist()]
    return values


def data_frame(columns: dict[str, NDArray[Any]], library: str) -> Any:
    """Return the columns as a data frame of pandas, polars or pyarrow.

    Raises InputError for another library, DependencyError where it is not installed.
    """
    if library not in _MAKERS:
        raise InputError(f"library: expected {', '.join(_MAKERS)}, got {library!r}")
    return _MAKERS[library](import_or_say(library, "a data frame"), columns)


def import_or_say(library: str, what: str) -> Any:
    """Return an optional library's module. Raises DependencyError that names the extra."""
    try:
        return importlib.import_module(library)
    except ImportError as error:
        raise DependencyError(
            f"{what} of {library} needs {library}, which is not installed; run: pip install 'trajnet-av[frames]'"
        ) from error


def scene_columns(scene: Scene) -> dict[str, NDArray[Any]]:
    """Return a row for each object and frame, in the columns that a table of one's own has; NaN where unknown."""
    track = scene.row_track
    velocity_mps = np.where(scene.velocity_valid[:, None], scene.velocity_mps, np.nan)
    return {
        "timestamp_ns": scene.timestamp_ns[scene.row_frame],
        "track_id": np.array(scene.track_id, dtype=object)[track],
        "object_class": np.array(CLASS_NAMES, dtype=object)[scene.object_class[track]],
        "position_x": scene.position_m[:, 0],
        "position_y": scene.position_m[:, 1],
        "heading": np.where(scene.yaw_valid, scene.yaw_rad, np.nan),
        "velocity_x": velocity_mps[:, 0],
        "velocity_y": velocity_mps[:, 1],
        "length": scene.size_m[track, 0],
        "width": scene.size_m[track, 1],
        "frame_number": scene.frame_number[scene.row_frame],
        "is_target": scene.is_target,
    }


def prediction_columns(prediction: Prediction) -> dict[str, NDArray[Any]]:
    """Return a row for each object, mode and future time; modes as they are in the prediction.

    time_s counts from timestamp_ns; x, y in m and yaw in rad in the map frame; xx, xy, yy: covariance of x, y in m^2;
    source: model, physics, stale or judged; age_s: time since the observation that the path is based on;
    expert: who predicted the mode, None for physics, stale or not, and where predictions do not judge themselves.
    """
    objects, modes, steps = len(prediction), prediction.modes, len(prediction.time_s)
    row = np.repeat(np.arange(objects), modes * steps)
    covariance_m2 = prediction.covariance_m2.reshape(-1, 4)
    return {
        "timestamp_ns": np.full(len(row), prediction.timestamp_ns, np.int64),
        "track_id": np.array(prediction.track_id, dtype=object)[row],
        "mode": np.tile(np.repeat(np.arange(modes), steps), objects),
        "probability": np.repeat(prediction.probability.ravel(), steps),
        "time_s": np.tile(prediction.time_s, objects * modes),
        "x": prediction.position_m[..., 0].ravel(),
        "y": prediction.position_m[..., 1].ravel(),
        "yaw": prediction.yaw_rad.ravel(),
        "covariance_xx": covariance_m2[:, 0].copy(),
        "covariance_xy": covariance_m2[:, 1].copy(),
        "covariance_yy": covariance_m2[:, 3].copy(),
        "source": np.array(SOURCE_NAMES, dtype=object)[prediction.source][row],
        "age_s": prediction.age_s[row],
        "expert": _experts(prediction),
    }


def _experts(prediction: Prediction) -> NDArray[Any]:
    """Return who predicted the mode of each row; None for physics and where predictions do not judge themselves."""
    objects, modes, steps = len(prediction), prediction.modes, len(prediction.time_s)
    if prediction.expert is None:
        return np.full(objects * modes * steps, None, dtype=object)
    names: NDArray[Any] = np.array(EXPERT_NAMES, dtype=object)[prediction.expert]
    names[prediction.expert == Expert.UNKNOWN] = None
    return np.repeat(names.ravel(), steps)


def prediction_dataset(prediction: Prediction) -> Any:
    """Return the prediction as an xarray.Dataset over track_id, mode, time_s and axis.

    source and expert are names; expert is "unknown" in rows of physics, and everywhere if nothing judges itself.
    Raises DependencyError without xarray.
    """
    xarray = import_or_say("xarray", "a data set")
    path = ("track_id", "mode", "time_s")
    unjudged = np.full(prediction.probability.shape, Expert.UNKNOWN)
    expert = unjudged if prediction.expert is None else prediction.expert
    return xarray.Dataset(
        {
            "position_m": ((*path, "axis"), prediction.position_m),
            "yaw_rad": (path, prediction.yaw_rad),
            "covariance_m2": ((*path, "axis", "axis_2"), prediction.covariance_m2),
            "probability": (("track_id", "mode"), prediction.probability),
            "source": (("track_id",), np.array(SOURCE_NAMES)[prediction.source]),
            "age_s": (("track_id",), prediction.age_s),
            "expert": (("track_id", "mode"), np.array(EXPERT_NAMES)[expert]),
        },
        coords={
            "track_id": list(prediction.track_id),
            "mode": np.arange(prediction.modes),
            "time_s": prediction.time_s,
            "axis": ["x", "y"],
            "axis_2": ["x", "y"],
        },
        attrs={"timestamp_ns": prediction.timestamp_ns},
    )
