"""The node's parameters of tracks reach the track store."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import pytest

from trajnet.ros.parameters import Parameters
from trajnet.tracking.store import TrackPolicy

NAMED = {
    "track_timeout_s": "timeout_s", "late_s": "late_s", "clock_reset_s": "reset_jump_s", "track_handover": "handover",
    "filter_positions": "filter_positions", "doubt_velocities": "doubt_velocities",
    "doubt_headings": "doubt_headings", "crossings": "crossings",
}  # fmt: skip


def test_the_defaults_are_those_of_the_library() -> None:
    assert Parameters().policy() == TrackPolicy()


@pytest.mark.parametrize(("parameter", "setting"), NAMED.items())
def test_each_parameter_sets_one_thing(parameter: str, setting: str) -> None:
    default = getattr(Parameters(), parameter)
    other: Any = not default if isinstance(default, bool) else 2 * default
    changed = asdict(replace(Parameters(), **{parameter: other}).policy())
    assert changed == {**asdict(TrackPolicy()), setting: other}
