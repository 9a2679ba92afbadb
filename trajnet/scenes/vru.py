"""VRU trajectory data set of TH Aschaffenburg: one pedestrian (50 Hz) or cyclist (12.5 Hz) alone in each CSV file.

The first line names the columns: a number of the row (no name), timestamp s, x m, y m. What the road user is, the file
does not say: it is the folder, ``pedestrians`` or ``cyclists``, with a folder for each kind of motion in it.
Pedestrians are tracked by their head, cyclists by their centre, without yaw, velocity and size.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trajnet.errors import InputError
from trajnet.scenes.rows import Rows, default_sizes, read_integer, read_number, read_text, scene_from_rows
from trajnet.types import ObjectClass, Scene

VRU_HEADER = ",timestamp,x,y"
ROAD_USERS: dict[str, ObjectClass] = {"pedestrians": ObjectClass.PEDESTRIAN, "cyclists": ObjectClass.BICYCLE}
MOTIONS: tuple[str, ...] = ("moving", "starting", "stopping", "waiting")


def read_vru(path: Path) -> Scene:
    """The scene of one file: one track. scene_id is ``pedestrians/moving/1008_27``.

    A row whose time is that of the row before is left out: two cyclists (waiting/108 and 305) have no times at all, and
    one row is what is left of them. InputError names the file and the line that does not fit, or the folder.
    """
    road_user, motion = _folders(path)
    lines = read_text(path).splitlines()
    if not lines or lines[0].strip() != VRU_HEADER:
        raise InputError(f"{path}, line 1: expected the columns {VRU_HEADER!r}, got {lines[0] if lines else ''!r}")
    numbers, times_ns, places = list[int](), list[int](), list[list[float]]()
    for line, text in enumerate(lines[1:], start=2):
        fields = text.split(",")
        if len(fields) != 4:
            raise InputError(f"{path}, line {line}: expected 4 columns, got {len(fields)}")
        number = read_integer(path, line, "row number (column 0)", fields[0])
        time_ns = round(read_number(path, line, "timestamp (column 1)", fields[1]) * 1e9)
        place = [read_number(path, line, name, fields[i]) for i, name in ((2, "x (column 2)"), (3, "y (column 3)"))]
        if times_ns and (time_ns < times_ns[-1] or number <= numbers[-1]):
            raise InputError(f"{path}, line {line}: expected rows in the order of time, got {fields[1]} s")
        if times_ns and time_ns == times_ns[-1]:
            continue
        numbers.append(number)
        times_ns.append(time_ns)
        places.append(place)
    if not places:
        raise InputError(f"{path}: expected rows of 4 columns below the first line, got none")
    count = len(places)
    classes = np.full(count, int(ROAD_USERS[road_user]), np.int64)
    nowhere = np.zeros(count, np.bool_)
    rows = Rows(
        frame_number=np.array(numbers, np.int64),
        timestamp_ns=np.array(times_ns, np.int64),
        track_id=[path.stem] * count,
        object_class=classes,
        size_m=default_sizes(classes),
        position_m=np.array(places),
        yaw_rad=np.zeros(count),
        yaw_valid=nowhere,
        velocity_mps=np.zeros((count, 2)),
        velocity_valid=nowhere,
        is_target=nowhere,
    )
    return scene_from_rows(
        f"{road_user}/{motion}/{path.stem}", rows, source="VRU trajectory data set", licence="none stated"
    )


def _folders(path: Path) -> tuple[str, str]:
    """The road user and the kind of motion that a file's folders name."""
    road_user, motion = path.resolve().parts[-3:-1] if len(path.resolve().parts) > 3 else ("", "")
    if road_user not in ROAD_USERS or motion not in MOTIONS:
        raise InputError(
            f"{path}: expected a file in a folder {'|'.join(ROAD_USERS)}/{'|'.join(MOTIONS)}, which say what it shows, "
            f"got {road_user}/{motion}"
        )
    return road_user, motion
