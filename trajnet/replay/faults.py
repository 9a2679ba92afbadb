"""What goes wrong between a sensor and a predictor, as pure functions of a recorded sequence of frames.

A fault takes deliveries (frames on their way, on the scene's own clock) and gives other deliveries; nothing here knows
a predictor or reads a clock. The same seed gives the same faults, and a stronger fault hits what a weaker one hit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from trajnet.arrays import StructOfArrays, concat
from trajnet.config import require
from trajnet.types import DEFAULT_SIZE_M, BoolArray, FloatArray, IntArray, ObjectClass, Scene, TrackFrame

Kind = Literal[
    "drop", "delay", "duplicate", "reorder", "clock_jump", "jitter",
    "id_switch", "class_flip", "position_noise", "burst", "nan",
]  # fmt: skip
KINDS: tuple[Kind, ...] = get_args(Kind)

#: What the strength of each kind is.
STRENGTHS: dict[str, str] = {
    "drop": "share of frames that never arrive",
    "delay": "s that frames arrive late on average, evenly from 0 to twice that, in order",
    "duplicate": "share of frames that arrive twice",
    "reorder": "share of frames that arrive after the one behind them",
    "clock_jump": "s that the clock of everything jumps in the middle of the scene, back if negative",
    "jitter": "s, standard deviation of the error of each time stamp",
    "id_switch": "times per object and second that the tracker loses an object for gap_s, then gives it a new id",
    "class_flip": "share of observations that are given another class",
    "position_noise": "m, standard deviation of white noise on each coordinate",
    "burst": "objects that are not there, appearing for 1 s in every 5 s",
    "nan": "share of observations whose position is not a number",
}
_SHARES = ("drop", "duplicate", "reorder", "class_flip", "nan")

#: Ghosts are there for the first BURST_S of every BURST_PERIOD_S, from BURST_PERIOD_S on.
BURST_S, BURST_PERIOD_S = 1.0, 5.0


@dataclass(frozen=True)
class Fault:
    """One kind of fault at one or more strengths (see STRENGTHS). gap_s: how long id_switch loses the object."""

    kind: Kind
    strength: tuple[float, ...]
    gap_s: float = 0.3

    def __post_init__(self) -> None:
        require(len(self.strength) > 0, f"{self.kind}: expected at least one strength, got none")
        for value in self.strength:
            require(math.isfinite(value), f"{self.kind}: expected finite strengths, got {value}")
            require(value >= 0 or self.kind == "clock_jump", f"{self.kind}: expected strengths from 0, got {value}")
            require(value <= 1 or self.kind not in _SHARES, f"{self.kind}: expected shares of at most 1, got {value}")
        require(
            math.isfinite(self.gap_s) and self.gap_s >= 0, f"gap_s: expected a time from 0 on in s, got {self.gap_s}"
        )


@dataclass(frozen=True)
class FaultPlan:
    """Faults to try one after the other, each at each of its strengths."""

    faults: tuple[Fault, ...]
    seed: int = 0

    def __post_init__(self) -> None:
        require(len(self.faults) > 0, "faults: expected at least one fault, got none")
        require(self.seed >= 0, f"seed: expected a whole number from 0 on, got {self.seed}")


@dataclass(frozen=True, eq=False)
class Delivery(StructOfArrays):
    """A frame on its way: N objects as sent, not checked; see TrackFrame for shapes and units.

    arrives_ns: when, on the scene's clock. clock_shift_ns: how far the clock of the stamps is ahead of the scene's.
    row (N,): the scene's row that each object is an observation of; it means nothing where there is no such object
    (not real (N,)).
    """

    SHARED = ("arrives_ns", "clock_shift_ns", "timestamp_ns")

    arrives_ns: int
    clock_shift_ns: int
    timestamp_ns: int
    track_id: tuple[str, ...]
    object_class: NDArray[np.int8]
    position_m: FloatArray
    yaw_rad: FloatArray
    yaw_valid: BoolArray
    velocity_mps: FloatArray
    velocity_valid: BoolArray
    size_m: FloatArray
    row: IntArray
    real: BoolArray

    def received(self) -> tuple[TrackFrame, Delivery, int]:
        """Return the frame that a receiver makes of it, the objects in that frame, and how many it refused.

        Objects without a finite position are refused, as the ROS node refuses them.
        """
        fine: BoolArray = np.all(np.isfinite(self.position_m), axis=1)
        kept = self if fine.all() else self.select(fine)
        values = {name: getattr(kept, name) for name in _OBJECT_FIELDS}
        return TrackFrame(kept.timestamp_ns, kept.track_id, **values), kept, int((~fine).sum())


_OBJECT_FIELDS = (
    "object_class", "position_m", "yaw_rad", "yaw_valid", "velocity_mps", "velocity_valid", "size_m",
)  # fmt: skip


def deliveries_of(scene: Scene) -> list[Delivery]:
    """Return the scene's frames without any fault: each arrives at its own time."""
    found = []
    for index, frame in enumerate(scene.frames()):
        part = scene.rows_of_frame(index)
        rows = np.arange(part.start, part.stop)
        values = {name: getattr(frame, name) for name in _OBJECT_FIELDS}
        stamp = frame.timestamp_ns
        found.append(Delivery(stamp, 0, stamp, frame.track_id, row=rows, real=np.ones(len(rows), np.bool_), **values))
    return found


