"""Directions of traffic on nuScenes' streets: the rasters do not have them, so they come from the training recordings.

A lane's direction is a property of the street. Without a lane map, earlier traffic shows it: every training scene of
the same place draws its vehicles' tracks as strips of a lane's width, as trajnet.context.rasterize draws lanes: those
of its label file and, where it was recorded (trajnet.scenes.nuscenes_everybody), of everybody else.

A scene's own future does not leak in: its own tracks are left out, and those of scenes with close numbers, which may be
of the same drive. Validation and test scenes are never drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trajnet.context.rasterize import draw_directions
from trajnet.scenes.nuscenes import raster_file, read_nuscenes, read_raster
from trajnet.scenes.nuscenes_everybody import MINI_SCENES, agents_beside, with_agents
from trajnet.types import BoolArray, FloatArray, IntArray, ObjectClass, RasterMap, Scene

#: Scenes whose numbers are at most this far apart may be of one drive, with the same vehicles in them.
SAME_DRIVE = 10
#: Width of the strip that a vehicle draws (m): most of a lane.
STRIP_M = 3.0
#: A vehicle that moves between two frames covers at least SHORTEST_M; beyond LONGEST_M it is another one with its id.
SHORTEST_M, LONGEST_M = 0.5, 20.0
#: The same for one that was detected, whose positions are a few decimetres wrong, and how well it has to point the way
#: that it goes: the least cosine of the angle between them.
DETECTED_SHORTEST_M, POINTS_AHEAD = 1.0, 0.9
#: Other road users do not keep to the direction of lanes.
VEHICLES = (ObjectClass.CAR, ObjectClass.TRUCK, ObjectClass.BUS, ObjectClass.MOTORCYCLE)
#: The coordinates of the four cities overlap. Two rasters show the same place if their common area, at least this wide,
#: agrees on what is drivable: in the recordings by more than 90 % if it is the same place, by less than 85 % if not.
WIDEST_NEEDED_M = 40
LEAST_DRIVABLE_M2 = 300
AGREEMENT = 0.85


def recorded_directions(label_file: Path, raster: RasterMap) -> NDArray[np.int8] | None:
    """Return the directions of traffic (A, B, 2), as RasterMap has them, that training scenes of the same place show.

    label_file: in ``label/<split>``. None if there are no training scenes beside it.
    """
    label_file = label_file.resolve()
    training = label_file.parent.parent / "train"
    if not training.is_dir():
        return None
    number, here = _number(label_file), _Ground.of(raster)
    borders: list[tuple[FloatArray, FloatArray]] = []
    for file in _files(training, raster_file(label_file)[0].parent):
        if abs(_number(file) - number) > SAME_DRIVE and _common_m(raster, file) >= WIDEST_NEEDED_M:
            there, driven = _recording(file)
            if here.is_same_place(there):
                borders += driven
    return draw_directions(borders, raster.origin_m, raster.pixels_per_m, raster.drivable.shape)


@dataclass(frozen=True, eq=False)
class _Ground:
    """The drivable area (X, Y) in squares of 1 m, from whole metres low_m on."""

    low_m: tuple[int, int]
    drivable: BoolArray

    @classmethod
    def of(cls, raster: RasterMap) -> _Ground:
        """Return the drivable area of a raster, sampled in the middle of each square metre."""
        low = np.ceil(raster.origin_m).astype(int)
        sides = []
        for axis, size in enumerate(raster.drivable.shape):
            count = int(raster.origin_m[axis] + size / raster.pixels_per_m) - low[axis]
            middle_m = low[axis] + 0.5 + np.arange(max(count, 0))
            sides.append(((middle_m - raster.origin_m[axis]) * raster.pixels_per_m).astype(int))
        return cls((int(low[0]), int(low[1])), raster.drivable[np.ix_(*sides)])

    def is_same_place(self, other: _Ground) -> bool:
        """Return whether the common area is large enough and agrees on what is drivable."""
        low = [max(pair) for pair in zip(self.low_m, other.low_m, strict=True)]
        parts = []
        for ground in (self, other):
            begin = [a - b for a, b in zip(low, ground.low_m, strict=True)]
            parts.append(ground.drivable[begin[0] :, begin[1] :])
        wide, high = (min(part.shape[axis] for part in parts) for axis in (0, 1))
        if min(wide, high) < WIDEST_NEEDED_M:
            return False
        a, b = (part[:wide, :high] for part in parts)
        either = np.count_nonzero(a | b)
        return bool(either >= LEAST_DRIVABLE_M2 and np.count_nonzero(a & b) > AGREEMENT * either)


def _common_m(raster: RasterMap, file: Path) -> float:
    """Return the shorter side in m of the common area of the raster and that of a training scene; negative: none."""
    low_m, high_m = _box(file)
    low_m = np.maximum(low_m, raster.origin_m)
    high_m = np.minimum(high_m, raster.origin_m + np.array(raster.drivable.shape) / raster.pixels_per_m)
    return float((high_m - low_m).min())


@lru_cache(maxsize=1_000)
def _box(file: Path) -> tuple[FloatArray, FloatArray]:
    """Return the lowest and the highest corner (2,) of a scene's raster in m, without reading its pixels."""
    from PIL import Image

    image_file, origin_m, pixels_per_m = raster_file(file)
    with Image.open(image_file) as image:
        return origin_m, origin_m + np.array([image.height, image.width]) / pixels_per_m


