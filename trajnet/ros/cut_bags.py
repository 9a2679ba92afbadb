"""mcap recordings that were cut off (a full disk, a killed recorder): what is whole is read, up to the cut.

Such a file lacks its index and its end. Its records (https://mcap.dev/spec) are walked from the beginning instead; of
the chunk that was being written, everything before the cut is read, too.
"""

from __future__ import annotations

import importlib
import io
import struct
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from trajnet.errors import InputError

MAGIC = b"\x89MCAP0\r\n"
_SCHEMA, _CHANNEL, _MESSAGE, _CHUNK = 3, 4, 5, 6
#: Recorders write chunks of some megabytes; a larger one is not believed.
_MAX_CHUNK_BYTES = 2**30


@dataclass(frozen=True)
class CutConnection:
    """A topic of a recording, as rosbags names its parts."""

    topic: str
    msgtype: str
    msgcount: int = 0


@dataclass(frozen=True)
class _Message:
    topic: str
    msgtype: str
    logged_ns: int
    data: bytes


def is_cut(path: Path) -> bool:
    """Return whether the file is an mcap that begins and does not end as one. Raises OSError."""
    with path.open("rb") as file:
        begin = file.read(len(MAGIC))
        file.seek(max(len(MAGIC), file.seek(0, io.SEEK_END) - len(MAGIC)))
        return begin == MAGIC and file.read() != MAGIC


class CutMcap:
    """Reads a cut recording as rosbags' reader reads a whole one.

    connections: the topics of the whole messages, with their numbers. lost: what is missing, in words.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        counts = Counter[tuple[str, str]]()
        newest_ns, used = 0, 0
        for message in self._walk():
            counts[message.topic, message.msgtype] += 1
            newest_ns = max(newest_ns, message.logged_ns)
            used += len(message.data)
        self.connections = [CutConnection(*key, count) for key, count in counts.items()]
        self.lost = (
            f"{path.name} was cut off: {counts.total():,} messages are whole ({used:,} bytes), the last of them "
            f"recorded at {newest_ns * 1e-9:.3f} s; what came after it is lost"
        )

    def messages(self, connections: Collection[CutConnection]) -> Iterator[tuple[CutConnection, int, bytes]]:
        """Yield connection, time of recording (ns) and data of the connections' messages, as they stand in the file."""
        wanted = {(c.topic, c.msgtype): c for c in connections}
        for message in self._walk():
            connection = wanted.get((message.topic, message.msgtype))
            if connection is not None:
                yield connection, message.logged_ns, message.data

    def _walk(self) -> Iterator[_Message]:
        with self._path.open("rb") as file:
            size = file.seek(0, io.SEEK_END)
            file.seek(len(MAGIC))
            try:
                yield from _messages(file, size, {}, {})
            except InputError as error:
                raise InputError(f"{self._path}: {error}") from error


def _messages(
    stream: BinaryIO, size: int, schemas: dict[int, str], channels: dict[int, tuple[str, int]]
) -> Iterator[_Message]:
    """Yield the messages of the records in a stream of this size, up to the first that is not whole or makes no sense.

    schemas, channels: names by number, filled on the way. InputError for a compression that is not known.
    """
    while len(head := stream.read(9)) == 9:
        opcode, length = struct.unpack("<BQ", head)
        left = size - stream.tell()
        content = stream.read(min(length, left))
        try:
            if opcode == _CHUNK:
                records = _unpacked(content)
                yield from _messages(io.BytesIO(records), len(records), schemas, channels)
            if length > left:
                return
            if opcode == _SCHEMA:
                schemas[_number(content)] = _text(content, 2)
            elif opcode == _CHANNEL:
                channels[_number(content)] = (_text(content, 4), _number(content, 2))
            elif opcode == _MESSAGE:
                topic, schema = channels[_number(content)]
                (logged_ns,) = struct.unpack_from("<Q", content, 6)
                yield _Message(topic, schemas[schema], logged_ns, content[22:])
        except (struct.error, KeyError, UnicodeDecodeError):
            return


def _unpacked(chunk: bytes) -> bytes:
    """Return the records of a chunk, as far as they are there.

    Raises struct.error for what is none, InputError for a compression that is not known.
    """
    (size,) = struct.unpack_from("<Q", chunk, 16)
    compression = _text(chunk, 28)
    packed = chunk[32 + len(compression.encode()) + 8 :]
    size = min(size, _MAX_CHUNK_BYTES)
    if compression == "zstd":
        return _decompressed(packed, size)
    if compression == "lz4":
        import lz4.frame

        try:
            return bytes(lz4.frame.LZ4FrameDecompressor().decompress(packed, max_length=size))
        except RuntimeError as error:
            raise struct.error(str(error)) from error
    if compression:
        raise InputError(f"compression of a chunk: expected none, lz4 or zstd, got {compression!r}")
    return packed


def _decompressed(packed: bytes, size: int) -> bytes:
    """Return up to size bytes of what zstd packed. Raises struct.error for what is none.

    The package is one that rosbags has brought: Python's own or its backport, before version 0.11 zstandard.
    """
    for name in ("compression.zstd", "backports.zstd"):
        try:
            zstd: Any = importlib.import_module(name)
        except ImportError:
            continue
        try:
            return bytes(zstd.ZstdDecompressor().decompress(packed, max_length=size))
        except zstd.ZstdError as error:
            raise struct.error(str(error)) from error
    import zstandard

    try:
        return bytes(zstandard.ZstdDecompressor().stream_reader(packed).read(size))
    except zstandard.ZstdError as error:
        raise struct.error(str(error)) from error


def _number(content: bytes, offset: int = 0) -> int:
    return int(struct.unpack_from("<H", content, offset)[0])


def _text(content: bytes, offset: int) -> str:
    (length,) = struct.unpack_from("<I", content, offset)
    return content[offset + 4 : offset + 4 + length].decode()
