"""What commands write when they are stopped: a closed pipe loses nothing, a killed one leaves whole files or none."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.replay_scenes import straight_scene
from trajnet.scenes import write_scene

ROOT = Path(__file__).resolve().parents[3]

#: Runs the command and kills its process (as kill -9 does) at the n-th call of Python code in the writing modules.
KILLED = """
import os, signal, sys
left = int(sys.argv[1])
def count(frame, event, _):
    global left
    if event == "call" and frame.f_code.co_filename.endswith(("whole_file.py", "path_writer.py", "table.py")):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
from trajnet.cli.main import main
sys.argv = ["trajnet", *sys.argv[2:]]
sys.setprofile(count)
main()
"""


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    for name in ("a", "b", "c"):
        write_scene(straight_scene(np.ones((25, 2), np.bool_)), tmp_path / "scenes" / f"{name}.parquet")
    return tmp_path / "scenes"


def words_of_evaluate(scenes: Path, out: Path) -> list[str]:
    return [
        "evaluate", "--dataset", "scenes", "--data", str(scenes), "--horizon", "1", "--jobs", "1",
        "--save", str(out / "paths.parquet"), "--json", str(out / "report.json"),
    ]  # fmt: skip


def words_of_convert(scenes: Path, out: Path) -> list[str]:
    return ["convert", str(scenes), str(out)]


def process(code: list[str]) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"}
    return subprocess.run([sys.executable, *code], cwd=ROOT, env=environment, capture_output=True, check=False)


def content(out: Path) -> dict[str, object]:
    """Return what can be read by a program: every file that is not hidden, complete, or this raises."""
    files = sorted(file for file in out.iterdir() if not file.name.startswith("."))
    return {f.name: json.loads(f.read_text()) if f.suffix == ".json" else pq.read_table(f) for f in files}


@pytest.mark.parametrize("words", [words_of_evaluate, words_of_convert])
def test_a_killed_command_leaves_whole_files_and_runs_again_to_the_same(
    words: Callable[[Path, Path], list[str]], scenes: Path, tmp_path: Path
) -> None:
    (tmp_path / "whole").mkdir()
    assert process(["-m", "trajnet", *words(scenes, tmp_path / "whole")]).returncode == 0
    expected = content(tmp_path / "whole")
    moments = random.Random(0)
    (tmp_path / "out").mkdir()
    for _ in range(2):
        killed = process(["-c", KILLED, str(moments.randint(1, 60)), *words(scenes, tmp_path / "out")])
        assert killed.returncode == -9
        for name, found in content(tmp_path / "out").items():
            assert found == expected[name]
    assert process(["-m", "trajnet", *words(scenes, tmp_path / "out")]).returncode == 0
    assert content(tmp_path / "out") == expected


def run_into_a_closed_pipe(words: list[str]) -> subprocess.CompletedProcess[bytes]:
    read, write = os.pipe()
    os.close(read)
    try:
        return subprocess.run(
            [sys.executable, "-m", "trajnet", *words],
            cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=write, stderr=subprocess.PIPE, check=False,
        )  # fmt: skip
    finally:
        os.close(write)


def test_a_closed_pipe_loses_no_report(scenes: Path, tmp_path: Path) -> None:
    words = [*words_of_evaluate(scenes, tmp_path), "--report", str(tmp_path / "report.html")]
    done = run_into_a_closed_pipe(words)
    assert (done.returncode, done.stderr) == (141, b"")
    assert json.loads((tmp_path / "report.json").read_text())["counts"]["whole"] > 0
    assert (tmp_path / "report.html").read_text().rstrip().endswith("</html>")


def test_a_closed_pipe_loses_no_report_of_a_replay(scenes: Path, tmp_path: Path) -> None:
    scene = next(scenes.glob("*.parquet")) if scenes.is_dir() else scenes
    words = ["replay", str(scene), "--model", "cv", "--rate", "max", "--json", str(tmp_path / "replay.json")]
    done = run_into_a_closed_pipe(words)
    assert done.returncode == 141
    assert json.loads((tmp_path / "replay.json").read_text())["version"]
