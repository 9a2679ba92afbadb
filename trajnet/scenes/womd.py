"""Waymo Open Motion scenarios: TFRecord files of several hundred, 1.1 s of history and 8 s of future at 10 Hz.

A scenario becomes a scene with all its tracks, the vehicle that recorded it among them under its own id, with lanes and
crosswalks. Targets are the tracks to predict, at the current step. Steps count as 0.1 s, as the benchmark takes them;
the recorded times differ by at most 0.1 ms (where they differ by more than ON_GRID_S, they are kept). Traffic lights,
stop signs, speed bumps, driveways and heights are left out, counted and logged: a scene has no place for them.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from trajnet.errors import InputError, in_words
from trajnet.scenes.formats import only_scene
from trajnet.scenes.rows import Rows, scene_from_rows
from trajnet.scenes.tfrecord import read_records
from trajnet.scenes.womd_map import womd_lanes
from trajnet.scenes.womd_messages import scenario_class
from trajnet.types import DEFAULT_SIZE_M, FloatArray, IntArray, ObjectClass, Scene

log = logging.getLogger(__name__)

SOURCE = "Waymo Open Motion"
LICENCE = "Waymo Open Dataset licence: non-commercial"
STEP_S, ON_GRID_S = 0.1, 0.005
#: Track.ObjectType; others and unset ones are unknown.
CLASSES: dict[int, ObjectClass] = {1: ObjectClass.CAR, 2: ObjectClass.PEDESTRIAN, 3: ObjectClass.BICYCLE}
#: How long a scenario may be; one of the data set has 91 steps.
MAX_STEPS = 100_000


def read_womd(path: Path, with_map: bool = False) -> Scene:
    """Return the scene of a file with one scenario. Raises InputError as read_womd_scenes, and for several."""
    return only_scene(path, read_womd_scenes(path, with_map))


def read_womd_scenes(path: Path, _with_map: bool = False) -> Iterator[Scene]:
    """Yield the scene of each scenario in the order of the file; only one is in memory at a time.

    Raises InputError that names the file and the record, DependencyError where protobuf is not installed.
    """
    left_out: Counter[str] = Counter()
    number = -1
    for number, record in enumerate(read_records(path)):
        try:
            scenario = scenario_class().FromString(record)
            yield _scene(scenario, left_out)
        except InputError as error:
            raise InputError(f"{path}, record {number}: {error}") from error
        except (ValueError, OverflowError, _decode_error()) as error:
            raise InputError(f"{path}, record {number}: expected a scenario, got {in_words(error)}") from error
    if number < 0:
        raise InputError(f"{path}: expected scenarios, got an empty file")
    if left_out:
        counts = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in sorted(left_out.items()))
        log.info("%s: %d scenarios, left out %s", path, number + 1, counts)


def _decode_error() -> type[Exception]:
    from google.protobuf.message import DecodeError

    found: type[Exception] = DecodeError
    return found


def _scene(scenario: Any, left_out: Counter[str]) -> Scene:
    times_ns = _times_ns(scenario)
    current = scenario.current_time_index
    states, track, step = _states(scenario, len(times_ns))
    classes = np.array([CLASSES.get(t.object_type, ObjectClass.UNKNOWN) for t in scenario.tracks], np.int64)
    targets = _targets(scenario)
    size_m = np.where(states[:, 2:4] > 0, states[:, 2:4], DEFAULT_SIZE_M[classes[track]])
    names = [str(t.id) for t in scenario.tracks]
    rows = Rows(
        frame_number=step,
        timestamp_ns=times_ns[step],
        track_id=[names[i] for i in track.tolist()],
        object_class=classes[track],
        size_m=size_m,
        position_m=states[:, :2],
        yaw_rad=states[:, 4],
        yaw_valid=np.ones(len(step), np.bool_),
        velocity_mps=states[:, 5:7],
        velocity_valid=np.ones(len(step), np.bool_),
        is_target=targets[track] & (step == current),
    )
    lanes, unplaced = womd_lanes(scenario.map_features)
    left_out.update(unplaced)
    left_out["traffic_light_states"] += sum(len(each.lane_states) for each in scenario.dynamic_map_states)
    every = [(i, int(t)) for i, t in enumerate(times_ns.tolist())]
    return scene_from_rows(
        scenario.scenario_id or "scenario", rows, source=SOURCE, licence=LICENCE, lanes=lanes, extra_frames=every
    )


def _times_ns(scenario: Any) -> IntArray:
    """Return the time of each step (F,) since the first, in ns."""
    times_s = np.array(scenario.timestamps_seconds, np.float64)
    if not 0 < len(times_s) <= MAX_STEPS or not np.isfinite(times_s).all() or np.abs(times_s).max() > 1e9:
        raise InputError(f"expected 1 to {MAX_STEPS:,} finite timestamps in s, got {len(times_s)}")
    if (np.diff(times_s) <= 0).any():
        raise InputError(f"expected strictly increasing timestamps, got a step of {np.diff(times_s).min():g} s")
    if not 0 <= scenario.current_time_index < len(times_s):
        raise InputError(f"expected a current step of 0..{len(times_s) - 1}, got {scenario.current_time_index}")
    grid_s = np.arange(len(times_s)) * STEP_S
    since_s = times_s - times_s[0]
    used_s = grid_s if np.abs(since_s - grid_s).max() <= ON_GRID_S else since_s
    times_ns: IntArray = np.rint(used_s * 1e9).astype(np.int64)
    return times_ns


def _states(scenario: Any, steps: int) -> tuple[FloatArray, IntArray, IntArray]:
    """Return the valid states (R, 7), and the track and the step of each (R,).

    Columns: x, y, length, width in m, heading in rad, velocity x, y in m/s.
    """
    values, track, step = list[tuple[float, ...]](), list[int](), list[int]()
    for index, each in enumerate(scenario.tracks):
        if len(each.states) != steps:
            raise InputError(
                f"track {each.id}: expected {steps} states, one for each timestamp, got {len(each.states)}"
            )
        for time, s in enumerate(each.states):
            if s.valid:
                values.append((s.center_x, s.center_y, s.length, s.width, s.heading, s.velocity_x, s.velocity_y))
                track.append(index)
                step.append(time)
    if not values:
        raise InputError("expected tracks with valid states, got none")
    return np.array(values, np.float64), np.array(track, np.int64), np.array(step, np.int64)


def _targets(scenario: Any) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return which tracks are to be predicted, (M,)."""
    targets = np.zeros(len(scenario.tracks), np.bool_)
    for each in scenario.tracks_to_predict:
        if not 0 <= each.track_index < len(targets):
            raise InputError(f"tracks_to_predict: expected 0..{len(targets) - 1}, got {each.track_index}")
        targets[each.track_index] = True
    return targets
