"""A scene as a tracker reports it: correlated noise, late births, gaps, changed ids, wrong sizes.

NOISE is fitted to recorded tracks as sim/measure_tracker.py measures them; docs/generated-traffic.md has both.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from trajnet.errors import InputError
from trajnet.geometry import wrap_angle
from trajnet.scenes.rows import Rows, scene_from_rows
from trajnet.types import BoolArray, FloatArray, IntArray, ObjectClass, Scene

#: Rates of trackers (Hz) and how often a scene has each.
RATES_HZ: dict[float, float] = {2.0: 0.15, 2.5: 0.1, 5.0: 0.15, 10.0: 0.45, 20.0: 0.15}
#: Standard deviation of the logarithm of the noise from track to track, and its largest factor.
TRACK_SPREAD = 0.75
LARGEST = 6.0
SIZE_ERROR = 0.07
#: Share of scenes whose tracker reports no velocity at all.
NO_VELOCITY_SHARE = 0.2
SHORTEST_ROWS = 3


@dataclass(frozen=True)
class Noise:
    """The errors of one class of objects.

    position_m, velocity_mps, yaw_rad: median over tracks of the standard deviation along each axis. position_s,
    velocity_s, yaw_s: correlation time, after which 1/e of the error is left. reversed_share: share of time in which
    the yaw is turned by 180 degrees. missed_share, missed_s: share of time without detection and length of each gap.
    id_change_hz: rate at which an object gets another id. birth_s: longest time until a new object is reported.
    velocity_after_s: time from then until its velocity is reported. Raises InputError for values out of range.
    """

    position_m: float
    yaw_rad: float
    velocity_mps: float
    missed_share: float
    reversed_share: float = 0.003
    position_s: float = 1.0
    velocity_s: float = 0.15
    yaw_s: float = 1.0
    missed_s: float = 0.6
    id_change_hz: float = 0.02
    birth_s: float = 1.0
    velocity_after_s: float = 0.5

    def __post_init__(self) -> None:
        if min(self.position_m, self.yaw_rad, self.velocity_mps, self.position_s, self.velocity_s, self.missed_s) <= 0:
            raise InputError(f"Noise: expected sizes and times above 0, got {self}")
        if not (0 <= self.missed_share < 0.5 and 0 <= self.reversed_share < 0.5):
            raise InputError(f"Noise: expected shares from 0 to 0.5, got {self}")


NOISE: dict[ObjectClass, Noise] = {
    ObjectClass.CAR: Noise(0.1, np.deg2rad(1.5), 0.13, 0.06, id_change_hz=0.03),
    ObjectClass.TRUCK: Noise(0.13, np.deg2rad(1.3), 0.19, 0.07, id_change_hz=0.06),
    ObjectClass.BUS: Noise(0.15, np.deg2rad(1.3), 0.2, 0.08, id_change_hz=0.1),
    ObjectClass.MOTORCYCLE: Noise(0.09, np.deg2rad(3.5), 0.12, 0.12, id_change_hz=0.1),
    ObjectClass.BICYCLE: Noise(0.09, np.deg2rad(3.5), 0.12, 0.13, reversed_share=0.006, id_change_hz=0.1),
    ObjectClass.PEDESTRIAN: Noise(
        0.09, np.deg2rad(8.0), 0.08, 0.06, reversed_share=0.1, position_s=1.6, velocity_s=0.35
    ),
}


def correlated(rng: np.random.Generator, steps_s: FloatArray, columns: int, time_s: float) -> FloatArray:
    """Return noise (F, columns) of unit variance whose correlation after t seconds is exp(-t / time_s).

    steps_s (F,): time since the row before; the first is ignored. An Ornstein-Uhlenbeck process at these times.
    """
    keep = np.exp(-np.asarray(steps_s, np.float64) / time_s)
    fresh = rng.normal(size=(len(keep), columns))
    noise = np.empty_like(fresh)
    for i in range(len(keep)):
        noise[i] = fresh[i] if i == 0 else keep[i] * noise[i - 1] + np.sqrt(1.0 - keep[i] ** 2) * fresh[i]
    return noise


def on_and_off(rng: np.random.Generator, steps_s: FloatArray, share: float, length_s: float) -> BoolArray:
    """Return a state (F,) that is on for this share of time, for length_s at a time on average.

    A two-state Markov process in continuous time, sampled steps_s apart: the share is the same at every rate.
    """
    if share <= 0:
        return np.zeros(len(steps_s), np.bool_)
    off_s = length_s * (1.0 - share) / share
    keep = np.exp(-np.asarray(steps_s, np.float64) * (1.0 / length_s + 1.0 / off_s))
    state = np.empty(len(steps_s), np.bool_)
    on = 0.0
    for i, draw in enumerate(rng.random(len(steps_s))):
        on = float(draw < (share if i == 0 else share + keep[i] * (on - share)))
        state[i] = on > 0
    return state


def at_rate(scene: Scene, rate_hz: float) -> Scene:
    """Return a 10 Hz scene at another rate: fewer of its frames, or twice as many with straight lines between them."""
    step_ns = round(1e9 / rate_hz)
    own_ns = int(np.diff(scene.timestamp_ns).min())
    if step_ns * 2 == own_ns:
        return _doubled(scene)
    if step_ns % own_ns:
        raise InputError(f"rate_hz: expected a rate that divides {1e9 / own_ns:g} Hz, or twice that, got {rate_hz}")
    keep = (scene.timestamp_ns[scene.row_frame] - scene.timestamp_ns[0]) % step_ns == 0
    return _selected(scene, np.flatnonzero(keep))


def _doubled(scene: Scene) -> Scene:
    """Return the scene with a row between every two successive rows of a track."""
    rows = _rows(scene)
    half: list[IntArray] = []
    for own in scene.rows_by_track():
        half.append(own[np.flatnonzero(np.diff(scene.row_frame[own]) == 1)])
    first = np.concatenate(half)
    later = {(int(t), int(f)): i for i, (t, f) in enumerate(zip(scene.row_track, scene.row_frame, strict=True))}
    second = np.array([later[int(scene.row_track[i]), int(scene.row_frame[i]) + 1] for i in first])
    turn = wrap_angle(scene.yaw_rad[second] - scene.yaw_rad[first])
    middle = replace(
        _rows(scene, first),
        frame_number=2 * scene.frame_number[scene.row_frame[first]] + 1,
        timestamp_ns=(rows.timestamp_ns[first] + rows.timestamp_ns[second]) // 2,
        position_m=0.5 * (scene.position_m[first] + scene.position_m[second]),
        yaw_rad=wrap_angle(scene.yaw_rad[first] + 0.5 * turn),
        velocity_mps=scene.velocity_mps[second],
        velocity_valid=scene.velocity_valid[second],
    )
    rows = replace(rows, frame_number=2 * rows.frame_number)
    return _scene(scene, _joined(rows, middle))


def tracker_view(rng: np.random.Generator, scene: Scene, rate_hz: float) -> Scene:
    """Return the scene as a tracker of this rate reports it; its id ends in ``_tracker``."""
    sampled = at_rate(scene, rate_hz)
    without_velocity = bool(rng.random() < NO_VELOCITY_SHARE)
    parts = [_reported(rng, sampled, own) for own in sampled.rows_by_track() if len(own)]
    rows = parts[0]
    for part in parts[1:]:
        rows = _joined(rows, part)
    if without_velocity:
        rows = replace(rows, velocity_valid=np.zeros(len(rows.frame_number), np.bool_))
    named = replace(
        sampled,
        scene_id=f"{scene.scene_id}_tracker",
        source=f"{scene.source}; as a tracker reports it at {rate_hz:g} Hz"
        + (", without velocity" if without_velocity else ""),
    )
    return _scene(named, rows)


def _reported(rng: np.random.Generator, scene: Scene, own: IntArray) -> Rows:
    """Return the reported rows of one track, with noise."""
    noise = NOISE[ObjectClass(int(scene.object_class[scene.row_track[own[0]]]))]
    time_s = (scene.timestamp_ns[scene.row_frame[own]] - scene.timestamp_ns[scene.row_frame[own[0]]]) * 1e-9
    steps_s = np.diff(time_s, prepend=time_s[0])
    scale = float(np.minimum(rng.lognormal(0.0, TRACK_SPREAD), LARGEST))
    position_m = scene.position_m[own] + scale * noise.position_m * correlated(rng, steps_s, 2, noise.position_s)
    velocity_mps = scene.velocity_mps[own] + scale * noise.velocity_mps * correlated(rng, steps_s, 2, noise.velocity_s)
    yaw_rad = scene.yaw_rad[own] + scale * noise.yaw_rad * correlated(rng, steps_s, 1, noise.yaw_s)[:, 0]
    yaw_rad = yaw_rad + np.pi * on_and_off(rng, steps_s, noise.reversed_share, 1.0)
    size_m = scene.size_m[scene.row_track[own]] * rng.lognormal(0.0, SIZE_ERROR, 2)
    there = ~on_and_off(rng, steps_s, noise.missed_share, noise.missed_s)
    there &= time_s >= float(rng.uniform(0.0, noise.birth_s))
    number = np.cumsum(rng.random(len(own)) < 1.0 - np.exp(-steps_s * noise.id_change_hz))
    born_s = {int(n): float(time_s[there & (number == n)].min(initial=np.inf)) for n in np.unique(number)}
    age_s = time_s - np.array([born_s[int(n)] for n in number])
    rows = replace(
        _rows(scene, own),
        position_m=position_m.round(3),
        velocity_mps=velocity_mps.round(3),
        velocity_valid=scene.velocity_valid[own] & (age_s >= noise.velocity_after_s - 1e-6),
        yaw_rad=wrap_angle(yaw_rad).round(4),
        size_m=size_m.round(2),
        track_id=[f"{scene.track_id[scene.row_track[r]]}.{n}" for r, n in zip(own, number, strict=True)],
    )
    return _taken(rows, np.flatnonzero(there & (np.bincount(number, weights=there)[number] >= SHORTEST_ROWS)))


def _rows(scene: Scene, chosen: IntArray | None = None) -> Rows:
    """Return the rows of a scene, all or the chosen ones."""
    at = np.arange(len(scene.row_frame)) if chosen is None else chosen
    track = scene.row_track[at]
    return Rows(
        frame_number=scene.frame_number[scene.row_frame[at]],
        timestamp_ns=scene.timestamp_ns[scene.row_frame[at]],
        track_id=[scene.track_id[t] for t in track],
        object_class=scene.object_class[track].astype(np.int64),
        size_m=scene.size_m[track],
        position_m=scene.position_m[at],
        yaw_rad=scene.yaw_rad[at],
        yaw_valid=scene.yaw_valid[at],
        velocity_mps=scene.velocity_mps[at],
        velocity_valid=scene.velocity_valid[at],
        is_target=scene.is_target[at],
    )


def _taken(rows: Rows, at: IntArray) -> Rows:
    arrays = {name: value[at] for name, value in vars(rows).items() if name != "track_id"}
    return Rows(track_id=[rows.track_id[i] for i in at], **arrays)


def _joined(first: Rows, second: Rows) -> Rows:
    arrays = {n: np.concatenate([v, getattr(second, n)]) for n, v in vars(first).items() if n != "track_id"}
    return Rows(track_id=[*first.track_id, *second.track_id], **arrays)


def _selected(scene: Scene, at: IntArray) -> Scene:
    return _scene(scene, _rows(scene, at))


def _scene(like: Scene, rows: Rows) -> Scene:
    return scene_from_rows(like.scene_id, rows, source=like.source, licence=like.licence, lanes=like.lanes)
