"""Sums over scored objects from which every figure of a report follows: their size does not depend on how many.

The scores of an object take 3 to 4 kB, its share of a tally nothing: a unit's scores are added up where they were made
and forgotten. Tallies are added in the order of the units, so figures do not depend on the number of processes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from trajnet import metrics
from trajnet.arrays import StructOfArrays, concat
from trajnet.evaluate import manoeuvres
from trajnet.evaluate.scoring import METRICS, REGIONS, SOCIAL_GAN, STEPWISE, Scores
from trajnet.types import CLASS_NAMES, BoolArray, FloatArray, IntArray

#: Divisions of the breakdown: the name of each with those of its parts, and the field of Scores that has the index.
DIVISIONS = {
    "class": (CLASS_NAMES, "object_class"),
    "speed": (manoeuvres.SPEED_BANDS, "speed_band"),
    "manoeuvre": (manoeuvres.MANOEUVRES, "manoeuvre"),
    "history": (manoeuvres.HISTORY_BANDS, "history_band"),
}


@dataclass(frozen=True, eq=False)
class Sums:
    """Sums over objects at H horizons, each over the objects whose future is recorded up to the horizon.

    objects: how many there are, with those whose future is not. count (H,). values (H, M): of METRICS.
    covered (H, R, L): objects within each of COVERAGE_LEVELS of REGIONS. top, every (H, 3, B): see
    metrics.reliability_sums, of the most probable mode, and of all modes.
    """

    objects: int
    count: IntArray
    values: FloatArray
    covered: IntArray
    top: FloatArray
    every: FloatArray

    def __add__(self, other: Sums) -> Sums:
        return Sums(
            self.objects + other.objects, self.count + other.count, self.values + other.values,
            self.covered + other.covered, self.top + other.top, self.every + other.every,
        )  # fmt: skip

    def means(self, column: int) -> dict[str, float]:
        """Return each metric's mean at a horizon; empty without any object."""
        count = int(self.count[column])
        if not count:
            return {}
        found = {name: float(total / count) for name, total in zip(METRICS, self.values[column], strict=True)}
        for region, covered in zip(REGIONS, self.covered[column], strict=True):
            for level, inside in zip(metrics.COVERAGE_LEVELS, covered, strict=True):
                found[f"coverage_{round(100 * level)}_{region}"] = float(inside / count)
        found["ECE_top_mode"] = metrics.calibration_error_of(self.top[column])
        found["ECE_all_modes"] = metrics.calibration_error_of(self.every[column])
        return found


def sums(scores: Scores, rows: BoolArray, columns: Sequence[int] | None = None) -> Sums:
    """Return the sums over the objects of rows (N,), at all horizons or at those of columns."""
    horizons = range(scores.known.shape[1]) if columns is None else columns
    levels = np.array(metrics.COVERAGE_LEVELS)
    count, values, covered, top, every = [], [], [], [], []
    for column in horizons:
        chosen = np.flatnonzero(rows & scores.known[:, column])
        count.append(len(chosen))
        values.append([scores.values[name][chosen, column].sum() for name in METRICS])
        covered.append([(scores.share[name][chosen, column, None] < levels).sum(axis=0) for name in REGIONS])
        closest, probability = scores.closest[chosen, column], scores.probability[chosen]
        top.append(metrics.reliability_sums(probability[:, 0], closest == 0))
        hit = closest[:, None] == np.arange(probability.shape[1])
        every.append(metrics.reliability_sums(probability.ravel(), hit.ravel()))
    return Sums(
        int(np.count_nonzero(rows)), np.array(count), np.array(values), np.array(covered), np.array(top),
        np.array(every),
    )  # fmt: skip


def means(scores: Scores, rows: BoolArray, column: int) -> dict[str, float]:
    """Each metric over the objects of rows (N,) whose future is recorded up to the horizon; empty without any."""
    return sums(scores, rows, [column]).means(0)


@dataclass(frozen=True, eq=False)
class PartSums:
    """Sums over the objects of P parts of a division whose whole future is recorded.

    objects (P,). error_m (P, 2, K): of minADE_k and minFDE_k, k of STEPWISE.
    """

    objects: IntArray
    error_m: FloatArray

    def __add__(self, other: PartSums) -> PartSums:
        return PartSums(self.objects + other.objects, self.error_m + other.error_m)


