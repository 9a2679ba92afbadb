"""Sizes and outlines of objects: the ones that were used are the ones that are published. Needs no ROS."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from trajnet.ros.cdr import TrackedObjects
from trajnet.ros.conventions import BOUNDING_BOX, CYLINDER, POLYGON
from trajnet.ros.footprint import smallest_rectangles
from trajnet.ros.ragged import ragged_rows
from trajnet.types import DEFAULT_SIZE_M, BoolArray, FloatArray

#: Dimensions below and above, and points of an outline further from the object, are none.
MIN_SIZE_M, MAX_SIZE_M = 0.01, 1e3
#: Height of a box whose source has none: a car's.
DEFAULT_HEIGHT_M = 1.5


def known_shapes(
    objects: TrackedObjects, object_class: NDArray[np.int8]
) -> tuple[FloatArray, TrackedObjects, BoolArray]:
    """Return length and width (N, 2), the objects with usable shapes, and whose size is the class's default (N,).

    A polygon has the size of its smallest rotated rectangle, a cylinder its diameter. Dimensions that cannot be are
    replaced by what was used in their place. Points of an outline that cannot be are left out; a polygon without an
    area becomes a box of the size that was used: an empty outline would mean that nothing is there.
    """
    objects = _with_finite_outlines(objects)
    stated_m = objects.dimensions_m
    usable = (stated_m >= MIN_SIZE_M) & (stated_m <= MAX_SIZE_M)  # False for NaN
    size_m = np.where(usable, stated_m, 0.0)[:, :2]
    cylinder = objects.shape_type == CYLINDER
    size_m[cylinder] = size_m[cylinder].max(axis=1, keepdims=True)
    flat = objects.shape_type == POLYGON
    polygon = np.flatnonzero(flat & (objects.footprint_count >= 3))
    if len(polygon):
        points, count = ragged_rows(objects.footprint_m, objects.footprint_count, polygon)
        rectangle_m = smallest_rectangles(points[:, :2].astype(np.float64), count)
        has_area = (rectangle_m[:, 1] >= MIN_SIZE_M) & (rectangle_m[:, 0] <= MAX_SIZE_M)
        size_m[polygon[has_area]] = rectangle_m[has_area]
        flat[polygon[has_area]] = False
    bad = np.asarray(~((size_m >= MIN_SIZE_M) & (size_m <= MAX_SIZE_M)).all(axis=1))
    size_m = np.where(bad[:, None], DEFAULT_SIZE_M[object_class], size_m)
    if flat.any():
        objects = replace(objects, shape_type=np.where(flat, np.uint8(BOUNDING_BOX), objects.shape_type))
    if usable.all():
        return size_m, objects, bad
    plane = np.where(usable[:, :2].all(axis=1, keepdims=True), stated_m[:, :2], size_m)
    height = np.where(usable[:, 2:], stated_m[:, 2:], DEFAULT_HEIGHT_M)
    return size_m, replace(objects, dimensions_m=np.concatenate([plane, height], axis=1)), bad


def _with_finite_outlines(objects: TrackedObjects) -> TrackedObjects:
    """Return the objects without the points of outlines that are not finite or further than MAX_SIZE_M away."""
    if np.abs(objects.footprint_m).max(initial=0.0) <= MAX_SIZE_M:
        return objects
    fine = (np.abs(objects.footprint_m) <= MAX_SIZE_M).all(axis=1)
    owner = np.repeat(np.arange(len(objects)), objects.footprint_count)
    return replace(
        objects,
        footprint_count=np.bincount(owner[fine], minlength=len(objects)),
        footprint_m=objects.footprint_m[fine],
    )
