"""The units for Autoware's diagnostic graph: every status of ours is in them, and every link leads somewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from trajnet.ros.diagnostics import STATUSES, Thresholds
from trajnet.ros.parameters import DEFAULTS

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def units() -> dict[str, dict[str, Any]]:
    listed = yaml.safe_load((ROOT / "launch" / "trajnet.diagnostics.yaml").read_text())["units"]
    found = {unit["path"]: unit for unit in listed}
    assert len(found) == len(listed)  # the aggregator refuses a path that is there twice
    return found


def links(unit: dict[str, Any]) -> Iterator[str]:
    for child in [*unit.get("list", []), *([unit["item"]] if "item" in unit else [])]:
        assert child["type"] == "link"
        yield child["link"]


def test_every_status_is_reached_from_the_top(units: dict[str, dict[str, Any]]) -> None:
    top, reached = "/autoware/perception/prediction", set[str]()
    waiting = [top]
    while waiting:
        path = waiting.pop()
        reached.add(path)
        waiting += links(units[path])
    assert reached == set(units)
    leaves = [unit for unit in units.values() if unit["type"] == "diag"]
    assert tuple(unit["name"] for unit in leaves) == STATUSES
    assert {unit["node"] for unit in leaves} == {"trajnet_predictor"}


def test_a_warning_does_not_stop_the_vehicle(units: dict[str, dict[str, Any]]) -> None:
    assert units["/autoware/perception/prediction"]["type"] == "warn-to-ok"


def test_a_report_that_is_lost_is_no_time_out(units: dict[str, dict[str, Any]]) -> None:
    timeouts_s = [unit["timeout"] for unit in units.values() if unit["type"] == "diag"]
    assert 2 * DEFAULTS["diagnostics_period_s"] <= min(timeouts_s)


def test_what_only_warns_cannot_be_an_error() -> None:
    limits = Thresholds()
    assert limits.outside_domain_share.error == limits.off_map_share.error == 1.0  # a share is never above 1
