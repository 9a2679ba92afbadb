"""Commands that are killed while they write leave whole files, and end with the same result when run again.

Training is killed in test_train_resume; tests/kill_nine.py kills all of them often, and the export.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.kill_nine import commands, file_bytes, kill_and_run_again
from tests.tiny_training import ROOT


@pytest.mark.parametrize(("name", "kills"), [("cache", 1), ("bag-mcap", 2), ("bag-db3", 1)])
def test_killed_at_any_call_and_run_again_gives_the_same(name: str, kills: int, tmp_path: Path) -> None:
    assert kill_and_run_again(name, commands(tmp_path)[name], tmp_path, kills=kills, seed=1) == []


def test_two_processes_on_one_cache_both_end_with_the_same_arrays(tmp_path: Path) -> None:
    cache = commands(tmp_path)["cache"]
    for name in ("alone", "both"):
        (tmp_path / name).mkdir()
    subprocess.run([sys.executable, *cache.words(tmp_path / "alone")], cwd=ROOT, check=True)
    both = [subprocess.Popen([sys.executable, *cache.words(tmp_path / "both")], cwd=ROOT) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert file_bytes(tmp_path / "both") == file_bytes(tmp_path / "alone")
    assert sorted(path.suffix for path in (tmp_path / "both").iterdir()) == [".bin", ".json"]
