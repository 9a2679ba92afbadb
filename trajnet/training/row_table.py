"""The rows of a recording as small integers, and back as the same bytes.

A number v is kept as round(v / step), where the step is a power of ten, and the difference in units of the last place
between v and that multiple. Recordings written with a few decimals need no difference at all; others keep theirs, so
nothing is rounded. Rows are in the order of tracks and time, so the integers are kept as steps from row to row.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajnet.types import FloatArray, IntArray

#: Steps that are tried, as decimals; the first one whose numbers are multiples within a few units of the last place.
DECIMALS = range(7)
#: Decimals of numbers that have no such step.
OTHERWISE = 3
#: So close to a multiple a number counts as one, in units of the last place.
CLOSE = 8
#: Beyond this, multiples are not kept as integers.
LARGEST = 2.0**53


def packed_columns(values: FloatArray) -> dict[str, NDArray[Any]]:
    """Return arrays that unpacked_columns makes the columns (C, R) of again, every bit of them."""
    values = np.ascontiguousarray(values)
    columns = [_in_steps(column) for column in values]
    decimals = np.array([found for found, _ in columns], np.int8)
    number = np.stack([multiples for _, multiples in columns])
    rest = values.view(np.int64) - _multiples(number, decimals).view(np.int64)
    arrays = {"decimals": decimals, "step": small(np.diff(number, axis=1, prepend=0))}
    told = np.flatnonzero(rest.any(axis=1))
    if len(told):
        arrays.update(rest_of=told.astype(np.int8), rest=small(rest[told]))
    return arrays


def unpacked_columns(arrays: dict[str, NDArray[Any]]) -> FloatArray:
    """Return the columns (C, R) of packed_columns."""
    values = _multiples(np.cumsum(arrays["step"], axis=1, dtype=np.int64), arrays["decimals"])
    if "rest" in arrays:
        values.view(np.int64)[arrays["rest_of"]] += arrays["rest"]
    return values


def small(values: IntArray) -> NDArray[np.signedinteger[Any]]:
    """Return the integers in the smallest signed type that holds them."""
    low, high = (int(values.min()), int(values.max())) if values.size else (0, 0)
    for kind in (np.int8, np.int16, np.int32):
        if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
            return values.astype(kind)
    return values


def _in_steps(column: FloatArray) -> tuple[int, IntArray]:
    """Return decimals, and the column (R,) in multiples of that step."""
    for decimals in DECIMALS:
        number = _rounded(column, decimals)
        apart = column.view(np.int64) - _multiples(number[None], np.array([decimals]))[0].view(np.int64)
        if ((np.abs(apart) <= CLOSE) | (column == 0.0)).all():
            return decimals, number
    return OTHERWISE, _rounded(column, OTHERWISE)


def _rounded(column: FloatArray, decimals: int) -> IntArray:
    with np.errstate(over="ignore"):
        scaled = column * 10.0**decimals
    fits = np.abs(scaled) < LARGEST  # not of what is not a number
    return np.rint(np.where(fits, scaled, 0.0)).astype(np.int64)


def _multiples(number: IntArray, decimals: NDArray[np.signedinteger[Any]]) -> FloatArray:
    return number / 10.0 ** decimals[:, None].astype(np.float64)
