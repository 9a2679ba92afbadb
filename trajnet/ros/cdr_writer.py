"""Small CDR messages, value by value. Needs no ROS."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray


class CdrWriter:
    """Appends little-endian CDR values, each aligned to its size counted from behind the 4-byte header."""

    def __init__(self) -> None:
        self._parts = bytearray(b"\x00\x01\x00\x00")

    def put(self, layout: str, *values: Any) -> None:
        """Append one value for each struct code of the layout."""
        for code, value in zip(layout, values, strict=True):
            self._align(struct.calcsize(code))
            self._parts += struct.pack("<" + code, value)

    def text(self, value: str) -> None:
        """Append a string."""
        data = value.encode("utf-8") + b"\0"
        self.put("I", len(data))
        self._parts += data

    def header(self, stamp_ns: int, frame_id: str) -> None:
        """Append a std_msgs/Header."""
        self.put("iI", *divmod(stamp_ns, 1_000_000_000))
        self.text(frame_id)

    def array(self, values: NDArray[Any], alignment: int, count: int | None = None) -> None:
        """Append a sequence: its length, then its elements. count: of elements, where each has several values."""
        self.put("I", len(values) if count is None else count)
        if values.size:
            self._align(alignment)
            self._parts += np.ascontiguousarray(values).tobytes()

    def bytes(self) -> bytes:
        """Return the message so far."""
        return bytes(self._parts)

    def _align(self, size: int) -> None:
        self._parts += bytes(-(len(self._parts) - 4) % size)
