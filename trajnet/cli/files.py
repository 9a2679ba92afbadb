"""The files that commands write: folders are checked before the work begins."""

from __future__ import annotations

from pathlib import Path

from trajnet.errors import InputError


def require_folders(**paths: Path | None) -> None:
    """Raise InputError unless the folder of every file exists. paths: option -> its file, None where not given."""
    for option, path in paths.items():
        if path is not None and not path.parent.is_dir():
            raise InputError(f"{option}: expected a file in a folder that exists, got {path}")
