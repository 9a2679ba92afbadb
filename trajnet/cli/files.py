"""The files that commands write: their folders are checked before the work begins; a failed write is an InputError."""

from __future__ import annotations

from pathlib import Path

from trajnet.errors import InputError


def require_folders(**paths: Path | None) -> None:
    """Raise InputError unless the folder of every file exists. paths: option -> its file, None where not given."""
    for option, path in paths.items():
        if path is not None and not path.parent.is_dir():
            raise InputError(f"{option}: expected a file in a folder that exists, got {path}")


def write_text(path: Path, text: str, what: str) -> None:
    """Write a file in UTF-8. Raises InputError, which begins with what, where it cannot be written."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{what}: expected a file that can be written, got {error}") from error
