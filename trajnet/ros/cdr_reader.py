"""Small CDR messages, value by value: the counterpart of CdrWriter. Needs no ROS."""

from __future__ import annotations

import struct
from typing import Any

from trajnet.ros.cdr import Buffer, CdrError


class CdrReader:
    """Takes CDR values in their order, each aligned to its size counted from behind the 4-byte header.

    what: the message, for errors. Whatever the bytes do not have raises CdrError.
    """

    def __init__(self, data: Buffer, what: str) -> None:
        self._what = what
        header = bytes(data[:4])
        if len(header) < 4 or header[0] != 0 or header[1] not in (0, 1):
            raise CdrError(f"{what}: expected a CDR header, got {header!r}")
        self._order = "<" if header[1] else ">"
        self._payload = memoryview(data)[4:]
        self._at = 0

    def take(self, layout: str) -> tuple[Any, ...]:
        """Return one value for each struct code of the layout."""
        return tuple(self._value(code) for code in layout)

    def text(self) -> str:
        """Return a string."""
        (length,) = self.take("I")
        try:
            return str(self.octets(length).tobytes().rstrip(b"\0").decode("utf-8"))
        except UnicodeDecodeError as error:
            raise CdrError(f"{self._what}: expected text in UTF-8, got {error}") from error

    def octets(self, count: int) -> memoryview:
        """Return so many bytes, without a copy."""
        if count > len(self._payload) - self._at:
            raise CdrError(f"{self._what}: expected {count} bytes more, got {len(self._payload) - self._at}")
        self._at += count
        return self._payload[self._at - count : self._at]

    def header(self) -> tuple[int, str]:
        """Return the stamp (ns) and the frame_id of a std_msgs/Header."""
        sec, nanosec = self.take("iI")
        return int(sec) * 1_000_000_000 + int(nanosec), self.text()

    def _value(self, code: str) -> Any:
        size = struct.calcsize(code)
        self.octets(-self._at % size)
        (value,) = struct.unpack(self._order + code, self.octets(size))
        return value
