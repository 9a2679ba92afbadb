"""Lists of lists as flat arrays with a count per list: rows of them, and PredictedObjects built from such rows."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajnet.errors import InputError
from trajnet.ros.cdr import PredictedObjects
from trajnet.types import IntArray

#: The flat fields of PredictedObjects by the field that counts their elements.
_LISTS = {
    "class_count": ("class_label", "class_probability"),
    "footprint_count": ("footprint_m",),
    "path_count": ("pose_count", "path_step_ns", "path_confidence"),
}


def ragged_rows(values: NDArray[Any], count: IntArray, rows: IntArray) -> tuple[NDArray[Any], IntArray]:
    """Return the elements of some of the lists that values holds one after another, and how many each has."""
    start = np.cumsum(count) - count
    taken = count[rows]
    before = np.cumsum(taken) - taken
    index = np.repeat(start[rows] - before, taken) + np.arange(int(taken.sum()))
    return values[index], taken


def select_predicted(objects: PredictedObjects, rows: IntArray) -> PredictedObjects:
    """Return only the objects of these rows (indices), in their order, with their paths."""
    changed: dict[str, Any] = {}
    for counts, names in _LISTS.items():
        count = getattr(objects, counts)
        changed[counts] = count[rows]
        for name in names:
            changed[name] = ragged_rows(getattr(objects, name), count, rows)[0]
    path, _ = ragged_rows(np.arange(len(objects.pose_count)), objects.path_count, rows)
    changed["path_pose"] = ragged_rows(objects.path_pose, objects.pose_count, path)[0]
    for item in fields(objects):
        if item.name not in changed and item.name not in ("stamp_ns", "frame_id"):
            changed[item.name] = getattr(objects, item.name)[rows]
    return replace(objects, **changed)


def joined(first: PredictedObjects, second: PredictedObjects) -> PredictedObjects:
    """Return the objects of both, those of the first first, under the header of the first.

    Raises InputError where they are of different coordinate frames.
    """
    if first.frame_id != second.frame_id:
        raise InputError(f"frame_id: expected {first.frame_id!r} as in the first, got {second.frame_id!r}")
    names = [item.name for item in fields(first) if item.name not in ("stamp_ns", "frame_id")]
    both: dict[str, Any] = {n: np.concatenate([getattr(first, n), getattr(second, n)]) for n in names}
    return replace(first, **both)
