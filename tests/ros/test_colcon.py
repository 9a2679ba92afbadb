"""The repository is a ROS 2 package: real colcon builds it, as a copy and with links to the sources."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv-colcon"


def make_colcon_env() -> int:
    spec = importlib.util.spec_from_file_location("make_colcon_env", Path(__file__).with_name("make_colcon_env.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return int(module.main())


@pytest.fixture(scope="module")
def colcon() -> Path:
    if sys.version_info >= (3, 13):
        pytest.skip("colcon's pinned setuptools 68.1 is for Python up to 3.12")
    if make_colcon_env() != 0:
        pytest.skip("colcon cannot be installed here; see the message of tests/ros/make_colcon_env.py above")
    return VENV / "bin/python"


@pytest.mark.parametrize("options", [(), ("--symlink-install",)], ids=["copy", "symlink"])
def test_colcon_builds_and_installs_the_package(colcon: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    base = ["--build-base", str(tmp_path / "build"), "--install-base", str(tmp_path / "install"), *options]
    # As docs/ros.md says: programs then run with the environment's own Python.
    program = [str(colcon), "-m", "colcon", "--log-base", str(tmp_path / "log")]
    command = [*program, "build", "--base-paths", str(ROOT), *base]
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "AMENT_PREFIX_PATH")}
    before = sorted(p.name for p in ROOT.iterdir())
    built = subprocess.run(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert built.returncode == 0, built.stdout
    prefix = tmp_path / "install" / "trajnet"

    # what ros2 run, ros2 launch and ros2 pkg look for
    for name in ("trajnet", "trajnet_predictor", "trajnet_player"):
        assert os.access(prefix / "lib/trajnet" / name, os.X_OK), name
        assert (prefix / "lib/trajnet" / name).read_text().startswith(f"#!{colcon}\n")
    assert (prefix / "share/ament_index/resource_index/packages/trajnet").is_file()
    assert (prefix / "share/trajnet/package.xml").read_text() == (ROOT / "package.xml").read_text()
    for source in sorted((ROOT / "launch").iterdir()):
        if source.is_file():
            folder = "launch" if ".launch." in source.name else "config"
            assert (prefix / "share/trajnet" / folder / source.name).read_text() == source.read_text()

    # the workspace's set-up file makes this copy the one that Python imports, with its models
    code = (
        "import trajnet, pathlib; p = pathlib.Path(trajnet.__file__).parent; print(p); "
        "print(*sorted(f.name for f in (p / 'models').glob('*.onnx')))"
    )
    shell = f'. {tmp_path}/install/local_setup.sh && exec {VENV}/bin/python -c "{code}"'
    seen = subprocess.run(
        ["sh", "-c", shell], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    folder_line, models_line = seen.stdout.split("\n")[:2]
    assert Path(folder_line).is_relative_to(tmp_path)
    assert models_line.split() == sorted(f.name for f in (ROOT / "trajnet/models").glob("*.onnx"))

    assert sorted(p.name for p in ROOT.iterdir()) == before  # a build writes nothing into the sources
