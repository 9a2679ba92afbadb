"""Records of a TFRecord file, without TensorFlow.

A record is its length (uint64), the masked CRC-32C of those 8 bytes, the data, and the masked CRC-32C of the data, all
little-endian (tensorflow/core/lib/io/record_writer.h). The masked sum is the sum rotated by 15 bits plus a constant
(tensorflow/core/lib/hash/crc32c.h).
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trajnet.errors import InputError
from trajnet.scenes.rows import require_file

#: A record that is said to be longer than this is a broken one: a scenario with its lidar has some MB.
MAX_RECORD_BYTES = 512 << 20
_POLYNOMIAL = np.uint32(0x82F63B78)  # CRC-32C (Castagnoli), bits reversed
_MASK = 0xA282EAD8
#: Bytes of a stretch; the stretches of a record are summed side by side.
_STRETCH = 1024

_Word = NDArray[np.uint32]


def read_records(path: Path) -> Iterator[bytes]:
    """Yield the data of each record in order, one in memory at a time.

    Raises InputError, naming file, record and byte, for a cut file and for a check sum that does not fit.
    """
    require_file(path)
    try:
        with path.open("rb") as file:
            number = 0
            while header := file.read(12):
                where = f"{path}, record {number} at byte {file.tell() - len(header)}"
                if len(header) < 12:
                    raise InputError(f"{where}: expected 12 bytes of a TFRecord's header, got {len(header)}")
                size, size_check = struct.unpack("<QI", header)
                _require_check(f"{where}: its length", header[:8], size_check)
                if size > MAX_RECORD_BYTES:
                    raise InputError(f"{where}: expected at most {MAX_RECORD_BYTES:,} bytes, got {size:,}")
                data, check = file.read(size), file.read(4)
                if len(check) < 4:
                    raise InputError(f"{where}: expected {size + 4:,} bytes, got {len(data) + len(check):,}: it is cut")
                _require_check(f"{where}: its data", data, int.from_bytes(check, "little"))
                yield data
                number += 1
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error


def _require_check(what: str, data: bytes, stored: int) -> None:
    found = masked_crc32c(data)
    if found != stored:
        raise InputError(
            f"{what}: expected the check sum {stored:#010x} (CRC-32C), got {found:#010x}; "
            "the file is damaged or no TFRecord (unpack it first if it is compressed)"
        )


def masked_crc32c(data: bytes) -> int:
    """Return the check sum of data as TFRecord stores it."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + _MASK) & 0xFFFFFFFF


def crc32c(data: bytes) -> int:
    """Return the CRC-32C of data: all stretches at once, a byte of each at a time, then put together.

    The sum is linear over GF(2): that of two stretches is that of the first, moved on by as many zero bytes as the
    second has, XOR that of the second (zlib's crc32_combine).
    """
    values = np.frombuffer(data, np.uint8)
    head = len(values) % _STRETCH
    crc = _over_bytes(0xFFFFFFFF, values[:head])
    stretches = values[head:].reshape(-1, _STRETCH)
    sums = np.zeros(len(stretches), np.uint32)
    table = _byte_table()
    for column in np.ascontiguousarray(stretches.T):
        sums = table[(sums ^ column) & 0xFF] ^ (sums >> np.uint32(8))
    moved = _zero_tables()
    for each in sums.tolist():
        crc = moved[0][crc & 0xFF] ^ moved[1][crc >> 8 & 0xFF] ^ moved[2][crc >> 16 & 0xFF] ^ moved[3][crc >> 24] ^ each
    return crc ^ 0xFFFFFFFF


def _over_bytes(crc: int, values: NDArray[np.uint8]) -> int:
    table = _byte_list()
    for value in values.tolist():
        crc = table[(crc ^ value) & 0xFF] ^ crc >> 8
    return crc


@functools.cache
def _byte_table() -> _Word:
    """Return the sum of each single byte, (256,)."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, table >> np.uint32(1) ^ _POLYNOMIAL, table >> np.uint32(1)).astype(np.uint32)
    return table


@functools.cache
def _byte_list() -> list[int]:
    found: list[int] = _byte_table().tolist()
    return found


@functools.cache
def _zero_tables() -> list[list[int]]:
    """Return, for each of the four bytes of a sum, what it becomes after a stretch of zeros: 4 x 256 numbers."""
    sums = (np.arange(256, dtype=np.uint32) << (8 * np.arange(4, dtype=np.uint32))[:, None]).astype(np.uint32)
    for _ in range(_STRETCH):
        sums = _byte_table()[sums & 0xFF] ^ (sums >> np.uint32(8))
    found: list[list[int]] = sums.tolist()
    return found
