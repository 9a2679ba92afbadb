"""A nuScenes scene of the challenge with everybody in it: its label file's objects, and all agents that were tracked.

Label files list targets only. Where the same scene lies in ``nuscenes_agents/<split>`` beside ``nuscenes_pred``, what
was detected there joins: road users that are no targets, and the recording vehicle.

Nothing at a time tells of later ones: a detection is believed by its track's scores up to then, and rows that were
interpolated over a gap are left out. What the tables themselves decide over a whole track (its class and size, turned
headings, the poses of the recording vehicle) stays.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajnet.errors import InputError
from trajnet.scenes.formats import TABLE
from trajnet.scenes.nuscenes import FOLDERS
from trajnet.scenes.rows import Rows, scene_from_rows
from trajnet.types import BoolArray, FloatArray, Scene

#: Folder of the tables, beside that of the label files.
AGENTS_FOLDER = "nuscenes_agents"
#: Scenes of nuscenes_mini: what is judged there must not have learned from their agents.
MINI_SCENES: frozenset[str] = frozenset(
    f"scene-{number}" for number in ("0061", "0103", "0553", "0655", "0916", "1077", "1094", "1100")
)
#: Tracks whose detections have a lower mean score than this are mostly false positives. Of the pedestrians' rows 6 %
#: go, of those of bicycles and motorcycles 30 %.
MIN_SCORE = 0.3


def agents_beside(label_file: Path) -> Path | None:
    """Return the table of all agents for ``nuscenes_pred/label/<folder>/<scene>.txt``; None where there is none."""
    label_file = label_file.resolve()
    split = {folder: name for name, folder in FOLDERS.items()}.get(label_file.parent.name)
    if split is None or len(label_file.parents) < 4:
        return None
    table = label_file.parents[3] / AGENTS_FOLDER / split / f"{label_file.stem}.parquet"
    return table if table.is_file() else None


def with_agents(scene: Scene, table: Path) -> Scene:
    """Return the scene of a label file with the agents of the table that the label file does not list.

    An object is not in the scene twice: a detection whose centre lies in the box of a listed object in the same frame
    is that object. Times, frame numbers and the order of the scene's own tracks stay; rows of agents are no targets.
    Raises InputError for a table without scores.
    """
    agents = TABLE.read(table, False)
    kept = believed_so_far(agents, row_scores(table, agents))
    kept &= ~np.isin(np.array(agents.track_id, np.str_), scene.track_id)[agents.row_track]
    kept &= ~_within_boxes(agents, scene)
    parts, rows = (scene, agents), (np.arange(len(scene.row_frame)), np.flatnonzero(kept))

    def joined(name: str, index: str | None = None) -> NDArray[Any]:
        """Return what both scenes have for each row, or for the frame or the track that the index names."""
        values = []
        for part, chosen in zip(parts, rows, strict=True):
            values.append(getattr(part, name)[chosen if index is None else getattr(part, index)[chosen]])
        return np.concatenate(values)

    ids = [part.track_id[track] for part, chosen in zip(parts, rows, strict=True) for track in part.row_track[chosen]]
    target = np.concatenate([scene.is_target, np.zeros(len(rows[1]), np.bool_)])
    everything = Rows(
        frame_number=joined("frame_number", "row_frame"),
        timestamp_ns=joined("timestamp_ns", "row_frame"),
        track_id=ids,
        object_class=joined("object_class", "row_track"),
        size_m=joined("size_m", "row_track"),
        position_m=joined("position_m"),
        yaw_rad=joined("yaw_rad"),
        yaw_valid=joined("yaw_valid"),
        velocity_mps=joined("velocity_mps"),
        velocity_valid=joined("velocity_valid"),
        is_target=target,
    )
    return scene_from_rows(
        scene.scene_id,
        everything,
        source=scene.source,
        licence=scene.licence,
        lanes=scene.lanes,
        raster=scene.raster,
        track_order=scene.track_id,
    )


def believed_so_far(agents: Scene, score: FloatArray, min_score: float = MIN_SCORE) -> BoolArray:
    """Return the rows (R,) that are detections of tracks that are probably real, judged by their past alone.

    Interpolated rows (score 0) are none. The mean score of a track's detections up to a row must be min_score or more.
    """
    believed = np.zeros(len(score), np.bool_)
    for rows in agents.rows_by_track():
        detected = score[rows] > 0
        mean = np.cumsum(score[rows]) / np.maximum(np.cumsum(detected), 1)
        believed[rows] = detected & (mean >= min_score)
    return believed


def row_scores(table: Path, agents: Scene) -> FloatArray:
    """Return the score of each row of the table's scene, (R,). Raises InputError for a table without them."""
    import pyarrow.parquet as pq

    file = pq.ParquetFile(table)
    columns = file.schema_arrow.names
    if "score" not in columns:
        raise InputError(f"{table}: expected a column score, got {', '.join(columns)}")
    stored = file.read(columns=["track_id", "frame_number", "score"])
    tracks, frames, scores = (stored[name].to_pylist() for name in ("track_id", "frame_number", "score"))
    score_of = dict(zip(zip(tracks, frames, strict=True), scores, strict=True))
    numbers = agents.frame_number[agents.row_frame].tolist()
    rows = zip(agents.row_track.tolist(), numbers, strict=True)
    return np.array([score_of[agents.track_id[track], number] for track, number in rows], np.float64)


def _within_boxes(agents: Scene, scene: Scene) -> BoolArray:
    """Return the rows of agents (R,) whose centre lies in the box of an object of the scene in the same frame."""
    inside = np.zeros(len(agents.row_frame), np.bool_)
    frame_of = {number: index for index, number in enumerate(scene.frame_number.tolist())}
    for index, number in enumerate(agents.frame_number.tolist()):
        if number not in frame_of:
            continue
        some, listed = agents.rows_of_frame(index), scene.rows_of_frame(frame_of[number])
        offset_m = agents.position_m[some, None] - scene.position_m[listed]  # (agents, listed, 2)
        cos, sin = np.cos(scene.yaw_rad[listed]), np.sin(scene.yaw_rad[listed])
        ahead_m = offset_m[..., 0] * cos + offset_m[..., 1] * sin
        aside_m = offset_m[..., 1] * cos - offset_m[..., 0] * sin
        half_m = 0.5 * scene.size_m[scene.row_track[listed]]
        inside[some] = ((np.abs(ahead_m) < half_m[:, 0]) & (np.abs(aside_m) < half_m[:, 1])).any(axis=1)
    return inside