def _part_sums(scores: Scores, index: NDArray[np.int8], parts: int) -> PartSums:
    chosen = np.flatnonzero(scores.known[:, -1])
    place = index[chosen]
    error_m = [
        [np.bincount(place, scores.values[f"{name}_{k}"][chosen, -1], parts) for k in STEPWISE]
        for name in ("minADE", "minFDE")
    ]
    return PartSums(np.bincount(place, minlength=parts), np.array(error_m).transpose(2, 0, 1))


@dataclass(frozen=True, eq=False)
class JointErrors(StructOfArrays):
    """What metrics of several objects together need of each: kept only for benchmarks that ask for them.

    scene_id, frame, object_class, group (N,). mean_m, final_m (N, up to 20): ADE and FDE of the most probable modes.
    """

    scene_id: NDArray[np.str_]
    frame: IntArray
    object_class: NDArray[np.int8]
    group: NDArray[np.str_]
    mean_m: FloatArray
    final_m: FloatArray


def joint_errors(scores: Scores) -> JointErrors:
    """Return those of the objects whose whole future is recorded."""
    rows = np.flatnonzero(scores.known[:, -1])
    return JointErrors(
        scores.scene_id[rows], scores.frame[rows], scores.object_class[rows], scores.group[rows],
        scores.mean_m[rows, :20], scores.final_m[rows, :20],
    )  # fmt: skip


def social_gan(joint: JointErrors) -> dict[str, float]:
    """Return the joint best of 20; a sequence is what shares scene and frame."""
    _, place = np.unique(joint.scene_id, return_inverse=True)
    sequence = place.ravel() * (int(joint.frame.max()) + 1) + joint.frame
    return {
        name: metrics.social_gan_best_of(error_m, sequence)
        for name, error_m in zip(SOCIAL_GAN, (joint.mean_m, joint.final_m), strict=True)
    }


@dataclass
class Tally:
    """Sums of everything that a report tells of one predictor.

    everything, and by_class: one for each class of CLASS_NAMES, in their order. by_group: at the last horizon only,
    in the order of first appearance. parts: for each of DIVISIONS. step_error_m (K, T): the sums of Scores.step_error_m
    for k of STEPWISE, over the objects whose whole future is recorded. joint: of benchmarks with joint metrics.
    """

    everything: Sums
    by_class: list[Sums]
    by_group: dict[str, Sums]
    parts: dict[str, PartSums]
    step_error_m: FloatArray
    joint: list[JointErrors] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Add the sums of further objects."""
        self.everything += other.everything
        self.by_class = [a + b for a, b in zip(self.by_class, other.by_class, strict=True)]
        for name, one in other.by_group.items():
            self.by_group[name] = self.by_group[name] + one if name in self.by_group else one
        self.parts = {name: one + other.parts[name] for name, one in self.parts.items()}
        self.step_error_m = self.step_error_m + other.step_error_m
        self.joint += other.joint

    def joint_of(self, *, object_class: int | None = None, group: str | None = None) -> dict[str, float]:
        """Return the joint metrics over all objects, or those of a class or a group; empty where none are kept."""
        if not self.joint:
            return {}
        joint = concat(self.joint)
        if object_class is not None:
            joint = joint.select(joint.object_class == object_class)
        if group is not None:
            joint = joint.select(joint.group == group)
        return social_gan(joint) if len(joint) else {}


def tally(scores: Scores, *, joint: bool = False) -> Tally:
    """Return the sums over some objects. joint: keep what joint metrics need."""
    everyone = np.ones(len(scores), np.bool_)
    whole = scores.known[:, -1]
    last = scores.known.shape[1] - 1
    groups = dict.fromkeys(scores.group.tolist())
    return Tally(
        sums(scores, everyone),
        [sums(scores, scores.object_class == value) for value in range(len(CLASS_NAMES))],
        {name: sums(scores, scores.group == name, [last]) for name in groups},
        {name: _part_sums(scores, getattr(scores, of), len(parts)) for name, (parts, of) in DIVISIONS.items()},
        np.array([scores.step_error_m[f"minADE_{k}"][whole].sum(axis=0) for k in STEPWISE]),
        [joint_errors(scores)] if joint else [],
    )


def added(total: Tally | None, part: Tally | None) -> Tally | None:
    """Return both together; None where there is nothing in either."""
    if total is None or part is None:
        return part if total is None else total
    total.add(part)
    return total
