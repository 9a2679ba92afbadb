"""Run a generated scene in SUMO and record it as a Scene.

SUMO reports the middle of the front bumper and an angle in degrees clockwise from north; a Scene holds the middle of
the box and radians counter-clockwise from x. Velocities are differences from the frame before, never the one after.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from sumo_demand import class_of_type
from sumo_tools import run_sumo_tool

from trajnet.errors import TrajnetError
from trajnet.geometry import wrap_angle
from trajnet.scenes.rows import Rows, scene_from_rows
from trajnet.types import BoolArray, FloatArray, IntArray, Lane, ObjectClass, Scene

log = logging.getLogger(__name__)

SOURCE = "generated with Eclipse SUMO by trajnet's sim/generate_scenes.py"
STEP_S = 0.1
STEP_NS = 100_000_000
SHORTEST_FRAMES = 10
STANDING_MPS = 0.2

#: SUMO's walkers hop sideways by up to this at the corners of a pavement, which smoothing turns into a step aside. The
#: few that turn back at a crossing are moved to its other end, which is a jump.
PEDESTRIAN_JUMP_M = 1.2

#: SUMO moves a van that stops beside its lane there with a jump, across a cycle lane too.
VAN_JUMP_M = 6.0

#: Highest speed (m/s), acceleration (m/s2) and yaw rate (rad/s) that count as continuous motion, by class.
LIMITS: dict[ObjectClass, tuple[float, float, float]] = {
    ObjectClass.CAR: (60.0, 9.0, 1.5),
    ObjectClass.TRUCK: (40.0, 9.0, 1.0),
    ObjectClass.BUS: (40.0, 9.0, 1.0),
    ObjectClass.MOTORCYCLE: (60.0, 9.0, 2.0),
    ObjectClass.BICYCLE: (12.0, 9.0, 2.5),
    ObjectClass.PEDESTRIAN: (5.0, 9.0, 2 * np.pi),
}
SMOOTHING_S: dict[ObjectClass, float] = {kind: 0.4 if kind == ObjectClass.PEDESTRIAN else 0.25 for kind in ObjectClass}


def simulate(
    folder: Path, *, seed: int, begin_s: float, end_s: float, more: Sequence[str] = ("--time-to-teleport=-1",)
) -> Path:
    """Run SUMO on net.xml and rou.xml in folder and return the file of all positions from begin_s on."""
    options = ["--net-file=net.xml", "--route-files=rou.xml", "--begin=0", f"--end={end_s}", f"--step-length={STEP_S}"]
    options += [f"--seed={seed}", "--lateral-resolution=0.4", "--step-method.ballistic=true", "--no-step-log=true"]
    options += ["--collision.action=none", "--no-warnings=true", "--precision=4"]
    options += ["--fcd-output=fcd.xml", f"--device.fcd.begin={begin_s}", "--pedestrian.striping.stripe-width=0.45"]
    run_sumo_tool("sumo", [*options, *more], folder)
    return folder / "fcd.xml"


@dataclass(frozen=True)
class Track:
    """One object without a gap.

    frame (F,): counted from the first recorded one. position_m (F, 2), yaw_rad (F,). name: its id in SUMO.
    """

    kind: ObjectClass
    size_m: tuple[float, float]
    frame: IntArray
    position_m: FloatArray
    yaw_rad: FloatArray
    name: str = ""


def type_sizes(route_file: Path) -> dict[str, tuple[float, float]]:
    """Return length and width in m of every vehicle type of a route file."""
    types = ElementTree.parse(route_file).iter("vType")
    return {t.attrib["id"]: (float(t.attrib["length"]), float(t.attrib["width"])) for t in types}


def read_tracks(fcd_file: Path, sizes_m: dict[str, tuple[float, float]]) -> list[Track]:
    """Return the tracks of SUMO's floating car data; a track that jumps or has a gap becomes two."""
    found: dict[str, list[tuple[int, float, float, float]]] = {}
    types: dict[str, str] = {}
    frame = -1
    for event, element in ElementTree.iterparse(fcd_file, events=("start", "end")):
        if event == "start":
            frame += element.tag == "timestep"
            continue
        if element.tag in ("vehicle", "person"):
            fields = element.attrib
            yaw_rad = np.pi / 2 - np.deg2rad(float(fields["angle"]))
            back_m = 0.5 * sizes_m[fields["type"]][0] if element.tag == "vehicle" else 0.0
            x_m, y_m = float(fields["x"]) - back_m * np.cos(yaw_rad), float(fields["y"]) - back_m * np.sin(yaw_rad)
            found.setdefault(fields["id"], []).append((frame, x_m, y_m, yaw_rad))
            types[fields["id"]] = fields["type"]
        elif element.tag == "timestep":
            element.clear()
    tracks = []
    for identity, poses in found.items():
        kind = class_of_type(types[identity])
        table = np.array(poses)
        step_m = np.hypot(*np.diff(table[:, 1:3], axis=0).T)
        jump_m = PEDESTRIAN_JUMP_M if kind == ObjectClass.PEDESTRIAN else LIMITS[kind][0] * STEP_S
        if kind in (ObjectClass.TRUCK, ObjectClass.BUS):
            jump_m = VAN_JUMP_M
        breaks = (step_m > jump_m) | (np.diff(table[:, 0]) != 1)
        for part in np.split(table, np.flatnonzero(breaks) + 1):
            if len(part) >= SHORTEST_FRAMES:
                frames = part[:, 0].astype(np.int64)
                size_m = sizes_m[types[identity]]
                tracks.append(Track(kind, size_m, frames, part[:, 1:3], np.unwrap(part[:, 3]), identity))
    log.info("%d objects, %d tracks after cutting at jumps", len(found), len(tracks))
    return tracks


