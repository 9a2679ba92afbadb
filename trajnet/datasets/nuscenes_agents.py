"""All agents of nuScenes scenes, from public detections, transformed into the map frame and tracked, as scene tables.

A table has a column ``score``: the detector's confidence in a row, 1 for annotated targets and the ego, 0 for a row
that was interpolated. The noise is that of a real detector. A target's own vehicle can stand as a track ``n...`` in
frames in which its label does not list it.

The tables lie in ``nuscenes_agents/<split>`` beside ``nuscenes_pred``, whose labels and map rasters have their frame.
Training sources read them with ``believed_scene``: without probable false positives, and with those rasters. The
scenes of nuscenes_mini belong to no part: what is judged there must not have learned from them.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from trajnet.datasets.description import Dataset, Part
from trajnet.datasets.folders import files_in
from trajnet.errors import InputError
from trajnet.scenes.nuscenes import FOLDERS, read_raster
from trajnet.scenes.nuscenes_everybody import AGENTS_FOLDER, MIN_SCORE, MINI_SCENES, row_scores
from trajnet.scenes.nuscenes_traffic import recorded_directions
from trajnet.types import ROW_VALUES, BoolArray, RasterMap, Scene

#: A track of fewer rows has no past and future that could be learned from.
MIN_ROWS = 3


def believed_scene(path: Path, with_map: bool, min_score: float = MIN_SCORE) -> Scene:
    """Return the scene of one table, without the tracks that are probably false positives.

    A track is kept if it has at least MIN_ROWS rows and its detections, rows of score above 0, have a mean score of
    min_score or more. with_map: attach the raster of the scene's label file, with the directions that training scenes
    show (see recorded_directions).
    Raise InputError for a table without scores, and where the raster is missing.
    """
    from trajnet.scenes.table import read_table  # pyarrow is an extra

    scene = read_table(path)
    score = row_scores(path, scene)
    rows = np.bincount(scene.row_track, minlength=len(scene.track_id))
    detections = np.bincount(scene.row_track, score > 0, minlength=len(scene.track_id))
    total = np.bincount(scene.row_track, score, minlength=len(scene.track_id))
    kept = (rows >= MIN_ROWS) & (total >= min_score * np.maximum(detections, 1))
    scene = _with_tracks(scene, kept)
    return replace(scene, raster=_raster(path)) if with_map else scene


def _with_tracks(scene: Scene, kept: BoolArray) -> Scene:
    """Return the scene with only the kept tracks; frames stay, even those that nothing is left in."""
    rows = kept[scene.row_track]
    return replace(
        scene,
        track_id=tuple(name for name, keep in zip(scene.track_id, kept.tolist(), strict=True) if keep),
        object_class=scene.object_class[kept],
        size_m=scene.size_m[kept],
        row_frame=scene.row_frame[rows],
        row_track=(np.cumsum(kept) - 1)[scene.row_track[rows]],
        **{name: getattr(scene, name)[rows] for name in ROW_VALUES},
    )


def _raster(path: Path) -> RasterMap:
    """Return the raster of the label file that belongs to ``nuscenes_agents/<split>/<scene>.parquet``."""
    path = path.resolve()
    folder = FOLDERS.get(path.parent.name)
    if folder is None:
        raise InputError(f"{path}: expected a folder of {', '.join(FOLDERS)}, got {path.parent.name!r}")
    label = path.parents[2] / "nuscenes_pred" / "label" / folder / f"{path.stem}.txt"
    if not label.is_file():
        raise InputError(f"{path}: its map belongs to {label}, which is missing; put nuscenes_pred beside the tables")
    raster = read_raster(label)
    return replace(raster, direction=recorded_directions(label, raster))


def agents_files(folder: Path, part: str) -> list[Path]:
    """Return the tables of a part without MINI_SCENES, sorted. Raises InputError if there are none."""
    files = [file for file in files_in(folder / part, "*.parquet") if file.stem not in MINI_SCENES]
    if not files:
        raise InputError(f"{folder / part}: expected scenes that are not in nuscenes_mini, found none")
    return files


NUSCENES_AGENTS = Dataset(
    name="nuscenes_agents",
    title="nuScenes, all agents",
    licence="CC BY-NC-SA 4.0 (nuScenes) and AB3DMOT's academic, non-commercial licence: research only",
    download="made from nuScenes' labels and the detections of https://github.com/xinshuoweng/AB3DMOT",
    note=(
        "2 Hz; the challenge's splits, as far as there are detections, without the scenes of nuscenes_mini; no map but "
        "in training, which takes the rasters of nuscenes"
    ),
    folder=AGENTS_FOLDER,
    marker="train_val",
    parts=(Part("train"), Part("train_val"), Part("val")),
    files=agents_files,
    read=believed_scene,
)
