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
from sumo_recording import Track, check_continuity, read_tracks, smoothed, type_sizes

from trajnet.errors import TrajnetError
from trajnet.types import FloatArray

log = logging.getLogger(__name__)

#: Way along the street on which a vehicle gets from its lane to the kerb, or back.
SIDEWAYS_OVER_M = 11.0
#: A sideways step of more than this (m) in a tenth of a second is SUMO's jump out of the lane or back.
JUMP_M = 1.0
#: Largest number of smoothing passes: four passes are a Gaussian of twice the width.
MOST_SMOOTHING = 6


def vehicle_tracks(folder: Path, centre_m: FloatArray, stops: Mapping[str, Stop]) -> list[Track]:
    """Return the smooth tracks of fcd.xml and rou.xml in folder, middle of the scene at (0, 0).

    A track that no vehicle can follow, at a corner of the network, is smoothed more; if that does not help, it is left
    out.
    """
    tracks = []
    for track in read_tracks(folder / "fcd.xml", type_sizes(folder / "rou.xml")):
        moved = replace(track, position_m=track.position_m - centre_m)
        stop = stops.get(track.name)
        if stop is not None and stop.beside_lane:
            moved = pulled_aside(moved, kerb_offset_m(stop, track.size_m[1]))
        drivable = _continuous(moved)
        if drivable is not None:
            tracks.append(drivable)
    return tracks


def _continuous(track: Track) -> Track | None:
    """Return the track, smoothed until it moves as a vehicle can; None if it never does."""
    for _ in range(MOST_SMOOTHING):
        track = smoothed(track)
        try:
            check_continuity(track.name, track)
        except TrajnetError as error:
            complaint = error
        else:
            return track
    log.info("left out: %s", complaint)
    return None


def kerb_offset_m(stop: Stop, width_m: float) -> float:
    """Return how far right of its lane's middle a vehicle of this width stands at the kerb."""
    middle_m, _ = point_at(stop.street.centre_m, stop.at_m)
    to_kerb_m = float(shapely.distance(shapely.Point(middle_m), shapely.LineString(stop.street.kerb_m)))
    return to_kerb_m + float(np.mean(KERB_GAP_M)) + width_m / 2


def pulled_aside(track: Track, right_m: float) -> Track:
    """Return the track with its stop right_m to the right of where its lane is, and smooth ways there and back.

    SUMO moves a vehicle that stops beside its lane there, and back, from one frame to the next.
    """
    stands = stop_beside_lane(track)
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


def stop_beside_lane(track: Track) -> tuple[int, int] | None:
    """Return the first and last frame in which SUMO has a vehicle beside its lane; None if it never is.

    It may have been there before the recording, or stay until its end.
    """
    step_m = np.diff(track.position_m, axis=0)
    right = np.stack([np.sin(track.yaw_rad), -np.cos(track.yaw_rad)], axis=1)[:-1]
    aside_m = (step_m * right).sum(axis=1)
    there, back = np.flatnonzero(aside_m > JUMP_M), np.flatnonzero(aside_m < -JUMP_M)
    if not len(there) and not len(back):
        return None
    first = int(there[0]) + 1 if len(there) else 0
    last = int(back[-1]) if len(back) else len(track.position_m) - 1
    return (first, last) if last > first else None
