"""Writes shards: plain .npy files of records, each record all arrays of one row.

One row is one stretch of bytes, so reading it anywhere in a file costs one access to the disk, whatever the number of
arrays. NumPy alone reads them: ``np.load(path, mmap_mode="r")["position_m"]``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajnet.errors import InputError
from trajnet.whole_file import whole_file

#: A shard has at most this many bytes, and at least one row.
SHARD_BYTES = 64_000_000

Arrays = Mapping[str, NDArray[Any]]


def record_type(arrays: Arrays) -> np.dtype[Any]:
    """Return the type of a record with one row of each array, every number aligned as in memory."""
    return np.dtype([(name, values.dtype, values.shape[1:]) for name, values in arrays.items()], align=True)


def write_shards(parts: Sequence[Arrays], stem: Path) -> list[tuple[str, int]]:
    """Write the rows of all parts, in their order, as files beside ``stem``; return their names and numbers of rows.

    parts: arrays (W, ...) by name; all parts have the same ones. Raises InputError if they differ, or if a file cannot
    be written. Files appear whole or not at all.
    """
    kinds = {record_type(part) for part in parts}
    if len(kinds) > 1:
        raise InputError(f"{stem.name}: expected the same arrays in all parts of a shard, got {len(kinds)} kinds")
    if not parts:
        return []
    kind = kinds.pop()
    rows = sum(len(next(iter(part.values()))) for part in parts)
    in_one = max(1, SHARD_BYTES // kind.itemsize)
    written = []
    for begin in range(0, rows, in_one):
        records = _records(parts, kind, begin, min(begin + in_one, rows))
        path = stem.with_name(f"{stem.name}-{begin // in_one:04d}.npy")
        with whole_file(path) as unfinished:
            np.save(unfinished, records)
        written.append((path.name, len(records)))
    return written


def _records(parts: Sequence[Arrays], kind: np.dtype[Any], begin: int, end: int) -> NDArray[np.void]:
    """Return the rows from begin to end of all parts together as records."""
    records = np.zeros(end - begin, kind)  # zeros between the fields, too: the same rows give the same bytes
    first = 0
    for part in parts:
        count = len(next(iter(part.values())))
        own = slice(max(begin - first, 0), max(min(end - first, count), 0))
        if own.start < own.stop:
            place = slice(first + own.start - begin, first + own.stop - begin)
            for name, values in part.items():
                records[name][place] = values[own]
        first += count
    return records
