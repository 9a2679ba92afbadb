"""nuScenes prediction challenge: one text file of labels is one scene at 2 Hz.

The format is that of AgentFormer's data/process_nuscenes.py: 18 columns, of which 0 frame, 1 track, 2 class,
10 width m, 12 length m, 13 x m, 15 y m (global map), 16 yaw rad, 17 = 1 where the challenge asks for a prediction.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trajnet.errors import DependencyError, InputError
from trajnet.scenes.rows import (
    Rows,
    read_fields,
    read_identity,
    read_integer,
    read_number,
    require_file,
    scene_from_rows,
)
from trajnet.types import FloatArray, ObjectClass, RasterMap, Scene

FRAME_NS = 500_000_000
COLUMNS = 18
#: The challenge's split -> the folder it is in. What the files call val is train_val, what they call test is val.
FOLDERS: dict[str, str] = {"train": "train", "train_val": "val", "val": "test"}
SOURCE = "nuScenes prediction challenge"
LICENCE = "CC BY-NC-SA 4.0 and the nuScenes terms of use: non-commercial"

#: Emergency vehicles in the files measure 4.6 to 5.1 m: they are cars.
CLASSES: dict[str, ObjectClass] = {
    "Car": ObjectClass.CAR,
    "Bus": ObjectClass.BUS,
    "Truck": ObjectClass.TRUCK,
    "Emergency": ObjectClass.CAR,
    "Construction": ObjectClass.TRUCK,
}


def read_nuscenes(path: Path, *, with_map: bool = False) -> Scene:
    """Return the scene of one label file ``label/<split>/scene-XXXX.txt``, without velocities.

    is_target marks the last observed row of each prediction target.
    with_map reads the map's raster from the ``map_0.1`` folder beside ``label`` (needs pillow).
    Raises InputError that names the file and the line that does not fit.
    """
    table = read_fields(path, COLUMNS)
    count = len(table)
    numbers = np.zeros(count, np.int64)
    classes = np.zeros(count, np.int64)
    values = np.zeros((count, 5))
    target = np.zeros(count, np.bool_)
    ids: list[str] = []
    for i, (line, fields) in enumerate(table):
        numbers[i] = read_integer(path, line, "frame (column 0)", fields[0])
        ids.append(read_identity(fields[1]))
        if fields[2] not in CLASSES:
            raise InputError(
                f"{path}, line {line}: expected a class of {', '.join(CLASSES)} (column 2), got {fields[2]!r}"
            )
        classes[i] = CLASSES[fields[2]]
        for j, (column, name) in enumerate(((12, "length"), (10, "width"), (13, "x"), (15, "y"), (16, "yaw"))):
            values[i, j] = read_number(path, line, f"{name} (column {column})", fields[column])
        if values[i, :2].min() <= 0:
            raise InputError(
                f"{path}, line {line}: expected a length and width above 0 m, got {values[i, 0]} x {values[i, 1]}"
            )
        target[i] = read_number(path, line, "target flag (column 17)", fields[17]) == 1
    everywhere = np.ones(count, np.bool_)
    rows = Rows(
        frame_number=numbers,
        timestamp_ns=numbers * FRAME_NS,
        track_id=ids,
        object_class=classes,
        size_m=values[:, :2],
        position_m=values[:, 2:4],
        yaw_rad=values[:, 4],
        yaw_valid=everywhere,
        velocity_mps=np.zeros((count, 2)),
        velocity_valid=~everywhere,
        is_target=target,
    )
    raster = read_raster(path) if with_map else None
    return scene_from_rows(path.stem, rows, source=SOURCE, licence=LICENCE, raster=raster)


def raster_file(label_file: Path) -> tuple[Path, FloatArray, float]:
    """Return the image file of a scene's map, ``map_0.1/<scene>.png``, its origin (2,) in m and its pixels per metre.

    Raises InputError if it is missing or its description does not fit.
    """
    label_file = label_file.resolve()
    folder = next(
        (parent / "map_0.1" for parent in list(label_file.parents)[:3] if (parent / "map_0.1").is_dir()), None
    )
    if folder is None:
        raise InputError(
            f"{label_file}: no map_0.1 folder beside its label folder; read it without the map or put the rasters there"
        )
    image_file, meta_file = folder / f"{label_file.stem}.png", folder / f"meta_{label_file.stem}.txt"
    require_file(image_file)
    meta = [
        read_number(meta_file, line, "x_min, y_min or scale", fields[0]) for line, fields in read_fields(meta_file, 1)
    ]
    if len(meta) != 3 or meta[2] <= 0:
        raise InputError(f"{meta_file}: expected three lines (x_min, y_min, scale above 0), got {meta}")
    return image_file, np.array(meta[:2]), meta[2]


def raster_files(label_file: Path) -> list[Path]:
    """Return the image of a scene's map and its description, as far as they are there."""
    folders = [parent / "map_0.1" for parent in list(label_file.resolve().parents)[:3]]
    named = (folder / name for folder in folders for name in (f"{label_file.stem}.png", f"meta_{label_file.stem}.txt"))
    return [file for file in named if file.is_file()]


def read_raster(label_file: Path) -> RasterMap:
    """Return the map of a label file's scene, indexed [x, y], 3 pixels per metre, without directions.

    Channel 2 is the drivable area, 1 the road dividers, 0 the lane dividers; a divider is drawn 3 pixels wide.
    Raises InputError for a file that is no such image, DependencyError without pillow.
    """
    image_file, origin_m, pixels_per_m = raster_file(label_file)
    try:
        from PIL import Image
    except ImportError as error:
        raise DependencyError(
            "reading a map raster needs pillow, which is not installed; run: pip install pillow"
        ) from error
    try:
        with Image.open(image_file) as image:
            pixels = np.asarray(image)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{image_file}: expected a PNG image, got something else ({error})") from error
    if pixels.ndim != 3 or pixels.shape[2] < 3:
        raise InputError(f"{image_file}: expected an image of 3 channels, got shape {pixels.shape}")
    lane_divider, road_divider, drivable = (np.ascontiguousarray(pixels[:, :, i] > 0) for i in range(3))
    return RasterMap(origin_m, pixels_per_m, drivable, road_divider, lane_divider)
