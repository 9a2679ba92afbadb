"""Make one of the project's virtual environments on a Debian or Ubuntu that has only python3.

    python3 tools/make_venv.py .venv cpu,tools    # trajnet, editable, with these extras as constraints.txt pins them
    python3 tools/make_venv.py .venv-other        # pip alone, for a program that installs the rest

An environment that was made from the same files by the same Python is left as it is; one whose lists of packages have
changed is updated. Root is never needed: if Debian's python3 lacks ensurepip (the package python3-venv), pip comes from
Debian's own package, which any user may download.
Standard library only, and only syntax that an old Python can parse, so that it can report that it is too old.
"""

import argparse
import fcntl
import hashlib
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "constraints.txt"
MADE_FROM = [ROOT / "pyproject.toml", ROOT / "setup.cfg", CONSTRAINTS]
OLDEST_PYTHON = (3, 10)
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"


class Failed(Exception):
    """A step that failed; the message is for the user."""


def run(command: "Sequence[str | Path]", what: str, log: Path, **environment: str) -> str:
    """Run quietly and return the standard output; both outputs go to the log, whose end is the error message."""
    words = [str(part) for part in command]
    environment = {**os.environ, **environment}
    done = subprocess.run(words, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    with log.open("a") as handle:
        handle.write(f"$ {' '.join(words)}\n{done.stdout}{done.stderr}\n")
    if done.returncode:
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        told = [line for line in said if line.lower().startswith(("error", "e:", "fatal"))] or said
        raise Failed(f"{what} failed: {' '.join(told[-2:]) or 'it said nothing'} (everything it said: {log})")
    return done.stdout


def make_empty_venv(venv: Path, log: Path) -> None:
    """Make a new virtual environment with pip. Raises Failed."""
    make = [sys.executable, "-m", "venv", "--clear"]
    if importlib.util.find_spec("ensurepip") is not None:
        run([*make, venv], "making the virtual environment", log)
        return
    run([*make, "--without-pip", venv], "making the virtual environment", log)
    with tempfile.TemporaryDirectory(prefix="trajnet-pip-") as folder:
        path = os.pathsep.join(str(entry) for entry in debian_pip(Path(folder), log))
        install: list[str | Path] = [venv / "bin/python", "-m", "pip", "install", "--constraint", CONSTRAINTS, "pip"]
        run(install, "installing pip into the virtual environment", log, PYTHONPATH=path)


def debian_pip(folder: Path, log: Path) -> "list[Path]":
    """Return the entries of PYTHONPATH with which pip runs: Debian's wheel, and distutils if Debian packages it apart.

    Raises Failed if they cannot be downloaded.
    """
    packages = ["python3-pip-whl"]
    if sys.version_info < (3, 12) and importlib.util.find_spec("distutils.core") is None:
        packages.append("python3-distutils")
    try:
        try:
            download_debian(packages, folder, [], log)
        except Failed:  # no package lists on this machine (containers drop them): read them into another folder
            lists = folder / "apt"
            (lists / "lists/partial").mkdir(parents=True)
            own = [f"-oDir::State::lists={lists / 'lists'}", f"-oDir::Cache={lists}"]
            run(["apt-get", *own, "update"], "apt-get update", log)
            download_debian(packages, folder, own, log)
    except (Failed, FileNotFoundError) as error:
        raise Failed(
            f"this Python has no ensurepip and pip could not be had without it ({error}); "
            "install it (Debian, Ubuntu: sudo apt-get install python3-venv) and run make again"
        ) from None
    path = list(folder.glob("usr/share/python-wheels/pip-*.whl"))
    for distutils in folder.glob("usr/lib/python3*/distutils"):
        (distutils / "__init__.py").touch()  # Debian keeps this one file in the package of Python
        path.append(distutils.parent)
    return path


def download_debian(packages: "list[str]", folder: Path, options: "list[str]", log: Path) -> None:
    for package in packages:
        with tempfile.TemporaryDirectory(prefix="trajnet-deb-") as download:
            command = (
                f'cd "{download}" && apt-get {" ".join(options)} -q download {package} && dpkg-deb -x *.deb "{folder}"'
            )
            run(["sh", "-c", command], f"downloading {package}", log)


def torch_index(python: Path, log: Path) -> "list[str]":
    """Return pip options that keep PyTorch's gigabytes of CUDA libraries out of an environment for tests.

    Return an empty list if pip's own configuration already leads to a CPU build, or if PyTorch's index does not answer.
    """
    if platform.machine() != "x86_64":
        return []
    with tempfile.TemporaryDirectory(prefix="trajnet-torch-") as folder:
        report = Path(folder) / "report.json"
        ask: list[str | Path] = [python, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--no-deps"]
        run([*ask, "--report", report, "--constraint", CONSTRAINTS, "torch"], "asking pip for PyTorch", log)
        if json.loads(report.read_text())["install"][0]["metadata"]["version"].endswith("+cpu"):
            return []
    try:
        urllib.request.urlopen(f"{TORCH_CPU_INDEX}/torch/", timeout=5).close()
    except OSError:
        return []
    return ["--extra-index-url", TORCH_CPU_INDEX]


def install(venv: Path, extras: str, log: Path) -> None:
    """Install trajnet, editable, with the extras, and pip itself as pinned. Raises Failed."""
    python = venv / "bin/python"
    # --no-compile: Python compiles modules at their first import; pip would compile all of PyTorch now
    pip: list[str | Path] = [python, "-m", "pip", "install", "--no-compile", "--constraint", CONSTRAINTS]
    run([*pip, "pip"], "installing pip", log)
    if {"dev", "train"} & set(extras.split(",")):
        pip += torch_index(python, log)
    run([*pip, "--editable", f"{ROOT}[{extras}]"], f"installing trajnet-av[{extras}]", log)


def keys_of(venv: Path, extras: str) -> "list[str]":
    """Return two hashes: of what the environment itself depends on, and of what is installed in it."""
    place = f"{venv}\n{extras}\n{sys.version}\n{os.path.realpath(sys.executable)}\n".encode()
    files = b"\0".join(path.read_bytes() for path in MADE_FROM) if extras else b""
    return [hashlib.sha256(part).hexdigest() for part in (place, files)]


def make(venv: Path, extras: str) -> None:
    stamp, keys = venv / "made-from.sha256", keys_of(venv, extras)
    had = stamp.read_text().split() if stamp.exists() else []
    if had == keys:
        return
    print(f"make: setting up {venv.name} with {extras or 'pip'} (once; minutes for the large ones) ...", flush=True)
    start = time.monotonic()
    log = Path(tempfile.gettempdir()) / f"trajnet-{os.getpid()}-{venv.name.strip('.')}.log"
    if had[:1] == keys[:1]:
        stamp.unlink()  # only the list of packages changed: pip updates them in place
    else:
        make_empty_venv(venv, log)
    if extras:
        install(venv, extras, log)
    if log.exists():
        shutil.move(str(log), str(venv / "made.log"))
    stamp.write_text("\n".join(keys))
    print(f"make: {venv.name} is ready ({time.monotonic() - start:.0f} s)", flush=True)


def main() -> int:
    if sys.version_info < OLDEST_PYTHON:
        wanted, here = ".".join(map(str, OLDEST_PYTHON)), platform.python_version()
        print(
            f"make: trajnet needs Python {wanted} or newer, {sys.executable} is {here}: "
            "install a newer one and name it, for example: make demo PYTHON=python3.11",
            file=sys.stderr,
        )
        return 2
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("venv", type=Path, help="the folder to make, replaced if it is out of date")
    parser.add_argument("extras", nargs="?", default="", help="trajnet's extras, for example cpu,tools")
    arguments = parser.parse_args()
    with Path(__file__).open() as lock:  # two makes at once: the second waits and finds the work done
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            make(arguments.venv.absolute(), arguments.extras)
        except (Failed, OSError) as error:
            print(f"make: {error}", file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
