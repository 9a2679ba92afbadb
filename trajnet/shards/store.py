"""Writes shards: files of pieces one behind the other, each the arrays of some rows that are read together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from trajnet.shards.pieces import Arrays, packed
from trajnet.whole_file import whole_file

#: A shard has at most this many bytes, and at least one piece.
SHARD_BYTES = 64_000_000


@dataclass(frozen=True)
class Piece:
    """What becomes one stretch of a file. rows: how many rows its arrays stand for."""

    rows: int
    arrays: Arrays


#: A file's name, and the rows and the bytes of each of its pieces.
Written = tuple[str, list[tuple[int, int]]]


def write_shards(pieces: Sequence[Piece], stem: Path) -> list[Written]:
    """Write the pieces, in their order, as files beside ``stem``; return what is in them.

    Raises InputError if a file cannot be written. Files appear whole or not at all.
    """
    written = []
    for number, (contents, bodies) in enumerate(_files(pieces)):
        path = stem.with_name(f"{stem.name}-{number:04d}.bin")
        with whole_file(path) as unfinished:
            unfinished.write_bytes(b"".join(bodies))
        written.append((path.name, contents))
    return written


def _files(pieces: Sequence[Piece]) -> Iterator[tuple[list[tuple[int, int]], list[bytes]]]:
    contents, bodies, size = list[tuple[int, int]](), list[bytes](), 0
    for piece in pieces:
        body = packed(piece.arrays)
        if bodies and size + len(body) > SHARD_BYTES:
            yield contents, bodies
            contents, bodies, size = [], [], 0
        contents.append((piece.rows, len(body)))
        bodies.append(body)
        size += len(body)
    if bodies:
        yield contents, bodies
