"""A real Ray cluster of two nodes on this machine, one of them killed in the middle."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from trajnet.engine import RayCluster
from trajnet.engine.base import MAX_LOSSES
from trajnet.errors import DependencyError

ROOT = Path(__file__).resolve().parents[3]
needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed: pip install 'trajnet-av[cluster]'"
)


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python where no other cluster of this machine is found."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "RAY_USAGE_STATS_ENABLED": "0", "RAY_TMPDIR": str(folder)}
    environment.pop("RAY_ADDRESS", None)
    return subprocess.run(
        [sys.executable, *arguments], env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.fixture
def folder() -> Iterator[Path]:
    """Yield a folder with a short path: Ray makes sockets in it, whose paths may have 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="ray-") as made:
        yield Path(made)


@needs_ray
@pytest.mark.slow
def test_a_node_that_is_killed_loses_no_result(tmp_path: Path, folder: Path) -> None:
    done = run(folder, str(Path(__file__).with_name("killed_node.py")), str(tmp_path))
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["workers"] == 4
    assert found["results"] == list(range(8))
    assert len(found["began"]) > len(set(found["began"]))  # on the node that was killed, and then elsewhere
    assert found["lost"].startswith("Ray lost task 0: ")
    assert len(list(tmp_path.glob("died-0-*"))) == MAX_LOSSES
    assert found["refused"] == "three: expected another number, got 3"


@needs_ray
def test_where_there_is_no_cluster_it_says_how_to_start_one(folder: Path) -> None:
    done = run(folder, "-c", "from trajnet.engine import RayCluster; RayCluster('auto')")
    assert "InputError: ray: expected a running cluster at 'auto', found none" in done.stderr
    assert "start one with `ray start --head`" in done.stderr


def test_without_ray_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(DependencyError, match=r"pip install 'trajnet-av\[cluster\]'"):
        RayCluster("auto")
