"""Structs of arrays: choose rows, join parts, and make room for more slots.

A struct of arrays is a dataclass that derives from StructOfArrays. Each of its fields holds one entry per row: an
array with the rows in its first dimension, a tuple (of ids), a dict of such arrays, another struct of arrays, or None
where the struct allows it. Fields that all rows share (a timestamp, a grid of times) are listed in ``SHARED``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from itertools import chain
from typing import Any, ClassVar, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from trajnet.errors import InputError

Struct = TypeVar("Struct", bound="StructOfArrays")

#: Rows to select: a boolean mask, indices, or a slice (which returns views of arrays).
Rows = NDArray[Any] | slice

#: Minimum number of slots to allocate: most scenes never need more.
MIN_SLOTS = 32


_Layout = tuple[tuple[str, ...], tuple[str, ...]]


class _Layouts(dict[type, _Layout]):
    """The names of the per-row and of the shared fields of each struct, cached per class: they are needed often."""

    def __missing__(self, kind: type) -> _Layout:
        shared: tuple[str, ...] = kind.SHARED  # type: ignore[attr-defined]
        per_row = tuple(field.name for field in fields(kind) if field.name not in shared)
        self[kind] = per_row, shared
        return self[kind]


_LAYOUTS = _Layouts()


class StructOfArrays:
    """Base of dataclasses whose fields hold one entry per row, except for the fields listed in SHARED."""

    SHARED: ClassVar[tuple[str, ...]] = ()

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(getattr(self, _LAYOUTS[type(self)][0][0]))

    def select(self: Struct, rows: Rows) -> Struct:
        """Return a struct with only these rows, in their order.

        Raises IndexError if a row does not exist or a mask has the wrong length.
        """
        per_row, shared = _LAYOUTS[type(self)]
        held = vars(self)
        values = {name: held[name] for name in shared}
        if isinstance(rows, slice):
            values.update((name, _taken(held[name], rows)) for name in per_row)
            return type(self)(**values)
        index = rows if rows.dtype == np.int64 else np.arange(len(self))[rows]
        for name in per_row:  # arrays here: a call for each would take as long as the taking
            value = held[name]
            values[name] = value.take(index, 0) if isinstance(value, np.ndarray) else _taken(value, index)
        if hasattr(self, "__post_init__"):
            return type(self)(**values)
        made = object.__new__(type(self))  # several times as fast as a frozen dataclass makes itself
        vars(made).update(values)
        return made


def _taken(values: Any, index: Rows) -> Any:
    if isinstance(values, np.ndarray):
        return values[index] if isinstance(index, slice) else values.take(index, 0)
    if isinstance(values, tuple):
        return values[index] if isinstance(index, slice) else tuple([values[i] for i in index.tolist()])
    if isinstance(values, StructOfArrays):
        return values.select(index)
    if isinstance(values, dict):
        return {key: _taken(value, index) for key, value in values.items()}
    return _none_only(values)


def all_true(mask: NDArray[np.bool_]) -> bool:
    """Return mask.all(); for the few rows of a frame, looking for a byte is ten times as fast."""
    return 0 not in mask.tobytes()


def any_true(mask: NDArray[np.bool_]) -> bool:
    """Return mask.any(), as fast as all_true."""
    return 1 in mask.tobytes()


def concat(parts: Sequence[Struct], *, what: str = "concat") -> Struct:
    """Return one struct with the rows of all parts, in their order.

    what: name of the parts in errors. Raises InputError if there are no parts, if a shared field differs between parts,
    or if an optional field is missing from some of them; the message names the field.
    """
    if not parts:
        raise InputError(f"{what}: expected at least one part to join, got none")
    first = parts[0]
    per_row, shared = _LAYOUTS[type(first)]
    values = {name: getattr(first, name) for name in shared}
    for part in parts[1:]:
        _require_same_shared(first, part)
    for name in per_row:
        values[name] = _joined(type(first), name, [getattr(part, name) for part in parts])
    return type(first)(**values)


def _joined(owner: type, name: str, values: list[Any]) -> Any:
    first = values[0]
    if isinstance(first, np.ndarray):
        return np.concatenate(values)
    if isinstance(first, tuple):
        return tuple(chain.from_iterable(values))
    if any(type(value) is not type(first) for value in values):
        raise InputError(f"{owner.__name__}.{name}: expected it in all parts or in none, got it in some")
    if isinstance(first, StructOfArrays):
        return concat(values)
    if isinstance(first, dict):
        if any(value.keys() != first.keys() for value in values):
            raise InputError(
                f"{owner.__name__}.{name}: expected the keys {list(first)} in all parts, got others in some"
            )
        return {key: _joined(owner, name, [value[key] for value in values]) for key in first}
    return _none_only(first)


def _require_same_shared(first: StructOfArrays, other: StructOfArrays) -> None:
    for name in first.SHARED:
        expected, got = getattr(first, name), getattr(other, name)
        if got is not expected and not np.array_equal(got, expected):
            raise InputError(f"{type(first).__name__}.{name}: expected {expected} in all parts, got {got}")


def _none_only(value: Any) -> None:
    if value is not None:
        raise TypeError(f"per-row field: expected an array, tuple, dict, struct of arrays or None, got {type(value)}")


@overload
def grown(values: NDArray[Any], slots: int, axis: int = 0) -> NDArray[Any]: ...
@overload
def grown(values: Struct, slots: int, axis: int = 0) -> Struct: ...
def grown(values: Any, slots: int, axis: int = 0) -> Any:
    """Return values with at least this many slots along the axis: unchanged if large enough, else a larger copy.

    values: an array, or a struct of arrays without shared fields. New slots are zero. The capacity at least doubles, so
    that growing slot by slot copies each entry a constant number of times on average (amortized O(1)).
    """
    if isinstance(values, np.ndarray) and values.shape[axis] >= slots:  # nearly always
        return values
    if isinstance(values, StructOfArrays):
        if len(values) >= slots:
            return values
        return type(values)(**{name: grown(getattr(values, name), slots, axis) for name in _LAYOUTS[type(values)][0]})
    have = values.shape[axis]
    shape = list(values.shape)
    shape[axis] = max(MIN_SLOTS, slots, 2 * have)
    larger: NDArray[Any] = np.zeros(shape, values.dtype)
    larger[(slice(None),) * axis + (slice(have),)] = values
    return larger
