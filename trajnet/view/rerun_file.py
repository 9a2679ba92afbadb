"""A scene and its paths in rerun: as a recording (.rrd), which needs no screen, or in its viewer."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from trajnet.errors import DependencyError, InputError, install_advice
from trajnet.inference import Predictor
from trajnet.picture.palette import PATH
from trajnet.types import FloatArray, Prediction, Scene
from trajnet.view.moments import (
    EGO_IDS,
    HEIGHT_M,
    LEAST_PROBABILITY,
    Moment,
    class_rgb,
    map_lines,
    moments,
    origin_m,
    rgb,
    words,
)
from trajnet.whole_file import whole_file

#: The timeline: seconds from the scene's first frame.
TIMELINE = "scene_time"


def write_rerun(path: Path, scene: Scene, predictor: Predictor) -> int:
    """Write the recording, whole or not at all; return the number of frames. Raises DependencyError without rerun.

    It is made in memory: rerun's own writer waits for ever where a disk is full.
    """
    rerun = _rerun()
    recording = rerun.RecordingStream("trajnet", recording_id=f"{scene.scene_id} {predictor.name}")
    made = recording.memory_recording()
    count = _log(rerun, recording, scene, predictor)
    with whole_file(path) as part:
        part.write_bytes(made.drain_as_bytes())
    return count


def open_viewer(scene: Scene, predictor: Predictor) -> int:
    """Show the scene in rerun's viewer; return the number of frames. Raises InputError where there is no screen."""
    rerun = _rerun()
    if not any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")):
        raise InputError("view: expected a screen for rerun's viewer, got none; --save FILE.rrd or --mcap FILE.mcap")
    recording = rerun.RecordingStream("trajnet", recording_id=f"{scene.scene_id} {predictor.name}")
    recording.spawn()
    count = _log(rerun, recording, scene, predictor)
    recording.flush()
    return count


def _rerun() -> Any:
    try:
        import rerun
    except ImportError as error:
        raise DependencyError(f"view needs rerun-sdk; run: {install_advice('view')}") from error
    return rerun


def _log(rerun: Any, recording: Any, scene: Scene, predictor: Predictor) -> int:
    origin = origin_m(scene)
    recording.log("world", rerun.ViewCoordinates.RIGHT_HAND_Z_UP, static=True)
    about = f"{scene.scene_id}, {predictor.name}; 0 is at x {origin[0]:.0f}, y {origin[1]:.0f} m of the map"
    recording.log("about", rerun.TextDocument(about), static=True)
    lines = [_flat(line_m - origin) for line_m in map_lines(scene)]
    if lines:
        recording.log("world/map", rerun.LineStrips3D(lines, colors=[150, 150, 150], radii=0.06), static=True)
    for moment in moments(scene, predictor):
        since_start_ns = int(scene.timestamp_ns[moment.index] - scene.timestamp_ns[0])
        recording.set_time(TIMELINE, duration=np.timedelta64(since_start_ns, "ns"))
        _log_objects(rerun, recording, moment, origin)
        _log_paths(rerun, recording, moment.prediction, predictor.modes, origin)
    return scene.frame_count


def _log_objects(rerun: Any, recording: Any, moment: Moment, origin: FloatArray) -> None:
    now = moment.now
    colours = [class_rgb(int(kind)) for kind in now.object_class]
    high_m = np.array([HEIGHT_M[int(kind)] for kind in now.object_class], dtype=np.float64)
    half_yaw_rad = 0.5 * np.where(now.yaw_valid, now.yaw_rad, 0.0)
    turns = np.stack([0 * half_yaw_rad, 0 * half_yaw_rad, np.sin(half_yaw_rad), np.cos(half_yaw_rad)], axis=1)
    boxes = {
        "centers": np.column_stack([now.position_m - origin, 0.5 * high_m]),
        "half_sizes": 0.5 * np.column_stack([now.size_m, high_m]),
        "quaternions": turns,
        "colors": np.array(colours, dtype=np.uint8).reshape(-1, 3),
    }
    ego = np.isin(now.track_id, EGO_IDS)
    labels = np.array([words(now, row, moment.prediction) for row in range(len(now))], dtype=object)
    for name, rows in (("objects", ~ego), ("ego", ego)):
        if name == "objects" or rows.any():
            chosen = {key: values[rows] for key, values in boxes.items()}
            recording.log(f"world/{name}", rerun.Boxes3D(**chosen, labels=labels[rows].tolist(), show_labels=False))
    histories = [_flat(line_m - origin) for line_m in moment.history_m]
    recording.log("world/history", rerun.LineStrips3D(histories, colors=colours, radii=0.1))


def _log_paths(rerun: Any, recording: Any, prediction: Prediction | None, modes: int, origin: FloatArray) -> None:
    """Log a line for each path, in an entity for each rank: 0 has the most probable ones."""
    for rank in range(modes):
        lines, colours, radii, labels = [], [], [], []
        for row in range(0 if prediction is None else len(prediction)):
            assert prediction is not None  # there is a row
            share = float(prediction.probability[row, rank])
            if share >= LEAST_PROBABILITY or rank == 0:
                lines.append(_flat(prediction.position_m[row, rank] - origin))
                colours.append([*rgb(PATH), round(255 * (0.25 + 0.75 * share))])
                radii.append(0.06 + 0.2 * share)
                labels.append(f"{share:.0%}")
        drawn = rerun.LineStrips3D(lines, colors=colours, radii=radii, labels=labels, show_labels=False)
        recording.log(f"world/paths/{rank}", drawn)


def _flat(points_m: FloatArray) -> FloatArray:
    """Return points (P, 2) a little above the ground (P, 3)."""
    return np.column_stack([points_m, np.full(len(points_m), 0.05)])
