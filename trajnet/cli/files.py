"""The files that commands write: folders are checked before the work begins; ``-`` is standard output."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from trajnet.errors import InputError
from trajnet.json_safe import json_safe, write_json

#: As the file of --json: standard output, which then has the document alone.
STDOUT = Path("-")


def require_folders(**paths: Path | None) -> None:
    """Raise InputError unless every path can be a file in a folder that exists.

    paths: option -> its file, None where not given.
    """
    for option, path in paths.items():
        if path is not None and not path.parent.is_dir():
            raise InputError(f"{option}: expected a file in a folder that exists, got {path}")
        if path is not None and path.is_dir():
            raise InputError(f"{option}: expected a file, got the folder {path}")


def emit_json(path: Path, values: dict[str, Any]) -> None:
    """Write values as JSON to the file, or print them where it is ``-``. Raises InputError if it cannot be written."""
    if path == STDOUT:
        print(json.dumps(json_safe(values), indent=1, allow_nan=False))
    else:
        write_json(path, values)
