"""TFRecord files of Waymo scenarios, encoded by hand: numbers of fields and check sums share no code with ours."""

from __future__ import annotations

import struct
from pathlib import Path


def crc32c(data: bytes) -> int:
    """Return the CRC-32C bit by bit."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def record(data: bytes) -> bytes:
    """Return a record of a TFRecord file."""

    def check(part: bytes) -> bytes:
        crc = crc32c(part)
        return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)

    size = struct.pack("<Q", len(data))
    return size + check(size) + data + check(data)


def varint(value: int) -> bytes:
    value &= 2**64 - 1
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def whole(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value)


def double(number: int, value: float) -> bytes:
    return varint(number << 3 | 1) + struct.pack("<d", value)


def single(number: int, value: float) -> bytes:
    return varint(number << 3 | 5) + struct.pack("<f", value)


def message(number: int, *parts: bytes) -> bytes:
    data = b"".join(parts)
    return varint(number << 3 | 2) + varint(len(data)) + data


def point(number: int, x: float, y: float) -> bytes:
    return message(number, double(1, x), double(2, y), double(3, 0.5))


def state(x: float, y: float, speed_mps: float, *, valid: bool = True, yaw_rad: float = 0.25) -> bytes:
    """Return a state that moves along x, wherever it is heading."""
    values = (single(5, 4.5), single(6, 2.0), single(7, 1.5), single(8, yaw_rad), single(9, speed_mps), single(10, 0.0))
    return message(3, double(2, x), double(3, y), double(4, 7.0), *values, whole(11, valid))


def track(identity: int, kind: int, *states: bytes) -> bytes:
    return message(2, whole(1, identity), whole(2, kind), *states)


LANE = message(
    8,
    whole(1, 20),
    message(
        3,
        double(1, 25.0),
        whole(2, 2),
        *(point(8, float(x), 0.0) for x in range(0, 11, 5)),
        message(13, whole(1, 0), whole(2, 2), whole(3, 21), whole(4, 6)),  # on its left the road line, 1.5 m away
        message(9, varint(20)),
    ),
)
ROAD_LINE = message(8, whole(1, 21), message(4, whole(1, 6), point(2, -5.0, 1.5), point(2, 20.0, 1.5)))
CROSSWALK = message(8, whole(1, 22), message(8, point(1, 4, -5), point(1, 7, -5), point(1, 7, 5), point(1, 4, 5)))
STOP_SIGN = message(8, whole(1, 23), message(7, whole(1, 20), point(2, 10.0, -3.0)))
LIGHTS = message(7, message(1, whole(1, 20), whole(2, 4), point(3, 9.0, 0.0)))


def scenario(name: str = "abc", steps: int = 3, *, times_s: tuple[float, ...] = (), extra: bytes = b"") -> bytes:
    """Return a scenario: car 7 at 10 m/s, the target; pedestrian -1, missing in step 1; an unset object 9."""
    times_s = times_s or tuple(100.0 + 0.1 * i + 0.00002 for i in range(steps))
    return b"".join(
        [
            message(5, name.encode()),
            *(double(1, t) for t in times_s),
            whole(10, 1),
            track(7, 1, *(state(1.0 * i, 0.0, 10.0) for i in range(steps))),
            track(-1, 2, *(state(5.0, 3.0, 0.0, valid=i != 1) for i in range(steps))),
            track(9, 4, *(state(-5.0, 3.0, 0.0) for i in range(steps))),
            whole(6, 0),
            message(11, whole(1, 0), whole(2, 1)),
            message(12, b"lidar that nobody reads"),
            LANE,
            ROAD_LINE,
            CROSSWALK,
            STOP_SIGN,
            LIGHTS * steps,
            extra,
        ]
    )


def write_shard(path: Path, *scenarios: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(record(each) for each in scenarios))
    return path
