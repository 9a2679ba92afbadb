"""A small scene of the nuScenes challenge, its label file and the table of all its agents beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.unit.datasets.text_files import nuscenes_line, write
from trajnet.scenes import write_scene
from trajnet.types import CLASS_NAMES, Scene

FRAME_NS = 500_000_000

#: Track -> class, and frame -> (x, y, score). All move along x and have a velocity of 1 m/s.
Agents = dict[str, tuple[str, dict[int, tuple[float, float, float]]]]


def label_file(root: Path, frames: int = 20, folder: str = "test", yaw_rad: float = 0.0) -> Path:
    """Write a label file of two cars that drive 2 m a frame, tracks 7 (a target in frames 4 to 7) and 9.

    yaw_rad: the heading of 7, which moves along x all the same.
    """
    lines = [
        nuscenes_line(f, 7, "Car", 100.0 + 2.0 * f, 50.0, yaw=yaw_rad, target=int(4 <= f < 8)) for f in range(frames)
    ]
    lines += [nuscenes_line(f, 9, "Truck", 120.0 + 2.0 * f, 60.0, yaw=0.0) for f in range(2, 12)]
    return write(root / "nuscenes_pred" / "label" / folder / "scene-0042.txt", "\n".join(lines))


def agents_table(root: Path, agents: Agents, split: str = "val", name: str = "scene-0042") -> Path:
    """Write the table of these agents as nuscenes_agents has it; all point along x."""
    rows = sorted((f, i, *values) for i, (_, seen) in enumerate(agents.values()) for f, values in seen.items())
    frame, track, x, y, _ = (np.array(column) for column in zip(*rows, strict=True))
    numbers, index = np.unique(frame, return_inverse=True)
    everywhere = np.ones(len(rows), np.bool_)
    path = root / "nuscenes_agents" / split / f"{name}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    scene = Scene(
        scene_id=path.stem,
        timestamp_ns=numbers * FRAME_NS,
        frame_number=numbers,
        track_id=tuple(agents),
        object_class=np.array([CLASS_NAMES.index(kind) for kind, _ in agents.values()], np.int8),
        size_m=np.full((len(agents), 2), (4.0, 1.8)),
        row_frame=index,
        row_track=track,
        position_m=np.stack([x, y], 1),
        yaw_rad=np.zeros(len(rows)),
        yaw_valid=everywhere,
        velocity_mps=np.full((len(rows), 2), (1.0, 0.0)),
        velocity_valid=everywhere,
        is_target=~everywhere,
    )
    write_scene(scene, path)
    stored = pq.ParquetFile(path).read()
    names, found = stored["track_id"].to_pylist(), stored["frame_number"].to_pylist()
    scores = [agents[name][1][number][2] for name, number in zip(names, found, strict=True)]
    pq.write_table(stored.append_column("score", pa.array(scores)), path)
    return path
