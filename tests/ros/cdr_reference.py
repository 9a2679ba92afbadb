"""CDR the slow, obvious way, field by field over a ROS message object: the oracle for trajnet.ros.cdr."""

from __future__ import annotations

import re
import struct
from typing import Any

SIZES = {
    "boolean": ("?", 1),
    "uint8": ("B", 1),
    "octet": ("B", 1),
    "int32": ("i", 4),
    "uint32": ("I", 4),
    "float": ("f", 4),
    "double": ("d", 8),
}


class Writer:
    """Bytes behind the 4-byte header, and for each of them whether a field wrote it (True) or it is padding."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.written: list[bool] = []

    def put(self, raw: bytes, align: int) -> None:
        pad = -len(self.data) % align
        self.data += bytes(pad) + raw
        self.written += [False] * pad + [True] * len(raw)

    def value(self, kind: str, value: Any) -> None:
        listed = re.fullmatch(r"(?:sequence<(.+)>|(.+)\[\d+\])", kind)
        if listed:
            element = listed[1] or listed[2]
            if listed[1]:
                self.put(struct.pack("<I", len(value)), 4)
            for item in value:
                self.value(element, item.item() if hasattr(item, "item") else item)
        elif kind == "string":
            raw = value.encode() + b"\0"
            self.put(struct.pack("<I", len(raw)) + raw, 4)
        elif kind in SIZES:
            code, size = SIZES[kind]
            self.put(struct.pack("<" + code, value), size)
        else:
            for name, field_kind in value.get_fields_and_field_types().items():
                self.value(field_kind, getattr(value, name))


def serialise(message: Any) -> tuple[bytes, list[bool]]:
    """Return the message's CDR bytes with zeros as padding, and for each byte whether it is anything but padding."""
    writer = Writer()
    writer.value("message", message)
    return b"\x00\x01\x00\x00" + bytes(writer.data), [True, True, False, False, *writer.written]


def same_but_padding(left: bytes, right: bytes, written: list[bool]) -> bool:
    """rclpy leaves whatever was in memory in the padding; every other byte has to be equal."""
    if not len(left) == len(right) == len(written):
        return False
    return all(a == b for a, b, used in zip(left, right, written, strict=True) if used)
