"""ETH/UCY pedestrians in Social GAN's text files: ``frame pedestrian x_m y_m``, one row each, 2.5 Hz.

The benchmark counts 0.4 s a step in every file. In biwi_eth walkers then do 2.5 m/s in the median: the recording's own
steps must have been longer, but the published numbers all rest on 0.4 s.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trajnet.errors import InputError
from trajnet.scenes.rows import (
    Rows,
    default_sizes,
    read_fields,
    read_identity,
    read_integer,
    read_number,
    scene_from_rows,
)
from trajnet.types import ObjectClass, Scene

STEP_NS = 400_000_000
COLUMNS = 4


def read_eth_ucy(path: Path, *, frame_step: int = 10) -> Scene:
    """The scene of one file; only frames with a pedestrian in them are frames of the scene.

    frame_step: what the numbers of frames 0.4 s apart differ by (10 in all files of Social GAN).
    InputError names the file and the line that does not fit.
    """
    table = read_fields(path, COLUMNS)
    count = len(table)
    numbers = np.array([read_integer(path, line, "frame (column 0)", fields[0]) for line, fields in table], np.int64)
    position_m = np.array(
        [
            [read_number(path, line, name, fields[i]) for i, name in ((2, "x (column 2)"), (3, "y (column 3)"))]
            for line, fields in table
        ]
    )
    odd = (numbers - numbers.min()) % frame_step != 0
    if odd.any():
        bad = int(odd.argmax())
        raise InputError(
            f"{path}, line {table[bad][0]}: expected frame numbers {frame_step} apart (0.4 s), "
            f"got {numbers[bad]} with the first at {numbers.min()}; "
            f"give this file's frame_step"
        )
    classes = np.full(count, int(ObjectClass.PEDESTRIAN), np.int64)
    nowhere = np.zeros(count, np.bool_)
    rows = Rows(
        frame_number=numbers,
        timestamp_ns=numbers * STEP_NS // frame_step,
        track_id=[read_identity(fields[1]) for _, fields in table],
        object_class=classes,
        size_m=default_sizes(classes),
        position_m=position_m,
        yaw_rad=np.zeros(count),
        yaw_valid=nowhere,
        velocity_mps=np.zeros((count, 2)),
        velocity_valid=nowhere,
        is_target=nowhere,
    )
    is_eth = path.stem.startswith("biwi")
    source = "ETH (BIWI) pedestrians" if is_eth else "UCY crowds"
    return scene_from_rows(
        path.stem, rows, source=source, licence="none stated" if is_eth else "free for use with credit to the authors"
    )
