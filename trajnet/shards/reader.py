"""Reads rows of shards, in any order, from any number of processes."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajnet.errors import InputError
from trajnet.shards.pieces import unpacked
from trajnet.types import IntArray

#: Files that a reader keeps open: below the usual limit of a process, 1024.
OPEN_FILES = 256


@dataclass(frozen=True)
class Shard:
    """A file. pieces: the rows and the bytes of each stretch of it."""

    path: Path
    pieces: tuple[tuple[int, int], ...]

    @property
    def rows(self) -> int:
        """Its number of rows."""
        return sum(rows for rows, _ in self.pieces)


class Found(NamedTuple):
    """Rows that one piece has.

    piece: its number. place (N,): which of the wanted rows; inside (N,): their rows in the piece's arrays.
    """

    piece: int
    place: IntArray
    inside: IntArray


class ShardReader:
    """The rows of several shards as if they were one list.

    Every read copies just its own pieces out of the operating system's cache of files, which is one for all processes
    of a machine: however many read, the data are in memory once, and given back when memory is short. Nothing is mapped
    into the process, so its own size does not grow with what it has read.
    """

    def __init__(self, shards: Sequence[Shard]) -> None:
        """Take these shards. Raises InputError if there is none."""
        if not shards:
            raise InputError("shards: expected at least one, got none")
        self.shards = tuple(shards)
        rows, sizes = np.array([piece for shard in shards for piece in shard.pieces], np.int64).T
        counts = [len(shard.pieces) for shard in shards]
        self._end = np.cumsum(rows)  # of every piece: the number of rows up to its end
        self._rows: IntArray = rows
        self._size: IntArray = sizes
        self._file_of = np.repeat(np.arange(len(shards)), counts)
        before = np.cumsum(sizes) - sizes
        self._offset = before - np.repeat(before[np.cumsum(counts) - counts], counts)
        self._open: OrderedDict[int, int] = OrderedDict()  # of the shard: its file handle

    def __len__(self) -> int:
        """Return the number of rows."""
        return int(self._end[-1])

    def __getstate__(self) -> dict[str, Any]:
        """Leave the open files out of copies for other processes."""
        return {**self.__dict__, "_open": OrderedDict()}

    def __del__(self) -> None:
        """Close the files."""
        for handle in getattr(self, "_open", {}).values():
            os.close(handle)

    @property
    def piece_rows(self) -> IntArray:
        """The number of rows of each piece, in the order of the rows."""
        return self._rows

    def find(self, rows: IntArray) -> Iterator[Found]:
        """Yield the pieces that hold these rows (N,), each once. Raises IndexError if a row does not exist."""
        if len(rows) and not 0 <= rows.min() <= rows.max() < len(self):
            raise IndexError(f"rows: expected 0 to {len(self) - 1}, got {rows.min()} to {rows.max()}")
        piece = np.searchsorted(self._end, rows, side="right")
        order = np.argsort(piece, kind="stable")  # in the order of the files, which disks like
        bounds = np.flatnonzero(np.diff(piece[order])) + 1
        for place in np.split(order, bounds) if len(rows) else []:
            number = int(piece[place[0]])
            yield Found(number, place, rows[place] - (self._end[number] - self._rows[number]))

    def arrays(self, number: int) -> dict[str, NDArray[Any]]:
        """Read the arrays of the piece of this number. Raises InputError for a damaged file."""
        shard = int(self._file_of[number])
        size, path = int(self._size[number]), self.shards[shard].path
        body = os.pread(self._file(shard), size, int(self._offset[number]))
        try:
            if len(body) != size:
                raise InputError(f"expected {size} bytes from {self._offset[number]}, got {len(body)}")
            return unpacked(body)
        except InputError as error:
            raise InputError(f"{path}: {error}; remove it and its .json, they are built again") from error

    def _file(self, number: int) -> int:
        handle = self._open.get(number)
        if handle is None:
            if len(self._open) >= OPEN_FILES:
                os.close(self._open.popitem(last=False)[1])
            path = self.shards[number].path
            try:
                handle = self._open[number] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except OSError as error:
                raise InputError(f"{path}: expected a shard of training windows, got: {error.strerror}") from error
        self._open.move_to_end(number)
        return handle
