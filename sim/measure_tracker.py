#!/usr/bin/env python3
"""Measure a tracker's errors in recorded scenes: ``python sim/measure_tracker.py FOLDER [--json FILE]``.

No ground truth is needed: a standing object does not move, so all its motion is noise. Measured by class, over tracks
that are neither targets (these are labelled by hand) nor the recording vehicle:

    standing objects: position noise (scatter around the track's own median, m) and its correlation over time, velocity
    noise (m/s), yaw scatter (deg), and the share of rows that point the other way round
    all: frames missing inside of tracks (rows of score 0 are interpolated: missing too), rows without velocity, length
    of tracks, share of rows that belong to standing objects
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from trajnet.datasets.files import find_scenes, load_scene
from trajnet.errors import InputError, TrajnetError
from trajnet.geometry import wrap_angle
from trajnet.types import BoolArray, FloatArray, IntArray, ObjectClass, Scene

#: A track stands if it is seen for at least this long and its first and last thirds have the same middle to this.
STANDING_S = 4.0
STANDING_M = 0.6
LAGS = (1, 2, 4)


@dataclass(frozen=True, eq=False)
class Seen:
    """One track: its class, frame numbers from 0 (F,), whether it is a target, and its rows (F, ...)."""

    kind: ObjectClass
    frame: IntArray
    target: bool
    position_m: FloatArray
    yaw_rad: FloatArray
    yaw_valid: BoolArray
    velocity_mps: FloatArray
    velocity_valid: BoolArray


def interpolated(path: Path) -> set[tuple[str, int]]:
    """Return track id and frame number of the rows of a table whose score is 0; none if it has no scores."""
    if "score" not in pq.read_schema(path).names:
        return set()
    table = pq.read_table(path, columns=["track_id", "frame_number", "score"]).to_pydict()
    rows = zip(table["track_id"], table["frame_number"], table["score"], strict=True)
    return {(track, number) for track, number, score in rows if score == 0}


def tracks_of(scene: Scene, left_out: set[tuple[str, int]]) -> Iterator[Seen]:
    """Yield the tracks of a scene but for the recording vehicle, without the rows left out."""
    for every in scene.rows_by_track():
        numbers = scene.frame_number[scene.row_frame[every]].tolist()
        ids = [scene.track_id[t] for t in scene.row_track[every]]
        rows = every[[(i, n) not in left_out for i, n in zip(ids, numbers, strict=True)]]
        track = int(scene.row_track[rows[0]]) if len(rows) else -1
        if track < 0 or scene.track_id[track] == "ego":
            continue
        yield Seen(
            ObjectClass(int(scene.object_class[track])),
            scene.row_frame[rows],
            bool(scene.is_target[rows].any()),
            scene.position_m[rows],
            scene.yaw_rad[rows],
            scene.yaw_valid[rows],
            scene.velocity_mps[rows],
            scene.velocity_valid[rows],
        )


def stands(seen: Seen, frame_s: float) -> bool:
    """Return whether the object of a track stands all the time: noise alone does not move its median position."""
    if (seen.frame[-1] - seen.frame[0]) * frame_s < STANDING_S or len(seen.frame) < 6:
        return False
    third = len(seen.frame) // 3
    first, last = (np.median(part, axis=0) for part in (seen.position_m[:third], seen.position_m[-third:]))
    return float(np.hypot(*(last - first))) < STANDING_M


def correlation(tracks: list[FloatArray], frames: list[IntArray], lag: int) -> float:
    """Return the correlation of deviations (F, 2) between frames lag apart, pooled over tracks.

    Each track is divided by its own RMS first: otherwise a few that creep in a queue outweigh all that stand.
    """
    products, squares = [], []
    for raw, frame in zip(tracks, frames, strict=True):
        deviation = raw / max(float(np.sqrt((raw**2).mean())), 1e-9)
        later = np.searchsorted(frame, frame + lag)
        pairs = np.flatnonzero((later < len(frame)) & (frame[np.minimum(later, len(frame) - 1)] == frame + lag))
        products.append((deviation[pairs] * deviation[later[pairs]]).sum(axis=1))
        squares.append(0.5 * (deviation[pairs] ** 2 + deviation[later[pairs]] ** 2).sum(axis=1))
    total = float(np.concatenate(squares).sum()) if squares else 0.0
    return float(np.concatenate(products).sum()) / total if total > 0 else float("nan")


def measure(tracks: list[Seen], frame_s: float) -> dict[str, float]:
    """Return the figures of one class, see the head of this file; NaN where there is nothing to measure."""
    free = [t for t in tracks if not t.target]
    still = [t for t in free if stands(t, frame_s)]
    deviation = [t.position_m - np.median(t.position_m, axis=0) for t in still]
    frames = [t.frame for t in still]
    span = sum(int(t.frame[-1] - t.frame[0]) + 1 for t in free)
    rows = _rows(free)
    found = {
        "tracks": len(free),
        "standing_share": _rows(still) / max(1, _rows([t for t in free if len(t.frame) > 5])),
        "missing_share": 1.0 - rows / max(1, span),
        "length_median_s": float(np.median([(t.frame[-1] - t.frame[0]) * frame_s for t in free])) if free else np.nan,
        "length_short_share": float(np.mean([len(t.frame) <= 3 for t in free])) if free else np.nan,
        "no_velocity_rows": float(np.mean([int((~t.velocity_valid).sum()) for t in free])) if free else np.nan,
        "standing_tracks": len(still),
    }
    if still:
        along = [_own_axes(d, t) for d, t in zip(deviation, still, strict=True)]
        found |= _position(np.concatenate(along))
        found |= {f"position_correlation_{lag * frame_s:g}s": correlation(deviation, frames, lag) for lag in LAGS}
        found |= _velocity(still)
        found |= _yaw(still)
    return found


def _rows(tracks: list[Seen]) -> int:
    return sum(len(t.frame) for t in tracks)


def _own_axes(deviation_m: FloatArray, seen: Seen) -> FloatArray:
    """Return deviations along and across the object's own yaw."""
    yaw = float(np.arctan2(np.sin(2 * seen.yaw_rad).mean(), np.cos(2 * seen.yaw_rad).mean()) / 2)
    turn = np.array([[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]])
    own: FloatArray = deviation_m @ turn
    return own