def _number(file: Path) -> int:
    """Return the number of ``scene-0123.txt``; without one, a number far from all others."""
    digits = file.stem.rsplit("-", 1)[-1]
    return int(digits) if digits.isdecimal() else -1_000_000


@lru_cache(maxsize=4)
def _files(training: Path, rasters: Path) -> tuple[Path, ...]:
    """Return the training scenes that have a raster: without it, the city of their coordinates is unknown."""
    return tuple(sorted(f for f in training.glob("scene-*.txt") if (rasters / f"{f.stem}.png").is_file()))


@lru_cache(maxsize=1_000)
def _recording(file: Path) -> tuple[_Ground, tuple[tuple[FloatArray, FloatArray], ...]]:
    """Return a training scene's ground, and the left and right border (P, 2) in m of every strip that was driven."""
    listed = read_nuscenes(file)
    table = None if file.stem in MINI_SCENES else agents_beside(file)
    scene = listed if table is None else with_agents(listed, table)
    borders = []
    for track, rows in enumerate(scene.rows_by_track()):
        if scene.object_class[track] in VEHICLES:
            borders += _strips(scene, rows, detected=scene.track_id[track] not in listed.track_id)
    return _Ground.of(read_raster(file)), tuple(borders)


def _strips(scene: Scene, rows: IntArray, *, detected: bool) -> list[tuple[FloatArray, FloatArray]]:
    """Return the borders of what the track of these rows drove over. detected: with the noise of a detector."""
    position_m, yaw_rad = scene.position_m[rows], scene.yaw_rad[rows]
    step_m = np.diff(position_m, axis=0)
    moved_m = np.hypot(*step_m.T)
    frame = scene.frame_number[scene.row_frame[rows]]
    moves = (moved_m > SHORTEST_M) & (moved_m < LONGEST_M) & (np.diff(frame) == 1)
    if detected:
        ahead_m = step_m[:, 0] * np.cos(yaw_rad[1:]) + step_m[:, 1] * np.sin(yaw_rad[1:])
        moves &= (moved_m > DETECTED_SHORTEST_M) & (ahead_m > POINTS_AHEAD * moved_m)
    aside_m = 0.5 * STRIP_M * np.stack([-np.sin(yaw_rad), np.cos(yaw_rad)], axis=-1)
    runs = (slice(begin, end + 1) for begin, end in _runs(moves))
    return [(position_m[run] + aside_m[run], position_m[run] - aside_m[run]) for run in runs]


def _runs(which: BoolArray) -> list[tuple[int, int]]:
    """Return begin and end of every run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], which, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
