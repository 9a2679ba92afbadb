"""The vehicles of a street scene, from SUMO's recording: pulled aside to the kerb where they stop beside their lane."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import shapely
from kerbside import KERB_GAP_M
from street_demand import Stop
from street_layout import point_at
from sumo_recording import STEP_S, Track, check_continuity, read_tracks, smoothed, type_sizes

from trajnet.errors import TrajnetError
from trajnet.types import FloatArray

log = logging.getLogger(__name__)

#: Way along the street on which a vehicle gets from its lane to the kerb, or back.
SIDEWAYS_OVER_M = 11.0
STANDS_M = 1e-3
#: Next to a standstill, a step as long as this is SUMO's jump beside the lane.
JUMP_M = 1.0
SHORTEST_STOP_S = 1.0


def vehicle_tracks(folder: Path, centre_m: FloatArray, stops: Mapping[str, Stop]) -> list[Track]:
    """Return the smooth tracks of fcd.xml and rou.xml in folder, middle of the scene at (0, 0).

    One that moves as no vehicle can, at a corner of the network, is left out.
    """
    tracks = []
    for track in read_tracks(folder / "fcd.xml", type_sizes(folder / "rou.xml")):
        moved = replace(track, position_m=track.position_m - centre_m)
        stop = stops.get(track.name)
        if stop is not None and stop.beside_lane:
            moved = pulled_aside(moved, kerb_offset_m(stop, track.size_m[1]))
        moved = smoothed(moved)
        try:
            check_continuity(track.name, moved)
        except TrajnetError as error:
            log.info("left out: %s", error)
            continue
        tracks.append(moved)
    return tracks


def kerb_offset_m(stop: Stop, width_m: float) -> float:
    """Return how far right of its lane's middle a vehicle of this width stands at the kerb."""
    middle_m, _ = point_at(stop.street.centre_m, stop.at_m)
    to_kerb_m = float(shapely.distance(shapely.Point(middle_m), shapely.LineString(stop.street.kerb_m)))
    return to_kerb_m + float(np.mean(KERB_GAP_M)) + width_m / 2


def pulled_aside(track: Track, right_m: float) -> Track:
    """Return the track with its stop right_m to the right of where its lane is, and smooth ways there and back.

    SUMO puts a vehicle that stops beside its lane there, and back, from one frame to the next.
    """
    stands = stop_beside_lane(track.position_m)
    if stands is None:
        return track
    first, last = stands
    lane_m = track.position_m.copy()
    lane_m[first : last + 1] = lane_m[last + 1] if last + 1 < len(lane_m) else lane_m[first - 1]
    step_m = np.hypot(*np.diff(lane_m, axis=0).T)
    along_m = np.append(0.0, np.cumsum(step_m))
    share = np.clip(np.abs(along_m - along_m[first]) / SIDEWAYS_OVER_M, 0.0, 1.0)
    aside_m = right_m * (1.0 - share * share * (3.0 - 2.0 * share))
    right = np.stack([np.sin(track.yaw_rad), -np.cos(track.yaw_rad)], axis=1)
    slope = 6.0 * right_m / SIDEWAYS_OVER_M * share * (1.0 - share) * np.sign(along_m - along_m[first])
    return replace(track, position_m=lane_m + aside_m[:, None] * right, yaw_rad=track.yaw_rad + np.arctan(slope))


def stop_beside_lane(position_m: FloatArray) -> tuple[int, int] | None:
    """Return the first and last frame of the standstill that SUMO jumps to or from; None if there is none."""
    step_m = np.hypot(*np.diff(position_m, axis=0).T)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], step_m < STANDS_M, [False]]).astype(np.int8)))
    for first, last in edges.reshape(-1, 2).tolist():
        beside_m = [step_m[i] for i in (first - 1, last) if 0 <= i < len(step_m)]
        if last - first >= SHORTEST_STOP_S / STEP_S and max(beside_m, default=0.0) > JUMP_M:
            return first, last
    return None
