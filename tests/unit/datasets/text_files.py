"""Lines of the data sets' text files, for tests of their readers."""

from __future__ import annotations

from pathlib import Path

VRU_LINE = ",timestamp,x,y\n"
UNUSED = "-1.0 " * 7


def nuscenes_line(frame: float, track: float, kind: str, x: float, y: float, yaw: float = 0.5, target: int = 0) -> str:
    """One label: 1.9 m wide, 1.5 m high, 4.6 m long."""
    return f"{frame} {track} {kind} {UNUSED}1.9 1.5 4.6 {x} 0.7 {y} {yaw} {target}.0"


def apolloscape_line(frame: int, track: int, kind: int = 1, x: float = 0.0, y: float = 0.0, length: float = 4.5) -> str:
    return f"{frame} {track} {kind} {x} {y} 39.4 {length} 1.8 1.5 -3.116"


def write(path: Path, content: str | bytes) -> Path:
    """Write a file, with its folders, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path
