"""Atomic file writes: a file appears complete or not at all, even on a full disk, Ctrl-C or kill -9."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from trajnet.errors import InputError


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; the file replaces ``path`` when the block ends without an error.

    The temporary name starts with a dot, contains the process id and keeps the suffix. So two processes may write the
    same path (the later one wins), and readers ignore what a killed process leaves behind.
    Raises InputError, naming path, if it cannot be written.
    """
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        with part.open("rb") as written:
            os.fsync(written.fileno())  # else a power failure could keep the name but lose the content
        part.replace(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            part.unlink()


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file atomically. Raises InputError if it cannot be written."""
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8")
