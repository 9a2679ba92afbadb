"""Named arrays as one compressed stretch of bytes.

A piece is a header, which names the arrays with their types and shapes, and their bytes compressed with Zstandard. The
bytes of numbers stand by significance, all lowest bytes first: those of neighbouring numbers are alike, so they
compress to less.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajnet.errors import InputError

Arrays = Mapping[str, NDArray[Any]]
#: More takes longer to write and hardly less space.
LEVEL = 3
#: The lengths in bytes of the header and of all arrays before compression.
_HEAD = struct.Struct("<II")


def packed(arrays: Arrays) -> bytes:
    """Return the arrays as bytes; the same arrays give the same bytes."""
    header = json.dumps({name: (values.dtype.str, values.shape) for name, values in arrays.items()}).encode()
    raw = b"".join(_by_significance(values) for values in arrays.values())
    return _HEAD.pack(len(header), len(raw)) + header + bytes(_codec(LEVEL).compress(raw, asbytes=True))


def unpacked(piece: bytes) -> dict[str, NDArray[Any]]:
    """Return the arrays of a piece. Raises InputError if it was damaged."""
    try:
        header, size = _HEAD.unpack_from(piece)
        kinds = json.loads(piece[_HEAD.size : _HEAD.size + header])
        raw = np.frombuffer(_codec(LEVEL).decompress(memoryview(piece)[_HEAD.size + header :], size), np.uint8)
        return _arrays(kinds, raw)
    except (ValueError, OSError, TypeError, AttributeError, MemoryError, struct.error) as error:
        raise InputError(f"expected a piece of a shard, got: {' '.join(str(error).split())}") from error


def _by_significance(values: NDArray[Any]) -> bytes:
    if values.dtype.itemsize == 1:
        return values.tobytes()
    flat = np.ascontiguousarray(values).reshape(-1)
    return flat.view(np.uint8).reshape(len(flat), values.dtype.itemsize).T.tobytes()


def _arrays(kinds: dict[str, Any], raw: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
    found, begin = {}, 0
    for name, (kind, shape) in kinds.items():
        dtype = np.dtype(kind)
        count = math.prod(shape)
        own = raw[begin : begin + count * dtype.itemsize]
        begin += len(own)
        if dtype.itemsize > 1:
            bytes_of = np.empty((count, dtype.itemsize), np.uint8)
            for place, plane in enumerate(own.reshape(dtype.itemsize, count)):  # faster than one transposed copy
                bytes_of[:, place] = plane
            own = bytes_of
        found[name] = own.reshape(-1).view(dtype).reshape(shape)
    if begin != len(raw):
        raise ValueError(f"{len(raw) - begin} bytes are left")
    return found


@lru_cache(maxsize=2)
def _codec(level: int) -> Any:
    import pyarrow

    return pyarrow.Codec("zstd", compression_level=level)
