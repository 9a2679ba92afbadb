"""What the tests build shards of; workers import it by name."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np

from trajnet.shards import Piece


def arrays(begin: int, count: int) -> dict[str, Any]:
    """Rows whose values tell which they are."""
    rows = np.arange(begin, begin + count)
    return {
        "valid": rows % 2 == 0,
        "place_m": (rows[:, None] + np.array([0.25, 0.5])).astype(np.float32),
        "map": np.repeat(rows % 100, 6).reshape(count, 2, 3).astype(np.int8),
        "number": rows,
    }


def piece(begin: int, count: int) -> Piece:
    return Piece(count, arrays(begin, count))


def make(what: tuple[int, int, str]) -> list[Piece]:
    """Return ``count`` rows from ``begin`` in two pieces; note each call in the folder, if one is given."""
    begin, count, folder = what
    if folder:
        (Path(folder) / f"made-{begin}-{os.getpid()}").touch()
    return [piece(begin, count // 2), piece(begin + count // 2, count - count // 2)]


def make_and_die_once(what: tuple[int, int, str]) -> list[Piece]:
    """Kill the own process the first time that the group from 20 is made."""
    marker = Path(what[2]) / "died"
    if what[0] == 20 and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return make(what)
