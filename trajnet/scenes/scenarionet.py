"""ScenarioNet's scenarios (``sd_*.pkl``): a pickled dictionary each, of whatever data set they were made from.

Their form is metadrive.scenario.scenario_description.ScenarioDescription of MetaDrive (0.4.3 on PyPI). They are read as
plain data (trajnet.scenes.plain_pickle): nothing in them is run, and neither ScenarioNet nor MetaDrive is needed.

Targets are the tracks to predict at the current step, where the metadata names them. Times on a grid within ON_GRID_S
are put on it. Cones and barriers, and traffic lights, are left out, counted and logged. ScenarioNet writes a velocity
of exactly zero where it could not difference positions (at the last step of a track): where a track moves, such a
velocity is not known.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from trajnet.errors import InputError, in_words
from trajnet.scenes import nuscenes_tables
from trajnet.scenes.plain_pickle import read_pickle
from trajnet.scenes.rows import Rows, scene_from_rows
from trajnet.scenes.scenarionet_map import scenarionet_lanes
from trajnet.types import DEFAULT_SIZE_M, BoolArray, FloatArray, IntArray, ObjectClass, Scene

log = logging.getLogger(__name__)

#: The data sets' own terms hold for what was made from them.
LICENCE = "that of the data set it was made from; the largest are non-commercial"
#: MetaDriveType's participants. Of vehicles it has one kind only; nuScenes' own categories are finer.
CLASSES: dict[str, ObjectClass] = {
    "VEHICLE": ObjectClass.CAR,
    "PEDESTRIAN": ObjectClass.PEDESTRIAN,
    "CYCLIST": ObjectClass.BICYCLE,
    "OTHER": ObjectClass.UNKNOWN,
    "UNSET": ObjectClass.UNKNOWN,
}
#: MetaDriveType's things, which no scene has.
THINGS = ("TRAFFIC_CONE", "TRAFFIC_BARRIER", "TRAFFIC_OBJECT", "TRAFFIC_LIGHT")
MAX_STEPS, ON_GRID_S = 100_000, 0.005
#: A velocity of exactly zero is not one where the track moves faster than this.
MOVING_MPS = 1.0


def read_scenarionet(path: Path, _with_map: bool = False) -> Scene:
    """Return the scene of a scenario, with its lanes and crosswalks.

    Raises InputError that names the file and the track, and says what was expected and what was found.
    """
    scenario = read_pickle(path)
    try:
        return _scene(path, scenario)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except (TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise InputError(f"{path}: expected a scenario of ScenarioNet, got {in_words(error)[:200]}") from error


def _scene(path: Path, scenario: Any) -> Scene:
    metadata = _part(scenario, "metadata", "a scenario")
    steps = _steps(scenario)
    times_ns = _times_ns(metadata, steps)
    left_out = Counter(lights=len(_part(scenario, "dynamic_map_states", "a scenario")))
    tracks = list[_Track]()
    for name, track in _part(scenario, "tracks", "a scenario").items():
        kind = _part(track, "type", f"track {name!r}", str)
        if kind in THINGS:
            left_out[kind.lower()] += 1
        else:
            tracks.append(_Track(str(name), kind, track, times_ns))
    rows = _rows(tracks, times_ns, _targets(metadata, steps))
    lanes, unplaced = scenarionet_lanes(_part(scenario, "map_features", "a scenario"))
    left_out.update(unplaced)
    left_out["velocities of zero"] += sum(track.unknown_zeros for track in tracks)
    if +left_out:
        log.info("%s: left out %s", path, ", ".join(f"{n:,} {name}" for name, n in sorted((+left_out).items())))
    source = f"ScenarioNet, {str(metadata.get('dataset', 'unknown'))[:60]}"
    every = [(i, int(t)) for i, t in enumerate(times_ns.tolist())]
    name = str(scenario.get("id") or path.stem)
    return scene_from_rows(name, rows, source=source, licence=LICENCE, lanes=lanes, extra_frames=every)


def _part(of: Any, name: str, owner: str, kind: type = dict) -> Any:
    """Return the value under a name. Raises InputError unless there is one of that kind."""
    if not isinstance(of, Mapping):
        raise InputError(f"expected {owner} as a dictionary, got {type(of).__name__}")
    if name not in of:
        shown = ", ".join(sorted(str(key) for key in of)[:8])[:200] or "nothing"
        raise InputError(f"{owner}: expected {name!r}, got {shown}")
    if not isinstance(of[name], kind):
        raise InputError(f"{owner}, {name!r}: expected {kind.__name__}, got {type(of[name]).__name__}")
    return of[name]


def _steps(scenario: Mapping[str, Any]) -> int:
    steps = scenario.get("length")
    if isinstance(steps, bool) or not isinstance(steps, (int, np.integer)) or not 0 < steps <= MAX_STEPS:
        raise InputError(f"length: expected 1 to {MAX_STEPS:,} steps, got {str(steps)[:40]}")
    return int(steps)


def _times_ns(metadata: Mapping[str, Any], steps: int) -> IntArray:
    """Return the time of each step (F,) since the first, in ns."""
    times_s = numbers(_part(metadata, "ts", "metadata", object), "metadata, 'ts'", (steps,))
    if not np.isfinite(times_s).all() or np.abs(times_s).max() > 1e9:
        raise InputError("metadata, 'ts': expected finite times in s, got others")
    rise_s = np.diff(times_s)
    if (rise_s <= 0).any():
        raise InputError(f"metadata, 'ts': expected strictly increasing times, got a step of {rise_s.min():g} s")
    since_s = times_s - times_s[0]
    step_s = round(float(np.median(rise_s)), 3) if steps > 1 else 0.1
    grid_s = np.arange(steps) * step_s
    used_s = grid_s if step_s > 0 and np.abs(since_s - grid_s).max() <= ON_GRID_S else since_s
    times_ns: IntArray = np.rint(used_s * 1e9).astype(np.int64)
    return times_ns


def numbers(values: Any, owner: str, shape: tuple[int, ...]) -> FloatArray:
    """Return values as float64 of this shape; -1 stands for any length, and an axis of 1 may be too many at the end.

    Raises InputError with what was got.
    """
    try:
        found = np.asarray(values)
    except ValueError as error:  # lists of different lengths
        raise InputError(f"{owner}: expected numbers of shape {shape}, got {in_words(error)[:100]}") from error
    if found.ndim == len(shape) + 1 and found.shape[-1] == 1:
        found = found[..., 0]
    fits = found.ndim == len(shape) and all(want in (-1, got) for want, got in zip(shape, found.shape, strict=True))
    if found.dtype.kind not in "biuf" or not fits:
        raise InputError(f"{owner}: expected numbers of shape {shape}, got {found.dtype} of {found.shape}")
    return found.astype(np.float64)


class _Track:
    """A track's valid steps (V,) and what is known of it there."""

    def __init__(self, name: str, kind: str, track: Mapping[str, Any], times_ns: IntArray) -> None:
        owner, steps = f"track {name!r}", len(times_ns)
        self.name = name
        if kind not in CLASSES:
            raise InputError(f"{owner}, 'type': expected {', '.join((*CLASSES, *THINGS))}, got {kind[:40]!r}")
        self.object_class = _class_of(kind, track.get("metadata"))
        self._state, self._owner = _part(track, "state", owner), owner
        given = self._values("valid", steps, 1)
        valid = np.ones(steps, np.bool_) if given is None else given[:, 0] > 0.5
        position_m, yaw_rad = self._required("position", steps, 2), self._required("heading", steps, 1)
        self.step: IntArray = np.flatnonzero(valid)
        self.position_m, self.yaw_rad = position_m[valid], yaw_rad[valid, 0]
        velocity_mps = self._values("velocity", steps, 2)
        self.velocity_mps = np.zeros((len(self.step), 2)) if velocity_mps is None else velocity_mps[valid]
        self.velocity_valid, self.unknown_zeros = self._known_velocities(times_ns, velocity_mps is not None)
        self.size_m = self._size_m(steps, valid)

    def _values(self, name: str, steps: int, columns: int) -> FloatArray | None:
        """Return a state's values (F, columns), further columns (heights) left out; None where it is not given."""
        return None if self._state.get(name) is None else self._required(name, steps, columns)

    def _required(self, name: str, steps: int, columns: int) -> FloatArray:
        values, owner = _part(self._state, name, self._owner, object), f"{self._owner}, {name!r}"
        if columns == 1:
            return numbers(values, owner, (steps,))[:, None]
        found = numbers(values, owner, (steps, -1))
        if found.shape[1] < columns:
            raise InputError(f"{owner}: expected at least {columns} columns, got {found.shape[1]}")
        return found[:, :columns]

    def _known_velocities(self, times_ns: IntArray, given: bool) -> tuple[BoolArray, int]:
        known: BoolArray = np.asarray(np.isfinite(self.velocity_mps).all(axis=1) & given)
        if given and len(self.step) > 1:
            dt_s = np.diff(times_ns[self.step]) * 1e-9
            speed_mps = np.hypot(*np.diff(self.position_m, axis=0).T) / dt_s
            moving = np.maximum(np.append(speed_mps, 0.0), np.insert(speed_mps, 0, 0.0)) > MOVING_MPS
            zero = known & moving & (self.velocity_mps == 0).all(axis=1)
            return known & ~zero, int(zero.sum())
        return known, 0

    def _size_m(self, steps: int, valid: BoolArray) -> FloatArray:
        """Return length and width: the first that are above 0, else the default of the class."""
        size_m: FloatArray = DEFAULT_SIZE_M[self.object_class].copy()
        for column, name in enumerate(("length", "width")):
            values = self._values(name, steps, 1)
            if values is not None:
                usable = values[valid, 0]
                usable = usable[np.isfinite(usable) & (usable > 0)]
                size_m[column] = usable[0] if len(usable) else size_m[column]
        return size_m