def inject(scene: Scene, fault: Fault | None, strength: float, seed: int) -> tuple[list[Delivery], dict[str, int]]:
    """Return the scene's deliveries in order of arrival under one fault, and how often it struck ("hits")."""
    sent = deliveries_of(scene)
    if fault is None:
        return sent, {"hits": 0}
    random = np.random.default_rng([seed, KINDS.index(fault.kind)])
    if fault.kind == "id_switch":
        changed, hits = _id_switch(sent, scene, strength, fault.gap_s, random)
    elif fault.kind == "burst":
        changed, hits = _burst(sent, scene, strength, random)
    else:
        changed, hits = _SIMPLE[fault.kind](sent, strength, random)
    return sorted(changed, key=lambda d: d.arrives_ns), {"hits": hits}


def _drop(sent: list[Delivery], share: float, random: np.random.Generator) -> tuple[list[Delivery], int]:
    lost = random.random(len(sent)) < share
    return [d for d, gone in zip(sent, lost, strict=True) if not gone], int(lost.sum())


def _delay(sent: list[Delivery], mean_s: float, random: np.random.Generator) -> tuple[list[Delivery], int]:
    late_ns = (random.random(len(sent)) * 2.0 * mean_s * 1e9).astype(np.int64)
    arrives_ns = np.maximum.accumulate(np.array([d.arrives_ns for d in sent]) + late_ns)
    changed = [replace(d, arrives_ns=int(a)) for d, a in zip(sent, arrives_ns, strict=True)]
    return changed, int((late_ns > 0).sum())


def _duplicate(sent: list[Delivery], share: float, random: np.random.Generator) -> tuple[list[Delivery], int]:
    twice = random.random(len(sent)) < share
    return [d for d, again in zip(sent, twice, strict=True) for _ in range(1 + int(again))], int(twice.sum())


def _reorder(sent: list[Delivery], share: float, random: np.random.Generator) -> tuple[list[Delivery], int]:
    """Let each frame that is hit arrive just after the next one."""
    hit = random.random(len(sent)) < share
    hit[-1:] = False
    changed = [replace(d, arrives_ns=sent[i + 1].arrives_ns + 1) if hit[i] else d for i, d in enumerate(sent)]
    return changed, int(hit.sum())


def _clock_jump(sent: list[Delivery], jump_s: float, _random: np.random.Generator) -> tuple[list[Delivery], int]:
    middle, jump_ns = len(sent) // 2, round(jump_s * 1e9)
    later = [replace(d, timestamp_ns=d.timestamp_ns + jump_ns, clock_shift_ns=jump_ns) for d in sent[middle:]]
    return sent[:middle] + later, int(jump_ns != 0)


def _jitter(sent: list[Delivery], sigma_s: float, random: np.random.Generator) -> tuple[list[Delivery], int]:
    error_ns = np.round(random.normal(0.0, 1.0, len(sent)) * sigma_s * 1e9).astype(np.int64)
    changed = [replace(d, timestamp_ns=d.timestamp_ns + int(e)) for d, e in zip(sent, error_ns, strict=True)]
    return changed, int((error_ns != 0).sum())


def _class_flip(sent: list[Delivery], share: float, random: np.random.Generator) -> tuple[list[Delivery], int]:
    changed, hits = [], 0
    for d in sent:
        hit = random.random(len(d.row)) < share
        other = (d.object_class + random.integers(1, len(ObjectClass), len(d.row))) % len(ObjectClass)
        changed.append(replace(d, object_class=np.where(hit, other, d.object_class).astype(np.int8)))
        hits += int(hit.sum())
    return changed, hits


