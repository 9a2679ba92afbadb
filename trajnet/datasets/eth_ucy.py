"""ETH/UCY pedestrians in Social GAN's text files: ``frame pedestrian x_m y_m``, one row each, 2.5 Hz.

The benchmark takes a step as 0.4 s in every file. In biwi_eth the median walking speed is then 2.5 m/s: the real steps
must have been longer, but all published numbers assume 0.4 s.

Five models are trained, each without the scene that it is tested on: the part ``zara1/train`` has the training files of
the model that is tested on zara1. 8 positions are observed, 12 predicted.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trajnet.datasets.description import Dataset, Part, WindowRule
from trajnet.datasets.folders import files_in
from trajnet.errors import InputError
from trajnet.scenes.formats import TEXT_SUFFIXES, SceneFormat, numbers_in_columns
from trajnet.scenes.rows import (
    Rows,
    default_sizes,
    read_fields,
    read_identity,
    read_integer,
    read_number,
    scene_from_rows,
)
from trajnet.types import FloatArray, IntArray, ObjectClass, Scene

STEP_NS = 400_000_000
COLUMNS = 4

#: The official number of test windows of each scene.
TEST_WINDOWS = {"eth": 181, "hotel": 1_053, "univ": 24_334, "zara1": 2_253, "zara2": 5_833}
ETH_UCY_SCENES: tuple[str, ...] = tuple(TEST_WINDOWS)
OBSERVED, PREDICTED = 8, 12
HISTORY_S: FloatArray = np.arange(1 - OBSERVED, 1, dtype=np.float64) * 0.4
FUTURE_S: FloatArray = np.arange(1, PREDICTED + 1, dtype=np.float64) * 0.4


def read_eth_ucy(path: Path, *, frame_step: int = 10) -> Scene:
    """Return the scene of one file; only frames with a pedestrian are frames of the scene.

    frame_step: difference of frame numbers 0.4 s apart (10 in all files of Social GAN).
    Raises InputError that names the file and the line that does not fit.
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


def social_gan_rows(scene: Scene, *, observed: int = OBSERVED, predicted: int = PREDICTED) -> IntArray:
    """Return the rows (last observed frames) of the windows that Social GAN's loader cuts.

    In every run of 20 successive frames of a file, it takes the pedestrians that are in all 20 frames, if there is more
    than one. The loader counts the frames that occur in the file and ignores gaps in time.
    """
    length = observed + predicted
    present = np.zeros((scene.frame_count, len(scene.track_id)), dtype=np.int64)
    row_of = np.zeros_like(present)
    present[scene.row_frame, scene.row_track] = 1
    row_of[scene.row_frame, scene.row_track] = np.arange(len(scene.row_frame))
    if scene.frame_count < length:
        return np.zeros(0, dtype=np.int64)
    total = np.concatenate([np.zeros((1, present.shape[1]), dtype=np.int64), np.cumsum(present, axis=0)])
    full = (total[length:] - total[:-length]) == length
    full &= (full.sum(axis=1) > 1)[:, None]
    start, track = np.nonzero(full)
    return row_of[start + observed - 1, track]


ETH_UCY = Dataset(
    name="eth_ucy",
    title="ETH/UCY",
    licence="ETH: none stated; UCY: free for use with credit to the authors",
    use="mixed",
    download="https://github.com/InhwanBae/EigenTrajectory (datasets)",
    note="leave one scene out; the published figure is the mean of the five scenes",
    folder="eth_ucy",
    marker="zara1",
    parts=tuple(
        Part(f"{scene}/{split}", HISTORY_S, windows if split == "test" else None)
        for scene, windows in TEST_WINDOWS.items()
        for split in ("train", "val", "test")
    ),
    splits={
        **{scene: (f"{scene}/test",) for scene in ETH_UCY_SCENES},
        "all": tuple(f"{scene}/test" for scene in ETH_UCY_SCENES),
    },
    files=lambda folder, part: files_in(folder / part, "*.txt"),
    windows=WindowRule(FUTURE_S, lambda scene, _part: social_gan_rows(scene)),
    metrics=(
        *(f"{m}_{k}" for k in (1, 20) for m in ("minADE", "minFDE")),
        "SocialGAN_best_of_20_ADE",
        "SocialGAN_best_of_20_FDE",
    ),
    divided=("minADE_20", "minFDE_20"),
    headline="minADE_20",
    ranks=(1, 20),
    group=lambda part, _scene_id: part.partition("/")[0],
    shows_groups=True,
    mean_over_groups=True,
    format=SceneFormat(
        "eth_ucy",
        TEXT_SUFFIXES,
        lambda path, _with_map: read_eth_ucy(path),
        numbers_in_columns(COLUMNS),
        "a number first in a row of 4 columns (ETH/UCY)",
    ),
)
