"""The parameter schema: made from the parameters, and the parameter file keeps to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from trajnet.ros.parameter_schema import schema
from trajnet.ros.parameters import ABOUT, DEFAULTS

ROOT = Path(__file__).resolve().parents[3]
FILE = ROOT / "schema" / "trajnet.schema.json"


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FILE.read_text())
    return found


def test_the_file_is_what_the_parameters_say(stored: dict[str, Any]) -> None:
    assert stored == schema(), "make it again: python -m trajnet.ros.parameter_schema > schema/trajnet.schema.json"


def test_every_parameter_has_its_type_default_and_range(stored: dict[str, Any]) -> None:
    properties = stored["definitions"]["trajnet"]["properties"]
    assert list(properties) == list(DEFAULTS)
    assert properties["threads"] == {
        "type": "integer", "description": ABOUT["threads"].description, "default": 1, "minimum": 1, "maximum": 64,
    }  # fmt: skip
    assert properties["provider"]["enum"] == ["cpu", "cuda", "tensorrt"]
    assert (properties["autostart"]["type"], properties["horizon_s"]["type"]) == ("boolean", "number")


def test_the_parameter_file_keeps_to_it_and_a_wrong_one_does_not(stored: dict[str, Any]) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="validates with jsonschema")
    given = yaml.safe_load((ROOT / "launch" / "trajnet.param.yaml").read_text())
    jsonschema.validate(given, stored)
    for name, wrong in (("threads", 0), ("provider", "gpu"), ("model", 3), ("no_such", 1)):
        bad = {"/**": {"ros__parameters": {**given["/**"]["ros__parameters"], name: wrong}}}
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(bad, stored)