def _position_noise(sent: list[Delivery], sigma_m: float, random: np.random.Generator) -> tuple[list[Delivery], int]:
    changed = [replace(d, position_m=d.position_m + sigma_m * random.normal(size=d.position_m.shape)) for d in sent]
    return changed, sum(len(d.row) for d in sent) if sigma_m > 0 else 0


def _nan(sent: list[Delivery], share: float, random: np.random.Generator) -> tuple[list[Delivery], int]:
    changed, hits = [], 0
    for d in sent:
        hit = random.random(len(d.row)) < share
        changed.append(replace(d, position_m=np.where(hit[:, None], np.nan, d.position_m)))
        hits += int(hit.sum())
    return changed, hits


_SIMPLE: dict[str, Callable[[list[Delivery], float, np.random.Generator], tuple[list[Delivery], int]]] = {
    "drop": _drop, "delay": _delay, "duplicate": _duplicate, "reorder": _reorder, "clock_jump": _clock_jump,
    "jitter": _jitter, "class_flip": _class_flip, "position_noise": _position_noise, "nan": _nan,
}  # fmt: skip


def _id_switch(
    sent: list[Delivery], scene: Scene, per_s: float, gap_s: float, random: np.random.Generator
) -> tuple[list[Delivery], int]:
    """Each object is lost now and then for gap_s, and comes back under an id that nobody had."""
    chance = random.random(len(scene.row_frame))
    before_ns: dict[int, int] = {}
    back_ns: dict[int, int] = {}
    generation: dict[int, int] = {}
    changed, hits = [], 0
    for d in sent:
        seen = np.ones(len(d.row), dtype=np.bool_)
        names = list(d.track_id)
        for i, row in enumerate(d.row.tolist()):
            track = int(scene.row_track[row])
            since_s = (d.timestamp_ns - before_ns.get(track, d.timestamp_ns)) * 1e-9
            before_ns[track] = d.timestamp_ns
            if d.timestamp_ns >= back_ns.get(track, 0) and chance[row] < -math.expm1(-per_s * since_s):
                generation[track] = generation.get(track, 0) + 1
                back_ns[track] = d.timestamp_ns + round(gap_s * 1e9)
                hits += 1
            seen[i] = d.timestamp_ns >= back_ns.get(track, d.timestamp_ns)
            names[i] = names[i] if track not in generation else f"{names[i]}~{generation[track]}"
        changed.append(replace(d, track_id=tuple(names)).select(seen))
    return changed, hits


def _burst(sent: list[Delivery], scene: Scene, count: float, random: np.random.Generator) -> tuple[list[Delivery], int]:
    """Standing cars anywhere in the scene's extent; each burst has ids and places of its own."""
    ghosts, low_m, high_m = round(count), scene.position_m.min(axis=0), scene.position_m.max(axis=0)
    place_m: dict[int, FloatArray] = {}
    changed, hits = [], 0
    for d in sent:
        number, into_s = divmod((d.timestamp_ns - sent[0].timestamp_ns) * 1e-9, BURST_PERIOD_S)
        if number < 1 or into_s >= BURST_S or not ghosts:
            changed.append(d)
            continue
        if int(number) not in place_m:
            place_m[int(number)] = low_m + random.random((ghosts, 2)) * (high_m - low_m)
        changed.append(_with_ghosts(d, place_m[int(number)], f"ghost{int(number)}"))
        hits += ghosts
    return changed, hits


def _with_ghosts(d: Delivery, place_m: FloatArray, name: str) -> Delivery:
    count, car = len(place_m), ObjectClass.CAR
    yes = np.ones(count, dtype=np.bool_)
    ghosts = Delivery(
        d.arrives_ns, d.clock_shift_ns, d.timestamp_ns,
        track_id=tuple(f"{name}-{i}" for i in range(count)),
        object_class=np.full(count, car, dtype=np.int8),
        position_m=place_m,
        yaw_rad=np.zeros(count),
        yaw_valid=yes,
        velocity_mps=np.zeros((count, 2)),
        velocity_valid=yes,
        size_m=np.tile(DEFAULT_SIZE_M[car], (count, 1)),
        row=np.zeros(count, dtype=np.int64),
        real=~yes,
    )  # fmt: skip
    return concat([d, ghosts])


def strengths_of(plan: FaultPlan) -> Sequence[tuple[Fault | None, float]]:
    """Return what is to be tried: no fault first, then every fault at every strength."""
    return [(None, 0.0), *((fault, strength) for fault in plan.faults for strength in fault.strength)]
