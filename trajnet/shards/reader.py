"""Reads rows of shards, in any order, from any number of processes."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajnet.errors import InputError
from trajnet.types import IntArray

#: Files that a reader keeps open: below the usual limit of a process, 1024.
OPEN_FILES = 256


@dataclass(frozen=True)
class Shard:
    """A file and its number of rows."""

    path: Path
    rows: int


class ShardReader:
    """The rows of several shards as if they were one array of records.

    Every read copies just its own rows out of the operating system's cache of files, which is one for all processes of
    a machine: however many read, the data are in memory once, and given back when memory is short. Nothing is mapped
    into the process, so its own size does not grow with what it has read.
    """

    def __init__(self, shards: Sequence[Shard]) -> None:
        """Look at the first shard for the type of the records. Raises InputError if there is none, or no such file."""
        if not shards:
            raise InputError("shards: expected at least one, got none")
        self.shards = tuple(shards)
        self._end = np.cumsum([shard.rows for shard in shards])
        self._offset, self.record = _header(shards[0].path)
        self._open: OrderedDict[int, tuple[int, int]] = OrderedDict()  # of the shard: file handle, offset of its rows

    def __len__(self) -> int:
        """Return the number of rows."""
        return int(self._end[-1])

    def __getstate__(self) -> dict[str, Any]:
        """Leave the open files out of copies for other processes."""
        return {**self.__dict__, "_open": OrderedDict()}

    def __del__(self) -> None:
        """Close the files."""
        for handle, _ in getattr(self, "_open", {}).values():
            os.close(handle)

    def read(self, rows: IntArray) -> NDArray[np.void]:
        """Return the records (N,) of these rows (N,), in their order. Raises InputError for a file that was cut off.

        Raises IndexError if a row does not exist.
        """
        if len(rows) and not 0 <= rows.min() <= rows.max() < len(self):
            raise IndexError(f"rows: expected 0 to {len(self) - 1}, got {rows.min()} to {rows.max()}")
        records = np.empty(len(rows), self.record)
        size = self.record.itemsize
        raw = records.view(np.uint8).reshape(len(rows), size)
        shard = np.searchsorted(self._end, rows, side="right")
        for place in np.lexsort((rows, shard)).tolist():  # in the order of the files, which disks like
            number = int(shard[place])
            handle, offset = self._file(number)
            inside = int(rows[place]) - int(self._end[number]) + self.shards[number].rows
            if os.preadv(handle, [raw[place]], offset + inside * size) != size:
                raise InputError(f"{self.shards[number].path}: ends before row {inside}; remove it, it is built again")
        return records

    def _file(self, number: int) -> tuple[int, int]:
        found = self._open.get(number)
        if found is None:
            path = self.shards[number].path
            offset, record = _header(path)
            if record != self.record:
                raise InputError(f"{path}: expected records as in {self.shards[0].path.name}, got others")
            if len(self._open) >= OPEN_FILES:
                handle, _ = self._open.popitem(last=False)[1]
                os.close(handle)
            found = self._open[number] = os.open(path, os.O_RDONLY | os.O_CLOEXEC), offset
        self._open.move_to_end(number)
        return found


def _header(path: Path) -> tuple[int, np.dtype[Any]]:
    """Return where the rows of a .npy file begin and their type. Raises InputError for any other file."""
    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            _, _, kind = read(file)
            return file.tell(), kind
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: expected a shard of training windows, got: {error}") from error
