"""A mask as a PNG, for SVGs that hold their pictures."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from trajnet.types import BoolArray


def grey_png(mask: BoolArray) -> bytes:
    """Return rows (H, W) of a mask as a grey PNG, 8 bits (RFC 2083): roads grey, all else white."""
    height, width = mask.shape
    pixels: NDArray[np.uint8] = np.where(mask, 232, 255).astype(np.uint8)
    rows = np.hstack([np.zeros((height, 1), np.uint8), pixels])

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows.tobytes(), 9)), chunk(b"IEND", b""))
    )
