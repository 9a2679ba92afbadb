"""SinD: pedestrians at signalised intersections of Chinese cities, from a drone, 10 Hz, one CSV file for each city.

The file is ``Ped_smoothed_tracks.csv``, with a first line that names its columns (see HEADER). Positions are in m,
velocities in m/s, in the frame of the city's map. Vehicles are in files of their own, with other columns, which are
not read. The city's Lanelet2 map (.osm) lies beside it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trajnet.datasets.description import Dataset, Part
from trajnet.errors import InputError
from trajnet.scenes.formats import SceneFormat, header_line
from trajnet.scenes.lanelet2 import read_lanelet2
from trajnet.scenes.rows import Rows, default_sizes, read_integer, read_number, read_text, scene_from_rows
from trajnet.types import Lane, ObjectClass, Scene

HEADER = "track_id,frame_id,timestamp_ms,agent_type,x,y,vx,vy,ax,ay"
FILE = "Ped_smoothed_tracks.csv"
LICENCE = "CC0 1.0"
CITIES = {"changchun": "Changchun", "chongqing": "Chongqing", "xian": "Xian"}
CLASSES: dict[str, ObjectClass] = {"pedestrian": ObjectClass.PEDESTRIAN}


def read_sind(path: Path, with_map: bool = False) -> Scene:
    """Return the scene of one file, with velocities and without headings; scene_id is ``Xian/Ped_smoothed_tracks``.

    with_map: also read the lanes of the Lanelet2 map beside the file, where there is one.
    Raises InputError that names the file and the line that does not fit.
    """
    lines = read_text(path).splitlines()
    if not lines or lines[0].strip() != HEADER:
        raise InputError(f"{path}, line 1: expected the columns {HEADER!r}, got {lines[0] if lines else ''!r}")
    table = [(line, text.split(",")) for line, text in enumerate(lines[1:], start=2) if text.strip()]
    if not table:
        raise InputError(f"{path}: expected rows of 10 columns below the first line, got none")
    count = len(table)
    numbers, times_ns, classes = (np.zeros(count, np.int64) for _ in range(3))
    values = np.zeros((count, 4))
    for i, (line, fields) in enumerate(table):
        if len(fields) != 10:
            raise InputError(f"{path}, line {line}: expected 10 columns, got {len(fields)}")
        if fields[3] not in CLASSES:
            raise InputError(
                f"{path}, line {line}: expected an agent_type of {', '.join(CLASSES)} (column 3), got {fields[3]!r}"
            )
        numbers[i] = read_integer(path, line, "frame_id (column 1)", fields[1])
        times_ns[i] = round(read_number(path, line, "timestamp_ms (column 2)", fields[2]) * 1e6)
        classes[i] = CLASSES[fields[3]]
        values[i] = [
            read_number(path, line, f"{name} (column {column})", fields[column])
            for column, name in ((4, "x"), (5, "y"), (6, "vx"), (7, "vy"))
        ]
    everywhere = np.ones(count, np.bool_)
    rows = Rows(
        frame_number=numbers,
        timestamp_ns=times_ns,
        track_id=[fields[0] for _, fields in table],
        object_class=classes,
        size_m=default_sizes(classes),
        position_m=values[:, :2],
        yaw_rad=np.zeros(count),
        yaw_valid=~everywhere,
        velocity_mps=values[:, 2:],
        velocity_valid=everywhere,
        is_target=~everywhere,
    )
    scene_id, lanes = f"{path.resolve().parent.name}/{path.stem}", lanes_beside(path) if with_map else ()
    return scene_from_rows(scene_id, rows, source="SinD", licence=LICENCE, lanes=lanes)


def lanes_beside(path: Path) -> tuple[Lane, ...]:
    """Return the lanes of the one .osm file in the folder of the tracks, none without one.

    Its latitudes and longitudes are near 0, 0 (see trajnet.scenes.map_projection). Raises InputError for several maps.
    """
    maps = maps_in_folder(path)
    if len(maps) > 1:
        raise InputError(f"{path.parent}: expected one Lanelet2 map (.osm) beside the tracks, got {len(maps)}")
    return read_lanelet2(maps[0]) if maps else ()


def maps_in_folder(path: Path) -> list[Path]:
    """Return the Lanelet2 maps in the folder of the tracks."""
    return sorted(path.parent.glob("*.osm"))


def sind_files(folder: Path, part: str) -> list[Path]:
    """Return the one file of a city. Raises InputError if it is missing."""
    file = folder / CITIES[part] / FILE
    if not file.is_file():
        raise InputError(
            f"{file}: expected the pedestrians of {CITIES[part]}, found no such file; is the data complete?"
        )
    return [file]


SIND = Dataset(
    name="sind",
    title="SinD",
    licence=LICENCE,
    use="any",
    download="https://github.com/SOTIF-AVLab/SinD",
    note="pedestrians only; each city is a part",
    folder="sind",
    marker="Changchun",
    parts=tuple(Part(city) for city in CITIES),
    splits={**{city: (city,) for city in CITIES}, "all": tuple(CITIES)},
    files=sind_files,
    group=lambda part, _scene_id: part,
    shows_groups=True,
    format=SceneFormat(
        "sind",
        (".csv",),
        read_sind,
        header_line(HEADER),
        f"the line {HEADER!r} (SinD)",
        companions=maps_in_folder,
    ),
)
