"""README.md keeps its word: its Python runs and prints what it shows, its table of eight columns is what is read."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from trajnet.scenes.table import REQUIRED_COLUMNS

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NUMBER = re.compile(r"-?\d+\.\d+")


def blocks(text: str) -> list[tuple[str, str]]:
    """Return (language, code) of every fenced block, in their order."""
    return _BLOCK.findall(text)


def run(code: str, root: Path, folder: Path) -> str:
    """Return what the code prints in a folder that has the bundled scene and nothing else."""
    scene = Path("sim/scenes/intersection.parquet")
    (folder / scene).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(root / scene, folder / scene)
    environment = {**os.environ, "PYTHONPATH": str(root)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_python_block_prints_what_the_block_behind_it_shows(root: Path, tmp_path: Path) -> None:
    found = blocks((root / "README.md").read_text(encoding="utf-8"))
    pairs = [(code, found[i + 1]) for i, (language, code) in enumerate(found) if language == "python"]
    assert pairs
    for code, (language, shown) in pairs:
        assert language == "text"
        printed = run(code, root, tmp_path).splitlines()
        expected = shown.splitlines()
        assert expected[-1] == "..."
        for line, want in zip(printed, expected[:-1], strict=False):
            assert _NUMBER.sub("#", line) == _NUMBER.sub("#", want)
            numbers = [float(number) for number in _NUMBER.findall(line)]
            assert numbers == pytest.approx([float(number) for number in _NUMBER.findall(want)], abs=0.11)
        objects = int(printed[0].strip("(").split(",")[0])
        assert len(printed) == 1 + objects


def test_the_columns_of_an_own_table_are_those_that_the_reader_needs(root: Path) -> None:
    section = (root / "README.md").read_text(encoding="utf-8").split("## Your own data\n", 1)[1]
    language, columns = blocks(section)[0]
    assert language == "text"
    assert tuple(columns.split()) == REQUIRED_COLUMNS


def test_blocks_are_found_with_their_language() -> None:
    assert blocks("a\n```python\nx = 1\n\ny = 2\n```\n```text\n```\n") == [("python", "x = 1\n\ny = 2\n"), ("text", "")]
