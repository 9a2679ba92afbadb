"""Where ROS cannot be had, making its environment says why in one line and is no failure."""

from __future__ import annotations

import platform
import runpy
import shutil
from pathlib import Path

import pytest


@pytest.mark.parametrize(("missing", "says"), [("x86-64", "aarch64"), ("compiler", "g++")])
def test_one_line_says_why_it_is_skipped(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], missing: str, says: str
) -> None:
    program = runpy.run_path(str(root / "tests/ros/make_ros_env.py"))
    if missing == "x86-64":
        monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    else:
        monkeypatch.setattr(platform, "machine", lambda: "x86_64")
        monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/python3.11" if name == "python3.11" else None)
    assert program["main"]() == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("ros-env: skipped: ")
    assert says in line


def test_every_requirement_is_pinned(root: Path) -> None:
    program = runpy.run_path(str(root / "tests/ros/make_ros_env.py"))
    lines = (root / "constraints-ros.txt").read_text().splitlines()
    pinned = {line.split("==")[0].lower() for line in lines if "==" in line}
    assert {name.lower() for name in program["REQUIREMENTS"]} <= pinned
