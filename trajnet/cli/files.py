"""The files that commands write: folders are checked before the work begins; files appear whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from trajnet.errors import InputError
from trajnet.json_safe import json_safe
from trajnet.whole_file import write_text


def require_folders(**paths: Path | None) -> None:
    """Raise InputError unless the folder of every file exists. paths: option -> its file, None where not given."""
    for option, path in paths.items():
        if path is not None and not path.parent.is_dir():
            raise InputError(f"{option}: expected a file in a folder that exists, got {path}")


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write values as JSON, NaN and infinity as null. Raises InputError where the file cannot be written."""
    write_text(path, json.dumps(json_safe(values), indent=1, allow_nan=False) + "\n")