def _position(own_m: FloatArray) -> dict[str, float]:
    radius = np.hypot(*own_m.T)
    return {
        "position_rms_m": float(np.sqrt((own_m**2).mean())),
        "position_robust_m": float(1.4826 * np.median(np.abs(own_m))),
        "position_p95_m": float(np.quantile(radius, 0.95)),
        "along_to_across": float(np.median(np.abs(own_m[:, 0])) / max(np.median(np.abs(own_m[:, 1])), 1e-9)),
        "track_median_m": float(np.median(radius)),
    }


def _velocity(still: list[Seen]) -> dict[str, float]:
    velocity = [t.velocity_mps[t.velocity_valid] for t in still if t.velocity_valid.any()]
    if not velocity:
        return {}
    every = np.concatenate(velocity)
    frames = [t.frame[t.velocity_valid] for t in still if t.velocity_valid.any()]
    return {
        "velocity_rms_mps": float(np.sqrt((every**2).mean())),
        "velocity_robust_mps": float(1.4826 * np.median(np.abs(every))),
        "velocity_correlation_1": correlation(velocity, frames, 1),
    }


def _yaw(still: list[Seen]) -> dict[str, float]:
    """Return the scatter of the yaw modulo 180 degrees, and the share of rows against the majority of their track."""
    scatter, against = [], []
    for t in still:
        yaw = t.yaw_rad[t.yaw_valid]
        if len(yaw) < 4:
            continue
        axis = float(np.arctan2(np.sin(2 * yaw).mean(), np.cos(2 * yaw).mean()) / 2)
        scatter.append(wrap_angle(2 * (yaw - axis)) / 2)
        same = np.cos(yaw - axis) > 0
        against.append(np.minimum(same.mean(), 1 - same.mean()))
    if not scatter:
        return {}
    every = np.abs(np.concatenate(scatter))
    return {
        "yaw_robust_deg": float(np.rad2deg(1.4826 * np.median(every))),
        "yaw_p95_deg": float(np.rad2deg(np.quantile(every, 0.95))),
        "yaw_reversed_share": float(np.mean(against)),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", type=Path, help="a scene, or a folder of them")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    arguments = parser.parse_args()
    by_class: dict[ObjectClass, list[Seen]] = {}
    steps_s = []
    try:
        for path in find_scenes(arguments.scenes):
            scene = load_scene(path)
            steps_s.append(float(np.median(np.diff(scene.timestamp_ns))) * 1e-9)
            for seen in tracks_of(scene, interpolated(path)):
                by_class.setdefault(seen.kind, []).append(seen)
        frame_s = float(np.median(steps_s))
        if max(steps_s) - min(steps_s) > 0.1 * frame_s:
            raise InputError(
                f"{arguments.scenes}: expected scenes of one rate, got frames of {min(steps_s)} to {max(steps_s)} s"
            )
    except TrajnetError as error:
        print(f"measure_tracker: {error}", file=sys.stderr)
        return 2
    found = {kind.name.lower(): measure(tracks, frame_s) for kind, tracks in sorted(by_class.items())}
    names = list(dict.fromkeys(name for figures in found.values() for name in figures))
    print(f"{'frame ' + format(frame_s, '.3g') + ' s':28}" + "".join(f"{kind:>12}" for kind in found))
    for name in names:
        print(f"{name:28}" + "".join(f"{figures.get(name, np.nan):12.3f}" for figures in found.values()))
    if arguments.json:
        arguments.json.write_text(json.dumps({"frame_s": frame_s, "classes": found}, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
