"""The JSON schema of the node's parameters, in the form of Autoware's packages. No ROS.

    python -m trajnet.ros.parameter_schema > schema/trajnet.schema.json

writes it from trajnet.ros.parameters; a test compares the file with it.
"""

from __future__ import annotations

import json
import math
from typing import Any

from trajnet.ros.parameters import ABOUT, DEFAULTS, About

_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string"}


def schema() -> dict[str, Any]:
    """Return the schema (draft 07) of a parameter file."""
    parameters = {
        "type": "object",
        "properties": {name: _property(about, DEFAULTS[name]) for name, about in ABOUT.items()},
        "required": list(ABOUT),
        "additionalProperties": False,
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Parameters of trajnet_predictor",
        "type": "object",
        "definitions": {"trajnet": parameters},
        "properties": {
            "/**": {
                "type": "object",
                "properties": {"ros__parameters": {"$ref": "#/definitions/trajnet"}},
                "required": ["ros__parameters"],
                "additionalProperties": False,
            }
        },
        "required": ["/**"],
        "additionalProperties": False,
    }


def _property(about: About, default: Any) -> dict[str, Any]:
    found = {"type": _TYPES[type(default)], "description": about.description, "default": default}
    if about.choices:
        found["enum"] = list(about.choices)
    if math.isfinite(about.minimum):
        found["minimum"] = type(default)(about.minimum)
    if math.isfinite(about.maximum):
        found["maximum"] = type(default)(about.maximum)
    return found


if __name__ == "__main__":
    print(json.dumps(schema(), indent=2))
