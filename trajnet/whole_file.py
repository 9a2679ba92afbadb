"""Files that appear whole or not at all, whatever stops the program: a full disk, Ctrl-C, kill -9."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from trajnet.errors import InputError


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give the path of a file to write beside ``path``, which takes its place when the block ends without an error.

    The file's name begins with a dot, bears the process's number and keeps the suffix, so two processes may write one
    path: the later one wins, and what a killed one leaves behind is no scene to any reader.
    Raises InputError, naming path, where it cannot be written.
    """
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        with part.open("rb") as written:
            os.fsync(written.fileno())  # else the name could outlive the content when the power fails
        part.replace(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            part.unlink()


def write_text(path: Path, text: str) -> None:
    """Write a text file, in UTF-8, whole. Raises InputError where it cannot be written."""
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8")
