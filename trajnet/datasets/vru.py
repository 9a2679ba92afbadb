"""VRU trajectory data set of TH Aschaffenburg: one pedestrian (50 Hz) or cyclist (12.5 Hz) alone in each CSV file.

The first line names the columns: the number of the row (without a name), timestamp s, x m, y m. The file does not tell
the class; the folder does: ``pedestrians`` or ``cyclists``, with a folder for each kind of motion in it. Pedestrians
are tracked by their head, cyclists by their centre, without yaw, velocity and size.

There is no official split with futures: we split by person (trajnet.datasets.own_split). 1 s is observed, 2.5 s are
predicted.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trajnet.datasets.description import Dataset, Part, WindowRule
from trajnet.datasets.own_split import OWN_SPLITS, own_split, require_files
from trajnet.datasets.windows import windows_of_scene
from trajnet.errors import InputError
from trajnet.scenes.formats import TEXT_SUFFIXES, SceneFormat, header_line
from trajnet.scenes.rows import Rows, default_sizes, read_integer, read_number, read_text, scene_from_rows
from trajnet.types import FloatArray, IntArray, ObjectClass, Scene

VRU_HEADER = ",timestamp,x,y"
ROAD_USERS: dict[str, ObjectClass] = {"pedestrians": ObjectClass.PEDESTRIAN, "cyclists": ObjectClass.BICYCLE}
MOTIONS: tuple[str, ...] = ("moving", "starting", "stopping", "waiting")

#: Files of the whole data set; the split would differ with another number.
FILES = {"pedestrians": 1068, "cyclists": 494}
WINDOWS = {
    "pedestrians": {"train": 5_929, "val": 951, "test": 1_504},
    "cyclists": {"train": 15_731, "val": 1_938, "test": 4_564},
}
HISTORY_S: dict[str, FloatArray] = {
    "pedestrians": np.arange(-50, 1, dtype=np.float64) * 0.02,
    "cyclists": np.arange(-12, 1, dtype=np.float64) * 0.08,
}
FUTURE_S: FloatArray = np.arange(1, 6, dtype=np.float64) * 0.5
#: Frames from one window of a track to the next: 0.4 s at both rates.
STRIDE = {"pedestrians": 20, "cyclists": 5}


def read_vru(path: Path) -> Scene:
    """Return the scene of one file: one track. scene_id is ``pedestrians/moving/1008_27``.

    A row with the same time as the row before is left out: two cyclists (waiting/108 and 305) have no times at all, and
    keep one row each. Raises InputError that names the file and the line that does not fit, or the folder.
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
    """Return the road user and the kind of motion, from the names of the file's folders."""
    road_user, motion = path.resolve().parts[-3:-1] if len(path.resolve().parts) > 3 else ("", "")
    if road_user not in ROAD_USERS or motion not in MOTIONS:
        raise InputError(
            f"{path}: expected a file in a folder {'|'.join(ROAD_USERS)}/{'|'.join(MOTIONS)}, which say what it shows, "
            f"got {road_user}/{motion}"
        )
    return road_user, motion


def vru_files(folder: Path, part: str) -> list[Path]:
    """Return the files of a part of our own split, ``pedestrians/train`` or the like. Raises InputError.

    The pieces of one person's track (``moving/1008_27``, ``starting/1008_1``) stay together: the number before the
    underscore identifies the person. Persons with the same kinds of motion are a stratum.
    """
    road_user, _, split = part.partition("/")
    files = sorted(file for motion in MOTIONS for file in (folder / road_user / motion).glob("*.csv"))
    require_files(f"VRU {road_user}", files, FILES[road_user])
    person = [file.stem.partition("_")[0] for file in files]
    shown: dict[str, set[str]] = {}
    for name, file in zip(person, files, strict=True):
        shown.setdefault(name, set()).add(file.parent.name)
    return own_split(files, split, person, [" ".join(sorted(shown[name])) for name in person])


def vru_rows(scene: Scene, part: Part) -> IntArray:
    """Return a row every 0.4 s of each track, with the whole history and future recorded.

    That is from 1 s after its first observation (0.96 s for cyclists) to 2.5 s before its last.
    """
    road_user = part.name.partition("/")[0]
    chosen = np.flatnonzero(scene.row_frame % STRIDE[road_user] == 0)
    windows = windows_of_scene(scene, chosen, HISTORY_S[road_user], FUTURE_S)
    return chosen[windows.observed[:, 0] & windows.future_valid.all(axis=1)]


VRU = Dataset(
    name="vru",
    title="VRU",
    licence="none stated",
    download="https://github.com/crowdbotp/OpenTraj (datasets/VRU)",
    note="pedestrians at 50 Hz, cyclists at 12.5 Hz, one in each file; our own split by person",
    folder="vru_aschaffenburg",
    marker="pedestrians",
    parts=tuple(
        Part(f"{road_user}/{split}", HISTORY_S[road_user], count)
        for road_user, counts in WINDOWS.items()
        for split, count in counts.items()
    ),
    splits={split: tuple(f"{road_user}/{split}" for road_user in ROAD_USERS) for split in OWN_SPLITS},
    files=vru_files,
    windows=WindowRule(FUTURE_S, vru_rows, other_futures=True),
    metrics=tuple(f"{m}_{k}" for m in ("minADE", "minFDE") for k in (1, 6)),
    divided=("minADE_1", "minADE_6", "minFDE_6"),
    headline="minADE_6",
    ranks=(1, 6),
    group=lambda _part, scene_id: scene_id.rpartition("/")[0].replace("/", " "),
    shows_groups=True,
    format=SceneFormat(
        "vru",
        TEXT_SUFFIXES,
        lambda path, _with_map: read_vru(path),
        header_line(VRU_HEADER),
        f"the line {VRU_HEADER!r} (VRU)",
    ),
)