def _class_of(kind: str, metadata: Any) -> ObjectClass:
    """Return the class by nuScenes' category, where the metadata has one, else by MetaDrive's type."""
    category = str(metadata.get("type", "")) if isinstance(metadata, Mapping) else ""
    if "." in category:
        for start, found in nuscenes_tables.CLASSES.items():
            if category.startswith(start):
                return found
    return CLASSES[kind]


def _targets(metadata: Mapping[str, Any], steps: int) -> tuple[frozenset[str], int]:
    """Return the names of the tracks to predict and the step to predict them at; none where it is not said."""
    asked, now = metadata.get("tracks_to_predict"), metadata.get("current_time_index")
    if asked is None or now is None:
        return frozenset(), 0
    if isinstance(now, bool) or not isinstance(now, (int, np.integer)) or not 0 <= now < steps:
        raise InputError(f"metadata, 'current_time_index': expected 0..{steps - 1}, got {str(now)[:40]}")
    if not isinstance(asked, (dict, list)):
        raise InputError(f"metadata, 'tracks_to_predict': expected tracks by name, got {type(asked).__name__}")
    return frozenset(str(name) for name in asked), int(now)


def _rows(tracks: list[_Track], times_ns: IntArray, targets: tuple[frozenset[str], int]) -> Rows:
    tracks = [track for track in tracks if len(track.step)]
    if not tracks:
        raise InputError("expected tracks with valid steps, got none")
    asked, now = targets
    step = np.concatenate([track.step for track in tracks])
    length = [len(track.step) for track in tracks]
    wanted = np.repeat([track.name in asked for track in tracks], length)
    velocity_valid = np.concatenate([track.velocity_valid for track in tracks])
    return Rows(
        frame_number=step,
        timestamp_ns=times_ns[step],
        track_id=[track.name for track in tracks for _ in range(len(track.step))],
        object_class=np.repeat([int(track.object_class) for track in tracks], length),
        size_m=np.repeat([track.size_m for track in tracks], length, axis=0),
        position_m=np.concatenate([track.position_m for track in tracks]),
        yaw_rad=np.concatenate([track.yaw_rad for track in tracks]),
        yaw_valid=np.ones(len(step), np.bool_),
        velocity_mps=np.concatenate([track.velocity_mps for track in tracks]),
        velocity_valid=velocity_valid,
        is_target=wanted & (step == now),
    )
