"""Fixtures that every kind of test shares."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# No test may depend on how fast the machine is.
settings.register_profile("trajnet", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("trajnet")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of recorded data that TRAJNET_DATA names; the test skips where it is missing."""
    named = os.environ.get("TRAJNET_DATA")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(
            f"no recorded data in {folder}: set TRAJNET_DATA to the folder that has nuscenes_pred, eth_ucy, ..."
        )
    return folder.resolve()
