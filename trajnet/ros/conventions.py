"""Autoware's codes, ids and orientations, and what they are in trajnet. Shared by both directions; needs no ROS."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from trajnet.types import FloatArray, ObjectClass

#: Values of TrackedObjectKinematics.orientation_availability.
UNAVAILABLE, SIGN_UNKNOWN, AVAILABLE = 0, 1, 2
#: Values of Shape.type.
BOUNDING_BOX, CYLINDER, POLYGON = 0, 1, 2

#: ObjectClass by Autoware's label 0..11; every other byte is UNKNOWN.
CLASS_OF_LABEL: NDArray[np.int8] = np.zeros(256, dtype=np.int8)
CLASS_OF_LABEL[1:8] = [
    ObjectClass.CAR,
    ObjectClass.TRUCK,
    ObjectClass.BUS,
    ObjectClass.TRUCK,  # TRAILER
    ObjectClass.MOTORCYCLE,
    ObjectClass.BICYCLE,
    ObjectClass.PEDESTRIAN,
]
#: Autoware's label by ObjectClass.
LABEL_OF_CLASS: NDArray[np.uint8] = np.array([0, 1, 2, 3, 5, 6, 7], dtype=np.uint8)


def hex_ids(object_id: NDArray[np.uint8]) -> tuple[str, ...]:
    """Return UUID bytes (N, 16) as track ids of 32 hexadecimal digits."""
    data = np.ascontiguousarray(object_id).tobytes()
    return tuple(data[i : i + 16].hex() for i in range(0, len(data), 16))


def object_ids(track_ids: tuple[str, ...]) -> NDArray[np.uint8]:
    """Return UUID bytes (N, 16): the id's own where it is 32 hexadecimal digits, else 16 bytes of its hash.

    32 zeros are hashed, too: as a UUID they would mean that there is no id.
    """
    return np.frombuffer(b"".join(map(_uuid_bytes, track_ids)), dtype=np.uint8).reshape(len(track_ids), 16)


def _uuid_bytes(track_id: str) -> bytes:
    try:
        own = bytes.fromhex(track_id)
    except ValueError:
        own = b""
    return own if len(own) == 16 and any(own) else hashlib.blake2b(track_id.encode(), digest_size=16).digest()


def quaternion_of_yaw(yaw_rad: FloatArray) -> FloatArray:
    """Return quaternions (..., 4) in the order x, y, z, w of yaw angles (...)."""
    zero = np.zeros_like(yaw_rad)
    return np.stack([zero, zero, np.sin(0.5 * yaw_rad), np.cos(0.5 * yaw_rad)], axis=-1)


def yaw_of_quaternion(quaternion: FloatArray) -> FloatArray:
    """Return the yaw (...) in [-pi, pi] of quaternions (..., 4) in the order x, y, z, w, of any length above 0."""
    x, y, z, w = np.moveaxis(quaternion, -1, 0)
    yaw_rad: FloatArray = np.arctan2(2.0 * (w * z + x * y), w * w + x * x - y * y - z * z)
    return yaw_rad
