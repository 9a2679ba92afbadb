"""What a run over many files has finished, so that the same command goes on where an earlier one was stopped."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from trajnet.errors import InputError


def stamp_of(files: Iterable[Path], settings: Any, *, content: bool = False) -> str:
    """Return a key that changes with the name, size and time of the files, and with the repr of the settings.

    content: take every byte of the files instead of their times, for folders whose times mean nothing (a fresh
    checkout, a copy). Raises InputError for a file that cannot be read.
    """
    digest = hashlib.sha256(repr(settings).encode())
    for file in files:
        try:
            told = file.read_bytes() if content else b""
            about = file.stat()
        except OSError as error:
            raise InputError(f"{file}: cannot be read: {error.strerror}") from error
        when = hashlib.sha256(told).hexdigest() if content else about.st_mtime_ns
        digest.update(f"\n{file.name} {about.st_size} {when}".encode())
    return digest.hexdigest()[:24]


class DoneList:
    """A file of JSON lines, one for each finished piece of work: its name, its stamp, and what is to be known of it.

    A line is appended when its piece is complete. Any other line, as one that a kill cut off, is ignored: its piece is
    done again.
    """

    def __init__(self, path: Path) -> None:
        """Read the list where there is one."""
        self._path = path
        self._done: dict[str, tuple[str, Any]] = {}
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        for line in text.splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            match entry:
                case [str(name), str(stamp), about]:
                    self._done[name] = stamp, about

    def get(self, name: str, stamp: str) -> Any | None:
        """Return what was noted of this piece of work if it was done with this stamp, else None."""
        found = self._done.get(name)
        return None if found is None or found[0] != stamp else found[1]

    def add(self, name: str, stamp: str, about: Any) -> None:
        """Note that a piece of work is complete. Raises InputError if the list cannot be written."""
        self._done[name] = stamp, about
        line = (
            f"\n{json.dumps([name, stamp, about])}\n".encode()
        )  # begins a line of its own behind one that was cut off
        try:
            handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
            try:
                os.write(handle, line)  # one call: lines of two processes never mix
            finally:
                os.close(handle)
        except OSError as error:
            raise InputError(f"{self._path}: cannot be written: {error.strerror or error}") from error
