"""Who is scored at a site, and what they did: from the recording alone, the same for every predictor and condition."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trajnet.arrays import StructOfArrays
from trajnet.datasets.windows import recorded_positions
from trajnet.evaluate import manoeuvres
from trajnet.types import WHEELED, BoolArray, FloatArray, IntArray, ObjectClass, Scene

#: Step of the futures that are scored.
STEP_S = 0.5
#: How far a site is scored, if its recordings and the models reach so far.
HORIZON_S = 6.0

#: Name of each speed band and its lower limit in m/s.
BANDS: tuple[tuple[str, float], ...] = (("stands", 0.0), ("0.5-3 m/s", 0.5), ("3-8 m/s", 3.0), ("from 8 m/s", 8.0))

#: An object that does not leave this circle around its present place stands (m).
STANDS_WITHIN_M = 1.0
#: It must have stood for so long, from the recorded past (s).
STOOD_FOR_S = 3.0
#: An object that stands and ends this far away has started (m): it has left the circle for certain.
STARTED_M = 2.0

_PAST_S: FloatArray = np.arange(-round(STOOD_FOR_S / STEP_S), 0, dtype=np.float64) * STEP_S


def future_times_s(horizon_s: float) -> FloatArray:
    """Return the times (T,) that are scored up to the horizon."""
    return np.arange(1, round(horizon_s / STEP_S) + 1, dtype=np.float64) * STEP_S


@dataclass(frozen=True, eq=False)
class Objects(StructOfArrays):
    """N scored objects; each is one track at one instant. All fields (N,), or with one more dimension as stated.

    row: of the scene. track: name of the track. object_class: ObjectClass values. seen_for_s: since its first
    observation. speed_mps: its mean speed over the last second (over the last half second where it is younger than 1 s,
    over the next where it is younger than that). band: index into BANDS. manoeuvre: index into manoeuvres.MANOEUVRES.
    history: index into manoeuvres.HISTORY_BANDS. stands: within STANDS_WITHIN_M from STOOD_FOR_S ago to the horizon.
    starts: slower than 0.5 m/s now and ends STARTED_M or more away. goes_on: at 0.5 m/s or more now and in its last
    second. stops: moves now, below 0.5 m/s in its last second. here_m (N, 2), future_m (N, T, 2): recorded positions.
    """

    row: IntArray
    track: NDArray[np.str_]
    object_class: NDArray[np.int8]
    seen_for_s: FloatArray
    speed_mps: FloatArray
    band: NDArray[np.int8]
    manoeuvre: NDArray[np.int8]
    history: NDArray[np.int8]
    stands: BoolArray
    starts: BoolArray
    goes_on: BoolArray
    stops: BoolArray
    here_m: FloatArray
    future_m: FloatArray

    @property
    def moving_vehicle(self) -> BoolArray:
        """Vehicles and riders that move now."""
        moving: BoolArray = np.array(WHEELED)[self.object_class] & (self.band > 0) & ~self.stands
        return moving

    @property
    def walking(self) -> BoolArray:
        """Pedestrians that move now."""
        walking: BoolArray = (self.object_class == ObjectClass.PEDESTRIAN) & (self.band > 0) & ~self.stands
        return walking


def scored_frames(scene: Scene, every_s: float) -> IntArray:
    """Return the first frame at or after each multiple of every_s from the scene's beginning."""
    if not scene.frame_count:
        return np.zeros(0, np.int64)
    time_s = (scene.timestamp_ns - scene.timestamp_ns[0]) * 1e-9
    # Time stamps jitter: a frame a quarter of a step before the instant is the one of that instant.
    slack_s = 0.25 * float(np.median(np.diff(time_s))) if len(time_s) > 1 else 0.0
    period = np.floor((time_s + slack_s) / every_s).astype(np.int64)
    return np.flatnonzero(np.diff(period, prepend=-1) > 0)


def scored_objects(scene: Scene, every_s: float, horizon_s: float) -> Objects:
    """Return the objects of the scored frames whose whole future is recorded up to the horizon, in order of rows."""
    rows = np.flatnonzero(np.isin(scene.row_frame, scored_frames(scene, every_s)))
    time_s = future_times_s(horizon_s)
    future_m, known = recorded_positions(scene, rows, time_s)
    rows, future_m = rows[known.all(axis=1)], future_m[known.all(axis=1)]
    past_m, past_known = recorded_positions(scene, rows, _PAST_S)
    here_m, track = scene.position_m[rows], scene.row_track[rows]
    speed_mps = _speed_mps(here_m, past_m, past_known, future_m)
    last_mps = last_second_mps(here_m, future_m, time_s)
    moves = speed_mps >= manoeuvres.STILL_MPS
    seen_for_s = seen_for(scene, rows)
    return Objects(
        row=rows,
        track=np.array(scene.track_id, np.str_)[track] if len(rows) else np.zeros(0, np.str_),
        object_class=scene.object_class[track],
        seen_for_s=seen_for_s,
        speed_mps=speed_mps,
        band=(np.searchsorted([low for _, low in BANDS], speed_mps, side="right") - 1).astype(np.int8),
        manoeuvre=manoeuvres.manoeuvre(here_m, future_m, time_s),
        history=manoeuvres.history_band(seen_for_s),
        stands=_stands(here_m, past_m, past_known, future_m),
        starts=~moves & (_length(future_m[:, -1] - here_m) >= STARTED_M),
        goes_on=moves & (last_mps >= manoeuvres.STILL_MPS),
        stops=moves & (last_mps < manoeuvres.STILL_MPS),
        here_m=here_m,
        future_m=future_m,
    )


def seen_for(scene: Scene, rows: IntArray | slice = slice(None)) -> FloatArray:
    """Return the time (R,) in s from the first observation of each row's track to the row, of these rows."""
    time_ns = scene.timestamp_ns[scene.row_frame]
    first_ns = np.full(len(scene.track_id), np.iinfo(np.int64).max)
    np.minimum.at(first_ns, scene.row_track, time_ns)
    seen_s: FloatArray = (time_ns[rows] - first_ns[scene.row_track[rows]]) * 1e-9
    return seen_s


def last_second_mps(here_m: FloatArray, path_m: FloatArray, time_s: FloatArray) -> FloatArray:
    """Return the mean speed over the last second of paths (N, T, 2) from here_m (N, 2) on, at time_s (T,) -> (N,)."""
    path_m = np.concatenate([here_m[:, None], path_m], axis=1)
    begin = max(len(time_s) - 2, 0)  # of a path from time 0 on, whose step is STEP_S
    speed_mps: FloatArray = _length(path_m[:, -1] - path_m[:, begin]) / (STEP_S * (len(time_s) - begin))
    return speed_mps


def _speed_mps(here_m: FloatArray, past_m: FloatArray, known: BoolArray, future_m: FloatArray) -> FloatArray:
    second = _length(here_m - past_m[:, -2])
    half = 2.0 * _length(here_m - past_m[:, -1])
    coming = _length(future_m[:, 0] - here_m) / STEP_S
    return np.where(known[:, -2], second, np.where(known[:, -1], half, coming))


def _stands(here_m: FloatArray, past_m: FloatArray, known: BoolArray, future_m: FloatArray) -> BoolArray:
    before: BoolArray = np.all((_length(past_m - here_m[:, None]) < STANDS_WITHIN_M) & known, axis=1)
    after: BoolArray = np.all(_length(future_m - here_m[:, None]) < STANDS_WITHIN_M, axis=1)
    return before & after


def _length(vector: FloatArray) -> FloatArray:
    length: FloatArray = np.hypot(vector[..., 0], vector[..., 1])
    return length
