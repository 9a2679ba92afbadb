"""Every file of examples/ runs, and does what it says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


def run(root: Path, folder: Path, *words: object) -> str:
    """Return what a program of the examples prints, run in a folder."""
    environment = {**os.environ, "PYTHONPATH": str(root)}
    command = [sys.executable, *map(str, words)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_example_is_run_here(root: Path) -> None:
    """Those of C++ are run by test_cpp_example.py."""
    found = {path.relative_to(root / "examples").as_posix() for path in (root / "examples").rglob("*.*")}
    assert {name for name in found if "__pycache__" not in name} == {
        "own_csv_to_paths.py", "live_loop.py", "tour.ipynb", "cpp/predict.cpp", "cpp/CMakeLists.txt",
    }  # fmt: skip


def test_a_csv_becomes_paths_and_a_picture(root: Path, tmp_path: Path) -> None:
    shown = run(root, tmp_path, root / "examples" / "own_csv_to_paths.py")
    assert "Scene('tracks': 60 frames in 5.9 s, 2 tracks (car), no map)" in shown
    assert "mistake" not in shown
    lines = (tmp_path / "out/example/paths.csv").read_text().splitlines()
    assert len(lines) == 1 + 2 * 6 * 16  # objects, modes, times
    assert (tmp_path / "out/example/paths.svg").read_text().startswith("<svg")


def test_the_live_loop_answers_frames(root: Path, tmp_path: Path) -> None:
    shown = run(root, tmp_path, root / "examples" / "live_loop.py", "0.001", "20")
    last = shown.splitlines()[-1]
    assert 1 <= int(last.split()[0]) <= 20
    assert "frames answered" in last


def test_the_cells_of_the_notebook_run_in_order(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    notebook = json.loads((root / "examples" / "tour.ipynb").read_text(encoding="utf-8"))
    assert notebook["nbformat"] == 4
    monkeypatch.chdir(root / "examples")
    names: dict[str, object] = {}
    codes = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for code in codes:
        exec(compile(code, "tour.ipynb", "exec"), names)
    assert len(codes) >= 5
    assert "26 objects, 6 modes" in repr(names["prediction"])
    assert capsys.readouterr().err == ""
