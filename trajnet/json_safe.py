"""Conversion of values to what JSON can represent."""

from __future__ import annotations

import math
from typing import Any


def json_safe(value: Any) -> Any:
    """Return the value with None in place of NaN and infinity, which JSON cannot represent."""
    if isinstance(value, dict):
        return {key: json_safe(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_safe(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
