"""Values as JSON can represent them, and files of them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from trajnet.whole_file import write_text


def json_safe(value: Any) -> Any:
    """Return the value with None in place of NaN and infinity, which JSON cannot represent."""
    if isinstance(value, dict):
        return {key: json_safe(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_safe(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write values as JSON, NaN and infinity as null. Raises InputError where the file cannot be written."""
    write_text(path, json.dumps(json_safe(values), indent=1, allow_nan=False) + "\n")
