"""The measurement of what checks cost: its workers run, with and without them."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from tools.cost_of_checks import ROOT, STAGES, measured, messages


@pytest.mark.parametrize("checks", ["with", "without"])
def test_a_worker_measures_every_stage(checks: str, tmp_path: Path) -> None:
    files = tmp_path / "messages"
    files.write_bytes(pickle.dumps(messages(2, 60)))
    found = measured({"one": (ROOT, "cv", checks)}, files, rounds=1, core=None)
    assert list(found["one"]) == list(STAGES)
    assert all(value_us > 0 for value_us in found["one"].values())
