"""The readers of CommonRoad files with the newest commonroad-io, which constraints.txt does not have."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_the_newest_commonroad_io_reads_the_same(tmp_path: Path) -> None:
    pytest.importorskip("commonroad", reason="commonroad-io is not installed")
    words = ["install", "--quiet", "--no-deps", "--retries", "1", "--timeout", "5", "--disable-pip-version-check"]
    without_bounds = {k: v for k, v in os.environ.items() if k != "PIP_CONSTRAINT"}
    installed = subprocess.run(
        [sys.executable, "-m", "pip", *words, "--target", str(tmp_path), "commonroad-io"],
        env=without_bounds, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if installed.returncode:
        pytest.skip(f"commonroad-io could not be had: {' '.join(installed.stderr.split())[-200:]}")
    # It asks for a protobuf of its own; what is generated for that one runs in Python with any.
    environment = {
        **os.environ,
        "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}",
        "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": "python",
    }
    used = subprocess.run(
        [sys.executable, "-c", "import commonroad; print(commonroad.__file__ or list(commonroad.__path__)[0])"],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert used.stdout.startswith(str(tmp_path))
    tests = ["-q", "-p", "no:cacheprovider", "tests/unit/scenes/test_commonroad.py"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *tests], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
