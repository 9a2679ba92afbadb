"""The figures of Waymo's motion prediction challenge: by class, after 3, 5 and 8 s.

They differ from the general ones in what they do where a true position is missing: minADE is the mean over the recorded
steps, and minFDE, misses and mAP take the objects that are recorded at that very time. A predictor's six most probable
paths count, their probabilities divided by their sum. overlap: whether the most probable path's box meets the true box
of an object that was there at the present step, at any step so far at which the predicted object itself is recorded:
elsewhere Waymo's boxes have no size. A box keeps the track's size.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from trajnet.datasets.files import load_scene
from trajnet.datasets.window_context import files_of_scenes
from trajnet.errors import InputError
from trajnet.evaluate.runner import SavedPaths
from trajnet.metrics import womd
from trajnet.metrics.womd import THRESHOLDS
from trajnet.types import CLASS_NAMES, BoolArray, FloatArray, IntArray, Scene

#: Paths that count, and steps of 0.1 s from one of theirs to the next.
MODES, STRIDE = 6, 5
#: The last predicted step of each horizon.
STEPS = tuple(round(threshold.time_s * 2) for threshold in THRESHOLDS)
#: What is averaged over objects; NaN where an object has no true position then.
MEANS = ("minADE", "minFDE", "MissRate", "OverlapRate")
MAPS = ("mAP", "soft_mAP")

DEFINITIONS = {
    "minADE": "m; smallest mean displacement over the recorded steps (0.5 s apart) of the six most probable paths",
    "minFDE": "m; smallest displacement at the horizon of the six",
    "MissRate": "share of objects with none of the six within the thresholds along and across the true heading at the "
    "horizon (3 s: 2 and 1 m, 5 s: 3.6 and 1.8 m, 8 s: 6 and 3 m), scaled by 0.5 at 1.4 m/s to 1 at 11 m/s",
    "OverlapRate": "share of objects whose most probable path meets another object's true box up to the horizon",
    "mAP": "mean over the shapes of true paths of the average precision of the six by their probability (PASCAL VOC); "
    "of an object's hits the most probable is right, further ones are wrong",
    "soft_mAP": "the same with further hits left out",
}


class _Object(NamedTuple):
    """What is known of one object at the H horizons. values (H, 4): of MEANS. confidence (K,), hit (H, K).

    known (H,): whether it is recorded at the horizon. shape: index in SHAPES, -1 without a recorded future.
    """

    object_class: int
    shape: int
    values: FloatArray
    known: BoolArray
    confidence: FloatArray
    hit: BoolArray


class WomdFigures:
    """Collects the objects of each predictor; add takes its paths as they are saved.

    objects: what is collected, by predictor; those of before may be given.
    """

    def __init__(self, files: Sequence[Path], objects: dict[str, list[_Object]] | None = None) -> None:
        self._files = list(files)
        self.objects: dict[str, list[_Object]] = {} if objects is None else objects

    def add(self, spec: str, paths: SavedPaths) -> None:
        """Measure the paths of one batch, at 0.5 to 8 s. Raises InputError for a scene that is not among the files."""
        found = self.objects.setdefault(spec, [])
        for name, file in files_of_scenes(np.unique(paths.scene_id).tolist(), self._files).items():
            scene = load_scene(file)
            for row in np.flatnonzero(paths.scene_id == name).tolist():
                found.append(_measure(scene, paths, row))

    def summary(self, spec: str) -> dict[str, Any]:
        """Return horizon -> figure for each class, and mean: over classes, then over the horizons, as it is ranked."""
        objects = self.objects.get(spec, [])
        by_class = {
            CLASS_NAMES[value]: _figures([one for one in objects if one.object_class == value])
            for value in sorted({one.object_class for one in objects})
        }
        names = (*MEANS, *MAPS)
        every = [figures for horizons in by_class.values() for figures in horizons.values()]
        known = {name: [f[name] for f in every if f[name] is not None] for name in names}
        mean = {name: float(np.mean(values)) if values else None for name, values in known.items()}
        return {"objects": len(objects), "mean": mean, "by_class": by_class}


def _figures(objects: Sequence[_Object]) -> dict[str, dict[str, Any]]:
    values = np.stack([one.values for one in objects])
    confidence, shape = np.stack([one.confidence for one in objects]), np.array([one.shape for one in objects])
    hit, known = np.stack([one.hit for one in objects]), np.stack([one.known for one in objects])
    found = {}
    for column, threshold in enumerate(THRESHOLDS):
        rows = known[:, column] & (shape >= 0)
        figures: dict[str, Any] = {"objects": int(rows.sum())}
        for index, name in enumerate(MEANS):
            here = values[:, column, index]
            figures[name] = float(np.nanmean(here)) if np.isfinite(here).any() else None
        for name in MAPS:
            scored = confidence[rows], hit[rows, column], shape[rows]
            figures[name] = womd.mean_average_precision(*scored, soft=name != MAPS[0]) if rows.any() else None
        found[f"{threshold.time_s:g}"] = figures
    return found


def _measure(scene: Scene, paths: SavedPaths, row: int) -> _Object:
    now, track = _place(scene, paths, row)
    truth = _states(scene, track, now)
    predicted_m, confidence = paths.position_m[row, :MODES], paths.probability[row, :MODES]
    steps = predicted_m.shape[1]
    recorded = truth.known[STRIDE : STRIDE * steps + 1 : STRIDE]
    offset_m = predicted_m - truth.position_m[STRIDE : STRIDE * steps + 1 : STRIDE]
    error_m = np.where(recorded, np.hypot(*np.moveaxis(offset_m, -1, 0)), np.nan)
    values, hit = np.full((len(STEPS), len(MEANS)), np.nan), np.zeros((len(STEPS), MODES), np.bool_)
    overlap = _overlaps(scene, track, now, predicted_m[0]) & recorded
    for column, (end, threshold) in enumerate(zip(STEPS, THRESHOLDS, strict=True)):
        if recorded[:end].any():
            values[column, 0] = np.nanmean(error_m[:, :end], axis=1).min()
        values[column, 3] = overlap[:end].any()
        if recorded[end - 1]:
            yaw_rad, speed_mps = float(truth.yaw_rad[STRIDE * end]), float(np.hypot(*truth.velocity_mps[0]))
            hit[column, : len(predicted_m)] = womd.is_hit(offset_m[:, end - 1], yaw_rad, speed_mps, threshold)
            values[column, 1:3] = error_m[:, end - 1].min(), not hit[column].any()
    padded = np.full(MODES, np.nan)
    padded[: len(confidence)] = confidence / confidence.sum()
    known = np.array([bool(recorded[end - 1]) for end in STEPS])
    return _Object(int(scene.object_class[track]), _shape(truth), values, known, padded, hit)


def _place(scene: Scene, paths: SavedPaths, row: int) -> tuple[int, int]:
    """Return the indices of the present frame and of the track."""
    frame = np.flatnonzero(scene.frame_number == paths.frame[row])
    name = str(paths.track_id[row])
    if len(frame) != 1 or name not in scene.track_id:
        raise InputError(f"scene {scene.scene_id!r}: expected track {name!r} at frame {paths.frame[row]}, found none")
    return int(frame[0]), scene.track_id.index(name)


class _States(NamedTuple):
    """The states of a track from the present step on, (S, ...); zeros where known (S,) is False."""

    known: BoolArray
    position_m: FloatArray
    yaw_rad: FloatArray
    velocity_mps: FloatArray


def _states(scene: Scene, track: int, now: int) -> _States:
    steps = max(scene.frame_count - now, STRIDE * STEPS[-1] + 1)
    rows = np.flatnonzero((scene.row_track == track) & (scene.row_frame >= now))
    place: IntArray = scene.row_frame[rows] - now
    known, position_m, yaw_rad = np.zeros(steps, np.bool_), np.zeros((steps, 2)), np.zeros(steps)
    velocity_mps = np.zeros((steps, 2))
    known[place], position_m[place], yaw_rad[place] = True, scene.position_m[rows], scene.yaw_rad[rows]
    velocity_mps[place] = scene.velocity_mps[rows]
    return _States(known, position_m, yaw_rad, velocity_mps)


def _shape(truth: _States) -> int:
    last = int(np.flatnonzero(truth.known)[-1])
    if last == 0:
        return -1
    speeds_mps = np.hypot(*truth.velocity_mps[[0, last]].T)
    return womd.path_shape(
        truth.position_m[last] - truth.position_m[0],
        float(truth.yaw_rad[0]),
        float(truth.yaw_rad[last]),
        float(speeds_mps[0]),
        float(speeds_mps[1]),
    )


def _overlaps(scene: Scene, track: int, now: int, path_m: FloatArray) -> BoolArray:
    """Return at which predicted steps (T,) the path's box meets the true box of an object that is there now."""
    headings_rad, found = womd.path_headings(path_m), np.zeros(len(path_m), np.bool_)
    present = np.zeros(len(scene.track_id), np.bool_)
    present[scene.row_track[scene.rows_of_frame(now)]] = True
    present[track] = False
    for step in range(len(path_m)):
        frame = now + STRIDE * (step + 1)
        if frame >= scene.frame_count:
            break
        part = scene.rows_of_frame(frame)
        rows = np.arange(part.start, part.stop)[present[scene.row_track[part]]]
        sizes_m = scene.size_m[scene.row_track[rows]]
        others = np.column_stack([scene.position_m[rows], scene.yaw_rad[rows], sizes_m])
        mine = np.array([*path_m[step], headings_rad[step], *scene.size_m[track]])
        found[step] = womd.boxes_overlap(mine, others).any()
    return found
