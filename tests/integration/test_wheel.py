"""The wheel: the library with its models and templates, and no package called sim, export, launch or tests."""

from __future__ import annotations

import email
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import trajnet


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Built without network by the setuptools that the test environment has, from a copy of the sources."""
    pytest.importorskip("setuptools", minversion="70.1", reason="a setuptools that builds wheels by itself")
    folder = tmp_path_factory.mktemp("wheel")
    leave = shutil.ignore_patterns(
        ".*", "out", "build", "install", "log", "__pycache__", "*.egg-info", "lightning_logs"
    )
    shutil.copytree(root, folder / "source", ignore=leave)
    command = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), f"{folder}/source"]
    done = subprocess.run([sys.executable, "-m", "pip", *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return zipfile.ZipFile(next(folder.glob("*.whl")))


def test_the_wheel_installs_one_package(wheel: zipfile.ZipFile) -> None:
    version = trajnet.__version__
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert tops == {"trajnet", f"trajnet_av-{version}.dist-info", f"trajnet_av-{version}.data"}
    data = {name.split("/")[2] for name in wheel.namelist() if name.startswith(f"trajnet_av-{version}.data/")}
    assert data == {"share"}


def test_the_wheel_has_every_file_of_the_library(wheel: zipfile.ZipFile, root: Path) -> None:
    files = (path for path in (root / "trajnet").rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    assert {path.relative_to(root).as_posix() for path in files} <= set(wheel.namelist())


def test_the_vehicle_needs_three_libraries_and_a_runtime(wheel: zipfile.ZipFile) -> None:
    name = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    metadata = email.message_from_bytes(wheel.read(name))
    needs = metadata.get_all("Requires-Dist", [])
    assert {need.split(">")[0] for need in needs if "extra ==" not in need} == {"numpy", "pyyaml", "shapely"}
    extras = {
        "cpu",
        "gpu",
        "tools",
        "train",
        "ros",
        "frames",
        "geo",
        "opendrive",
        "remote",
        "trajdata",
        "womd",
        "view",
        "cluster",
        "docs",
        "dev",
    }
    assert extras == set(metadata.get_all("Provides-Extra", []))
    assert metadata["License"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.10"
