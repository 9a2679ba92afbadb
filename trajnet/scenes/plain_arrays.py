"""NumPy arrays of a pickle, built from their bytes once these fit the shape and the type that the pickle states."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from trajnet.errors import InputError

#: Kinds of NumPy types that are numbers or texts, without objects in them.
KINDS = "biufSU"
#: One item has at most so many bytes; an array has at most so many axes.
MAX_ITEM_BYTES, MAX_AXES = 4096, 8


class ArrayType:
    """A NumPy type while it is read. objects: whether it stands for objects, which become a list."""

    def __init__(self, name: Any = None, *_flags: Any) -> None:
        name = name.decode("latin-1") if isinstance(name, bytes) else name
        if not isinstance(name, str) or len(name) > 16:
            raise InputError(f"expected the name of a NumPy type, got {type(name).__name__}")
        self.objects = name in ("O", "O8", "|O")
        try:
            self.dtype: np.dtype[Any] = np.dtype("u1" if self.objects else name)
        except (TypeError, ValueError, SyntaxError) as error:
            raise InputError(f"expected the name of a NumPy type, got {name!r}") from error
        if self.dtype.kind not in KINDS or not 0 < self.dtype.itemsize <= MAX_ITEM_BYTES or self.dtype.shape:
            raise InputError(f"expected arrays of numbers or texts, got the type {name!r}")

    def set_state(self, state: Any) -> None:
        """Take the order of the bytes, the second of the values that a type is stored with."""
        order = state[1] if isinstance(state, tuple) and len(state) > 1 else None
        order = order.decode("latin-1") if isinstance(order, bytes) else order
        if order == "<":
            self.dtype = self.dtype.newbyteorder("<")
        elif order == ">":
            self.dtype = self.dtype.newbyteorder(">")
        elif order not in ("|", "="):
            raise InputError("expected the order of a type's bytes as <, > or |, got something else")

    def array(self, raw: Any, shape: Any, *, columns_first: bool = False) -> Any:
        """Return the array of these bytes, without a copy; of objects, the list of them. Raises InputError."""
        if not _is_shape(shape):
            raise InputError(
                f"expected a shape of at most {MAX_AXES} whole numbers, got another {type(shape).__name__}"
            )
        count = math.prod(shape)
        if self.objects:
            if not isinstance(raw, list) or len(raw) != count:
                raise InputError(f"expected {count} objects as a list, got {_size(raw)}")
            return raw
        wanted = count * self.dtype.itemsize
        if not isinstance(raw, bytes) or len(raw) != wanted:
            raise InputError(f"expected {wanted} bytes for an array of shape {shape}, got {_size(raw)}")
        return np.frombuffer(raw, self.dtype).reshape(shape, order="F" if columns_first else "C")


def _size(raw: Any) -> str:
    return f"{len(raw)}" if isinstance(raw, (bytes, list, str)) else type(raw).__name__


def _is_shape(shape: Any) -> bool:
    return isinstance(shape, tuple) and len(shape) <= MAX_AXES and all(type(n) is int and 0 <= n < 2**40 for n in shape)


class Array:
    """A NumPy array while it is read; value is None before its state is set."""

    def __init__(self) -> None:
        self.value: Any = None

    def set_state(self, state: Any) -> None:
        """Take version, shape, type, order and bytes. Raises InputError."""
        if not (isinstance(state, tuple) and len(state) == 5 and isinstance(state[2], ArrayType)):
            raise InputError("expected version, shape, type, order and bytes of an array, got something else")
        self.value = state[2].array(state[4], state[1], columns_first=bool(state[3]))


def _scalar(found: Any = None, raw: Any = None) -> Any:
    return _type(found).array([raw] if _type(found).objects else raw, (1,))[0]


def _from_buffer(raw: Any = None, found: Any = None, shape: Any = None, order: Any = "C", *_: Any) -> Any:
    return _type(found).array(raw, shape, columns_first=order == "F")


def _type(found: Any) -> ArrayType:
    if not isinstance(found, ArrayType):
        raise InputError(f"expected the type of an array, got {type(found).__name__}")
    return found


#: What is made for a name, from the arguments that the pickle gives. NumPy 2 calls its room _core, NumPy 1 core.
FACTORIES: dict[str, Any] = {
    "numpy.dtype": ArrayType,
    **{f"numpy.{core}.multiarray._reconstruct": lambda *_: Array() for core in ("core", "_core")},
    **{f"numpy.{core}.multiarray.scalar": _scalar for core in ("core", "_core")},
    **{f"numpy.{core}.numeric._frombuffer": _from_buffer for core in ("core", "_core")},
}
