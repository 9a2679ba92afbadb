"""Make .venv-colcon: colcon from PyPI, pinned, to build this repository as a ROS 2 package without a ROS installation.

python3 tests/ros/make_colcon_env.py
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
VENV = ROOT / ".venv-colcon"

# setuptools 68.1 is what Ubuntu 24.04 (ROS 2 Jazzy and later) builds with; its pkg_resources needs nothing else.
REQUIREMENTS = [
    "colcon-core==0.21.3",
    "colcon-ros==0.5.0",
    "colcon-cmake==0.2.30",
    "colcon-library-path==0.2.1",
    "colcon-pkg-config==0.1.0",
    "colcon-python-setup-py==0.2.9",
    "colcon-recursive-crawl==0.2.3",
    "colcon-bash==0.5.0",
    "colcon-test-result==0.3.8",
    "catkin-pkg==1.1.1",
    "empy==4.2.1",
    "setuptools==68.1.2",
]


def main() -> int:
    stamp = VENV / "requirements.txt"
    wanted = "\n".join(REQUIREMENTS) + "\n"
    if stamp.exists() and stamp.read_text() == wanted:
        return 0
    print("colcon-env: installing colcon into .venv-colcon ...", flush=True)
    for command in (
        [sys.executable, str(ROOT / "tools/make_venv.py"), str(VENV)],
        [str(VENV / "bin/python"), "-m", "pip", "install", "--quiet", *REQUIREMENTS],
    ):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            print(f"colcon-env: {' '.join(command[:4])} failed:\n{done.stdout[-2000:]}", file=sys.stderr)
            return 1
    stamp.write_text(wanted)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