def smoothed(track: Track) -> Track:
    """Return the track smoothed by a Gaussian of SMOOTHING_S, which rounds SUMO's steps between lanes and stripes.

    A pedestrian's yaw becomes the direction of walking, held while standing.
    """
    position_m = gaussian(track.position_m, SMOOTHING_S[track.kind])
    if track.kind != ObjectClass.PEDESTRIAN:
        yaw_rad = gaussian(track.yaw_rad[:, None], SMOOTHING_S[track.kind])[:, 0]
    else:
        velocity_mps = np.gradient(position_m, STEP_S, axis=0)
        walking = np.hypot(*velocity_mps.T) > STANDING_MPS
        last = np.maximum.accumulate(np.where(walking, np.arange(len(walking)), -1))
        first = int(walking.argmax()) if walking.any() else 0
        heading = np.arctan2(velocity_mps[:, 1], velocity_mps[:, 0]) if walking.any() else track.yaw_rad
        held = np.unwrap(heading[np.where(last < 0, first, last)])
        yaw_rad = gaussian(held[:, None], SMOOTHING_S[track.kind])[:, 0]
    return Track(track.kind, track.size_m, track.frame, position_m, yaw_rad, track.name)


def gaussian(values: FloatArray, width_s: float) -> FloatArray:
    """Return values (F, D) convolved with a Gaussian along F, point-reflected at the ends: straight motion is kept."""
    reach = min(int(np.ceil(3 * width_s / STEP_S)), len(values) - 1)
    weight = np.exp(-0.5 * (np.arange(-reach, reach + 1) * STEP_S / width_s) ** 2)
    padded = np.pad(values, ((reach, reach), (0, 0)), mode="reflect", reflect_type="odd")
    columns = [np.convolve(column, weight / weight.sum(), mode="valid") for column in padded.T]
    return np.stack(columns, axis=1)


def check_continuity(scene_id: str, track: Track) -> None:
    """Raise TrajnetError if a track moves, brakes or turns faster than its class can (LIMITS)."""
    velocity_mps = np.diff(track.position_m, axis=0) / STEP_S
    speed = float(np.hypot(*velocity_mps.T).max())
    acceleration = float(np.hypot(*np.diff(velocity_mps, axis=0).T).max()) / STEP_S
    turn = float(np.abs(wrap_angle(np.diff(track.yaw_rad))).max()) / STEP_S
    for name, value, limit in zip(
        ("m/s", "m/s2", "rad/s"), (speed, acceleration, turn), LIMITS[track.kind], strict=True
    ):
        if value > limit:
            raise TrajnetError(
                f"scene {scene_id!r}: a {track.kind.name.lower()} moves at {value:.1f} {name} (limit {limit:.1f}) near "
                f"{track.position_m[0].round(1)} m: the recording is not continuous"
            )


def record(
    folder: Path, scene_id: str, *, first_frame: int, frames: int, radius_m: float, lanes: tuple[Lane, ...]
) -> Scene:
    """Return the Scene of fcd.xml and rou.xml in folder: frames from first_frame on, within radius_m of (0, 0).

    Raises TrajnetError if a track is not continuous.
    """
    tracks, recorded = [], []
    for track in map(smoothed, read_tracks(folder / "fcd.xml", type_sizes(folder / "rou.xml"))):
        check_continuity(scene_id, track)
        number = track.frame - first_frame
        keep = (number >= 0) & (number < frames) & (np.hypot(*track.position_m.T) <= radius_m)
        if keep.sum() >= SHORTEST_FRAMES:
            tracks.append(replace(track, frame=number))
            recorded.append(keep)
    return scene_of_tracks(scene_id, tracks, recorded, lanes=lanes)


def scene_of_tracks(
    scene_id: str,
    tracks: Sequence[Track],
    recorded: Sequence[BoolArray],
    *,
    lanes: tuple[Lane, ...],
    source: str = SOURCE,
    licence: str = "Apache-2.0",
) -> Scene:
    """Return the Scene of the recorded frames of the tracks. recorded: a mask (F,) for each track.

    Positions are rounded to 1 mm, angles to 0.1 mrad. Velocity is invalid in a track's first frame.
    """
    tables = []
    for i, (track, keep) in enumerate(zip(tracks, recorded, strict=True)):
        velocity_mps = np.diff(track.position_m, axis=0, prepend=track.position_m[:1]) / STEP_S
        known = np.arange(len(track.frame)) > 0
        own = np.full(len(track.frame), i)
        columns = [track.frame, own, *track.position_m.T, wrap_angle(track.yaw_rad), *velocity_mps.T, known]
        tables.append(np.stack(columns, axis=1)[keep])
    table = np.concatenate(tables)
    own = table[:, 1].astype(np.int64)
    number = table[:, 0].astype(np.int64)
    everywhere = np.ones(len(table), np.bool_)
    rows = Rows(
        frame_number=number,
        timestamp_ns=number * STEP_NS,
        track_id=[f"{tracks[i].kind.name.lower()}-{i}" for i in own],
        object_class=np.array([t.kind for t in tracks], np.int64)[own],
        size_m=np.array([t.size_m for t in tracks])[own],
        position_m=table[:, 2:4].round(3),
        yaw_rad=table[:, 4].round(4),
        yaw_valid=everywhere,
        velocity_mps=table[:, 5:7].round(3),
        velocity_valid=table[:, 7] > 0,
        is_target=~everywhere,
    )
    return scene_from_rows(scene_id, rows, source=source, licence=licence, lanes=lanes)
